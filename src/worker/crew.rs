//! Which lanes have a task: those that have something to do, and no more at a time than there are
//! places for. What rests for longer, and what waits for a place, is a name in a list.
//!
//! Called by the worker's loop. It promises that no lane with work is forgotten: whatever the journal
//! commits for a company is looked at here or by the lane's own task, and every now and then all
//! lanes are asked for anyway.

use super::Endpoint;
use super::lane::{Common, Ended, Next, PAUSE, Runner, pointless};
use super::liveness::Beat;
use super::outlet::{Outlet, Places};
use crate::journal::Error;
use crate::model::{Lane, RealmId, SinkName, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The lanes of the worker.
pub(super) struct Crew {
    common: Arc<Common>,
    /// The crew's own, which answers while it waits; a lane gets another of its kind.
    pub(super) beat: Beat,
    configured: BTreeMap<SinkName, Arc<Outlet>>,
    published: HashMap<SinkName, Arc<Outlet>>,
    /// What the published ones share: attempts at a time, and tasks.
    permits: Arc<Semaphore>,
    places: Arc<Places>,
    /// Those that wait for a place: of each configured sink, and of all published ones (`None`).
    ready: BTreeMap<Option<SinkName>, VecDeque<Lane>>,
    /// Every lane that is ready, too.
    queued: HashSet<Lane>,
    /// Those that are tried again later, in the order of time.
    later: BTreeSet<(Timestamp, Lane)>,
    /// The same by lane.
    not_before: HashMap<Lane, Timestamp>,
    /// A lane has one task: another takes over when the one before has ended.
    at_work: BTreeSet<Lane>,
    pub(super) lanes: JoinSet<Result<Ended, Error>>,
    /// When all lanes were asked for; `None`: to be done.
    asked_at: Option<Instant>,
}

impl Crew {
    /// Nobody is at work yet. `share` is how many attempts a sink may make at a time.
    pub(super) fn new(common: Common, beat: Beat, endpoints: Vec<Endpoint>, share: usize) -> Self {
        let outlet = |endpoint: Endpoint| {
            let attempts = endpoint.sink.concurrency().min(share).max(1);
            let permits = Arc::new(Semaphore::new(attempts));
            let outlet = Outlet::new(endpoint, permits, Arc::new(Places::new()), false);
            (outlet.sink.name().clone(), Arc::new(outlet))
        };
        Self {
            common: Arc::new(common),
            beat,
            configured: endpoints.into_iter().map(outlet).collect(),
            published: HashMap::new(),
            permits: Arc::new(Semaphore::new(share.max(1))),
            places: Arc::new(Places::new()),
            ready: BTreeMap::new(),
            queued: HashSet::new(),
            later: BTreeSet::new(),
            not_before: HashMap::new(),
            at_work: BTreeSet::new(),
            lanes: JoinSet::new(),
            asked_at: None,
        }
    }

    /// Takes these in the place of those that were published before. What is still the same is left
    /// at its work; the lanes of the others end after the attempts in flight.
    pub(super) fn equip(&mut self, published: &[Endpoint]) {
        let mut before = std::mem::take(&mut self.published);
        for endpoint in published {
            let name = endpoint.sink.name();
            let outlet = match before.remove(name) {
                Some(same) if same.is(endpoint) => same,
                other => {
                    let succeeds = other.inspect(|other| other.retire()).is_some();
                    let (permits, places) = (Arc::clone(&self.permits), Arc::clone(&self.places));
                    Arc::new(Outlet::new(endpoint.clone(), permits, places, succeeds))
                }
            };
            self.published.insert(name.clone(), outlet);
        }
        before.values().for_each(|gone| gone.retire());
        self.asked_at = None;
    }

    /// Starts a task for every lane that has something to do and none yet, as far as there are
    /// places, and says when to look again at the latest.
    pub(super) async fn hire(&mut self) -> Result<Duration, Error> {
        if let Err(error) = self.ask().await {
            pointless(error)?;
            // What was to be looked at is not known any more.
            self.asked_at = None;
            return Ok(PAUSE);
        }
        let now = self.common.clock.now();
        self.wake_due(now);
        self.fill_places();
        let tick = self.common.tick;
        let first = self.later.first().map(|(at, _)| at.since(now));
        Ok(first.map_or(tick, |span| span.min(tick)))
    }

    /// An outage has ended: what waits because of it is to be looked at again.
    pub(super) fn look_again(&mut self) {
        self.asked_at = None;
    }

    /// A task has ended.
    pub(super) fn ended(&mut self, ended: Ended) {
        let is_woken = ended.is_woken();
        let Ended { lane, next, .. } = ended;
        self.at_work.remove(&lane);
        match next {
            // Whoever takes over is told of all lanes.
            Next::Over => self.asked_at = None,
            Next::Soon => self.queue(lane),
            Next::At(_) | Next::Idle if is_woken => self.queue(lane),
            Next::At(at) => self.rest(lane, at),
            Next::Idle => {}
        }
    }

    /// Asks the journal for the lanes of the companies that have changed, and now and then for all.
    async fn ask(&mut self) -> Result<(), Error> {
        let journal = self.common.journal.clone();
        let changed = journal.take_changed();
        let is_stale = |at: Instant| at.elapsed() >= self.common.tick;
        let realms = if changed.everyone || self.asked_at.is_none_or(is_stale) {
            self.asked_at = Some(Instant::now());
            None
        } else {
            let mut realms: Vec<RealmId> = changed.realms.into_iter().collect();
            realms.retain(|realm| !self.is_attended(realm));
            if realms.is_empty() {
                return Ok(());
            }
            Some(realms)
        };
        let now = self.common.clock.now();
        for (lane, not_before) in journal.lanes_with_work(realms).await? {
            // Who has no outlet yet keeps its work and gets a task when it is published.
            let Some(outlet) = self.outlet(&lane) else {
                continue;
            };
            let is_new = !self.at_work.contains(&lane) && !self.queued.contains(&lane);
            let not_before = not_before.filter(|_| !outlet.is_impatient());
            match is_new.then(|| outlet.look_at(now, &lane, not_before)) {
                None => {}
                Some(Some(at)) => self.rest(lane, at),
                Some(None) => self.queue(lane),
            }
        }
        Ok(())
    }

    /// Whether every lane of this company has a task, which is woken by itself, or will get one: then
    /// there is nothing to ask for, and a busy company costs no query for each of its batches.
    fn is_attended(&self, realm: &RealmId) -> bool {
        let sinks = self.configured.keys().chain(self.published.keys());
        sinks.cloned().all(|sink| {
            let realm = realm.clone();
            let lane = Lane { sink, realm };
            self.at_work.contains(&lane) || self.queued.contains(&lane)
        })
    }

    fn outlet(&self, lane: &Lane) -> Option<&Arc<Outlet>> {
        let configured = self.configured.get(&lane.sink);
        configured.or_else(|| self.published.get(&lane.sink))
    }

    fn queue(&mut self, lane: Lane) {
        self.forget_rest(&lane);
        let sink = self.configured.get_key_value(&lane.sink);
        let group = sink.map(|(name, _)| name.clone());
        if self.queued.insert(lane.clone()) {
            self.ready.entry(group).or_default().push_back(lane);
        }
    }

    fn rest(&mut self, lane: Lane, at: Timestamp) {
        self.forget_rest(&lane);
        self.later.insert((at, lane.clone()));
        self.not_before.insert(lane, at);
    }

    fn forget_rest(&mut self, lane: &Lane) {
        if let Some(at) = self.not_before.remove(lane) {
            self.later.remove(&(at, lane.clone()));
        }
    }

    /// Those whose time has come are ready.
    fn wake_due(&mut self, now: Timestamp) {
        while let Some((at, lane)) = self.later.first() {
            if *at > now {
                break;
            }
            let lane = lane.clone();
            let outlet = self.outlet(&lane);
            match outlet.and_then(|outlet| outlet.look_at(now, &lane, None)) {
                Some(at) if at > now => self.rest(lane, at),
                _ => self.queue(lane),
            }
        }
    }

    fn fill_places(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for (group, lanes) in &mut ready {
            let places = match group.as_ref().and_then(|name| self.configured.get(name)) {
                Some(outlet) => Arc::clone(&outlet.places),
                None => Arc::clone(&self.places),
            };
            while let Some(lane) = lanes.pop_front() {
                // A sink that was withdrawn meanwhile.
                let Some(outlet) = self.outlet(&lane).cloned() else {
                    self.queued.remove(&lane);
                    continue;
                };
                let Some(place) = places.take() else {
                    lanes.push_front(lane);
                    break;
                };
                self.queued.remove(&lane);
                self.at_work.insert(lane.clone());
                let runner = Runner {
                    is_impatient: outlet.take_impatience(),
                    common: Arc::clone(&self.common),
                    outlet,
                    lane,
                    beat: self.beat.another(),
                    place,
                };
                self.lanes.spawn(runner.run());
            }
            places.set_wanted(!lanes.is_empty());
        }
        ready.retain(|_, lanes| !lanes.is_empty());
        self.ready = ready;
    }
}
