//! A stream whose peer must go on reading.
//!
//! hyper has deadlines for reading a head but none for writing: a peer that sends requests and never
//! reads the answers would hold its connection for ever. Called by `connection`, below TLS. Promises:
//! a write, flush or shutdown that makes no progress for the given span fails with `TimedOut`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A stream with a bound on how long a write may stand still.
#[derive(Debug)]
pub(super) struct Stalling<IO> {
    inner: IO,
    span: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<IO> Stalling<IO> {
    /// Bounds the writes of `inner` by `span`.
    pub(super) fn new(inner: IO, span: Duration) -> Self {
        let deadline = None;
        Self {
            inner,
            span,
            deadline,
        }
    }

    fn bound<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.deadline = None;
            return outcome;
        }
        let span = self.span;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(span)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Stalling<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Stalling<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.bound(context, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        self.bound(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_shutdown(context);
        self.bound(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.bound(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up() {
        let (near, _far) = tokio::io::duplex(16);
        let mut stream = Stalling::new(near, Duration::from_millis(50));
        let write = stream.write_all(&[0; 64]);
        let outcome = tokio::time::timeout(Duration::from_secs(10), write).await;
        assert_eq!(
            outcome.unwrap().unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
    }

    #[tokio::test]
    async fn a_peer_that_reads_slowly_is_not() {
        let span = Duration::from_millis(400);
        let (near, mut far) = tokio::io::duplex(1);
        let mut stream = Stalling::new(near, span);
        let write = async { stream.write_all(&[7; 8]).await };
        let read = async {
            // In all it takes twice the span; no single byte does.
            for _ in 0..8 {
                tokio::time::sleep(span / 4).await;
                assert_eq!(far.read_u8().await.unwrap(), 7);
            }
        };
        let (outcome, ()) = tokio::join!(write, read);
        outcome.unwrap();
    }
}
