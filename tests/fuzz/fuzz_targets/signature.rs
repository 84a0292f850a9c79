//! The `intuit-signature` header: whatever it holds, it is accepted only where it is the very
//! header that a configured token makes for this body.
//!
//! The first line of the input is the header, the rest is the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::model::Secret;
use qbo_relay_fuzz::wire::signature::{Verifier, sign, verify};

const TOKENS: [&str; 3] = ["d691402a-9b97-4836-9989-938628cc2927", "verify_me", ""];

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (header, body) = match end {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, &input[..0]),
    };
    let verifiers = TOKENS.map(|token| Verifier {
        name: format!("of {token}"),
        token: Secret::new(token),
    });
    let own = TOKENS.map(|token| sign(&Secret::new(token), body));
    let known = own.iter().take(2).position(|own| own.as_bytes() == header);
    let judged = verify(&verifiers, body, Some(header)).ok();
    assert_eq!(judged, known.map(|at| verifiers[at].name.as_str()));
    for (verifier, own) in verifiers.iter().zip(&own).take(2) {
        let name = verify(&verifiers, body, Some(own.as_bytes()));
        assert_eq!(name, Ok(verifier.name.as_str()));
    }
});
