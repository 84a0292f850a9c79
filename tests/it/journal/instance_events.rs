//! What an instance's owner is shown of its events.

use super::instance_support::*;
use super::readings::after;
use super::support::*;
use qbo_relay::journal::{
    Error, EventCount, EventStanding, InstanceEvent, InstanceEventsAsk, Journal,
};
use qbo_relay::model::{InstanceId, Receipt, Settlement, Timestamp};
use std::collections::BTreeMap;

const ALL: InstanceEventsAsk = InstanceEventsAsk {
    page_size: 100,
    before: None,
    from: None,
    to: None,
};

async fn list(journal: &Journal, id: InstanceId, ask: InstanceEventsAsk) -> Vec<InstanceEvent> {
    journal.instance_events(id, ask).await.unwrap().events
}

/// `3 waiting`, newest first.
fn outline(events: &[InstanceEvent]) -> Vec<String> {
    let one = |event: &InstanceEvent| {
        let standing = match &event.standing {
            EventStanding::Listed => "listed",
            EventStanding::Waiting => "waiting",
            EventStanding::Failing { last_failure } => last_failure,
            EventStanding::Queued => "queued",
            EventStanding::Delivered => "delivered",
            EventStanding::Dead { reason } => reason,
        };
        format!("{} {standing}", event.change.sequence)
    };
    events.iter().map(one).collect()
}

/// Attempts what is at the head, with this end.
async fn settle(journal: &Journal, id: InstanceId, settlement: Settlement) {
    let ours = lane_of(id, "1");
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    let said = delivery(&ours, &view);
    journal
        .settle(&said, &attempt(REFUSED), &settlement)
        .await
        .unwrap();
}

#[tokio::test]
async fn events_are_listed_newest_first_with_what_became_of_each() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(of_kind("1", 1, "Bill")).await.unwrap();
    let id = create(&journal, &polled("1", &["Bill"])).await;
    for number in 2..=6 {
        journal.append(of_kind("1", number, "Bill")).await.unwrap();
        journal.append(single("1", 100 + number)).await.unwrap();
        journal
            .append(of_kind("2", 200 + number, "Bill"))
            .await
            .unwrap();
    }
    settle(&journal, id, Settlement::Delivered).await;
    settle(
        &journal,
        id,
        Settlement::Dead {
            reason: "given up".into(),
        },
    )
    .await;
    settle(&journal, id, Settlement::Retry { at: after(60) }).await;
    let events = list(&journal, id, ALL).await;
    let expected = [
        "10 waiting",
        "8 waiting",
        "6 refuses: HTTP 500",
        "4 given up",
        "2 delivered",
    ];
    assert_eq!(outline(&events), expected);
    assert!(
        events
            .iter()
            .all(|event| event.body.as_ref().is_some_and(|body| !body.is_empty()))
    );

    settle(&journal, id, Settlement::Disabled).await;
    let paused = outline(&list(&journal, id, ALL).await);
    assert_eq!(paused[..3], ["10 queued", "8 queued", "6 queued"]);
    journal.switch_instance(id, false, after(2)).await.unwrap();
    journal.append(of_kind("1", 7, "Bill")).await.unwrap();
    let off = outline(&list(&journal, id, ALL).await);
    let lost = "10 the instance was switched off before it went";
    assert_eq!(
        (off.len(), off[0].as_str(), off[4].as_str()),
        (5, lost, "2 delivered")
    );
    journal.switch_instance(id, true, after(3)).await.unwrap();
    assert_eq!(list(&journal, id, ALL).await, []);
    journal.append(of_kind("1", 8, "Bill")).await.unwrap();
    assert_eq!(outline(&list(&journal, id, ALL).await), ["13 waiting"]);
}

#[tokio::test]
async fn what_was_never_for_an_instance_is_not_listed_as_delivered_when_its_kinds_change() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &polled("1", &["Bill"])).await;
    journal.append(of_kind("1", 1, "Bill")).await.unwrap();
    journal.append(several("1", 2..=3)).await.unwrap();
    settle(&journal, id, Settlement::Delivered).await;
    journal.append(of_kind("1", 4, "Bill")).await.unwrap();
    let both = polled("1", &["Bill", "Invoice"]);
    let update = journal.update_instance(id, both, None, after(1));
    update.await.unwrap();
    journal.append(single("1", 5)).await.unwrap();
    let events = outline(&list(&journal, id, ALL).await);
    assert_eq!(events, ["5 waiting", "4 waiting"]);
    assert_eq!(drain(&journal, &lane_of(id, "1")).await, [4, 5]);
}

#[tokio::test]
async fn events_of_an_instance_without_a_callback_are_listed_and_nothing_waits() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &listed("1")).await;
    journal.append(several("1", 1..=2)).await.unwrap();
    assert_eq!(
        outline(&list(&journal, id, ALL).await),
        ["2 listed", "1 listed"]
    );
    assert_eq!(waiting(&journal).await, 0);
}

#[tokio::test]
async fn pages_follow_each_other_and_times_narrow_them() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &polled("1", &["Bill"])).await;
    // More than one step looks through, with few that are meant.
    for number in 0..45_i64 {
        let receipt = Receipt {
            received_at: after(number),
            ..several(
                "1",
                (number * 200..number * 200 + 199).map(i64::cast_unsigned),
            )
        };
        journal.append(receipt).await.unwrap();
        let bill = of_kind("1", 1_000_000 + number.cast_unsigned(), "Bill");
        let bill = Receipt {
            received_at: after(number),
            ..bill
        };
        journal.append(bill).await.unwrap();
    }
    let mut sequences = Vec::new();
    let mut ask = InstanceEventsAsk {
        page_size: 10,
        ..ALL
    };
    loop {
        let page = journal.instance_events(id, ask).await.unwrap();
        assert!(page.events.len() == 10 || page.next.is_none());
        sequences.extend(page.events.iter().map(|event| event.change.sequence));
        match page.next {
            Some(next) => ask.before = Some(next),
            None => break,
        }
    }
    let expected: Vec<u64> = (1..=45).rev().map(|number| number * 200).collect();
    assert_eq!(sequences, expected);
    let some = InstanceEventsAsk {
        from: Some(after(3)),
        to: Some(after(6)),
        ..ALL
    };
    let sequences = list(&journal, id, some).await;
    assert_eq!(
        outline(&sequences),
        ["1200 waiting", "1000 waiting", "800 waiting"]
    );

    let oldest = list(&journal, id, ALL).await.pop().unwrap();
    let meant = oldest.change.id.clone();
    let found = journal
        .instance_event(id, move |change| *change == meant)
        .await;
    assert_eq!(found.unwrap(), Some(oldest));
    let found = journal.instance_event(id, |_| false).await;
    assert_eq!(found.unwrap(), None);
    let interval = |at: Timestamp| after((at.as_seconds() - START.as_seconds()) / 20 * 20);
    let counts = journal.instance_counts(id, (after(10), after(45)), interval);
    let total = |total| EventCount {
        total,
        ..EventCount::default()
    };
    let expected = BTreeMap::from([
        (after(0), total(10)),
        (after(20), total(20)),
        (after(40), total(5)),
    ]);
    assert_eq!(counts.await.unwrap(), expected);
}

#[tokio::test]
async fn counts_tell_what_was_delivered_and_what_was_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &webhook("1")).await;
    for number in 1..=4 {
        journal.append(single("1", number)).await.unwrap();
    }
    settle(&journal, id, Settlement::Delivered).await;
    settle(
        &journal,
        id,
        Settlement::Dead {
            reason: "given up".into(),
        },
    )
    .await;
    let counts = journal
        .instance_counts(id, (START, after(1)), |_| START)
        .await
        .unwrap();
    let expected = EventCount {
        total: 4,
        delivered: 1,
        dead: 1,
    };
    assert_eq!(counts, BTreeMap::from([(START, expected)]));
}

#[tokio::test]
async fn an_instance_that_is_not_there_has_no_events() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let id = InstanceId::new(77).unwrap();
    let unknown = Error::NoInstance(77);
    assert_eq!(journal.instance_events(id, ALL).await, Err(unknown.clone()));
    assert_eq!(
        journal.instance_event(id, |_| true).await,
        Err(unknown.clone())
    );
    let counts = journal
        .instance_counts(id, (START, after(1)), |at| at)
        .await;
    assert_eq!(counts, Err(unknown));
}
