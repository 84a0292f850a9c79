//! A system call that fails: told to every caller, and nothing acknowledged is lost.

use super::child::{Child, Manner, Report, can_use, faults, lost, require_all, work_if_child};
use super::support::open;
use std::path::Path;

const COUNT: u64 = 60;

/// Runs the test again below strace, which lets one system call of a kind fail: the `when`-th.
fn inject(
    test: &str,
    directory: &Path,
    manner: Manner,
    calls: &str,
    error: &str,
    when: &str,
) -> (Report, bool) {
    let trace = directory.join("trace");
    let words = [
        "-f".into(),
        "-o".into(),
        trace.display().to_string(),
        format!("-etrace={calls}"),
        format!("-einject={calls}:error={error}:when={when}"),
    ];
    let report = Child::start(test, directory, manner, 0..COUNT, &words).finish();
    let injected = std::fs::read_to_string(&trace)
        .unwrap()
        .contains("INJECTED");
    (report, injected)
}

/// Which calls to let fail: the first ones one by one, then with growing steps.
fn points(count: u64) -> impl Iterator<Item = u64> {
    (1..)
        .map(|step: u64| step + step * step / 8)
        .take(usize::try_from(count).unwrap())
}

/// A journal that is there already, so that opening it writes next to nothing.
fn prepared() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(async { open(directory.path()).close().await })
        .unwrap();
    directory
}

/// Lets one call after another fail, and requires that it was told and nothing lost. Returns how
/// often that hit a journal at work, and how often one that was being opened.
fn a_failure_loses_nothing(
    test: &str,
    calls: &str,
    start: impl Fn() -> tempfile::TempDir,
) -> [u64; 2] {
    let (mut at_work, mut at_opening) = (0, 0);
    for when in points(faults(12)) {
        let directory = start();
        let (report, injected) = inject(
            test,
            directory.path(),
            Manner::Journal,
            calls,
            "EIO",
            &when.to_string(),
        );
        if !injected {
            // There were not so many calls.
            assert_eq!(report.kept.len(), usize::try_from(COUNT).unwrap());
            break;
        }
        if report.unopened.is_some() {
            assert!(report.kept.is_empty());
            at_opening += 1;
        } else if report.broken > 0 {
            assert!(report.latched, "call {when}: {report:?}");
            at_work += 1;
        }
        assert!(report.ended, "call {when}: {report:?}");
        require_all(directory.path(), &report);
    }
    [at_work, at_opening]
}

#[test]
fn a_failed_sync_is_told_and_loses_nothing() {
    if work_if_child() || !can_use("strace") {
        return;
    }
    let test = "journal::failing::a_failed_sync_is_told_and_loses_nothing";
    let [at_work, _] = a_failure_loses_nothing(test, "fsync,fdatasync", prepared);
    assert!(at_work > 5, "{at_work}");
    let fresh = || tempfile::tempdir().unwrap();
    let [_, at_opening] = a_failure_loses_nothing(test, "fsync,fdatasync", fresh);
    assert!(at_opening > 0, "{at_opening}");
}

#[test]
fn a_failed_write_is_told_and_loses_nothing() {
    if work_if_child() || !can_use("strace") {
        return;
    }
    let test = "journal::failing::a_failed_write_is_told_and_loses_nothing";
    let [at_work, _] = a_failure_loses_nothing(test, "pwrite64", prepared);
    assert!(at_work > 5, "{at_work}");
    let fresh = || tempfile::tempdir().unwrap();
    let [_, at_opening] = a_failure_loses_nothing(test, "pwrite64", fresh);
    assert!(at_opening > 5, "{at_opening}");
}

#[test]
fn the_same_failures_find_out_a_writer_that_does_not_look() {
    if work_if_child() || !can_use("strace") {
        return;
    }
    let test = "journal::failing::the_same_failures_find_out_a_writer_that_does_not_look";
    for error in ["EIO", "ENOSPC"] {
        let found_out = points(12).any(|when| {
            let directory = tempfile::tempdir().unwrap();
            Child::start(test, directory.path(), Manner::Deaf, COUNT..COUNT + 1, &[]).finish();
            let when = when.to_string();
            let (report, injected) = inject(
                test,
                directory.path(),
                Manner::Deaf,
                "pwrite64",
                error,
                &when,
            );
            injected && lost(directory.path(), &report) > 0
        });
        assert!(found_out, "{error}");
    }
}

#[test]
fn a_disk_that_is_full_for_a_while_refuses_and_then_takes_everything() {
    if work_if_child() || !can_use("strace") {
        return;
    }
    let test =
        "journal::failing::a_disk_that_is_full_for_a_while_refuses_and_then_takes_everything";
    let mut refused = 0;
    for when in [20, 40, 70] {
        let directory = prepared();
        let when = format!("{when}..{}", when + 5);
        let (report, injected) = inject(
            test,
            directory.path(),
            Manner::Journal,
            "pwrite64",
            "ENOSPC",
            &when,
        );
        assert!(injected);
        assert_eq!(report.broken, 0, "{when}: {report:?}");
        assert_eq!(
            report.kept.len(),
            usize::try_from(COUNT).unwrap(),
            "{when}: {report:?}"
        );
        refused += report.full;
        require_all(directory.path(), &report);
    }
    assert!(refused > 0);
}
