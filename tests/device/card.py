"""The card image of board/image, booted twice: on the virt machine, whose network lets the host look
inside, and on QEMU's model of a Raspberry Pi 3 with that board's own device tree.
"""

import re
import shutil
import subprocess
import time

import tree
from bench import CONFIGURATION, ROOT
from guest import free_port
from load import Load
from proofs import RESULT, one_line, say

SECTOR = 512


def booted(bench):
    image = ROOT / "target/image/qbo-relay.img"
    if not image.exists():
        raise RuntimeError("no card image: run `board/image/build` first")
    card = bench.folder / "card.img"
    shutil.copy(image, card)
    # A Raspberry Pi 3 in QEMU takes cards whose size is a power of two.
    tree.run("truncate", "--size=4G", card)
    boot = f"{card}@@{offset(card, 1)}"
    for name in ("vmlinuz", "initrd.img"):
        listing = tree.run("mdir", "-b", "-i", boot, f"::{name}-*", capture_output=True, text=True).stdout
        tree.run("mcopy", "-n", "-o", "-i", boot, listing.split()[0], bench.folder / f"card.{name}")
    tree.run("mcopy", "-o", "-i", boot, "::bcm2837-rpi-3-b.dtb", bench.folder / "card.dtb")
    configure(bench, boot)
    raspberry(bench, card, boot)
    virt(bench, card, boot)


def offset(card, number):
    """Where a partition of the card begins, in bytes."""
    text = tree.run("partx", "-g", "-o", "START", "-n", str(number), card, capture_output=True, text=True).stdout
    return int(text) * SECTOR


def configure(bench, boot):
    """What a person does on a PC."""
    key = bench.folder / "card.key"
    key.unlink(missing_ok=True)
    tree.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    # The card's own lamp: none on these machines.
    text = CONFIGURATION.format(port=bench.receiver.port)
    text = text.replace('board = "raspberry-pi-4"\nline = "GPIO17"', 'board = "auto"')
    (bench.folder / "card.toml").write_text(text)
    files = {"card.toml": "qbo-relay.toml", "secrets.toml": "qbo-relay-secrets.toml", "card.key.pub": "authorized_keys"}
    for source, name in files.items():
        tree.run("mcopy", "-o", "-i", boot, bench.folder / source, f"::{name}")


def raspberry(bench, card, boot):
    """What happens is read from the card: no network of this machine reaches the host."""
    words = [
        "qemu-system-aarch64", "-M", "raspi3b", "-nodefaults", "-display", "none", "-no-reboot",
        "-kernel", bench.folder / "card.vmlinuz", "-initrd", bench.folder / "card.initrd.img",
        "-dtb", bench.folder / "card.dtb", "-drive", f"file={card},if=sd,format=raw", "-serial", "stdio",
        "-append", "console=ttyAMA0,115200 root=LABEL=root ro rootwait systemd.show_status=1 "
        # QEMU's model of the watchdog resets the board at once when it is armed.
        "module_blacklist=bcm2835_wdt",
    ]  # fmt: skip
    path = bench.folder / "raspberry.console"
    began = time.monotonic()
    with open(path, "wb") as console:
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=console)
    try:
        while not journal_of(card):
            seen = path.read_text(errors="replace")[-2000:]
            assert process.poll() is None and time.monotonic() < began + 900, seen
            time.sleep(2)
    finally:
        process.kill()
        process.wait()
    say(f"raspi3b: the relay has its journal, on the partition for it, after {time.monotonic() - began:.0f} s")
    told = tree.read_from_boot_partition(boot, RESULT)
    say("its boot partition: " + one_line(told))
    assert "was taken in" in told, told
    assert tree.read_from_boot_partition(boot, "qbo-relay-secrets.toml") is None


def journal_of(card):
    """Whether a relay that has started holds its journal on the card's partition for it."""
    partition = f"{card}?offset={offset(card, 3)}"
    listing = tree.run("debugfs", "-R", "ls -p /", partition, capture_output=True, text=True).stdout
    return "/journal.db/" in listing and "/control.sock/" in listing


def virt(bench, card, boot):
    port, shell = free_port(), free_port()
    words = [
        "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "1024", "-nodefaults",
        "-display", "none", "-no-reboot", "-kernel", bench.folder / "card.vmlinuz",
        "-initrd", bench.folder / "card.initrd.img", "-append", "console=ttyAMA0 root=LABEL=root ro",
        "-drive", f"file={card},if=none,id=card,format=raw", "-device", "virtio-blk-pci,drive=card",
        "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:443,hostfwd=tcp:127.0.0.1:{shell}-:22",
        "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci", "-serial", "stdio",
    ]  # fmt: skip
    console = open(bench.folder / "card.console", "wb")
    process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=console)

    def inside(command):
        return subprocess.run(
            ["ssh", "-p", str(shell), "-i", bench.folder / "card.key", "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10",
             "root@127.0.0.1", command],
            capture_output=True, text=True,
        )  # fmt: skip

    try:
        end = time.monotonic() + 900
        while inside("systemctl is-active qbo-relay").stdout.strip() != "active":
            assert process.poll() is None and time.monotonic() < end, "the card does not come up on virt"
            time.sleep(2)
        inside(f"date -s @{time.time():.0f}; mkdir -p /run/systemd/timesync; touch /run/systemd/timesync/synchronized")
        load = Load(bench, port, 50)
        report, fine = load.finish()
        assert fine, report
        bench.wait_for(load.acknowledged())
        say("virt: 50 posts acknowledged and delivered")
        # Once more, on a system that is up: the root has to open for it, and to close.
        inside("cp /etc/qbo-relay/qbo-relay.toml /boot/firmware; systemctl restart qbo-relay")
        told = inside(f"cat /boot/firmware/{RESULT}").stdout
        assert "Taken in: qbo-relay.toml." in told, told
        mounts = inside(
            "findmnt -rno TARGET,FSTYPE,OPTIONS / && findmnt -rno TARGET,FSTYPE,OPTIONS /var/lib/qbo-relay"
        ).stdout
        assert re.search(r"^/ ext4 ro,noatime", mounts) and re.search(r"/var/lib/qbo-relay ext4 rw,noatime", mounts), (
            mounts
        )
        watchdog = inside("systemctl show -P RuntimeWatchdogUSec").stdout.strip()
        assert watchdog == "14s", watchdog
        failed = inside("systemctl list-units --failed --plain --no-legend").stdout
        assert failed == "", failed
        assert inside("ls -A /var/log/journal").returncode != 0, "the logs are on the card"
        say("root read-only, journal on its own partition, volatile logs, watchdog 14 s, no failed unit")
    finally:
        process.kill()
        process.wait()
