//! The bytes of request bodies: read within a deadline, bounded each and all together.
//!
//! Every connection may hold a little; whatever goes beyond draws on a budget that all connections
//! share, so that a crowd of half-sent bodies cannot use up the memory while small deliveries (the
//! ordinary ones) are always taken. What counts is the memory taken, not the bytes that arrived.
//! Called by `webhook` and `admin`. Promises: nothing is taken in advance on a sender's word; what is
//! held is given back when [`Held`] is dropped; decoders of large bodies work one after the other.

use super::registry::Visit;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The memory that all bodies share beyond what each connection may always hold.
#[derive(Debug)]
pub(super) struct Budget(Arc<Semaphore>);

/// A whole body, and its share of the memory until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    /// The body, byte for byte.
    pub(super) bytes: Bytes,
    share: Share,
}

/// The memory that decoders may have in hand, all together.
#[derive(Debug)]
pub(super) struct Decoding(Arc<Semaphore>);

/// Bytes of it, and how much of it a byte of a body may take: of the worst body that is still read.
const DECODING_BYTES: usize = 32 << 20;
const DECODING_FACTOR: usize = 64;

impl Default for Decoding {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(DECODING_BYTES)))
    }
}

impl Decoding {
    /// Waits until there is memory for decoding a body of so many bytes. Small bodies never wait in
    /// practice, because decoding one is over before another is begun.
    pub(super) async fn begin(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let cost = bytes.saturating_mul(DECODING_FACTOR).min(DECODING_BYTES);
        let count = u32::try_from(cost).ok()?;
        // Nobody closes it.
        Arc::clone(&self.0).acquire_many_owned(count).await.ok()
    }
}

impl Held {
    /// Takes memory for what is made of the body.
    pub(super) fn grow(
        &mut self,
        bytes: usize,
        budget: &Budget,
        visit: &Visit,
    ) -> Result<(), Unread> {
        self.share.grow(bytes, budget, visit)
    }
}

/// Why a body was not had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unread {
    /// It is, or says that it is, larger than allowed.
    TooLarge,
    /// It did not arrive in time.
    TooLate,
    /// The sender broke off, or the framing is broken.
    BrokenOff,
    /// The bodies in flight use up the memory set aside for them.
    NoRoom,
}

/// Bounds of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes at most.
    pub(super) bytes_max: usize,
    /// Time until the last byte.
    pub(super) span: Duration,
}

#[derive(Default, Debug)]
struct Share {
    own: Option<OwnedSemaphorePermit>,
    shared: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Reads a body to its end.
    pub(super) async fn read(
        &self,
        body: Incoming,
        visit: &Visit,
        bounds: Bounds,
    ) -> Result<Held, Unread> {
        tokio::time::timeout(bounds.span, self.collect(body, visit, bounds.bytes_max))
            .await
            .unwrap_or(Err(Unread::TooLate))
    }

    async fn collect(
        &self,
        mut body: Incoming,
        visit: &Visit,
        bytes_max: usize,
    ) -> Result<Held, Unread> {
        let announced = announced(&body).min(bytes_max);
        let mut share = Share::default();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            // Trailers say nothing that anybody needs.
            let Ok(data) = frame.map_err(|_| Unread::BrokenOff)?.into_data() else {
                continue;
            };
            let needed = bytes.len().saturating_add(data.len());
            if needed > bytes_max {
                return Err(Unread::TooLarge);
            }
            if needed > bytes.capacity() {
                // Doubling, so that copying stays cheap; never beyond what was announced, so that
                // nothing is taken that will not be used.
                let doubled = bytes.capacity().saturating_mul(2).min(announced);
                let capacity = needed.max(doubled);
                share.grow(capacity - bytes.capacity(), self, visit)?;
                bytes.reserve_exact(capacity - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        let bytes = Bytes::from(bytes);
        Ok(Held { bytes, share })
    }
}

/// The length that the head announced; without one, any.
pub(super) fn announced(body: &Incoming) -> usize {
    body.size_hint().exact().map_or(usize::MAX, |bytes| {
        usize::try_from(bytes).unwrap_or(usize::MAX)
    })
}

impl Share {
    /// Takes `bytes` more: of the connection's own allowance first, then of the common budget.
    fn grow(&mut self, bytes: usize, budget: &Budget, visit: &Visit) -> Result<(), Unread> {
        let own = bytes.min(visit.allowance.available_permits());
        // A request on the same connection may have been quicker; then all comes from the budget.
        let own = if take(&mut self.own, &visit.allowance, own) {
            own
        } else {
            0
        };
        if take(&mut self.shared, &budget.0, bytes - own) {
            Ok(())
        } else {
            Err(Unread::NoRoom)
        }
    }
}

fn take(held: &mut Option<OwnedSemaphorePermit>, from: &Arc<Semaphore>, bytes: usize) -> bool {
    let Ok(count) = u32::try_from(bytes) else {
        return false;
    };
    let Ok(more) = Arc::clone(from).try_acquire_many_owned(count) else {
        return false;
    };
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
    true
}
