//! The requests of one connection: what is done for each of them, whichever service answers it.
//!
//! Called by `connection`. Promises: a request is charged for its head, its body and its answer, and
//! refused where there is no room for them; what the service leaves of a body is seen to here.

use super::answer::{Answer, close, text};
use super::body::{Incoming, Left, Share, drain};
use super::connection::{Service, Site};
use super::head::cut_down;
use super::reply::{Reply, Rest, reply};
use super::visit::Visit;
use crate::wire::path;
use bytes::Bytes;
use http::header::{RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::service::{HttpService, service_fn};
use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tokio::time::timeout;

/// Bytes of an answer that are part of what every request takes.
const ANSWER_BYTES_FREE: usize = 512;

/// The service of one connection as hyper wants it.
pub(super) fn requests<S: Service>(
    site: &Arc<Site<S>>,
    visit: &Arc<Visit>,
    closing: watch::Receiver<bool>,
) -> impl HttpService<
    hyper::body::Incoming,
    ResBody = Reply,
    Error = Infallible,
    Future: Future + Send + Unpin,
> + Send
+ Unpin
+ use<S> {
    let (site, visit) = (Arc::clone(site), Arc::clone(visit));
    service_fn(move |request: Request<hyper::body::Incoming>| {
        // At once, not when the future is first asked: until then the whole head would stay.
        let (request, bytes) = cut_down(request);
        let share = visit.share(site.limits.request_bytes + bytes);
        let (site, visit) = (Arc::clone(&site), Arc::clone(&visit));
        let closing = closing.clone();
        Box::pin(async move {
            let in_hand = visit.begin_request();
            let (method, version) = (request.method().clone(), request.version());
            // hyper hides a Content-Length beside a Transfer-Encoding. Both together are an attempt to
            // make two servers see different messages, after which the connection must end (RFC 9112,
            // 6.3).
            let is_ambiguous = request.headers().contains_key(TRANSFER_ENCODING);
            let (answer, share, rest) = respond(request, share, &site, &visit).await;
            // Said with the last answer, so that the peer does not send another request into a
            // connection that is about to be closed.
            let is_last = is_ambiguous || *closing.borrow() || visit.unread.load(Ordering::Relaxed);
            let answer = if is_last {
                close(answer, version)
            } else {
                answer
            };
            drop(in_hand);
            Ok::<_, Infallible>(reply(whole(answer).await, &method, share, rest))
        })
    })
}

/// The answer, and what is left to do when it is sent.
async fn respond<S: Service>(
    request: Request<hyper::body::Incoming>,
    share: Option<Share>,
    site: &Arc<Site<S>>,
    visit: &Arc<Visit>,
) -> (Answer, Share, Option<Rest>) {
    let version = request.version();
    let (head, body) = in_normal_form(request).into_parts();
    let (body, left) = Incoming::new(body);
    let (answer, share) = match share {
        Some(share) => {
            let answer = site
                .service
                .answer(Request::from_parts(head, body), visit)
                .await;
            charged(answer, share, visit)
        }
        None => (no_room(), Share::default()),
    };
    let rest = rest(&left, version, site, visit);
    (answer, share, rest)
}

/// The request with its path in the one form that every service goes by.
fn in_normal_form<B>(mut request: Request<B>) -> Request<B> {
    let uri = request.uri();
    let Cow::Owned(path) = path::normal(uri.path()) else {
        return request;
    };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = target.try_into().ok();
    // Nothing in a normal form can be worse than what was parsed before.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// An answer of any length draws on the memory like a body does.
fn charged(answer: Answer, mut share: Share, visit: &Visit) -> (Answer, Share) {
    let bytes = hyper::body::Body::size_hint(answer.body()).exact();
    let bytes = bytes.map_or(usize::MAX, |bytes| {
        usize::try_from(bytes).unwrap_or(usize::MAX)
    });
    match share.grow(bytes.saturating_sub(ANSWER_BYTES_FREE), visit) {
        Ok(()) => (answer, share),
        Err(_) => (no_room(), share),
    }
}

fn no_room() -> Answer {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "too much at once");
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

/// What is to be done about a body that was not read: in HTTP/1.1 the connection ends with the
/// answer, in HTTP/2 the answer ends when the sender has.
fn rest<S: Service>(
    left: &Left,
    version: Version,
    site: &Arc<Site<S>>,
    visit: &Arc<Visit>,
) -> Option<Rest> {
    let left = left.take()?;
    if version <= Version::HTTP_11 {
        visit.unread.store(true, Ordering::Relaxed);
        return None;
    }
    let (site, visit) = (Arc::clone(site), Arc::clone(visit));
    let in_hand = visit.begin_request();
    Some(Box::pin(async move {
        let _in_hand = in_hand;
        let drained = drain(left, &visit, 2 * site.limits.body_bytes_max);
        // What takes longer ends by a reset.
        let _ = timeout(site.limits.body, drained).await;
    }))
}

async fn whole(answer: Answer) -> Response<Bytes> {
    let (head, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    Response::from_parts(head, body.to_bytes())
}
