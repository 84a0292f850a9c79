//! Answers: short, never cached, without a word about what made them.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;

/// What a listener sends back.
pub(super) type Answer = Response<Full<Bytes>>;

/// The field that keeps every answer out of caches, and its value.
pub(super) const FORBID_STORING: HeaderName = CACHE_CONTROL;
pub(super) const NO_STORE: &str = "no-store";

pub(super) const JSON: &str = "application/json; charset=utf-8";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// An answer of this content type.
pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    put(&mut answer, CONTENT_TYPE, content_type);
    put(&mut answer, FORBID_STORING, NO_STORE);
    answer
}

/// A sentence for a person.
pub(super) fn text(status: StatusCode, sentence: &str) -> Answer {
    answer(status, TEXT, format!("{sentence}\n"))
}

/// Why a request is not looked at any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// RFC 9112 section 3.2: no `Host`, more than one, or one that is not a host.
    BadHost(&'static str),
    /// The host is not a name of this machine.
    Foreign,
    /// A page of another origin made the browser send it.
    ForeignPage,
    /// Nothing is there.
    NotFound,
    /// Something is there, for these methods.
    NotAllowed(&'static str),
    /// How the relay is cannot be told at the moment.
    NoReport,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadHost(why) => text(StatusCode::BAD_REQUEST, why),
            Refusal::Foreign => text(
                StatusCode::MISDIRECTED_REQUEST,
                "this is another name than the gateway's own: ask for an address, localhost, qbo-relay.local, a name of its certificate, or add the name to [admin] names",
            ),
            Refusal::ForeignPage => text(
                StatusCode::FORBIDDEN,
                "another site's page asked for this; open the gateway's own page and use it there",
            ),
            Refusal::NotFound => text(StatusCode::NOT_FOUND, "not found"),
            Refusal::NotAllowed(allow) => {
                let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
                put(&mut answer, ALLOW, allow);
                answer
            }
            Refusal::NoReport => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not ready: the state could not be read in time",
            ),
        }
    }
}

/// Sets one header.
pub(super) fn put(answer: &mut Answer, name: HeaderName, value: &'static str) {
    answer
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}

/// Announces that the connection ends with this answer. HTTP/2 has no such header: there only the
/// stream ends.
pub(super) fn close(mut answer: Answer, version: Version) -> Answer {
    if version <= Version::HTTP_11 {
        put(&mut answer, CONNECTION, "close");
    }
    answer
}
