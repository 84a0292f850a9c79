//! Dates as senders write them: a text is an instant that can be written and read again, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::wire::instant;

fuzz_target!(|text: &str| {
    if let Some(at) = instant::parse(text) {
        assert_eq!(instant::parse(&at.to_string()), Some(at), "{text:?}");
    }
});
