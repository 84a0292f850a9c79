//! The worker: everything between the journal and the sinks.
//!
//! It runs a task for each lane that has something to do, and notices new ones by itself: a company
//! needs no configuration, and sinks may be published, changed and withdrawn while it runs.
//! It is not the place of any decision (`rules`) or of any state (`journal`). Called by `run`; a
//! [`Worker`] that ends without having been told to means that the process must end.
//!
//! The attempts in flight are bounded ([`Worker::attempts_max`]) and shared out among the sinks in
//! advance, so that sinks which hang cannot use up what the others need. All published ones share
//! what one sink gets.

pub mod company;
mod crew;
pub mod gaps;
pub mod herald;
mod jitter;
pub mod lamp;
mod lane;
pub mod liveness;
mod outlet;
pub mod pulse;
pub mod sums;
pub mod trust;
pub mod upkeep;

pub use jitter::{Jitter, random};

use crate::clock::Clock;
use crate::journal::{Error, Journal};
use crate::model::{Device, Tally};
use crate::rules::retry::Schedule;
use crate::sink::Sink;
use crew::Crew;
use lane::{Common, rest, stopped};
use liveness::{Beat, answering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinError;

/// What the lanes are run with.
pub struct Worker {
    /// Where the changes are and what became of them.
    pub journal: Journal,
    /// Where they go; the name of each one's sink is known to the journal.
    pub endpoints: Vec<Endpoint>,
    /// More of them, which come, change and go while the relay runs: those of element instances.
    pub published: watch::Receiver<Arc<[Endpoint]>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where attempts are counted.
    pub tally: Arc<Tally>,
    /// Chance for the schedule; [`random`] but in tests.
    pub jitter: Jitter,
    /// Attempts in flight over all sinks, the published ones together counting as one; every sink may
    /// make at least one.
    pub attempts_max: usize,
    /// How long a lane sleeps at most, whether or not a wake-up was lost.
    pub tick: Duration,
    /// Told whenever an attempt was settled; [`pulse`] listens.
    pub news: Arc<Notify>,
    /// The device, whose clock some sinks wait for.
    pub device: watch::Receiver<Device>,
    /// By which the lanes and their supervisor are asked whether they make progress.
    pub beat: Beat,
}

/// A sink and what it is given, when.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where changes go.
    pub sink: Arc<Sink>,
    /// When failed deliveries are tried again.
    pub schedule: Schedule,
    /// Whether the record rides along with a change that is reconciled.
    pub record: bool,
    /// How long a notified change waits at most to be reconciled; `None`: it does not wait.
    pub hold: Option<Duration>,
}

impl Endpoint {
    /// A sink that gets every change at once and without its record.
    pub const fn new(sink: Arc<Sink>, schedule: Schedule) -> Self {
        Self {
            sink,
            schedule,
            record: false,
            hold: None,
        }
    }
}

/// Why the worker ended without having been told to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The journal takes or gives nothing any more: end the process.
    #[error(transparent)]
    Journal(#[from] Error),
    /// A lane panicked: end the process, a restart is the ordinary path.
    #[error("a lane broke off: {0}")]
    Lane(#[from] JoinError),
}

impl Worker {
    /// A worker with the usual bounds: 64 attempts in flight, a look every 30 s.
    pub fn new(
        journal: Journal,
        endpoints: Vec<Endpoint>,
        clock: Arc<dyn Clock>,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            journal,
            endpoints,
            published: watch::channel(Arc::default()).1,
            clock,
            tally,
            jitter: random,
            attempts_max: 64,
            tick: Duration::from_secs(30),
            news: Arc::default(),
            device: watch::channel(Device::default()).1,
            beat: Beat::solo(),
        }
    }

    /// Runs all lanes until `stop` is true and the attempts in flight are settled; that takes no
    /// longer than the total deadline of a sink and a moment.
    ///
    /// # Errors
    /// [`Ended`] when the journal is broken or a lane panicked; the other lanes are broken off then.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), Ended> {
        let mut work = self.journal.subscribe_work();
        let mut published = self.published.clone();
        let back: Arc<Notify> = Arc::default();
        let mut crew = self.crew(&stop, &back);
        crew.equip(&published.borrow_and_update());
        while !*stop.borrow() {
            // Marked as seen before the look, so that what comes after it is not missed.
            work.mark_unchanged();
            if published.has_changed().unwrap_or(false) {
                crew.equip(&published.borrow_and_update());
            }
            let pause = crew.hire().await?;
            let mut is_back = false;
            let Crew { beat, lanes, .. } = &mut crew;
            let waited = answering(beat, async {
                tokio::select! {
                    _ = rest(pause, &mut work) => Ok(None),
                    () = changed(&mut published) => Ok(None),
                    () = back.notified() => {
                        is_back = true;
                        Ok(None)
                    }
                    Some(ended) = lanes.join_next() => Ok(Some(ended??)),
                    () = stopped(&mut stop) => Ok(None),
                }
            });
            if let Some(ended) = waited.await.map_err(|ended: Ended| ended)? {
                crew.ended(ended);
            }
            if is_back {
                crew.look_again();
            }
        }
        while let Some(ended) = crew.lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    fn crew(self, stop: &watch::Receiver<bool>, back: &Arc<Notify>) -> Crew {
        let share = self.attempts_max / (self.endpoints.len() + 1);
        let common = Common {
            journal: self.journal,
            clock: self.clock,
            tally: self.tally,
            jitter: self.jitter,
            tick: self.tick,
            news: self.news,
            back: Arc::clone(back),
            stop: stop.clone(),
            device: self.device,
        };
        Crew::new(common, self.beat, self.endpoints, share)
    }
}

/// Waits for other published endpoints; for ever when nobody is left to publish any.
async fn changed(published: &mut watch::Receiver<Arc<[Endpoint]>>) {
    if published.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    // It is taken where the loop begins again.
    published.mark_changed();
}
