//! A journal and a worker as `run` joins them, with a clock that stands where the test puts it.

use super::changes::{NOW, receipt};
use super::receiver::{PATIENCE, Receiver, Recorded};
use super::sinks::http;
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::journal::{Journal, Settings};
use qbo_relay::model::{Device, Health, Limits, SinkName, Tally};
use qbo_relay::rules::retry::{Exhausted, Schedule};
use qbo_relay::sink::http::HttpSink;
use qbo_relay::sink::{Format, Sink};
use qbo_relay::worker::company::Roster;
use qbo_relay::worker::liveness::Beat;
use qbo_relay::worker::pulse::{Glance, Pulse};
use qbo_relay::worker::{Ended, Endpoint, Worker};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Everything between the journal and the sinks.
pub(crate) struct House {
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<Manual>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) health: watch::Receiver<Health>,
    pub(crate) glance: Glance,
    stop: watch::Sender<bool>,
    worker: JoinHandle<Result<(), Ended>>,
    pulse: JoinHandle<()>,
}

impl House {
    /// Opens the journal in this directory and starts the worker with these sinks.
    pub(crate) async fn open(directory: &Path, sinks: Vec<Sink>) -> Self {
        Self::open_with(directory, sinks, |_| ()).await
    }

    pub(crate) async fn open_with(
        directory: &Path,
        sinks: Vec<Sink>,
        turn: impl FnOnce(&mut Worker),
    ) -> Self {
        let settings = Settings {
            path: directory.join("journal.db"),
            bytes_max: 64 << 20,
            keep: Duration::from_secs(30 * 86_400),
            sinks: sinks.iter().map(|sink| sink.name().clone()).collect(),
            instances: true,
            keep_records: true,
            limits: Limits::default(),
        };
        let journal = Journal::open(settings, NOW).unwrap();
        let clock = Arc::new(Manual::new(NOW));
        let tally = Arc::new(Tally::default());
        let endpoint = |sink| Endpoint::new(Arc::new(sink), schedule());
        let endpoints = sinks.into_iter().map(endpoint).collect();
        let time: Arc<dyn Clock> = clock.clone();
        let mut worker = Worker::new(journal.clone(), endpoints, time, Arc::clone(&tally));
        worker.jitter = || 0.0;
        worker.tick = Duration::from_millis(10);
        turn(&mut worker);
        let pulse = Pulse {
            misdirected: Arc::default(),
            books: Roster::default(),
            device: watch::channel(Device::default()).1,
            beat: Beat::solo(),
            glance: Glance::default(),
            journal: journal.clone(),
            clock: worker.clock.clone(),
            certificate_left: Box::new(|_| Some(Duration::from_secs(61 * 86_400))),
            started: watch::Sender::new(true).subscribe(),
            news: Arc::clone(&worker.news),
        };
        let glance = pulse.glance.clone();
        let stop = watch::Sender::new(false);
        let health = pulse.begin().await;
        Self {
            journal,
            clock,
            tally,
            health: health.subscribe(),
            glance,
            worker: tokio::spawn(worker.run(stop.subscribe())),
            pulse: tokio::spawn(pulse.run(health, stop.subscribe())),
            stop,
        }
    }

    /// The n-th change of this company arrives.
    pub(crate) async fn arrive(&self, company: &str, number: u8) {
        self.journal.append(receipt(company, number)).await.unwrap();
    }

    /// Puts the clock so much later.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
    }

    /// Lets the clock run in steps of a second until so many requests have come.
    pub(crate) async fn run_until(&self, receiver: &Receiver, count: usize) -> Vec<Recorded> {
        let enough = receiver.wait_for(count);
        let ticking = async {
            loop {
                self.pass(Duration::from_secs(1));
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            requests = enough => requests,
            () = ticking => Vec::new(),
        }
    }

    /// Tells the worker to stop, but does not wait for it.
    pub(crate) fn tell(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until `holds` is true of the health that is published.
    pub(crate) async fn until(&self, holds: impl FnMut(&Health) -> bool) -> Health {
        let mut health = self.health.clone();
        let met = tokio::time::timeout(PATIENCE, health.wait_for(holds)).await;
        let met = met.map(|health| health.unwrap().clone());
        met.unwrap_or_else(|_| panic!("{:?}", self.health.borrow()))
    }

    /// Waits until sinks have accepted so many changes.
    pub(crate) async fn until_accepted(&self, changes: u64) {
        let all = async {
            while self.tally.changes_delivered.value() < changes {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, all).await;
        done.unwrap_or_else(|_| panic!("{:?} {:?}", self.tally, self.health.borrow()));
    }

    /// Waits until so many changes are delivered and nothing is left to do.
    pub(crate) async fn until_delivered(&self, changes: u64) {
        self.until_accepted(changes).await;
        let all = async {
            loop {
                let snapshot = self.journal.snapshot().await.unwrap();
                if snapshot.waiting + snapshot.replays == 0 {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, all).await;
        done.unwrap_or_else(|_| panic!("{:?}", self.health.borrow()));
    }

    /// Waits until the worker ends, for whatever reason.
    pub(crate) async fn end(self) -> Result<(), Ended> {
        let end = tokio::time::timeout(PATIENCE, self.worker).await;
        end.expect("the worker ends").unwrap()
    }

    /// Stops everything and closes the journal.
    pub(crate) async fn close(self) {
        self.tell();
        self.worker.await.unwrap().unwrap();
        self.pulse.await.unwrap();
        self.journal.close().await.unwrap();
    }
}

/// A schedule of seconds: 5, 30, then every minute for 10 minutes.
pub(crate) fn schedule() -> Schedule {
    Schedule {
        delays: vec![Duration::from_secs(5), Duration::from_secs(30)],
        then_every: Duration::from_secs(60),
        probe_every: Some(Duration::from_secs(60)),
        give_up_after: Duration::from_secs(600),
        exhausted: Exhausted::DeadLetter,
    }
}

/// An HTTP sink of this name at that receiver.
pub(crate) fn to(receiver: &Receiver, name: &str, format: Format) -> Sink {
    let mut settings = http(receiver.url("/hook"), format);
    settings.name = SinkName::new(name).unwrap();
    Sink::Http(Box::new(HttpSink::new(settings).unwrap()))
}
