//! Readings and tokens when the process is killed: a reading is there or it is not, and tokens that
//! were said to be stored are.

use super::child::{Child, Manner, faults, work_if_child};
use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Inspection, Journal};
use qbo_relay::model::{Change, Ends, Purpose, Reading, RealmId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Companies that are read at a time.
const COMPANIES: u64 = 4;

/// Records of one reading.
const RECORDS: u64 = 3;

fn company_of(number: u64) -> RealmId {
    realm(&(number % COMPANIES + 1).to_string())
}

/// Reading number `number`: three invoices that nobody told.
fn reading_number(number: u64) -> Reading {
    let ids = number * RECORDS..(number + 1) * RECORDS;
    Reading {
        realm: company_of(number),
        ..reading(
            Purpose::Sweep,
            ids.map(|id| invoice(&id.to_string(), 1, 5)).collect(),
        )
    }
}

/// In a process of its own: reads companies and renews their tokens until it is killed.
#[expect(clippy::print_stdout, reason = "how the process talks to the test")]
pub(super) async fn keep(directory: &Path, numbers: std::ops::Range<u64>) {
    let journal = open(directory);
    let mut tasks = tokio::task::JoinSet::new();
    for company in 0..COMPANIES {
        let (journal, numbers) = (journal.clone(), numbers.clone());
        tasks.spawn(async move {
            let name = company_of(company);
            if journal.company_view(&name).await.unwrap().is_none() {
                connect(&journal, name.as_str()).await;
            }
            for number in numbers.filter(|number| number % COMPANIES == company) {
                journal.reconcile(reading_number(number)).await.unwrap();
                let ends = Ends {
                    access: after(0),
                    refresh: after(0),
                    hard: None,
                };
                let sealed = number.to_string().into_bytes();
                journal.store_tokens(&name, sealed, ends).await.unwrap();
                println!("kept {number}");
            }
        });
    }
    tasks.join_all().await;
}

/// Which reading a change came with.
fn number_of(change: &Change) -> u64 {
    change.notification.entity.id.parse::<u64>().unwrap() / RECORDS
}

async fn require_whole(journal: &Journal, kept: &BTreeSet<u64>) {
    for company in 0..COMPANIES {
        let name = company_of(company);
        let ours = lane("erp", name.as_str());
        let kept = || kept.iter().filter(|number| **number % COMPANIES == company);
        let mut there: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        loop {
            let head = journal.lane_view(&ours, MANY).await.unwrap();
            for change in &head.head {
                let receipts = there.entry(number_of(change)).or_default();
                receipts.push(change.receipt.0);
            }
            if head.head.is_empty() {
                break;
            }
            let accepted = attempt(qbo_relay::model::Outcome::Accepted);
            let delivered = qbo_relay::model::Settlement::Delivered;
            let sent = delivery(&ours, &head);
            journal.settle(&sent, &accepted, &delivered).await.unwrap();
        }
        for (number, receipts) in &there {
            let whole = vec![receipts[0]; usize::try_from(RECORDS).unwrap()];
            assert_eq!(*receipts, whole, "reading {number} is there in part");
        }
        for number in kept() {
            let again = journal.reconcile(reading_number(*number)).await.unwrap();
            assert_eq!(again, counts(0, 0, 3), "reading {number}");
        }
        let tokens = journal.sealed_tokens(&name).await.unwrap();
        let newest: Option<u64> = tokens
            .map(|tokens| String::from_utf8(tokens).unwrap())
            .and_then(|tokens| tokens.parse().ok());
        assert!(
            newest >= kept().max().copied(),
            "{newest:?} of company {name}"
        );
    }
}

#[test]
fn a_reading_is_whole_and_stored_tokens_are_there_when_the_process_is_killed() {
    if work_if_child() {
        return;
    }
    let test = "journal::company_crashes::\
                a_reading_is_whole_and_stored_tokens_are_there_when_the_process_is_killed";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for round in 0..faults(8) {
        let numbers = round * 1_000_000..(round + 1) * 1_000_000;
        let mut child = Child::start(test, directory.path(), Manner::Company, numbers, &[]);
        child.wait_for(usize::try_from(round * 37 % 100 + 1).unwrap());
        let report = child.kill();
        assert!(!report.ended);
        runtime.block_on(async {
            let journal = open(directory.path());
            require_whole(&journal, &report.kept).await;
            journal.close().await.unwrap();
        });
        let inspection = Inspection::open(&settings(directory.path()).path).unwrap();
        assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
    }
}
