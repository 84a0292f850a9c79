//! The listeners for people and programs of the house: how the relay is, and a few commands.
//!
//! Two faces. The admin listener (TCP, with TLS where it leaves this machine, or a Unix socket) tells
//! on `/healthz`, `/readyz`, `/metrics`, `/status`, on a page and on the metadata of the original
//! listener; on `/companies` a person connects a QuickBooks company; under `/elements/api-v2` is the
//! Open Connectors interface, for those who have its secrets. The control socket, a Unix socket in the
//! state directory that only the relay's own user and root can open, also takes commands. Not here:
//! how the facts are gathered and what a command does; the roof says so through [`Observe`] and
//! [`Control`]. Promises: the same deadlines and bounds as on the public listener; a web page of a
//! foreign name cannot read anything by way of a browser on this machine (under `/elements/api-v2` the
//! secrets see to that).

mod companies;
mod control;
mod metrics;
mod order;
mod page;
mod report;
mod socket;

pub use super::router::OwnNames;
pub use companies::{BrowserOrigin, Register};
pub use control::{Control, serve_control};
pub use order::{Order, Refused};
pub use report::{Observe, Report};
pub use socket::bind;

use super::answer::{Answer, JSON, Refusal, answer, put, text};
use super::body::Incoming;
use super::connection::{Service, Site};
use super::elements::{self, Elements, Hall, Interface, Reach};
use super::face;
use super::html::html;
use super::listener::{self, Accept};
use super::peer::Peer;
use super::router;
use super::visit::Visit;
use crate::model::{Limits, Tally};
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::uri::Authority;
use http::{Method, Request, StatusCode};
use rustls::ServerConfig;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// What the admin listener shows.
#[derive(Debug)]
pub struct Rooms<O, E> {
    /// Who says how the relay is, on the pages.
    pub observer: Arc<O>,
    /// The Open Connectors interface.
    pub hall: Hall<E>,
    /// The relay's counters.
    pub tally: Arc<Tally>,
    /// Names by which the gateway is known.
    pub names: OwnNames,
}

/// Serves the pages and the interface over TCP, with TLS where it is given, until `shutdown` completes
/// and open requests are answered.
pub async fn serve_tcp<O: Observe + Register, E: Elements>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    rooms: Rooms<O, E>,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let reach = match (&tls, listener.local_addr()) {
        (Some(_), _) => Reach::Encrypted,
        (None, Ok(address)) if !leaves_machine(address.ip()) => Reach::Machine,
        (None, _) => Reach::Exposed,
    };
    serve_rooms(listener, tls, rooms, reach, limits, shutdown).await;
}

/// The same over a Unix socket.
pub async fn serve_unix<O: Observe + Register, E: Elements>(
    listener: UnixListener,
    rooms: Rooms<O, E>,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    serve_rooms(listener, None, rooms, Reach::Machine, limits, shutdown).await;
}

/// Whether whoever connects to this address can be another machine.
pub fn leaves_machine(address: IpAddr) -> bool {
    !address.to_canonical().is_loopback()
}

async fn serve_rooms<O: Observe + Register, E: Elements>(
    listener: impl Accept,
    tls: Option<Arc<ServerConfig>>,
    rooms: Rooms<O, E>,
    reach: Reach,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let Rooms {
        observer,
        hall,
        tally,
        names,
    } = rooms;
    let house = House {
        interface: Interface::new(hall, reach, Arc::clone(&tally), limits),
        pages: Pages::new(observer, tally, limits, names),
    };
    let calls = house.interface.calls();
    serve(listener, tls, house, limits, shutdown).await;
    elements::ended(&calls, limits).await;
}

async fn serve<S: Service>(
    listener: impl Accept,
    tls: Option<Arc<ServerConfig>>,
    service: S,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    // The relay's counters speak of the public listener; these are nobody's business.
    let tally = Arc::default();
    let site = Site::new(
        service,
        tls.map(TlsAcceptor::from),
        &limits.of_the_house(),
        tally,
    );
    listener::run(listener, site, shutdown).await;
}

/// What stands behind the admin listener: the interface under its prefix, the pages elsewhere.
struct House<O, E> {
    pages: Pages<O>,
    interface: Interface<E>,
}

impl<O: Observe + Register, E: Elements> Service for House<O, E> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        if elements::is_within(request.uri().path()) {
            guarded(self.interface.answer(request, visit).await)
        } else {
            self.pages.answer(request, visit).await
        }
    }
}

/// What both faces tell.
struct Pages<O> {
    observer: Arc<O>,
    tally: Arc<Tally>,
    limits: Limits,
    names: OwnNames,
}

impl<O: Observe> Pages<O> {
    fn new(observer: Arc<O>, tally: Arc<Tally>, limits: &Limits, names: OwnNames) -> Self {
        let limits = limits.clone();
        Self {
            observer,
            tally,
            limits,
            names,
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
        let reason = match health.journal.trouble() {
            _ if !health.started => "starting",
            Some(trouble) => trouble,
            None if !health.device.stalled.is_empty() => "a part makes no progress",
            None => return Ok(text(StatusCode::OK, "ready")),
        };
        Ok(text(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("not ready: {reason}"),
        ))
    }

    async fn metrics(&self) -> Result<Answer, Refusal> {
        let text = metrics::encode(&self.report().await?, &self.tally);
        Ok(answer(StatusCode::OK, metrics::CONTENT_TYPE, text))
    }

    async fn status(&self) -> Result<Answer, Refusal> {
        let json = report::encode(&self.report().await?, &self.tally);
        Ok(answer(StatusCode::OK, JSON, json))
    }

    /// What integrators ask the original listener about itself.
    /// The samples are addressed to the gateway by the name that was asked for, on the usual port.
    fn metadata<B>(&self, path: &str, request: &Request<B>) -> Result<Answer, Refusal> {
        let metadata = self.observer.metadata().ok_or(Refusal::NotFound)?;
        let host = router::host(request)?;
        let host = host.as_ref().map_or("", Authority::host);
        let query = request.uri().query().unwrap_or_default();
        let page = metadata.page(path, query, host);
        page.map(face::page).ok_or(Refusal::NotFound)
    }

    async fn page(&self) -> Result<Answer, Refusal> {
        Ok(html(StatusCode::OK, page::render(&self.report().await?)))
    }
}

impl<O: Observe + Register> Service for Pages<O> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        let outcome = match check(&request, visit, &self.names) {
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
                (companies::PATH, true) => Ok(companies::list(&*self.observer).await),
                (companies::PATH, false) => Err(Refusal::NotAllowed("GET, HEAD")),
                (companies::CONNECT, _) => {
                    Ok(companies::connect(&*self.observer, &request, visit).await)
                }
                (path, true) => self.metadata(path, &request),
                (_, false) => Err(Refusal::NotFound),
            },
        };
        guarded(outcome.unwrap_or_else(Answer::from))
    }
}

/// Lets a request through that can have come from this house.
fn check(request: &Request<Incoming>, visit: &Visit, names: &OwnNames) -> Result<(), Refusal> {
    let host = router::host(request)?;
    let is_foreign = host.is_some_and(|host| !names.are_of(&host));
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
