//! Requests of clients that do not sign, in JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::model::Encoding;
use qbo_relay_fuzz::request;
use qbo_relay_fuzz::wire::servicestack::json;

fuzz_target!(|text: &str| request::explain(text, Encoding::Json, json::read));
