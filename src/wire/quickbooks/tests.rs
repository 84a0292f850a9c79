//! Answers in every recorded shape, and in a few worse ones.

use super::*;
use crate::model::{Record, RecordState, Timestamp};
use proptest::prelude::*;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/data/quickbooks/", $name))
    };
}

/// `time` of the recorded answers.
const AT: Option<Timestamp> = Some(Timestamp::from_ms(1_601_391_773_512));

fn captured(body: &[u8], kinds: &[&str]) -> CaptureAnswer {
    read_capture(body, kinds).unwrap()
}

fn fault(body: &[u8]) -> Fault {
    Fault::read(body).unwrap()
}

fn named(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| record.entity.to_string())
        .collect()
}

fn failed(answer: &CaptureAnswer) -> Vec<&str> {
    answer
        .failed
        .iter()
        .map(|(kind, _)| kind.as_str())
        .collect()
}

/// An answer of Capture with these blocks.
fn blocks(blocks: &str) -> Vec<u8> {
    format!(r#"{{"CDCResponse":[{{"QueryResponse":[{blocks}]}}]}}"#).into_bytes()
}

#[test]
fn capture_tells_changes_tombstones_and_nothing() {
    let kinds = ["Estimate", "Customer", "Invoice"];
    let answer = captured(data!("capture.json"), &kinds);
    assert_eq!(named(&answer.records), ["Estimate/48", "Invoice/65"]);
    assert_eq!((answer.at, answer.saturated), (AT, false));
    assert_eq!(answer.failed, []);
    let [estimate, tombstone] = answer.records.as_slice() else {
        panic!()
    };
    assert_eq!(estimate.state, RecordState::Live);
    assert_eq!(estimate.sync_token.as_deref(), Some("0"));
    assert_eq!(estimate.updated.text, "2015-10-07T11:43:20-07:00");
    assert_eq!(
        estimate.updated.at,
        Some(Timestamp::from_ms(1_444_243_400_000))
    );
    assert_eq!(
        estimate.created_at,
        Some(Timestamp::from_ms(1_444_243_358_000))
    );
    assert!(
        estimate.body.ends_with(r#""TotalAmt":1005.00}"#),
        "{}",
        estimate.body
    );
    let whole = std::str::from_utf8(data!("capture.json")).unwrap();
    assert!(whole.contains(&estimate.body) && whole.contains(&tombstone.body));
    assert_eq!(tombstone.state, RecordState::Deleted);
    assert_eq!((&tombstone.sync_token, tombstone.created_at), (&None, None));

    let nothing = captured(data!("capture-nothing.json"), &["Bill", "Invoice"]);
    assert_eq!(
        (nothing.records.len(), nothing.failed.len(), nothing.at),
        (0, 0, AT)
    );
}

#[test]
fn the_gateways_casing_is_understood() {
    let answer = captured(data!("capture-lower-case.json"), &["Estimate", "Bill"]);
    assert_eq!(named(&answer.records), ["Estimate/48"]);
    assert_eq!((answer.at, failed(&answer)), (AT, vec![]));
}

#[test]
fn a_fault_in_one_block_fails_its_kind_and_no_other() {
    let body = data!("capture-fault-in-block.json");
    let answer = captured(body, &["Customer", "TimeActivity"]);
    assert_eq!(named(&answer.records), ["Customer/63"]);
    let [(kind, Trouble::Fault(fault))] = answer.failed.as_slice() else {
        panic!("{answer:?}")
    };
    assert_eq!(
        (kind.as_str(), fault.code.as_deref()),
        ("TimeActivity", Some("500"))
    );
}

#[test]
fn a_fault_instead_of_all_blocks_is_one_wherever_it_stands() {
    let body = data!("capture-fault-in-answer.json");
    let Err(Trouble::Fault(fault)) = read_capture(body, &["Bill"]) else {
        panic!()
    };
    assert_eq!(fault.code.as_deref(), Some("10000"));
    for body in [
        &data!("fault-too-old.json")[..],
        data!("fault-throttled.xml"),
    ] {
        let capture = read_capture(body, &["Bill"]);
        assert!(matches!(capture, Err(Trouble::Fault(_))), "{capture:?}");
        let query = read_query(body, "Bill");
        assert!(matches!(query, Err(Trouble::Fault(_))), "{query:?}");
    }
    let inside = br#"{"QueryResponse":{"Fault":{"Error":[{"code":"4001"}]}}}"#;
    assert!(matches!(read_query(inside, "Bill"), Err(Trouble::Fault(_))));
}

#[test]
fn a_kind_of_which_nothing_is_sure_is_failed() {
    let one = r#"{"Bill":[{"Id":"1"}]}"#;
    let fault = r#"{"Fault":{"Error":[{"code":"10000"}]}}"#;
    let table = [
        // A block is missing: whose, nobody knows.
        (one.to_owned(), vec!["Item", "Term"]),
        (format!("{one},{{}}"), vec!["Item", "Term"]),
        // Out of order, but complete.
        (format!("{{}},{one},{{}}"), vec![]),
        // Out of order with a fault.
        (format!("{fault},{one},{{}}"), vec!["Item", "Term"]),
        // In order: the place tells.
        (format!("{one},{fault},{{}}"), vec!["Item"]),
        (format!("{one},{{}},{fault}"), vec!["Term"]),
        // A block that cannot be read at all, in order.
        (format!("{one},7,{{}}"), vec!["Item"]),
        (format!(r#"{one},{{"\ud800":[]}},{{}}"#), vec!["Item"]),
        // A fault beside records.
        (
            r#"{"Bill":[{"Id":"1"}],"Fault":{}},{},{}"#.to_owned(),
            vec!["Bill"],
        ),
    ];
    for (text, expected) in table {
        let answer = captured(&blocks(&text), &["Bill", "Item", "Term"]);
        assert_eq!(failed(&answer), expected, "{text}");
        assert_eq!(named(&answer.records), ["Bill/1"], "{text}");
    }
}

/// Ways in which a record of the id 2 cannot be read.
fn broken_records() -> [Vec<u8>; 5] {
    let deep = format!(
        r#"{{"Id":"2","Line":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    [
        br#"{"Id":"2","PrivateNote":"\ud800"}"#.to_vec(),
        br#"{"Id":"2","TotalAmt":1e400}"#.to_vec(),
        deep.into_bytes(),
        b"{\"Id\":\"2\",\"Memo\":\"\xe9t\xe9\"}".to_vec(),
        br#"{"Id":"2","MetaData":[]}"#.to_vec(),
    ]
}

#[test]
fn a_record_that_cannot_be_read_is_skipped_and_its_neighbours_are_not() {
    for broken in broken_records() {
        let mut body = br#"{"CDCResponse":[{"QueryResponse":[{"Bill":[{"Id":"1"},"#.to_vec();
        body.extend_from_slice(&broken);
        body.extend_from_slice(br#",{"Id":"3"}]},{"Item":[{"Id":"4"}]}]}]}"#);
        let answer = captured(&body, &["Bill", "Item"]);
        assert_eq!(named(&answer.records), ["Bill/1", "Bill/3", "Item/4"]);
        assert_eq!(failed(&answer), Vec::<&str>::new());
        let [skipped] = answer.skipped.as_slice() else {
            panic!("{answer:?}")
        };
        assert_eq!((&*skipped.kind, skipped.id.as_deref()), ("Bill", Some("2")));
        let mut body = br#"{"QueryResponse":{"Bill":[{"Id":"1"},"#.to_vec();
        body.extend_from_slice(&broken);
        body.extend_from_slice(br#",{"Id":"3"}]}}"#);
        let answer = read_query(&body, "Bill").unwrap();
        assert_eq!(named(&answer.records), ["Bill/1", "Bill/3"]);
        assert_eq!(answer.skipped, std::slice::from_ref(skipped));
    }
    for nameless in [
        "{}",
        r#"{"Id":null}"#,
        r#"{"Id":"\ud800"}"#,
        "7",
        r#"{"Id":{}}"#,
    ] {
        let text = format!(r#"{{"Bill":[{{"Id":"1"}},{nameless}]}}"#);
        let answer = captured(&blocks(&text), &["Bill"]);
        assert_eq!((answer.records.len(), answer.skipped.len()), (1, 1));
        assert_eq!(answer.skipped[0].id, None, "{nameless}");
    }
}

#[test]
fn skipped_records_count_for_the_room_of_an_answer_and_the_place_of_the_next_page() {
    let broken = vec![r#"{"Id":"1","a":1e400}"#; 1000].join(",");
    let answer = captured(&blocks(&format!(r#"{{"Bill":[{broken}]}}"#)), &["Bill"]);
    assert!(answer.saturated);
    let question = Question {
        kind: "Bill".into(),
        since: Some(Timestamp::from_ms(0)),
        ids: Vec::new(),
        ids_only: false,
        start: 1,
        max: 1000,
        zone: None,
    };
    assert_eq!(question.after(&[], 1000).start, 1001);
}

#[test]
fn what_is_no_answer_of_quickbooks_is_known_for_it() {
    let whole = data!("capture.json");
    let half = &whole[..whole.len() / 2];
    let foreign: [&[u8]; 8] = [
        b"",
        b"  ",
        b"<html>log in</html>",
        b"OK",
        b"[]",
        b"{}",
        br#"{"message":"blocked"}"#,
        half,
    ];
    for body in foreign {
        let capture = read_capture(body, &["Bill"]);
        assert!(matches!(capture, Err(Trouble::Foreign(_))), "{capture:?}");
        let query = read_query(body, "Bill");
        assert!(matches!(query, Err(Trouble::Foreign(_))), "{query:?}");
    }
}

#[test]
fn a_fault_beside_the_blocks_leaves_the_named_ones_only() {
    let body = br#"{"CDCResponse":[{"Fault":{},"QueryResponse":[{"Bill":[{"Id":"1"}]},{}]}]}"#;
    let answer = captured(body, &["Bill", "Item"]);
    assert_eq!(
        (named(&answer.records), failed(&answer)),
        (vec!["Bill/1".into()], vec!["Item"])
    );
}

#[test]
fn reserved_keys_are_no_kinds_and_values_that_are_no_lists_are_passed_over() {
    let text = r#"{"startPosition":[1],"maxResults":[],"totalCount":[{}],"x":null,"y":{"Id":"2"}}"#;
    let answer = captured(&blocks(text), &["Bill"]);
    assert_eq!((answer.records.len(), failed(&answer)), (0, vec![]));
}

#[test]
fn an_answer_of_a_thousand_objects_may_lack_some() {
    for (count, saturated) in [(999, false), (1000, true)] {
        let bills = vec![r#"{"Id":"1"}"#; count - 1].join(",");
        let text = format!(r#"{{"Bill":[{bills}]}},{{"Item":[{{"Id":"2"}}]}}"#);
        let answer = captured(&blocks(&text), &["Bill", "Item"]);
        assert_eq!(answer.saturated, saturated, "{count}");
    }
}

#[test]
fn records_are_in_order_of_change() {
    let record = |id, second| {
        format!(r#"{{"Id":"{id}","MetaData":{{"LastUpdatedTime":"2026-01-01T00:00:0{second}Z"}}}}"#)
    };
    let text = format!(
        r#"{{"Bill":[{},{}]}},{{"Item":[{}]}}"#,
        record(1, 3),
        record(2, 1),
        record(3, 2)
    );
    let answer = captured(&blocks(&text), &["Bill", "Item"]);
    assert_eq!(named(&answer.records), ["Bill/2", "Item/3", "Bill/1"]);
}

#[test]
fn a_voided_transaction_is_known_by_amount_and_note() {
    let voided = std::str::from_utf8(data!("invoice-voided.json")).unwrap();
    let table = [
        (voided.to_owned(), RecordState::Voided),
        (
            voided.replace(r#""TotalAmt":0"#, r#""TotalAmt":0.00"#),
            RecordState::Voided,
        ),
        (voided.replace("TotalAmt", "Amount"), RecordState::Voided),
        (
            voided.replace(r#""Voided""#, r#""Voided - by Ann""#),
            RecordState::Voided,
        ),
        (
            r#"{"Id":"1","status":"Voided"}"#.into(),
            RecordState::Voided,
        ),
        (
            voided.replace(r#""TotalAmt":0"#, r#""TotalAmt":0.01"#),
            RecordState::Live,
        ),
        (
            voided.replace(r#""Voided""#, r#""Not Voided""#),
            RecordState::Live,
        ),
        (voided.replace("PrivateNote", "Memo"), RecordState::Live),
        (
            r#"{"Id":"1","status":"deleted"}"#.into(),
            RecordState::Deleted,
        ),
        (
            r#"{"Id":"1","status":null,"MetaData":null}"#.into(),
            RecordState::Live,
        ),
    ];
    for (text, expected) in table {
        let answer = captured(&blocks(&format!(r#"{{"Invoice":[{text}]}}"#)), &["Invoice"]);
        assert_eq!(answer.records[0].state, expected, "{text}");
        assert_eq!(answer.records[0].body, text);
    }
}

#[test]
fn a_page_of_a_query_is_read() {
    let page = read_query(data!("query.json"), "TimeActivity").unwrap();
    assert_eq!(named(&page.records), ["TimeActivity/5", "TimeActivity/6"]);
    assert_eq!(page.at, AT);
    assert!(page.records[0].body.contains(r#""HourlyRate":10.50"#));
    for nothing in [&data!("query-nothing.json")[..], data!("query-count.json")] {
        let page = read_query(nothing, "TimeActivity").unwrap();
        assert_eq!((page.records.len(), page.at), (0, AT));
    }
}

#[test]
fn an_answer_in_another_form_is_not_taken_for_nothing() {
    let table: [&[u8]; 12] = [
        b"",
        b"null",
        b"[]",
        b"\xff{}",
        b"<html><body>Service Unavailable</body></html>",
        b"{",
        b"{}",
        br#"{"QueryResponse":null,"CDCResponse":null}"#,
        br#"{"QueryResponse":[],"CDCResponse":{}}"#,
        br#"{"QueryResponse":7,"CDCResponse":[7]}"#,
        br#"{"QueryResponse":{"Bill":[{"Id":"1"},{"Id"#,
        br#"{"QueryResponse":{"Item":[{"Id":"1"}]},"CDCResponse":[{"QueryResponse":7}]}"#,
    ];
    let is_nothing = |trouble: &Trouble| !matches!(trouble, Trouble::Fault(_));
    for body in table {
        let shown = String::from_utf8_lossy(body);
        let capture = read_capture(body, &["Bill"]);
        assert!(
            capture.as_ref().is_err_and(is_nothing),
            "{shown}: {capture:?}"
        );
        let query = read_query(body, "Bill");
        assert!(query.as_ref().is_err_and(is_nothing), "{shown}: {query:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_anywhere_says_nothing() {
    let whole = data!("capture.json");
    for length in 0..whole.len() {
        let read = read_capture(&whole[..length], &["Estimate", "Customer", "Invoice"]);
        assert!(
            matches!(read, Err(Trouble::Foreign(_))),
            "{length}: {read:?}"
        );
    }
    let xml = data!("fault-throttled.xml");
    for length in 0..xml.len() {
        assert_eq!(Fault::read(&xml[..length]), None, "{length}");
    }
}

proptest! {
    #[test]
    fn no_answer_panics(
        text in r#"(\{|\[|\}|\]|:|,|null|7|"(CDCResponse|QueryResponse|Fault|Error|Bill|Id)"|<Fault>|é){0,40}"#
    ) {
        let _ = read_capture(text.as_bytes(), &["Bill", "Item"]);
        let _ = read_query(text.as_bytes(), "Bill");
        let _ = Fault::read(text.as_bytes());
    }
}

#[test]
fn a_record_that_receivers_could_not_read_is_named_and_not_passed_on() {
    for record in [
        r#"{"Id":"1","Memo":"\ud800"}"#,
        r#"{"Id":"1","TotalAmt":1e999}"#,
        r#"{"Id":"a\u0000b"}"#,
    ] {
        let answer = captured(&blocks(&format!(r#"{{"Bill":[{record}]}}"#)), &["Bill"]);
        let [skipped] = answer.skipped.as_slice() else {
            panic!("{answer:?}")
        };
        assert!(!skipped.why.contains("Memo"), "{skipped:?}");
        assert_eq!((answer.records.len(), failed(&answer)), (0, vec![]));
    }
}

#[test]
fn faults_are_read_in_every_casing_and_in_xml() {
    let table = [
        (
            &data!("fault-validation.json")[..],
            "ValidationFault",
            "2030",
            "Invalid ID (Id should be a valid number. Supplied value:1.5)",
        ),
        (
            data!("fault-gateway-401.json"),
            "AUTHENTICATION",
            "3200",
            "message=AuthenticationFailed; errorCode=003200; statusCode=401 (Token expired: …)",
        ),
        (
            data!("fault-gateway-403.json"),
            "AUTHORIZATION",
            "3100",
            "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403",
        ),
        (
            data!("fault-throttled.xml"),
            "SERVICE",
            "3001",
            "message=ThrottleExceeded; errorCode=003001; statusCode=429 \
             (The request limit was reached.  Try again later)",
        ),
    ];
    for (body, class, code, why) in table {
        let fault = fault(body);
        assert_eq!(fault.class, class);
        assert_eq!(fault.code.as_deref(), Some(code));
        assert_eq!(fault.why, why);
    }
}

#[test]
fn a_fault_is_one_even_where_its_inside_is_odd() {
    let from_the_message = br#"{"fault":{"error":[{"message":"errorCode=003001; x"}]}}"#;
    assert_eq!(fault(from_the_message).code.as_deref(), Some("3001"));
    let nameless = br#"{"Fault":{"type":"SERVICE","Error":[{"code":{}}]}}"#;
    let nameless = fault(nameless);
    assert_eq!((nameless.code, &*nameless.why), (None, "no reason given"));
    let numeric = br#"{"Fault":{"Error":[{"code":610}]}}"#;
    assert_eq!(fault(numeric).code.as_deref(), Some("610"));
    let none: [&[u8]; 13] = [
        br#"{"Fault":{}}"#,
        br#"{"Fault":[]}"#,
        br#"{"Fault":{"Error":[]}}"#,
        br#"{"Fault":{"Error":{"code":"1"}}}"#,
        br#"{"Fault":{"Error":[{"code":{}}]}}"#,
        b"<IntuitResponse><Fault/></IntuitResponse>",
        b"",
        b"{}",
        br#"{"Fault":null}"#,
        b"Fault",
        b"<Fault",
        b"<html><body>Bad Gateway</body></html>",
        b"<a><b></a>",
    ];
    for body in none {
        assert_eq!(Fault::read(body), None);
    }
}

#[test]
fn an_entity_of_an_xml_fault_leads_nowhere() {
    let body = br#"<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>
        <r><Fault><Error code="1"><Message>&x;</Message></Error></Fault></r>"#;
    assert_eq!(Fault::read(body), None);
}
