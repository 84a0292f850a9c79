"""The device's row of tests/bench/README.md. Times are those of an emulated board (QEMU's TCG on this
host) and not of a real one; bytes, flushes, wake-ups and memory do not depend on that.
"""

import os
import re
import shutil
import statistics
import subprocess
import time

import tree
from disk import Disk
from guest import Guest, free_port
from load import Load
from power import start
from proofs import say

SPAN = 60


def measure(bench):
    sizes(bench)
    image, path = bench.folder / "figures.img", bench.folder / "disk.sock"
    tree.empty_ext4(image, "journal", "256M")
    disk = Disk(str(image), str(path))
    guest = start(bench, disk, "figures")
    at_rest(disk, guest)
    wear(bench, disk, guest)
    first_answer(bench, guest, "an empty journal")
    guest.run("sed -i 's/^bytes_max = .*/bytes_max = \"512 MiB\"/' /etc/qbo-relay/qbo-relay.toml; sync")
    guest.cut()
    disk.close()
    filled(bench, image)
    disk = Disk(str(image), str(path))
    # From cold, because the frozen guest knows a smaller disk.
    guest = Guest(bench.folder, bench.stem, bench.disks, label="figures-filled")
    guest.until("systemctl is-active qbo-relay", "^active", 300)
    guest.set_clock(time.time())
    say(f"journal: {guest.run('du -m /var/lib/qbo-relay/journal.db').split()[0]} MiB")
    first_answer(bench, guest, "this journal")
    at_rest(disk, guest)
    guest.cut()
    disk.close()


def sizes(bench):
    listing = subprocess.run(["dpkg-deb", "-c", bench.package], capture_output=True, text=True, check=True).stdout
    binary = re.search(r"(\d+) \S+ \S+ \./usr/bin/qbo-relay\n", listing).group(1)
    say(
        f"binary, aarch64, stripped: {int(binary) / 1e6:.2f} MB; package: {os.stat(bench.package).st_size / 1e6:.2f} MB"
    )


def pid(guest):
    return guest.run("systemctl show -P MainPID qbo-relay")


def at_rest(disk, guest):
    """Memory, wake-ups, processor time and writes of a relay that has nothing to do but blink."""
    process = pid(guest)
    time.sleep(20)

    def look():
        switches = guest.run(f"cat /proc/{process}/task/*/status | grep ^voluntary_ctxt | tr -dc '0-9\\n'")
        times = guest.run(f"cat /proc/{process}/stat").split(") ")[1].split()
        now = float(guest.run("cut -d' ' -f1 /proc/uptime"))
        return now, sum(int(line) for line in switches.split()), int(times[11]) + int(times[12])

    guest.run("sync")
    written = disk.counters()[0]
    before = look()
    time.sleep(SPAN)
    after = look()
    written = disk.counters()[0] - written
    if process != pid(guest):
        raise AssertionError("restarted at rest:\n" + guest.run("journalctl -u qbo-relay -n 40 --no-pager", check=False))
    span = after[0] - before[0]
    memory = guest.run(f"grep -E 'VmRSS|VmHWM' /proc/{process}/status | tr -s '\\t ' ' ' | tr '\\n' ' '")
    say(
        f"at rest for {span:.0f} s, the lamp blinking: {(after[1] - before[1]) / span:.1f} wake-ups a second, "
        f"{100 * (after[2] - before[2]) / 100 / span:.2f} % of one emulated core, {written} bytes written; {memory}"
    )


def wear(bench, disk, guest):
    """What reaches the block layer of the journal's disk, from notification to settled delivery."""
    for connections, count in [(1, 500), (32, 2000)]:
        settle(bench, guest)
        written, flushes = disk.counters()
        load = Load(bench, guest.port, count, connections=connections, retries=5)
        report, fine = load.finish(900)
        assert fine, report
        bench.wait_for(load.acknowledged(), 600)
        settle(bench, guest)
        after = disk.counters()
        say(
            f"{connections} at once: {(after[0] - written) / 1024 / count:.1f} KiB written and "
            f"{(after[1] - flushes) / count:.2f} flushes a delivery, {count} of them, received and delivered"
        )
    memory = guest.run(f"grep -E 'VmRSS|VmHWM' /proc/{pid(guest)}/status | tr -s '\\t ' ' ' | tr '\\n' ' '")
    say(f"after that load: {memory}")


def settle(bench, guest):
    guest.until("systemctl status --lines=0 qbo-relay", " 0 waiting", 300)
    time.sleep(3)
    guest.run("sync")
    time.sleep(2)


def first_answer(bench, guest, what):
    """From the connection that starts the service to the acknowledgement of its notification."""
    spans = []
    for _ in range(5):
        guest.run("systemctl stop qbo-relay.service", patience=120)
        began = time.monotonic()
        load = Load(bench, guest.port, 1, connections=1, retries=5)
        report, fine = load.finish()
        assert fine, report
        spans.append(time.monotonic() - began)
        guest.until("systemctl is-active qbo-relay", "^active")
    say(
        f"from the start of the service to the first acknowledgement, with {what}: "
        f"half within {statistics.median(spans):.1f} s, longest {max(spans):.1f} s"
    )


def filled(bench, image):
    """A journal of 256 MiB, made by the same program on the host."""
    content = bench.folder / "filled"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    for name, source in [("fullchain.pem", "leaf.pem"), ("privkey.pem", "leaf.key"), ("verifier", "verifier")]:
        shutil.copy(bench.folder / source, content / name)
        os.chmod(content / name, 0o600)
    port = free_port()
    (content / "qbo-relay.toml").write_text(
        f'[listen]\nhttps = "127.0.0.1:{port}"\n[tls]\ncertificate = "fullchain.pem"\nkey = "privkey.pem"\n'
        '[[verifier]]\nname = "device-test"\ntoken_file = "verifier"\n'
        '[journal]\npath = "state/journal.db"\nbytes_max = "512 MiB"\n'
        '[[sink]]\nname = "host"\nkind = "file"\npath = "out.jsonl"\n'
        f'[admin]\nlisten = "127.0.0.1:{free_port()}"\n'
    )
    log = open(content / "log", "w")
    relay = subprocess.Popen([bench.binary, "run", "--config", content / "qbo-relay.toml"], stderr=log)
    database = content / "state/journal.db"
    try:
        end = time.monotonic() + 1200
        while not database.exists() or database.stat().st_size < 256 << 20:
            assert time.monotonic() < end, "the journal does not fill"
            Load(bench, port, 20_000, connections=16).finish(600)
    finally:
        relay.terminate()
        relay.wait()
    tree.empty_ext4(image, "journal", "768M", content / "state")
    shutil.rmtree(content)
