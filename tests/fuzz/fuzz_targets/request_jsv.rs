//! Requests of clients that do not sign, in JSV.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::model::Encoding;
use qbo_relay_fuzz::request;
use qbo_relay_fuzz::wire::servicestack::jsv;

fuzz_target!(|text: &str| request::explain(text, Encoding::Jsv, jsv::read));
