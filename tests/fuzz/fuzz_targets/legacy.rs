//! Bodies of Intuit's form before 2026, and any other object.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use qbo_relay_fuzz::{explain, wire};

fuzz_target!(|body: &[u8]| -> Corpus {
    if body.first() == Some(&b'[') {
        return Corpus::Reject;
    }
    explain(body, &wire::decode(body, 16));
    Corpus::Keep
});
