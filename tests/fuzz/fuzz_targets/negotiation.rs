//! Paths, queries and headers: every request is answered in one format, and what is echoed of it does
//! no harm there.
//!
//! The lines of the input are: path, query, `Accept`, `Content-Type`; the rest is a body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qbo_relay_fuzz::wire::servicestack::answer::{self, Fault};
use qbo_relay_fuzz::wire::servicestack::format::{Answering, Asked, Format, negotiate};
use qbo_relay_fuzz::wire::servicestack::route::{self, Route};
use qbo_relay_fuzz::wire::servicestack::{Malformed, encoding};

const OWN: [&str; 2] = ["/qbowebhook", "/webhooks"];

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(5, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (path, query, accept, content_type, body) = (next(), next(), next(), next(), next());
    let (suffix, of_path) = match route::find(path, &OWN.into_iter()) {
        Some(Route::Own { path, suffix, .. }) => {
            assert!(OWN.contains(&path));
            (suffix, None)
        }
        Some(Route::Predefined { suffix, path, .. }) => (suffix, Some(path)),
        Some(Route::Unknown { operation, path }) => {
            let fault = Fault::unknown_operation(&operation);
            can_be_read(&in_format(path), &fault);
            (None, Some(path))
        }
        Some(Route::Index) | None => (None, None),
    };
    let asked = Asked {
        suffix,
        query,
        path: of_path,
        accept: (!accept.is_empty()).then_some(accept),
        content_type: (!content_type.is_empty()).then_some(content_type),
    };
    let answering = negotiate(&asked);
    if let Some(name) = &answering.callback {
        let harmless = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        assert!(!name.is_empty() && name.len() <= 128 && name.chars().all(harmless));
        assert_eq!(answering.format, Format::Json);
    }
    if suffix.is_some() {
        assert_eq!(Some(answering.format), suffix);
    }
    encoding(asked.content_type, body.as_bytes());
    let malformed = Malformed {
        at: path.into(),
        why: body.into(),
    };
    can_be_read(&answering, &Fault::of_body(content_type, &malformed));
});

fn in_format(format: Format) -> Answering {
    Answering {
        format,
        callback: None,
    }
}

/// Whatever is in the fault, the answer is well-formed.
fn can_be_read(answering: &Answering, fault: &Fault) {
    let body = answer::error(answering, fault);
    let json = match &answering.callback {
        Some(name) => {
            let called = body.text.strip_prefix(&format!("{name}("));
            called
                .and_then(|text| text.strip_suffix(')'))
                .map(str::to_owned)
        }
        None => (answering.format == Format::Json).then(|| body.text.clone()),
    };
    if let Some(json) = json {
        let read: serde_json::Value = serde_json::from_str(&json).expect("the error is JSON");
        assert_eq!(read["responseStatus"]["errorCode"], fault.code);
        assert_eq!(read["responseStatus"]["message"], fault.message.as_str());
    }
    if answering.format == Format::Xml {
        let mut reader = quick_xml::Reader::from_str(&body.text);
        while reader.read_event().expect("the error is XML") != quick_xml::events::Event::Eof {}
    }
}
