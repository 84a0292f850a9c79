//! The listeners for people and programs of the house: how the relay is, and a few commands.
//!
//! Two faces. The admin listener (loopback TCP, or a Unix socket) only tells: `/healthz`, `/readyz`,
//! `/metrics`, `/status` and a page. The control socket, a Unix socket in the state directory that
//! only the relay's own user and root can open, also takes commands. Not here: how the facts are
//! gathered and what a command does; the roof says so through [`Observe`] and [`Control`]. Promises:
//! the same deadlines and bounds as on the public listener; a web page of a foreign name cannot read
//! anything by way of a browser on this machine.

mod control;
mod metrics;
mod page;
mod report;
mod socket;

pub use control::{Control, Refused, serve_control};
pub use report::{Observe, Report};
pub use socket::bind;

use super::answer::{Answer, HTML, JSON, Refusal, answer, put, text};
use super::connection::{Service, Site};
use super::listener::{self, Accept};
use super::registry::{Peer, Visit};
use super::router;
use crate::model::{JournalHealth, Limits, Tally};
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, StatusCode};
use hyper::body::{Body, Incoming};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::timeout;

/// Serves the admin pages over TCP until `shutdown` completes and open requests are answered.
pub async fn serve_tcp<O: Observe>(
    listener: TcpListener,
    observer: Arc<O>,
    tally: Arc<Tally>,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    serve(
        listener,
        Pages::new(observer, tally, limits),
        limits,
        shutdown,
    )
    .await;
}

/// The same over a Unix socket.
pub async fn serve_unix<O: Observe>(
    listener: UnixListener,
    observer: Arc<O>,
    tally: Arc<Tally>,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    serve(
        listener,
        Pages::new(observer, tally, limits),
        limits,
        shutdown,
    )
    .await;
}

async fn serve<S: Service>(
    listener: impl Accept,
    service: S,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let site = Site {
        service,
        tls: None,
        limits: limits.clone(),
        // The relay's counters speak of the public listener; these are nobody's business.
        tally: Arc::default(),
    };
    listener::run(listener, site, shutdown).await;
}

/// What both faces tell.
struct Pages<O> {
    observer: Arc<O>,
    tally: Arc<Tally>,
    limits: Limits,
}

impl<O: Observe> Pages<O> {
    fn new(observer: Arc<O>, tally: Arc<Tally>, limits: &Limits) -> Self {
        let limits = limits.clone();
        Self {
            observer,
            tally,
            limits,
        }
    }

    /// The report, unless it cannot be had in time.
    async fn report(&self) -> Result<Report, Refusal> {
        timeout(self.limits.read, self.observer.observe())
            .await
            .map_err(|_| Refusal::NoReport)
    }

    async fn ready(&self) -> Result<Answer, Refusal> {
        let health = self.report().await?.health;
        let reason = match health.journal {
            _ if !health.started => "not ready: starting",
            JournalHealth::Full => "not ready: the journal is full",
            JournalHealth::Broken => "not ready: the journal is broken",
            JournalHealth::Working if !health.device.stalled.is_empty() => {
                "not ready: a part makes no progress"
            }
            JournalHealth::Working => return Ok(text(StatusCode::OK, "ready")),
        };
        Ok(text(StatusCode::SERVICE_UNAVAILABLE, reason))
    }

    async fn metrics(&self) -> Result<Answer, Refusal> {
        let text = metrics::encode(&self.report().await?, &self.tally);
        Ok(answer(StatusCode::OK, metrics::CONTENT_TYPE, text))
    }

    async fn status(&self) -> Result<Answer, Refusal> {
        let json = report::encode(&self.report().await?, &self.tally);
        Ok(answer(StatusCode::OK, JSON, json))
    }

    async fn page(&self) -> Result<Answer, Refusal> {
        let page = page::render(&self.report().await?);
        let mut answer = answer(StatusCode::OK, HTML, page);
        put(&mut answer, CONTENT_SECURITY_POLICY, page::POLICY);
        put(&mut answer, REFERRER_POLICY, "no-referrer");
        Ok(answer)
    }
}

impl<O: Observe> Service for Pages<O> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        if !request.body().is_end_stream() {
            visit.unread.store(true, Ordering::Relaxed);
        }
        let outcome = match check(&request, visit) {
            Err(refusal) => Err(refusal),
            Ok(()) => match (request.uri().path(), is_reading(request.method())) {
                ("/healthz", true) => Ok(text(StatusCode::OK, "ok")),
                ("/readyz", true) => self.ready().await,
                ("/metrics", true) => self.metrics().await,
                ("/status", true) => self.status().await,
                ("/", true) => self.page().await,
                ("/healthz" | "/readyz" | "/metrics" | "/status" | "/", false) => {
                    Err(Refusal::NotAllowed("GET, HEAD"))
                }
                _ => Err(Refusal::NotFound),
            },
        };
        guarded(outcome.unwrap_or_else(Answer::from))
    }
}

/// Lets a request through that can have come from this house.
fn check(request: &Request<Incoming>, visit: &Visit) -> Result<(), Refusal> {
    let host = router::host(request)?;
    let is_foreign = host.is_some_and(|host| !router::is_own(&host));
    // Over a Unix socket no browser comes, and clients put in any name.
    if is_foreign && visit.peer != Peer::Local {
        return Err(Refusal::Foreign);
    }
    Ok(())
}

fn is_reading(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Browsers are to take the content type at its word.
fn guarded(mut answer: Answer) -> Answer {
    put(&mut answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}
