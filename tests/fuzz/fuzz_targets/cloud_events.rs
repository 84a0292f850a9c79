//! Bodies of Intuit's present form: an array of CloudEvents.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use qbo_relay_fuzz::{explained, wire};

fuzz_target!(|body: &[u8]| -> Corpus {
    if body.first() != Some(&b'[') {
        return Corpus::Reject;
    }
    explained::signed(body, &wire::decode(body, 16));
    Corpus::Keep
});
