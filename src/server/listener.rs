//! The accept loop: it never ends by itself, whatever accept says.
//!
//! Not here: what is said on a connection. Called by `public` and `admin`. Promises: an error of
//! accept is counted and survived; a full house never keeps a newcomer waiting; on shutdown nobody new
//! is taken in, requests in hand are finished within a deadline, and every task has ended.

use super::connection::{Service, Site, grace, serve};
use super::registry::{Admission, Peer, Place, Registry};
use rustix::io::Errno;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Pause after the system ran out of descriptors or memory: accept would fail again at once.
const PAUSE: Duration = Duration::from_millis(75);

/// Other errors concern the one connection that was to be accepted; so many in a row do not.
const FAILURES_WITHOUT_PAUSE: u32 = 16;

/// Connections closed at each such pause; one at a time would leave newcomers waiting for long.
const EXHAUSTION_ROOM: usize = 8;

/// Where connections come from.
pub(super) trait Accept: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection and whose it is.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

/// Serves what `listener` accepts until `shutdown` completes, and then to the end of what was begun.
pub(super) async fn run<L: Accept, S: Service>(
    listener: L,
    site: Site<S>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let site = Arc::new(site);
    let limits = &site.limits;
    let registry = Registry::new(
        limits.connections_max,
        limits.connections_per_peer_max,
        limits.body_bytes_free,
    );
    let (closing, _) = watch::channel(false);
    let mut open = JoinSet::new();
    let mut failures = 0_u32;
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = open.join_next() => {
                note(ended, &site);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                failures = 0;
                site.tally.connections.add_one();
                if let Some(place) = admit(&registry, peer, &site) {
                    let site = Arc::clone(&site);
                    // Boxed, because a task is moved where it is started.
                    open.spawn(Box::pin(serve(stream, site, place, closing.subscribe())));
                }
            }
            Err(error) => {
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

fn admit<S>(registry: &Registry, peer: Peer, site: &Site<S>) -> Option<Place> {
    match registry.admit(peer) {
        Admission::Admitted(place) => Some(place),
        Admission::InsteadOf(displaced, place) => {
            site.tally.connections_displaced.add_one();
            tracing::debug!(peer = %displaced, "too many connections: the quietest makes room");
            Some(place)
        }
        Admission::Refused => {
            site.tally.connections_displaced.add_one();
            tracing::debug!(%peer, "too many connections, all with a delivery in hand");
            None
        }
    }
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

    async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = self.accept().await?;
        // An answer is one small segment; nothing is gained by waiting for more. It fails only on a
        // connection that is dead already, which its task will find.
        let _ = stream.set_nodelay(true);
        Ok((stream, Peer::of(address.ip())))
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, Peer::Local))
    }
}
