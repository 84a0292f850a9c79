//! Replays: the same id, said to be a replay, and never in the way of what is new.

use crate::support::changes::NOW;
use crate::support::house::{House, to};
use crate::support::receiver::{Answer, Receiver, Recorded};
use qbo_relay::journal::{DeadFilter, ReplayRequest, Selection};
use qbo_relay::model::ChangeSeq;
use qbo_relay::sink::Format;
use std::time::Duration;

fn is_replay(request: &Recorded) -> bool {
    request.headers.contains_key("qbo-relay-replay")
}

fn everything() -> ReplayRequest {
    let selection = Selection::Range {
        from: ChangeSeq(1),
        to: ChangeSeq(i64::MAX),
    };
    ReplayRequest {
        selection,
        sinks: None,
    }
}

#[tokio::test]
async fn a_replay_keeps_its_id_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    house.arrive("310687", 2).await;
    house.until_delivered(2).await;
    let plan = house.journal.replay(everything(), true, NOW).await.unwrap();
    assert_eq!(plan.planned.len(), 2);
    house
        .journal
        .replay(everything(), false, NOW)
        .await
        .unwrap();
    let requests = receiver.wait_for(4).await;
    for (live, replay) in requests.iter().zip(&requests[2..]) {
        assert!(!is_replay(live) && is_replay(replay));
        for name in ["webhook-id", "idempotency-key"] {
            assert_eq!(live.field(name), replay.field(name));
        }
        assert_eq!(live.body, replay.body, "same key, same bytes");
    }
    house.until_delivered(4).await;
    house.close().await;
}

#[tokio::test]
async fn a_failing_replay_holds_nothing_back() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, request| match is_replay(request) {
        true => Answer::Status(500),
        false => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    house.until_delivered(1).await;
    house
        .journal
        .replay(everything(), false, NOW)
        .await
        .unwrap();
    receiver.wait_for(2).await;
    house.arrive("310687", 2).await;
    let requests = receiver.wait_for(3).await;
    let replays: Vec<bool> = requests.iter().map(is_replay).collect();
    assert_eq!(replays, [false, true, false]);
    house.close().await;
}

#[tokio::test]
async fn a_dead_letter_can_be_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number, _| match number {
        0 | 1 => Answer::Status(500),
        _ => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    house.until(|health| !health.troubles.is_empty()).await;
    house.pass(Duration::from_secs(600));
    house.until(|health| health.dead_letters == 1).await;
    let request = ReplayRequest {
        selection: Selection::DeadLetters(DeadFilter::default()),
        sinks: None,
    };
    house.journal.replay(request, false, NOW).await.unwrap();
    let requests = receiver.wait_for(3).await;
    assert!(is_replay(&requests[2]));
    assert_eq!(
        requests[0].field("webhook-id"),
        requests[2].field("webhook-id")
    );
    house
        .until(|health| health.dead_letters == 0 && health.waiting == 0)
        .await;
    house.close().await;
}
