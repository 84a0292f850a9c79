//! What the vault seals of an instance: its token and its whole configuration.
//!
//! A version byte, a byte of flags, how many keys there are (32 bits, big endian), then the token and
//! each key and value with their lengths in front (likewise). Journals hold it, so a change to it
//! needs another version byte.

use super::{Configuration, ExternalAuthentication};
use crate::model::Secret;

const VERSION: u8 = 1;
const TRACE_LOGGING: u8 = 1;
const EXTERNAL: u8 = 2;
const UNTRIED: u8 = 4;

/// What only its owner and the gateway know of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The element token: 44 characters of Base64.
    pub token: Secret,
    /// The configuration, secrets included.
    pub configuration: Configuration,
    /// Who got the tokens.
    pub external_authentication: ExternalAuthentication,
    /// Whether its owner asked for a trace in the log.
    pub trace_logging: bool,
    /// Whether Intuit took the keys of its app since they were set.
    pub keys_tried: bool,
}

/// The plain form; wiped when dropped.
pub fn encode(kept: &Kept) -> Secret {
    let pairs = kept.configuration.iter();
    let texts = pairs.flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]);
    let parts: Vec<&[u8]> = std::iter::once(kept.token.expose()).chain(texts).collect();
    // All at once: a vector that grows leaves its old bytes behind.
    let length: usize = parts.iter().map(|part| part.len() + 4).sum();
    let mut plain = Vec::with_capacity(length + 6);
    let external = kept.external_authentication == ExternalAuthentication::Initial;
    let flags = [
        (kept.trace_logging, TRACE_LOGGING),
        (external, EXTERNAL),
        (!kept.keys_tried, UNTRIED),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set);
    plain.extend([VERSION, flags.map(|(_, flag)| flag).sum()]);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes();
    plain.extend(number(kept.configuration.iter().count()));
    for part in parts {
        plain.extend(number(part.len()));
        plain.extend(part);
    }
    Secret::new(plain)
}

/// What a plain form holds; `None` when it is none.
pub fn decode(plain: &[u8]) -> Option<Kept> {
    let (&[VERSION, flags], mut rest) = plain.split_first_chunk()? else {
        return None;
    };
    if flags > TRACE_LOGGING | EXTERNAL | UNTRIED {
        return None;
    }
    let count = number(&mut rest)?;
    let token = Secret::new(part(&mut rest)?);
    let mut configuration = Configuration::default();
    for _ in 0..count {
        let [key, value] = [part(&mut rest)?, part(&mut rest)?];
        configuration.set(
            std::str::from_utf8(key).ok()?,
            std::str::from_utf8(value).ok()?,
        );
    }
    let external_authentication = match flags & EXTERNAL {
        0 => ExternalAuthentication::None,
        _ => ExternalAuthentication::Initial,
    };
    rest.is_empty().then_some(Kept {
        token,
        configuration,
        external_authentication,
        trace_logging: flags & TRACE_LOGGING != 0,
        keys_tried: flags & UNTRIED == 0,
    })
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (part, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(part)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(external_authentication: ExternalAuthentication, trace_logging: bool) -> Kept {
        let mut configuration = Configuration::default();
        configuration.set("oauth.api.secret", "s3cret");
        configuration.set("event.poller.urls", "bills\ninvoices");
        configuration.set("ü", "");
        Kept {
            token: Secret::new("ABC/D="),
            configuration,
            external_authentication,
            trace_logging,
            keys_tried: !trace_logging,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        use ExternalAuthentication::{Initial, None};
        for (external, trace) in [
            (None, false),
            (Initial, false),
            (None, true),
            (Initial, true),
        ] {
            let kept = kept(external, trace);
            assert_eq!(decode(encode(&kept).expose()), Some(kept));
        }
    }

    #[test]
    fn nothing_else_is_a_plain_form() {
        let plain = encode(&kept(ExternalAuthentication::None, false));
        let plain = plain.expose();
        for length in 0..plain.len() {
            assert_eq!(decode(&plain[..length]), None, "{length}");
        }
        assert_eq!(decode(&[plain, b"x"].concat()), None);
        for (at, byte) in [(0, 2), (1, 8)] {
            let mut other = plain.to_vec();
            other[at] = byte;
            assert_eq!(decode(&other), None);
        }
        let token_of_ff = [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff];
        assert!(decode(&token_of_ff).is_some());
        let key_of_ff = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0, 0];
        assert_eq!(decode(&key_of_ff), None);
    }
}
