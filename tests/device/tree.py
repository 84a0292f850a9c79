"""The guest: an arm64 Debian 12 with systemd, its kernel, its device tree, and its disks.

Made once and kept in target/device; the recipe's own text is part of the name, so a changed recipe
is a new guest. Needs root, mmdebstrap, qemu-user-static, e2fsprogs, dosfstools, mtools and
device-tree-compiler.
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    "linux-image-arm64,systemd,systemd-sysv,systemd-timesyncd,udev,dbus,iproute2,procps,e2fsprogs,kmod,libgcc-s1,gpiod"
)

# A small initramfs, because its making is emulated too.
BEFORE_KERNEL = """
mkdir -p "$1/etc/initramfs-tools/conf.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/guest"
printf '%s\\n' virtio_pci virtio_blk ext4 > "$1/etc/initramfs-tools/modules"
"""

FILES = {
    "etc/hostname": "gateway\n",
    "etc/fstab": "LABEL=root / ext4 noatime 0 1\n"
    "LABEL=journal /var/lib/qbo-relay ext4 noatime,nofail 0 2\n"
    "LABEL=BOOT /boot/firmware vfat umask=0077,nofail 0 2\n",
    "etc/systemd/network/guest.network": "[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n",
    "etc/systemd/journald.conf.d/guest.conf": "[Journal]\nStorage=volatile\n",
    # There is no time server: the guest's clock is set by hand, and then it is trusted.
    "etc/systemd/system/serial-getty@ttyAMA0.service.d/guest.conf": "[Service]\nExecStart=\n"
    "ExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I dumb\n",
}


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, **options)


def emulation_is_registered():
    """Lets the host run arm64 programs, as mmdebstrap does."""
    base = Path("/proc/sys/fs/binfmt_misc")
    if not (base / "register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", base)
    if not (base / "qemu-aarch64").exists():
        described = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
        if described.exists():
            run("/lib/systemd/systemd-binfmt", described)
        else:
            run("update-binfmts", "--import", "qemu-aarch64")


def make(folder):
    """The guest's root file system and kernel, in `folder`; returns its stem."""
    recipe = PACKAGES + BEFORE_KERNEL + repr(sorted(FILES.items()))
    stem = folder / ("guest-" + hashlib.sha256(recipe.encode()).hexdigest()[:10])
    if Path(f"{stem}.img").exists():
        return stem
    print("making the guest's root file system, once; some minutes", flush=True)
    emulation_is_registered()
    tree = Path(f"{stem}.tree")
    shutil.rmtree(tree, ignore_errors=True)
    run(
        "mmdebstrap", "--quiet", "--architectures=arm64", "--variant=minbase",
        "--dpkgopt=force-confold", "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        f"--essential-hook={BEFORE_KERNEL}", f"--include={PACKAGES}", "bookworm", tree,
    )  # fmt: skip
    for name, text in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for point in ("var/lib/qbo-relay", "boot/firmware"):
        (tree / point).mkdir(parents=True, exist_ok=True)
    run("systemctl", "--root", tree, "enable", "systemd-networkd", "systemd-timesyncd")
    for kind in ("vmlinuz", "initrd.img"):
        shutil.copy(next((tree / "boot").glob(f"{kind}-*")), f"{stem}.{kind}")
    run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", tree, f"{stem}.part", "2G")
    os.rename(f"{stem}.part", f"{stem}.img")
    shutil.rmtree(tree)
    return stem


def device_tree(machine, path):
    """The board's description with a named GPIO line and a lamp of the LED class.

    The virt machine's PL061 has eight lines without names; line 3 is its power button. Line 5 gets
    the name of header pin 11 of a Raspberry Pi, line 6 becomes the lamp ACT.
    """
    dumped = f"{path}.dumped"
    words = list(machine)
    words[words.index("virt")] = f"virt,dumpdtb={dumped}"
    run(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    source = run("dtc", "-q", "-I", "dtb", "-O", "dts", dumped, capture_output=True, text=True).stdout
    chip = re.search(r"pl061@[0-9a-f]+ \{.*?\};", source, re.DOTALL).group()
    handle = re.search(r"phandle = <(0x[0-9a-f]+)>", chip).group(1)
    names = ", ".join(f'"{name}"' for name in ["A", "B", "C", "D", "E", "GPIO17", "G", "H"])
    named = chip.replace("{", f"{{\n gpio-line-names = {names};", 1)
    lamp = f'leds {{ compatible = "gpio-leds"; act {{ label = "ACT"; gpios = <{handle} 6 0>; }}; }};'
    source = source.replace(chip, named)
    end = source.rindex("};")
    source = source[:end] + lamp + source[end:]
    run("dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path, input=source, text=True)


def empty_ext4(path, label, size, content=None):
    """A file system of its own for the journal."""
    Path(path).unlink(missing_ok=True)
    more = ["-d", content] if content else []
    # Or the kernel does it after the first mount, and that would be counted.
    at_once = ["-E", "lazy_itable_init=0,lazy_journal_init=0"]
    run("mke2fs", "-q", "-t", "ext4", *at_once, "-L", label, *more, path, size)


def boot_partition(path, files):
    """A FAT file system with these files, as a person would put them there on a PC."""
    Path(path).unlink(missing_ok=True)
    run("mkfs.vfat", "-C", "-n", "BOOT", path, 65536, stdout=subprocess.DEVNULL)
    for source, name in files.items():
        run("mcopy", "-i", path, source, f"::{name}")


def read_from_boot_partition(path, name):
    """What lies there now, as a PC reads it; None when there is no such file."""
    done = subprocess.run(["mtype", "-i", str(path), f"::{name}"], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None
