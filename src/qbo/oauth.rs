//! Consent, tokens and their end (OAuth 2.0, RFC 6749 and RFC 7009; Intuit's page on OAuth 2.0).

use super::{App, Failure};
use crate::model::{Secret, Timestamp, TokenSet};
use crate::wire::quickbooks::{
    SCOPE, Tokens, authorize_query, code_form, read_discovery, read_refusal, read_tokens,
    refresh_form, revoke_body,
};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request};
use http_body_util::Full;
use std::sync::Arc;
use std::time::Duration;

/// Asks for the end that no refresh moves (Intuit, November 2025).
const HARD_END: (&str, &str) = ("x-include-refresh-token-hard-expires-in", "true");

/// Tokens as they were granted; the caller adds its clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Granted {
    /// What a request carries.
    pub access: Secret,
    /// How long it is good for.
    pub access_for: Duration,
    /// What gets the next set; keep it before the access token is used, because the one before it
    /// may be dead already.
    pub refresh: Secret,
    /// How long it is good for when it is not used.
    pub refresh_for: Duration,
    /// How long consent lasts in all, where Intuit told it.
    pub hard_for: Option<Duration>,
}

impl Granted {
    /// The tokens with their ends. `asked_at` is when they were asked for, so that no end is later
    /// than it is.
    pub fn since(self, asked_at: Timestamp) -> TokenSet {
        TokenSet {
            access: self.access,
            access_expires_at: asked_at.plus(self.access_for),
            refresh: self.refresh,
            refresh_expires_at: asked_at.plus(self.refresh_for),
            hard_expires_at: self.hard_for.map(|span| asked_at.plus(span)),
        }
    }
}

impl App {
    /// Where a person consents. `state` comes back with the code; it has to be unguessable.
    pub fn authorize_url(&self, state: &str) -> String {
        self.authorize_url_for(SCOPE, state)
    }

    /// The same for another scope, or several with spaces between them.
    pub fn authorize_url_for(&self, scope: &str, state: &str) -> String {
        let settings = &self.0.settings;
        let query = authorize_query(&settings.client_id, &settings.redirect_uri, scope, state);
        format!("{}?{query}", self.0.endpoints.load().authorize)
    }

    /// The first tokens of a company, for the code that came with the redirect.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn exchange(&self, code: &Secret) -> Result<Granted, Failure> {
        let form = code_form(code, &self.0.settings.redirect_uri);
        granted(self.grant("exchange", form).await?, None)
    }

    /// The next tokens of a company.
    ///
    /// # Errors
    /// [`Failure`] says what to do. After [`Failure::Unavailable`] nobody knows whether Intuit has
    /// changed the refresh token; the old one is usually good for a while, so ask again soon.
    pub async fn refresh(&self, refresh: &Secret) -> Result<Granted, Failure> {
        let form = refresh_form(refresh);
        granted(self.grant("refresh", form).await?, Some(refresh))
    }

    /// Ends what a token stands for; either token of a set ends both.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn revoke(&self, token: &Secret) -> Result<(), Failure> {
        let endpoints = self.0.endpoints.load_full();
        let request = self.post(&endpoints.revoke, "application/json", revoke_body(token));
        let answer = self.0.client.send("revoke", request?).await?;
        match answer.status {
            // A page of a network's login comes with 200 too.
            200..300
                if is_empty_or_object(&answer.body) && read_refusal(&answer.body).is_none() =>
            {
                Ok(())
            }
            _ => Err(Failure::of_refusal(&answer)),
        }
    }

    /// Takes over where Intuit's authorization server is now, by Intuit's own word, but for the
    /// addresses that are pinned.
    ///
    /// # Errors
    /// [`Failure`]; everything stays as it was then.
    pub async fn discover(&self) -> Result<(), Failure> {
        let settings = &self.0.settings;
        let pinned = settings.pinned;
        if pinned.authorize && pinned.token && pinned.revoke {
            return Ok(());
        }
        let request = Request::get(settings.endpoints.discovery(settings.environment))
            .header(ACCEPT, "application/json")
            .body(Full::default());
        let answer = self.0.client.send("discover", request?);
        let answer = answer.await?;
        if !(200..300).contains(&answer.status) {
            return Err(Failure::of_answer(&answer));
        }
        let found = read_discovery(&answer.body);
        let found = found.map_err(|why| foreign("discovery document", &why))?;
        let mut endpoints = settings.endpoints.clone();
        for (is_pinned, place, found) in [
            (pinned.authorize, &mut endpoints.authorize, found.authorize),
            (pinned.token, &mut endpoints.token, found.token),
            (pinned.revoke, &mut endpoints.revoke, found.revoke),
        ] {
            if !is_pinned {
                *place = found;
            }
        }
        let endpoints = endpoints.normal();
        let endpoints = endpoints.map_err(|bad| Failure::NotUnderstood {
            why: bad.to_string(),
        })?;
        self.0.endpoints.store(Arc::new(endpoints));
        Ok(())
    }

    async fn grant(&self, what: &'static str, form: String) -> Result<Tokens, Failure> {
        let endpoints = self.0.endpoints.load_full();
        let mut request = self.post(&endpoints.token, "application/x-www-form-urlencoded", form)?;
        let (name, value) = HARD_END;
        let fields = request.headers_mut();
        fields.insert(name, HeaderValue::from_static(value));
        let answer = self.0.client.send(what, request).await?;
        match answer.status {
            200..300 if read_refusal(&answer.body).is_none() => {
                read_tokens(&answer.body).map_err(|why| foreign("tokens", &why))
            }
            _ => Err(Failure::of_refusal(&answer)),
        }
    }

    fn post(
        &self,
        address: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        Ok(Request::post(address)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, content_type)
            .header(
                AUTHORIZATION,
                HeaderValue::clone(&self.0.authorization.load()),
            )
            .body(Full::from(body))?)
    }
}

/// An answer that succeeds and does not bring what was asked for: Intuit's would.
fn foreign(wanted: &str, why: &str) -> Failure {
    Failure::Unavailable {
        why: format!("an answer without {wanted} ({why}), so it did not come from Intuit"),
    }
}

fn is_empty_or_object(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    body.is_empty() || (body.starts_with(b"{") && is_json())
}

/// The tokens, with the old refresh token where the answer brings no new one (RFC 6749, section 6).
fn granted(tokens: Tokens, old: Option<&Secret>) -> Result<Granted, Failure> {
    let refresh = tokens.refresh.or_else(|| old.cloned());
    Ok(Granted {
        access: tokens.access,
        access_for: tokens.access_for,
        refresh: refresh.ok_or_else(|| Failure::NotUnderstood {
            why: "refresh_token: missing".into(),
        })?,
        refresh_for: tokens.refresh_for,
        hard_for: tokens.hard_for,
    })
}
