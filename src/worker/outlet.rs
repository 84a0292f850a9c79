//! One sink as its lanes share it: how many attempts are made at a time, which companies it fails,
//! and whether another has taken its place.
//!
//! The log gets a line when a sink begins to fail and one when all of its lanes go through again,
//! not one for each attempt; the journal has those.

use super::Endpoint;
use crate::model::{Attempt, Delivery, Lane, Outcome, RealmId, Sampler, Settlement, Timestamp};
use crate::rules::lane::is_due;
use crate::rules::outage::{Leave, Outage};
use crate::rules::retry::{Schedule, describe};
use crate::sink::Sink;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

/// Lanes of a sink that have a task at a time; the others wait for one to end. Several times the
/// attempts that a sink is given, so that lanes which rest do not keep it from being used.
const LANES_MAX: usize = 128;

/// The tasks that one sink may have, or all published ones together.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    wanted: AtomicBool,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(LANES_MAX)),
            wanted: AtomicBool::new(false),
        }
    }

    /// A place for one lane, where there is one.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Whether lanes wait for a place: one that has had its turn makes way.
    pub(super) fn are_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn set_wanted(&self, wanted: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
    }
}

/// A sink and what its lanes share.
pub(super) struct Outlet {
    pub(super) sink: Arc<Sink>,
    pub(super) schedule: Schedule,
    pub(super) record: bool,
    pub(super) hold: Option<Duration>,
    /// It took the place of another: what waits for its next attempt there is tried here at once,
    /// which its first lane takes for itself (a published sink has one company).
    succeeds: AtomicBool,
    pub(super) places: Arc<Places>,
    permits: Arc<Semaphore>,
    retired: watch::Sender<bool>,
    failing: Mutex<BTreeSet<RealmId>>,
    /// What its lanes learn from each other; `None` where each follows its schedule alone.
    outage: Option<Mutex<Outage>>,
    /// Changes when an outage has ended.
    back: watch::Sender<()>,
}

impl Outlet {
    /// A sink with as many attempts at a time as there are permits, which it may share with others.
    pub(super) fn new(
        endpoint: Endpoint,
        permits: Arc<Semaphore>,
        places: Arc<Places>,
        succeeds: bool,
    ) -> Self {
        let Endpoint {
            sink,
            schedule,
            record,
            hold,
        } = endpoint;
        Self {
            outage: Outage::new(&schedule).map(Mutex::new),
            back: watch::Sender::new(()),
            schedule,
            record,
            hold,
            succeeds: AtomicBool::new(succeeds),
            places,
            permits,
            retired: watch::Sender::new(false),
            failing: Mutex::default(),
            sink,
        }
    }

    /// Whether it is made from the very same.
    pub(super) fn is(&self, endpoint: &Endpoint) -> bool {
        Arc::ptr_eq(&self.sink, &endpoint.sink)
            && self.schedule == endpoint.schedule
            && self.record == endpoint.record
            && self.hold == endpoint.hold
    }

    /// Whether it has taken the place of another and nothing was tried here yet.
    pub(super) fn is_impatient(&self) -> bool {
        self.succeeds.load(Ordering::Relaxed)
    }

    /// The same, for the lane that tries it now.
    pub(super) fn take_impatience(&self) -> bool {
        self.succeeds.swap(false, Ordering::Relaxed)
    }

    /// Its lanes end after the attempts in flight.
    pub(super) fn retire(&self) {
        self.retired.send_replace(true);
    }

    /// True when its lanes are to end.
    pub(super) fn retired(&self) -> watch::Receiver<bool> {
        self.retired.subscribe()
    }

    /// Waits for this lane's turn; lanes come in the order in which they asked. `None` never
    /// happens: the semaphore is not closed.
    pub(super) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    /// Whether this lane may make an attempt, for which it is due by its own schedule or not.
    pub(super) fn leave(&self, now: Timestamp, lane: &Lane, is_due: bool) -> Leave {
        match &self.outage {
            Some(outage) => {
                let mut outage = outage.lock().unwrap_or_else(PoisonError::into_inner);
                outage.leave(now, &lane.realm, is_due)
            }
            None if is_due => Leave::Go,
            None => Leave::AsPlanned,
        }
    }

    /// Lets the other lanes know what an attempt came to that was made between these instants.
    /// True when that has ended an outage.
    pub(super) fn came(
        &self,
        lane: &Lane,
        began: Timestamp,
        now: Timestamp,
        outcome: &Outcome,
    ) -> bool {
        let Some(outage) = &self.outage else {
            return false;
        };
        let is_back = {
            let mut outage = outage.lock().unwrap_or_else(PoisonError::into_inner);
            outage.came(&lane.realm, began, now, outcome)
        };
        if is_back {
            self.back.send_replace(());
        }
        is_back
    }

    /// When a lane that has no task is to be looked at, which waits until `not_before` by its own
    /// schedule; `None`: now.
    pub(super) fn look_at(
        &self,
        now: Timestamp,
        lane: &Lane,
        not_before: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let wait = not_before.filter(|at| !is_due(now, Some(*at), &self.schedule));
        let Some(outage) = &self.outage else {
            return wait;
        };
        let mut outage = outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.look_at(now, &lane.realm, wait)
    }

    /// Changes when an outage has ended, so that lanes that wait may go.
    pub(super) fn back(&self) -> watch::Receiver<()> {
        self.back.subscribe()
    }

    /// Tells the log when the state of the sink has changed.
    pub(super) fn note(&self, delivery: &Delivery, outcome: &Outcome, settlement: &Settlement) {
        let sink = self.sink.name();
        let realm = &delivery.lane.realm;
        let (before, after) = {
            let failing = self.failing.lock();
            let mut failing = failing.unwrap_or_else(PoisonError::into_inner);
            let before = failing.len();
            if *outcome == Outcome::Accepted {
                failing.remove(realm);
            } else {
                failing.insert(realm.clone());
            }
            (before, failing.len())
        };
        let why = describe(outcome);
        match settlement {
            Settlement::Disabled => {
                tracing::error!(%sink, "sink {sink} {why}; it rests until it is enabled");
            }
            Settlement::Dead { reason } => {
                tracing::error!(%sink, %realm, "company {realm}: {reason}");
            }
            Settlement::Delivered | Settlement::Retry { .. } => {}
        }
        match (before, after) {
            (0, 1) => tracing::warn!(%sink, %realm, "sink {sink} {why}; company {realm} waits"),
            (1, 0) => tracing::info!(%sink, "sink {sink} takes everything again"),
            _ => tracing::debug!(%sink, %realm, attempt = delivery.attempt, "{why}"),
        }
    }
}

/// Events that were delivered: in the log at `info`, so many a second singly.
pub(super) static DELIVERED: Sampler = Sampler::new();

/// Says that a delivery arrived and is settled.
pub(super) fn tell_delivered(delivery: &Delivery, attempt: &Attempt) {
    if attempt.outcome != Outcome::Accepted {
        return;
    }
    let (sink, realm) = (&delivery.lane.sink, &delivery.lane.realm);
    let took = format!("{:.1} ms", attempt.took.as_secs_f64() * 1e3);
    for change in &delivery.changes {
        if DELIVERED.admits(attempt.at.as_seconds().cast_unsigned()) {
            tracing::info!(
                receipt = change.receipt.0, event = %change.id, %realm, no = change.sequence, %sink,
                status = "accepted", attempt = delivery.attempt, %took, "event delivered"
            );
        }
    }
}
