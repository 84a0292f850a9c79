"""The workbench: keys, package, receiver, and guests that go on from one prepared moment.

Two guests are booted from cold: one on which the package is installed, and the same again with the
configuration on its boot partition. The second is frozen when it serves; every proof goes on from
there in seconds, with disks of its own.
"""

import re
import shutil
import subprocess
import time
from pathlib import Path

import tree
from guest import MACHINE, Guest
from lamp import Lamp
from load import Load
from receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]

CONFIGURATION = """\
[listen]
https = "systemd"

[tls]
certificate = "fullchain.pem"
key = "privkey.pem"

[[verifier]]
name = "device-test"
token_file = "verifier"

[journal]
bytes_max = "64 MiB"

[[sink]]
name = "host"
kind = "http"
url = "http://10.0.2.2:{port}/hook"
signing_secret_file = "signing"
retry_delays = ["1 s", "1 s"]
retry_every = "2 s"

[admin]
listen = "systemd"

[led]
board = "raspberry-pi-4"
line = "GPIO17"
"""

TOKEN = "d691402a-9b97-4836-9989-938628cc2927"
GPIO17, ACT = 5, 6


def find(kind, *patterns):
    """The newest file of these patterns."""
    found = [path for pattern in patterns for path in ROOT.glob(pattern)]
    if not found:
        raise SystemExit(f"no {kind}: run `board/build-deb arm64` and `cargo build --release` first")
    return max(found, key=lambda path: path.stat().st_mtime)


class Bench:
    """What the proofs share."""

    def __init__(self, folder, again=False):
        """With `again`, a run goes on from the guests that the last one has prepared and frozen."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.package = find("package", "target/debian/qbo-relay_*_arm64.deb")
        self.binary = find("binary", "target/release/qbo-relay", "target/debug/qbo-relay")
        self.stem = tree.make(folder)
        if again:
            # The frozen guest knows where the receiver was.
            known = re.search(r"http://10.0.2.2:(\d+)/", (folder / "relay.toml").read_text())
            self.receiver = Receiver(int(known.group(1)))
            return
        self.receiver = Receiver()
        self.make_keys()
        tree.device_tree(MACHINE, folder / "board.dtb")

    def make_keys(self):
        folder = self.folder
        (folder / "verifier").write_text(TOKEN)
        subject = ["-days", "30", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        tree.run(
            "openssl", "req", "-x509", *subject, "-subj", "/CN=device test", "-keyout", folder / "ca.key",
            "-out", folder / "ca.pem", stderr=subprocess.DEVNULL,
        )  # fmt: skip
        tree.run(
            "openssl", "req", "-x509", *subject, "-subj", "/CN=localhost", "-keyout", folder / "leaf.key",
            "-out", folder / "leaf.pem", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        secrets = {
            "fullchain.pem": (folder / "leaf.pem").read_text() + (folder / "ca.pem").read_text(),
            "privkey.pem": (folder / "leaf.key").read_text(),
            "verifier": TOKEN,
            "signing": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        }
        lines = [f'"{name}" = """\n{value}"""\n' for name, value in secrets.items()]
        (folder / "secrets.toml").write_text("".join(lines))
        (folder / "relay.toml").write_text(CONFIGURATION.format(port=self.receiver.port))

    def overlay(self, name, backing, kind):
        """A disk of its own that begins as another one stands."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        tree.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", kind, path)
        return path

    def prepare(self):
        """Installs, configures by the boot partition, and freezes the guest that serves."""
        root = self.overlay("root.qcow2", f"{self.stem}.img", "raw")
        journal, boot = self.folder / "journal.img", self.folder / "boot.img"
        tree.empty_ext4(journal, "journal", "256M")
        tree.boot_partition(boot, {self.package: "qbo-relay.deb"})
        disks = [f"file={root},format=qcow2", f"file={journal},format=raw", f"file={boot},format=raw"]
        guest = Guest(self.folder, self.stem, disks, label="install")
        yield "installed", guest
        guest.power_off()
        files = {"relay.toml": "qbo-relay.toml", "secrets.toml": "qbo-relay-secrets.toml"}
        for source, name in files.items():
            tree.run("mcopy", "-i", boot, self.folder / source, f"::{name}")
        guest = Guest(self.folder, self.stem, disks, label="first-boot")
        guest.until("systemctl is-active qbo-relay", "^active")
        guest.set_clock(time.time())
        yield "configured", guest
        guest.run("sync")
        guest.freeze(self.folder / "serving.state")
        # A second moment, for the power cuts: the journal's disk is not mounted.
        for name in ("root", "journal", "boot"):
            shutil.copy(self.folder / f"{name}.{'qcow2' if name == 'root' else 'img'}", self.folder / f"{name}.serving")

    def resume(self, label, journal=None, state="serving", line=GPIO17):
        """A guest that goes on from the frozen moment; `journal` replaces the journal's disk."""
        root = self.overlay("run-root.qcow2", self.folder / f"root.{state}", "qcow2")
        boot = self.overlay("run-boot.qcow2", self.folder / "boot.serving", "raw")
        if journal is None:
            journal = f"file={self.overlay('run-journal.qcow2', self.folder / 'journal.serving', 'raw')},format=qcow2"
        self.disks = [f"file={root},format=qcow2", journal, f"file={boot},format=qcow2"]
        guest = Guest(self.folder, self.stem, self.disks, self.folder / f"{state}.state", label)
        guest.lamp = Lamp(guest.qtest, guest.gpio_chip(), line)
        return guest

    def load(self, guest, count, **options):
        return Load(self, guest.port, count, **options)

    def wait_for(self, ids, patience=180):
        """Until all of these have arrived at the receiver."""
        end = time.monotonic() + patience
        while missing := self.receiver.missing(ids):
            if time.monotonic() > end:
                raise AssertionError(f"{len(missing)} of {len(ids)} never arrived, such as {missing[0]}")
            time.sleep(0.2)
