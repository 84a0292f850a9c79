//! Answers of the interface: replies with their headers, and refusals in the documented form.

use super::super::answer::{Answer, JSON, answer, put};
use super::Reply;
use super::guard::Refused;
use crate::wire::elements::{Request as Asked, Wrong, call, show};
use http::header::{ACCEPT_ENCODING, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};

const NEXT_PAGE: HeaderName = HeaderName::from_static("elements-next-page-token");
const INSTANCE: HeaderName = HeaderName::from_static("elements-element-instance-id");

/// What a call is answered with.
pub(super) fn reply(reply: Reply) -> Answer {
    let mut answer = answer(StatusCode::OK, JSON, reply.body);
    let instance = reply.instance.map(|id| id.to_string());
    for (name, value) in [(NEXT_PAGE, reply.next_page), (INSTANCE, instance)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// The methods that there are, as everybody may know them. Of origins nothing is said, so browsers let
/// no foreign page call.
pub(super) fn options(asked: &Asked<'_>) -> Result<Answer, Refused> {
    match call::parse(asked) {
        Err(Wrong {
            allow: Some(allow), ..
        }) => {
            let mut answer = Answer::default();
            *answer.status_mut() = StatusCode::NO_CONTENT;
            put(&mut answer, ALLOW, allow);
            Ok(answer)
        }
        Err(wrong) => Err(wrong.into()),
        Ok(_) => Err(Wrong::not_found("nothing is there").into()),
    }
}

/// The refusal of a body that is coded; no coding is taken here (RFC 7694, section 3).
pub(super) fn coded(id: &str) -> Answer {
    let why = "the body has a content coding; send it as it is";
    let mut answer = refusal(&Wrong::new(415, why).into(), id);
    put(&mut answer, ACCEPT_ENCODING, "identity");
    answer
}

/// Why a request is refused; `id` is the request's.
pub(super) fn refusal(refused: &Refused, id: &str) -> Answer {
    let Refused { wrong, retry_after } = refused;
    let status = StatusCode::from_u16(wrong.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = answer(status, JSON, show::wrong(wrong, id));
    if let Some(allow) = wrong.allow {
        put(&mut answer, ALLOW, allow);
    }
    if status == StatusCode::UNAUTHORIZED {
        put(&mut answer, WWW_AUTHENTICATE, "User realm=\"qbo-relay\"");
    }
    if let Some(seconds) = retry_after {
        let seconds = HeaderValue::from(*seconds);
        answer.headers_mut().insert(RETRY_AFTER, seconds);
    }
    answer
}
