//! Requests of clients that do not sign, in CSV.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::model::Encoding;
use qbo_relay_fuzz::request;
use qbo_relay_fuzz::wire::servicestack::csv;

fuzz_target!(|text: &str| {
    request::explain(text, Encoding::Csv, |text, bounds| csv::read(text, bounds));
});
