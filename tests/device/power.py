"""The power goes at random moments under load. Nothing that was acknowledged may be lost.

QEMU is killed, so the guest's memory is gone; the journal's disk then forgets a random part of what
was not flushed (disk.py). Each cut goes on from a frozen guest whose journal was not mounted, so that
it takes seconds; the file system is checked and mounted, the relay opens its journal, and the load
begins again.
"""

import random
import shutil
import time

import tree
from disk import Disk
from guest import Guest
from proofs import UNITS, say, status_line

SOCKET = "server.type=unix"


def unmounted(bench):
    """The frozen guest once more, before its journal is mounted."""
    guest = bench.resume("unmounted")
    guest.run(f"systemctl stop {UNITS}; umount /var/lib/qbo-relay; echo 3 > /proc/sys/vm/drop_caches")
    guest.freeze(bench.folder / "unmounted.state")
    shutil.copy(bench.folder / "run-root.qcow2", bench.folder / "root.unmounted")


def start(bench, disk, label):
    """A guest that mounts the journal as the last one left it, and serves."""
    drive = f"driver=nbd,{SOCKET},server.path={disk.path}"
    guest = bench.resume(label, journal=drive, state="unmounted")
    # The frozen guest remembers blocks of another moment.
    guest.run("blockdev --flushbufs /dev/vdb; fsck.ext4 -p /dev/vdb; test $? -le 1", patience=120)
    guest.run(f"mount /var/lib/qbo-relay && systemctl start {UNITS}", patience=300)
    return guest


def cuts(bench, times, honest=True):
    """Cuts the power so often; returns how many acknowledged notifications were lost."""
    chance = random.Random(time.time_ns())
    image = bench.folder / "cut.img"
    tree.empty_ext4(image, "journal", "256M")
    acknowledged, kept, lost = [], 0, 0
    for number in range(times):
        disk = Disk(str(image), str(bench.folder / "disk.sock"), honest)
        guest = start(bench, disk, "cut")
        # A sink that is down now and then, so that there is unfinished work in the journal.
        bench.receiver.down = chance.random() < 0.5
        load = bench.load(guest, 1_000_000, connections=chance.choice([1, 4, 16]))
        time.sleep(chance.uniform(0.5, 5.0))
        guest.cut()
        some = disk.cut(chance)
        kept, lost = kept + some[0], lost + some[1]
        time.sleep(0.2)
        load.stop()
        ids = load.acknowledged()
        acknowledged += ids
        if number % 10 == 9 or number == times - 1:
            say(f"{number + 1} cuts, {len(acknowledged)} acknowledged; unflushed writes: {kept} kept, {lost} lost")
    bench.receiver.down = False
    disk = Disk(str(image), str(bench.folder / "disk.sock"))
    guest = start(bench, disk, "after-cuts")
    end = time.monotonic() + 600
    missing = bench.receiver.missing(acknowledged)
    while missing and time.monotonic() < end:
        time.sleep(0.5)
        before, missing = missing, bench.receiver.missing(acknowledged)
        if len(missing) == len(before) and " 0 waiting" in status_line(guest):
            break
    verified = guest.run("qbo-relay journal verify", check=False, patience=300)
    guest.cut()
    disk.close()
    return len(acknowledged), missing, verified


def nothing_is_lost(bench, times):
    """The promise."""
    acknowledged, missing, verified = cuts(bench, times)
    assert not missing, f"{len(missing)} of {acknowledged} acknowledged notifications were lost, such as {missing[0]}"
    say(f"{times} cuts: all {acknowledged} acknowledged notifications have arrived; {verified.split(chr(10))[-1]}")


def a_whole_board(bench, times):
    """All disks as the cut left them, and a boot from cold that nobody helps."""
    for _ in range(times):
        image, path = bench.folder / "cut.img", bench.folder / "disk.sock"
        shutil.copy(bench.folder / "journal.serving", image)
        disk = Disk(str(image), str(path))
        guest = bench.resume("whole", journal=f"driver=nbd,{SOCKET},server.path={path}")
        load = bench.load(guest, 1_000_000, connections=8)
        time.sleep(random.uniform(2.0, 8.0))
        guest.cut()
        disk.cut()
        time.sleep(0.2)
        load.stop()
        ids = load.acknowledged()
        disk = Disk(str(image), str(path))
        began = time.monotonic()
        guest = Guest(bench.folder, bench.stem, bench.disks, label="whole-again")
        guest.until("systemctl is-active qbo-relay", "^active")
        guest.set_clock(time.time())
        bench.wait_for(ids)
        took = time.monotonic() - began
        events = guest.run("qbo-relay journal events")
        assert "a power cut" in events, events
        say(f"whole board: {len(ids)} acknowledged before the cut, all delivered {took:.0f} s after power came back")
        guest.cut()
        disk.close()


def a_lying_disk_is_found_out(bench, times):
    """The control: on a disk that answers flushes without doing them, the same test does find losses."""
    try:
        acknowledged, missing, _ = cuts(bench, times, honest=False)
    except (AssertionError, RuntimeError) as error:
        say(f"a disk that lies about flushing: the file system or the journal cannot be used ({str(error)[:100]!r})")
        return
    assert missing, "a disk that lies about flushing was not found out: this test cannot fail"
    say(f"a disk that lies about flushing: {len(missing)} of {acknowledged} lost, as it has to be")
