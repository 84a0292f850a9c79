//! The plain form of a token set: what the vault seals.
//!
//! A version byte; the access token with its length in front (32 bits, big endian) and its end (64
//! bits, milliseconds); the refresh token likewise; a byte that says whether the hard end follows.
//! Journals hold it, so a change to it needs another version byte.

use crate::model::{Secret, Timestamp, TokenSet};

const VERSION: u8 = 1;

/// The plain form; wiped when dropped.
pub fn encode(tokens: &TokenSet) -> Secret {
    let [access, refresh] = [&tokens.access, &tokens.refresh].map(Secret::expose);
    // All at once: a vector that grows leaves its old bytes behind.
    let mut plain = Vec::with_capacity(access.len() + refresh.len() + 34);
    plain.push(VERSION);
    for (token, end) in [
        (access, tokens.access_expires_at),
        (refresh, tokens.refresh_expires_at),
    ] {
        let length = u32::try_from(token.len()).unwrap_or(u32::MAX);
        plain.extend(length.to_be_bytes());
        plain.extend(token);
        plain.extend(end.as_ms().to_be_bytes());
    }
    plain.push(u8::from(tokens.hard_expires_at.is_some()));
    plain.extend(
        tokens
            .hard_expires_at
            .map(|end| end.as_ms().to_be_bytes())
            .into_iter()
            .flatten(),
    );
    Secret::new(plain)
}

/// The token set of a plain form; `None` when it is none.
pub fn decode(plain: &[u8]) -> Option<TokenSet> {
    let mut rest = plain;
    let [VERSION] = take(&mut rest)? else {
        return None;
    };
    let (access, access_expires_at) = (token(&mut rest)?, instant(&mut rest)?);
    let (refresh, refresh_expires_at) = (token(&mut rest)?, instant(&mut rest)?);
    let hard_expires_at = match take(&mut rest)? {
        [0] => None,
        [1] => Some(instant(&mut rest)?),
        _ => return None,
    };
    rest.is_empty().then_some(TokenSet {
        access,
        access_expires_at,
        refresh,
        refresh_expires_at,
        hard_expires_at,
    })
}

fn token(rest: &mut &[u8]) -> Option<Secret> {
    let length = u32::from_be_bytes(take(rest)?);
    let (token, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Secret::new(token))
}

fn instant(rest: &mut &[u8]) -> Option<Timestamp> {
    Some(Timestamp::from_ms(i64::from_be_bytes(take(rest)?)))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(hard_ms: Option<i64>) -> TokenSet {
        TokenSet {
            access: Secret::new("eyJ.access"),
            access_expires_at: Timestamp::from_ms(1_795_237_475_120),
            refresh: Secret::new("RT1-39-H3-refresh"),
            refresh_expires_at: Timestamp::from_ms(-1),
            hard_expires_at: hard_ms.map(Timestamp::from_ms),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for set in [set(None), set(Some(i64::MAX))] {
            assert_eq!(decode(encode(&set).expose()), Some(set));
        }
    }

    #[test]
    fn nothing_else_is_a_token_set() {
        let plain = encode(&set(Some(7)));
        let plain = plain.expose();
        for length in 0..plain.len() {
            assert_eq!(decode(&plain[..length]), None, "{length}");
        }
        assert_eq!(decode(&[plain, b"x"].concat()), None);
        let mut other = plain.to_vec();
        other[0] = 2;
        assert_eq!(decode(&other), None);
    }
}
