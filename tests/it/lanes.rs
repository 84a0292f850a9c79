//! The lanes: in order, at least once, each for itself.

use crate::support::changes::NOW;
use crate::support::house::{House, to};
use crate::support::receiver::{Answer, Receiver, Recorded};
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::model::{Health, SinkName, Timestamp};
use qbo_relay::sink::Format;
use qbo_relay::worker::Ended;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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

/// Company and place in its order.
fn event(request: &Recorded) -> (String, u64) {
    let event = request.json();
    let sequence = event["sequence"].as_str().unwrap().parse().unwrap();
    (event["realmid"].as_str().unwrap().to_owned(), sequence)
}

fn sequences(requests: &[Recorded], company: &str) -> Vec<u64> {
    let events = requests.iter().map(event);
    let own = events.filter(|(realm, _)| realm == company);
    own.map(|(_, sequence)| sequence).collect()
}

/// Lets the clock run in steps of a second until so many requests have come.
async fn run_until(house: &House, receiver: &Receiver, count: usize) -> Vec<Recorded> {
    while receiver.requests().len() < count {
        house.pass(seconds(1));
        // Several looks of every lane, so that an attempt is signed in the second it is due in.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    receiver.requests()
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
    let requests = run_until(&house, &receiver, 6).await;
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
    for (wish, due) in [("20", 20), ("0", 1), ("99999999", 6 * 3600)] {
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
async fn a_restart_goes_on_where_the_last_run_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, request| {
        let early = request.field("qbo-relay-attempt") < "3";
        let stuck = event(request) == ("310687".into(), 2) && early;
        Answer::Status(if stuck { 503 } else { 200 })
    })
    .await;
    let sinks = || vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks()).await;
    for number in 1..=3 {
        house.arrive("310687", number).await;
    }
    house
        .until(|health| health.waiting == 2 && !health.troubles.is_empty())
        .await;
    house.close().await;

    let house = House::open(directory.path(), sinks()).await;
    let health = house.until(|health| !health.troubles.is_empty()).await;
    let next = health.troubles[0].next_attempt_at.unwrap();
    house.clock.set(next.minus(Duration::from_millis(1)));
    house.arrive("999", 1).await;
    assert_eq!(event(&receiver.wait_for(3).await[2]).0, "999");
    house.clock.set(next);
    let later = |health: &Health| health.troubles[0].next_attempt_at > Some(next);
    let health = house.until(later).await;
    house.clock.set(health.troubles[0].next_attempt_at.unwrap());
    let requests = receiver.wait_for(6).await;
    let attempts: Vec<&str> = requests
        .iter()
        .filter(|request| event(request).0 == "310687")
        .map(|request| request.field("qbo-relay-attempt"))
        .collect();
    assert_eq!(sequences(&requests, "310687"), [1, 2, 2, 2, 3]);
    assert_eq!(attempts, ["1", "1", "2", "3", "1"]);
    house.close().await;
}

#[tokio::test]
async fn an_attempt_in_flight_is_finished_and_settled_before_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let gate = watch::Sender::new(false);
    let held = gate.subscribe();
    let receiver = Receiver::start(move |_, _| Answer::Gated(held.clone(), 200)).await;
    let sinks = || vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks()).await;
    house.arrive("310687", 1).await;
    house.arrive("310687", 2).await;
    receiver.wait_for(1).await;
    house.tell();
    let end = tokio::spawn(house.close());
    gate.send_replace(true);
    end.await.unwrap();
    assert_eq!(receiver.requests().len(), 1);

    let house = House::open(directory.path(), sinks()).await;
    let requests = receiver.wait_for(2).await;
    assert_eq!(sequences(&requests, "310687"), [1, 2]);
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
async fn what_a_sink_has_accepted_is_not_sent_again_while_the_journal_is_busy() {
    let directory = tempfile::tempdir().unwrap();
    let gate = watch::Sender::new(false);
    let held = gate.subscribe();
    let receiver = Receiver::start(move |_, _| Answer::Gated(held.clone(), 200)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    receiver.wait_for(1).await;
    let other = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    gate.send_replace(true);
    house.until_accepted(1).await;
    let refused = house.journal.tidy(NOW).await;
    assert!(refused.is_err(), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    house.arrive("310687", 2).await;
    let requests = receiver.wait_for(2).await;
    assert_eq!(sequences(&requests, "310687"), [1, 2]);
    house.until_delivered(2).await;
    house.close().await;
}

#[tokio::test]
async fn a_journal_that_takes_nothing_any_more_ends_the_worker() {
    let directory = tempfile::tempdir().unwrap();
    let gate = watch::Sender::new(false);
    let held = gate.subscribe();
    let receiver = Receiver::start(move |_, _| Answer::Gated(held.clone(), 200)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    house.arrive("310687", 1).await;
    receiver.wait_for(1).await;
    house.journal.clone().close().await.unwrap();
    gate.send_replace(true);
    let ended = house.end().await;
    assert!(matches!(ended, Err(Ended::Journal(_))), "{ended:?}");
}

#[tokio::test]
async fn the_log_tells_when_a_sink_fails_and_when_it_is_well_again() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // With a single subscriber in the process, tests on other threads would decide whether a line is
    // of interest; a second one makes tracing ask both.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber);
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, request| match request.field("qbo-relay-attempt") {
        "1" | "2" => Answer::Status(500),
        _ => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    for company in ["1", "2", "3"] {
        house.arrive(company, 1).await;
    }
    run_until(&house, &receiver, 9).await;
    house.until_delivered(3).await;
    house.close().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let about_the_sink = log.lines().filter(|line| line.contains("sink erp"));
    let lines: Vec<&str> = about_the_sink.collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("HTTP 500"),
        "{log}"
    );
    assert!(
        lines[1].contains("INFO") && lines[1].contains("takes everything again"),
        "{log}"
    );
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Counts how often it is asked, which the worker does at every look of a lane.
#[derive(Debug)]
struct Counting(Manual, AtomicUsize);

impl Clock for Counting {
    fn now(&self) -> Timestamp {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.now()
    }
}

#[tokio::test]
async fn a_lane_with_nothing_to_do_does_not_look() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let clock = Arc::new(Counting(Manual::new(NOW), AtomicUsize::new(0)));
    let counted = Arc::clone(&clock);
    let house = House::open_with(directory.path(), sinks, |worker| {
        worker.clock = counted;
        worker.tick = seconds(3600);
    })
    .await;
    for company in 0..20 {
        house.arrive(&format!("company-{company}"), 1).await;
    }
    house.until_delivered(20).await;
    let before = clock.1.load(Ordering::SeqCst);
    house.arrive("other", 1).await;
    house.until_delivered(21).await;
    let looks = clock.1.load(Ordering::SeqCst) - before;
    // The new lane's own few, and those of the pulse.
    assert!(looks < 20, "{looks} looks");
    house.close().await;
}
