//! Consent, tokens and their end (OAuth 2.0, RFC 6749 and RFC 7009).

use super::{App, Failure};
use crate::model::Secret;
use std::time::Duration;

/// Tokens as they were granted; the caller adds its clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// What a request carries.
    pub access: Secret,
    /// How long it is good for.
    pub access_for: Duration,
    /// What gets the next set; the one before it is dead once this one is used.
    pub refresh: Secret,
    /// How long it is good for when it is not used.
    pub refresh_for: Duration,
    /// How long consent lasts in all, where Intuit told it.
    pub hard_for: Option<Duration>,
}

impl App {
    /// Where a person consents; `state` comes back with the answer.
    pub fn authorize_url(&self, state: &str) -> String {
        format!("{}?state={state}", self.settings.endpoints.authorize)
    }

    /// The first tokens of a company, for the code that came with the redirect.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn exchange(&self, _code: &Secret) -> Result<Granted, Failure> {
        Err(Failure::not_yet().await)
    }

    /// The next tokens of a company.
    ///
    /// # Errors
    /// [`Failure`] says what to do. After [`Failure::Unavailable`] the old refresh token may be dead
    /// already.
    pub async fn refresh(&self, _refresh: &Secret) -> Result<Granted, Failure> {
        Err(Failure::not_yet().await)
    }

    /// Ends what a token stands for; the other token of its set dies with it.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn revoke(&self, _token: &Secret) -> Result<(), Failure> {
        Err(Failure::not_yet().await)
    }
}
