//! HMAC-SHA256 and domain-separated SHA-256, for the other modules of `wire`.
//!
//! No secret leaves it: callers get a tag or a keyed state that compares in constant time.

use crate::model::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The keyed state after all `parts`; finalize it for a tag, or let it verify one in constant time.
pub(super) fn hmac_sha256(key: &Secret, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// SHA-256 over a domain and fields, each with its length in front, so that no two different lists
/// of fields, and no two domains, ever hash the same bytes.
pub(super) fn sha256(domain: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for field in std::iter::once(&domain.as_bytes()).chain(fields) {
        let length = u64::try_from(field.len()).expect("a slice is shorter than 2^64 bytes");
        hash.update(length.to_be_bytes());
        hash.update(field);
    }
    hash.finalize().into()
}

/// The first `N` bytes of a digest, `N` at most 32.
pub(super) fn first<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_cannot_borrow_bytes_from_its_neighbour() {
        let split = |fields: &[&[u8]]| sha256("d", fields);
        assert_ne!(split(&[b"ab", b"c"]), split(&[b"a", b"bc"]));
        assert_ne!(split(&[b"ab"]), split(&[b"ab", b""]));
        assert_ne!(sha256("d", &[b"x"]), sha256("e", &[b"x"]));
    }

    #[test]
    fn the_digest_is_sha_256_over_length_and_bytes() {
        // sha256(00 00 00 00 00 00 00 01 'd'), computed with Python's hashlib.
        let expected = "e7f3ae40b6cc78d7e7b2cc69f4c9c86a";
        let hex: String = first::<16>(&sha256("d", &[]))
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, expected);
    }
}
