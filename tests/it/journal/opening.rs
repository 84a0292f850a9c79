//! Opening: what is refused, what is recovered, what is set aside.

use super::support::*;
use qbo_relay::journal::{Error, Found, Inspection, Journal};
use qbo_relay::model::JournalHealth;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn file(directory: &Path) -> PathBuf {
    settings(directory).path
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// A copy of a journal as a power cut would leave it: taken while it is open.
fn interrupted_copy(from: &Path, to: &Path) {
    fs::create_dir_all(file(to).parent().unwrap()).unwrap();
    for suffix in ["", "-wal", "-lock"] {
        fs::copy(beside(&file(from), suffix), beside(&file(to), suffix)).unwrap();
    }
}

#[tokio::test]
async fn the_settings_that_the_promise_rests_on_are_in_force() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close().await.unwrap();
    let connection = Connection::open(file(directory.path())).unwrap();
    let text = |pragma: &str| -> String {
        connection
            .query_row(
                &format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"),
                (),
                |row| row.get(0),
            )
            .unwrap()
    };
    assert_eq!(text("journal_mode"), "wal");
    assert_eq!(text("auto_vacuum"), "2");
    assert_eq!(text("application_id"), 0x5142_4f52.to_string());
    assert!(rusqlite::version_number() >= 3_051_003);
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close().await.unwrap();
    let connection = Connection::open(file(directory.path())).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let refused = Journal::open(settings(directory.path()), START)
        .err()
        .unwrap();
    assert_eq!(
        refused,
        Error::Newer {
            found: 99,
            known: 4
        }
    );
    let refused = Inspection::open(&file(directory.path())).err().unwrap();
    assert_eq!(
        refused,
        Error::Newer {
            found: 99,
            known: 4
        }
    );
}

#[test]
fn a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let database = |path: &Path| {
        let songs = Connection::open(path).unwrap();
        songs.pragma_update(None, "journal_mode", "wal").unwrap();
        songs.execute_batch("CREATE TABLE songs (title)").unwrap();
        // Its log stays beside it.
        std::mem::forget(songs);
    };
    let text = |path: &Path| fs::write(path, "a letter").unwrap();
    let make: [&dyn Fn(&Path); 2] = [&database, &text];
    for make in make {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path());
        let state = path.parent().unwrap().to_owned();
        fs::create_dir_all(&state).unwrap();
        make(&path);
        let look = || {
            let mut files: Vec<_> = fs::read_dir(&state)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .map(|path| {
                    (
                        fs::read(&path).unwrap(),
                        path.metadata().unwrap().permissions().mode(),
                        path,
                    )
                })
                .collect();
            files.sort();
            files
        };
        let before = look();
        for _ in 0..2 {
            let refused = Journal::open(settings(directory.path()), START)
                .err()
                .unwrap();
            assert_eq!(refused, Error::Foreign(path.clone()));
            assert_eq!(look(), before);
        }
    }
}

#[tokio::test]
async fn a_journal_that_was_not_closed_is_read_back_and_checked() {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(directory.path());
    journal.append(several("1", 1..=3)).await.unwrap();
    interrupted_copy(directory.path(), copy.path());
    let journal = open(copy.path());
    assert_eq!(*journal.found(), Found::Interrupted { checked: true });
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [1, 2, 3]);
    journal.close().await.unwrap();
    assert_eq!(*open(copy.path()).found(), Found::Closed);
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_another_journal_serves() {
    // Once the header is gone, and with it everything; once a page in the middle that only the check
    // finds, and the numbers go on.
    for (offset, is_interrupted, taken) in [(0, false, 0), (5 * 4096 + 3, true, 51)] {
        let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let journal = open(directory.path());
        for number in 0..50 {
            journal.append(single("1", number)).await.unwrap();
        }
        journal.close().await.unwrap();
        let journal = open(directory.path());
        journal.append(single("1", 50)).await.unwrap();
        interrupted_copy(directory.path(), copy.path());
        if !is_interrupted {
            fs::remove_file(beside(&file(copy.path()), "-wal")).unwrap();
        }
        let damaged = fs::OpenOptions::new()
            .write(true)
            .open(file(copy.path()))
            .unwrap();
        damaged.write_all_at(&[0xff; 2000], offset).unwrap();

        let journal = open(copy.path());
        let Found::Damaged { aside } = journal.found().clone() else {
            panic!("{:?}", journal.found());
        };
        assert!(aside.exists(), "{}", aside.display());
        let next = new_seq(journal.append(single("1", 100)).await.unwrap());
        assert!(next > taken, "{next}");
        assert_eq!(next == 1, taken == 0);
        assert_eq!(journal.health(), JournalHealth::Working);
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("state"), "a file").unwrap();
    let refused = Journal::open(settings(directory.path()), START)
        .err()
        .unwrap();
    assert!(refused.to_string().contains("state"), "{refused}");
}

#[tokio::test]
async fn a_closed_journal_refuses_its_other_handles() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let other = journal.clone();
    journal.close().await.unwrap();
    assert_eq!(other.append(single("1", 1)).await, Err(Error::Closed));
    assert_eq!(other.tidy(START).await, Err(Error::Closed));
}

#[tokio::test]
async fn files_that_others_could_read_are_closed_to_them() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close().await.unwrap();
    let path = file(directory.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _journal = open(directory.path());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
