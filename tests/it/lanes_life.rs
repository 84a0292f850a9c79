//! The life of the worker: start, rest, trouble with the journal, stop, and what the log says.

use crate::support::changes::NOW;
use crate::support::house::{House, to};
use crate::support::receiver::{Answer, Receiver, event, sequences};
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::model::{Device, Health, Timestamp};
use qbo_relay::sink::Format;
use qbo_relay::worker::Ended;
use qbo_relay::worker::liveness::{Liveness, Verdict};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
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
    house.run_until(&receiver, 9).await;
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

/// Otherwise the watchdog would restart a relay that has nothing to do.
#[tokio::test]
async fn a_worker_that_rests_answers_for_itself_and_for_each_lane() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let deadline = seconds(3);
    let mut liveness = Liveness::new(Duration::from_millis(100));
    let beat = liveness.part("the worker", deadline);
    let house = House::open_with(directory.path(), sinks, |worker| {
        worker.beat = beat;
        worker.tick = seconds(30);
    })
    .await;
    house.arrive("310687", 1).await;
    house.until_delivered(1).await;

    let began = Instant::now();
    let fine = Verdict {
        at: began,
        fine: true,
    };
    let (told, mut verdict) = watch::channel(fine);
    let (_going_on, stop) = watch::channel(false);
    let device = Arc::new(watch::Sender::new(Device::default()));
    tokio::spawn(liveness.run(told, Arc::clone(&device), stop));
    let judged = verdict
        .wait_for(|verdict| !verdict.fine || verdict.at - began > 2 * deadline)
        .await;
    let fine = judged.unwrap().fine;
    assert!(fine, "no progress of {:?}", device.borrow().stalled);
    house.close().await;
}

#[tokio::test]
async fn whoever_asks_how_it_is_sees_all_that_had_come_before() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(503)).await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    for number in 1..=5 {
        house.arrive("310687", number).await;
        house.glance.refresh().await;
        assert_eq!(house.health.borrow().waiting, u64::from(number));
    }
    house.close().await;
}
