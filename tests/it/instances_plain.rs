//! Callbacks without TLS: on purpose only, and never without a word.

use crate::support::office::{Office, REALM};
use crate::support::receiver::{Answer, PATIENCE};
use serde_json::{Value, json};
use std::time::Instant;

const REFUSED: &str = "private_callbacks = true\nplain_callbacks = false";
const ALLOWED: &str = "private_callbacks = true\nplain_callbacks = true";

fn check(office: &Office) -> String {
    let checked = office.gateway.command(&["check"]);
    String::from_utf8(checked.stdout).unwrap()
}

fn warnings(instance: &Value) -> String {
    instance["warnings"].to_string()
}

#[tokio::test]
async fn a_plain_callback_is_refused_and_where_it_is_allowed_the_answer_and_check_warn() {
    let mut office = Office::open(REFUSED, vec![Answer::Status(200)]).await;
    let events = json!({ "event.vendor.type": "webhook" });
    let body = office.body(events.clone()).await;
    let came = office.call("POST", "/instances", &body).await;
    assert_eq!(came.status, 400, "{}", came.text);
    for part in [
        "event.notification.callback.url: ",
        "https://",
        "plain_callbacks",
    ] {
        assert!(came.text.contains(part), "{}", came.text);
    }
    assert!(!check(&office).contains("plain_callbacks"));
    let secure = json!({ "event.notification.callback.url": "https://erp.example.invalid/" });
    let made = office.create(secure).await;
    assert_eq!(made.get("warnings"), None, "{made}");
    let hook = json!({ "propertyValue": office.receiver.url("/hook") });
    let at = "/instances/1/configuration/17";
    assert_eq!(office.call("PATCH", at, &hook).await.status, 400);

    office.restart_with(ALLOWED);
    assert_eq!(office.call("PATCH", at, &hook).await.status, 200);
    let read = office
        .call("GET", "/instances/1", &Value::Null)
        .await
        .json();
    assert!(warnings(&read).contains("http://"), "{read}");
    let checked = check(&office);
    for part in [
        "plain_callbacks = true",
        "instance 1 (API Instance): its callback is http://",
    ] {
        assert!(checked.contains(part), "{checked}");
    }
}

#[tokio::test]
async fn an_instance_from_before_is_sent_nothing_loses_nothing_and_is_said_to_need_a_change() {
    let mut office = Office::open(ALLOWED, vec![Answer::Status(200)]).await;
    office
        .create(json!({ "event.vendor.type": "webhook" }))
        .await;
    office.restart_with(REFUSED);
    let books = office.intuit.books(REALM).unwrap();
    let happened = [books.create("Invoice").unwrap()];
    assert_eq!(office.notify(&happened).await, 200);
    let began = Instant::now();
    loop {
        let listed = "/notifications/subscriptions/deliveries";
        let listed = office.call("GET", listed, &Value::Null).await.json();
        if listed[0]["status"] == "retry" {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{listed}");
    }
    let dispositions = "/instances/1/events/dispositions";
    let why = office.call("GET", dispositions, &Value::Null).await.text;
    assert!(why.contains("not encrypted"), "{why}");
    let read = office
        .call("GET", "/instances/1", &Value::Null)
        .await
        .json();
    assert!(warnings(&read).contains("nothing is sent"), "{read}");
    let checked = check(&office);
    assert!(
        checked.contains("instance 1 (API Instance): nothing is sent"),
        "{checked}"
    );
    assert_eq!(office.receiver.requests().len(), 0);

    office.restart_with(ALLOWED);
    let queue = "/notifications/subscriptions/deliveries";
    assert_eq!(office.call("PUT", queue, &Value::Null).await.status, 200);
    assert_eq!(office.receiver.wait_for(1).await.len(), 1);
}
