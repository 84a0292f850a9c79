//! Payloads as nobody should send them: what is wrong is named, and nothing else suffers.

use super::tests::{ACCOUNT, CLASS, LEGACY, MERGED, THIN, event, legacy, outline};
use super::*;
use crate::wire::mutated::mutated;
use proptest::prelude::*;

#[test]
fn one_bad_event_never_spoils_the_others() {
    let good = event("");
    let bad = [
        ("7", ": expected an object"),
        ("{}", ".type: missing"),
        (
            r#"{"type":"invoice"}"#,
            ".type: expected namespace.entity.verb.vN",
        ),
        (
            r#"{"type":"qbo.invoice.updated"}"#,
            ".type: expected namespace.entity.verb.vN",
        ),
        (
            r#"{"type":"qbo..updated.v1"}"#,
            ".type: expected namespace.entity.verb.vN",
        ),
        (
            r#"{"type":"qbo.invoice.updated.v"}"#,
            ".type: expected namespace.entity.verb.vN",
        ),
        (r#"{"type":21}"#, ".type: expected a string, found a number"),
        (
            r#"{"type":["x"]}"#,
            ".type: expected a string, found an array",
        ),
        (
            &event(r#""intuitaccountid":null"#),
            ".intuitaccountid: missing",
        ),
        (&event(r#""intuitaccountid":"""#), ".intuitaccountid: empty"),
        (
            &event(r#""intuitaccountid":"a\u0000b""#),
            ".intuitaccountid: has control characters",
        ),
        (&event(r#""intuitentityid":"""#), ".intuitentityid: empty"),
        (
            &event(r#""intuitentityid":true"#),
            ".intuitentityid: expected a string, found a truth value",
        ),
        (&event(r#""id":"""#), ".id: empty"),
        (
            &event(r#""id":{}"#),
            ".id: expected a string, found an object",
        ),
        (
            &event(r#""id":"\ud800""#),
            ".id: expected a string, found a string with half of a surrogate pair",
        ),
    ];
    for (bad, fault) in bad {
        let found = outline(format!("[{good},{bad},{good}]"), 100);
        let expected = [
            "310687 Invoice/7 Update".to_owned(),
            format!("[1]{fault}"),
            "310687 Invoice/7 Update".to_owned(),
        ];
        assert_eq!(found, expected, "{bad}");
    }
}

#[test]
fn one_bad_legacy_entity_or_company_never_spoils_the_others() {
    let good = r#"{"name":"Bill","id":"9","operation":"Delete","lastUpdated":"x"}"#;
    let company = |entities: &str| {
        format!(r#"{{"realmId":"2","dataChangeEvent":{{"entities":[{entities}]}}}}"#)
    };
    let body = [
        company(&format!(
            r#"{good},{{"name":21,"id":"1","operation":"Create"}},{good}"#
        )),
        r#"{"dataChangeEvent":{"entities":[]}}"#.to_owned(),
        r#"{"realmId":"3"}"#.to_owned(),
        company(r#"{"name":"Bill","operation":"Delete"},{"name":"Bill","id":"1"}"#),
        company(""),
        "null".to_owned(),
        company(good),
    ];
    let found = outline(
        format!(r#"{{"eventNotifications":[{}]}}"#, body.join(",")),
        100,
    );
    assert_eq!(
        found,
        [
            "2 Bill/9 Delete",
            "eventNotifications[0].dataChangeEvent.entities[1].name: expected a string, found a number",
            "2 Bill/9 Delete",
            "eventNotifications[1].realmId: missing",
            "eventNotifications[2].dataChangeEvent: missing",
            "eventNotifications[3].dataChangeEvent.entities[0].id: missing",
            "eventNotifications[3].dataChangeEvent.entities[1].operation: missing",
            "eventNotifications[4].dataChangeEvent.entities: empty: nothing was notified",
            "eventNotifications[5]: expected an object",
            "2 Bill/9 Delete",
        ]
    );
}

#[test]
fn what_is_not_json_is_told_by_line_and_column() {
    let table = [
        ("", None, "body: empty: nothing was notified"),
        (" \n", None, "body: empty: nothing was notified"),
        (
            "[]",
            Some(Form::CloudEvents),
            "body: empty: nothing was notified",
        ),
        ("{}", None, "body: empty: nothing was notified"),
        (
            r#"{"eventNotifications":[]}"#,
            Some(Form::Legacy),
            "body: empty: nothing was notified",
        ),
        (
            r#"{"eventNotifications":null}"#,
            Some(Form::Legacy),
            "eventNotifications: expected an array",
        ),
        ("null", None, "body: neither an array nor an object"),
        ("<a/>", None, "body: neither an array nor an object"),
        (
            r#"{"stuff":"5"}"#,
            None,
            "body: neither an array of CloudEvents nor an object with eventNotifications",
        ),
        (
            "{\"eventNotifications\":\n  [",
            None,
            "line 2 column 3: not JSON: EOF while parsing a list",
        ),
        (
            "{\n\"a\" 1}",
            None,
            "line 2 column 5: not JSON: expected `:`",
        ),
    ];
    for (body, form, fault) in table {
        assert_eq!(decode(body.as_bytes(), 9).form, form, "{body}");
        assert_eq!(outline(body, 9), [fault], "{body}");
    }
}

#[test]
fn entries_before_a_break_are_understood() {
    let good = event("");
    let found = outline(format!("[{good},\n{good},{{\"id\":"), 100);
    assert_eq!(found.len(), 3);
    assert!(found[2].starts_with("line 2 column "), "{}", found[2]);
    let junk = outline(format!("[{good}]\n]"), 100);
    assert_eq!(junk[1], "line 2 column 1: not JSON: trailing characters");
}

#[test]
fn bytes_that_are_not_utf_8_cost_only_their_entry() {
    let good = event("");
    let bad = |byte: u8| {
        let mut entry = event(r#""intuitentityid":"?""#).into_bytes();
        let at = entry.iter().position(|b| *b == b'?').unwrap();
        entry[at] = byte;
        entry
    };
    let body = |byte| [b"[", good.as_bytes(), b",", &bad(byte), b"]"].concat();
    assert_eq!(
        outline(body(0xff), 9),
        ["310687 Invoice/7 Update", "[1]: not UTF-8"]
    );
    let identity = |byte| decode(&body(byte), 9).items[1].identity();
    assert_ne!(identity(0xff), identity(0xfe));
    assert_eq!(identity(0xff), identity(0xff));
    let realm =
        b"{\"eventNotifications\":[{\"realmId\":\"\xff\",\"dataChangeEvent\":{\"entities\":[]}}]}";
    assert_eq!(
        outline(realm, 9),
        ["eventNotifications[0].realmId: not UTF-8"]
    );
}

#[test]
fn beyond_the_bound_the_rest_is_one_entry_that_says_how_many() {
    let events = vec![event(""); 7].join(",");
    let found = outline(format!("[{events}]"), 4);
    assert_eq!(found.len(), 5);
    assert_eq!(
        found[4],
        "[4]: 3 more entries, too many in one delivery to look at"
    );
    let entity = r#"{"name":"Bill","id":"9","operation":"Delete"}"#;
    let company = format!(
        r#"{{"realmId":"2","dataChangeEvent":{{"entities":[{entity},{entity},{entity}]}}}}"#
    );
    let body = format!(r#"{{"eventNotifications":[{company},{company},{company}]}}"#);
    let found = outline(body, 4);
    assert_eq!(found.len(), 5);
    assert_eq!(
        found[4],
        "eventNotifications[1].dataChangeEvent.entities[1]: 5 more entries, too many in one delivery to look at"
    );
}

#[test]
fn what_cannot_be_read_costs_itself_only() {
    let good = "310687 Invoice/7 Update";
    let deep = format!(r#""data":{}{}"#, "[".repeat(200), "]".repeat(200));
    for (field, fault) in [
        (
            r#""data":{"x":"\udfff"}"#,
            ".data: lone leading surrogate in hex escape",
        ),
        (r#""data":1e999"#, ".data: number out of range"),
        (r#""data":{"a":[1e400]}"#, ".data: number out of range"),
        (deep.as_str(), ".data: recursion limit exceeded"),
        (
            r#""data":{"deletedid":[]}"#,
            ".data.deletedid: expected a string, found an array",
        ),
        (
            r#""time":"\ud800""#,
            ".time: expected a string, found a string with half of a surrogate pair",
        ),
        (
            r#""source":[]"#,
            ".source: expected a string, found an array",
        ),
    ] {
        let found = outline(format!("[{},{}]", event(field), event("")), 9);
        assert_eq!(found, [good, &format!("[0]{fault}"), good], "{field:.60}");
        let single = outline(event(field), 9);
        assert_eq!(single, [good, fault.trim_start_matches('.')], "{field:.60}");
    }
    let entity = |field: &str| {
        format!(
            r#"{{"eventNotifications":[{{"realmId":"310687","dataChangeEvent":{{"entities":[{{"name":"Invoice","id":"7","operation":"Update",{field}}}]}}}}]}}"#
        )
    };
    for field in [
        r#""lastUpdated":"\udc00""#,
        r#""deletedId":{}"#,
        r#""lastUpdated":[1]"#,
    ] {
        let found = outline(entity(field), 9);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], good);
        assert!(found[1].starts_with("eventNotifications[0].dataChangeEvent.entities[0]."));
    }
    // The data is left out, and a deleted id in it; what else is said stays.
    let merge = event(r#""data":{"deletedid":"27","x":1e400}"#);
    let decoded = decode(merge.as_bytes(), 9);
    let Item::Notification(notification) = &decoded.items[0] else {
        panic!("{decoded:?}");
    };
    assert_eq!(
        (&notification.data, &notification.deleted_id),
        (&None, &None)
    );
}

#[test]
fn bad_bytes_in_what_is_optional_cost_no_event() {
    let mut body = event(r#""data":{"memo":"?"}"#).into_bytes();
    let at = body.windows(3).position(|part| part == b"\"?\"").unwrap() + 1;
    body[at] = 0xff;
    let found = outline(&body, 9);
    assert_eq!(found, ["310687 Invoice/7 Update", "data: not UTF-8"]);
}

#[test]
fn depth_is_no_danger_and_is_not_passed_on() {
    let deep = |levels: usize| {
        let data = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        outline(
            format!("[{},{}]", event(&format!(r#""data":{data}"#)), event("")),
            9,
        )
    };
    let good = "310687 Invoice/7 Update";
    assert_eq!(deep(100), [good, good]);
    assert_eq!(
        deep(1 << 20),
        [good, "[0].data: recursion limit exceeded", good]
    );
    let unclosed = "[".repeat(1 << 20);
    assert_eq!(decode(unclosed.as_bytes(), 9).items.len(), 1);
}

#[test]
fn fields_are_bounded_in_length() {
    let with = |field: &str, bytes: usize| {
        let more = format!(r#""{field}":"{}""#, "7".repeat(bytes));
        outline(event(&more), 9).pop().unwrap()
    };
    for field in ["id", "intuitentityid", "time", "source"] {
        assert!(with(field, 1024).starts_with("310687 Invoice/7"), "{field}");
        assert_eq!(
            with(field, 1025),
            format!("{field}: longer than 1024 bytes")
        );
    }
    assert!(with("intuitaccountid", 64).starts_with('7'));
    assert_eq!(
        with("intuitaccountid", 65),
        "intuitaccountid: longer than 64 bytes"
    );
}

/// Text made of the pieces that payloads are made of, in any order.
fn scrambled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("null".to_owned()),
        Just("\"\\ud83d\"".to_owned()),
        Just("\"eventNotifications\":".to_owned()),
        Just("\"dataChangeEvent\":{\"entities\":[".to_owned()),
        Just("\"realmId\":\"1\",".to_owned()),
        Just("\"type\":\"qbo.bill.void.v1\",".to_owned()),
        Just(event("")),
        Just(legacy(r#"{"name":"Bill","id":"9","operation":"Delete"}"#)),
        "[ -~]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// What holds of every body whatever.
fn explain(body: &[u8], items_max: usize) -> Result<(), TestCaseError> {
    let decoded = decode(body, items_max);
    prop_assert!(!decoded.items.is_empty());
    for item in &decoded.items {
        match item {
            Item::Notification(found) => {
                prop_assert!(decoded.form.is_some());
                prop_assert!(!found.realm.as_str().is_empty());
                prop_assert!(!found.entity.kind.is_empty() && !found.entity.id.is_empty());
                prop_assert!(!found.operation.as_str().is_empty());
                prop_assert!(found.event_type.split('.').count() >= 4);
                prop_assert_eq!(found.content, identity::content(found));
            }
            Item::Unreadable(fault) => {
                prop_assert!(!fault.at.is_empty() && !fault.why.is_empty());
                prop_assert!(fault.at.len() + fault.why.len() < 400);
                let printable = |text: &str| !text.chars().any(char::is_control);
                prop_assert!(printable(&fault.at) && printable(&fault.why));
            }
        }
    }
    prop_assert_eq!(decode(body, items_max), decoded);
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        explain(&body, 10)?;
    }

    #[test]
    fn scrambled_payloads_are_explained(body in scrambled(), items_max in 0..6_usize) {
        explain(body.as_bytes(), items_max)?;
    }

    #[test]
    fn mutated_payloads_are_explained(body in mutated(&[ACCOUNT, CLASS, MERGED, THIN, LEGACY])) {
        explain(&body, 10)?;
    }
}
