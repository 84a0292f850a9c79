//! A log cut anywhere: what a power cut leaves of an append that was under way.
//!
//! The database and its log are copied as they lie, the log is cut, and the copy is opened. What
//! is visible must be a whole number of batches, and all that was acknowledged before the cut.

use super::support::*;
use qbo_relay::journal::{Inspection, Journal};
use std::fs;
use std::path::{Path, PathBuf};

const FRAME: usize = 24 + 4096;
const HEADER: usize = 32;

/// Every so many bytes there is a cut; prime, so that all places within a frame have their turn.
const STRIDE: usize = 1009;

/// Where the log stood when so many receipts had been acknowledged.
struct Mark {
    bytes: usize,
    acknowledged: u64,
}

fn beside(directory: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", settings(directory).path.display()))
}

/// Bytes of the log that belong to its present round: the frames that carry its salt.
fn filled(log: &[u8]) -> usize {
    let salt = &log[16..24];
    let frames = log[HEADER..].chunks_exact(FRAME);
    HEADER + frames.take_while(|frame| &frame[8..16] == salt).count() * FRAME
}

async fn append_groups(journal: &Journal, directory: &Path, acknowledged: &mut u64) -> Vec<Mark> {
    let mut marks = Vec::new();
    for _ in 0..12 {
        let group: Vec<u64> = (*acknowledged..*acknowledged + 5).collect();
        let mut asked = tokio::task::JoinSet::new();
        for number in &group {
            let (journal, load) = (journal.clone(), several("1", number * 3..number * 3 + 3));
            asked.spawn(async move { journal.append(load).await });
        }
        for kept in asked.join_all().await {
            new_seq(kept.unwrap());
        }
        *acknowledged += 5;
        let log = fs::read(beside(directory, "-wal")).unwrap();
        marks.push(Mark {
            bytes: filled(&log),
            acknowledged: *acknowledged,
        });
    }
    marks
}

/// Receipts in a copy whose log was cut; every one of them whole, or this panics.
fn visible(database: &[u8], log: &[u8], open_it: bool) -> u64 {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("state")).unwrap();
    fs::write(beside(copy.path(), ""), database).unwrap();
    fs::write(beside(copy.path(), "-wal"), log).unwrap();
    if open_it {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(open(copy.path()).close()).unwrap();
    }
    let Ok(inspection) = Inspection::open(&beside(copy.path(), "")) else {
        // The tables themselves are only in the part that was cut off.
        return 0;
    };
    let seen = inspection.verify().unwrap();
    assert_eq!(seen.findings, [""; 0]);
    assert_eq!(seen.changes, seen.receipts * 3);
    seen.receipts
}

fn check_every_cut(directory: &Path, marks: &[Mark], before: u64) {
    let database = fs::read(beside(directory, "")).unwrap();
    let log = fs::read(beside(directory, "-wal")).unwrap();
    let mut fewest = 0;
    for (number, cut) in (0..log.len())
        .step_by(STRIDE)
        .chain([log.len()])
        .enumerate()
    {
        let visible = visible(&database, &log[..cut], number % 50 == 7);
        let reached = marks.iter().rev().find(|mark| mark.bytes <= cut);
        let acknowledged = reached.map_or(before, |mark| mark.acknowledged);
        assert!(
            visible >= acknowledged,
            "cut at {cut}: {visible} of {acknowledged}"
        );
        assert!(
            visible >= fewest,
            "cut at {cut}: {visible}, with less of the log {fewest}"
        );
        fewest = visible;
    }
    // The control: one byte less than the mark, and the last batch before it is gone.
    for mark in marks {
        assert!(visible(&database, &log[..mark.bytes - 1], false) < mark.acknowledged);
    }
}

#[tokio::test]
async fn a_power_cut_at_any_byte_of_a_fresh_log_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close().await.unwrap();
    let journal = open(directory.path());
    let marks = append_groups(&journal, directory.path(), &mut 0).await;
    let path = directory.path().to_owned();
    tokio::task::spawn_blocking(move || check_every_cut(&path, &marks, 0))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_power_cut_at_any_byte_of_a_log_that_is_used_again_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let size = || fs::metadata(beside(directory.path(), "")).unwrap().len();
    // Enough that the writer empties the log as soon as it is quiet.
    let mut acknowledged = 0;
    while fs::metadata(beside(directory.path(), "-wal"))
        .unwrap()
        .len()
        < 1_200_000
    {
        append_groups(&journal, directory.path(), &mut acknowledged).await;
    }
    let emptied = async {
        while size() < 100_000 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), emptied)
        .await
        .unwrap();
    let before = acknowledged;
    let marks = append_groups(&journal, directory.path(), &mut acknowledged).await;
    let log = fs::metadata(beside(directory.path(), "-wal"))
        .unwrap()
        .len();
    let last = marks.last().unwrap().bytes;
    assert!(
        u64::try_from(last).unwrap() < log,
        "the log was begun again at its start"
    );
    let path = directory.path().to_owned();
    tokio::task::spawn_blocking(move || check_every_cut(&path, &marks, before))
        .await
        .unwrap();
}
