//! Instances when the process is killed or the power is cut: an instance is there with its company,
//! its tokens and its lane, or nothing of it is.

use super::child::{Child, Manner, faults, work_if_child};
use super::instance_support::*;
use super::readings::*;
use super::support::*;
use qbo_relay::journal::Journal;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Tasks that make instances at a time.
const TASKS: u64 = 4;

/// Every so many bytes there is a cut; prime, so that all places within a frame have their turn.
const STRIDE: usize = 509;

async fn make(journal: &Journal, number: u64) {
    let name = number.to_string();
    let connected = Some((company(&name), name.clone().into_bytes()));
    let made = journal.create_instance(webhook(&name), connected, START);
    made.await.unwrap();
}

/// In a process of its own: makes instances of companies that are new until it is killed.
#[expect(clippy::print_stdout, reason = "how the process talks to the test")]
pub(super) async fn keep(directory: &Path, numbers: std::ops::Range<u64>) {
    let journal = open(directory);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (journal, numbers) = (journal.clone(), numbers.clone());
        tasks.spawn(async move {
            for number in numbers.filter(|number| number % TASKS == task) {
                make(&journal, number).await;
                println!("kept {number}");
            }
        });
    }
    tasks.join_all().await;
}

#[test]
fn an_instance_is_there_with_its_company_or_not_at_all_when_the_process_is_killed() {
    if work_if_child() {
        return;
    }
    let test = "journal::instance_crashes::\
                an_instance_is_there_with_its_company_or_not_at_all_when_the_process_is_killed";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for round in 0..faults(6) {
        let numbers = round * 1_000_000..(round + 1) * 1_000_000;
        let mut child = Child::start(test, directory.path(), Manner::Instance, numbers, &[]);
        child.wait_for(usize::try_from(round * 23 % 60 + 1).unwrap());
        let report = child.kill();
        assert!(!report.ended);
        runtime.block_on(async {
            let journal = open(directory.path());
            let companies = journal.companies().await.unwrap();
            let instances = journal.instances().await.unwrap();
            let by_company: BTreeMap<_, _> = instances
                .iter()
                .map(|instance| (instance.draft.realm.clone(), instance.id))
                .collect();
            assert!(companies.iter().map(|one| &one.realm).eq(by_company.keys()));
            assert_eq!(instances.len(), by_company.len());
            for (name, id) in &by_company {
                let tokens = journal.sealed_tokens(name).await.unwrap();
                assert_eq!(tokens.as_deref(), Some(name.as_str().as_bytes()));
                assert!(
                    journal
                        .lane_view(&lane_of(*id, name.as_str()), MANY)
                        .await
                        .is_ok()
                );
            }
            for number in &report.kept {
                assert!(
                    by_company.contains_key(&realm(&number.to_string())),
                    "{number} is lost"
                );
            }
            sound(journal, directory.path()).await;
        });
    }
}

fn beside(directory: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", settings(directory).path.display()))
}

/// How many there are of all that belongs to an instance; they must be as many.
fn visible(database: &[u8], log: &[u8]) -> i64 {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("state")).unwrap();
    fs::write(beside(copy.path(), ""), database).unwrap();
    fs::write(beside(copy.path(), "-wal"), log).unwrap();
    let connection = Connection::open(beside(copy.path(), "")).unwrap();
    let count = |from: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {from}");
        connection.query_row(&sql, (), |row| row.get(0)).unwrap()
    };
    let instances = count("instance");
    for from in [
        "company WHERE tokens IS NOT NULL",
        "lane l JOIN instance i ON i.sink = l.sink",
        "sink s JOIN realm m ON m.id = s.realm WHERE s.configured = 1",
        "event WHERE kind = 'instance'",
    ] {
        assert_eq!(count(from), instances, "{from}");
    }
    instances
}

#[tokio::test]
async fn an_instance_is_there_with_its_company_or_not_at_all_wherever_the_log_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close().await.unwrap();
    let journal = open(directory.path());
    for number in 0..8 {
        make(&journal, number).await;
    }
    let database = fs::read(beside(directory.path(), "")).unwrap();
    let log = fs::read(beside(directory.path(), "-wal")).unwrap();
    let mut counts: Vec<i64> = (0..log.len())
        .step_by(STRIDE)
        .chain([log.len()])
        .map(|cut| visible(&database, &log[..cut]))
        .collect();
    assert!(counts.is_sorted());
    counts.dedup();
    assert_eq!(counts, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}
