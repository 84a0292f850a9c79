//! Reading never blocks writing, and the log stays bounded.

use super::support::*;
use qbo_relay::journal::{Error, Journal, Settings};
use qbo_relay::model::{Limits, Receipt};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

fn log_bytes(directory: &Path) -> u64 {
    let log = format!("{}-wal", settings(directory).path.display());
    std::fs::metadata(log).unwrap().len()
}

/// A journal whose log is to stay below 1 MiB.
fn small(directory: &Path) -> Journal {
    let settings = Settings {
        bytes_max: 16 << 20,
        ..settings(directory)
    };
    Journal::open(settings, START).unwrap()
}

async fn load(journal: &Journal, from: u64, count: u64) {
    let mut asked = tokio::task::JoinSet::new();
    for number in from..from + count {
        let journal = journal.clone();
        asked.spawn(async move {
            let receipt = Receipt {
                body: vec![b'x'; 4000].into(),
                ..single("1", number)
            };
            journal.append(receipt).await
        });
    }
    for kept in asked.join_all().await {
        new_seq(kept.unwrap());
    }
}

#[tokio::test]
async fn the_log_stays_short_under_constant_load() {
    let directory = tempfile::tempdir().unwrap();
    let journal = small(directory.path());
    for round in 0..10 {
        load(&journal, round * 100, 100).await;
        let bytes = log_bytes(directory.path());
        assert!(bytes < 5 << 20, "{bytes}");
    }
    journal.close().await.unwrap();
    assert_eq!(log_bytes(directory.path()), 0);
}

#[tokio::test]
async fn a_reader_that_takes_its_time_stops_no_append() {
    let directory = tempfile::tempdir().unwrap();
    let journal = small(directory.path());
    load(&journal, 0, 100).await;
    let path = settings(directory.path()).path;
    let reader = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count = || -> i64 {
        reader
            .query_row("SELECT count(*) FROM receipt", (), |row| row.get(0))
            .unwrap()
    };
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(), 100);
    for round in 1..10 {
        load(&journal, round * 100, 100).await;
    }
    // It still sees its own moment, so the log could not be begun again and has grown.
    assert_eq!(count(), 100);
    assert!(log_bytes(directory.path()) > 1 << 20);
    reader.execute_batch("COMMIT").unwrap();
    let mut next = 1000;
    let shrunk = async {
        while log_bytes(directory.path()) > 5 << 20 {
            load(&journal, next, 100).await;
            drain(&journal, &lane("erp", "1")).await;
            next += 100;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), shrunk)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_at_once_and_keeps_what_it_took() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits {
        append_queue_max: 2,
        ..Limits::default()
    };
    let journal = Journal::open(
        Settings {
            limits,
            ..settings(directory.path())
        },
        START,
    )
    .unwrap();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..200 {
        let journal = journal.clone();
        asked.spawn(async move { journal.append(single("1", number)).await });
    }
    let answers = asked.join_all().await;
    let kept = answers.iter().filter(|answer| answer.is_ok()).count();
    let busy = answers
        .iter()
        .filter(|answer| **answer == Err(Error::Busy))
        .count();
    assert!(kept >= 2 && busy > 0, "{kept} kept, {busy} refused");
    assert_eq!(kept + busy, 200);
    assert_eq!(
        journal.snapshot().await.unwrap().receipts,
        u64::try_from(kept).unwrap()
    );
}
