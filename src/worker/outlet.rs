//! One sink as its lanes share it: how many attempts are made at a time, which companies it fails,
//! and whether another has taken its place.
//!
//! The log gets a line when a sink begins to fail and one when all of its lanes go through again,
//! not one for each attempt; the journal has those.

use super::Endpoint;
use crate::model::{Delivery, Outcome, RealmId, Settlement};
use crate::rules::retry::{Schedule, describe};
use crate::sink::Sink;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// A sink and what its lanes share.
pub(super) struct Outlet {
    pub(super) sink: Arc<Sink>,
    pub(super) schedule: Schedule,
    pub(super) record: bool,
    pub(super) hold: Option<Duration>,
    /// It took the place of another: what waits for its next attempt there is tried here at once.
    pub(super) succeeds: bool,
    permits: Arc<Semaphore>,
    retired: watch::Sender<bool>,
    failing: Mutex<BTreeSet<RealmId>>,
}

impl Outlet {
    /// A sink with as many attempts at a time as there are permits, which it may share with others.
    pub(super) fn new(endpoint: Endpoint, permits: Arc<Semaphore>, succeeds: bool) -> Self {
        let Endpoint {
            sink,
            schedule,
            record,
            hold,
        } = endpoint;
        Self {
            schedule,
            record,
            hold,
            succeeds,
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
