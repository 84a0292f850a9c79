//! No state that only a restart leaves: whoever kept appends from being taken, when it is gone they are
//! taken again. And what the journal says of itself meanwhile.

use super::support::*;
use crate::support::relay::eventually;
use proptest::prelude::*;
use qbo_relay::journal::{Error, Inspection, Journal, Settings};
use qbo_relay::model::{JournalHealth, Limits, Receipt};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

const BUDGET: u64 = 4 << 20;

fn small(directory: &Path) -> Settings {
    Settings {
        bytes_max: BUDGET,
        ..settings(directory)
    }
}

fn big(number: u64) -> Receipt {
    Receipt {
        body: vec![b'x'; 50_000].into(),
        ..single("1", number)
    }
}

/// Another program that reads and does not come to an end.
fn pin(path: &Path) -> Connection {
    let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = reader.query_row("SELECT count(*) FROM receipt", (), |row| {
        row.get::<_, i64>(0)
    });
    count.unwrap();
    reader
}

/// Appends and delivers until the log that a reader pins has filled the budget.
async fn fill_the_log(journal: &Journal, mut number: u64) -> u64 {
    let ours = lane("erp", "1");
    loop {
        match journal.append(big(number)).await {
            Ok(_) => number += 1,
            Err(Error::Full) => return number,
            Err(error) => panic!("{error}"),
        }
        drain(journal, &ours).await;
        journal.tidy(START).await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_lasted_until_the_log_was_full_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(small(directory.path()), START).unwrap();
    journal.append(big(0)).await.unwrap();
    let reader = pin(&small(directory.path()).path);
    let mut number = fill_the_log(&journal, 1).await;
    assert_eq!(journal.health(), JournalHealth::Full);
    assert_eq!(journal.append(big(number)).await, Err(Error::Full));
    drop(reader);
    // The first one may be refused still; it is what has the log looked at.
    let mut taken = journal.append(big(number)).await;
    if taken == Err(Error::Full) {
        taken = journal.append(big(number)).await;
    }
    number = u64::try_from(new_seq(taken.unwrap())).unwrap();
    assert!(number > 10, "{number}");
    assert_eq!(journal.health(), JournalHealth::Working);
}

#[tokio::test]
async fn it_says_so_by_itself_when_appends_would_be_taken_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::open(small(directory.path()), START).unwrap();
    journal.append(big(0)).await.unwrap();
    let reader = pin(&small(directory.path()).path);
    let number = fill_the_log(&journal, 1).await;
    drop(reader);
    eventually("it is working again, though nobody asks", || {
        (journal.health() == JournalHealth::Working).then_some(())
    });
    journal.append(big(number)).await.unwrap();
}

/// What may happen to a journal.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append(u8),
    Pin,
    Unpin,
    Deliver,
    Tidy,
    Ping,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..60_u8).prop_map(Step::Append),
        2 => Just(Step::Pin),
        1 => Just(Step::Unpin),
        2 => Just(Step::Deliver),
        1 => Just(Step::Tidy),
        1 => Just(Step::Ping),
    ];
    proptest::collection::vec(step, 1..24)
}

async fn walk(journal: &Journal, path: &Path, steps: &[Step]) -> u64 {
    let (mut number, mut readers) = (0, Vec::new());
    for step in steps {
        match step {
            Step::Append(count) => {
                for _ in 0..*count {
                    match journal.append(big(number)).await {
                        Ok(_) => number += 1,
                        Err(error) => assert_eq!(error, Error::Full),
                    }
                }
            }
            Step::Pin => readers.push(pin(path)),
            Step::Unpin => drop(readers.pop()),
            Step::Deliver => drop(drain(journal, &lane("erp", "1")).await),
            Step::Tidy => drop(journal.tidy(START).await.unwrap()),
            Step::Ping => journal.ping().await.unwrap(),
        }
    }
    number
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn from_every_state_without_a_reader_and_with_everything_delivered_an_append_is_taken(
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let settings = small(directory.path());
            let path = settings.path.clone();
            let journal = Journal::open(settings, START).unwrap();
            let number = walk(&journal, &path, &steps).await;
            drain(&journal, &lane("erp", "1")).await;
            // Counted, not timed: each round is what happens within a second anyhow.
            let mut rounds = 0;
            while let Err(error) = journal.append(big(number)).await {
                assert_eq!(error, Error::Full, "after {steps:?}");
                rounds += 1;
                assert!(rounds < 5, "still full after {steps:?}");
                journal.tidy(START).await.unwrap();
            }
            assert_eq!(journal.health(), JournalHealth::Working);
            journal.close().await.unwrap();
            assert_eq!(Inspection::open(&path).unwrap().verify().unwrap().findings, [""; 0]);
        });
    }
}

#[tokio::test]
async fn while_another_program_holds_the_file_that_is_said_and_taken_back_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 0)).await.unwrap();
    let other = Connection::open(settings(directory.path()).path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(journal.append(single("1", 1)).await, Err(Error::Busy));
    assert_eq!(journal.health(), JournalHealth::Held);
    other.execute_batch("ROLLBACK").unwrap();
    eventually("the file is free", || {
        (journal.health() == JournalHealth::Working).then_some(())
    });
    journal.append(single("1", 1)).await.unwrap();
}

#[tokio::test]
async fn commits_that_come_later_than_anybody_waits_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let impatient = Settings {
        limits: Limits {
            answer: Duration::ZERO,
            ..Limits::default()
        },
        ..settings(directory.path())
    };
    let journal = Journal::open(impatient, START).unwrap();
    assert_eq!(journal.health(), JournalHealth::Working);
    journal.append(single("1", 0)).await.unwrap();
    assert_eq!(journal.health(), JournalHealth::Slow);
}
