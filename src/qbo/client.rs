//! One request and its answer: connection, deadline, bound.

use super::Failure;
use crate::wire::retry_after;
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(30);

/// From the name lookup to the end of the TCP handshake.
const CONNECT: Duration = Duration::from_secs(10);

/// How often an HTTP/2 connection with a request on it is asked whether it is alive, and how long
/// it may think about it: one that died silently would swallow a call.
const PING: Duration = Duration::from_secs(10);

/// How the relay names itself.
const AGENT: &str = concat!("qbo-relay/", env!("CARGO_PKG_VERSION"));

/// Sends requests; its clones share connections.
#[derive(Clone)]
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    deadline: Duration,
    body_bytes_max: usize,
}

/// What came back, whatever its status.
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// The wait that it asks for.
    pub(super) retry_after: Option<Duration>,
    /// All of the body.
    pub(super) body: Vec<u8>,
}

impl Client {
    /// A client; nothing is dialled yet.
    pub(super) fn new(tls: &ClientConfig, deadline: Duration, body_bytes_max: usize) -> Self {
        let mut tcp = HttpConnector::new();
        // Addresses were checked: plain ones lead to this machine only.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let mut tls = tls.clone();
        // The builder writes its own list, and wants to find none.
        tls.alpn_protocols.clear();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .build(connector);
        Self {
            pool,
            deadline,
            body_bytes_max,
        }
    }

    /// Sends a request; `what` names the call in the log.
    pub(super) async fn send(
        &self,
        what: &'static str,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, Failure> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let agent = HeaderValue::from_static(AGENT);
        request.headers_mut().insert(USER_AGENT, agent);
        let unavailable = |why: String| Failure::Unavailable {
            why: format!("{host}: {why}"),
        };
        let exchange = async {
            let answer = self.pool.request(request).await;
            let answer = answer.map_err(|error| unavailable(explain(&error)))?;
            let (head, body) = answer.into_parts();
            let status = head.status.as_u16();
            // Intuit's support asks for it; documented with `_`, recorded with `-`.
            let trace = ["intuit_tid", "intuit-tid"]
                .into_iter()
                .find_map(|name| text(&head.headers, name));
            let trace = trace.unwrap_or("-");
            tracing::debug!(
                call = what,
                status,
                intuit_tid = trace,
                "QuickBooks answered"
            );
            Ok(Answer {
                status,
                retry_after: retry_after::read(&head.headers, None),
                body: self.collect(body, status, unavailable).await?,
            })
        };
        let in_time = timeout(self.deadline, exchange).await;
        in_time
            .unwrap_or_else(|_| Err(unavailable(format!("no answer within {:?}", self.deadline))))
    }

    async fn collect(
        &self,
        mut body: Incoming,
        status: u16,
        unavailable: impl Fn(String) -> Failure,
    ) -> Result<Vec<u8>, Failure> {
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                unavailable(format!("the answer broke off: {}", innermost(&error)))
            })?;
            let data = frame.into_data().unwrap_or_default();
            if read.len() + data.len() > self.body_bytes_max {
                if !(200..300).contains(&status) {
                    // No fault is so long, so it is not QuickBooks that fails.
                    return Err(unavailable(format!(
                        "status {status} with an endless answer"
                    )));
                }
                return Err(Failure::TooLarge {
                    bytes_max: self.body_bytes_max,
                });
            }
            read.extend_from_slice(&data);
        }
        Ok(read)
    }
}

/// A header field for the log, without what a log line must not hold.
fn text<'h>(fields: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = fields.get(name)?.to_str().ok();
    value.filter(|text| text.len() <= 128)
}

fn explain(error: &legacy::Error) -> String {
    let cause = error.source().map(innermost);
    cause.unwrap_or_else(|| error.to_string())
}

/// The innermost cause, in the operating system's own words where it is one of its errors.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut link = error;
    while let Some(source) = link.source() {
        link = source;
    }
    let text = link.to_string();
    match link.downcast_ref::<io::Error>() {
        Some(_) => match text.split_once(" (os error") {
            Some((words, _)) => words.to_lowercase(),
            None => text,
        },
        None => text,
    }
}
