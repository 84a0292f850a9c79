//! One sink as its lanes share it: how many attempts are made at a time, and which companies it
//! fails.
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
use tokio::sync::{Semaphore, SemaphorePermit};

/// A sink and what its lanes share.
pub(super) struct Outlet {
    pub(super) sink: Arc<Sink>,
    pub(super) schedule: Schedule,
    pub(super) record: bool,
    pub(super) hold: Option<Duration>,
    permits: Semaphore,
    failing: Mutex<BTreeSet<RealmId>>,
}

impl Outlet {
    /// A sink that gets at most `share` attempts at a time, less where it wants less.
    pub(super) fn new(endpoint: Endpoint, share: usize) -> Self {
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
            permits: Semaphore::new(sink.concurrency().min(share).max(1)),
            failing: Mutex::default(),
            sink,
        }
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
