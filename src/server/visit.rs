//! One connection, as the registry, its own task and its requests see it.
//!
//! Called by `registry`, `connection` and the services. Promises: every note is cheap, and never waits.

use super::body::{Budget, Share};
use super::metered::Received;
use super::peer::Peer;
use super::registry::Shared;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// One connection.
#[derive(Debug)]
pub(super) struct Visit {
    /// Whose it is.
    pub(super) peer: Peer,
    /// A body was left unread, so that closing at once could lose the answer. In HTTP/1.1 only.
    pub(super) unread: AtomicBool,
    /// Bytes that this connection may always hold; what goes beyond draws on the budget.
    pub(super) allowance: Arc<Semaphore>,
    /// Bytes that all connections share.
    pub(super) budget: Budget,
    /// What came on it.
    pub(super) received: Arc<Received>,
    registry: Arc<Shared>,
    /// Its number in the order of progress, and when it was made.
    progress: Mutex<(u64, Instant)>,
    is_known: bool,
    has_delivered: AtomicBool,
    requests: AtomicUsize,
    deliveries: AtomicUsize,
    activity: Notify,
    displaced: Notify,
}

/// A request in hand; over when dropped.
#[derive(Debug)]
pub(super) struct RequestInHand(Arc<Visit>);

/// An authentic delivery in hand; over when dropped.
#[derive(Debug)]
pub(super) struct DeliveryInHand<'a>(&'a Visit);

impl Visit {
    /// A connection that was accepted with this progress.
    pub(super) fn new(
        peer: Peer,
        progress: (u64, Instant),
        allowance: usize,
        budget: Budget,
        registry: Arc<Shared>,
    ) -> Self {
        let network = peer.network();
        Self {
            peer,
            unread: AtomicBool::new(false),
            allowance: Arc::new(Semaphore::new(allowance)),
            budget,
            received: Arc::default(),
            is_known: network.is_some_and(|network| registry.remembers(network)),
            registry,
            progress: Mutex::new(progress),
            has_delivered: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            deliveries: AtomicUsize::new(0),
            activity: Notify::new(),
            displaced: Notify::new(),
        }
    }

    pub(super) fn registry(&self) -> &Shared {
        &self.registry
    }

    /// A share of the memory for a request that takes so many bytes; none when there is no room.
    pub(super) fn share(&self, bytes: usize) -> Option<Share> {
        let mut share = Share::default();
        share.grow(bytes, self).ok().map(|()| share)
    }

    /// Notes that the connection got somewhere.
    pub(super) fn note_progress(&self) {
        let progress = (self.registry.step(), Instant::now());
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// The last progress.
    pub(super) fn progress(&self) -> (u64, Instant) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an authentic delivery was kept.
    pub(super) fn note_delivery(&self) {
        self.received.note_delivery();
        if !self.has_delivered.swap(true, Ordering::Relaxed)
            && let Some(network) = self.peer.network()
        {
            self.registry.remember(network);
        }
        self.note_progress();
    }

    /// Whether this connection has brought an authentic delivery.
    pub(super) fn has_delivered(&self) -> bool {
        self.has_delivered.load(Ordering::Relaxed)
    }

    /// Whether its network had brought an authentic delivery when the connection was accepted.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Takes a request in hand.
    pub(super) fn begin_request(self: &Arc<Self>) -> RequestInHand {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.activity.notify_one();
        RequestInHand(Arc::clone(self))
    }

    /// Takes an authentic delivery in hand: from now on nobody displaces this connection.
    pub(super) fn begin_delivery(&self) -> DeliveryInHand<'_> {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
        DeliveryInHand(self)
    }

    /// Whether an authentic delivery is in hand.
    pub(super) fn has_delivery_in_hand(&self) -> bool {
        self.deliveries.load(Ordering::Relaxed) > 0
    }

    /// Tells the connection to make room.
    pub(super) fn displace(&self) {
        self.displaced.notify_one();
    }

    /// Waits until the connection has to make room.
    pub(super) async fn displaced(&self) {
        self.displaced.notified().await;
    }

    /// Waits until there has been no request in hand for `span`, or for a moment where too much came
    /// for nothing: not sooner, because some clients give up what is under way when they are told
    /// that a connection ends. For one task at a time.
    pub(super) async fn idle_for(&self, span: Duration) {
        loop {
            if self.requests.load(Ordering::Relaxed) > 0 {
                self.activity.notified().await;
                continue;
            }
            tokio::select! {
                () = self.activity.notified() => {}
                () = self.received.overdrawn() => return,
                () = tokio::time::sleep(span) => return,
            }
        }
    }
}

impl Drop for RequestInHand {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.activity.notify_one();
    }
}

impl Drop for DeliveryInHand<'_> {
    fn drop(&mut self) {
        self.0.deliveries.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::{Admission, Registry};
    use super::*;
    use crate::model::Limits;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_while_it_has_no_request_in_hand() {
        let registry = Registry::new(&Limits::default(), Budget::new(0));
        let Some(Admission::Admitted(place)) = registry.admit(Peer::Local) else {
            panic!("there was room");
        };
        let visit = Arc::clone(place.visit());
        let span = Duration::from_millis(20);
        let in_hand = visit.begin_request();
        let idle = visit.idle_for(span);
        tokio::pin!(idle);
        assert!(tokio::time::timeout(5 * span, &mut idle).await.is_err());
        drop(in_hand);
        assert!(tokio::time::timeout(5 * span, &mut idle).await.is_ok());
    }
}
