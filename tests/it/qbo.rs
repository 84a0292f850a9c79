//! What QuickBooks is asked, and what its answers mean.

use crate::support::plain_api::{ACCESS, PlainApi, Reply};
use qbo_relay::model::{RealmId, RecordState, Secret, Timestamp};
use qbo_relay::qbo::{Captured, Failure, Page, Question};
use std::time::Duration;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../data/quickbooks/", $name))
    };
}

/// 2026-01-01T00:00:00Z.
const SINCE: Timestamp = Timestamp::from_ms(1_767_225_600_000);

fn realm() -> RealmId {
    RealmId::new("9341452341234567").unwrap()
}

async fn capture(api: &PlainApi, kinds: &[&str]) -> Result<Captured, Failure> {
    let access = Secret::new(ACCESS);
    api.app().capture(&realm(), &access, kinds, SINCE).await
}

async fn query(api: &PlainApi, max: u32) -> Result<Page, Failure> {
    let question = Question {
        kind: "TimeActivity".into(),
        since: Some(SINCE),
        ids: Vec::new(),
        ids_only: false,
        start: 1,
        max,
        zone: None,
    };
    let access = Secret::new(ACCESS);
    api.app().query(&realm(), &access, &question).await
}

async fn failure_of(reply: Reply) -> Failure {
    let api = PlainApi::start(reply).await;
    capture(&api, &["Bill"]).await.unwrap_err()
}

#[tokio::test]
async fn capture_is_asked_as_documented_and_its_records_keep_every_byte() {
    let api = PlainApi::start(Reply::ok(data!("capture.json"))).await;
    let kinds = ["Estimate", "Customer", "Invoice"];
    let captured = capture(&api, &kinds).await.unwrap();
    let [estimate, tombstone] = captured.records.as_slice() else {
        panic!("{captured:?}")
    };
    assert!(estimate.body.contains(r#""TotalAmt":1005.00"#));
    assert_eq!(tombstone.entity.to_string(), "Invoice/65");
    assert_eq!(tombstone.state, RecordState::Deleted);
    assert_eq!(captured.at, Some(Timestamp::from_ms(1_601_391_773_512)));
    assert_eq!((captured.saturated, captured.failed_kinds), (false, vec![]));
    let asked = &api.asked()[0];
    assert_eq!(
        asked.line,
        "GET /sandbox/v3/company/9341452341234567/cdc?entities=Estimate%2CCustomer%2CInvoice\
         &changedSince=2026-01-01T00%3A00%3A00Z&minorversion=75 HTTP/1.1"
    );
    assert_eq!(asked.field("authorization"), format!("Bearer {ACCESS}"));
    assert_eq!(asked.field("accept"), "application/json");
    assert!(asked.field("user-agent").starts_with("qbo-relay/"));
}

#[tokio::test]
async fn a_query_is_asked_as_documented_and_says_whether_its_page_is_full() {
    let api = PlainApi::start(Reply::ok(data!("query.json"))).await;
    for (max, full) in [(3, false), (2, true)] {
        let page = query(&api, max).await.unwrap();
        assert_eq!((page.records.len(), page.full), (2, full));
        assert!(page.records[0].body.contains(r#""HourlyRate":10.50"#));
    }
    assert_eq!(
        api.asked()[0].line,
        "GET /sandbox/v3/company/9341452341234567/query?query=SELECT%20%2A%20FROM%20TimeActivity\
         %20WHERE%20MetaData.LastUpdatedTime%20%3E%3D%20%272026-01-01T00%3A00%3A00Z%27\
         %20ORDERBY%20MetaData.LastUpdatedTime%20STARTPOSITION%201%20MAXRESULTS%203\
         &minorversion=75 HTTP/1.1"
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_asked() {
    let api = PlainApi::start(Reply::ok(data!("capture-nothing.json"))).await;
    for kinds in [&[][..], &["Bill&x=1"]] {
        let failure = capture(&api, kinds).await.unwrap_err();
        assert!(
            matches!(failure, Failure::Unsupported { .. }),
            "{failure:?}"
        );
    }
    let broken = Secret::new("eyJ\r\nCookie: 1");
    let failure = api.app().capture(&realm(), &broken, &["Bill"], SINCE).await;
    assert_eq!(failure, Err(Failure::Unauthorized));
    assert_eq!(api.asked().len(), 0);
}

#[tokio::test]
async fn an_expired_token_is_reported_and_never_quoted() {
    let failure = failure_of(Reply::status(401, data!("fault-gateway-401.json"))).await;
    assert_eq!(failure, Failure::Unauthorized);
}

#[tokio::test]
async fn a_throttle_is_understood_in_xml_and_its_wait_is_bounded() {
    let body = data!("fault-throttled.xml").to_vec();
    let table = [
        ("", 60),
        ("Retry-After: 0\r\n", 60),
        ("Retry-After: 7\r\n", 60),
        ("Retry-After: 90\r\n", 90),
        ("Retry-After: 0\r\nRetry-After: 120\r\n", 120),
        (
            "Date: Mon, 30 Nov 2026 12:00:00 GMT\r\nRetry-After: Mon, 30 Nov 2026 12:01:30 GMT\r\n",
            90,
        ),
        (
            "Date: Mon, 30 Nov 2026 12:00:00 GMT\r\nRetry-After: Mon, 30 Nov 2026 11:00:00 GMT\r\n",
            60,
        ),
        ("Retry-After: soon\r\n", 60),
        ("Retry-After: 99999999999\r\n", 3600),
    ];
    for (field, seconds) in table {
        for status in [403, 429] {
            let failure = failure_of(Reply::With(status, field, body.clone())).await;
            let wait = Duration::from_secs(seconds);
            assert_eq!(failure, Failure::Throttled { wait }, "{status} {field}");
        }
    }
}

#[tokio::test]
async fn a_fault_inside_status_200_is_a_failure() {
    let failure = failure_of(Reply::ok(data!("fault-too-old.json"))).await;
    assert_eq!(failure, Failure::TooOld);
    let failure = failure_of(Reply::ok(data!("capture-fault-in-answer.json"))).await;
    assert!(
        matches!(failure, Failure::Unavailable { .. }),
        "{failure:?}"
    );
    let api = PlainApi::start(Reply::ok(data!("fault-lapsed.json"))).await;
    assert_eq!(query(&api, 10).await, Err(Failure::Lapsed));
}

#[tokio::test]
async fn a_fault_in_one_block_leaves_the_others() {
    let api = PlainApi::start(Reply::ok(data!("capture-fault-in-block.json"))).await;
    let captured = capture(&api, &["Customer", "TimeActivity"]).await.unwrap();
    assert_eq!(captured.records[0].entity.to_string(), "Customer/63");
    let [(kind, Failure::Unsupported { why })] = captured.failed_kinds.as_slice() else {
        panic!("{captured:?}")
    };
    assert_eq!(kind, "TimeActivity");
    assert!(why.contains("is not supported"), "{why}");
}

#[tokio::test]
async fn a_record_that_is_not_there_keeps_intuits_code() {
    let failure = failure_of(Reply::status(400, data!("fault-not-found.json"))).await;
    let Failure::Refused { status, code, .. } = failure else {
        panic!("{failure:?}")
    };
    assert_eq!((status, code.as_deref()), (400, Some("610")));
}

#[tokio::test]
async fn what_is_no_answer_is_not_taken_for_one() {
    for body in [&b""[..], b"<html>", b"{}", br#"{"CDCResponse":[{"Query"#] {
        let failure = failure_of(Reply::ok(body)).await;
        assert!(
            matches!(failure, Failure::Unavailable { .. }),
            "{failure:?}"
        );
    }
}
