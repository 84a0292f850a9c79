//! A journal that went back in time: known for one, said, and no number is given twice.

use super::readings::{after, connect};
use super::salvaging::notified;
use super::support::*;
use qbo_relay::journal::{Event, Found, Inspection, Journal};
use std::fs;
use std::path::{Path, PathBuf};

fn file(directory: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", settings(directory).path.display()))
}

/// Delivers everything; the sequence and the epoch of each change, in order.
async fn told(journal: &Journal, company: &str) -> Vec<(u64, u64)> {
    let ours = lane("erp", company);
    let view = journal.lane_view(&ours, MANY).await.unwrap();
    let told = view
        .head
        .iter()
        .map(|change| (change.sequence, change.epoch));
    let told = told.collect();
    drain(journal, &ours).await;
    told
}

fn require_sound(directory: &Path) {
    let inspection = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn a_start_after_an_end_or_a_kill_begins_no_epoch() {
    let directory = tempfile::tempdir().unwrap();
    for start in 0..3 {
        let journal = open(directory.path());
        journal.append(notified("1", start)).await.unwrap();
        assert_eq!(journal.notices(), [""; 0]);
        let expected = u64::try_from(start).unwrap() + 1;
        assert_eq!(told(&journal, "1").await, [(expected, 0)]);
        journal.close().await.unwrap();
    }
    // As a power cut leaves it, with the file beside it as it was at the start.
    let journal = open(directory.path());
    journal.append(notified("1", 3)).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir_all(file(copy.path(), "").parent().unwrap()).unwrap();
    for suffix in ["", "-wal", "-lock", "-lineage"] {
        fs::copy(file(directory.path(), suffix), file(copy.path(), suffix)).unwrap();
    }
    let journal = open(copy.path());
    assert_eq!(told(&journal, "1").await, [(4, 0)]);
    assert_eq!(journal.notices(), [""; 0]);
}

#[tokio::test]
async fn numbers_go_on_above_all_that_were_given_when_an_older_copy_is_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    for number in 1..=5 {
        journal.append(notified("1", number)).await.unwrap();
    }
    assert_eq!(told(&journal, "1").await.len(), 5);
    for number in 6..=7 {
        journal.append(notified("1", number)).await.unwrap();
    }
    // Copied while it is in use, as a backup is.
    let copy = directory.path().join("copy");
    let backup = rusqlite::Connection::open(file(directory.path(), "")).unwrap();
    backup
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    drop(backup);
    for number in 8..=20 {
        journal.append(notified("1", number)).await.unwrap();
    }
    journal.append(notified("2", 21)).await.unwrap();
    let before = told(&journal, "1").await;
    assert_eq!(before.last(), Some(&(20, 0)));
    journal.close().await.unwrap();

    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(file(directory.path(), suffix));
    }
    fs::rename(&copy, file(directory.path(), "")).unwrap();
    let journal = Journal::open(settings(directory.path()), after(1000)).unwrap();
    assert_eq!(journal.notices().len(), 1, "{:?}", journal.notices());
    // What waited when it was copied is counted, and not what was passed over.
    assert_eq!(journal.snapshot().await.unwrap().waiting, 2);
    let gaps = journal.gaps().await.unwrap();
    assert!(
        gaps.iter().any(|gap| gap.gap.cause.contains("put back")),
        "{gaps:?}"
    );
    journal.append(notified("1", 30)).await.unwrap();
    journal.append(notified("2", 31)).await.unwrap();
    journal.append(notified("3", 32)).await.unwrap();
    let after = told(&journal, "1").await;
    assert_eq!(after[..2], [(6, 0), (7, 0)]);
    assert!(
        after.len() == 3 && after[2].0 > 20 && after[2].1 == 1,
        "{after:?}"
    );
    for company in ["2", "3"] {
        let told = told(&journal, company).await;
        assert!(
            told.len() == 1 && told[0].0 > 20 && told[0].1 == 1,
            "{told:?}"
        );
    }
    assert_eq!(journal.snapshot().await.unwrap().waiting, 0);
    journal.close().await.unwrap();
    require_sound(directory.path());

    // It is one epoch, however often it starts; the notice is told until it is taken away.
    let journal = open(directory.path());
    journal.append(notified("1", 40)).await.unwrap();
    assert_eq!(told(&journal, "1").await, [(after[2].0 + 1, 1)]);
    assert_eq!(journal.notices().len(), 1);
}

#[tokio::test]
async fn numbers_go_on_when_the_journal_is_gone_and_that_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(several("1", 1..=9)).await.unwrap();
    journal.close().await.unwrap();
    fs::remove_file(file(directory.path(), "")).unwrap();
    let journal = open(directory.path());
    assert_eq!(*journal.found(), Found::Missing);
    let [notice] = journal.notices() else {
        panic!("{:?}", journal.notices());
    };
    assert!(notice.contains("gone"), "{notice}");
    journal.append(notified("1", 1)).await.unwrap();
    let told = told(&journal, "1").await;
    assert!(told[0].0 > 9 && told[0].1 == 1, "{told:?}");
    journal.close().await.unwrap();
    require_sound(directory.path());
}

#[tokio::test]
async fn what_happens_often_does_not_displace_what_happens_once() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let note = |kind: &str, number: i64| {
        journal.note(Event {
            at: after(number),
            kind: kind.into(),
            text: format!("number {number}"),
        })
    };
    note("certificate", 0).await.unwrap();
    for number in 1..=1200 {
        note("conflict", number).await.unwrap();
    }
    journal.close().await.unwrap();
    let inspection = Inspection::open(&settings(directory.path()).path).unwrap();
    let events = inspection.events(10_000).unwrap();
    assert!(events.iter().any(|event| event.kind == "certificate"));
    assert_eq!(events[0].text, "number 1200");
    assert!(events.len() < 500, "{}", events.len());
}
