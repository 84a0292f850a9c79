//! OAuth 2.0 as Intuit offers it: the authorization page, the token endpoint, revocation, discovery.
//!
//! Sources: RFC 6749, RFC 7009, Intuit's OAuth 2.0 page, the fixtures of its SDKs.

use super::answer::Answer;
use super::desk::{Desk, Question};
use super::grants::{Granted, Refused};
use super::options::{AppKeys, Consent};
use crate::model::Environment;
use crate::wire::url::Url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use serde_json::json;
use std::fmt::Write as _;

pub(super) const AUTHORIZE: &str = "/connect/oauth2";
pub(super) const TOKEN: &str = "/oauth2/v1/tokens/bearer";
pub(super) const REVOKE: &str = "/v2/oauth2/tokens/revoke";

/// Behind `/accounts` or `/sandbox-accounts`.
pub(super) const USERINFO: &str = "/v1/openid_connect/userinfo";
pub(super) const KEYS: &str = "/op/v1/jwks";
pub(super) const DISCOVERY: &str = "/.well-known/openid_configuration";
pub(super) const DISCOVERY_SANDBOX: &str = "/.well-known/openid_sandbox_configuration";

const SCOPE: &str = "com.intuit.quickbooks.accounting";

impl Desk {
    /// The page on which a person consents; it sends the browser back by itself where the consent
    /// is settled beforehand.
    pub(super) fn authorization(&self, question: &Question) -> Answer {
        let parameter = |name| question.parameter(name).unwrap_or_default();
        let Some(app) = self.app(parameter("client_id")) else {
            return page(400, "The app's client_id is unknown.");
        };
        let back = parameter("redirect_uri");
        let is_registered =
            app.redirect_uris.is_empty() || app.redirect_uris.iter().any(|uri| uri == back);
        if Url::parse(back).is_err() || !is_registered {
            return page(
                400,
                "The redirect_uri is not one that is registered for the app.",
            );
        }
        let state = parameter("state");
        let scopes: Vec<&str> = parameter("scope").split_whitespace().collect();
        let mistake = if state.is_empty() {
            Some("invalid_request")
        } else if parameter("response_type") != "code" {
            Some("unsupported_response_type")
        } else if !scopes.contains(&SCOPE) {
            Some("invalid_scope")
        } else {
            None
        };
        if let Some(error) = mistake {
            return sent_back(back, &[("error", error), ("state", state)]);
        }
        let refusal = [("error", "access_denied"), ("state", state)];
        match (self.consent, parameter("decision")) {
            (Consent::Page, "refuse") | (Consent::Refused, _) => sent_back(back, &refusal),
            (Consent::Page, "") => self.consent_page(app, question),
            (Consent::Page | Consent::AtOnce, _) => {
                let wished = question.parameter("realm");
                let Some(realm) = self.realm_for(app, wished) else {
                    return page(400, "There is no such company for the app's keys.");
                };
                let code = self
                    .grants()
                    .code(&app.client_id, &realm, back, self.clock.even());
                sent_back(
                    back,
                    &[("code", &code), ("state", state), ("realmId", &realm)],
                )
            }
        }
    }

    /// The company that was chosen, or else the first that the app is not connected to.
    fn realm_for(&self, app: &AppKeys, wished: Option<&str>) -> Option<String> {
        let fitting = || {
            self.companies
                .iter()
                .filter(|(_, company)| company.environment == app.environment)
                .map(|(realm, _)| realm)
        };
        if let Some(wished) = wished {
            return fitting().find(|realm| *realm == wished).cloned();
        }
        let grants = self.grants();
        fitting()
            .find(|realm| !grants.is_connected(&app.client_id, realm))
            .or_else(|| fitting().next())
            .cloned()
    }

    fn consent_page(&self, app: &AppKeys, question: &Question) -> Answer {
        let hidden: String = question
            .parameters
            .iter()
            .map(|(name, value)| {
                format!(
                    r#"<input type="hidden" name="{}" value="{}">"#,
                    escaped(name),
                    escaped(value)
                )
            })
            .collect();
        let mut choices = String::new();
        for (realm, company) in &self.companies {
            if company.environment == app.environment {
                _ = write!(
                    choices,
                    r#"<p><label><input type="radio" name="realm" value="{realm}" required> Company {realm}</label></p>"#,
                    realm = escaped(realm)
                );
            }
        }
        Answer::html(
            200,
            format!(
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Simulated Intuit</title>\
                 <h1>Simulated Intuit</h1><p>The app <b>{}</b> would like to read a company.</p>\
                 <form method=\"get\" action=\"{AUTHORIZE}\">{hidden}{choices}\
                 <button name=\"decision\" value=\"connect\">Connect</button> \
                 <button name=\"decision\" value=\"refuse\" formnovalidate>No thanks</button></form></html>",
                escaped(&app.client_id)
            ),
        )
    }

    /// The token endpoint.
    pub(super) fn tokens(&self, question: &Question) -> Answer {
        let Some(app) = self.authenticated(question) else {
            return Answer::refusal(401, "invalid_client", None);
        };
        let form = question.form();
        let parameter = |name: &str| {
            let found = form.iter().find(|(found, _)| found == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let now = self.clock.even();
        let mut grants = self.grants();
        let granted = match parameter("grant_type") {
            "authorization_code" => grants.exchange(
                &app.client_id,
                parameter("code"),
                parameter("redirect_uri"),
                now,
            ),
            "refresh_token" => grants.refresh(&app.client_id, parameter("refresh_token"), now),
            "" => return Answer::refusal(400, "invalid_request", None),
            _ => return Answer::refusal(400, "unsupported_grant_type", None),
        };
        let tells_hard = question
            .header("x-include-refresh-token-hard-expires-in")
            .is_some_and(|value| value == "true");
        match granted {
            Ok(granted) => Answer::json(200, &written(&granted, tells_hard)),
            Err(Refused::Code) => Answer::refusal(400, "invalid_grant", None),
            Err(Refused::Refresh) => Answer::refusal(
                400,
                "invalid_grant",
                Some("Incorrect or invalid refresh token"),
            ),
            Err(Refused::OtherApp) => Answer::refusal(
                400,
                "invalid_grant",
                Some("Incorrect Token type or clientID"),
            ),
        }
    }

    /// The revocation endpoint; takes JSON, as documented, and a form, as some clients send.
    pub(super) fn revocation(&self, question: &Question) -> Answer {
        #[derive(serde::Deserialize)]
        struct Body {
            token: String,
        }
        let Some(app) = self.authenticated(question) else {
            return Answer::refusal(401, "invalid_client", None);
        };
        let token = match serde_json::from_slice::<Body>(&question.body) {
            Ok(body) => Some(body.token),
            Err(_) => question
                .form()
                .into_iter()
                .find(|(name, _)| name == "token")
                .map(|(_, value)| value),
        };
        match token {
            Some(token) if self.grants().revoke(&app.client_id, &token) => {
                Answer::json(200, &json!({}))
            }
            Some(_) => Answer::refusal(400, "invalid_request", Some("Token invalid")),
            None => Answer::refusal(400, "invalid_request", None),
        }
    }

    /// The discovery document.
    pub(super) fn discovery(&self, environment: Environment) -> Answer {
        let base = &self.base;
        let host = match environment {
            Environment::Production => "accounts",
            Environment::Sandbox => "sandbox-accounts",
        };
        Answer::json(
            200,
            &json!({
                "issuer": "https://oauth.platform.intuit.com/op/v1",
                "authorization_endpoint": format!("{base}{AUTHORIZE}"),
                "token_endpoint": format!("{base}{TOKEN}"),
                "userinfo_endpoint": format!("{base}/{host}{USERINFO}"),
                "revocation_endpoint": format!("{base}{REVOKE}"),
                "jwks_uri": format!("{base}{KEYS}"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile", "address", "phone"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
            }),
        )
    }

    /// Who consented, for whoever shows a token; Intuit wants the scope `openid` for it.
    pub(super) fn user_info(&self, question: &Question) -> Answer {
        let token = question.bearer().unwrap_or_default();
        let grants = self.grants();
        let Some((_, realm)) = grants.bearer(token, self.clock.even()) else {
            return Answer::refusal(401, "invalid_token", None);
        };
        let sub = format!("simulated-user-of-{realm}");
        Answer::json(
            200,
            &json!({ "sub": sub, "email": "owner@example.com", "emailVerified": true }),
        )
    }

    /// The keys of id tokens, of which none is ever issued here.
    pub(super) fn keys(&self) -> Answer {
        Answer::json(200, &json!({ "keys": [] }))
    }

    /// The app whose id and secret the request carries (HTTP Basic).
    fn authenticated(&self, question: &Question) -> Option<&AppKeys> {
        let encoded = question.header("authorization")?.strip_prefix("Basic ")?;
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        let app = self.app(id)?;
        (app.client_secret.expose() == secret.as_bytes()).then_some(app)
    }
}

fn written(granted: &Granted, tells_hard: bool) -> serde_json::Value {
    let mut body = json!({
        "x_refresh_token_expires_in": granted.refresh_for.as_secs(),
        "refresh_token": granted.refresh,
        "access_token": granted.access,
        "token_type": "bearer",
        "expires_in": granted.access_for.as_secs(),
    });
    if let (true, Some(body)) = (tells_hard, body.as_object_mut()) {
        let seconds = json!(granted.hard_for.as_secs());
        body.insert("x_refresh_token_hard_expires_in".into(), seconds);
    }
    body
}

fn sent_back(redirect_uri: &str, parameters: &[(&str, &str)]) -> Answer {
    let query = Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    Answer::redirect(format!("{redirect_uri}{joint}{query}"))
}

fn page(status: u16, message: &str) -> Answer {
    Answer::html(
        status,
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Simulated Intuit</title><p>{}</p></html>",
            escaped(message)
        ),
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
