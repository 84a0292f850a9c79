//! Intuit's discovery document (OpenID Connect Discovery 1.0, section 3), of which the relay wants
//! three addresses.

use crate::wire::json::{self, Key};

/// The addresses as the document has them, unchecked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discovered {
    /// `authorization_endpoint`.
    pub authorize: String,
    /// `token_endpoint`.
    pub token: String,
    /// `revocation_endpoint`.
    pub revoke: String,
}

/// Reads the document.
///
/// # Errors
/// What is wrong with it.
pub fn read_discovery(body: &[u8]) -> Result<Discovered, String> {
    let names = [
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
    ];
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?;
    let values = json::fields(text.trim_ascii(), names.map(Key::Exact))?;
    let mut found = Vec::with_capacity(names.len());
    for (name, value) in names.into_iter().zip(values) {
        let text = value.map_or(Ok(None), json::text);
        let text = text.map_err(|what| format!("{name}: expected a string, found {what}"))?;
        found.push(text.ok_or_else(|| format!("{name}: missing"))?);
    }
    match <[String; 3]>::try_from(found) {
        Ok([authorize, token, revoke]) => Ok(Discovered {
            authorize,
            token,
            revoke,
        }),
        Err(_) => Err("incomplete".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../tests/data/quickbooks/discovery.json");

    #[test]
    fn three_addresses_are_taken_from_the_document() {
        let found = read_discovery(DOCUMENT.as_bytes()).unwrap();
        assert_eq!(
            found.authorize,
            "https://appcenter.intuit.com/connect/oauth2"
        );
        assert_eq!(
            found.token,
            "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
        );
        assert_eq!(
            found.revoke,
            "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"
        );
    }

    #[test]
    fn a_document_that_lacks_one_is_refused_by_its_name() {
        let without = DOCUMENT.replace("revocation_endpoint", "x");
        let error = read_discovery(without.as_bytes()).unwrap_err();
        assert_eq!(error, "revocation_endpoint: missing");
        let other = DOCUMENT.replace(r#""token_endpoint":""#, r#""token_endpoint":[],"y":""#);
        let error = read_discovery(other.as_bytes()).unwrap_err();
        assert_eq!(error, "token_endpoint: expected a string, found an array");
    }
}
