//! The accept loop: it never ends by itself, whatever accept says.
//!
//! Not here: what is said on a connection. Called by `public` and `admin`. Promises: an error of
//! accept is counted and survived; a full house keeps a newcomer waiting for a moment at most, and nobody
//! in front of others; on shutdown nobody new is taken in, requests in hand are finished within a
//! deadline, and every task has ended.

use super::connection::{Service, Site, grace, serve};
use super::peer::Peer;
use super::registry::{Admission, Place, Registry};
use super::waiting::Waiting;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Pause after the system ran out of descriptors or memory: accept would fail again at once.
const PAUSE: Duration = Duration::from_millis(75);

/// Other errors concern the one connection that was to be accepted; so many in a row do not.
const FAILURES_WITHOUT_PAUSE: u32 = 16;

/// Connections closed at each such pause; one at a time would leave newcomers waiting for long.
const EXHAUSTION_ROOM: usize = 8;

/// How often those who wait for a place ask again; a connection that ends gives its place at once.
const RETRY: Duration = Duration::from_millis(25);

/// Where connections come from.
pub(super) trait Accept: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection and whose it is; the system keeps no more than so many bytes of it unread,
    /// in and out.
    fn accept(
        &self,
        unread: [usize; 2],
    ) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

/// Serves what `listener` accepts until `shutdown` completes, and then to the end of what was begun.
pub(super) async fn run<L: Accept, S: Service>(
    listener: L,
    site: Site<S>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let site = Arc::new(site);
    let limits = &site.limits;
    let registry = Registry::new(limits, site.budget.clone());
    let mut waiting = Waiting::new(limits.waiting_max, limits.waiting);
    let mut retry = interval(RETRY);
    retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (closing, _) = watch::channel(false);
    let mut open = JoinSet::new();
    let mut failures = 0_u32;
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = open.join_next() => {
                note(ended, &site);
                None
            }
            _ = retry.tick(), if !waiting.is_empty() => None,
            accepted = listener.accept(limits.socket_bytes) => Some(accepted),
        };
        match accepted {
            None => {}
            Some(Ok((stream, peer))) => {
                failures = 0;
                site.tally.connections.add_one();
                let sent_away = waiting.push(stream, peer);
                sent_away.inspect(|peer| note_sent_away(*peer, &site));
            }
            Some(Err(error)) => {
                site.tally.accept_errors.add_one();
                tracing::debug!(reason = %error, "accept failed");
                failures = failures.saturating_add(1);
                let is_exhaustion = is_exhaustion(&error);
                if is_exhaustion {
                    make_room(&registry, &site);
                }
                if is_exhaustion || failures > FAILURES_WITHOUT_PAUSE {
                    tokio::select! {
                        () = &mut shutdown => break,
                        () = sleep(PAUSE) => {}
                    }
                }
            }
        }
        while let Some((stream, admission)) = waiting.admit(&registry) {
            let place = admitted(admission, &site);
            let task = serve(stream, Arc::clone(&site), place, closing.subscribe());
            // Boxed, because a task is moved where it is started.
            open.spawn(Box::pin(task));
        }
        while let Some(peer) = waiting.expire() {
            note_sent_away(peer, &site);
        }
    }
    drop(listener);
    closing.send_replace(true);
    let drained = timeout(grace(limits), async {
        while let Some(ended) = open.join_next().await {
            note(ended, &site);
        }
    });
    if drained.await.is_err() {
        open.shutdown().await;
    }
}

/// Closes the quietest connections: they hold what a newcomer needs.
fn make_room<S>(registry: &Registry, site: &Site<S>) {
    for _ in 0..EXHAUSTION_ROOM {
        if registry.make_room() {
            site.tally.connections_displaced.add_one();
        }
    }
}

fn admitted<S>(admission: Admission, site: &Site<S>) -> Place {
    match admission {
        Admission::Admitted(place) => place,
        Admission::InsteadOf(displaced, place) => {
            site.tally.connections_displaced.add_one();
            tracing::debug!(peer = %displaced, "too many connections: the quietest makes room");
            place
        }
    }
}

fn note_sent_away<S>(peer: Peer, site: &Site<S>) {
    site.tally.connections_displaced.add_one();
    tracing::debug!(%peer, "too many connections, all of them busy or only just begun");
}

fn note<S>(ended: Result<(), tokio::task::JoinError>, site: &Site<S>) {
    if let Err(error) = ended {
        site.tally.connections_faulted.add_one();
        // Not the panic's own text: it may quote what somebody sent.
        tracing::error!(panicked = error.is_panic(), "a connection's task failed");
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    let exhaustion = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    Errno::from_io_error(error).is_some_and(|errno| exhaustion.contains(&errno))
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self, [inward, outward]: [usize; 2]) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = self.accept().await?;
        // An answer is one small segment; nothing is gained by waiting for more. This and the bounds
        // fail only on a connection that is dead already, which its task will find.
        let _ = stream.set_nodelay(true);
        let _ = set_socket_recv_buffer_size(&stream, inward);
        let _ = set_socket_send_buffer_size(&stream, outward);
        Ok((stream, Peer::of(address.ip())))
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self, _unread: [usize; 2]) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, Peer::Local))
    }
}
