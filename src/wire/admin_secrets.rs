//! The file of admin secrets: a digest of each secret, since when it is good, and until when.
//!
//! JSON, so that a person sees what is there. Secrets of 128 and 256 random bits need no salt and no
//! slow digest: nobody can try them all. Relays hold such files, so a change to the form needs another
//! version.

use super::instant;
use crate::model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

const VERSION: u32 = 1;

/// SHA-256 of a secret.
pub type Digest = [u8; 32];

/// One user secret and one organization secret that were made together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// Of the user secret.
    pub user: Digest,
    /// Of the organization secret.
    pub organization: Digest,
    /// When both were made.
    pub made_at: Timestamp,
    /// From when on both are wrong; `None`: nothing has replaced them.
    pub ends_at: Option<Timestamp>,
}

/// What is wrong with a file, without anything of what stands in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadFile {
    /// It was cut or edited.
    #[error("line {line}, column {column}: not what `qbo-relay admin-secret` writes")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Another version of the program wrote it.
    #[error("it has version {0}; this program knows version {VERSION}")]
    Version(u32),
    /// Something in it is not a digest or not a time.
    #[error("set {0} has something that is neither a digest nor a time")]
    Pair(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    secrets: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user_sha256: String,
    organization_sha256: String,
    made_at: String,
    ends_at: Option<String>,
}

impl Pair {
    /// Whether both are good at that time.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

/// The digest of a secret, byte for byte as it is shown.
pub fn digest(secret: &[u8]) -> Digest {
    Sha256::digest(secret).into()
}

/// What the file holds, in the order of the file.
///
/// # Errors
/// [`BadFile`]: nothing of it can be used then.
pub fn decode(file: &[u8]) -> Result<Vec<Pair>, BadFile> {
    let file: File = serde_json::from_slice(file).map_err(|error| BadFile::Json {
        line: error.line(),
        column: error.column(),
    })?;
    if file.version != VERSION {
        return Err(BadFile::Version(file.version));
    }
    let entries = (1..).zip(&file.secrets);
    entries
        .map(|(number, entry)| pair(entry).ok_or(BadFile::Pair(number)))
        .collect()
}

/// The file that holds these.
pub fn encode(pairs: &[Pair]) -> String {
    let entry = |pair: &Pair| Entry {
        user_sha256: hex(&pair.user),
        organization_sha256: hex(&pair.organization),
        made_at: pair.made_at.to_string(),
        ends_at: pair.ends_at.map(|end| end.to_string()),
    };
    let file = File {
        version: VERSION,
        secrets: pairs.iter().map(entry).collect(),
    };
    let text = serde_json::to_string_pretty(&file).expect("text and numbers can be written");
    text + "\n"
}

fn pair(entry: &Entry) -> Option<Pair> {
    Some(Pair {
        user: unhex(&entry.user_sha256)?,
        organization: unhex(&entry.organization_sha256)?,
        made_at: instant::parse(&entry.made_at)?,
        ends_at: match &entry.ends_at {
            Some(end) => Some(instant::parse(end)?),
            None => None,
        },
    })
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Digest> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut digest = Digest::default();
    for (place, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *place = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    is_hex.then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Vec<Pair> {
        let pair = |user: &str, ends_at| Pair {
            user: digest(user.as_bytes()),
            organization: digest(b"o"),
            made_at: Timestamp::from_ms(1_795_237_475_120),
            ends_at,
        };
        vec![
            pair("new", None),
            pair("old", Some(Timestamp::from_ms(1_795_323_875_120))),
        ]
    }

    #[test]
    fn a_digest_is_plain_sha_256_so_that_sha256sum_finds_it() {
        // printf %s abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&digest(b"abc")), abc);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for pairs in [pairs(), Vec::new()] {
            assert_eq!(decode(encode(&pairs).as_bytes()), Ok(pairs));
        }
    }

    #[test]
    fn a_pair_is_good_until_its_end() {
        let [new, old] = <[Pair; 2]>::try_from(pairs()).unwrap();
        let end = old.ends_at.unwrap();
        let before = Timestamp::from_ms(end.as_ms() - 1);
        assert!(old.is_good(before) && !old.is_good(end));
        assert!(new.is_good(Timestamp::from_ms(i64::MAX)));
    }

    #[test]
    fn a_file_that_was_cut_or_edited_is_refused_as_a_whole() {
        let whole = encode(&pairs());
        for length in 0..whole.len() - 1 {
            let cut = decode(&whole.as_bytes()[..length]);
            assert!(matches!(cut, Err(BadFile::Json { .. })), "{length}");
        }
        let edited = |from: &str, to: &str| decode(whole.replacen(from, to, 1).as_bytes());
        assert_eq!(
            edited("\"version\": 1", "\"version\": 2"),
            Err(BadFile::Version(2))
        );
        assert_eq!(edited("2026-11-2", "soon"), Err(BadFile::Pair(1)));
        let digest = hex(&digest(b"old"));
        assert_eq!(edited(&digest, &digest[1..]), Err(BadFile::Pair(2)));
        assert_eq!(
            edited(&digest, &digest.replacen(|_| true, "+", 1)),
            Err(BadFile::Pair(2))
        );
        let unknown = edited("\"made_at\"", "\"since\"").unwrap_err();
        assert!(
            matches!(unknown, BadFile::Json { line: 7, .. }),
            "{unknown}"
        );
    }
}
