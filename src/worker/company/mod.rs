//! Companies that are read: one task each, which renews its tokens, reads what was notified, polls,
//! sweeps and goes through gaps, one call after the other.
//!
//! What is due is decided by `rules::company`, which calls that takes by `errand`, and what is news
//! by the journal. Called by the roof. It promises: only a company's own task renews its tokens, and
//! a new set is stored before it is used (invariant I4); a company that fails, hangs or panics never
//! holds another one up; what is lost with the process costs calls and nothing else.

mod answer;
mod caller;
mod contract;
mod errand;
mod gate;
mod job;
mod meter;
mod renewal;
mod report;
mod roster;
mod task;

pub use roster::Roster;

use super::jitter::{Jitter, random};
use super::lane::{PAUSE, pointless, rest, stopped};
use crate::clock::Clock;
use crate::journal::{Error, Journal};
use crate::model::{AppName, Company, Device, RealmId, Secret, Standing, Tally};
use crate::qbo::{App, Captured, Failure, Granted, Page, Question, Since};
use crate::rules::company::{InstancePolls, Plan};
use crate::rules::pause::backoff;
use crate::rules::throttle::INTERVAL;
use crate::vault::Vault;
use contract::Contracts;
use gate::Gate;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use task::Task;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

/// After so long without a panic, one counts as the first again.
const LATELY: Duration = Duration::from_hours(1);

/// What is asked of QuickBooks: [`App`], and others in tests.
pub trait QuickBooks: Send + Sync + 'static {
    /// The next tokens of a company.
    fn refresh(&self, refresh: &Secret) -> impl Future<Output = Result<Granted, Failure>> + Send;

    /// What was changed since `since` of these kinds.
    fn capture(
        &self,
        realm: &RealmId,
        access: &Secret,
        kinds: &[&str],
        since: Since,
    ) -> impl Future<Output = Result<Captured, Failure>> + Send;

    /// One page of the records that the question asks for.
    fn query(
        &self,
        realm: &RealmId,
        access: &Secret,
        question: &Question,
    ) -> impl Future<Output = Result<Page, Failure>> + Send;
}

impl QuickBooks for App {
    async fn refresh(&self, refresh: &Secret) -> Result<Granted, Failure> {
        App::refresh(self, refresh).await
    }

    async fn capture(
        &self,
        realm: &RealmId,
        access: &Secret,
        kinds: &[&str],
        since: Since,
    ) -> Result<Captured, Failure> {
        App::capture(self, realm, access, kinds, since).await
    }

    async fn query(
        &self,
        realm: &RealmId,
        access: &Secret,
        question: &Question,
    ) -> Result<Page, Failure> {
        App::query(self, realm, access, question).await
    }
}

/// An app at Intuit by which companies are read.
#[derive(Clone, Debug)]
pub struct Access<Q> {
    /// Who calls.
    pub quickbooks: Q,
    /// Calls in a month at most, over all of its companies; `None`: as many as it takes.
    pub calls_max: Option<u64>,
}

/// What the companies are read with.
pub struct Companies<Q> {
    /// Where the companies are, and where what was read goes.
    pub journal: Journal,
    /// What the tokens are sealed with.
    pub vault: Arc<Vault>,
    /// The apps, which come, go and change: those of the configuration, and those that element
    /// instances bring.
    pub apps: watch::Receiver<BTreeMap<AppName, Access<Q>>>,
    /// What is read of every company, and when.
    pub plan: Plan,
    /// What is polled of single companies besides, for their element instances.
    pub polls: watch::Receiver<BTreeMap<RealmId, InstancePolls>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The device, whose clock has to be right before anything is called.
    pub device: watch::Receiver<Device>,
    /// Where calls are counted.
    pub tally: Arc<Tally>,
    /// Chance for waits; [`random`] but in tests.
    pub jitter: Jitter,
    /// Calls in flight at most, over all companies.
    pub calls_max: usize,
    /// Between two calls for one company in the long run; [`INTERVAL`] but in tests.
    pub interval: Duration,
    /// How long a task sleeps at most, whether or not a wake-up was lost.
    pub tick: Duration,
    /// How each company is; a clone shows the same.
    pub roster: Roster,
    /// Wakes all tasks: to be rung when a company was connected, or when waiting makes no sense.
    pub bell: watch::Sender<u64>,
}

/// Why the companies' tasks ended without having been told to: end the process.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Ended(#[from] Error);

/// What all tasks have in common.
struct Common<Q> {
    journal: Journal,
    vault: Arc<Vault>,
    contracts: Contracts<Q>,
    plan: Plan,
    polls: watch::Receiver<BTreeMap<RealmId, InstancePolls>>,
    clock: Arc<dyn Clock>,
    device: watch::Receiver<Device>,
    tally: Arc<Tally>,
    jitter: Jitter,
    gate: Gate,
    interval: Duration,
    tick: Duration,
    roster: Roster,
    bell: watch::Sender<u64>,
    stop: watch::Receiver<bool>,
}

impl<Q: QuickBooks + Clone> Companies<Q> {
    /// Tasks with the usual bounds: 16 calls in flight, a look every 30 s, a clock that is trusted;
    /// the apps stay as they are, and nothing is polled but by the plan.
    pub fn new(
        journal: Journal,
        vault: Arc<Vault>,
        apps: BTreeMap<AppName, Access<Q>>,
        plan: Plan,
        clock: Arc<dyn Clock>,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            journal,
            vault,
            apps: watch::Sender::new(apps).subscribe(),
            plan,
            polls: watch::Sender::default().subscribe(),
            clock,
            device: watch::Sender::new(Device::default()).subscribe(),
            tally,
            jitter: random,
            calls_max: 16,
            interval: INTERVAL,
            tick: Duration::from_secs(30),
            roster: Roster::default(),
            bell: watch::Sender::new(0),
        }
    }

    /// Reads all companies, those too that are connected later, until `stop` is true. A call in
    /// flight is broken off then and made again after the next start; a token renewal is finished.
    ///
    /// # Errors
    /// [`Ended`] when the journal takes or gives nothing any more.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), Ended> {
        let mut companies = self.journal.subscribe_companies();
        let mut bell = self.bell.subscribe();
        let mut crew = self.crew(&stop);
        while !*stop.borrow() {
            // Marked as seen before the look, so that a company that comes after it is not missed.
            companies.mark_unchanged();
            bell.mark_unchanged();
            let pause = crew.hire().await?;
            tokio::select! {
                _ = rest(pause, &mut companies) => {}
                Ok(()) = bell.changed() => {}
                Some(ended) = crew.tasks.join_next_with_id() => crew.dismiss(ended)?,
                () = stopped(&mut stop) => {}
            }
        }
        while let Some(ended) = crew.tasks.join_next_with_id().await {
            crew.dismiss(ended)?;
        }
        let common = &crew.common;
        Ok(common.contracts.settle(&common.journal).await?)
    }

    fn crew(self, stop: &watch::Receiver<bool>) -> Crew<Q> {
        Crew {
            common: Arc::new(Common {
                journal: self.journal,
                vault: self.vault,
                contracts: Contracts::new(self.apps),
                plan: self.plan,
                polls: self.polls,
                clock: self.clock,
                device: self.device,
                tally: self.tally,
                jitter: self.jitter,
                gate: Gate::new(self.calls_max),
                interval: self.interval,
                tick: self.tick,
                roster: self.roster,
                bell: self.bell,
                stop: stop.clone(),
            }),
            tasks: JoinSet::new(),
            working: HashMap::new(),
            broken: BTreeMap::new(),
        }
    }
}

/// The companies that have a task.
struct Crew<Q> {
    common: Arc<Common<Q>>,
    tasks: JoinSet<Result<(), Error>>,
    working: HashMap<Id, RealmId>,
    /// Those whose task panicked: how often in a row, and when it is started again.
    broken: BTreeMap<RealmId, (u32, Instant)>,
}

impl<Q: QuickBooks + Clone> Crew<Q> {
    /// Starts a task for every company that has none, and says when to look again at the latest.
    async fn hire(&mut self) -> Result<Duration, Error> {
        let companies = match self.common.journal.companies().await {
            Ok(companies) => companies,
            Err(error) => return pointless(error).map(|()| PAUSE),
        };
        let contracts = &self.common.contracts;
        contracts.close_gone(&self.common.journal).await?;
        let mut pause = self.common.tick;
        for company in companies {
            let realm = &company.realm;
            if company.standing == Standing::Disconnected {
                self.common.roster.forget(realm);
                continue;
            }
            if self.working.values().any(|working| working == realm) {
                continue;
            }
            let now = Instant::now();
            if let Some((_, at)) = self.broken.get(realm).filter(|(_, at)| *at > now) {
                pause = pause.min(*at - now);
                continue;
            }
            self.start(company);
        }
        Ok(pause)
    }

    fn start(&mut self, company: Company) {
        let task = Task::new(Arc::clone(&self.common), company.realm.clone());
        let handle = self.tasks.spawn(task.run());
        self.working.insert(handle.id(), company.realm);
    }

    /// A task has ended: because its company was disconnected or all are to stop; because the
    /// journal is broken; or because it panicked, which is the business of no other company.
    fn dismiss(&mut self, ended: Result<(Id, Result<(), Error>), JoinError>) -> Result<(), Error> {
        let error = match ended {
            Ok((id, ended)) => {
                if let Some(realm) = self.working.remove(&id) {
                    self.broken.remove(&realm);
                }
                return ended;
            }
            Err(error) => error,
        };
        let Some(realm) = self.working.remove(&error.id()) else {
            return Ok(());
        };
        let lately = self.broken.get(&realm);
        let lately = lately.filter(|(_, at)| at.elapsed() < LATELY);
        let times = lately.map_or(1, |(times, _)| times.saturating_add(1));
        let pause = backoff(times, (self.common.jitter)());
        tracing::error!(%realm, "the reading of company {realm} broke off: {error}; it starts again");
        let now = self.common.clock.now();
        self.common.roster.broke(&realm, now, now.plus(pause));
        self.broken.insert(realm, (times, Instant::now() + pause));
        Ok(())
    }
}
