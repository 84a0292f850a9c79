//! The demo's receiver: an HTTPS endpoint that does what a good receiver does. It verifies the
//! signature, remembers ids, and answers 204; switched off, it answers 503 as a server does that is
//! being restarted.

use crate::clock::{Clock, System};
use crate::wire::outgoing::standard_webhooks::{self, Presented, SigningKey};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How far the time of a signature may be from now: what Standard Webhooks libraries take.
const TOLERANCE_S: u64 = 300;

/// What the receiver has seen.
#[derive(Clone, Default, Debug)]
pub(super) struct Received {
    /// Events in order of arrival, each with a verified signature, each once.
    pub(super) events: Vec<Event>,
    /// Requests turned away while it was switched off.
    pub(super) turned_away: u64,
    /// Requests whose signature was wrong.
    pub(super) unsigned: u64,
    /// Events that came again.
    pub(super) repeated: u64,
}

/// The part of an event that the demo shows.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) realmid: String,
    pub(super) sequence: String,
    #[serde(default)]
    pub(super) late: bool,
    pub(super) origin: String,
    pub(super) data: Data,
}

/// What is known of the change.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Data {
    /// The whole record as QuickBooks wrote it, where it was fetched.
    #[serde(default, deserialize_with = "as_written")]
    pub(super) record: Option<String>,
}

fn as_written<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    let record: Option<Box<RawValue>> = Option::deserialize(json)?;
    Ok(record.map(|record| record.get().to_owned()))
}

/// The receiver, running.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    keys: Vec<SigningKey>,
    off: AtomicBool,
    seen: Mutex<HashSet<String>>,
    received: watch::Sender<Received>,
}

impl Receiver {
    /// Listens on loopback and serves until the process ends.
    pub(super) async fn start(
        tls: rustls::ServerConfig,
        keys: Vec<SigningKey>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            keys,
            off: AtomicBool::new(false),
            seen: Mutex::default(),
            received: watch::Sender::default(),
        });
        tokio::spawn(accept(
            listener,
            TlsAcceptor::from(Arc::new(tls)),
            Arc::clone(&state),
        ));
        Ok(Self { address, state })
    }

    /// Switches it off and on again.
    pub(super) fn switch(&self, on: bool) {
        self.state.off.store(!on, Ordering::SeqCst);
    }

    /// What it has seen, now and from now on.
    pub(super) fn received(&self) -> watch::Receiver<Received> {
        self.state.received.subscribe()
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, state: Arc<State>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(socket).await else {
                return;
            };
            let service = service_fn(move |request| answer(request, Arc::clone(&state)));
            _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let status = receive(request, &state).await;
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}

async fn receive(request: Request<Incoming>, state: &State) -> StatusCode {
    if state.off.load(Ordering::SeqCst) {
        state
            .received
            .send_modify(|received| received.turned_away += 1);
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let Ok(body) = Limited::new(body, 1 << 20).collect().await else {
        return StatusCode::BAD_REQUEST;
    };
    let body = body.to_bytes();
    let verified = standard_webhooks::verify(
        &state.keys,
        &Presented {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        },
        &body,
        System.now().as_seconds(),
        TOLERANCE_S,
    );
    if verified.is_err() {
        state
            .received
            .send_modify(|received| received.unsigned += 1);
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice::<Event>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let new = state
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(event.id.clone());
    state.received.send_modify(|received| {
        if new {
            received.events.push(event);
        } else {
            received.repeated += 1;
        }
    });
    StatusCode::NO_CONTENT
}
