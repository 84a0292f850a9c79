//! What Intuit's authorization server answers (OAuth 2.0, RFC 6749, sections 5.1 and 5.2, with
//! Intuit's own `x_` fields).

use super::plain::plain;
use crate::model::Secret;
use crate::wire::json::{self, Key};
use serde_json::value::RawValue;
use std::time::Duration;

/// An access token's life where the answer does not tell it: Intuit's documented hour.
const ACCESS: Duration = Duration::from_secs(3_600);

/// A refresh token's, unused: Intuit's documented 100 days.
const REFRESH: Duration = Duration::from_secs(100 * 86_400);

/// Bytes that a token may have; Intuit's have up to 1000 and it promises 4096.
const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Why an authorization server refuses (RFC 6749, sections 4.1.2.1 and 5.2; RFC 7009, section 2.2.1).
const REASONS: [&str; 10] = [
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_token_type",
];

/// Tokens that were granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tokens {
    /// `access_token`.
    pub access: Secret,
    /// `expires_in`.
    pub access_for: Duration,
    /// `refresh_token`; where it is missing, the old one stays in use.
    pub refresh: Option<Secret>,
    /// `x_refresh_token_expires_in`: how long it lasts unused.
    pub refresh_for: Duration,
    /// `x_refresh_token_hard_expires_in`: how long consent lasts in all, where it was told.
    pub hard_for: Option<Duration>,
}

/// Why nothing was granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// `error`: `invalid_grant`, `invalid_client` and others.
    pub error: String,
    /// `error_description`, or the error where there is none; holds no token.
    pub why: String,
}

/// Reads an answer that grants.
///
/// # Errors
/// What is wrong with it, without its content.
pub fn read_tokens(body: &[u8]) -> Result<Tokens, String> {
    let keys = [
        "access_token",
        "expires_in",
        "refresh_token",
        "x_refresh_token_expires_in",
        "x_refresh_token_hard_expires_in",
    ];
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?;
    let [access, access_for, refresh, refresh_for, hard_for] =
        json::fields(text.trim_ascii(), keys.map(Key::Exact))?;
    Ok(Tokens {
        access: token(access, "access_token")?.ok_or("access_token: missing")?,
        access_for: span(access_for).unwrap_or(ACCESS),
        refresh: token(refresh, "refresh_token")?,
        refresh_for: span(refresh_for).unwrap_or(REFRESH),
        hard_for: span(hard_for),
    })
}

/// Reads an answer that refuses; `None` when it gives none of the standard's reasons: then it is not
/// the authorization server that answers.
pub fn read_refusal(body: &[u8]) -> Option<Refusal> {
    let text = std::str::from_utf8(body).ok()?.trim_ascii();
    let keys = ["error", "error_description"].map(Key::Exact);
    let [error, description] = json::fields(text, keys).ok()?;
    let error = json::text(error?).ok()??;
    if !REASONS.contains(&error.as_str()) {
        return None;
    }
    let description = description.and_then(|value| json::text(value).ok().flatten());
    let why = description
        .map(|text| plain(&text))
        .filter(|text| !text.is_empty());
    Some(Refusal {
        why: why.unwrap_or_else(|| error.clone()),
        error,
    })
}

/// A token, which has to fit into a header field.
fn token(value: Option<&RawValue>, name: &str) -> Result<Option<Secret>, String> {
    let Some(text) = value
        .map_or(Ok(None), json::text)
        .map_err(|found| format!("{name}: {found}"))?
    else {
        return Ok(None);
    };
    let token = Secret::new(text);
    match token.expose() {
        [] => Ok(None),
        bytes if bytes.len() > TOKEN_BYTES_MAX => Err(format!("{name}: too long")),
        bytes if !bytes.iter().all(u8::is_ascii_graphic) => {
            Err(format!("{name}: has characters that no token has"))
        }
        _ => Ok(Some(token)),
    }
}

/// Whole seconds, as a number or a string.
fn span(value: Option<&RawValue>) -> Option<Duration> {
    let text = json::text(value?).ok()??;
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: &[u8] = include_bytes!("../../../tests/data/quickbooks/tokens.json");

    #[test]
    fn tokens_come_with_their_three_ends() {
        let tokens = read_tokens(TOKENS).unwrap();
        assert!(tokens.access.expose().starts_with(b"eyJ"));
        let refresh = tokens.refresh.unwrap();
        assert_eq!(
            refresh.expose(),
            b"RT1-39-H3-1785429816rcysb9dns1ofreknypnm"
        );
        assert_eq!(tokens.access_for, Duration::from_secs(3_600));
        assert_eq!(tokens.refresh_for, Duration::from_secs(8_726_400));
        assert_eq!(tokens.hard_for, Some(Duration::from_secs(156_032_154)));
    }

    #[test]
    fn the_least_that_the_standard_asks_for_is_enough() {
        let tokens = read_tokens(br#" {"access_token":"eyJ","expires_in":"60"} "#).unwrap();
        assert_eq!(tokens.access, Secret::new("eyJ"));
        assert_eq!(tokens.access_for, Duration::from_secs(60));
        assert_eq!(tokens.refresh, None);
        assert_eq!((tokens.refresh_for, tokens.hard_for), (REFRESH, None));
    }

    #[test]
    fn what_are_no_tokens_is_refused_without_being_quoted() {
        let long = format!(
            r#"{{"access_token":"{}"}}"#,
            "h".repeat(TOKEN_BYTES_MAX + 1)
        );
        let table = [
            ("", "expected an object"),
            (r#""hunter2""#, "expected an object"),
            (r#"["hunter2"]"#, "expected an object"),
            (r#"{"access_token":"hunter2"#, "EOF while parsing a string"),
            (r#"{"refresh_token":"hunter2"}"#, "access_token: missing"),
            (r#"{"access_token":""}"#, "access_token: missing"),
            (
                r#"{"access_token":{"hunter2":1}}"#,
                "access_token: an object",
            ),
            (
                r#"{"access_token":"hunter2\r\nCookie: 1"}"#,
                "access_token: has characters that no token has",
            ),
            (&long, "access_token: too long"),
        ];
        for (body, expected) in table {
            assert_eq!(read_tokens(body.as_bytes()).unwrap_err(), expected);
        }
        assert_eq!(read_tokens(b"\xff").unwrap_err(), "not UTF-8");
    }

    #[test]
    fn a_refusal_is_known_by_its_error_and_holds_no_token() {
        let table = [
            (
                r#"{"error":"invalid_grant"}"#,
                "invalid_grant",
                "invalid_grant",
            ),
            (
                r#"{"error_description":"Token invalid","error":"invalid_grant"}"#,
                "invalid_grant",
                "Token invalid",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"Incorrect Token type or clientID"}"#,
                "invalid_grant",
                "Incorrect Token type or clientID",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"RT1-39-H3-1785429816rcysb9 is dead"}"#,
                "invalid_grant",
                "… is dead",
            ),
            (
                r#"{"error":"invalid_client","error_description":null}"#,
                "invalid_client",
                "invalid_client",
            ),
        ];
        for (body, error, why) in table {
            let refusal = read_refusal(body.as_bytes()).unwrap();
            assert_eq!((refusal.error.as_str(), refusal.why.as_str()), (error, why));
        }
        for body in [
            "",
            "{}",
            "<html>",
            r#"{"error":7.5"#,
            r#"{"error":{}}"#,
            r#"{"error":403,"message":"Forbidden"}"#,
            r#"{"error":"Blocked by policy"}"#,
        ] {
            assert_eq!(read_refusal(body.as_bytes()), None, "{body}");
        }
    }
}
