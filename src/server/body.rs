//! What requests take of the memory: their heads, their bodies and their answers, bounded each and all
//! together; and reading a body within a deadline.
//!
//! Every connection may hold a little; whatever goes beyond draws on a budget that all connections
//! share, so that a crowd of half-sent bodies cannot use up the memory while small deliveries (the
//! ordinary ones) are always taken. What counts is the memory taken, not the bytes that arrived.
//! Called by `connection` and the services. Promises: nothing is taken in advance on a sender's word;
//! what is held is given back when [`Held`] or the [`Share`] is dropped; decoders of large bodies
//! work one after the other.

use super::metered::InFlight;
use super::visit::Visit;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The memory that all requests share beyond what each connection may always hold.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Semaphore>);

/// A whole body, and its share of the memory until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    /// The body, byte for byte.
    pub(super) bytes: Bytes,
    taken: Taken,
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
    pub(super) fn grow(&mut self, bytes: usize, visit: &Visit) -> Result<(), Unread> {
        self.taken.share.grow(bytes, visit)
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
    /// The requests in flight use up the memory set aside for them.
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

/// A share of the memory, given back when dropped.
#[derive(Default, Debug)]
pub(super) struct Share {
    own: Option<OwnedSemaphorePermit>,
    shared: Option<OwnedSemaphorePermit>,
}

/// What a body has taken so far.
#[derive(Debug)]
struct Taken {
    share: Share,
    in_flight: InFlight,
}

/// The body of a request. What a service leaves of it goes back to the connection.
#[derive(Debug)]
pub(super) struct Incoming {
    body: Option<hyper::body::Incoming>,
    is_over: bool,
    left: Left,
}

/// Where the rest of a body is found when the service is done with it.
#[derive(Clone, Default, Debug)]
pub(super) struct Left(Arc<Mutex<Option<hyper::body::Incoming>>>);

impl Budget {
    /// A budget of this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }
}

/// Reads a body to its end.
pub(super) async fn read(body: Incoming, visit: &Visit, bounds: Bounds) -> Result<Held, Unread> {
    tokio::time::timeout(bounds.span, collect(body, visit, bounds.bytes_max))
        .await
        .unwrap_or(Err(Unread::TooLate))
}

async fn collect(mut body: Incoming, visit: &Visit, bytes_max: usize) -> Result<Held, Unread> {
    let announced = announced(&body).min(bytes_max);
    let mut taken = Taken::on(visit);
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
            taken.share.grow(capacity - bytes.capacity(), visit)?;
            bytes.reserve_exact(capacity - bytes.len());
        }
        taken.in_flight.add(data.len());
        bytes.extend_from_slice(&data);
    }
    Ok(Held {
        bytes: Bytes::from(bytes),
        taken,
    })
}

/// Reads what is left of a body and forgets it, as far as there is room for so much in flight.
pub(super) async fn drain(mut body: hyper::body::Incoming, visit: &Visit, bytes_max: usize) {
    let mut taken = Taken::on(visit);
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        let so_far = taken.in_flight.add(bytes);
        if so_far > bytes_max || taken.share.grow(bytes, visit).is_err() {
            return;
        }
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
    pub(super) fn grow(&mut self, bytes: usize, visit: &Visit) -> Result<(), Unread> {
        let own = bytes.min(visit.allowance.available_permits());
        // A request on the same connection may have been quicker; then all comes from the budget.
        let own = if take(&mut self.own, &visit.allowance, own) {
            own
        } else {
            0
        };
        if take(&mut self.shared, &visit.budget.0, bytes - own) {
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

impl Taken {
    fn on(visit: &Visit) -> Self {
        let in_flight = InFlight::on(&visit.received);
        let share = Share::default();
        Self { share, in_flight }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(shared) = self.share.shared.take() {
            self.in_flight.end(shared);
        }
    }
}

impl Incoming {
    /// A body, and where to look for the rest of it.
    pub(super) fn new(body: hyper::body::Incoming) -> (Self, Left) {
        let left = Left::default();
        let incoming = Self {
            body: Some(body),
            is_over: false,
            left: left.clone(),
        };
        (incoming, left)
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        self.is_over = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_end_stream() {
            let mut left = self.left.0.lock().unwrap_or_else(PoisonError::into_inner);
            *left = self.body.take();
        }
    }
}

impl Left {
    /// The rest of the body, where the service has left one.
    pub(super) fn take(&self) -> Option<hyper::body::Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
