//! Gaps: opened for every company, gone through by each, closed with one sentence.

use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Inspection, Journal};
use qbo_relay::model::{Gap, Operation, Purpose, Reading, Standing};
use std::path::Path;

async fn connected(directory: &Path, companies: &[&str]) -> Journal {
    let journal = open(directory);
    for company in companies {
        connect(&journal, company).await;
    }
    journal
}

async fn gap_of(journal: &Journal, company: &str) -> Option<Gap> {
    let view = journal.company_view(&realm(company)).await.unwrap();
    view.unwrap().gap
}

async fn open_gap(journal: &Journal, since: i64, until: i64, cause: &str) -> i64 {
    let opened = journal.open_gap(after(since), after(until), cause, after(1000));
    opened.await.unwrap().unwrap()
}

/// A company has gone through a gap and found that nothing was missing.
async fn go_through(journal: &Journal, company: &str, gap: i64) {
    let nothing = Reading {
        realm: realm(company),
        ..reading(Purpose::Gap { gap }, Vec::new())
    };
    journal.reconcile(nothing).await.unwrap();
}

async fn sentences(journal: &Journal) -> Vec<String> {
    let events = journal.snapshot().await.unwrap().events;
    let gaps = events.into_iter().filter(|event| event.kind == "gap");
    gaps.map(|event| event.text).collect()
}

async fn counted(journal: &Journal) -> (u64, u64, u64) {
    let newest = journal.gaps().await.unwrap();
    (newest[0].late, newest[0].found, newest[0].missing)
}

#[tokio::test]
async fn without_a_connected_company_there_is_no_gap() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let opened = journal
        .open_gap(START, after(10), "offline", after(10))
        .await;
    assert_eq!(opened, Ok(None));
    assert_eq!(journal.gaps().await.unwrap(), []);
}

#[tokio::test]
async fn a_gap_is_closed_when_every_company_has_gone_through_it_and_told_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path(), &["1", "2"]).await;
    let mut woken = journal.subscribe(&realm("1"));
    let gap = open_gap(&journal, 100, 500, "offline").await;
    woken.changed().await.unwrap();
    assert_eq!(gap_of(&journal, "1").await, gap_of(&journal, "2").await);

    // Two come after all; one lies before the gap.
    for (number, id, seconds) in [(1, "130", 200), (2, "131", 500), (3, "132", 99)] {
        let late = about(number, id, Operation::Update, seconds);
        let delivery = delivery_of(vec![late], 1100);
        journal.append(delivery.clone()).await.unwrap();
        journal.append(delivery).await.unwrap();
    }
    let half = Reading {
        finished: false,
        ..reading(Purpose::Gap { gap }, vec![invoice("140", 1, 300)])
    };
    journal.reconcile(half).await.unwrap();
    assert!(gap_of(&journal, "1").await.is_some());
    let rest = Reading {
        missing: 4,
        ..reading(
            Purpose::Gap { gap },
            vec![
                invoice("140", 1, 300),
                invoice("141", 1, 301),
                invoice("130", 2, 200),
            ],
        )
    };
    assert_eq!(journal.reconcile(rest).await.unwrap(), counts(1, 1, 1));
    assert_eq!(gap_of(&journal, "1").await, None);
    assert_eq!(sentences(&journal).await, [""; 0]);
    go_through(&journal, "2", gap).await;
    let told = "offline Sat 05:06-05:12 UTC: 1 late by webhook, 2 found by capture, 4 missing";
    assert_eq!(sentences(&journal).await, [told]);
    assert_eq!(counted(&journal).await, (1, 2, 4));
    let report = &journal.gaps().await.unwrap()[0];
    assert_eq!((report.gap.id, report.closed_at), (gap, Some(after(3600))));
    drop(journal);
    let inspection = Inspection::open(&settings(directory.path()).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn what_was_found_first_and_notified_later_is_late_and_no_longer_found() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path(), &["1"]).await;
    let gap = open_gap(&journal, 100, 500, "offline").await;
    let found = vec![
        invoice("130", 1, 200),
        invoice("131", 1, 201),
        tombstone("132", 202),
    ];
    journal
        .reconcile(reading(Purpose::Gap { gap }, found))
        .await
        .unwrap();
    assert_eq!(counted(&journal).await, (0, 3, 0));
    for (number, id, operation) in [
        (1, "130", Operation::Update),
        (2, "132", Operation::Delete),
        (3, "130", Operation::Emailed),
    ] {
        let late = about(number, id, operation, 200);
        let delivery = delivery_of(vec![late], 4000);
        journal.append(delivery.clone()).await.unwrap();
        journal.append(delivery).await.unwrap();
    }
    assert_eq!(counted(&journal).await, (3, 1, 0));
    assert_eq!(told(&journal).await.len(), 4);
}

#[tokio::test]
async fn a_notification_that_came_before_the_gap_was_opened_is_not_late() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path(), &["1"]).await;
    notify(&journal, 1, Operation::Update, 200).await;
    open_gap(&journal, 100, 500, "refused").await;
    assert_eq!(counted(&journal).await, (0, 0, 0));
}

#[tokio::test]
async fn spans_of_one_cause_that_adjoin_are_one_gap_while_it_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path(), &["1", "2"]).await;
    let first = open_gap(&journal, 1000, 1000, "refused").await;
    assert_eq!(open_gap(&journal, 1200, 1250, "refused").await, first);
    assert_eq!(open_gap(&journal, 800, 900, "refused").await, first);
    let gap = gap_of(&journal, "1").await.unwrap();
    assert_eq!((gap.since, gap.until), (after(800), after(1250)));
    assert_ne!(open_gap(&journal, 1000, 1100, "offline").await, first);
    assert_ne!(open_gap(&journal, 2000, 2000, "refused").await, first);

    // Who has gone through it goes again for what lies outside of what it read.
    go_through(&journal, "1", first).await;
    assert_ne!(gap_of(&journal, "1").await.unwrap().id, first);
    assert_eq!(open_gap(&journal, 900, 1500, "refused").await, first);
    assert_ne!(gap_of(&journal, "1").await.unwrap().id, first);
    assert_eq!(open_gap(&journal, 700, 800, "refused").await, first);
    assert_eq!(gap_of(&journal, "1").await.unwrap().id, first);
    go_through(&journal, "1", first).await;
    go_through(&journal, "2", first).await;
    assert_ne!(
        open_gap(&journal, 1000, 1000, "refused").await,
        first,
        "it is closed"
    );
}

#[tokio::test]
async fn a_company_that_is_no_longer_connected_holds_no_gap_open() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path(), &["1", "2"]).await;
    let gap = open_gap(&journal, 100, 500, "offline").await;
    connect(&journal, "3").await;
    assert_eq!(
        gap_of(&journal, "3").await,
        None,
        "it was connected afterwards"
    );
    go_through(&journal, "1", gap).await;
    assert_eq!(sentences(&journal).await.len(), 0);
    let lost = Standing::NeedsAuthorization {
        why: "refused".into(),
    };
    stand(&journal, "2", lost, 2000).await;
    assert_eq!(sentences(&journal).await.len(), 1);
    // What it left behind is part of the gap that it gets when it is back.
    journal
        .connect_company(company("2"), b"new".to_vec(), after(3000))
        .await
        .unwrap();
    let own = gap_of(&journal, "2").await.unwrap();
    assert_eq!((own.since, own.until), (after(100), after(3000)));
    go_through(&journal, "2", own.id).await;
    assert_eq!(sentences(&journal).await.len(), 2);
}

#[tokio::test]
async fn a_gap_that_nobody_could_go_through_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path(), &["1"]).await;
    open_gap(&journal, 100, 500, "offline").await;
    stand(&journal, "1", Standing::Disconnected, 2000).await;
    assert_eq!(sentences(&journal).await, [""; 0]);
    assert!(journal.gaps().await.unwrap()[0].closed_at.is_some());
}

#[tokio::test]
async fn the_newest_hundred_gaps_are_kept_and_twenty_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path(), &["1"]).await;
    for number in 0..130 {
        open_gap(&journal, number * 1000, number * 1000, "refused").await;
    }
    let gaps = journal.gaps().await.unwrap();
    assert_eq!((gaps.len(), gaps[0].gap.id), (20, 130));
    assert_eq!(gap_of(&journal, "1").await.unwrap().id, 31);
}
