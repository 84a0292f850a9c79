//! The control socket: orders of the command line, and how the relay is.

use super::super::answer::{Answer, JSON, Refusal, answer, put};
use super::super::body::{self, Bounds, Incoming};
use super::super::coding;
use super::super::connection::Service;
use super::super::router::OwnNames;
use super::super::visit::Visit;
use super::order::{self, NoOrder, Order, Refused};
use super::{Observe, Pages, check, guarded, is_reading};
use crate::model::{Limits, Tally};
use http::header::ACCEPT_ENCODING;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use tokio::net::UnixListener;

/// Bytes of a command's body at most: a filter, never data.
const COMMAND_BYTES_MAX: usize = 64 << 10;

/// What the command line can ask of a running relay, besides how it is.
pub trait Control: Observe {
    /// Carries an order out; what the command line then shows.
    fn obey(&self, order: Order) -> impl Future<Output = Result<Value, Refused>> + Send;
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
        pages: Pages::new(Arc::clone(&control), tally, limits, OwnNames::new(Vec::new)),
        control,
        bounds: Bounds {
            bytes_max: COMMAND_BYTES_MAX,
            span: limits.body,
        },
    };
    super::serve(listener, None, commands, limits, shutdown).await;
}

struct Commands<C> {
    pages: Pages<C>,
    control: Arc<C>,
    bounds: Bounds,
}

impl<C: Control> Service for Commands<C> {
    async fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        guarded(match check(&request, visit, &self.pages.names) {
            Ok(()) => self.obey(request, visit).await,
            Err(refusal) => refusal.into(),
        })
    }
}

impl<C: Control> Commands<C> {
    async fn obey(&self, request: Request<Incoming>, visit: &Visit) -> Answer {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if coding::of(&head.headers) != Ok(Vec::new()) {
            let why = "the body has a content coding; send it as it is";
            let mut refusal = refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
            put(&mut refusal, ACCEPT_ENCODING, "identity");
            return refusal;
        }
        let body = match body::read(body, visit, self.bounds).await {
            Ok(body) => body,
            Err(unread) => {
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
        let outcome = match order::read(&head.method, path, &body.bytes) {
            Ok(order) => self.control.obey(order).await,
            Err(NoOrder::Refused(refused)) => Err(refused),
            Err(NoOrder::Refusal(refusal)) => return refusal.into(),
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
