//! The Open Connectors interface: a request under `/elements/api-v2`, authorized, read, carried out,
//! answered.
//!
//! Not here: what a call means and what it does; the roof says so through [`Elements`]. Called by
//! `admin`. Promises: nothing but the description is told without secrets, and no body is read; no
//! secret, query or body is ever logged; every refusal has the documented body with an id of its own;
//! a call that was begun is carried out to its end, also when its caller goes away; where the
//! listener leaves this machine without TLS, nothing is served.
//!
//! In reading order: `guard` (who may come in), `lockout` (who guesses), `request_id`, `writing`.

mod guard;
mod lockout;
mod request_id;
mod writing;

pub use guard::Caller;

use super::answer::{Answer, JSON, answer};
use super::body::{self, Bounds, Held, Incoming, Unread, announced};
use super::coding;
use super::connection::grace;
use super::router;
use super::visit::Visit;
use crate::clock::Clock;
use crate::model::{InstanceId, Limits, Secret, Tally};
use crate::vault::admin_secrets::AdminSecrets;
use crate::wire::elements::{BASE, Call, Request as Asked, Wrong, call, openapi};
use guard::{Guard, Refused};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request, StatusCode};
use request_id::RequestIds;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Where QuickBooks posts to the platform; here it is a path of the public listener like those that are
/// configured.
pub const VENDOR_PATH: &str = "/elements/api-v2/events/quickbooks";

/// Bytes of a body: an instance with its whole configuration takes a few KiB.
const BODY_BYTES_MAX: usize = 256 << 10;

/// Calls that are carried out at a time.
const CALLS_MAX: u32 = 32;

/// Who knows the instances and does what callers ask for.
pub trait Elements: Send + Sync + 'static {
    /// The instance whose element token this is; a deleted one's is nobody's.
    ///
    /// # Errors
    /// Why that cannot be told at the moment.
    fn holder(
        &self,
        token: &Secret,
    ) -> impl Future<Output = Result<Option<InstanceId>, String>> + Send;

    /// Carries a call out; it ends within deadlines of its own. [`Call::Description`] never comes.
    ///
    /// # Errors
    /// [`Wrong`]: what the caller is told.
    fn carry_out(
        &self,
        caller: Caller,
        call: Call,
        from: CallOrigin,
    ) -> impl Future<Output = Result<Reply, Wrong>> + Send;
}

/// Where a call came from, for the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallOrigin {
    /// The peer.
    pub peer: String,
    /// Method and path.
    pub request: String,
}

/// Nobody: nothing is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Nobody {}

impl Elements for Nobody {
    async fn holder(&self, _token: &Secret) -> Result<Option<InstanceId>, String> {
        match *self {}
    }

    async fn carry_out(
        &self,
        _caller: Caller,
        _call: Call,
        _from: CallOrigin,
    ) -> Result<Reply, Wrong> {
        match *self {}
    }
}

/// What a call is answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// JSON.
    pub body: Vec<u8>,
    /// By which the rest of a list is asked for (`elements-next-page-token`).
    pub next_page: Option<String>,
    /// Whose call it was (`elements-element-instance-id`).
    pub instance: Option<InstanceId>,
}

/// What the interface is made of.
pub struct Hall<E> {
    /// Who carries calls out; `None`: the interface is switched off.
    pub elements: Option<Arc<E>>,
    /// By which callers are let in.
    pub secrets: AdminSecrets,
    /// Tells whether secrets have ended.
    pub clock: Arc<dyn Clock>,
    /// Random: by it the ids of this process's requests differ from another's.
    pub seed: [u8; 5],
}

impl<E> fmt::Debug for Hall<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hall")
            .field("secrets", &self.secrets)
            .finish_non_exhaustive()
    }
}

/// How a listener speaks, and with whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    /// Plain, within this machine.
    Machine,
    /// With TLS, wherever.
    Encrypted,
    /// Plain, beyond this machine.
    Exposed,
}

/// The interface on one listener.
pub(super) struct Interface<E> {
    elements: Option<Arc<E>>,
    guard: Guard,
    ids: RequestIds,
    reach: Reach,
    /// One permit a call, so that their number is bounded and their end can be waited for.
    calls: Arc<Semaphore>,
    bounds: Bounds,
    tally: Arc<Tally>,
}

/// Whether a path is the interface's.
pub(super) fn is_within(path: &str) -> bool {
    let rest = path.strip_prefix(BASE);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Waits until calls that were begun have ended, at most as long as requests in hand may take.
pub(super) async fn ended(calls: &Semaphore, limits: &Limits) {
    // Those that take longer are told by the journal that it is closed.
    let _ = timeout(grace(limits), calls.acquire_many(CALLS_MAX)).await;
}

impl<E: Elements> Interface<E> {
    pub(super) fn new(hall: Hall<E>, reach: Reach, tally: Arc<Tally>, limits: &Limits) -> Self {
        Self {
            elements: hall.elements,
            ids: RequestIds::new(Arc::clone(&hall.clock), hall.seed),
            guard: Guard::new(hall.secrets, hall.clock),
            reach,
            calls: Arc::new(Semaphore::new(CALLS_MAX as usize)),
            bounds: Bounds {
                bytes_max: BODY_BYTES_MAX,
                span: limits.body,
            },
            tally,
        }
    }

    /// One permit a call; see [`ended`].
    pub(super) fn calls(&self) -> Arc<Semaphore> {
        Arc::clone(&self.calls)
    }

    /// The answer to a request for which [`is_within`] holds.
    pub(super) async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        self.tally.elements_requests.add_one();
        let id = self.ids.next();
        let host = router::host(&request);
        let (head, body) = request.into_parts();
        let outcome = match host {
            Ok(_) => self.outcome(&head, body, visit, &id).await,
            Err(_) => Err(Wrong::bad("the request needs one Host, and a good one").into()),
        };
        let status = outcome.as_ref().map_or_else(
            |refused| refused.wrong.status,
            |answer| answer.status().as_u16(),
        );
        let (method, path) = (head.method.as_str(), head.uri.path());
        tracing::debug!(peer = %visit.peer, id, method, path, status, "call");
        outcome.unwrap_or_else(|refused| writing::refusal(&refused, &id))
    }

    async fn outcome(
        &self,
        head: &Parts,
        body: Incoming,
        visit: &Visit,
        id: &str,
    ) -> Result<Answer, Refused> {
        let elements = self.opened()?;
        let asked = Asked {
            method: head.method.as_str(),
            path: head.uri.path().strip_prefix(BASE).unwrap_or_default(),
            query: head.uri.query(),
            content_type: head
                .headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok()),
            body: b"",
        };
        if head.method == Method::OPTIONS {
            return writing::options(&asked);
        }
        let caller = if call::needs_authorization(asked.path) {
            let caller = self.guard.admit(&head.headers, visit, elements).await;
            Some(caller.inspect_err(|refused| self.note(refused, visit))?)
        } else {
            None
        };
        if coding::of(&head.headers) != Ok(Vec::new()) {
            return Ok(writing::coded(id));
        }
        let held = self.read(body, visit).await?;
        let call = call::parse(&Asked {
            body: &held.bytes,
            ..asked
        })?;
        drop(held);
        match (call, caller) {
            (Call::Description, _) => Ok(answer(StatusCode::OK, JSON, openapi::document())),
            (call, Some(caller)) => {
                let from = CallOrigin {
                    peer: visit.peer.to_string(),
                    request: format!("{} {}", head.method, head.uri.path()),
                };
                self.carry_out(Arc::clone(elements), caller, call, (from, id))
                    .await
            }
            (_, None) => Err(guard::missing()),
        }
    }

    /// Who carries calls out, where anything is served.
    fn opened(&self) -> Result<&Arc<E>, Refused> {
        if self.reach == Reach::Exposed {
            let why = "the Open Connectors interface is served beyond this machine with TLS only: take [admin] tls = false away";
            return Err(Wrong::new(403, why).into());
        }
        let off = "the Open Connectors interface is switched off: [instances] enabled = false";
        let elements = self.elements.as_ref();
        elements.ok_or_else(|| Wrong::not_found(off).into())
    }

    async fn read(&self, body: Incoming, visit: &Visit) -> Result<Held, Refused> {
        let announced = announced(&body);
        let held = if announced != usize::MAX && announced > BODY_BYTES_MAX {
            Err(Unread::TooLarge)
        } else {
            body::read(body, visit, self.bounds).await
        };
        held.map_err(|unread| match unread {
            Unread::TooLarge => Wrong::new(413, "the body has more than 256 KiB").into(),
            Unread::TooLate => Wrong::new(408, "the body took too long").into(),
            Unread::BrokenOff => Wrong::bad("the body broke off").into(),
            Unread::NoRoom => Refused::later("too much at once"),
        })
    }

    /// In a task of its own: a caller who goes away must not leave an authorization code spent and
    /// no instance.
    async fn carry_out(
        &self,
        elements: Arc<E>,
        caller: Caller,
        call: Call,
        (from, id): (CallOrigin, &str),
    ) -> Result<Answer, Refused> {
        let permit = Arc::clone(&self.calls).try_acquire_owned();
        let permit = permit.map_err(|_| Refused::later("too many calls at once"))?;
        let task = tokio::spawn(async move {
            let outcome = elements.carry_out(caller, call, from).await;
            drop(permit);
            outcome
        });
        let outcome = task.await.unwrap_or_else(|error| {
            // Not the panic's own text: it may quote what somebody sent.
            tracing::error!(panicked = error.is_panic(), id, "a call's task failed");
            Err(Wrong::new(500, "the call could not be carried out"))
        });
        Ok(writing::reply(outcome?))
    }

    /// Counts a guess at the secrets.
    fn note(&self, refused: &Refused, visit: &Visit) {
        if !matches!(refused.wrong.status, 401 | 429) {
            return;
        }
        let counter = &self.tally.elements_unauthorized;
        counter.add_one();
        // Anybody can cause these lines: after the first few, one for each hundred.
        if counter.value() <= 10 || counter.value().is_multiple_of(100) {
            let (so_far, reason) = (counter.value(), &refused.wrong.message);
            tracing::warn!(peer = %visit.peer, reason, so_far, "call refused");
        }
    }
}
