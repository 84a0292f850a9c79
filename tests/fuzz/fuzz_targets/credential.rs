//! The `Authorization` header of a client that does not sign: accepted only where it shows the
//! credential.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::model::Secret;
use qbo_relay_fuzz::wire::credential::{Credential, check};

fuzz_target!(|header: &[u8]| {
    let bearer = Credential::Bearer(Secret::new("tok"));
    let basic = Credential::Basic {
        user: "u".into(),
        password: Secret::new("p"),
    };
    let text = String::from_utf8_lossy(header);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let shows = |scheme: &str, credential: &str| {
        words.len() == 2 && words[0].eq_ignore_ascii_case(scheme) && words[1] == credential
    };
    assert!(!check(&bearer, header) || shows("bearer", "tok"));
    // The base64 of `u:p`, which needs no padding.
    assert!(!check(&basic, header) || shows("basic", "dTpw"));
});
