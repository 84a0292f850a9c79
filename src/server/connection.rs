//! One connection, from the accepted socket to its end: TLS, then HTTP/1.1 or HTTP/2 by ALPN.
//!
//! The protocol is never guessed from the bytes: guessing has no deadline for the first byte, and
//! would serve HTTP/1.1 where `h2` was agreed. Called by `listener`, one task each. Promises: it ends
//! within its deadlines whatever the peer does, and at once when it is displaced.

use super::amended::Amended;
use super::answer::Answer;
use super::body::{Budget, Incoming};
use super::metered::Metered;
use super::registry::Place;
use super::requests::requests;
use super::stall::Stalling;
use super::visit::Visit;
use crate::model::{Limits, Tally};
use http::Request;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// What answers the requests of a listener.
pub(super) trait Service: Send + Sync + 'static {
    /// The answer to one request.
    fn answer(
        &self,
        request: Request<Incoming>,
        visit: &Visit,
    ) -> impl Future<Output = Answer> + Send;
}

/// What all connections of a listener have in common.
pub(super) struct Site<S> {
    pub(super) service: S,
    /// `None`: plain HTTP/1.1.
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    /// What the requests of all its connections draw on.
    pub(super) budget: Budget,
    pub(super) tally: Arc<Tally>,
}

impl<S> Site<S> {
    /// A listener with these bounds.
    pub(super) fn new(
        service: S,
        tls: Option<TlsAcceptor>,
        limits: &Limits,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            service,
            tls,
            limits: limits.clone(),
            budget: Budget::new(limits.bodies_bytes_max),
            tally,
        }
    }
}

/// How long requests in hand may take once their connection is to end.
pub(super) fn grace(limits: &Limits) -> Duration {
    limits.body + limits.answer
}

/// How long quiet connections are kept when the listener closes.
const LAST_WORDS: Duration = Duration::from_millis(400);

/// Serves one connection to its end. `closing` turns true when the listener shuts down.
pub(super) async fn serve<IO, S>(
    stream: IO,
    site: Arc<Site<S>>,
    place: Place,
    closing: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service,
{
    let visit = place.visit();
    tokio::select! {
        biased;
        () = visit.displaced() => tracing::debug!(peer = %visit.peer, "connection displaced"),
        () = converse(stream, &site, visit, closing) => {}
    }
}

async fn converse<IO, S>(
    stream: IO,
    site: &Arc<Site<S>>,
    visit: &Arc<Visit>,
    mut closing: watch::Receiver<bool>,
) where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service,
{
    let stream = Stalling::new(stream, site.limits.head);
    let Some(acceptor) = &site.tls else {
        let outcome = speak_http1(stream, site, visit, closing).await;
        return note(outcome, site, visit);
    };
    let handshake = tokio::select! {
        biased;
        handshake = timeout(site.limits.handshake, acceptor.accept(stream)) => handshake,
        () = last_words(&mut closing) => return,
    };
    let failure = match handshake {
        Ok(Ok(stream)) => {
            visit.note_progress();
            let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let outcome = if is_h2 {
                speak_http2(stream, site, visit, closing).await
            } else {
                speak_http1(stream, site, visit, closing).await
            };
            return note(outcome, site, visit);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "took too long".to_owned(),
    };
    site.tally.handshakes_failed.add_one();
    tracing::debug!(peer = %visit.peer, reason = failure, "handshake failed");
}

/// The deadline for a head, which hyper also applies to the silence before the first byte and
/// between two requests, covers everything that `body` and `answer` do not.
async fn speak_http1<IO, S>(
    stream: IO,
    site: &Arc<Site<S>>,
    visit: &Arc<Visit>,
    closing: watch::Receiver<bool>,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service,
{
    let limits = &site.limits;
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.head_fields_max)
        .max_header_size(limits.head_bytes_max)
        // hyper takes no less than 8 KiB; with TLS below, reading more at a time gains nothing.
        .max_buf_size(limits.head_bytes_max.max(8 << 10))
        .half_close(false)
        .serve_connection(
            TokioIo::new(Amended::new(stream)),
            requests(site, visit, closing.clone()),
        );
    let outcome = tokio::select! {
        // What has arrived is read before the end is looked at: a busy board may come to both late.
        biased;
        outcome = poll_fn(|context| connection.poll_without_shutdown(context)) => outcome,
        () = end_of_welcome(closing, limits.connection_age) => {
            Pin::new(&mut connection).graceful_shutdown();
            let rest = poll_fn(|context| connection.poll_without_shutdown(context));
            timeout(grace(limits), rest).await.unwrap_or(Ok(()))
        }
    };
    let was_refused =
        visit.unread.load(Ordering::Relaxed) || outcome.as_ref().is_err_and(hyper::Error::is_parse);
    let stream = connection.into_parts().io.into_inner().into_inner();
    if outcome.is_ok() || was_refused {
        part(stream, was_refused, limits).await;
    }
    outcome
}

/// HTTP/2 knows no idle deadline of its own: silence before the preface, between requests and in
/// the middle of a head all count as idle here, because no request is in hand.
async fn speak_http2<IO, S>(
    stream: IO,
    site: &Arc<Site<S>>,
    visit: &Arc<Visit>,
    closing: watch::Receiver<bool>,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service,
{
    let limits = &site.limits;
    // hyper takes these at the start and for good; whoever is known comes on connections of its own.
    let (streams_max, head_bytes_max) = if visit.is_known() {
        (limits.streams_max, limits.head_bytes_max)
    } else {
        (limits.stranger_streams_max, limits.stranger_head_bytes_max)
    };
    let stream = Metered::new(stream, Arc::clone(visit), limits);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams_max)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(usize::try_from(streams_max).unwrap_or(usize::MAX))
        .max_local_error_reset_streams(usize::try_from(streams_max).unwrap_or(usize::MAX))
        // What a peer can have under way unread, for one stream and for all of them; no less, because
        // a connection begins with so much.
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(64 << 10)
        .max_send_buf_size(16 << 10)
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), requests(site, visit, closing.clone()));
    tokio::pin!(connection);
    let grace = tokio::select! {
        biased;
        outcome = &mut connection => return outcome,
        () = visit.idle_for(limits.head) => limits.answer,
        () = end_of_welcome(closing, limits.connection_age) => grace(limits),
    };
    connection.as_mut().graceful_shutdown();
    timeout(grace, connection).await.unwrap_or(Ok(()))
}

async fn end_of_welcome(mut closing: watch::Receiver<bool>, age: Duration) {
    tokio::select! {
        () = last_words(&mut closing) => {}
        () = sleep(age) => {}
    }
}

/// Completes a moment after the listener began to close: what a peer had on its way by then is
/// answered, and not cut off by the end of a quiet connection.
async fn last_words(closing: &mut watch::Receiver<bool>) {
    // Nobody left to close it counts as closing.
    let _ = closing.wait_for(|closing| *closing).await;
    sleep(LAST_WORDS).await;
}

/// Says goodbye. When the peer was refused while it was still sending, what it sends is read for a
/// moment: closing at once would make the system discard the answer on its way (RFC 9112, 9.6).
async fn part<IO: AsyncRead + AsyncWrite + Unpin>(mut stream: IO, linger: bool, limits: &Limits) {
    let goodbye = async {
        stream.shutdown().await?;
        let mut left = if linger { 2 * limits.body_bytes_max } else { 0 };
        let mut sink = [0; 4 << 10];
        while left > 0 {
            match stream.read(&mut sink).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // Whatever goes wrong now concerns nobody any more.
    let _ = timeout(limits.answer, goodbye).await;
}

fn note<S>(outcome: hyper::Result<()>, site: &Site<S>, visit: &Visit) {
    let Err(error) = outcome else { return };
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    // A peer that just goes away has done nothing wrong.
    let went_away = cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
        )
    });
    if !went_away {
        site.tally.connections_faulted.add_one();
        tracing::debug!(peer = %visit.peer, reason = %error, "connection closed");
    }
}
