//! What the command line asks a running relay to do, and how that is written as a request.
//!
//! Pure; used by `control`.

use super::super::answer::Refusal;
use crate::model::{RealmId, SinkName};
use http::{Method, StatusCode};
use serde_json::Value;

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// Send changes again: the filter as the command line wrote it.
    Replay(Value),
    /// Read certificates, secrets and log level again.
    Reload,
    /// Where the listeners listen.
    Addresses,
    /// Let a sink work again that was switched off.
    Enable(SinkName),
    /// Ask for a consent, for the app of this name or the only one.
    Connect(Option<String>),
    /// How the consent of this ticket stands.
    Outcome(String),
    /// Take an address that a person pasted.
    Paste(String),
    /// Tell the companies.
    Companies,
    /// End the connection of a company.
    Disconnect(RealmId),
    /// Erase what is kept of a company: which, and how as the command line wrote it.
    Forget(RealmId, Value),
    /// Let a company be read that was connected without this shell.
    Approve(RealmId),
    /// The secrets of the interface were made anew, in their file beside the journal.
    SecretsMade,
}

impl Order {
    /// What it changes, as the command line would say it; `None` for what only looks.
    pub fn change(&self) -> Option<String> {
        Some(match self {
            Self::Replay(errand) => return errand_change(errand),
            Self::Enable(sink) => format!("sink enable {sink}"),
            Self::Connect(None) => "connect".into(),
            Self::Connect(Some(app)) => format!("connect --app {app}"),
            Self::Paste(_) => "connect --paste".into(),
            Self::Disconnect(realm) => format!("company disconnect {realm}"),
            Self::Approve(realm) => format!("company approve {realm}"),
            Self::Forget(_, wish) if wish.get("dry_run") == Some(&Value::Bool(true)) => {
                return None;
            }
            // Not which: nothing of it is to be left.
            Self::Forget(..) => "company forget".into(),
            Self::SecretsMade => "admin-secret".into(),
            Self::Reload => "reload".into(),
            Self::Outcome(_) | Self::Companies | Self::Addresses => return None,
        })
    }
}

/// What is to be done is the key, and about what its value; `None` for a plan that is only shown.
fn errand_change(errand: &Value) -> Option<String> {
    let parts = errand.as_object().and_then(|parts| parts.iter().next());
    let Some((what, about)) = parts else {
        return Some(format!("replay {errand}"));
    };
    if about.get("dry_run") == Some(&Value::Bool(true)) {
        return None;
    }
    let command = match what.as_str() {
        "cancel" => "replay --cancel",
        "discard" => "dead-letter discard",
        "acknowledge" => "journal discard",
        other => other,
    };
    Some(format!("{command} {}", given(about)))
}

/// Without what was not said.
fn given(about: &Value) -> Value {
    let is_given = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(values) => !values.is_empty(),
        _ => true,
    };
    let Some(parts) = about.as_object() else {
        return about.clone();
    };
    let parts = parts.iter().filter(|(_, value)| is_given(value));
    parts
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// A command that was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The HTTP status that says so.
    pub status: StatusCode,
    /// Why, and what to do, in one sentence.
    pub why: String,
}

/// Why a request is no order.
pub(super) enum NoOrder {
    /// Nothing is there, or not for this method.
    Refusal(Refusal),
    /// It is not written as it has to be.
    Refused(Refused),
}

/// Reads a request. The body is JSON where there is one.
pub(super) fn read(method: &Method, path: &str, body: &[u8]) -> Result<Order, NoOrder> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let is_get = method == Method::GET;
    let allow = |allowed| Err(NoOrder::Refusal(Refusal::NotAllowed(allowed)));
    let order = match (parts.as_slice(), is_get) {
        (["replay"], false) => Order::Replay(json(body)?),
        (["reload"], false) => Order::Reload,
        (["addresses"], true) => Order::Addresses,
        (["sinks", name, "enable"], false) => {
            let name = SinkName::new(*name);
            Order::Enable(name.ok_or_else(|| nowhere("no sink can have this name"))?)
        }
        (["connect"], false) => Order::Connect(word(&json(body)?, "app")),
        (["connect", "paste"], false) => {
            let address = word(&json(body)?, "address");
            Order::Paste(address.ok_or_else(|| bad("`address` is missing".into()))?)
        }
        (["companies", realm, "disconnect"], false) => {
            let realm = RealmId::new(*realm);
            Order::Disconnect(realm.ok_or_else(|| nowhere("no company can have this number"))?)
        }
        (["companies", realm, "approve"], false) => {
            let realm = RealmId::new(*realm);
            Order::Approve(realm.ok_or_else(|| nowhere("no company can have this number"))?)
        }
        (["admin-secrets"], false) => Order::SecretsMade,
        (["companies", realm, "forget"], false) => {
            let realm = RealmId::new(*realm);
            let realm = realm.ok_or_else(|| nowhere("no company can have this number"))?;
            Order::Forget(realm, json(body)?)
        }
        (["companies"], true) => Order::Companies,
        (["connect", ticket], true) => Order::Outcome((*ticket).to_owned()),
        (
            ["replay" | "reload" | "connect" | "admin-secrets"]
            | ["sinks", _, "enable"]
            | ["companies", _, "disconnect" | "approve" | "forget"],
            true,
        ) => {
            return allow("POST");
        }
        (["companies" | "addresses"] | ["connect", _], false) => return allow("GET"),
        _ => return Err(NoOrder::Refusal(Refusal::NotFound)),
    };
    if !is_get && method != Method::POST {
        return allow("POST");
    }
    Ok(order)
}

fn json(body: &[u8]) -> Result<Value, NoOrder> {
    let why = |error| bad(format!("the request is not JSON: {error}"));
    serde_json::from_slice(body).map_err(why)
}

fn word(object: &Value, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn bad(why: String) -> NoOrder {
    let status = StatusCode::BAD_REQUEST;
    NoOrder::Refused(Refused { status, why })
}

fn nowhere(why: &str) -> NoOrder {
    let status = StatusCode::NOT_FOUND;
    let why = why.to_owned();
    NoOrder::Refused(Refused { status, why })
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::Answer;
    use super::*;

    fn order(method: &str, path: &str, body: &str) -> Result<Order, u16> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        read(&method, path, body.as_bytes()).map_err(|no_order| match no_order {
            NoOrder::Refusal(refusal) => Answer::from(refusal).status().as_u16(),
            NoOrder::Refused(refused) => refused.status.as_u16(),
        })
    }

    #[test]
    fn every_order_has_its_request() {
        let realm = RealmId::new("310687").unwrap();
        for (method, path, body, expected) in [
            (
                "POST",
                "/replay",
                "{}",
                Order::Replay(serde_json::json!({})),
            ),
            (
                "POST",
                "/sinks/erp/enable",
                "",
                Order::Enable(SinkName::new("erp").unwrap()),
            ),
            ("POST", "/reload", "", Order::Reload),
            ("GET", "/addresses", "", Order::Addresses),
            ("POST", "/connect", "{}", Order::Connect(None)),
            (
                "POST",
                "/connect",
                r#"{"app":"books"}"#,
                Order::Connect(Some("books".into())),
            ),
            (
                "POST",
                "/connect/paste",
                r#"{"address":"x"}"#,
                Order::Paste("x".into()),
            ),
            ("GET", "/connect/a1", "", Order::Outcome("a1".into())),
            ("GET", "/companies", "", Order::Companies),
            (
                "POST",
                "/companies/310687/disconnect",
                "",
                Order::Disconnect(realm.clone()),
            ),
            (
                "POST",
                "/companies/310687/approve",
                "",
                Order::Approve(realm.clone()),
            ),
            ("POST", "/admin-secrets", "", Order::SecretsMade),
            (
                "POST",
                "/companies/310687/forget",
                r#"{"dry_run":true}"#,
                Order::Forget(realm, serde_json::json!({"dry_run": true})),
            ),
        ] {
            assert_eq!(order(method, path, body), Ok(expected), "{method} {path}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_right_status() {
        for (method, path, body, status) in [
            ("GET", "/replay", "", 405),
            ("GET", "/reload", "", 405),
            ("POST", "/addresses", "", 405),
            ("PUT", "/replay", "{}", 405),
            ("POST", "/replay", "{", 400),
            ("POST", "/connect/paste", "{}", 400),
            ("POST", "/companies", "", 405),
            ("GET", "/companies/1/disconnect", "", 405),
            ("GET", "/companies/1/approve", "", 405),
            ("GET", "/admin-secrets", "", 405),
            ("GET", "/companies/1/forget", "", 405),
            ("POST", "/companies/1/forget", "", 400),
            ("POST", "/sinks/%/enable", "", 404),
            ("GET", "/nothing", "", 404),
            ("POST", "/", "", 404),
        ] {
            assert_eq!(order(method, path, body), Err(status), "{method} {path}");
        }
    }
}
