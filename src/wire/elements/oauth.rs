//! `…/oauth/url`: where to send a person for consent.

use super::query::Query;
use super::{Wrong, body, terms};
use crate::model::Secret;

/// What the address is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OauthAsk {
    /// `apiKey`: the client id.
    pub key: String,
    /// `apiSecret`; the address does not need it.
    pub secret: Option<Secret>,
    /// `callbackUrl`.
    pub callback_url: String,
    /// `scope`.
    pub scope: Option<String>,
    /// `state`; the key of the element where it is missing.
    pub state: Option<String>,
}

const NAMES: [&str; 5] = ["apiKey", "apiSecret", "callbackUrl", "scope", "state"];

impl OauthAsk {
    pub(super) fn of_query(query: Option<&str>) -> Result<Self, Wrong> {
        let query = Query(query);
        let name = "authentication.type";
        let kind = query.one(name)?;
        if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("oauth2")) {
            let why = "expected oauth2 (QuickBooks Online has nothing else)";
            return Err(Wrong::at(name, why));
        }
        let mut values = NAMES.map(|_| None);
        for (slot, name) in values.iter_mut().zip(NAMES) {
            *slot = query.one(name)?;
        }
        Self::of(values)
    }

    /// Reads a body that was found to be an object.
    pub(super) fn of_body(object: &str) -> Result<Self, Wrong> {
        let mut values = NAMES.map(|_| None);
        for (slot, field) in values.iter_mut().zip(body::fields(object, NAMES)?) {
            *slot = field.string()?;
        }
        Self::of(values)
    }

    fn of(values: [Option<String>; NAMES.len()]) -> Result<Self, Wrong> {
        let values = values.map(|value| value.filter(|value| !value.is_empty()));
        let [key, secret, callback_url, scope, state] = values;
        let missing = |name| move || Wrong::at(name, "missing");
        let key = key.ok_or_else(missing("apiKey"))?;
        let callback_url = callback_url.ok_or_else(missing("callbackUrl"))?;
        terms::read_address(&callback_url).map_err(|why| Wrong::at("callbackUrl", why))?;
        Ok(Self {
            key,
            secret: secret.map(Secret::new),
            callback_url,
            scope,
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_asked_by_query_and_by_body() {
        let query = "apiKey=k&apiSecret=s&callbackUrl=https%3A%2F%2Fhttpbin.org%2Fget\
                     &scope=com.intuit.quickbooks.accounting&authentication.type=oauth2&siteAddress=";
        let asked = OauthAsk::of_query(Some(query)).unwrap();
        assert_eq!(
            (&*asked.key, &*asked.callback_url),
            ("k", "https://httpbin.org/get")
        );
        assert_eq!(
            asked.scope.as_deref(),
            Some("com.intuit.quickbooks.accounting")
        );
        assert_eq!(
            (asked.state.as_deref(), asked.secret.is_some()),
            (None, true)
        );
        let body = r#"{"apiKey":"k","apiSecret":"s","callbackUrl":"https://httpbin.org/get",
                       "scope":"com.intuit.quickbooks.accounting","state":"","isOAuthProxy":false}"#;
        assert_eq!(OauthAsk::of_body(body), Ok(asked));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (query, named) in [
            ("", "apiKey: missing"),
            ("apiKey=&callbackUrl=https://a", "apiKey: missing"),
            ("apiKey=k", "callbackUrl: missing"),
            (
                "apiKey=k&callbackUrl=https;//a",
                "callbackUrl: https;// has a semicolon",
            ),
            ("apiKey=k&apiKey=k", "apiKey: it is there twice"),
            (
                "apiKey=k&authentication.type=oauth1",
                "authentication.type: expected oauth2",
            ),
        ] {
            let wrong = OauthAsk::of_query(Some(query)).unwrap_err();
            assert!(
                wrong.message.starts_with(named),
                "{query}: {}",
                wrong.message
            );
        }
        let wrong = OauthAsk::of_body(r#"{"apiKey":7}"#).unwrap_err();
        assert_eq!(wrong.message, "apiKey: expected a string, found a number");
    }
}
