//! In which manner a request is answered: as its route, its query and its headers ask for.
//!
//! Where the original listener's face is switched off, in the one manner of the relay: JSON for success,
//! a sentence for everything else. Called by `webhook` and `face`. Promises: on a configured path success
//! is 200, because Intuit takes nothing else for it; on a one-way route, where nobody reads the answer,
//! it is 204. Whoever signs reads the true status of an error; whoever does not, too, but for a script
//! (JSONP), which the clients of the original have to run to see the error: it comes with 200.

use super::answer::{Answer, FORBID_STORING, JSON, NO_STORE, answer, put, text};
use super::coding;
use crate::wire::servicestack::answer::{self as write, Body, Fault};
use crate::wire::servicestack::format::Answering;
use crate::wire::servicestack::{Arity, Malformed};
use crate::wire::signature::BadSignature;
use http::header::{
    ACCEPT_ENCODING, ALLOW, RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use hyper::ext::ReasonPhrase;

/// How one request is answered.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// The format; `None` where the face is switched off.
    pub(super) answering: Option<Answering>,
    /// Strings in JSON without quotes.
    pub(super) raw_strings: bool,
    /// How many requests the body has.
    pub(super) arity: Arity,
    /// Nobody reads the answer.
    pub(super) is_one_way: bool,
    /// The request is signed.
    pub(super) is_signed: bool,
}

/// Everything that can be wrong with a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wrong {
    /// Its signature, which is missing or bad.
    Signature(BadSignature),
    /// Its address.
    Address,
    /// Its credential; what it is to show.
    Credential(&'static str),
    /// Nothing but its address speaks for it, and a page of another origin made a browser send it.
    ForeignPage,
    /// Nothing but its address speaks for it, and it is a `GET`.
    Get,
    /// Its size.
    TooLarge,
    /// Its body took too long.
    TooLate,
    /// Its body broke off.
    BrokenOff,
    /// Its body is coded in a way that is not known.
    Coding,
    /// Its body cannot be read; as what it came.
    Malformed(String, Malformed),
    /// It cannot be kept now; after how many seconds to come again, and why.
    Later(u32, &'static str),
    /// Its sender delivers more than it may; after how many seconds to come again.
    TooMany(u32),
}

impl Manner {
    /// The manner of the relay without the original's face.
    pub(super) fn plain() -> Self {
        Self {
            answering: None,
            raw_strings: false,
            arity: Arity::One,
            is_one_way: false,
            is_signed: true,
        }
    }

    /// It was kept: so many requests in one body.
    pub(super) fn success(&self, requests: usize) -> Answer {
        let Some(answering) = &self.answering else {
            return answer(StatusCode::OK, JSON, &b"\"OK\""[..]);
        };
        if self.is_one_way {
            let mut answer = Answer::default();
            *answer.status_mut() = StatusCode::NO_CONTENT;
            put(&mut answer, FORBID_STORING, NO_STORE);
            return answer;
        }
        negotiated(
            StatusCode::OK,
            match self.arity {
                Arity::One => write::result(answering, self.raw_strings),
                Arity::Batch => write::results(answering, requests),
            },
        )
    }

    /// It was refused.
    pub(super) fn failure(&self, wrong: &Wrong) -> Answer {
        let fault = wrong.fault();
        let mut answer = self.refusal(&fault);
        match wrong {
            Wrong::Later(seconds, _) | Wrong::TooMany(seconds) => {
                answer.headers_mut().insert(RETRY_AFTER, (*seconds).into());
            }
            Wrong::Credential(challenge) => put(&mut answer, WWW_AUTHENTICATE, challenge),
            // RFC 7694, section 3.
            Wrong::Coding => put(&mut answer, ACCEPT_ENCODING, coding::TAKEN),
            _ => {}
        }
        answer
    }

    /// An error in the format that was asked for.
    pub(super) fn refusal(&self, fault: &Fault) -> Answer {
        let status =
            StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let Some(answering) = &self.answering else {
            return text(status, &fault.message);
        };
        let is_script = answering.callback.is_some() && !self.is_signed;
        let status = if is_script { StatusCode::OK } else { status };
        let mut answer = negotiated(status, write::error(answering, fault));
        if !is_script {
            let reason = ReasonPhrase::from_static(fault.code.as_bytes());
            answer.extensions_mut().insert(reason);
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            put(&mut answer, ALLOW, "POST");
        }
        answer
    }
}

impl Wrong {
    fn fault(&self) -> Fault {
        match self {
            Self::Signature(_) => Fault::new(403, "Forbidden", "signature missing or wrong"),
            Self::Address => Fault::new(403, "Forbidden", "this address is not allowed here"),
            Self::Credential(_) => {
                Fault::new(401, "Unauthorized", "the credential is missing or wrong")
            }
            Self::ForeignPage => Fault::new(
                403,
                "Forbidden",
                "another site's page sent this, and nothing but the address speaks for it; give the source a credential",
            ),
            Self::Get => Fault::new(
                403,
                "Forbidden",
                "nothing but the address speaks for this, so a GET changes nothing; use POST, or give the source a credential",
            ),
            Self::TooLarge => Fault::new(413, "RequestEntityTooLarge", "the body is too large"),
            Self::TooLate => Fault::new(408, "RequestTimeout", "the body took too long"),
            Self::BrokenOff => Fault::new(400, "BadRequest", "the body broke off"),
            Self::Coding => Fault::new(
                415,
                "UnsupportedMediaType",
                "the content coding is not known; gzip, deflate and br are",
            ),
            Self::Malformed(content_type, malformed) => Fault::of_body(content_type, malformed),
            Self::Later(_, why) => Fault::new(503, "ServiceUnavailable", *why),
            Self::TooMany(_) => Fault::new(
                429,
                "TooManyRequests",
                "more entries than this source may deliver in a minute; come again later, or raise its entries_per_minute",
            ),
        }
    }
}

fn negotiated(status: StatusCode, Body { content_type, text }: Body) -> Answer {
    let mut answer = answer(status, content_type, text);
    // Errors repeat some of what was sent: no browser shall take that for a page.
    put(&mut answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("Accept"));
    answer
}
