//! Payloads as Intuit publishes them, and payloads as nobody should send them.

use super::*;
use crate::model::{Notification, Operation};
use proptest::prelude::*;

const ACCOUNT: &[u8] = include_bytes!("../../../tests/data/cloudevents-account-created.json");
const CLASS: &[u8] = include_bytes!("../../../tests/data/cloudevents-class-created.json");
const MERGED: &[u8] = include_bytes!("../../../tests/data/cloudevents-customer-merged.json");
const THIN: &[u8] = include_bytes!("../../../tests/data/cloudevents-salesreceipt-updated.json");
const LEGACY: &[u8] = include_bytes!("../../../tests/data/legacy-create-and-merge.json");

fn notifications(body: impl AsRef<[u8]>) -> Vec<Notification> {
    decode(body.as_ref(), 100)
        .items
        .into_iter()
        .map(|item| match item {
            Item::Notification(notification) => notification,
            Item::Unreadable(unreadable) => panic!("{unreadable:?}"),
        })
        .collect()
}

fn only(body: impl AsRef<[u8]>) -> Notification {
    let mut all = notifications(body);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// One line an item: the record, or the place of the fault and the cause.
fn outline(body: impl AsRef<[u8]>, items_max: usize) -> Vec<String> {
    decode(body.as_ref(), items_max)
        .items
        .iter()
        .map(|item| match item {
            Item::Notification(n) => format!("{} {} {}", n.realm, n.entity, n.operation.as_str()),
            Item::Unreadable(unreadable) => format!("{}: {}", unreadable.at, unreadable.why),
        })
        .collect()
}

/// A CloudEvent with the fields in `more` instead of the usual ones.
fn event(more: &str) -> String {
    let usual = [
        ("id", r#""e-1""#),
        ("source", r#""intuit.x=""#),
        ("type", r#""qbo.invoice.updated.v1""#),
        ("time", r#""2026-01-02T03:04:05Z""#),
        ("intuitentityid", r#""7""#),
        ("intuitaccountid", r#""310687""#),
    ];
    let fields: Vec<String> = usual
        .iter()
        .filter(|(name, _)| !more.contains(&format!("\"{name}\":")))
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .chain((!more.is_empty()).then(|| more.to_owned()))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn legacy(entity: &str) -> String {
    format!(
        r#"{{"eventNotifications":[{{"realmId":"1","dataChangeEvent":{{"entities":[{entity}]}}}}]}}"#
    )
}

#[test]
fn the_announced_cloud_event_is_understood_in_full() {
    let decoded = decode(ACCOUNT, 100);
    assert_eq!(decoded.form, Some(Form::CloudEvents));
    let account = only(ACCOUNT);
    assert_eq!(account.realm.as_str(), "310687");
    assert_eq!(account.entity.to_string(), "Account/1234");
    assert_eq!(account.operation, Operation::Create);
    assert_eq!(account.happened.text, "2025-09-10T21:31:25.179851517Z");
    assert_eq!(
        account.happened.at.unwrap().to_string(),
        "2025-09-10T21:31:25.179Z"
    );
    assert_eq!(account.event_type, "qbo.account.created.v1");
    let id = "88cd52aa-33b6-4351-9aa4-47572edbd068";
    assert_eq!(account.sender_id.as_deref(), Some(id));
    assert_eq!((account.data, account.deleted_id), (None, None));
}

#[test]
fn the_other_published_cloud_events_are_understood() {
    let class = only(CLASS);
    assert_eq!(class.entity.to_string(), "Class/1234");
    let data = class.data.unwrap();
    assert!(
        data.starts_with(r#"{"alternative_ids":[{"id":"djQ"#),
        "{data}"
    );
    let merged = only(MERGED);
    assert_eq!(merged.operation, Operation::Merge);
    assert_eq!(merged.deleted_id.as_deref(), Some("27"));
    assert_eq!(merged.data.as_deref(), Some(r#"{"deletedid":"27"}"#));
    let thin = only(THIN);
    assert_eq!(thin.entity.to_string(), "SalesReceipt/150");
    assert_eq!((thin.operation, thin.data), (Operation::Update, None));
}

#[test]
fn the_published_legacy_form_is_understood() {
    assert_eq!(decode(LEGACY, 100).form, Some(Form::Legacy));
    let [create, merge] = notifications(LEGACY).try_into().unwrap();
    assert_eq!(create.realm.as_str(), "1185883450");
    assert_eq!(create.entity.to_string(), "Customer/1");
    assert_eq!(create.event_type, "qbo.customer.created.v1");
    assert_eq!(create.happened.text, "2015-10-05T14:42:19-0700");
    assert!(create.happened.at.is_some());
    assert_eq!((create.sender_id, create.data), (None, None));
    assert_eq!(merge.operation, Operation::Merge);
    assert_eq!(merge.deleted_id.as_deref(), Some("27"));
}

#[test]
fn intuits_verbs_are_known_and_others_are_kept_verbatim() {
    for (verb, operation) in [
        ("void", Operation::Void),
        ("voided", Operation::Void),
        ("emailed", Operation::Emailed),
        ("frobbed", Operation::Other("frobbed".into())),
    ] {
        let event_type = format!("qbo.invoice.{verb}.v1");
        let invoice = only(event(&format!(r#""type":"{event_type}""#)));
        assert_eq!(invoice.operation, operation);
        assert_eq!(invoice.event_type, event_type);
    }
    let void = only(legacy(r#"{"name":"Invoice","id":"1","operation":"Void"}"#));
    assert_eq!(void.event_type, "qbo.invoice.void.v1");
    let odd = only(legacy(r#"{"name":"Gadget","id":"1","operation":"Frob"}"#));
    assert_eq!(odd.event_type, "qbo.gadget.frob.v1");
    assert_eq!(odd.operation, Operation::Other("Frob".into()));
}

#[test]
fn unknown_kinds_are_relayed_and_foreign_namespaces_are_not_mixed_up() {
    let of_type = |text: &str| only(event(&format!(r#""type":"{text}""#))).entity.kind;
    assert_eq!(of_type("qbo.salesreceipt.created.v1"), "SalesReceipt");
    assert_eq!(of_type("qbo.gadget.created.v1"), "gadget");
    assert_eq!(of_type("payroll.employee.created.v12"), "employee");
    assert_eq!(of_type("com.intuit.qbo.employee.created.v1"), "employee");
}

#[test]
fn ids_stay_the_text_that_they_were() {
    let employee = only(event(
        r#""id":"0-PayrollEmployee-000000011","intuitentityid":"000000011""#,
    ));
    assert_eq!(employee.entity.id, "000000011");
    let numbers = only(event(
        r#""id":12,"intuitentityid":9341455000000000000001,"intuitaccountid":1e3"#,
    ));
    assert_eq!(numbers.entity.id, "9341455000000000000001");
    assert_eq!(numbers.realm.as_str(), "1e3");
    assert_eq!(numbers.sender_id.as_deref(), Some("12"));
    let long = "x".repeat(300);
    let entity = only(event(&format!(r#""intuitentityid":"{long}""#))).entity;
    assert_eq!(entity.id, long);
}

#[test]
fn data_is_kept_verbatim_unless_it_says_nothing() {
    let data = |text: &str| only(event(&format!(r#""data":{text}"#))).data;
    for nothing in ["null", "{}", "{ \n }"] {
        assert_eq!(data(nothing), None, "{nothing}");
    }
    for text in [
        r#"{ "b" : 1.50, "a" : "\u0041" }"#,
        "[1, 2]",
        r#""text""#,
        "0",
        "false",
    ] {
        assert_eq!(data(text).as_deref(), Some(text));
    }
}

#[test]
fn the_merged_away_id_is_found_in_any_spelling() {
    for key in ["deletedId", "deletedID", "deletedid"] {
        let entity = format!(r#"{{"name":"Vendor","id":"46","operation":"Merge","{key}":"027"}}"#);
        assert_eq!(only(legacy(&entity)).deleted_id.as_deref(), Some("027"));
        let merged = only(event(&format!(r#""data":{{"{key}":27}}"#)));
        assert_eq!(merged.deleted_id.as_deref(), Some("27"));
    }
}

#[test]
fn a_missing_time_does_not_cost_the_change() {
    let entity = only(legacy(r#"{"name":"Term","id":"3","operation":"Update"}"#));
    assert_eq!(
        (entity.happened.text.as_str(), entity.happened.at),
        ("", None)
    );
    let odd = only(event(r#""time":"soon""#));
    assert_eq!(
        (odd.happened.text.as_str(), odd.happened.at),
        ("soon", None)
    );
    let epoch = only(event(r#""time":1444081339000"#));
    assert!(epoch.happened.at.is_some());
}

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
        (
            &event(r#""data":{"x":"\udfff"}"#),
            ".data: lone leading surrogate in hex escape",
        ),
        (&event(r#""data":1e999"#), ".data: number out of range"),
        (
            &event(r#""data":{"deletedid":[]}"#),
            ".data.deletedid: expected a string, found an array",
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
fn several_companies_in_one_body_keep_their_order() {
    let events: Vec<String> = ["3", "1", "3", "2"]
        .iter()
        .map(|realm| event(&format!(r#""intuitaccountid":"{realm}""#)))
        .collect();
    let realms: Vec<String> = notifications(format!("[{}]", events.join(",")))
        .into_iter()
        .map(|notification| notification.realm.to_string())
        .collect();
    assert_eq!(realms, ["3", "1", "3", "2"]);
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
fn a_byte_order_mark_and_a_missing_array_are_tolerated() {
    let marked = [b"\xef\xbb\xbf".as_slice(), ACCOUNT].concat();
    assert_eq!(notifications(&marked), notifications(ACCOUNT));
    let decoded = decode(event("").as_bytes(), 9);
    assert_eq!(decoded.form, Some(Form::CloudEvents));
    assert_eq!(outline(event(""), 9), ["310687 Invoice/7 Update"]);
    let without_id = event(r#""id":null"#);
    assert_eq!(outline(without_id, 9), ["id: missing"]);
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
fn of_two_equal_keys_the_last_counts() {
    let twice = only(event(
        r#""id":"e-1","id":"e-2","intuitentityid":"1","intuitentityid":"2""#,
    ));
    assert_eq!(twice.entity.id, "2");
    assert_eq!(twice.sender_id.as_deref(), Some("e-2"));
}

#[test]
fn a_hundred_entries_and_more_are_all_there() {
    let many = vec![event(""); 250].join(",");
    assert_eq!(outline(format!("[{many}]"), 10_000).len(), 250);
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
    assert_eq!(deep(1 << 20), ["[0].data: recursion limit exceeded", good]);
    let unclosed = "[".repeat(1 << 20);
    assert_eq!(decode(unclosed.as_bytes(), 9).items.len(), 1);
}

#[test]
fn repeats_have_the_same_identity_and_other_content_is_noticed() {
    let judge = |body: String| {
        let notification = only(body);
        (notification.identity, notification.content)
    };
    let first = judge(event(""));
    assert_eq!(judge(event("")), first);
    let other_data = judge(event(r#""data":{"x":1}"#));
    assert_eq!(other_data.0, first.0);
    assert_ne!(other_data.1, first.1);
    assert_ne!(judge(event(r#""id":"e-2""#)).0, first.0);
    assert_ne!(judge(event(r#""source":"intuit.y=""#)).0, first.0);
    let at = |time: &str| {
        let entity = r#"{"name":"Bill","id":"9","operation":"Update","lastUpdated":"AT"}"#;
        judge(legacy(&entity.replace("AT", time))).0
    };
    assert_eq!(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    assert_ne!(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:01Z"));
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

/// A real payload with bytes changed, removed or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        Just(ACCOUNT),
        Just(CLASS),
        Just(MERGED),
        Just(THIN),
        Just(LEGACY)
    ];
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 0..6);
    (body, edits).prop_map(|(body, edits)| {
        let mut body = body.to_vec();
        for (index, edit, byte) in edits {
            let at = index.index(body.len());
            match edit {
                0 => body[at] = byte,
                1 => drop(body.remove(at)),
                _ => body.truncate(at.max(1)),
            }
        }
        body
    })
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
    fn mutated_payloads_are_explained(body in mutated()) {
        explain(&body, 10)?;
    }
}
