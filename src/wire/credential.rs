//! The credential of a client that does not sign: a bearer token, or a user with a password.
//!
//! Sources: RFC 6750 section 2.1, RFC 7617. Called by the server for the sources that are configured.
//! Promises: compared in constant time, whatever the lengths.

use super::digest::hmac_sha256;
use crate::model::Secret;
use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::{alphabet, engine::DecodePaddingMode};
use hmac::Mac;

/// What a client has to show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    /// `Authorization: Bearer ...`.
    Bearer(Secret),
    /// `Authorization: Basic ...`.
    Basic {
        /// The user's name; it has no colon in it.
        user: String,
        /// The password.
        password: Secret,
    },
}

/// Some clients leave the padding away.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Credential {
    /// The scheme that a client without it is asked for, with what RFC 7617 and RFC 6750 want in
    /// `WWW-Authenticate`.
    pub const fn challenge(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "Bearer realm=\"qbo-relay\"",
            Self::Basic { .. } => "Basic realm=\"qbo-relay\", charset=\"UTF-8\"",
        }
    }

    /// What stands behind the scheme, as bytes.
    fn expected(&self) -> Secret {
        match self {
            Self::Bearer(token) => token.clone(),
            Self::Basic { user, password } => {
                Secret::new([user.as_bytes(), b":", password.expose()].concat())
            }
        }
    }
}

/// Whether the value of an `Authorization` header shows the credential.
pub fn check(credential: &Credential, header: &[u8]) -> bool {
    let header = header.trim_ascii();
    let scheme_bytes = header.iter().take_while(|byte| **byte != b' ').count();
    let (scheme, shown) = header.split_at(scheme_bytes);
    let shown = shown.trim_ascii();
    let shown = match credential {
        Credential::Bearer(_) if scheme.eq_ignore_ascii_case(b"bearer") => shown.to_vec(),
        Credential::Basic { .. } if scheme.eq_ignore_ascii_case(b"basic") => {
            match LENIENT.decode(shown) {
                Ok(shown) => shown,
                Err(_) => return false,
            }
        }
        Credential::Bearer(_) | Credential::Basic { .. } => return false,
    };
    // Tags are compared, not texts: the time tells nothing about either text, nor about its length.
    let expected = credential.expected();
    let tag = hmac_sha256(&expected, &[expected.expose()]).finalize();
    hmac_sha256(&expected, &[&shown])
        .verify(&tag.into_bytes())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_credential_is_taken() {
        let bearer = Credential::Bearer(Secret::new("tok"));
        let basic = Credential::Basic {
            user: "u".into(),
            password: Secret::new("p:w"),
        };
        let table: [(&Credential, &[u8], bool); 20] = [
            (&bearer, b"Bearer tok", true),
            (&bearer, b"bearer  tok ", true),
            (&bearer, b"BEARER tok", true),
            (&bearer, b"Bearer to", false),
            (&bearer, b"Bearer tokk", false),
            (&bearer, b"Bearer Tok", false),
            (&bearer, b"Bearer", false),
            (&bearer, b"Bearer ", false),
            (&bearer, b"Basic tok", false),
            (&bearer, b"tok", false),
            (&bearer, b"", false),
            (&bearer, b"Bearer \xff", false),
            (&basic, b"Basic dTpwOnc=", true),
            (&basic, b"basic dTpwOnc", true),
            (&basic, b"Basic dTpw", false),
            (&basic, b"Basic dTpwOnd3", false),
            (&basic, b"Basic u:p:w", false),
            (&basic, b"Basic !!!", false),
            (&basic, b"Bearer u:p:w", false),
            (&basic, b"Basic", false),
        ];
        for (credential, header, expected) in table {
            let shown = String::from_utf8_lossy(header);
            assert_eq!(check(credential, header), expected, "{shown}");
        }
    }
}
