//! Reconciling: what nobody told becomes a change, what was told does not, and nothing leaves twice.

use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Error, Inspection, Journal, Settings};
use qbo_relay::model::{
    Authenticity, Kept, Operation, Origin, Purpose, Reading, Record, RecordState, Seq, Timestamp,
};
use std::path::Path;
use std::time::Duration;

async fn connected(directory: &Path) -> Journal {
    let journal = open(directory);
    connect(&journal, "1").await;
    journal
}

fn sound(directory: &Path) {
    let inspection = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn what_nobody_told_becomes_a_change_with_the_whole_record_and_leaves_like_others() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    let void = Record {
        state: RecordState::Voided,
        ..invoice("132", 4, 12)
    };
    let created = Record {
        created_at: Some(after(9)),
        ..invoice("131", 0, 10)
    };
    let records = vec![invoice("130", 3, 8), created, void, tombstone("133", 14)];
    let done = journal
        .reconcile(reading(Purpose::Sweep, records.clone()))
        .await;
    assert_eq!(done.unwrap(), counts(4, 0, 0));

    let view = journal.lane_view(&lane("erp", "1"), MANY).await.unwrap();
    for ((change, record), (operation, event_type)) in view.head.iter().zip(&records).zip([
        (Operation::Update, "qbo.invoice.updated.v1"),
        (Operation::Create, "qbo.invoice.created.v1"),
        (Operation::Void, "qbo.invoice.void.v1"),
        (Operation::Delete, "qbo.invoice.deleted.v1"),
    ]) {
        assert_eq!(change.origin, Origin::Sweep);
        assert_eq!(change.authenticity, Authenticity::Fetched);
        assert_eq!(change.received_at, after(3600));
        assert_eq!(change.record.as_deref(), Some(record.body.as_str()));
        assert_eq!(change.id.0, change.notification.identity.to_hex());
        let said = &change.notification;
        assert_eq!(
            (&said.operation, said.event_type.as_str()),
            (&operation, event_type)
        );
        assert_eq!(said.happened, record.updated);
        assert!(!change.late && !change.conflicting);
    }
    let sequences: Vec<u64> = view.head.iter().map(|change| change.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    let shown = Inspection::open(&settings(directory.path()).path)
        .and_then(|inspection| inspection.show(Seq(1)))
        .unwrap()
        .unwrap();
    assert_eq!(shown.listed.source, "books");
    let bodies: Vec<&str> = records.iter().map(|record| record.body.as_str()).collect();
    assert_eq!(shown.body, format!("[{}]", bodies.join(",")));
    sound(directory.path());
}

#[tokio::test]
async fn what_was_notified_is_not_told_again_and_gets_its_record() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    notify(&journal, 1, Operation::Update, 5).await;
    notify(&journal, 2, Operation::Emailed, 6).await;
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    let waiting: Vec<u64> = view.notified.iter().map(|one| one.sequence).collect();
    assert_eq!((waiting, view.newest, view.reconciled), (vec![1, 2], 2, 0));

    assert_eq!(
        read(&journal, vec![invoice("130", 3, 6)]).await,
        counts(0, 1, 0)
    );
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    assert_eq!((view.notified.len(), view.reconciled), (0, 2));
    let head = journal
        .lane_view(&lane("erp", "1"), MANY)
        .await
        .unwrap()
        .head;
    for change in &head {
        assert_eq!(change.record, Some(invoice("130", 3, 6).body));
    }
    assert_eq!(
        told(&journal).await,
        ["webhook Update 130 @5", "webhook Emailed 130 @6"]
    );

    // Read again, by whatever road, it is known.
    for purpose in [Purpose::Sweep, Purpose::Poll] {
        let again = reading(purpose, vec![invoice("130", 3, 6)]);
        assert_eq!(journal.reconcile(again).await.unwrap(), counts(0, 0, 1));
    }
    assert_eq!(told(&journal).await, [""; 0]);
    sound(directory.path());
}

#[tokio::test]
async fn a_lane_that_does_not_ask_for_records_gets_none_and_without_need_none_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let sparing = Settings {
        keep_records: false,
        ..settings(directory.path())
    };
    let journal = Journal::open(sparing, START).unwrap();
    connect(&journal, "1").await;
    notify(&journal, 1, Operation::Update, 5).await;
    assert_eq!(
        read(&journal, vec![invoice("130", 3, 5)]).await,
        counts(0, 1, 0)
    );
    assert_eq!(
        read(&journal, vec![invoice("131", 3, 5)]).await,
        counts(1, 0, 0)
    );
    let head = async |ask| {
        let view = journal.lane_view(&lane("erp", "1"), ask).await.unwrap();
        view.head
            .into_iter()
            .map(|change| change.record)
            .collect::<Vec<_>>()
    };
    assert_eq!(head(MANY).await, [None, Some(invoice("131", 3, 5).body)]);
    let without = qbo_relay::journal::Ask {
        record: false,
        ..MANY
    };
    assert_eq!(head(without).await, [None, None]);
}

#[tokio::test]
async fn a_notification_of_what_a_reading_told_is_a_repeat_and_so_are_its_own_repeats() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    read(&journal, vec![invoice("130", 3, 5)]).await;
    let repeat = Kept::Repeat { of: Seq(1) };
    let same = |number, operation| delivery_of(vec![about(number, "130", operation, 5)], 60);
    for (number, operation) in [(1, Operation::Update), (2, Operation::Create)] {
        let kept = journal
            .append(same(number, operation.clone()))
            .await
            .unwrap();
        assert_eq!(kept, repeat);
        assert_eq!(
            journal.append(same(number, operation)).await.unwrap(),
            repeat
        );
    }
    journal.close().await.unwrap();
    let journal = open(directory.path());
    assert_eq!(
        journal.append(same(1, Operation::Update)).await.unwrap(),
        repeat
    );
    // What a reading cannot say always leaves.
    for (number, operation) in [
        (4, Operation::Void),
        (5, Operation::Emailed),
        (6, Operation::Merge),
    ] {
        journal.append(same(number, operation)).await.unwrap();
    }
    notify(&journal, 7, Operation::Update, 4).await;
    notify(&journal, 8, Operation::Update, 6).await;
    assert_eq!(
        told(&journal).await,
        [
            "capture Update 130 @5",
            "webhook Void 130 @5",
            "webhook Emailed 130 @5",
            "webhook Merge 130 @5",
            "webhook Update 130 @4 late",
            "webhook Update 130 @6"
        ]
    );
    sound(directory.path());
}

#[tokio::test]
async fn a_body_that_holds_news_beside_a_repeat_keeps_the_news() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    read(&journal, vec![invoice("130", 3, 5)]).await;
    let both = vec![
        about(1, "130", Operation::Update, 5),
        about(2, "131", Operation::Update, 5),
    ];
    let kept = journal.append(delivery_of(both, 60)).await.unwrap();
    let new = Kept::New {
        seq: Seq(2),
        changes: 1,
    };
    assert_eq!(kept, new);
    sound(directory.path());
}

#[tokio::test]
async fn a_deletion_is_told_once_whichever_way_it_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    read(&journal, vec![invoice("130", 3, 5)]).await;
    read(&journal, vec![tombstone("130", 9)]).await;
    notify(&journal, 1, Operation::Delete, 8).await;
    notify(&journal, 2, Operation::Delete, 11).await;
    assert_eq!(
        told(&journal).await,
        ["capture Update 130 @5", "capture Delete 130 @9"]
    );

    let delivery = delivery_of(vec![about(3, "131", Operation::Delete, 20)], 21);
    journal.append(delivery).await.unwrap();
    assert_eq!(
        read(&journal, vec![tombstone("131", 25)]).await,
        counts(0, 1, 0)
    );
    let sweep = reading(
        Purpose::Sweep,
        vec![tombstone("131", 26), tombstone("130", 9)],
    );
    assert_eq!(journal.reconcile(sweep).await.unwrap(), counts(0, 0, 2));
    assert_eq!(told(&journal).await, ["webhook Delete 131 @20"]);

    // Even when it is dated before what was told.
    let delivery = delivery_of(vec![about(4, "132", Operation::Update, 30)], 31);
    journal.append(delivery).await.unwrap();
    assert_eq!(
        read(&journal, vec![tombstone("132", 25)]).await,
        counts(1, 0, 0)
    );
    let both = ["webhook Update 132 @30", "capture Delete 132 @25 late"];
    assert_eq!(told(&journal).await, both);
    sound(directory.path());
}

#[tokio::test]
async fn a_merge_covers_the_record_that_it_removed() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    let mut merge = about(1, "130", Operation::Merge, 20);
    merge.deleted_id = Some("27".into());
    journal.append(delivery_of(vec![merge], 21)).await.unwrap();
    let read = read(&journal, vec![invoice("130", 3, 20), tombstone("27", 20)]).await;
    assert_eq!(read, counts(0, 1, 1));
    let inactive = reading(Purpose::Sweep, vec![invoice("27", 8, 20)]);
    assert_eq!(journal.reconcile(inactive).await.unwrap(), counts(0, 0, 1));
    assert_eq!(told(&journal).await, ["webhook Merge 130 @20"]);
}

#[tokio::test]
async fn what_a_complete_list_no_longer_has_was_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    let list = |ids: &[&str], minutes: u64| Reading {
        complete: vec!["TimeActivity".into()],
        at: after(3600).plus(Duration::from_secs(60 * minutes)),
        ..reading(
            Purpose::Sweep,
            ids.iter().map(|id| only_id("TimeActivity", id)).collect(),
        )
    };
    // Where the comparison begins, nothing is told.
    let first = journal.reconcile(list(&["1", "2", "3"], 0)).await.unwrap();
    assert_eq!(first, counts(0, 0, 3));
    let again = journal.reconcile(list(&["1", "2", "3"], 1)).await.unwrap();
    assert_eq!(again, counts(0, 0, 3));
    let fewer = journal.reconcile(list(&["1", "3"], 2)).await.unwrap();
    assert_eq!(fewer, counts(1, 0, 2));
    let still = journal.reconcile(list(&["1", "3"], 3)).await.unwrap();
    assert_eq!(still, counts(0, 0, 2));
    // The list was wrong: it is put right.
    let back = journal.reconcile(list(&["1", "2", "3"], 4)).await.unwrap();
    assert_eq!(back, counts(1, 0, 2));
    let gone = journal.reconcile(list(&["1", "3"], 5)).await.unwrap();
    assert_eq!(gone, counts(1, 0, 2));
    let view = journal.lane_view(&lane("erp", "1"), MANY).await.unwrap();
    assert!(view.head.iter().all(|change| change.record.is_none()));
    assert_eq!(
        told(&journal).await,
        [
            "sweep Delete 2 @3720",
            "sweep Update 2 @3840",
            "sweep Delete 2 @3900"
        ]
    );
    sound(directory.path());
}

#[tokio::test]
async fn what_was_before_the_connecting_is_not_told() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    let old = vec![invoice("130", 3, -1), tombstone("131", -5)];
    assert_eq!(read(&journal, old).await, counts(0, 0, 2));
    assert_eq!(
        read(&journal, vec![invoice("130", 4, 1)]).await,
        counts(1, 0, 0)
    );
    assert_eq!(told(&journal).await, ["capture Update 130 @1"]);
}

#[tokio::test]
async fn two_changes_of_one_second_are_both_told_under_ids_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    for token in [3, 4, 4, 5, 4] {
        let sweep = reading(Purpose::Sweep, vec![invoice("130", token, 5)]);
        journal.reconcile(sweep).await.unwrap();
    }
    let head = journal
        .lane_view(&lane("erp", "1"), MANY)
        .await
        .unwrap()
        .head;
    let mut ids: Vec<&str> = head.iter().map(|change| change.id.0.as_str()).collect();
    ids.dedup();
    assert_eq!((head.len(), ids.len()), (3, 3));
    assert!(head.iter().all(|change| !change.late));
}

#[tokio::test]
async fn many_news_are_spread_over_receipts_of_bearable_size_in_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    let records: Vec<Record> = (0..450)
        .map(|number| invoice(&number.to_string(), 1, number))
        .collect();
    assert_eq!(read(&journal, records.clone()).await, counts(450, 0, 0));
    let view = journal.lane_view(&lane("erp", "1"), MANY).await.unwrap();
    for (change, record) in view.head.iter().zip(&records) {
        assert_eq!(change.record.as_ref(), Some(&record.body));
    }
    assert_eq!((view.head.len(), view.head[449].receipt), (450, Seq(3)));
    assert_eq!(view.head[449].sequence, 450);
    sound(directory.path());
}

#[tokio::test]
async fn a_full_journal_refuses_a_reading_and_loses_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let small = Settings {
        bytes_max: 4 << 20,
        ..settings(directory.path())
    };
    let journal = Journal::open(small, START).unwrap();
    connect(&journal, "1").await;
    let big = |number: u64| Record {
        body: format!("{:?}", "x".repeat(100_000)),
        ..invoice(&number.to_string(), 1, 5)
    };
    let mut taken = 0;
    let refused = loop {
        match journal
            .reconcile(reading(Purpose::Poll, vec![big(taken)]))
            .await
        {
            Ok(done) => assert_eq!(done, counts(1, 0, 0)),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert_eq!(refused, Error::Full);
    // The relay goes on, and makes room.
    assert_eq!(
        drain(&journal, &lane("erp", "1")).await.len(),
        usize::try_from(taken).unwrap()
    );
    while journal.tidy(START).await.unwrap().more {}
    let again = journal
        .reconcile(reading(Purpose::Poll, vec![big(taken)]))
        .await;
    assert_eq!(again, Ok(counts(1, 0, 0)));
    sound(directory.path());
}

#[tokio::test]
async fn a_company_that_is_not_connected_takes_no_reading() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    let refused = journal
        .reconcile(reading(Purpose::Sweep, vec![invoice("130", 1, 5)]))
        .await;
    assert_eq!(refused, Err(Error::NotConnected("1".into())));
    assert_eq!(journal.snapshot().await.unwrap().receipts, 1);
}

#[tokio::test]
async fn looking_in_vain_writes_nothing_but_is_known_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    let poll = |minutes: u64| {
        let at = START.plus(Duration::from_secs(60 * minutes));
        Reading {
            at,
            watermarks: vec![("Invoice".into(), at.minus(Duration::from_secs(120)))],
            ..reading(Purpose::Poll, Vec::new())
        }
    };
    let mark = |journal: &Journal| {
        let journal = journal.clone();
        async move {
            let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
            let mark = view.watermarks["Invoice"];
            (minutes(mark.at), minutes(mark.polled_at.unwrap()))
        }
    };
    fn minutes(at: Timestamp) -> u64 {
        at.since(START).as_secs() / 60
    }
    let log = || {
        let path = settings(directory.path()).path;
        std::fs::metadata(format!("{}-wal", path.display()))
            .unwrap()
            .len()
    };
    journal.reconcile(poll(15)).await.unwrap();
    let before = log();
    for quarter in 2..=4 {
        journal.reconcile(poll(15 * quarter)).await.unwrap();
        assert_eq!(mark(&journal).await, (15 * quarter - 2, 15 * quarter));
    }
    assert_eq!(log(), before, "nothing was written");
    journal.close().await.unwrap();
    let journal = open(directory.path());
    assert_eq!(
        mark(&journal).await,
        (13, 15),
        "what is written is an hour behind at most"
    );
    journal.reconcile(poll(75)).await.unwrap();
    journal.close().await.unwrap();
    assert_eq!(mark(&open(directory.path())).await, (73, 75));
}

#[tokio::test]
async fn an_unfinished_reading_moves_watermarks_and_marks_nothing_as_done() {
    let directory = tempfile::tempdir().unwrap();
    let journal = connected(directory.path()).await;
    notify(&journal, 1, Operation::Update, 5).await;
    for purpose in [Purpose::Notified { through: 1 }, Purpose::Sweep] {
        let half = Reading {
            finished: false,
            watermarks: vec![("Invoice".into(), after(60))],
            ..reading(purpose, vec![invoice("130", 3, 5)])
        };
        journal.reconcile(half).await.unwrap();
    }
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    assert_eq!((view.reconciled, view.swept_at), (0, None));
    let mark = view.watermarks["Invoice"];
    assert_eq!((mark.at, mark.polled_at), (after(60), None));
    journal
        .reconcile(reading(Purpose::Sweep, Vec::new()))
        .await
        .unwrap();
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    assert_eq!((view.reconciled, view.swept_at), (0, Some(after(3600))));
}
