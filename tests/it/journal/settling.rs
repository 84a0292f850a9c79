//! Order, lateness, conflicts, and what becomes of deliveries.

use super::support::*;
use qbo_relay::journal::{Error, Journal, Settings};
use qbo_relay::model::{Attempt, EventTime, Item, Kept, Outcome, Seq, Settlement, Timestamp};
use std::collections::HashSet;
use std::time::Duration;

fn gone() -> Attempt {
    attempt(Outcome::Gone)
}

fn dead(reason: &str) -> Settlement {
    Settlement::Dead {
        reason: reason.into(),
    }
}

#[tokio::test]
async fn receipts_get_their_numbers_in_order_and_each_company_counts_without_gaps() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..600 {
        let journal = journal.clone();
        let company = (number % 3).to_string();
        asked.spawn(async move {
            journal
                .append(several(&company, [number * 2, number * 2 + 1]))
                .await
        });
    }
    let mut seqs = HashSet::new();
    while let Some(kept) = asked.join_next().await {
        seqs.insert(new_seq(kept.unwrap().unwrap()));
    }
    assert_eq!(seqs, (1..=600).collect());
    for company in ["0", "1", "2"] {
        let view = journal
            .lane_view(&lane("erp", company), MANY)
            .await
            .unwrap();
        let sequences: Vec<u64> = view.head.iter().map(|change| change.sequence).collect();
        assert_eq!(sequences, (1..=400).collect::<Vec<_>>());
        assert!(view.head.is_sorted_by_key(|change| change.seq));
        assert!(view.head.is_sorted_by_key(|change| change.receipt));
    }
}

#[tokio::test]
async fn an_older_event_that_comes_late_is_marked_not_lost() {
    let directory = tempfile::tempdir().unwrap();
    let event = |number: u64, kind: &str, happened: Option<i64>| {
        let mut notification = notification("1", number);
        notification.entity.kind = kind.into();
        notification.entity.id = "77".into();
        notification.happened = EventTime {
            text: "as written".into(),
            at: happened.map(|seconds| START.plus(Duration::from_secs(seconds.unsigned_abs()))),
        };
        receipt(vec![Item::Notification(notification)])
    };
    let journal = open(directory.path());
    journal.append(event(1, "Invoice", Some(10))).await.unwrap();
    journal.append(event(2, "Invoice", Some(20))).await.unwrap();
    journal.append(event(3, "INVOICE", Some(15))).await.unwrap();
    journal.append(event(4, "Bill", Some(5))).await.unwrap();
    journal.append(event(5, "Invoice", None)).await.unwrap();
    journal.close().await.unwrap();
    let journal = open(directory.path());
    journal.append(event(6, "Invoice", Some(20))).await.unwrap();
    journal.append(event(7, "Invoice", Some(19))).await.unwrap();

    let view = journal.lane_view(&lane("erp", "1"), MANY).await.unwrap();
    let late: Vec<bool> = view.head.iter().map(|change| change.late).collect();
    assert_eq!(late, [false, false, true, false, false, false, true]);
}

#[tokio::test]
async fn an_identity_with_other_content_is_kept_under_another_id_and_reported() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let other = |content: u64| {
        let mut notification = notification("1", 1);
        notification.data = Some(content.to_string());
        receipt(vec![Item::Notification(notification)])
    };
    journal.append(other(1)).await.unwrap();
    let kept = journal.append(other(2)).await.unwrap();
    assert_eq!(
        kept,
        Kept::New {
            seq: Seq(2),
            changes: 1
        }
    );
    assert_eq!(
        journal.append(other(2)).await.unwrap(),
        Kept::Repeat { of: Seq(2) }
    );
    assert_eq!(
        journal.append(other(1)).await.unwrap(),
        Kept::Repeat { of: Seq(1) }
    );

    let view = journal.lane_view(&lane("erp", "1"), MANY).await.unwrap();
    let conflicting: Vec<bool> = view.head.iter().map(|change| change.conflicting).collect();
    assert_eq!(conflicting, [false, true]);
    let ids: HashSet<_> = view.head.iter().map(|change| &change.id).collect();
    assert_eq!(ids.len(), 2);
    let events = journal.snapshot().await.unwrap().events;
    assert!(
        events.iter().any(|event| event.kind == "conflict"),
        "{events:?}"
    );
}

#[tokio::test]
async fn an_entry_that_stands_twice_in_one_body_leaves_once() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let kept = journal.append(several("1", [5, 5, 6, 5])).await.unwrap();
    assert_eq!(
        kept,
        Kept::New {
            seq: Seq(1),
            changes: 2
        }
    );
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [1, 2]);
}

#[tokio::test]
async fn a_format_that_carries_the_body_gets_the_changes_of_one_receipt_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(several("1", [1, 2])).await.unwrap();
    journal.append(several("1", [3])).await.unwrap();
    let twenty = qbo_relay::journal::Ask { max: 20, ..ONE };
    let ours = lane("erp", "1");
    let view = journal.lane_view(&ours, twenty).await.unwrap();
    assert_eq!(view.head.len(), 2);
    assert_eq!(view.body, Some(several("1", [1, 2]).body));
    let accepted = attempt(Outcome::Accepted);
    journal
        .settle(&delivery(&ours, &view), &accepted, &Settlement::Delivered)
        .await
        .unwrap();
    let view = journal.lane_view(&ours, twenty).await.unwrap();
    assert_eq!(view.head.len(), 1);
    assert_eq!(view.body, Some(several("1", [3]).body));
}

#[tokio::test]
async fn a_failure_is_remembered_over_a_restart_and_forgotten_with_success() {
    let directory = tempfile::tempdir().unwrap();
    let ours = lane("erp", "1");
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    let later = START.plus(Duration::from_secs(30));
    for at in [START, later] {
        let view = journal.lane_view(&ours, MANY).await.unwrap();
        let refused = Attempt {
            at,
            ..attempt(Outcome::Refused {
                status: 500,
                retry_after: None,
            })
        };
        let retry = Settlement::Retry {
            at: at.plus(Duration::from_secs(60)),
        };
        journal
            .settle(&delivery(&ours, &view), &refused, &retry)
            .await
            .unwrap();
    }
    journal.close().await.unwrap();

    let journal = open(directory.path());
    let state = journal.lane_view(&ours, MANY).await.unwrap().state;
    assert_eq!(state.attempts, 2);
    assert_eq!(state.first_attempt_at, Some(START));
    assert_eq!(
        state.next_attempt_at,
        Some(later.plus(Duration::from_secs(60)))
    );
    drain(&journal, &ours).await;
    let state = journal.lane_view(&ours, MANY).await.unwrap().state;
    assert_eq!(state, qbo_relay::model::LaneState::default());
}

#[tokio::test]
async fn what_is_given_up_is_a_dead_letter_and_the_lane_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    journal.append(single("1", 2)).await.unwrap();
    let ours = lane("erp", "1");
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    journal
        .settle(
            &delivery(&ours, &view),
            &gone(),
            &dead("seven days were not enough"),
        )
        .await
        .unwrap();
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    assert_eq!(view.head[0].sequence, 2);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.waiting, snapshot.dead_letters), (1, 1));
}

#[tokio::test]
async fn a_sink_that_wants_nothing_keeps_its_work_until_it_is_enabled() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    let ours = lane("erp", "1");
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    journal
        .settle(&delivery(&ours, &view), &gone(), &Settlement::Disabled)
        .await
        .unwrap();
    journal.close().await.unwrap();

    let journal = open(directory.path());
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    assert!(view.disabled);
    assert_eq!(view.head.len(), 1);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!(snapshot.troubles[0].disabled_at, Some(START));
    let mut woken = journal.subscribe(&realm("1"));
    journal.enable_sink(&sink("erp")).await.unwrap();
    woken.changed().await.unwrap();
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    assert!(!view.disabled);
    assert_eq!(view.state.attempts, 0);
    let snapshot = journal.snapshot().await.unwrap();
    assert!(snapshot.troubles.is_empty());
    let kinds: Vec<&str> = snapshot
        .events
        .iter()
        .map(|event| event.kind.as_str())
        .collect();
    assert_eq!(kinds, ["enabled", "disabled"]);
    assert_eq!(
        journal.enable_sink(&sink("nobody")).await,
        Err(Error::UnknownSink("nobody".into()))
    );
}

#[tokio::test]
async fn a_new_sink_gets_what_comes_and_one_that_was_away_goes_on_where_it_stood() {
    let directory = tempfile::tempdir().unwrap();
    let with = |sinks: &[&str]| {
        let sinks = sinks.iter().map(|name| sink(name)).collect();
        let settings = Settings {
            sinks,
            ..settings(directory.path())
        };
        Journal::open(settings, START).unwrap()
    };
    let journal = with(&["erp"]);
    journal.append(single("1", 1)).await.unwrap();
    journal.close().await.unwrap();
    let journal = with(&["file"]);
    journal.append(single("1", 2)).await.unwrap();
    journal.append(single("2", 3)).await.unwrap();
    assert_eq!(journal.snapshot().await.unwrap().waiting, 2);
    assert_eq!(drain(&journal, &lane("file", "1")).await, [2]);
    assert_eq!(drain(&journal, &lane("file", "2")).await, [1]);
    journal.close().await.unwrap();
    let journal = with(&["erp", "file"]);
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [1, 2]);
    assert_eq!(drain(&journal, &lane("erp", "2")).await, [1]);
    assert_eq!(drain(&journal, &lane("file", "1")).await, [0; 0]);
}

#[tokio::test]
async fn the_last_arrival_is_remembered_repeats_included() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let at = |seconds: u64, number| qbo_relay::model::Receipt {
        received_at: START.plus(Duration::from_secs(seconds)),
        ..single("1", number)
    };
    assert_eq!(
        journal.snapshot().await.unwrap().last_receipt_at,
        None::<Timestamp>
    );
    journal.append(at(1, 1)).await.unwrap();
    journal.append(at(2, 1)).await.unwrap();
    let second = Some(START.plus(Duration::from_secs(2)));
    assert_eq!(journal.snapshot().await.unwrap().last_receipt_at, second);
    journal.close().await.unwrap();
    assert_eq!(
        open(directory.path())
            .snapshot()
            .await
            .unwrap()
            .last_receipt_at,
        second
    );
}
