//! What nobody signed, and dates that cannot be, are told and never compared with what is read.

use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Inspection, Journal};
use qbo_relay::model::{Authenticity, Kept, Operation, Receipt};
use std::path::Path;

/// The year 9998, in seconds after the start.
const FAR: i64 = 251_500_000_000;

async fn connected(directory: &Path) -> Journal {
    let journal = open(directory);
    connect(&journal, "1").await;
    journal
}

async fn say(
    journal: &Journal,
    authenticity: Authenticity,
    (number, operation, seconds, received): (u64, Operation, i64, i64),
) {
    let receipt = Receipt {
        authenticity,
        ..delivery_of(vec![about(number, "130", operation, seconds)], received)
    };
    new_seq(journal.append(receipt).await.unwrap());
}

fn sound(directory: &Path) {
    let inspection = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn a_date_in_the_future_hides_nothing_that_is_read_later() {
    for authenticity in [
        Authenticity::Address,
        Authenticity::Credential,
        Authenticity::Signed,
    ] {
        let directory = tempfile::tempdir().unwrap();
        let journal = connected(directory.path()).await;
        say(&journal, authenticity, (1, Operation::Update, FAR, 5)).await;
        // It waits like any other, and gets the record that there is.
        let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
        assert_eq!(view.notified[0].happened.at, None);
        let done = read(&journal, vec![invoice("130", 3, 5)]).await;
        assert_eq!(done.attached, 1, "{authenticity:?}");
        drain(&journal, &lane("erp", "1")).await;

        let done = read(&journal, vec![invoice("130", 4, 1_000)]).await;
        assert_eq!(done.found, 1, "{authenticity:?}");
        assert_eq!(told(&journal).await, ["capture Update 130 @1000"]);
        say(
            &journal,
            Authenticity::Signed,
            (2, Operation::Update, 2_000, 2_001),
        )
        .await;
        assert_eq!(told(&journal).await, ["webhook Update 130 @2000"]);
        journal.close().await.unwrap();
        sound(directory.path());
    }
}

#[tokio::test]
async fn what_only_an_unsigned_client_told_is_told_by_who_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    say(
        &journal,
        Authenticity::Credential,
        (1, Operation::Update, 5, 6),
    )
    .await;
    assert_eq!(
        read(&journal, vec![invoice("130", 3, 5)]).await,
        counts(1, 1, 0)
    );
    assert_eq!(
        told(&journal).await,
        ["webhook Update 130 @5", "capture Update 130 @5"]
    );
    // What was read is not told again by whoever says it then.
    let again = Receipt {
        authenticity: Authenticity::Credential,
        ..delivery_of(vec![about(2, "130", Operation::Update, 5)], 7)
    };
    let kept = journal.append(again).await.unwrap();
    assert!(matches!(kept, Kept::Repeat { .. }));
    let signed = delivery_of(vec![about(2, "130", Operation::Update, 5)], 8);
    let kept = journal.append(signed).await.unwrap();
    assert!(matches!(kept, Kept::Repeat { .. }), "{kept:?}");
    assert_eq!(told(&journal).await, [""; 0]);
    sound(directory.path());
}

#[tokio::test]
async fn an_unsigned_deletion_does_not_keep_the_real_one_from_being_told() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    assert_eq!(
        read(&journal, vec![invoice("130", 3, 5)]).await,
        counts(1, 0, 0)
    );
    say(
        &journal,
        Authenticity::Address,
        (1, Operation::Delete, 9, 9),
    )
    .await;
    told(&journal).await;
    // It is still there, and then it is not.
    assert_eq!(read(&journal, vec![invoice("130", 3, 5)]).await.found, 0);
    assert_eq!(read(&journal, vec![tombstone("130", 20)]).await.found, 1);
    assert_eq!(told(&journal).await, ["capture Delete 130 @20"]);
    sound(directory.path());
}

#[tokio::test]
async fn a_clock_that_stood_far_behind_makes_nothing_be_told_twice() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    // Received, by the clock, hours before it happened.
    say(
        &journal,
        Authenticity::Signed,
        (1, Operation::Update, 9_000, 3),
    )
    .await;
    assert_eq!(
        read(&journal, vec![invoice("130", 3, 9_000)]).await,
        counts(0, 1, 0)
    );
    assert_eq!(told(&journal).await, ["webhook Update 130 @9000"]);
    assert_eq!(
        read(&journal, vec![invoice("130", 3, 9_000)]).await.found,
        0
    );
    sound(directory.path());
}
