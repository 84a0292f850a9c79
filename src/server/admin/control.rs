//! The control socket: `replay` and enabling a sink, for the command line.

use super::super::answer::{Answer, JSON, Refusal, answer};
use super::super::body::{Bounds, Budget};
use super::super::connection::Service;
use super::super::registry::Visit;
use super::{Observe, Pages, check, guarded, is_reading};
use crate::model::{Limits, SinkName, Tally};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::UnixListener;

/// Bytes of a command's body at most: a filter, never data.
const COMMAND_BYTES_MAX: usize = 64 << 10;

/// What the command line can ask of a running relay, besides how it is.
pub trait Control: Observe {
    /// Sends changes again: the request as the command line wrote it, the plan as it reads it.
    fn replay(&self, request: Value) -> impl Future<Output = Result<Value, Refused>> + Send;

    /// Lets a sink work again that was switched off.
    fn enable(&self, sink: SinkName) -> impl Future<Output = Result<Value, Refused>> + Send;
}

/// A command that was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The HTTP status that says so.
    pub status: StatusCode,
    /// Why, and what to do, in one sentence.
    pub why: String,
}

/// Serves the control socket until `shutdown` completes and open requests are answered.
pub async fn serve_control<C: Control>(
    listener: UnixListener,
    control: Arc<C>,
    tally: Arc<Tally>,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let commands = Commands {
        pages: Pages::new(Arc::clone(&control), tally, limits),
        control,
        budget: Budget::new(limits.bodies_bytes_max),
        bounds: Bounds {
            bytes_max: COMMAND_BYTES_MAX,
            span: limits.body,
        },
    };
    super::serve(listener, commands, limits, shutdown).await;
}

struct Commands<C> {
    pages: Pages<C>,
    control: Arc<C>,
    budget: Budget,
    bounds: Bounds,
}

impl<C: Control> Service for Commands<C> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        guarded(match check(&request, visit) {
            Ok(()) => self.obey(request, visit).await,
            Err(refusal) => refusal.into(),
        })
    }
}

impl<C: Control> Commands<C> {
    async fn obey(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let body = match self.budget.read(body, visit, self.bounds).await {
            Ok(body) => body,
            Err(unread) => {
                visit.unread.store(true, Ordering::Relaxed);
                return refuse(
                    StatusCode::BAD_REQUEST,
                    &format!("body not read: {unread:?}"),
                );
            }
        };
        if path == "/status" {
            let status = if is_reading(&head.method) {
                self.pages.status().await
            } else {
                Err(Refusal::NotAllowed("GET, HEAD"))
            };
            return status.unwrap_or_else(Answer::from);
        }
        let sink = path
            .strip_prefix("/sinks/")
            .and_then(|rest| rest.strip_suffix("/enable"));
        if path != "/replay" && sink.is_none() {
            return Refusal::NotFound.into();
        }
        if head.method != Method::POST {
            return Refusal::NotAllowed("POST").into();
        }
        let outcome = match sink.map(SinkName::new) {
            Some(Some(sink)) => self.control.enable(sink).await,
            Some(None) => return refuse(StatusCode::NOT_FOUND, "no sink can have this name"),
            None => match serde_json::from_slice(&body.bytes) {
                Ok(request) => self.control.replay(request).await,
                Err(error) => {
                    let why = format!("the request is not JSON: {error}");
                    return refuse(StatusCode::BAD_REQUEST, &why);
                }
            },
        };
        match outcome {
            Ok(value) => answer(StatusCode::OK, JSON, format!("{value:#}\n")),
            Err(Refused { status, why }) => refuse(status, &why),
        }
    }
}

fn refuse(status: StatusCode, why: &str) -> Answer {
    answer(status, JSON, format!("{}\n", json!({ "error": why })))
}
