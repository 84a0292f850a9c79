"""One emulated board: QEMU's virt machine, its serial console, its monitor, its power."""

import json
import os
import re
import select
import socket
import subprocess
import time

MACHINE = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "512"]
MACHINE += ["-nodefaults", "-no-user-config", "-display", "none"]
PROMPT = "@guest@"


def free_port():
    """A port above 30000 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return port if port > 30000 else free_port()


class Guest:
    """A guest that runs from construction to `cut`, `freeze` or `power_off`.

    `disks` are drive descriptions in the order of vda, vdb, ...; `state` is a frozen guest to go on
    from. `port` of the host leads to 443 in the guest; the host is 10.0.2.2 for the guest.
    """

    running = []

    def __init__(self, folder, stem, disks, state=None, label="guest"):
        self.port = free_port()
        self.folder = folder
        self.log = open(folder / f"{label}.console", "ab")
        self.seen = b""
        qtest, monitor = folder / "qtest.sock", folder / "monitor.sock"
        for path in (qtest, monitor):
            path.unlink(missing_ok=True)
        words = MACHINE + [
            "-accel", "tcg,thread=multi", "-no-reboot",
            "-kernel", f"{stem}.vmlinuz", "-initrd", f"{stem}.initrd.img", "-dtb", str(folder / "board.dtb"),
            "-append", "console=ttyAMA0 root=/dev/vda rw quiet loglevel=3 systemd.show_status=0",
            "-serial", "stdio", "-qmp", f"unix:{monitor},server=on,wait=off",
            "-qtest", f"unix:{qtest},server=on,wait=off", "-qtest-log", "none",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:443",
            "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci",
        ]  # fmt: skip
        for number, disk in enumerate(disks):
            words += ["-drive", f"if=none,id=d{number},{disk}", "-device", f"virtio-blk-pci,drive=d{number}"]
        if state:
            words += ["-incoming", f"exec:cat {state}"]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        Guest.running.append(self.process)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.monitor = connect(monitor)
        self.answers = self.monitor.makefile("r")
        self.answers.readline()
        self.ask("qmp_capabilities")
        self.qtest = str(qtest)
        if state:
            self._log_in_again()
        else:
            self._log_in()

    def ask(self, command, **arguments):
        """One command to QEMU's monitor."""
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.answers.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def gpio_chip(self):
        """Where the PL061 stands in QEMU's tree of objects."""
        for item in self.ask("qom-list", path="/machine/unattached"):
            if item["type"] == "child<pl061>":
                return f"/machine/unattached/{item['name']}"
        raise RuntimeError("no PL061 in this machine")

    def _read(self, patience):
        ready, _, _ = select.select([self.process.stdout], [], [], patience)
        if ready:
            found = self.process.stdout.read(65536)
            if found == b"":
                raise EOFError(f"QEMU ended with {self.process.wait()}")
            if found:
                self.seen += found
                self.log.write(found)
                self.log.flush()

    def expect(self, pattern, patience):
        """Everything on the console up to the end of this pattern."""
        end = time.monotonic() + patience
        while True:
            found = re.search(pattern.encode(), self.seen)
            if found:
                text = self.seen[: found.end()]
                self.seen = self.seen[found.end() :]
                return text.decode(errors="replace")
            if time.monotonic() > end:
                raise TimeoutError(f"no {pattern!r} on the console; its end: {self.seen[-500:]!r}")
            self._read(0.2)

    def type(self, text):
        self.process.stdin.write(text.encode())

    def _log_in(self):
        self.expect(r"[#\$] $", 900)
        self.type("stty -echo cols 250; bind 'set enable-bracketed-paste off'\n")
        self.type("export SYSTEMD_COLORS=0 SYSTEMD_PAGER=cat TERM=dumb NO_COLOR=1; PS1='@gu''est@' PS2=\n")
        self.expect(PROMPT, 120)
        self.run("true")

    def _log_in_again(self):
        end = time.monotonic() + 120
        while self.ask("query-status")["status"] != "running":
            assert time.monotonic() < end, "the frozen guest does not go on"
            time.sleep(0.05)
        self.type("\n")
        self.expect(PROMPT, 120)
        self.set_clock(time.time())

    def set_clock(self, seconds, trusted=True):
        """A frozen guest thinks that no time has passed, and there is no time server: this leaves the
        mark that systemd-timesyncd leaves when it has heard from one."""
        mark = "/run/systemd/timesync/synchronized"
        mark = f"mkdir -p {mark[: mark.rindex('/')]}; touch {mark}" if trusted else f"rm -f {mark}"
        self.run(f"date -s @{seconds:.3f}; {mark}")

    def run(self, command, patience=180, check=True):
        """What a command prints; without `check` also when it fails."""
        self.type(f'{{ {command}\n}} 2>&1; echo "@@"$?"@@"\n')
        text = self.expect(rf"@@\d+@@\r?\n(.|\n|\r)*?{PROMPT}", patience)
        text, status = re.match(r"(.*?)@@(\d+)@@", text, re.DOTALL).groups()
        text = text.replace("\r", "").strip()
        if check and status != "0":
            raise RuntimeError(f"in the guest: {command}: {status}: {text}")
        return text

    def until(self, command, pattern, patience=120):
        """Repeats a command until its output has the pattern."""
        end = time.monotonic() + patience
        while True:
            text = self.run(command, check=False)
            if re.search(pattern, text):
                return text
            if time.monotonic() > end:
                raise AssertionError(f"{command}: not {pattern!r} within {patience} s, but:\n{text}")
            time.sleep(0.3)

    def freeze(self, state):
        """Saves everything but the disks, and ends."""
        self.ask("migrate", uri=f"exec:cat > {state}")
        while self.ask("query-migrate")["status"] != "completed":
            time.sleep(0.2)
        self.ask("quit")
        self.process.wait()

    def cut(self):
        """Pulls the plug."""
        self.process.kill()
        self.process.wait()

    @classmethod
    def cut_all(cls):
        """What an exception has left running."""
        for process in cls.running:
            process.kill()
            process.wait()
        cls.running.clear()

    def power_off(self):
        self.type("systemctl poweroff\n")
        try:
            self.process.wait(240)
        except subprocess.TimeoutExpired:
            self.cut()
            raise AssertionError("the guest does not switch off") from None


def connect(path):
    """The socket, as soon as QEMU has made it."""
    end = time.monotonic() + 60
    while True:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(str(path))
            return peer
        except OSError:
            peer.close()
            assert time.monotonic() < end, f"QEMU does not open {path}"
            time.sleep(0.05)
