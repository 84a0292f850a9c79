//! A stream on which bytes that bring nothing come to an end.
//!
//! In HTTP/2 a peer can send for ever without a request that anybody takes in hand: settings, pings,
//! resets, windows, heads in pieces; and some of it stays in memory for as long as the connection.
//! Called by `connection`, between TLS and hyper, for HTTP/2 only. Promises: past the bound the
//! connection is asked to end, past a second one reading fails; an authentic delivery begins the
//! count anew, and bodies in flight, which draw on the budget, are not counted. What a body that came
//! for nothing took of the budget is given back with the connection, because so much of it may
//! still be in memory.

use super::visit::Visit;
use crate::model::Limits;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// The bytes that came on a connection since its last authentic delivery.
#[derive(Debug)]
pub(super) struct Received {
    bytes: AtomicUsize,
    /// Of these, bodies in flight.
    in_flight: AtomicUsize,
    /// How many had come for nothing when the connection was asked to end.
    overdrawn_at: AtomicUsize,
    overdrawn: Notify,
    /// Authentic deliveries so far.
    deliveries: AtomicUsize,
    /// What bodies that came for nothing took of the budget.
    charge: Mutex<Option<OwnedSemaphorePermit>>,
    /// Whether it counts what is read; in HTTP/1.1 nothing of a body outlives it.
    is_metered: AtomicBool,
}

/// A body in flight, until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    received: Arc<Received>,
    bytes: usize,
    deliveries_before: usize,
}

/// More than this the tables of a connection cannot keep alive: a hundred entries, two buffers each.
const CHARGE_MAX: usize = 2 << 20;

impl Default for Received {
    fn default() -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            overdrawn_at: AtomicUsize::new(usize::MAX),
            overdrawn: Notify::new(),
            deliveries: AtomicUsize::new(0),
            charge: Mutex::default(),
            is_metered: AtomicBool::new(false),
        }
    }
}

impl Received {
    /// Counts bytes; whether the connection may go on.
    fn add(&self, bytes: usize, bytes_max: usize, bytes_end: usize) -> bool {
        let received = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fruitless = received.saturating_sub(self.in_flight.load(Ordering::Relaxed));
        let overdrawn_at = self.overdrawn_at.load(Ordering::Relaxed);
        if overdrawn_at == usize::MAX && fruitless > bytes_max {
            self.overdrawn_at.store(fruitless, Ordering::Relaxed);
            self.overdrawn.notify_one();
        }
        fruitless <= overdrawn_at.saturating_add(bytes_end)
    }

    /// Waits until too much came for nothing. For one task, once.
    pub(super) async fn overdrawn(&self) {
        self.overdrawn.notified().await;
    }

    /// An authentic delivery: nothing came for nothing.
    pub(super) fn note_delivery(&self) {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        drop(self.charge().take());
    }

    fn charge(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.charge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// A body of which nothing has come yet.
    pub(super) fn on(received: &Arc<Received>) -> Self {
        Self {
            received: Arc::clone(received),
            bytes: 0,
            deliveries_before: received.deliveries.load(Ordering::Relaxed),
        }
    }

    /// So much more of it has come; how much in all.
    pub(super) fn add(&mut self, bytes: usize) -> usize {
        self.received.in_flight.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        self.bytes
    }

    /// The body is done with, and this is what it took of the budget.
    pub(super) fn end(&self, shared: OwnedSemaphorePermit) {
        let received = &self.received;
        let deliveries = received.deliveries.load(Ordering::Relaxed);
        let is_metered = received.is_metered.load(Ordering::Relaxed);
        if !is_metered || deliveries != self.deliveries_before {
            return;
        }
        let mut charge = received.charge();
        let mut all = shared;
        if let Some(before) = charge.take() {
            all.merge(before);
        }
        let most = all.num_permits().min(CHARGE_MAX);
        *charge = all.split(most);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.received
            .in_flight
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A stream whose received bytes are counted.
#[derive(Debug)]
pub(super) struct Metered<IO> {
    inner: IO,
    visit: Arc<Visit>,
    bytes_max: usize,
    bytes_end: usize,
}

impl<IO> Metered<IO> {
    /// Counts what is read from `inner` as the connection's.
    pub(super) fn new(inner: IO, visit: Arc<Visit>, limits: &Limits) -> Self {
        visit.received.is_metered.store(true, Ordering::Relaxed);
        Self {
            inner,
            visit,
            bytes_max: limits.idle_bytes_max,
            bytes_end: limits.idle_bytes_end,
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Metered<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let bytes = buffer.filled().len() - before;
        let received = &self.visit.received;
        Poll::Ready(if received.add(bytes, self.bytes_max, self.bytes_end) {
            Ok(())
        } else {
            Err(io::Error::other("too much came for nothing"))
        })
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Metered<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
