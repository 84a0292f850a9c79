//! Bodies as nobody should send them: what is wrong is named, and there is an end to everything.

use super::tests::{ENCODINGS, PYTHON, outline};
use super::*;
use proptest::prelude::*;

#[test]
fn hostile_xml_is_refused_with_its_place() {
    let ns = xml::NAMESPACE;
    let root = format!("<QboWebhooksRequest xmlns=\"{ns}\"");
    let other = "line 1 column 1: expected the element QboWebhooksRequest of http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener";
    let table = [
        (
            "<!DOCTYPE a [<!ENTITY x \"y\">]>\n<QboWebhooksRequest>&x;</QboWebhooksRequest>".into(),
            "line 1 column 1: a document type is not allowed",
        ),
        (
            format!("{root}>\n &x;</QboWebhooksRequest>"),
            "line 2 column 2: a reference to an entity that is not XML's own",
        ),
        (
            format!("{root}\n/>{root}/>"),
            "line 2 column 3: an element after the end of the first one",
        ),
        (
            format!("{root}\n/>x"),
            "line 2 column 3: text outside of the first element",
        ),
        (
            format!("{root}\n>"),
            "line 2 column 2: not XML: it breaks off",
        ),
        (
            "<!-- a -->".into(),
            "line 1 column 11: not XML: it breaks off",
        ),
        (
            "<p:QboWebhooksRequest/>".into(),
            "line 1 column 1: a prefix without a namespace",
        ),
        ("<QboWebhooksRequest/>".into(), other),
        ("<QboWebhooksRequest xmlns=\"urn:other\"/>".into(), other),
        (format!("<Envelope xmlns=\"{ns}\"/>"), other),
        (
            format!("{root}\n>{}", "<a>".repeat(100_000)),
            "line 2 column 194: nested too deeply",
        ),
        (
            format!("{root}\n>{}", "<a/>".repeat(100_000)),
            "line 2 column 7422: too many values",
        ),
    ];
    for (body, expected) in table {
        let expected = format!("malformed {expected}");
        assert_eq!(outline(&body, Encoding::Xml), [expected], "{:.60}", body);
    }
    let bindings: String = (0..100_000).map(|n| format!(" xmlns:a{n}=\"u\"")).collect();
    let many = format!("<QboWebhooksRequest{bindings}/>");
    assert!(outline(&many, Encoding::Xml)[0].starts_with("malformed line 1 column 1: not XML: "));
    let long = format!("{root}><{}></a>", "a".repeat(100_000));
    assert!(outline(&long, Encoding::Xml)[0].len() < 300);
    let closed = format!("{root}></a>");
    for body in [&root, &closed, "<a b=", "<", "<a>\u{0}"] {
        let told = &outline(body, Encoding::Xml)[0];
        assert!(told.starts_with("malformed line 1 column "), "{told}");
    }
}

#[test]
fn what_cannot_be_read_is_named_in_every_encoding() {
    let table = [
        (
            "{\n\"a\" 1}",
            Encoding::Json,
            "line 2 column 5: not JSON: expected `:`",
        ),
        (
            "{} x",
            Encoding::Json,
            "line 1 column 4: not JSON: trailing characters",
        ),
        (
            "{a:",
            Encoding::Jsv,
            "line 1 column 4: not JSV: expected `,` or `}`",
        ),
        (
            "a,b\n1,2\n",
            Encoding::Csv,
            "line 1: expected the column eventNotifications, or realmId and dataChangeEvent, or realmId, name, id, operation and lastUpdated",
        ),
        (
            "eventNotifications\n[{\n",
            Encoding::Csv,
            "line 2 column eventNotifications: line 1 column 3: not JSV: expected a name and `:`",
        ),
        (
            "eventNotifications=[{",
            Encoding::Form,
            "eventNotifications: line 1 column 3: not JSV: expected a name and `:`",
        ),
        (
            "eventNotifications=[{\"a",
            Encoding::Form,
            "eventNotifications: line 1 column 4: not JSON: EOF while parsing a string",
        ),
    ];
    for (body, encoding, expected) in table {
        let expected = format!("malformed {expected}");
        assert_eq!(outline(body, encoding), [expected], "{body}");
    }
    for encoding in ENCODINGS {
        let bad = decode(b"{\xff", encoding, Arity::One, &EntityNumbers::default(), 9);
        assert_eq!(bad.unwrap_err().at, "byte 1");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(
        outline(&deep, Encoding::Json),
        ["malformed line 1 column 65: not JSON: nested too deeply"]
    );
}

#[test]
fn there_is_an_end_to_entities() {
    let one = r#"{"name":"Bill","id":"9"}"#;
    let many = |count| {
        let all = vec![one; count].join(",");
        let body = format!(
            r#"{{"eventNotifications":[{{"realmId":"7","dataChangeEvent":{{"entities":[{all}]}}}}]}}"#
        );
        outline(&body, Encoding::Json)
    };
    assert_eq!(many(100).len(), 100);
    assert_eq!(
        many(101),
        [
            "malformed eventNotifications[0].dataChangeEvent.entities[100]: more than 100 entities in one request"
        ]
    );
}

/// Text made of the pieces that requests are made of, in any order.
fn scrambled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"".to_owned()),
        Just("\"\"".to_owned()),
        Just("\n".to_owned()),
        Just("=".to_owned()),
        Just("&".to_owned()),
        Just("%5B%7b".to_owned()),
        Just("null".to_owned()),
        Just("eventNotifications".to_owned()),
        Just("\"dataChangeEvent\":{\"entities\":[".to_owned()),
        Just("realmId".to_owned()),
        Just("name,id".to_owned()),
        Just(format!(
            "<QboWebhooksRequest xmlns=\"{}\"><eventNotifications>",
            xml::NAMESPACE
        )),
        Just("<a:b xmlns:a=\"urn:b\">".to_owned()),
        Just("</a:b>".to_owned()),
        Just("<![CDATA[".to_owned()),
        Just("]]>".to_owned()),
        Just("&#x41;".to_owned()),
        Just(PYTHON.to_owned()),
        "[ -~]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// What holds of every body whatever.
fn explain(body: &[u8]) -> Result<(), TestCaseError> {
    for encoding in ENCODINGS {
        for arity in [Arity::One, Arity::Batch] {
            let numbers = EntityNumbers::default();
            let found = decode(body, encoding, arity, &numbers, 20);
            prop_assert_eq!(&found, &decode(body, encoding, arity, &numbers, 20));
            match found {
                Ok(Understood { items, .. }) => {
                    prop_assert!(!items.is_empty());
                    for item in items {
                        if let Item::Notification(found) = item {
                            prop_assert!(!found.realm.as_str().is_empty());
                            prop_assert!(!found.entity.kind.is_empty());
                            prop_assert!(!found.entity.id.is_empty());
                            prop_assert_eq!(found.event_type.split('.').count(), 4);
                        }
                    }
                }
                Err(Malformed { at, why }) => {
                    prop_assert!(!at.is_empty() && !why.is_empty());
                    prop_assert!(at.len() + why.len() < 500, "{} {}", at, why);
                    prop_assert!(!why.chars().any(char::is_control), "{}", why);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        explain(&body)?;
    }

    #[test]
    fn scrambled_requests_are_explained(body in scrambled()) {
        explain(body.as_bytes())?;
    }
}
