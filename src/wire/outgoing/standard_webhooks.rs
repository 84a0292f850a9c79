//! Standard Webhooks 1.0.0: signing, and verifying as a receiver does.
//!
//! Signed is `<id>.<timestamp>.<body>`, symmetric (`v1`, HMAC-SHA256) or asymmetric (`v1a`,
//! Ed25519). Several keys give several signatures, which is how a secret is rotated. Source:
//! the Standard Webhooks specification 1.0.0. The sinks sign, afresh on each attempt; the demo's
//! receiver and the tests verify.

use crate::model::Secret;
use crate::wire::digest::hmac_sha256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};
use hmac::Mac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;
use std::sync::Arc;

/// Bytes that a symmetric secret may have.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs; never shown by `Debug`.
#[derive(Clone)]
pub enum SigningKey {
    /// The bytes of a `whsec_` secret: signs `v1`.
    Symmetric(Secret),
    /// The pair of a `whsk_` key: signs `v1a`.
    Ed25519(Arc<Ed25519KeyPair>),
}

/// Why a text is no signing key. Never says what the text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadKey {
    /// Nothing is there; the file may be empty.
    #[error("the signing secret is empty; expected whsec_ or whsk_ and base64")]
    Empty,
    /// What comes after the prefix is not base64.
    #[error("the signing secret is not base64 after its prefix")]
    NotBase64,
    /// A `whsec_` secret is too short or too long.
    #[error("the signing secret has {0} bytes; expected 24 to 64")]
    Length(usize),
    /// A `whsk_` key is cut off or not a pair.
    #[error("the whsk_ key is not 64 bytes of a seed and its public key")]
    NotAPair,
    /// A `whpk_` key was given, which only verifies.
    #[error("a whpk_ key is public and cannot sign; expected the whsk_ key that it belongs to")]
    Public,
}

/// The three headers as a receiver found them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Presented<'a> {
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`.
    pub signature: Option<&'a str>,
}

/// Why a receiver does not take a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unverified {
    /// One of the three headers is missing or empty.
    #[error("a webhook-id, webhook-timestamp or webhook-signature header is missing")]
    Missing,
    /// The timestamp is not a whole number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// The timestamp is too far from now, in the past or in the future.
    #[error("webhook-timestamp is outside the tolerance")]
    Stale,
    /// No signature fits any key.
    #[error("no signature fits")]
    Wrong,
}

impl SigningKey {
    /// A key from its text: `whsec_` and base64 of 24 to 64 bytes (the prefix may be missing), or
    /// `whsk_` and base64 of a 32-byte seed with its public key. White space around it, such as the
    /// last line break of a file, is ignored.
    ///
    /// # Errors
    /// [`BadKey`], which does not contain the text.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        if text.starts_with("whpk_") {
            return Err(BadKey::Public);
        }
        if let Some(pair) = text.strip_prefix("whsk_") {
            return Self::parse_pair(pair);
        }
        let secret = decode(text.strip_prefix("whsec_").unwrap_or(text))?;
        let length = secret.expose().len();
        match length {
            0 => Err(BadKey::Empty),
            _ if !SECRET_BYTES.contains(&length) => Err(BadKey::Length(length)),
            _ => Ok(Self::Symmetric(secret)),
        }
    }

    fn parse_pair(text: &str) -> Result<Self, BadKey> {
        let pair = decode(text)?;
        let halves = pair.expose().split_at_checked(32);
        let (seed, public) = halves.ok_or(BadKey::NotAPair)?;
        Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map(|pair| Self::Ed25519(Arc::new(pair)))
            .map_err(|_| BadKey::NotAPair)
    }

    fn sign(&self, signed: &[&[u8]; 5]) -> String {
        match self {
            Self::Symmetric(secret) => {
                let tag = hmac_sha256(secret, signed).finalize();
                format!("v1,{}", STANDARD.encode(tag.into_bytes()))
            }
            Self::Ed25519(pair) => {
                let signature = pair.sign(&signed.concat());
                format!("v1a,{}", STANDARD.encode(signature))
            }
        }
    }

    fn fits(&self, signed: &[&[u8]; 5], signature: &str) -> bool {
        let Some((version, text)) = signature.split_once(',') else {
            return false;
        };
        let Ok(signature) = STANDARD.decode(text) else {
            return false;
        };
        match self {
            Self::Symmetric(secret) => {
                version == "v1" && hmac_sha256(secret, signed).verify_slice(&signature).is_ok()
            }
            Self::Ed25519(pair) => {
                let public = UnparsedPublicKey::new(&ED25519, pair.public_key());
                version == "v1a" && public.verify(&signed.concat(), &signature).is_ok()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Symmetric(_) => "Symmetric(…)",
            Self::Ed25519(_) => "Ed25519(…)",
        })
    }
}

/// The value of `webhook-signature` for an attempt at `timestamp_s` (Unix seconds): one signature a
/// key, in their order. `id` is the value of `webhook-id` and has no `.` in it.
pub fn sign(keys: &[SigningKey], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let timestamp = timestamp_s.to_string();
    let signed = signed(id, &timestamp, body);
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&signed)).collect();
    signatures.join(" ")
}

/// Accepts when any of the signatures fits any of the keys and the timestamp is at most
/// `tolerance_s` seconds away from `now_s`; compares in constant time.
///
/// # Errors
/// [`Unverified`], when it is not to be taken.
pub fn verify<'a>(
    keys: &[SigningKey],
    presented: &Presented<'a>,
    body: &[u8],
    now_s: i64,
    tolerance_s: u64,
) -> Result<(), Unverified> {
    let there = |header: Option<&'a str>| {
        let value = header.filter(|value| !value.is_empty());
        value.ok_or(Unverified::Missing)
    };
    let id = there(presented.id)?;
    let timestamp = there(presented.timestamp)?;
    let signatures = there(presented.signature)?;
    let at: i64 = timestamp.parse().map_err(|_| Unverified::Timestamp)?;
    if at.abs_diff(now_s) > tolerance_s {
        return Err(Unverified::Stale);
    }
    let signed = signed(id, timestamp, body);
    let fits = |signature| keys.iter().any(|key| key.fits(&signed, signature));
    if signatures.split(' ').any(fits) {
        Ok(())
    } else {
        Err(Unverified::Wrong)
    }
}

fn signed<'a>(id: &'a str, timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body]
}

fn decode(text: &str) -> Result<Secret, BadKey> {
    STANDARD_PAD_INDIFFERENT
        .decode(text)
        .map(Secret::new)
        .map_err(|_| BadKey::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PAIR: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const V1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const V1A: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

    fn key(text: &str) -> SigningKey {
        SigningKey::parse(text).unwrap()
    }

    #[test]
    fn the_published_standard_webhooks_signatures_are_made() {
        let without_prefix = SECRET.strip_prefix("whsec_").unwrap();
        for secret in [SECRET, without_prefix, &format!(" {SECRET}\n")] {
            assert_eq!(sign(&[key(secret)], ID, AT, BODY), V1);
        }
        assert_eq!(sign(&[key(PAIR)], ID, AT, BODY), V1A);
        let both = sign(&[key(SECRET), key(PAIR)], ID, AT, BODY);
        assert_eq!(both, format!("{V1} {V1A}"));
    }

    #[test]
    fn a_receiver_takes_what_it_should_and_nothing_else() {
        const OTHER: &str = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        const FOREIGN: &str = "v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        let table = [
            (V1.to_owned(), Ok(())),
            (V1A.to_owned(), Ok(())),
            (format!("{OTHER} {FOREIGN} {V1}"), Ok(())),
            (format!("{OTHER} {FOREIGN}"), Err(Unverified::Wrong)),
            ("v1,".to_owned(), Err(Unverified::Wrong)),
            (
                "v1,dawfeoifkpqwoekfpqoekf".to_owned(),
                Err(Unverified::Wrong),
            ),
            (V1.replace("v1", "v2"), Err(Unverified::Wrong)),
            (V1.replace("v1", "v1a"), Err(Unverified::Wrong)),
            (V1A.replace("v1a", "v1"), Err(Unverified::Wrong)),
            (V1.replace("v1,", ""), Err(Unverified::Wrong)),
            (String::new(), Err(Unverified::Missing)),
        ];
        for (signature, expected) in table {
            let presented = Presented {
                id: Some(ID),
                timestamp: Some("1614265330"),
                signature: Some(&signature),
            };
            let keys = [key(SECRET), key(PAIR)];
            assert_eq!(
                verify(&keys, &presented, BODY, AT, 300),
                expected,
                "{signature}"
            );
        }
    }

    #[test]
    fn a_receiver_refuses_other_content_other_ids_and_other_times() {
        let good = Presented {
            id: Some(ID),
            timestamp: Some("1614265330"),
            signature: Some(V1),
        };
        let keys = [key(SECRET)];
        let judge = |presented: Presented<'_>, now| verify(&keys, &presented, BODY, now, 300);
        assert_eq!(judge(good, AT + 300), Ok(()));
        assert_eq!(judge(good, AT - 300), Ok(()));
        assert_eq!(judge(good, AT + 301), Err(Unverified::Stale));
        assert_eq!(judge(good, AT - 301), Err(Unverified::Stale));
        let with = |change: fn(&mut Presented<'static>)| {
            let mut presented = good;
            change(&mut presented);
            judge(presented, AT)
        };
        assert_eq!(with(|p| p.id = None), Err(Unverified::Missing));
        assert_eq!(with(|p| p.timestamp = None), Err(Unverified::Missing));
        assert_eq!(with(|p| p.signature = None), Err(Unverified::Missing));
        assert_eq!(
            with(|p| p.timestamp = Some("hello")),
            Err(Unverified::Timestamp)
        );
        assert_eq!(
            with(|p| p.timestamp = Some("1614265331")),
            Err(Unverified::Wrong)
        );
        assert_eq!(with(|p| p.id = Some("msg_other")), Err(Unverified::Wrong));
        assert_eq!(verify(&keys, &good, b"{}", AT, 300), Err(Unverified::Wrong));
        assert_eq!(verify(&[], &good, BODY, AT, 300), Err(Unverified::Wrong));
    }

    #[test]
    fn a_bad_key_is_refused_without_being_shown() {
        let truncated = &PAIR[..PAIR.len() - 3];
        let other_public = PAIR.replace("Kvg==", "Kvw==");
        let bytes = |count: usize| format!("whsec_{}", STANDARD.encode(vec![7; count]));
        let table = [
            ("", BadKey::Empty),
            (" \n", BadKey::Empty),
            ("whsec_", BadKey::Empty),
            ("whsec_!", BadKey::NotBase64),
            ("correct horse battery staple", BadKey::NotBase64),
            (&bytes(23), BadKey::Length(23)),
            (&bytes(65), BadKey::Length(65)),
            ("whsk_", BadKey::NotAPair),
            (truncated, BadKey::NotBase64),
            (&PAIR[..PAIR.len() - 4], BadKey::NotAPair),
            (&other_public, BadKey::NotAPair),
            (
                "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
                BadKey::Public,
            ),
        ];
        for (text, expected) in table {
            let error = SigningKey::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(text.len() < 9 || !error.to_string().contains(&text[6..]));
        }
        assert!(SigningKey::parse(&bytes(24)).is_ok() && SigningKey::parse(&bytes(64)).is_ok());
        let shown = format!("{:?}", [key(SECRET), key(PAIR)]);
        assert_eq!(shown, "[Symmetric(…), Ed25519(…)]");
    }
}
