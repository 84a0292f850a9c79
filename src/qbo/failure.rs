//! What it means when a call brings nothing.
//!
//! Three things are looked at, in this order. A status of 500 and above is never a refusal, whatever
//! code comes with it: in its outages Intuit answered 500 with the codes of a withdrawn consent. An
//! answer without one of Intuit's faults did not come from QuickBooks, but from a proxy, a firewall
//! or a login page between; it says nothing about the company. Only then the fault's code decides,
//! because the status does not tell: the throttle comes as 403, 429 or inside 200, a lapsed
//! subscription as 400 or 403 (Intuit's pages on error codes and on common errors).

use super::client::Answer;
use crate::rules::retry::lengthened;
use crate::wire::quickbooks::{Fault, Refusal, Trouble, read_refusal};
use std::time::Duration;

/// The wait that Intuit asks for after too many requests.
const THROTTLE: Duration = Duration::from_secs(60);

/// The longest wait that an answer can ask for.
const THROTTLE_MAX: Duration = Duration::from_secs(3_600);

/// Why a call brought nothing. Never holds a token or a secret: Intuit's own words are shortened,
/// and whatever in them looks like a token is left out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// Refresh the access token once, then call again.
    #[error("the access token is not accepted")]
    Unauthorized,
    /// A person has to connect the company again: the app was disconnected, or the keys, the company
    /// and the environment do not belong together.
    #[error("access to the company is refused: {why}")]
    Forbidden {
        /// Intuit's words.
        why: String,
    },
    /// The code or the refresh token is used up, revoked or of another app; a person has to connect
    /// the company again.
    #[error("the authorization is no longer accepted: {why}")]
    InvalidGrant {
        /// Intuit's words.
        why: String,
    },
    /// Correct the app's client id and client secret.
    #[error("the app's client id and secret are not accepted: {why}")]
    InvalidClient {
        /// Intuit's words.
        why: String,
    },
    /// Wait that long.
    #[error("too many requests; the next may be sent in {} s", wait.as_secs())]
    Throttled {
        /// How long; at most an hour.
        wait: Duration,
    },
    /// The month's calls of the app are used up: Intuit blocks it until the next month. Given only
    /// where Intuit's words say so; a cap can also look like a throttle that does not end.
    #[error("the month's API calls of the app are used up")]
    CapReached,
    /// The company's subscription has ended; it may be paid again.
    #[error("the company's QuickBooks subscription has ended")]
    Lapsed,
    /// Capture looks back 30 days; ask by query.
    #[error("capture does not look back so far")]
    TooOld,
    /// The kind cannot be read in this way, or not in this company.
    #[error("QuickBooks does not offer this: {why}")]
    Unsupported {
        /// Intuit's words, or the relay's where it did not even ask.
        why: String,
    },
    /// The answer is longer than agreed: ask for less at a time.
    #[error("the answer is longer than {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// Asked again, the answer would be the same.
    #[error("the request is refused with status {status}: {why}")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// Intuit's code, such as `610` for a record that is not there.
        code: Option<String>,
        /// Intuit's words.
        why: String,
    },
    /// Try later.
    #[error("QuickBooks cannot be reached: {why}")]
    Unavailable {
        /// What happened.
        why: String,
    },
    /// The answer has another form than the documented ones.
    #[error("the answer is not understood: {why}")]
    NotUnderstood {
        /// What was expected.
        why: String,
    },
}

/// A request that cannot even be written, such as one for an address of many kilobytes.
impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Self {
        let why = error.to_string();
        Self::Unsupported { why }
    }
}

impl Failure {
    /// What an answer of the API means that is not a success.
    pub(super) fn of_answer(answer: &Answer) -> Self {
        let Answer { status, body, .. } = answer;
        match (status, Fault::read(body)) {
            (500.., Some(fault)) => Self::Unavailable {
                why: format!("status {status}: {}", fault.why),
            },
            (200..=299 | 400..=499, Some(fault)) => {
                Self::of_fault(*status, answer.retry_after, fault)
            }
            (429, None) => Self::throttled(answer.retry_after, ""),
            _ => Self::foreign(answer),
        }
    }

    /// What trouble with an answer, or with a part of it, means that is a success by its status.
    pub(super) fn of_trouble(answer: &Answer, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Fault(fault) if fault.is_intuits() => {
                Self::of_fault(answer.status, answer.retry_after, fault)
            }
            Trouble::Fault(_) => Self::foreign(answer),
            Trouble::Foreign(why) => Self::Unavailable {
                why: format!(
                    "status {}, but no answer of QuickBooks: {why}",
                    answer.status
                ),
            },
            Trouble::NotUnderstood(why) => Self::NotUnderstood { why },
        }
    }

    /// What an answer of the authorization server means that does not grant what was asked for.
    pub(super) fn of_refusal(answer: &Answer) -> Self {
        let Answer { status, body, .. } = answer;
        let told = read_refusal(body).map(|Refusal { error, why }| (error, why));
        match (*status, told) {
            (429, _) => Self::throttled(answer.retry_after, ""),
            (408 | 500.., Some((_, why))) => Self::Unavailable {
                why: format!("status {status}: {why}"),
            },
            (200..=299 | 400..=499, Some((error, why))) => match error.as_str() {
                "invalid_grant" => Self::InvalidGrant { why },
                "invalid_client" => Self::InvalidClient { why },
                "server_error" | "temporarily_unavailable" => Self::Unavailable { why },
                _ => Self::Refused {
                    status: *status,
                    code: Some(error),
                    why,
                },
            },
            (200..=299 | 400..=499, None) => match Fault::read(body) {
                Some(fault) => Self::of_gateway(answer, fault),
                None => Self::foreign(answer),
            },
            _ => Self::foreign(answer),
        }
    }

    /// A fault of Intuit's gateway before the authorization server; what it says of tokens is about
    /// no company.
    fn of_gateway(answer: &Answer, fault: Fault) -> Self {
        match Self::of_fault(answer.status, answer.retry_after, fault.clone()) {
            throttled @ (Self::Throttled { .. } | Self::CapReached) => throttled,
            unavailable @ Self::Unavailable { .. } => unavailable,
            _ => Self::Refused {
                status: answer.status,
                code: fault.code,
                why: fault.why,
            },
        }
    }

    /// An answer that did not come from Intuit, or only half of it did.
    pub(super) fn foreign(answer: &Answer) -> Self {
        let Answer { status, body, .. } = answer;
        let what = match body.trim_ascii().first() {
            _ if *status >= 500 => None,
            _ if (300..400).contains(status) => {
                Some("a redirect, which is never followed: a login page between here and Intuit?")
            }
            None => Some("no answer of QuickBooks: nothing"),
            Some(b'<') => Some("no answer of QuickBooks: a page of a proxy or firewall?"),
            Some(b'{') => Some("no answer of QuickBooks: other JSON, or half of it"),
            Some(_) => Some("no answer of QuickBooks: some text"),
        };
        let why = match what {
            Some(what) => format!("status {status}, {what}"),
            None => format!("status {status}"),
        };
        Self::Unavailable { why }
    }

    fn of_fault(status: u16, retry_after: Option<Duration>, fault: Fault) -> Self {
        let Fault { class, code, why } = fault;
        let said = why.to_ascii_lowercase();
        // Named by its text only; its code stands for any operation that there is not.
        if said.contains("changedsince") && said.contains("older than") {
            return Self::TooOld;
        }
        match (code.as_deref(), class.to_ascii_lowercase().as_str()) {
            (Some("3001"), _) => Self::throttled(retry_after, &said),
            (_, _) if said.contains("throttleexceeded") => Self::throttled(retry_after, &said),
            (Some("3200"), _) => Self::Unauthorized,
            (Some("3100" | "120"), _) => Self::Forbidden { why },
            (Some("6190"), _) => Self::Lapsed,
            (Some("500"), _) => Self::Unsupported { why },
            (_, "authentication" | "authenticationfault") => Self::Unauthorized,
            (_, "authorization" | "authorizationfault") => Self::Forbidden { why },
            (_, "system" | "systemfault" | "service" | "servicefault") => Self::Unavailable { why },
            _ => match status {
                401 => Self::Unauthorized,
                403 => Self::Forbidden { why },
                429 => Self::throttled(retry_after, &said),
                408 | 500.. => Self::Unavailable { why },
                _ => Self::Refused { status, code, why },
            },
        }
    }

    fn throttled(retry_after: Option<Duration>, said: &str) -> Self {
        match said.contains("month") {
            true => Self::CapReached,
            false => Self::Throttled {
                wait: lengthened(THROTTLE, retry_after, THROTTLE_MAX),
            },
        }
    }
}

#[cfg(test)]
mod tests;
