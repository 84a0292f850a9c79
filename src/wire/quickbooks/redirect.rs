//! What Intuit sends the browser back with: `?code=…&state=…&realmId=…`, or `?error=…&state=…`.
//!
//! Sources: RFC 6749 sections 4.1.2 and 4.1.2.1; Intuit's page on OAuth 2.0 for `realmId`.

use crate::model::{RealmId, Secret};
use std::borrow::Cow;

/// Bytes of an address that are looked at: a code has at most 512 characters.
const ADDRESS_BYTES_MAX: usize = 4096;

/// The parts of a redirect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// Says which question this answers.
    pub state: String,
    /// The code and the company, or why there is none, in Intuit's words.
    pub consent: Result<(Secret, RealmId), String>,
}

/// Reads a query, or a whole address that was pasted.
///
/// # Errors
/// What is missing or twice there; never the code itself.
pub fn parse(address: &str) -> Result<Redirect, String> {
    let address = address.trim();
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(format!("it has more than {ADDRESS_BYTES_MAX} characters"));
    }
    let address = address
        .split_once('#')
        .map_or(address, |(before, _)| before);
    let query = address.split_once('?').map_or(address, |(_, query)| query);
    let [code, state, realm, error, description] =
        ["code", "state", "realmId", "error", "error_description"].map(|name| one(query, name));
    let state = state?.ok_or("`state` is missing")?.into_owned();
    if let Some(error) = error? {
        let mut why = plain(&error);
        if let Some(description) = description? {
            why = format!("{why} ({})", plain(&description));
        }
        let consent = Err(why);
        return Ok(Redirect { state, consent });
    }
    let code = code?.filter(|code| !code.is_empty());
    let code = code.ok_or("`code` is missing")?;
    let realm = realm?.ok_or("`realmId` is missing: without it the company is not known")?;
    // It becomes a part of addresses.
    let realm = Some(realm).filter(|realm| realm.bytes().all(|byte| byte.is_ascii_digit()));
    let realm = realm.and_then(RealmId::new);
    let realm = realm.ok_or("`realmId` is not the number of a company")?;
    Ok(Redirect {
        state,
        consent: Ok((Secret::new(code.as_bytes()), realm)),
    })
}

/// The value of a parameter that may be there once.
fn one<'a>(query: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, String> {
    let mut values = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(format!("`{name}` is there twice")),
        (value, None) => Ok(value),
    }
}

/// Words of somebody else, made fit for a log and a page: short, and printable.
fn plain(words: &str) -> String {
    words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "code=AB11%2F%2Bx&state=s-1&realmId=9341455841580195";

    #[test]
    fn a_query_a_path_and_a_whole_address_say_the_same() {
        let query = parse(GOOD).unwrap();
        assert_eq!(query.state, "s-1");
        let (code, realm) = query.consent.clone().unwrap();
        assert_eq!(code.expose(), b"AB11/+x");
        assert_eq!(realm.as_str(), "9341455841580195");
        let pasted = format!(" https://gateway.example/oauth/callback?{GOOD}#top\n");
        for address in [format!("/oauth/callback?{GOOD}"), pasted] {
            assert_eq!(parse(&address), Ok(query.clone()), "{address}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_intuits_words_made_plain() {
        let refused = parse("error=access_denied&error_description=not+%0Anow&state=s-1").unwrap();
        assert_eq!(refused.consent, Err("access_denied (not  now)".into()));
        assert_eq!(refused.state, "s-1");
    }

    #[test]
    fn what_is_missing_or_twice_there_is_named() {
        for (address, named) in [
            ("", "state"),
            ("state=s", "code"),
            ("state=s&code=&realmId=1", "code"),
            ("state=s&code=c", "realmId"),
            ("state=s&code=c&realmId=a%20b", "realmId"),
            ("state=s&state=t&code=c&realmId=1", "state"),
            ("state=s&code=c&code=d&realmId=1", "code"),
        ] {
            let why = parse(address).unwrap_err();
            assert!(why.contains(&format!("`{named}`")), "{address}: {why}");
        }
        assert!(parse(&"x".repeat(5000)).is_err());
    }
}
