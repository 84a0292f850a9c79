//! The worker: everything between the journal and the sinks.
//!
//! It runs one task for each lane, and notices new ones by itself: a company needs no configuration,
//! and sinks may be published, changed and withdrawn while it runs.
//! It is not the place of any decision (`rules`) or of any state (`journal`). Called by `run`; a
//! [`Worker`] that ends without having been told to means that the process must end.
//!
//! The attempts in flight are bounded ([`Worker::attempts_max`]) and shared out among the sinks in
//! advance, so that sinks which hang cannot use up what the others need. All published ones share
//! what one sink gets.

pub mod company;
pub mod gaps;
pub mod herald;
mod jitter;
pub mod lamp;
mod lane;
pub mod liveness;
mod outlet;
pub mod pulse;
pub mod trust;
pub mod upkeep;

pub use jitter::{Jitter, random};

use crate::clock::Clock;
use crate::journal::{Error, Journal};
use crate::model::{Device, Lane, SinkName, Tally};
use crate::rules::retry::Schedule;
use crate::sink::Sink;
use lane::{Common, PAUSE, Runner, pointless, rest, stopped};
use liveness::{Beat, answering};
use outlet::Outlet;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

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
        let mut companies = self.journal.subscribe_companies();
        let mut published = self.published.clone();
        let mut crew = self.crew(&stop);
        while !*stop.borrow() {
            // Marked as seen before the look, so that a company that comes after it is not missed.
            companies.mark_unchanged();
            crew.equip(&published.borrow_and_update());
            let pause = crew.hire().await?;
            let Crew { beat, lanes, .. } = &mut crew;
            let waited = answering(beat, async {
                tokio::select! {
                    () = rest(pause, &mut companies) => Ok(None),
                    () = changed(&mut published) => Ok(None),
                    Some(ended) = lanes.join_next() => Ok(Some(ended??)),
                    () = stopped(&mut stop) => Ok(None),
                }
            });
            if let Some(lane) = waited.await.map_err(|ended: Ended| ended)? {
                crew.at_work.remove(&lane);
            }
        }
        while let Some(ended) = crew.lanes.join_next().await {
            ended??;
        }
        Ok(())
    }

    fn crew(self, stop: &watch::Receiver<bool>) -> Crew {
        let share = self.attempts_max / (self.endpoints.len() + 1);
        let outlet = |endpoint: Endpoint| {
            let attempts = endpoint.sink.concurrency().min(share).max(1);
            let outlet = Outlet::new(endpoint, Arc::new(Semaphore::new(attempts)), false);
            (outlet.sink.name().clone(), Arc::new(outlet))
        };
        Crew {
            configured: self.endpoints.into_iter().map(outlet).collect(),
            published: HashMap::new(),
            permits: Arc::new(Semaphore::new(share.max(1))),
            common: Arc::new(Common {
                journal: self.journal,
                clock: self.clock,
                tally: self.tally,
                jitter: self.jitter,
                tick: self.tick,
                news: self.news,
                stop: stop.clone(),
                device: self.device,
            }),
            beat: self.beat,
            at_work: BTreeSet::new(),
            lanes: JoinSet::new(),
        }
    }
}

/// The lanes that have a task.
struct Crew {
    common: Arc<Common>,
    /// The crew's own, which answers while it waits; a lane gets another of its kind.
    beat: Beat,
    configured: BTreeMap<SinkName, Arc<Outlet>>,
    published: HashMap<SinkName, Arc<Outlet>>,
    /// Attempts that the published ones may make at a time.
    permits: Arc<Semaphore>,
    /// A lane has one task: another takes over when the one before has ended.
    at_work: BTreeSet<Lane>,
    lanes: JoinSet<Result<Lane, Error>>,
}

/// Waits for other published endpoints; for ever when nobody is left to publish any.
async fn changed(published: &mut watch::Receiver<Arc<[Endpoint]>>) {
    if published.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Crew {
    /// Takes these in the place of those that were published before. What is still the same is left
    /// at its work; the lanes of the others end after the attempts in flight.
    fn equip(&mut self, published: &[Endpoint]) {
        let mut before = std::mem::take(&mut self.published);
        for endpoint in published {
            let name = endpoint.sink.name();
            let outlet = match before.remove(name) {
                Some(same) if same.is(endpoint) => same,
                other => {
                    let succeeds = other.inspect(|other| other.retire()).is_some();
                    let permits = Arc::clone(&self.permits);
                    Arc::new(Outlet::new(endpoint.clone(), permits, succeeds))
                }
            };
            self.published.insert(name.clone(), outlet);
        }
        before.values().for_each(|gone| gone.retire());
    }

    /// Starts a task for every lane that has none, and says when to look again at the latest.
    async fn hire(&mut self) -> Result<Duration, Error> {
        let lanes = match self.common.journal.lanes().await {
            Ok(lanes) => lanes,
            Err(error) => return pointless(error).map(|()| PAUSE),
        };
        for lane in lanes {
            // Who has no outlet yet keeps its work and gets a task when it is published.
            let outlet = self.configured.get(&lane.sink);
            let outlet = outlet.or_else(|| self.published.get(&lane.sink));
            if let Some(outlet) = outlet
                && self.at_work.insert(lane.clone())
            {
                let runner = Runner {
                    is_impatient: outlet.succeeds,
                    common: Arc::clone(&self.common),
                    outlet: Arc::clone(outlet),
                    lane,
                    beat: self.beat.another(),
                };
                self.lanes.spawn(runner.run());
            }
        }
        Ok(self.common.tick)
    }
}
