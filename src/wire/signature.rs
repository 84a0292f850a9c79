//! The signature that Intuit puts on a notification (`intuit-signature`).
//!
//! Standard padded base64 of HMAC-SHA256 over the raw body; the key is the verifier token's text,
//! whatever it looks like. Source: Intuit's webhooks documentation. Called by the server before
//! anything of the body is parsed. Nothing but the body is signed, so a valid signature says nothing
//! about time or headers.

use super::digest::hmac_sha256;
use crate::model::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

/// A verifier token of an Intuit app environment, under the name that goes into the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verifier {
    /// The configured name.
    pub name: String,
    /// The token as Intuit's portal shows it. An empty one verifies nothing, because anybody could
    /// sign with it.
    pub token: Secret,
}

/// Why a delivery is not taken as Intuit's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadSignature {
    /// There is no signature header; probably not Intuit at all.
    #[error("no intuit-signature header")]
    Missing,
    /// The header is not the base64 of 32 bytes; probably a foreign or broken sender.
    #[error("intuit-signature is not the base64 of 32 bytes")]
    Malformed,
    /// No configured token made this signature; look whether the token was changed in the portal.
    #[error("intuit-signature fits none of the configured verifier tokens")]
    Wrong,
}

/// The name of the first verifier whose token signed `body`; compared in constant time.
///
/// # Errors
/// [`BadSignature`], when none did.
pub fn verify<'a>(
    verifiers: &'a [Verifier],
    body: &[u8],
    header: Option<&[u8]>,
) -> Result<&'a str, BadSignature> {
    let header = header.ok_or(BadSignature::Missing)?;
    let tag = tag(header).ok_or(BadSignature::Malformed)?;
    let mut matched = None;
    // Every token is tried, so that the time does not tell which one matched.
    for verifier in verifiers {
        let mac = hmac_sha256(&verifier.token, &[body]);
        if mac.verify_slice(&tag).is_ok() && !verifier.token.expose().is_empty() {
            matched = matched.or(Some(verifier.name.as_str()));
        }
    }
    matched.ok_or(BadSignature::Wrong)
}

/// Whether a header can be a signature at all, of whatever body.
pub fn is_plausible(header: &[u8]) -> bool {
    tag(header).is_some()
}

fn tag(header: &[u8]) -> Option<Vec<u8>> {
    let tag = STANDARD.decode(header).ok();
    tag.filter(|tag| tag.len() == 32)
}

/// The header that Intuit would send with `body`: for acting as Intuit towards a relay.
pub fn sign(token: &Secret, body: &[u8]) -> String {
    STANDARD.encode(hmac_sha256(token, &[body]).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAVA_SDK: (&str, &[u8], &str) = (
        "b5771f19b12ddb4bcdb9f08bdc50bc63878a",
        include_bytes!("../../tests/data/legacy-customer-created.json"),
        "JC2GUwciPmRBwEO7WvrRmKqu9tGOKL8FFallocTFi8Q=",
    );
    const LOAD_SCRIPT_TOKEN: &str = "d691402a-9b97-4836-9989-938628cc2927";
    const CLOUD_EVENT: &[u8] = include_bytes!("../../tests/data/cloudevents-account-created.json");
    const CLOUD_EVENT_SIGNATURE: &str = "9cBUL+2C9rhwzQiIidim7Etetwn1YTzsklwus7FHhtA=";

    fn verifiers(tokens: &[&str]) -> Vec<Verifier> {
        tokens
            .iter()
            .map(|token| Verifier {
                name: format!("of {token}"),
                token: Secret::new(*token),
            })
            .collect()
    }

    fn judge(token: &str, body: &[u8], header: &str) -> Result<(), BadSignature> {
        verify(&verifiers(&[token]), body, Some(header.as_bytes())).map(drop)
    }

    #[test]
    fn the_published_triples_verify() {
        assert_eq!(JAVA_SDK.1.len(), 173);
        assert_eq!(CLOUD_EVENT.len(), 300);
        assert_eq!(judge(JAVA_SDK.0, JAVA_SDK.1, JAVA_SDK.2), Ok(()));
        let python = "nfPLN16u3vMvv08ghDs+dOkLuirEVDy5wAeG/lmM2OA=";
        assert_eq!(judge("verify_me", br#"{"stuff":"5"}"#, python), Ok(()));
        assert_eq!(
            judge(LOAD_SCRIPT_TOKEN, CLOUD_EVENT, CLOUD_EVENT_SIGNATURE),
            Ok(())
        );
        let empty = "NuvoYgLLk9O7mriDJ3NIky2jtPfQiWQXNuoH5OqfVsE=";
        assert_eq!(judge(LOAD_SCRIPT_TOKEN, b"", empty), Ok(()));
    }

    #[test]
    fn the_token_is_text_and_not_decoded_as_hexadecimal() {
        let of_hex = "JZFdjiZA1oev7q99NV0AcaK9SWGkt7MApbqv+ggl+DU=";
        assert_eq!(
            judge(JAVA_SDK.0, JAVA_SDK.1, of_hex),
            Err(BadSignature::Wrong)
        );
    }

    #[test]
    fn the_same_json_indented_has_another_signature() {
        let indented = include_bytes!("../../tests/data/cloudevents-account-created-indented.json");
        assert_eq!(indented.len(), 361);
        assert_eq!(
            judge(LOAD_SCRIPT_TOKEN, indented, CLOUD_EVENT_SIGNATURE),
            Err(BadSignature::Wrong)
        );
        let own = "uwMn4j9idMmwGYIohlSFpqlMlBiDbIX3XvKjMdahNaQ=";
        assert_eq!(judge(LOAD_SCRIPT_TOKEN, indented, own), Ok(()));
    }

    #[test]
    fn any_changed_byte_of_the_body_is_noticed() {
        for at in 0..CLOUD_EVENT.len() {
            let mut body = CLOUD_EVENT.to_vec();
            body[at] ^= 1;
            assert_eq!(
                judge(LOAD_SCRIPT_TOKEN, &body, CLOUD_EVENT_SIGNATURE),
                Err(BadSignature::Wrong)
            );
        }
    }

    #[test]
    fn base64_is_taken_strictly() {
        let malformed = [
            "",
            "=",
            "9cBUL+2C9rhwzQiIidim7Etetwn1YTzsklwus7FHhtA",
            "9cBUL-2C9rhwzQiIidim7Etetwn1YTzsklwus7FHhtA=",
            " 9cBUL+2C9rhwzQiIidim7Etetwn1YTzsklwus7FHhtA=",
            "9cBUL+2C9rhwzQiIidim7Etetwn1YTzsklwus7FHhtA=\n",
            // The same 32 bytes with other spare bits in the last digit.
            "9cBUL+2C9rhwzQiIidim7Etetwn1YTzsklwus7FHhtB=",
            "sha256=9cBUL+2C9rhwzQiIidim7Etetwn1YTzsklwus7FHhtA=",
            "f5c0542fed82f6b870cd088889d8a6ec4b5eb709f5613cec925c2eb3b14786d0",
            "9cBUL+2C",
        ];
        for header in malformed {
            assert_eq!(
                judge(LOAD_SCRIPT_TOKEN, CLOUD_EVENT, header),
                Err(BadSignature::Malformed),
                "{header:?}"
            );
        }
        let upper_case = CLOUD_EVENT_SIGNATURE.to_ascii_uppercase();
        assert!(judge(LOAD_SCRIPT_TOKEN, CLOUD_EVENT, &upper_case).is_err());
    }

    #[test]
    fn every_verifier_is_tried_and_the_first_that_matches_is_named() {
        let all = verifiers(&["old", JAVA_SDK.0, "new", JAVA_SDK.0]);
        let name = verify(&all, JAVA_SDK.1, Some(JAVA_SDK.2.as_bytes()));
        assert_eq!(name, Ok("of b5771f19b12ddb4bcdb9f08bdc50bc63878a"));
    }

    #[test]
    fn without_a_header_or_a_token_nothing_is_authentic() {
        let all = verifiers(&[JAVA_SDK.0]);
        assert_eq!(verify(&all, b"", None), Err(BadSignature::Missing));
        let header = Some(JAVA_SDK.2.as_bytes());
        assert_eq!(verify(&[], JAVA_SDK.1, header), Err(BadSignature::Wrong));
        let tag = hmac_sha256(&Secret::new(""), &[b"body"]).finalize();
        let of_empty_token = STANDARD.encode(tag.into_bytes());
        assert_eq!(
            judge("", b"body", &of_empty_token),
            Err(BadSignature::Wrong)
        );
    }
}
