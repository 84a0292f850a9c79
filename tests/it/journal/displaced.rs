//! Files that are taken away or replaced while the journal is in use: nothing is acknowledged into
//! them, and what was acknowledged before is found by the next start.

use super::support::*;
use crate::support::relay::eventually;
use qbo_relay::journal::{Error, Found, Inspection, Journal};
use qbo_relay::model::JournalHealth;
use std::fs;
use std::path::{Path, PathBuf};

fn file(directory: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", settings(directory).path.display()))
}

/// Does this to the files of a journal with 20 changes of which 5 were checkpointed and none was
/// delivered; then one more is tried.
async fn displace(how: impl FnOnce(&Path)) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(several("1", 0..5)).await.unwrap();
    journal.close().await.unwrap();
    let journal = open(directory.path());
    for number in 5..20 {
        journal.append(single("1", number)).await.unwrap();
    }
    how(directory.path());
    let refused = journal.append(single("1", 20)).await;
    assert!(matches!(refused, Err(Error::Broken(_))), "{refused:?}");
    assert_eq!(journal.health(), JournalHealth::Broken);
    let again = journal.append(single("1", 21)).await;
    assert!(matches!(again, Err(Error::Broken(_))), "{again:?}");
    drop(journal);
    directory
}

/// Opens it when the writer that broke has let go.
pub(super) fn reopen(directory: &Path, case: &str) -> Journal {
    eventually("the lock is free", || {
        match Journal::open(settings(directory), START) {
            Err(Error::Locked(_)) => None,
            opened => Some(opened.unwrap_or_else(|error| panic!("{case}: {error}"))),
        }
    })
}

/// Everything that was acknowledged, and perhaps the one that was refused.
async fn require_all(directory: &Path) -> Journal {
    let journal = reopen(directory, "");
    let told = drain(&journal, &lane("erp", "1")).await;
    assert!(
        [20, 21].contains(&told.len()) && told.iter().copied().eq(1..=told.len() as u64),
        "{told:?}"
    );
    let inspection = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
    journal
}

#[tokio::test]
async fn a_file_that_is_removed_or_moved_away_is_put_back() {
    let removed = displace(|directory| fs::remove_file(file(directory, "")).unwrap()).await;
    require_all(removed.path()).await;
    let moved = displace(|directory| {
        fs::rename(file(directory, ""), file(directory, ".elsewhere")).unwrap();
    });
    require_all(moved.await.path()).await;
    let all = displace(|directory| {
        for suffix in ["", "-wal", "-shm"] {
            fs::remove_file(file(directory, suffix)).unwrap();
        }
    });
    require_all(all.await.path()).await;
}

#[tokio::test]
async fn a_log_or_a_shared_memory_that_is_taken_away_costs_nothing() {
    for suffix in ["-wal", "-shm"] {
        let removed = displace(|directory| fs::remove_file(file(directory, suffix)).unwrap());
        require_all(removed.await.path()).await;
        let replaced = displace(|directory| {
            let other = file(directory, "-other");
            fs::copy(file(directory, suffix), &other).unwrap();
            fs::rename(&other, file(directory, suffix)).unwrap();
        });
        require_all(replaced.await.path()).await;
    }
}

#[tokio::test]
async fn a_file_that_takes_the_place_of_the_journal_stays_and_what_was_kept_lies_beside_it() {
    let old = tempfile::tempdir().unwrap();
    let journal = open(old.path());
    journal.append(several("1", 0..5)).await.unwrap();
    journal.close().await.unwrap();
    let directory = displace(|directory| {
        let other = file(directory, "-other");
        fs::copy(file(old.path(), ""), &other).unwrap();
        fs::rename(&other, file(directory, "")).unwrap();
    })
    .await;
    let journal = reopen(directory.path(), "");
    let [saved] = journal.damaged() else {
        panic!("{:?}", journal.damaged());
    };
    let saved = Inspection::open(saved).unwrap().verify().unwrap();
    assert!(saved.changes >= 20, "{saved:?}");
}

#[tokio::test]
async fn an_emptied_file_is_not_written_to() {
    let directory = displace(|directory| {
        fs::File::create(file(directory, "")).unwrap();
    })
    .await;
    let journal = reopen(directory.path(), "");
    assert_ne!(*journal.found(), Found::Closed);
    journal.append(single("1", 100)).await.unwrap();
}

#[tokio::test]
async fn a_journal_that_is_gone_at_the_start_is_not_the_first_run() {
    let ways: [fn(&Path); 2] = [
        |path| fs::remove_file(path).unwrap(),
        |path| drop(fs::File::create(path).unwrap()),
    ];
    for way in ways {
        let directory = tempfile::tempdir().unwrap();
        let journal = open(directory.path());
        assert_eq!(*journal.found(), Found::Absent);
        journal.append(several("1", 0..5)).await.unwrap();
        journal.close().await.unwrap();
        way(&file(directory.path(), ""));
        let journal = open(directory.path());
        assert_eq!(*journal.found(), Found::Missing);
        journal.close().await.unwrap();
        assert_eq!(*open(directory.path()).found(), Found::Closed);
    }
}
