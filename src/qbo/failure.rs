//! What it means when a call brings nothing.
//!
//! The status alone does not tell: the throttle comes as 403, 429 or inside 200, a lapsed
//! subscription as 400 or 403. So the fault's code decides where there is one (Intuit's pages on
//! error codes and on common errors), the status where there is none.

use super::client::Answer;
use crate::wire::quickbooks::{Fault, Refusal, Trouble, read_refusal};
use std::time::Duration;

/// The wait that Intuit asks for after too many requests.
const THROTTLE: Duration = Duration::from_secs(60);

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
        match Fault::read(&answer.body) {
            Some(fault) => Self::of_fault(answer.status, answer.retry_after, fault),
            None => {
                let why = format!("status {}", answer.status);
                Self::of_status(answer.status, answer.retry_after, None, why)
            }
        }
    }

    /// What trouble with an answer, or with a part of it, means that is a success by its status.
    pub(super) fn of_trouble(answer: &Answer, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Fault(fault) => Self::of_fault(answer.status, answer.retry_after, fault),
            Trouble::NotUnderstood(why) => Self::NotUnderstood { why },
        }
    }

    /// What an answer of the authorization server means that is not a success.
    pub(super) fn of_refusal(answer: &Answer) -> Self {
        let status = answer.status;
        let told = read_refusal(&answer.body);
        let nothing = || Refusal {
            error: String::new(),
            why: format!("status {status}"),
        };
        let Refusal { error, why } = told.unwrap_or_else(nothing);
        match (error.as_str(), status) {
            ("invalid_grant", _) => Self::InvalidGrant { why },
            ("invalid_client", _) | ("", 401) => Self::InvalidClient { why },
            ("", _) | (_, 408 | 429 | 500..) => {
                Self::of_status(status, answer.retry_after, None, why)
            }
            _ => Self::Refused {
                status,
                code: Some(error),
                why,
            },
        }
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
            _ => Self::of_status(status, retry_after, code, why),
        }
    }

    fn of_status(
        status: u16,
        retry_after: Option<Duration>,
        code: Option<String>,
        why: String,
    ) -> Self {
        match status {
            401 => Self::Unauthorized,
            403 => Self::Forbidden { why },
            429 => Self::throttled(retry_after, &why.to_ascii_lowercase()),
            408 | 500.. => Self::Unavailable { why },
            300..=399 => {
                let why = "a redirect, which is never followed".into();
                Self::Refused { status, code, why }
            }
            _ => Self::Refused { status, code, why },
        }
    }

    fn throttled(retry_after: Option<Duration>, said: &str) -> Self {
        match said.contains("month") {
            true => Self::CapReached,
            false => Self::Throttled {
                wait: retry_after.unwrap_or(THROTTLE),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! data {
        ($name:literal) => {
            include_str!(concat!("../../tests/data/quickbooks/", $name))
        };
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            body: body.into(),
        }
    }

    fn refused(status: u16, code: Option<&str>, why: &str) -> Failure {
        Failure::Refused {
            status,
            code: code.map(str::to_owned),
            why: why.into(),
        }
    }

    /// The variant's name and what it says.
    fn shown(failure: &Failure) -> String {
        let name = format!("{failure:?}");
        let end = name.find([' ', '{']).unwrap_or(name.len());
        name[..end].to_owned()
    }

    #[test]
    fn the_code_decides_before_the_status() {
        let fault = |code, text| {
            format!(
                r#"{{"Fault":{{"Error":[{{"Message":"{text}","code":"{code}"}}],"type":"x"}}}}"#
            )
        };
        let table = [
            (
                401,
                data!("fault-gateway-401.json").to_owned(),
                "Unauthorized",
            ),
            (403, data!("fault-gateway-403.json").to_owned(), "Forbidden"),
            (429, data!("fault-throttled.xml").to_owned(), "Throttled"),
            (403, data!("fault-throttled.xml").to_owned(), "Throttled"),
            (200, data!("fault-throttled.xml").to_owned(), "Throttled"),
            (400, data!("fault-too-old.json").to_owned(), "TooOld"),
            (200, data!("fault-too-old.json").to_owned(), "TooOld"),
            (400, data!("fault-lapsed.json").to_owned(), "Lapsed"),
            (403, data!("fault-lapsed.json").to_owned(), "Lapsed"),
            (400, data!("fault-validation.json").to_owned(), "Refused"),
            (400, data!("fault-not-found.json").to_owned(), "Refused"),
            (401, fault("120", "Authorization Failure"), "Forbidden"),
            (400, fault("500", "Unsupported Operation"), "Unsupported"),
            (500, fault("10000", "System Failure"), "Unavailable"),
            (
                429,
                fault("", "The monthly limit was reached"),
                "CapReached",
            ),
            (
                429,
                fault("3001", "ThrottleExceeded for this month"),
                "CapReached",
            ),
            (429, fault("", ""), "Throttled"),
            (418, fault("4001", "QueryParserError"), "Refused"),
        ];
        for (status, body, expected) in table {
            let failure = Failure::of_answer(&answer(status, &body));
            assert_eq!(shown(&failure), expected, "{status} {body}");
        }
        let inside = r#"{"Fault":{"Error":[{"code":"10000"}],"type":"SystemFault"}}"#;
        let failure = Failure::of_answer(&answer(200, inside));
        assert_eq!(shown(&failure), "Unavailable");
        assert_eq!(
            Failure::of_answer(&answer(400, data!("fault-validation.json"))),
            refused(
                400,
                Some("2030"),
                "Invalid ID (Id should be a valid number. Supplied value:1.5)"
            )
        );
    }

    #[test]
    fn without_a_fault_the_status_decides() {
        let table = [
            (
                302,
                refused(302, None, "a redirect, which is never followed"),
            ),
            (400, refused(400, None, "status 400")),
            (404, refused(404, None, "status 404")),
            (401, Failure::Unauthorized),
            (
                403,
                Failure::Forbidden {
                    why: "status 403".into(),
                },
            ),
            (429, Failure::Throttled { wait: THROTTLE }),
            (
                503,
                Failure::Unavailable {
                    why: "status 503".into(),
                },
            ),
        ];
        for (status, expected) in table {
            for body in ["", "<html>nginx</html>", "{}", "\u{0}"] {
                assert_eq!(Failure::of_answer(&answer(status, body)), expected);
            }
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept() {
        let wait = Duration::from_secs(7);
        let asked = Answer {
            retry_after: Some(wait),
            ..answer(429, data!("fault-throttled.xml"))
        };
        assert_eq!(Failure::of_answer(&asked), Failure::Throttled { wait });
        assert_eq!(Failure::of_refusal(&asked), Failure::Throttled { wait });
    }

    #[test]
    fn a_refusal_of_tokens_says_who_has_to_act() {
        let grant = |error: &str| format!(r#"{{"error":"{error}","error_description":"Because"}}"#);
        let because = || "Because".to_owned();
        let table = [
            (
                400,
                grant("invalid_grant"),
                Failure::InvalidGrant { why: because() },
            ),
            (
                401,
                grant("invalid_client"),
                Failure::InvalidClient { why: because() },
            ),
            (
                401,
                String::new(),
                Failure::InvalidClient {
                    why: "status 401".into(),
                },
            ),
            (
                400,
                grant("invalid_request"),
                refused(400, Some("invalid_request"), "Because"),
            ),
            (
                503,
                grant("temporarily_unavailable"),
                Failure::Unavailable { why: because() },
            ),
            (400, String::new(), refused(400, None, "status 400")),
            (
                502,
                "<html>".into(),
                Failure::Unavailable {
                    why: "status 502".into(),
                },
            ),
        ];
        for (status, body, expected) in table {
            assert_eq!(
                Failure::of_refusal(&answer(status, &body)),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn no_failure_quotes_a_token() {
        let token = "AB01601390262eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0";
        assert!(data!("fault-gateway-401.json").contains(token));
        for code in ["3200", "3100", "610", "500", ""] {
            let body = data!("fault-gateway-401.json").replace("3200", code);
            for status in [200, 400, 401, 403, 500] {
                let failure = Failure::of_answer(&answer(status, &body));
                assert!(
                    !format!("{failure:?} {failure}").contains("AB016"),
                    "{failure:?}"
                );
            }
        }
    }
}
