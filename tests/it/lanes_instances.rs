//! The lanes of element instances: published, changed and withdrawn while the worker runs.

use crate::support::changes::NOW;
use crate::support::house::{House, schedule, to};
use crate::support::receiver::{Answer, Receiver, sequences};
use qbo_relay::model::{Health, InstanceDraft, InstanceId, Interest, Polling, RealmId};
use qbo_relay::rules::retry::Schedule;
use qbo_relay::sink::Format;
use qbo_relay::worker::Endpoint;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const COMPANY: &str = "310687";

/// What is published to the worker.
type Published = watch::Sender<Arc<[Endpoint]>>;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A house with one configured sink and nothing published yet.
async fn open(directory: &Path, configured: &Receiver) -> (House, Published) {
    let published = Published::new(Arc::default());
    let sinks = vec![to(configured, "erp", Format::CloudEvents)];
    let house = House::open_with(directory, sinks, |worker| {
        worker.published = published.subscribe();
    });
    (house.await, published)
}

/// An instance of a company that is told of everything, or of these kinds.
async fn instance(house: &House, company: &str, kinds: &[&str]) -> InstanceId {
    let polling = (!kinds.is_empty()).then(|| Polling {
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        interval: Duration::from_mins(15),
    });
    let draft = InstanceDraft {
        realm: RealmId::new(company).unwrap(),
        name: "books".into(),
        tags: Vec::new(),
        token_digest: [0; 32],
        sealed: Vec::new(),
        events: Some(Interest {
            webhook: polling.is_none(),
            polling,
            calls_back: true,
        }),
    };
    let created = house.journal.create_instance(draft, None, NOW);
    created.await.unwrap()
}

fn endpoint(receiver: &Receiver, id: InstanceId, schedule: Schedule) -> Endpoint {
    let sink = to(receiver, id.sink().as_str(), Format::CloudEvents);
    Endpoint::new(Arc::new(sink), schedule)
}

async fn accepting() -> Receiver {
    Receiver::start(|_, _| Answer::Status(200)).await
}

/// Waits until this is true of the journal; a change of the configured sink's company wakes nobody
/// but its own lanes.
async fn until_waiting(house: &House, count: u64) -> Health {
    house.until(|health| health.waiting == count).await
}

#[tokio::test]
async fn an_instance_gets_its_companys_changes_of_its_kinds_and_the_configured_sink_all() {
    let directory = tempfile::tempdir().unwrap();
    let (erp, webhook, bills, other) = (
        accepting().await,
        accepting().await,
        accepting().await,
        accepting().await,
    );
    let (house, published) = open(directory.path(), &erp).await;
    house.arrive(COMPANY, 1).await;
    house.until_delivered(1).await;
    let ids = [
        instance(&house, COMPANY, &[]).await,
        instance(&house, COMPANY, &["Bill"]).await,
        instance(&house, "999", &["Invoice"]).await,
    ];
    let receivers = [&webhook, &bills, &other];
    let endpoints = receivers.into_iter().zip(ids);
    published.send_replace(
        endpoints
            .map(|(receiver, id)| endpoint(receiver, id, schedule()))
            .collect(),
    );
    for number in 2..=4 {
        house.arrive(COMPANY, number).await;
        house.arrive("999", number).await;
    }
    house.until_delivered(7 + 3 + 3).await;
    assert_eq!(sequences(&erp.requests(), COMPANY), [1, 2, 3, 4]);
    assert_eq!(sequences(&webhook.requests(), COMPANY), [2, 3, 4]);
    assert_eq!(sequences(&other.requests(), "999"), [1, 2, 3]);
    assert_eq!((webhook.requests().len(), other.requests().len()), (3, 3));
    assert_eq!(bills.requests().len(), 0);
    house.close().await;
}

#[tokio::test]
async fn a_changed_endpoint_takes_over_after_the_attempt_in_flight_and_nothing_is_lost_or_repeated()
{
    let directory = tempfile::tempdir().unwrap();
    let gate = watch::Sender::new(false);
    let held = gate.subscribe();
    let before = Receiver::start(move |_, _| Answer::Gated(held.clone(), 200)).await;
    let (erp, after) = (accepting().await, accepting().await);
    let (house, published) = open(directory.path(), &erp).await;
    let id = instance(&house, COMPANY, &[]).await;
    published.send_replace([endpoint(&before, id, schedule())].into());
    for number in 1..=3 {
        house.arrive(COMPANY, number).await;
    }
    before.wait_for(1).await;
    published.send_replace([endpoint(&after, id, schedule())].into());
    // Meanwhile a new company is noticed, so the worker has looked around.
    house.arrive("999", 1).await;
    erp.wait_for(4).await;
    assert_eq!(after.requests().len(), 0);
    gate.send_replace(true);
    house.until_delivered(7).await;
    assert_eq!(sequences(&before.requests(), COMPANY), [1]);
    assert_eq!(sequences(&after.requests(), COMPANY), [2, 3]);
    house.close().await;
}

#[tokio::test]
async fn what_failed_at_the_old_address_is_tried_at_the_new_one_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let refusing = Receiver::start(|_, _| Answer::Status(500)).await;
    let (erp, after) = (accepting().await, accepting().await);
    let (house, published) = open(directory.path(), &erp).await;
    let id = instance(&house, COMPANY, &[]).await;
    published.send_replace([endpoint(&refusing, id, schedule())].into());
    house.arrive(COMPANY, 1).await;
    house.until(|health| !health.troubles.is_empty()).await;
    let draft = house.journal.instances().await.unwrap().remove(0).draft;
    house
        .journal
        .update_instance(id, draft, None, NOW)
        .await
        .unwrap();
    published.send_replace([endpoint(&after, id, schedule())].into());
    // The clock stands.
    assert_eq!(sequences(&after.wait_for(1).await, COMPANY), [1]);
    house.close().await;
}

#[tokio::test]
async fn what_is_published_again_unchanged_keeps_its_lane() {
    let directory = tempfile::tempdir().unwrap();
    let gate = watch::Sender::new(false);
    let held = gate.subscribe();
    let slow = Receiver::start(move |_, _| Answer::Gated(held.clone(), 200)).await;
    let erp = accepting().await;
    let (house, published) = open(directory.path(), &erp).await;
    let id = instance(&house, COMPANY, &[]).await;
    let same = endpoint(&slow, id, schedule());
    published.send_replace([same.clone()].into());
    house.arrive(COMPANY, 1).await;
    house.arrive(COMPANY, 2).await;
    slow.wait_for(1).await;
    let other = instance(&house, "999", &[]).await;
    published.send_replace([same, endpoint(&erp, other, schedule())].into());
    house.arrive("999", 1).await;
    erp.wait_for(4).await;
    gate.send_replace(true);
    house.until_delivered(6).await;
    // One connection, in order, once each.
    let requests = slow.requests();
    assert_eq!(sequences(&requests, COMPANY), [1, 2]);
    house.close().await;
}

#[tokio::test]
async fn the_lane_of_a_deleted_instance_ends_and_the_others_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let gate = watch::Sender::new(false);
    let held = gate.subscribe();
    let gone = Receiver::start(move |_, _| Answer::Gated(held.clone(), 200)).await;
    let (erp, stays) = (accepting().await, accepting().await);
    let (house, published) = open(directory.path(), &erp).await;
    let goes = instance(&house, COMPANY, &[]).await;
    let keeps = instance(&house, COMPANY, &[]).await;
    let kept = endpoint(&stays, keeps, schedule());
    published.send_replace([endpoint(&gone, goes, schedule()), kept.clone()].into());
    house.arrive(COMPANY, 1).await;
    house.arrive(COMPANY, 2).await;
    gone.wait_for(1).await;
    house.journal.delete_instance(goes, NOW).await.unwrap();
    gate.send_replace(true);
    published.send_replace([kept].into());
    house.arrive(COMPANY, 3).await;
    assert_eq!(sequences(&stays.wait_for(3).await, COMPANY), [1, 2, 3]);
    assert_eq!(sequences(&erp.wait_for(3).await, COMPANY), [1, 2, 3]);
    until_waiting(&house, 0).await;
    assert_eq!(gone.requests().len(), 1);
    house.close().await;
}

#[tokio::test]
async fn an_instance_that_is_switched_off_and_on_again_has_its_lane_again() {
    let directory = tempfile::tempdir().unwrap();
    let (erp, hook) = (accepting().await, accepting().await);
    let (house, published) = open(directory.path(), &erp).await;
    let id = instance(&house, COMPANY, &[]).await;
    published.send_replace([endpoint(&hook, id, schedule())].into());
    house.arrive(COMPANY, 1).await;
    house.until_delivered(2).await;
    house.journal.switch_instance(id, false, NOW).await.unwrap();
    house.arrive(COMPANY, 2).await;
    house.until_delivered(3).await;
    house.journal.switch_instance(id, true, NOW).await.unwrap();
    house.arrive(COMPANY, 3).await;
    house.until_delivered(5).await;
    assert_eq!(sequences(&hook.requests(), COMPANY), [1, 3]);
    house.close().await;
}

#[tokio::test]
async fn after_the_fifth_retry_a_subscription_is_paused_and_its_queue_goes_in_order_when_re_sent() {
    let directory = tempfile::tempdir().unwrap();
    let hook =
        Receiver::start(|number, _| Answer::Status(if number < 6 { 500 } else { 200 })).await;
    let erp = accepting().await;
    let (house, published) = open(directory.path(), &erp).await;
    let id = instance(&house, COMPANY, &[]).await;
    let delays = [8, 56, 448, 3_584, 28_672].map(seconds).to_vec();
    published.send_replace([endpoint(&hook, id, Schedule::pausing(delays.clone()))].into());
    house.arrive(COMPANY, 1).await;
    let mut at = NOW;
    for (failures, delay) in delays.iter().enumerate() {
        at = at.plus(*delay);
        let is_next = |health: &Health| {
            let trouble = health.troubles.first();
            trouble.is_some_and(|trouble| trouble.next_attempt_at == Some(at))
        };
        house.until(is_next).await;
        assert_eq!(hook.requests().len(), failures + 1);
        house.clock.set(at);
    }
    let paused = house
        .until(|health| health.troubles.iter().any(|one| one.disabled))
        .await;
    assert_eq!((paused.dead_letters, hook.requests().len()), (0, 6));
    for number in 2..=3 {
        house.arrive(COMPANY, number).await;
    }
    house.pass(seconds(7 * 86_400));
    until_waiting(&house, 3).await;
    erp.wait_for(3).await;
    assert_eq!(hook.requests().len(), 6);
    house.journal.enable_sink(&id.sink()).await.unwrap();
    house.until_delivered(6).await;
    assert_eq!(
        sequences(&hook.requests(), COMPANY),
        [1, 1, 1, 1, 1, 1, 1, 2, 3]
    );
    house.close().await;
}

#[tokio::test]
async fn a_restarted_relay_finds_its_instances_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let hook =
        Receiver::start(|number, _| Answer::Status(if number == 1 { 500 } else { 200 })).await;
    let erp = accepting().await;
    let (house, published) = open(directory.path(), &erp).await;
    let id = instance(&house, COMPANY, &["invoice"]).await;
    // The journal knows it before the worker does.
    house.arrive(COMPANY, 1).await;
    house.arrive(COMPANY, 2).await;
    published.send_replace([endpoint(&hook, id, Schedule::pausing(Vec::new()))].into());
    house
        .until(|health| health.troubles.iter().any(|one| one.disabled))
        .await;
    house.close().await;

    let (house, published) = open(directory.path(), &erp).await;
    published.send_replace([endpoint(&hook, id, Schedule::pausing(Vec::new()))].into());
    house
        .until(|health| health.troubles.iter().any(|one| one.disabled))
        .await;
    assert_eq!(hook.requests().len(), 2);
    house.journal.enable_sink(&id.sink()).await.unwrap();
    assert_eq!(sequences(&hook.wait_for(3).await, COMPANY), [1, 2, 2]);
    house.close().await;
}

#[tokio::test]
async fn callbacks_that_hang_keep_no_configured_sink_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let dead = Receiver::start(|_, _| Answer::Silence).await;
    let erp = accepting().await;
    let (house, published) = open(directory.path(), &erp).await;
    let mut endpoints = Vec::new();
    for _ in 0..40 {
        let id = instance(&house, COMPANY, &[]).await;
        endpoints.push(endpoint(&dead, id, schedule()));
    }
    published.send_replace(endpoints.into());
    for number in 1..=20 {
        house.arrive(COMPANY, number).await;
    }
    assert_eq!(sequences(&erp.wait_for(20).await, COMPANY).len(), 20);
    // All instances share what one more sink would get.
    assert_eq!(dead.wait_for(32).await.len(), 32);
    // The lanes would finish their attempts first; the test has seen enough.
    house.tell();
}
