"""What is shown, one function a promise. Each gets the bench; an assertion that fails ends the run."""

import re
import time

import tree
from bench import ACT
from senders import Senders

UNITS = "qbo-relay.service qbo-relay-https.socket qbo-relay-admin.socket"
RESULT = "qbo-relay-result.txt"


def say(text):
    print(f"    {text}", flush=True)


def one_line(text):
    return " / ".join(line for line in text.splitlines() if line)


def status_line(guest):
    """The sentence in `systemctl status`."""
    text = guest.run("systemctl status --lines=0 qbo-relay", check=False)
    found = re.search(r'Status: "(.*)"', text)
    return found.group(1) if found else text


def installed(guest):
    """The package on a bare system: enabled, listening, and saying what it waits for."""
    guest.run("dpkg --install /boot/firmware/qbo-relay.deb", patience=900)
    enabled = guest.run(f"systemctl is-enabled {UNITS} qbo-relay-boot-import.service")
    assert enabled.split() == ["enabled"] * 4, enabled
    active = guest.run("systemctl is-active qbo-relay-https.socket qbo-relay-admin.socket")
    assert active.split() == ["active"] * 2, active
    account = guest.run("id qbo-relay; getent passwd qbo-relay")
    assert "gpio" in account and "/usr/sbin/nologin" in account, account
    say("installed: user, enabled units, listening sockets")
    log = guest.until("journalctl -u qbo-relay --no-pager -o cat", "error:|ERROR")
    reason = next(line for line in log.split("\n") if "error" in line.lower())
    say(f"without a configuration: {reason.strip()}")


def configured(bench, guest):
    """The files on the boot partition were taken in before the first start that could work."""
    guest.run("sync")
    told = tree.read_from_boot_partition(bench.folder / "boot.img", RESULT)
    say("boot partition: " + one_line(told))
    for name in ("qbo-relay.toml", "qbo-relay-secrets.toml"):
        assert tree.read_from_boot_partition(bench.folder / "boot.img", name) is None, name
    raw = (bench.folder / "boot.img").read_bytes()
    secret = (bench.folder / "leaf.key").read_bytes().split(b"\n")[1]
    assert secret not in raw, "the key can still be read from the boot partition"
    owners = guest.run("stat -c '%U %a %n' /etc/qbo-relay/privkey.pem /etc/qbo-relay/verifier")
    assert [line.split()[:2] for line in owners.split("\n")] == [["qbo-relay", "600"]] * 2, owners
    say("secrets: files of the relay's user with mode 0600; not one byte of the key left on the partition")
    say(f"systemctl status: {status_line(guest)}")


def lamp_and_status(bench):
    """The lamp moves and the sentence changes with what happens to the sink."""
    guest = bench.resume("lamp")
    say(f"healthy: 1 flash a group after {guest.lamp.until(1):.0f} s; {status_line(guest)}")
    held = guest.run("gpioinfo | grep GPIO17")
    assert '"qbo-relay"' in held and "output" in held, held
    say("gpioinfo: " + " ".join(held.split()))
    healthy = status_line(guest)
    bench.receiver.down = True
    load = bench.load(guest, 20)
    report, fine = load.finish()
    assert fine, report
    say(f"sink down: 3 flashes a group after {guest.lamp.until(3):.0f} s; {status_line(guest)}")
    assert "host" in status_line(guest) and status_line(guest) != healthy
    fields = guest.run("journalctl --no-pager -o cat QBO_SINK=host")
    assert "host" in fields, fields
    say(f"journalctl QBO_SINK=host: {fields.splitlines()[-1]}")
    bench.receiver.down = False
    say(f"sink back: 1 flash a group after {guest.lamp.until(1):.0f} s; {status_line(guest)}")
    bench.wait_for(load.acknowledged())
    guest.run("kill -STOP $(systemctl show -P MainPID qbo-relay)")
    time.sleep(3)
    still, lit = guest.lamp.stands_still(8)
    assert still, "the lamp of a stopped process moves"
    say(f"process stopped (SIGSTOP): the lamp stands still, {'lit' if lit else 'dark'}")
    guest.until("systemctl show -P NRestarts qbo-relay", "[1-9]", patience=180)
    say(f"the watchdog has restarted it; 1 flash a group after {guest.lamp.until(1, 120):.0f} s")
    guest.run(f"systemctl stop {UNITS}")
    still, lit = guest.lamp.stands_still(8)
    assert still
    say(f"service stopped: the lamp stands still, {'lit' if lit else 'dark'}")
    guest.cut()


def lamp_of_the_led_class(bench):
    """The other backend, inside the same sandbox: a file below /sys/class/leds."""
    guest = bench.resume("led-class", line=ACT)
    guest.run(
        'sed -i \'s/^board = .*/board = "generic-led-class"/; s/^line = .*/led_class = "ACT"/\''
        " /etc/qbo-relay/qbo-relay.toml; udevadm trigger --subsystem-match=leds --action=change; udevadm settle;"
        " systemctl restart qbo-relay"
    )
    say(f"lamp ACT: 1 flash a group after {guest.lamp.until(1, 90):.0f} s")
    guest.cut()


def restarts_under_load(bench):
    """Senders that go on while the service restarts, the package is upgraded, the process killed."""
    guest = bench.resume("restart")
    restart = "for n in 1 2 3; do systemctl restart qbo-relay; sleep 1; done"
    upgrade = "dpkg --install /boot/firmware/qbo-relay.deb >/dev/null"
    for what, command in [("systemctl restart, three times", restart), ("upgrade", upgrade)]:
        senders = Senders(bench, guest.port)
        time.sleep(3)
        before = guest.run("systemctl show -P MainPID qbo-relay")
        guest.run(command, patience=900)
        assert before != guest.run("systemctl show -P MainPID qbo-relay"), "nothing was restarted"
        time.sleep(3)
        ids, longest, broken = senders.finish()
        if broken:
            log = guest.run("journalctl -u qbo-relay -n 40 --no-pager -o short-monotonic", check=False)
            raise AssertionError(f"{len(broken)} of {len(ids) + len(broken)}: {broken[:3]}\n{log}")
        bench.wait_for(ids)
        say(f"{what}: {len(ids)} posts, each acknowledged at its first try, none refused; longest wait {longest:.1f} s")
    # Here connections break; like Intuit, the sender tries again.
    load = bench.load(guest, 500, connections=8, rate=40, retries=5)
    time.sleep(2)
    guest.run("systemctl kill --signal=KILL qbo-relay")
    report, fine = load.finish()
    ids = load.acknowledged()
    assert fine and len(ids) == 500, report
    bench.wait_for(ids)
    say(f"kill -9: {len(ids)} posts acknowledged and delivered, with repeats")
    guest.cut()


def import_refused(bench):
    """A mistake in the dropped file is named with its line, and the old configuration goes on."""
    guest = bench.resume("refused")
    guest.run("cp /etc/qbo-relay/qbo-relay.toml /var/tmp/before")
    guest.run('sed \'s/^name = "device-test"/nmae = "device-test"/\' /var/tmp/before > /boot/firmware/qbo-relay.toml')
    guest.run("systemctl restart qbo-relay", check=False)
    told = guest.run(f"cat /boot/firmware/{RESULT}")
    line = 1 + bench.folder.joinpath("relay.toml").read_text().split("\n").index('name = "device-test"')
    assert f":{line}" in told or f"line {line}" in told, told
    say("result: " + one_line(told))
    guest.run("cmp /var/tmp/before /etc/qbo-relay/qbo-relay.toml")
    load = bench.load(guest, 10)
    report, fine = load.finish()
    assert fine, report
    say(f"the old configuration serves; 4 flashes a group after {guest.lamp.until(4, 90):.0f} s")
    guest.cut()


def credentials(bench):
    """A secret that only root can read reaches the relay through systemd."""
    guest = bench.resume("credentials")
    guest.run(
        "install -m 600 -o root /etc/qbo-relay/verifier /etc/qbo-relay/secrets/verifier && rm /etc/qbo-relay/verifier;"
        " sed -i 's/^token_file = .*/token_credential = \"secret_verifier\"/' /etc/qbo-relay/qbo-relay.toml;"
        " systemctl restart qbo-relay"
    )
    load = bench.load(guest, 10)
    report, fine = load.finish()
    assert fine, report
    say("the verifier token as a systemd credential: acknowledged")
    guest.run("qbo-relay sink enable host")
    guest.run("cp /etc/qbo-relay/qbo-relay.toml /boot/firmware; systemctl restart qbo-relay")
    told = guest.run(f"cat /boot/firmware/{RESULT}")
    assert "was taken in" in told, told
    load = bench.load(guest, 10)
    report, fine = load.finish()
    assert fine, report
    say("a command in a shell finds it, and so does the boot partition's configuration")
    guest.cut()


def any_clock(bench):
    """Whatever the date says, a notification is taken from the first second."""
    guest = bench.resume("clock")
    ids = []
    for seconds, what in [(0, "1970"), (4_000_000_000, "2096"), (time.time(), "back to now")]:
        guest.set_clock(seconds, trusted=what == "back to now")
        for _ in ("running", "after a restart"):
            load = bench.load(guest, 10)
            report, fine = load.finish()
            assert fine, report
            ids += load.acknowledged()
            guest.run("systemctl restart qbo-relay")
        say(f"{what}: acknowledged, before and after a restart; {status_line(guest)}")
    bench.wait_for(ids)
    say(f"all {len(ids)} delivered; {status_line(guest)}")
    guest.cut()


def removed(bench):
    """Remove keeps what is the user's; purge takes it away."""
    guest = bench.resume("remove")
    kept = "/etc/qbo-relay/qbo-relay.toml /etc/qbo-relay/verifier /var/lib/qbo-relay/journal.db"
    guest.run("dpkg --remove qbo-relay", patience=900)
    guest.run(f"ls {kept}")
    left = guest.run("ss -Hltn '( sport = :443 or sport = :8081 )'")
    assert left == "", left
    guest.run("dpkg --install /boot/firmware/qbo-relay.deb", patience=900)
    load = bench.load(guest, 10)
    report, fine = load.finish()
    assert fine, report
    say("removed: configuration, secrets and journal stay; installed again it goes on")
    guest.run("dpkg --purge qbo-relay", patience=900)
    assert guest.run("ls -A /var/lib/qbo-relay; ls -d /etc/qbo-relay", check=False).startswith("ls: cannot access")
    dangling = guest.run("find /etc/systemd /var/lib/systemd -name '*qbo-relay*'")
    assert dangling == "", dangling
    say("purged: nothing of it is left but the user")
    guest.cut()
