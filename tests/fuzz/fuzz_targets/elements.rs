//! Calls of the Open Connectors interface: each is refused with a reason, or what it says can be kept
//! and comes back as it was shown.
//!
//! The lines of the input are: method, path, query, `Authorization`; the rest is a body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::model::Secret;
use qbo_relay_fuzz::wire::elements::call::{self, Request};
use qbo_relay_fuzz::wire::elements::{Call, Draft, Kept, authorization, kept};

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(5, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (method, path, query, header, body) = (next(), next(), next(), next(), next());
    if let Err(wrong) = authorization::parse(header.as_bytes()) {
        assert_eq!(wrong.status, 401);
    }
    let read = call::parse(&Request {
        method,
        path,
        query: Some(query),
        content_type: None,
        body: body.as_bytes(),
    });
    match read {
        Ok(Call::Create(draft) | Call::Replace(_, draft)) => explain(*draft),
        Ok(_) => {}
        Err(wrong) => {
            assert!([400, 404, 405].contains(&wrong.status));
            assert_eq!(wrong.allow.is_some(), wrong.status == 405);
            assert!(!wrong.message.is_empty());
        }
    }
});

fn explain(draft: Draft) {
    if let Err(wrong) = draft.configuration.terms() {
        assert!(wrong.status == 400 && wrong.message.contains(": "));
    }
    let given = Kept {
        token: Secret::new("token"),
        configuration: draft.configuration,
        external_authentication: draft.external_authentication,
        trace_logging: false,
        keys_tried: true,
    };
    let plain = kept::encode(&given);
    assert_eq!(kept::decode(plain.expose()), Some(given));
}
