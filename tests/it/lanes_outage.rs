//! A sink that is out and comes back: who tries it, and when everything goes again.

use crate::support::changes::NOW;
use crate::support::house::{House, to};
use crate::support::receiver::{Answer, PATIENCE, Receiver, Recorded, sequences};
use qbo_relay::clock::Clock;
use qbo_relay::model::{Health, Timestamp};
use qbo_relay::rules::retry::Schedule;
use qbo_relay::sink::{Format, Sink};
use qbo_relay::worker::Worker;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const COMPANIES: [&str; 4] = ["101", "102", "103", "104"];

fn sinks(receiver: &Receiver) -> Vec<Sink> {
    vec![to(receiver, "erp", Format::CloudEvents)]
}

/// As a configuration without a word about it would have it.
fn by_default(worker: &mut Worker) {
    for endpoint in &mut worker.endpoints {
        endpoint.schedule = Schedule::default();
    }
}

/// When a request was signed, in seconds after the start of the test.
fn signed_after(request: &Recorded) -> i64 {
    let at: i64 = request.field("webhook-timestamp").parse().unwrap();
    at - NOW.as_seconds()
}

/// A receiver that answers so until the switch is turned, and 200 then.
async fn out(answer: Answer) -> (Receiver, Arc<watch::Sender<bool>>) {
    let switch = Arc::new(watch::Sender::new(false));
    let is_back = switch.subscribe();
    let receiver = Receiver::start(move |_, _| match *is_back.borrow() {
        true => Answer::Status(200),
        false => answer.clone(),
    });
    (receiver.await, switch)
}

#[tokio::test]
async fn the_first_answer_after_a_long_outage_sends_everything_that_waited() {
    for answer in [Answer::Status(503), Answer::Hangup] {
        let directory = tempfile::tempdir().unwrap();
        let (receiver, switch) = out(answer).await;
        let house = House::open_with(directory.path(), sinks(&receiver), by_default).await;
        for company in COMPANIES {
            house.arrive(company, 1).await;
            house.arrive(company, 2).await;
        }
        // Far into the waits of half an hour and more.
        pass_until(&house, 7_200).await;
        let attempts = receiver.requests().len();
        // One each minute, and those at the begin of it.
        assert!((100..180).contains(&attempts), "{attempts}");
        let returned = since_start(&house);
        switch.send_replace(true);
        while house.tally.changes_delivered.value() < 8 {
            house.pass(Duration::from_secs(1));
            sleep(Duration::from_millis(10)).await;
        }
        let requests = receiver.requests();
        for company in COMPANIES {
            let mut order = sequences(&requests, company);
            order.dedup();
            assert_eq!(order, [1, 2], "in order");
        }
        let last = signed_after(requests.last().unwrap());
        assert!(last - returned <= 120, "{last} s, back at {returned} s");
        house.close().await;
    }
}

#[tokio::test]
async fn patience_that_is_asked_for_is_had_by_other_companies_too() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number, _| match number {
        0 => Answer::With(503, "retry-after", "300".into()),
        _ => Answer::Status(200),
    })
    .await;
    let house = House::open_with(directory.path(), sinks(&receiver), by_default).await;
    house.arrive("101", 1).await;
    receiver.wait_for(1).await;
    house.until(|health| !health.troubles.is_empty()).await;
    house.arrive("102", 1).await;
    house.arrive("103", 1).await;
    let requests = house.run_until(&receiver, 4).await;
    for request in &requests[1..] {
        let at = signed_after(request);
        assert!((300..=375).contains(&at), "{at}");
    }
    house.until_delivered(3).await;
    house.close().await;
}

#[tokio::test]
async fn a_restart_does_not_keep_a_sink_waiting_that_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let (receiver, switch) = out(Answer::Status(502)).await;
    let house = House::open_with(directory.path(), sinks(&receiver), by_default).await;
    for company in COMPANIES {
        house.arrive(company, 1).await;
    }
    pass_until(&house, 30_000).await;
    // Until each lane waits for long by its own schedule.
    let far = |at: Timestamp| at.since(house.clock.now()) > Duration::from_secs(900);
    let waits = |health: &Health| health.troubles[0].next_attempt_at.is_some_and(far);
    let health = house.health.clone();
    let passing = async {
        while !waits(&health.borrow()) {
            house.pass(Duration::from_secs(5));
            sleep(Duration::from_millis(20)).await;
        }
    };
    let passed = timeout(PATIENCE * 3, passing).await;
    passed.unwrap_or_else(|_| panic!("{:?}", health.borrow()));
    let stopped = since_start(&house);
    let before = receiver.requests().len();
    house.close().await;

    switch.send_replace(true);
    let house = House::open_with(directory.path(), sinks(&receiver), by_default).await;
    house
        .clock
        .set(NOW.plus(Duration::from_secs(stopped.unsigned_abs())));
    house.run_until(&receiver, before + COMPANIES.len()).await;
    house.until_delivered(4).await;
    let last = signed_after(receiver.requests().last().unwrap());
    assert!(last - stopped <= 180, "{last} s, stopped at {stopped} s");
    house.close().await;
}

/// Lets the clock run until it shows so many seconds after the start of the test.
async fn pass_until(house: &House, seconds: i64) {
    while since_start(house) < seconds {
        house.pass(Duration::from_secs(20));
        sleep(Duration::from_millis(12)).await;
    }
}

fn since_start(house: &House) -> i64 {
    house.clock.now().as_seconds() - NOW.as_seconds()
}
