//! Dates as senders write them, Intuit and the original's clients: a text is an instant that can be
//! written and read again, or none, and the two readers never disagree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::explained;
use qbo_relay_fuzz::wire::instant;
use qbo_relay_fuzz::wire::servicestack::value::{self, Unfit};

fuzz_target!(|text: &str| {
    let of_intuit = instant::parse(text);
    if let Some(at) = of_intuit {
        assert_eq!(instant::parse(&at.to_string()), Some(at), "{text:?}");
    }
    match value::date(text) {
        Ok(read) => {
            assert_eq!(read.text, text);
            if let Some(at) = read.at {
                assert!(of_intuit.is_none_or(|same| same == at), "{text:?}");
                let again = value::date(&at.to_string()).map(|read| read.at);
                assert_eq!(again, Ok(Some(at)), "{text:?}");
            }
        }
        Err(Unfit(why)) => {
            assert_eq!(of_intuit, None, "{text:?}");
            explained::complaint("lastUpdated", &why);
        }
    }
});
