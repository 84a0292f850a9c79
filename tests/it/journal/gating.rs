//! A lane that waits for reconciling: what it gets when, and that it never waits for long.

use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Ask, Journal};
use qbo_relay::model::{Operation, Purpose, Standing, Timestamp};

/// What a lane that waits until `limit` gets: the sequence numbers, and since when the next is held.
async fn head(journal: &Journal, limit: Timestamp) -> (Vec<u64>, Option<Timestamp>) {
    let ask = Ask {
        reconciled_only: Some(limit),
        ..MANY
    };
    let view = journal.lane_view(&lane("erp", "1"), ask).await.unwrap();
    let sequences = view.head.iter().map(|change| change.sequence);
    (sequences.collect(), view.held_since)
}

#[tokio::test]
async fn a_change_is_held_until_it_is_reconciled_or_has_waited_long_enough() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    // Received at 6, 7 and 10.
    for (number, seconds) in [(1, 5), (2, 6), (3, 9)] {
        notify(&journal, number, Operation::Update, seconds).await;
    }
    assert_eq!(head(&journal, after(5)).await, (vec![], Some(after(6))));
    assert_eq!(head(&journal, after(6)).await, (vec![1], Some(after(7))));
    assert_eq!(head(&journal, after(10)).await, (vec![1, 2, 3], None));

    let mut woken = journal.subscribe(&realm("1"));
    let purpose = Purpose::Notified { through: 2 };
    let done = reading(purpose, vec![invoice("130", 3, 6), invoice("131", 1, 8)]);
    journal.reconcile(done).await.unwrap();
    woken.changed().await.unwrap();
    assert_eq!(
        head(&journal, after(5)).await,
        (vec![1, 2], Some(after(10)))
    );
    read(&journal, vec![invoice("130", 4, 9)]).await;
    // What a reading told waits for nothing but the changes before it.
    assert_eq!(head(&journal, after(5)).await, (vec![1, 2, 3, 4], None));
}

#[tokio::test]
async fn what_was_read_waits_only_behind_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    let sweep = |id: &str| reading(Purpose::Sweep, vec![invoice(id, 1, 5)]);
    journal.reconcile(sweep("131")).await.unwrap();
    notify(&journal, 1, Operation::Update, 5).await;
    journal.reconcile(sweep("132")).await.unwrap();
    assert_eq!(head(&journal, START).await, (vec![1], Some(after(6))));
}

#[tokio::test]
async fn nobody_waits_for_a_company_that_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    notify(&journal, 1, Operation::Update, 5).await;
    assert_eq!(head(&journal, START).await, (vec![1], None));
    connect(&journal, "1").await;
    notify(&journal, 2, Operation::Update, 6).await;
    assert_eq!(head(&journal, START).await, (vec![1], Some(after(7))));
    let lost = Standing::NeedsAuthorization {
        why: "refused".into(),
    };
    stand(&journal, "1", lost, 8).await;
    assert_eq!(head(&journal, START).await, (vec![1, 2], None));
}

#[tokio::test]
async fn a_format_that_carries_the_body_gets_the_body_of_what_it_may_have() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    notify(&journal, 1, Operation::Update, 5).await;
    let waiting = Ask {
        reconciled_only: Some(START),
        ..ONE
    };
    let ours = lane("erp", "1");
    let view = journal.lane_view(&ours, waiting).await.unwrap();
    assert_eq!((view.head.len(), view.body), (0, None));
    read(&journal, vec![invoice("130", 1, 5)]).await;
    let view = journal.lane_view(&ours, waiting).await.unwrap();
    assert_eq!((view.head.len(), view.held_since), (1, None));
    assert!(view.body.is_some());
}
