//! The header fields of a delivery: those that stay the same until the next reload, and those that
//! each attempt gets afresh.

use crate::model::{Delivery, Manner, Secret, Timestamp};
use crate::wire::outgoing::{elements_signature, standard_webhooks};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

/// What deliveries are signed with. Several keys are for the time of a rotation.
#[derive(Clone, Debug)]
pub enum Signing {
    /// Not signed.
    Unsigned,
    /// `webhook-signature` of Standard Webhooks, one entry for each key.
    StandardWebhooks(Vec<standard_webhooks::SigningKey>),
    /// `Elements-Webhook-Signature` of Open Connectors.
    Elements(Secret),
}

/// How the relay shows that it may post.
#[derive(Clone, Debug)]
pub enum Authorization {
    /// `Authorization: Bearer`.
    Bearer(Secret),
    /// `Authorization: Basic`.
    Basic {
        /// User name, without a colon.
        user: String,
        /// Password.
        password: Secret,
    },
}

/// Which family of headers a delivery carries its id under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Convention {
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    StandardWebhooks,
    /// `Elements-Webhook-Id`, `Elements-Webhook-Signature`.
    Elements,
}

/// What is wrong with a configured header.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadHeader {
    /// Correct the name.
    #[error("header {0:?}: this is not a header name")]
    Name(String),
    /// Leave it out: the relay sets this one itself.
    #[error("header {0}: the relay sets this one itself")]
    Reserved(String),
    /// Leave one out.
    #[error("header {0}: it is given twice")]
    Twice(String),
    /// Correct the value; it is not shown because it may be a secret.
    #[error("header {0}: the value has line breaks or other control characters")]
    Value(String),
    /// Use a user name without a colon, or a bearer token.
    #[error("the user name for Basic has a colon")]
    User,
}

/// Names that the configuration may not set, besides those with a prefix of [`RESERVED_PREFIXES`]:
/// the relay or the protocol sets them.
const RESERVED: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Families of names that the relay keeps to itself.
const RESERVED_PREFIXES: [&str; 5] = [
    "ce-",
    "elements-webhook-",
    "proxy-",
    "qbo-relay-",
    "webhook-",
];

/// The fields that do not change from attempt to attempt.
pub(super) fn fixed(
    authorization: Option<&Authorization>,
    extra: &[(String, Secret)],
) -> Result<HeaderMap, BadHeader> {
    let mut fields = HeaderMap::new();
    let product = concat!("qbo-relay/", env!("CARGO_PKG_VERSION"));
    fields.insert(USER_AGENT, HeaderValue::from_static(product));
    if let Some(authorization) = authorization {
        let value = authorization.value()?;
        fields.insert(AUTHORIZATION, secret_value("authorization", &value)?);
    }
    for (name, value) in extra {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| BadHeader::Name(name.to_owned()))?;
        let reserved = RESERVED.contains(&key.as_str())
            || RESERVED_PREFIXES
                .iter()
                .any(|prefix| key.as_str().starts_with(prefix));
        if reserved {
            return Err(BadHeader::Reserved(name.to_owned()));
        }
        if fields.contains_key(&key) {
            return Err(BadHeader::Twice(name.to_owned()));
        }
        fields.insert(key, secret_value(name, value.expose())?);
    }
    Ok(fields)
}

/// The fields of this attempt: the id under every convention in use, the signature of this moment,
/// which attempt it is, and whether it is a replay.
pub(super) fn fresh(
    convention: Convention,
    signing: &Signing,
    id: &str,
    delivery: &Delivery,
    body: &[u8],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let seconds = now.as_seconds();
    let mut fields = vec![
        ("idempotency-key", format!("\"{id}\"")),
        ("qbo-relay-attempt", delivery.attempt.to_string()),
    ];
    if matches!(delivery.manner, Manner::Replay(_)) {
        fields.push(("qbo-relay-replay", "true".to_owned()));
    }
    match convention {
        Convention::StandardWebhooks => {
            fields.push(("webhook-id", id.to_owned()));
            fields.push(("webhook-timestamp", seconds.to_string()));
        }
        Convention::Elements => fields.push(("elements-webhook-id", id.to_owned())),
    }
    match signing {
        Signing::Unsigned => {}
        Signing::StandardWebhooks(keys) => {
            let signature = standard_webhooks::sign(keys, id, seconds, body);
            fields.push(("webhook-signature", signature));
        }
        Signing::Elements(key) => {
            fields.push(("elements-webhook-signature", elements_signature(key, body)));
        }
    }
    fields
}

impl Authorization {
    fn value(&self) -> Result<Vec<u8>, BadHeader> {
        match self {
            Self::Bearer(token) => Ok([b"Bearer ", token.expose()].concat()),
            Self::Basic { user, .. } if user.contains(':') => Err(BadHeader::User),
            Self::Basic { user, password } => {
                let pair = [user.as_bytes(), b":", password.expose()].concat();
                Ok(format!("Basic {}", STANDARD.encode(pair)).into_bytes())
            }
        }
    }
}

/// A value that the HTTP libraries do not show in their own `Debug` either.
fn secret_value(name: &str, value: &[u8]) -> Result<HeaderValue, BadHeader> {
    let mut value =
        HeaderValue::from_bytes(value).map_err(|_| BadHeader::Value(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<HeaderMap, BadHeader> {
        fixed(None, &[(name.to_owned(), Secret::new(value))])
    }

    #[test]
    fn a_configured_header_can_neither_break_the_request_nor_pose_as_the_relays_own() {
        assert_eq!(one("x y", "1"), Err(BadHeader::Name("x y".into())));
        for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b"] {
            assert_eq!(one("x-key", value), Err(BadHeader::Value("x-key".into())));
        }
        for name in [
            "Webhook-Signature",
            "webhook-id",
            "Elements-Webhook-Signature",
            "Idempotency-Key",
            "Content-Type",
            "content-length",
            "Transfer-Encoding",
            "Host",
            "User-Agent",
            "qbo-relay-replay",
            "ce-id",
        ] {
            assert_eq!(one(name, "1"), Err(BadHeader::Reserved(name.into())));
        }
    }

    #[test]
    fn a_header_is_given_once() {
        let bearer = Authorization::Bearer(Secret::new("t"));
        let extra = [("Authorization".to_owned(), Secret::new("x"))];
        let twice = fixed(Some(&bearer), &extra);
        assert_eq!(twice, Err(BadHeader::Twice("Authorization".into())));
    }

    #[test]
    fn credentials_are_not_shown_by_debug() {
        let bearer = Authorization::Bearer(Secret::new("hunter2"));
        let extra = [("x-key".to_owned(), Secret::new("hunter3"))];
        let shown = format!("{bearer:?} {:?}", fixed(Some(&bearer), &extra).unwrap());
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn basic_is_written_as_rfc_7617_does() {
        let basic = Authorization::Basic {
            user: "Aladdin".into(),
            password: Secret::new("open sesame"),
        };
        assert_eq!(
            basic.value().unwrap(),
            b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        let colon = Authorization::Basic {
            user: "a:b".into(),
            password: Secret::new(""),
        };
        assert_eq!(colon.value(), Err(BadHeader::User));
    }
}
