//! What can go wrong at the simulated Intuit, from outside.

use crate::support::intuit::{REALM, control, get, granted, refresh, try_get, try_post_form};
use http::Method;
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule, Shape};
use qbo_relay::simulate::intuit_company::{Call, FakeIntuit, Options, Rotation};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start() -> FakeIntuit {
    let options = Options {
        pace: None,
        rotation: Rotation::EachTime,
        ..Options::default()
    };
    FakeIntuit::start(options).await.unwrap()
}

fn capture_path(intuit: &FakeIntuit, kinds: &str) -> String {
    let made = intuit.books(REALM).unwrap().create("Invoice").unwrap();
    let since = made.at.minus(Duration::from_secs(60));
    format!("/v3/company/{REALM}/cdc?entities={kinds}&changedSince={since}")
}

#[tokio::test]
async fn each_fault_has_its_status_and_shape_and_then_all_is_well_again() {
    let intuit = start().await;
    let access = granted(&intuit).access;
    let path = capture_path(&intuit, "Invoice");
    let throttled = |shape| Fault::Throttled { shape };
    let table = [
        (throttled(Shape::Json429), 429, r#""code":"3001""#),
        (throttled(Shape::Gateway429), 429, r#""fault":{"error""#),
        (throttled(Shape::Xml429), 429, "<Error code=\"3001\">"),
        (throttled(Shape::Xml403), 403, "statusCode=403</Message>"),
        (Fault::CapReached, 429, "monthly CorePlus"),
        (Fault::Status { status: 500 }, 500, r#""code":"10000""#),
        (Fault::Status { status: 503 }, 503, "<h1>503</h1>"),
        (Fault::Lapsed, 400, r#""code":"6190""#),
        (Fault::TooOld, 400, "older than fixed days"),
        (Fault::Unauthorized, 401, "AuthenticationFailed"),
        (Fault::Forbidden, 403, r#""code":"3100""#),
        (Fault::NotFound, 400, r#""code":"610""#),
        (
            Fault::FaultInside { kind: None },
            200,
            r#"{"CDCResponse":[{"Fault""#,
        ),
    ];
    for (fault, status, part) in table {
        intuit
            .faults()
            .add(Rule::new(fault.clone()).on(Call::Capture).times(1));
        let came = get(&intuit, &access, &path).await;
        assert_eq!(came.status, status, "{fault:?}");
        assert!(came.text.contains(part), "{fault:?}: {}", came.text);
        assert_eq!(get(&intuit, &access, &path).await.status, 200, "{fault:?}");
    }
    assert_eq!(intuit.faults().fired(), 13);
}

#[tokio::test]
async fn a_fault_in_one_block_leaves_the_others() {
    let intuit = start().await;
    let access = granted(&intuit).access;
    let path = capture_path(&intuit, "Bill,Invoice");
    let kind = Some("Bill".to_owned());
    intuit.faults().add(Rule::new(Fault::FaultInside { kind }));
    let answer = get(&intuit, &access, &path).await.json();
    let blocks = &answer["CDCResponse"][0]["QueryResponse"];
    assert_eq!(blocks[0]["Fault"]["type"], "SystemFault");
    assert_eq!(blocks[1]["Invoice"][0]["Id"], "1");
}

#[tokio::test]
async fn a_cut_answer_begins_and_does_not_end() {
    let intuit = start().await;
    let access = granted(&intuit).access;
    let path = capture_path(&intuit, "Invoice");
    intuit.faults().add(Rule::new(Fault::Cut).on(Call::Capture));
    assert!(try_get(&intuit, &access, &path).await.is_err());
    let mut stream = TcpStream::connect(intuit.address()).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {access}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    _ = stream.read_to_end(&mut came).await;
    let came = String::from_utf8(came).unwrap();
    let (head, body) = came.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.starts_with(r#"{"CDCResponse""#), "{body}");
    let announced: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        (1..announced).contains(&body.len()),
        "{} of {announced}",
        body.len()
    );
}

#[tokio::test]
async fn a_lost_answer_leaves_the_rotation_done() {
    let intuit = start().await;
    let tokens = granted(&intuit);
    intuit.faults().add(
        Rule::new(Fault::AnswerLost)
            .on(Call::Refresh)
            .of(REALM)
            .times(1),
    );
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh.as_str()),
    ];
    let lost = try_post_form(&intuit.token_url(), "client:secret", &form).await;
    assert!(lost.is_err());
    assert_eq!(intuit.calls().log[0].status, None);
    let dead = refresh(&intuit, &tokens.refresh).await;
    assert_eq!(
        (dead.status, &dead.json()["error"]),
        (400, &"invalid_grant".into())
    );
}

#[tokio::test]
async fn the_token_endpoint_fails_as_the_api_does() {
    let intuit = start().await;
    let token = granted(&intuit).refresh;
    let table = [
        (Fault::InvalidGrant, 400, "invalid_grant"),
        (Fault::InvalidClient, 401, "invalid_client"),
        (Fault::Status { status: 502 }, 502, "502"),
    ];
    for (fault, status, part) in table {
        intuit
            .faults()
            .set(vec![Rule::new(fault).on(Call::Refresh)]);
        let came = refresh(&intuit, &token).await;
        assert_eq!(came.status, status);
        assert!(came.text.contains(part), "{}", came.text);
    }
    intuit.faults().clear();
    assert_eq!(refresh(&intuit, &token).await.status, 200);
}

#[tokio::test]
async fn latency_skew_and_lag_are_felt() {
    let intuit = start().await;
    let access = granted(&intuit).access;
    let path = capture_path(&intuit, "Invoice");
    let faults = intuit.faults();
    faults.add(Rule::new(Fault::Latency { ms: 200 }).times(1));
    let began = Instant::now();
    let answer = get(&intuit, &access, &path).await.json();
    assert!(began.elapsed() >= Duration::from_millis(200));
    let year = |answer: &serde_json::Value| answer["time"].as_str().unwrap()[..4].to_owned();
    let before: u32 = year(&answer).parse().unwrap();
    let ten_years_ms = 3_653 * 86_400_000;
    faults.set_skew_ms(-ten_years_ms);
    let answer = get(&intuit, &access, &path).await.json();
    let after: u32 = year(&answer).parse().unwrap();
    assert!((9..=10).contains(&(before - after)), "{before} {after}");
    faults.clear();
    faults.set_lag(Duration::from_secs(3_600));
    let hidden = get(&intuit, &access, &path).await.json();
    assert_eq!(
        hidden["CDCResponse"][0]["QueryResponse"][0],
        serde_json::json!({})
    );
}

#[tokio::test]
async fn everything_is_switched_over_http_too() {
    let intuit = start().await;
    let access = granted(&intuit).access;
    let path = capture_path(&intuit, "Invoice");
    let switches = r#"{"rules": [
        {"fault": "status", "status": 504, "call": "capture", "times": 1},
        {"fault": "throttled", "shape": "xml-403", "call": "capture"}
    ], "skew_ms": 1000, "lag_ms": 5, "limits": false}"#;
    assert_eq!(
        control(&intuit, Method::POST, "faults", switches)
            .await
            .status,
        200
    );
    assert_eq!(get(&intuit, &access, &path).await.status, 504);
    assert_eq!(get(&intuit, &access, &path).await.status, 403);
    let fired = control(&intuit, Method::DELETE, "faults", "").await.json();
    assert_eq!(fired["fired"], 2);
    assert_eq!(get(&intuit, &access, &path).await.status, 200);
}
