//! What it means when a call brings nothing.

use std::time::Duration;

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
        /// How long.
        wait: Duration,
    },
    /// The month's calls of the app are used up: Intuit blocks it until the next month.
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
        /// Intuit's words.
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

impl Failure {
    pub(super) async fn not_yet() -> Self {
        std::future::ready(Self::Unavailable {
            why: "this call is not built yet".into(),
        })
        .await
    }
}
