//! Nothing that was acknowledged is lost: not with the process, not with the power.

use super::child::{
    Child, Manner, Report, can_use, faults, is_root, lost, require_all, work_if_child,
};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// More than a process gets to before something happens to it.
const MANY: u64 = 1_000_000;

/// Rounds in which something happens to the same journal.
const LIFE: u64 = 10;

/// How many acknowledgements to wait for in round `round`: anything from 1 to 300.
fn moment(round: u64) -> usize {
    usize::try_from(round.wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).unwrap() % 300
        + 1
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed_under_load() {
    if work_if_child() {
        return;
    }
    let test =
        "journal::crashes::nothing_acknowledged_is_lost_when_the_process_is_killed_under_load";
    let mut directory = tempfile::tempdir().unwrap();
    let mut receipts = 0;
    for round in 0..faults(15) {
        if round % LIFE == 0 {
            directory = tempfile::tempdir().unwrap();
            receipts = 0;
        }
        let numbers = round * MANY..(round + 1) * MANY;
        let mut child = Child::start(test, directory.path(), Manner::Journal, numbers, &[]);
        child.wait_for(moment(round));
        let report = child.kill();
        assert!(!report.ended);
        let there = require_all(directory.path(), &report);
        assert!(there >= receipts + u64::try_from(report.kept.len()).unwrap());
        receipts = there;
    }
}

#[test]
fn the_same_kills_find_out_a_writer_that_answers_before_the_commit() {
    if work_if_child() {
        return;
    }
    let test = "journal::crashes::the_same_kills_find_out_a_writer_that_answers_before_the_commit";
    let directory = tempfile::tempdir().unwrap();
    // It is only found out when killed between answer and commit: so often that it must happen.
    let found_out = (0..200).any(|round| {
        let numbers = round * MANY..(round + 1) * MANY;
        let mut child = Child::start(test, directory.path(), Manner::Early, numbers, &[]);
        child.wait_for(moment(round));
        lost(directory.path(), &child.kill()) > 0
    });
    assert!(found_out);
}

/// An ext4 of its own that can lose its power.
struct Disk {
    mounted_at: PathBuf,
    image: PathBuf,
    _directory: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        let mounted_at = directory.path().join("mounted");
        std::fs::create_dir(&mounted_at).unwrap();
        std::fs::File::create(&image)
            .unwrap()
            .set_len(128 << 20)
            .unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let disk = Self {
            mounted_at,
            image,
            _directory: directory,
        };
        disk.mount();
        disk
    }

    fn mount(&self) {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(&self.mounted_at));
    }

    fn unmount(&self) {
        run(Command::new("umount").arg(&self.mounted_at));
    }

    /// Cuts the power, and tells what the process had acknowledged before: what it says later it
    /// would not have lived to say. (Linux lets a sync that is under way in that moment succeed and
    /// drops what it synced; measured with a plain file on 6.18.)
    ///
    /// From then on nothing reaches the disk any more, not even ext4's own log: `EXT4_IOC_SHUTDOWN`
    /// with `EXT4_GOING_FLAGS_NOLOGFLUSH` (Linux, `fs/ext4/ext4.h`).
    fn cut_power(&self, child: &mut Child) -> BTreeSet<u64> {
        let program = "import fcntl, os, struct, sys
disk = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(disk, 0x8004587d, struct.pack('I', 2))";
        let mut switch = Command::new("python3")
            .args(["-c", program])
            .arg(&self.mounted_at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let mut said = BufReader::new(switch.stdout.take().unwrap());
        said.read_line(&mut ready).unwrap();
        let kept = child.kept();
        drop(switch.stdin.take());
        assert!(switch.wait().unwrap().success());
        kept
    }

    /// Power again: whatever only lay in memory is gone.
    fn power_up(&self) {
        self.unmount();
        self.mount();
    }

    fn state(&self) -> &Path {
        &self.mounted_at
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.mounted_at)
            .status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut() {
    if work_if_child() {
        return;
    }
    if !(is_root() && can_use("mkfs.ext4") && can_use("python3")) {
        return;
    }
    let test = "journal::crashes::nothing_acknowledged_is_lost_when_the_power_is_cut";
    let mut disk = Disk::new();
    for round in 1..=faults(6) {
        if round % LIFE == 0 {
            disk = Disk::new();
        }
        let numbers = round * MANY..(round + 1) * MANY;
        let mut child = Child::start(test, disk.state(), Manner::Journal, numbers, &[]);
        child.wait_for(moment(round));
        let kept = disk.cut_power(&mut child);
        let report = child.finish();
        assert!(report.broken > 0, "without its disk it says so: {report:?}");
        assert!(report.latched, "and refuses all the rest");
        disk.power_up();
        require_all(disk.state(), &Report { kept, ..report });
    }
}

#[test]
fn the_same_power_cuts_find_out_a_writer_that_does_not_sync() {
    if work_if_child() {
        return;
    }
    if !(is_root() && can_use("mkfs.ext4") && can_use("python3")) {
        return;
    }
    let test = "journal::crashes::the_same_power_cuts_find_out_a_writer_that_does_not_sync";
    let disk = Disk::new();
    let mut child = Child::start(test, disk.state(), Manner::Unsynced, 0..MANY, &[]);
    child.wait_for(300);
    let kept = disk.cut_power(&mut child);
    let report = child.kill();
    disk.power_up();
    let said = kept.len();
    let lost = lost(disk.state(), &Report { kept, ..report });
    assert!(lost > said / 2, "{lost} of {said} were lost");
}
