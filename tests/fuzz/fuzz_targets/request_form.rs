//! Requests of clients that do not sign, in a form or a query string.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::model::Encoding;
use qbo_relay_fuzz::request;
use qbo_relay_fuzz::wire::servicestack::form;

fuzz_target!(|text: &str| {
    request::explain(text, Encoding::Form, |text, bounds| {
        form::read(text, bounds)
    });
});
