//! The lanes: in order, at least once, each for itself.

use crate::support::changes::{NOW, receipt_of};
use crate::support::house::{House, to};
use crate::support::receiver::{Answer, Receiver, Recorded, event, sequences};
use qbo_relay::model::{Health, SinkName};
use qbo_relay::sink::{FileSink, Format, Sink, file};
use qbo_relay::wire::outgoing::open_connectors::OpenConnectors;
use serde_json::Value;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::sync::watch;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// When a request was signed, in seconds after the start of the test.
fn signed_after(request: &Recorded) -> i64 {
    let at: i64 = request.field("webhook-timestamp").parse().unwrap();
    at - NOW.as_seconds()
}

#[tokio::test]
async fn order_is_kept_while_a_sink_fails() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number, _| match number {
        0 | 1 | 3 => Answer::Status(500),
        _ => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    for number in 1..=3 {
        house.arrive("310687", number).await;
    }
    let requests = house.run_until(&receiver, 6).await;
    assert_eq!(sequences(&requests, "310687"), [1, 1, 1, 2, 2, 3]);
    let attempts: Vec<&str> = requests
        .iter()
        .map(|request| request.field("qbo-relay-attempt"))
        .collect();
    assert_eq!(attempts, ["1", "2", "3", "1", "2", "1"]);
    let ids: Vec<&str> = requests.iter().map(|r| r.field("webhook-id")).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[3] == ids[4]);
    house.until_delivered(3).await;
    assert_eq!(house.tally.attempts.value(), 6);
    assert_eq!(house.tally.attempts_failed.value(), 3);
    house.close().await;
}

#[tokio::test]
async fn the_schedule_is_followed_to_the_millisecond() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, request| match event(request).0.as_str() {
        "310687" => Answer::Status(500),
        _ => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    let mut now = NOW;
    for (failures, due) in [(1, 5), (2, 30), (3, 60), (4, 60)] {
        let next = now.plus(seconds(due));
        let failed = |health: &Health| {
            let trouble = health.troubles.first();
            trouble.is_some_and(|trouble| trouble.next_attempt_at == Some(next))
        };
        house.until(failed).await;
        house.clock.set(next.minus(Duration::from_millis(1)));
        // The other company's change goes there and back while the failing lane looks several times.
        house.arrive("999", failures).await;
        house.until_accepted(failures.into()).await;
        let requests = receiver.requests();
        let attempts = sequences(&requests, "310687").len();
        assert_eq!(attempts, usize::from(failures));
        house.clock.set(next);
        now = next;
    }
    house.close().await;
}

#[tokio::test]
async fn a_wish_for_patience_is_honoured_within_bounds() {
    for (wish, due) in [("300", 300), ("20", 30), ("0", 30), ("99999999", 6 * 3600)] {
        let directory = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(move |number, _| match number {
            0 => Answer::With(503, "retry-after", wish.to_owned()),
            _ => Answer::Status(200),
        })
        .await;
        let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
        let house = House::open(directory.path(), sinks).await;
        house.arrive("310687", 1).await;
        let health = house.until(|health| !health.troubles.is_empty()).await;
        let next = health.troubles[0].next_attempt_at.unwrap();
        assert_eq!(next, NOW.plus(seconds(due)), "{wish}");
        house.clock.set(next);
        let requests = receiver.wait_for(2).await;
        assert_eq!(signed_after(&requests[1]).unsigned_abs(), due);
        house.close().await;
    }
}

#[tokio::test]
async fn a_sink_that_is_gone_rests_with_its_work_until_it_is_enabled() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start_with(vec![Answer::Status(410), Answer::Status(200)]).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    let health = house
        .until(|health| health.troubles.iter().any(|trouble| trouble.disabled))
        .await;
    assert!(health.troubles[0].failure.contains("410"), "{health:?}");
    for number in 1..=3 {
        house.arrive("999", number).await;
    }
    house.pass(seconds(86_400));
    let health = house.until(|health| health.waiting == 4).await;
    assert_eq!(health.dead_letters, 0);
    assert_eq!(receiver.requests().len(), 1);
    let name = SinkName::new("erp").unwrap();
    house.journal.enable_sink(&name).await.unwrap();
    let requests = receiver.wait_for(5).await;
    assert_eq!(sequences(&requests, "310687"), [1, 1]);
    assert_eq!(sequences(&requests, "999"), [1, 2, 3]);
    house.until_delivered(4).await;
    house.close().await;
}

#[tokio::test]
async fn a_sink_that_hangs_delays_no_other_sink_and_opens_few_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let dead = Receiver::start(|_, _| Answer::Silence).await;
    let alive = Receiver::start(|_, _| Answer::Status(200)).await;
    let sinks = vec![
        to(&dead, "dead", Format::CloudEvents),
        to(&alive, "alive", Format::CloudEvents),
    ];
    let house = House::open(directory.path(), sinks).await;
    for company in 0..40 {
        house.arrive(&format!("company-{company}"), 1).await;
    }
    alive.wait_for(40).await;
    for company in 0..40 {
        house.arrive(&format!("company-{company}"), 2).await;
    }
    let requests = alive.wait_for(80).await;
    for company in 0..40 {
        let company = format!("company-{company}");
        assert_eq!(sequences(&requests, &company), [1, 2]);
    }
    // Eight at a time is what the sink's own settings allow.
    assert_eq!(dead.wait_for(8).await.len(), 8);
    // The lanes of the dead sink would finish their attempts first; the test has seen enough.
    house.tell();
}

#[tokio::test]
async fn what_is_given_up_becomes_a_dead_letter_with_its_cause_and_the_next_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, request| match event(request).1 {
        1 => Answer::Status(422),
        _ => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    house.arrive("310687", 2).await;
    let health = house.until(|health| !health.troubles.is_empty()).await;
    assert!(health.troubles[0].failure.contains("422"), "{health:?}");
    house.pass(seconds(600));
    house.until(|health| health.dead_letters == 1).await;
    house.until_delivered(1).await;
    assert_eq!(house.tally.changes_dead.value(), 1);
    assert_eq!(sequences(&receiver.requests(), "310687"), [1, 1, 2]);
    house.close().await;
}

#[tokio::test]
async fn a_new_company_gets_its_lanes_without_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    // With a tick of an hour, only wake-ups can do it.
    let house = House::open_with(directory.path(), sinks, |worker| {
        worker.tick = seconds(3600);
    })
    .await;
    for company in ["1", "2", "3"] {
        house.arrive(company, 1).await;
        house.arrive(company, 2).await;
    }
    let requests = receiver.wait_for(6).await;
    for company in ["1", "2", "3"] {
        assert_eq!(sequences(&requests, company), [1, 2]);
    }
    house.until_delivered(6).await;
    house.close().await;
}

#[tokio::test]
async fn a_batch_that_fails_is_tried_again_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let gate = watch::Sender::new(false);
    let held = gate.subscribe();
    let size = |request: &Recorded| request.json().as_array().unwrap().len();
    let receiver = Receiver::start(move |number, request| match number {
        0 => Answer::Gated(held.clone(), 200),
        _ if size(request) > 1 => Answer::Status(500),
        _ => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEventsBatch)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    receiver.wait_for(1).await;
    for number in 2..=4 {
        house.arrive("310687", number).await;
    }
    gate.send_replace(true);
    house.until(|health| !health.troubles.is_empty()).await;
    house.pass(seconds(5));
    let requests = receiver.wait_for(3).await;
    let sizes: Vec<usize> = requests.iter().map(size).collect();
    assert_eq!(sizes[..3], [1, 3, 1]);
    house.close().await;
}

#[tokio::test]
async fn a_callback_carries_events_of_one_receipt_and_its_whole_body() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let format = Format::OpenConnectors(OpenConnectors::default());
    let sinks = vec![to(&receiver, "erp", format)];
    let house = House::open(directory.path(), sinks).await;
    let first = receipt_of("310687", 1..=25);
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    house.journal.append(first).await.unwrap();
    house.arrive("310687", 26).await;
    let callbacks = receiver.wait_for(3).await;
    let events = |request: &Recorded| request.json()["message"]["events"].as_array().map(Vec::len);
    let counts: Vec<Option<usize>> = callbacks.iter().map(events).collect();
    assert_eq!(counts, [Some(20), Some(5), Some(1)]);
    assert_eq!(callbacks[0].json()["message"]["raw"], body);
    assert_eq!(callbacks[1].json()["message"]["raw"], body);
    house.until_delivered(26).await;
    house.close().await;
}

#[tokio::test]
async fn a_file_is_a_lane_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("events.jsonl");
    let settings = file::Settings {
        name: SinkName::new("archive").unwrap(),
        path: file.clone(),
        format: Format::CloudEvents,
        rotate_bytes: 16 << 20,
        keep: NonZeroU32::MIN,
        total: seconds(20),
    };
    let sinks = vec![Sink::File(FileSink::new(settings))];
    let house = House::open(directory.path(), sinks).await;
    for company in ["1", "2"] {
        let receipt = receipt_of(company, 1..=100);
        house.journal.append(receipt).await.unwrap();
    }
    house.until_delivered(200).await;
    house.close().await;
    let text = std::fs::read_to_string(file).unwrap();
    for company in ["1", "2"] {
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let own = events.filter(|event: &Value| event["realmid"] == company);
        let ids: Vec<String> = own.map(|event| event["entityid"].to_string()).collect();
        let expected: Vec<String> = (1..=100).map(|number| format!("\"{number}\"")).collect();
        assert_eq!(ids, expected);
    }
}
