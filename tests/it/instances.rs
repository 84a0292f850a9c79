//! Element instances from end to end: the real binary, a simulated Intuit behind it, a receiver in
//! front of it.

use crate::support::office::{Office, REALM, SECRET, SIGNATURE_KEY};
use crate::support::receiver::{Answer, Recorded};
use qbo_relay::model::{Environment, Secret};
use qbo_relay::simulate::intuit_company::{Call, CompanyFacts, Options};
use qbo_relay::wire::outgoing::elements_signature;
use serde_json::{Value, json};
use std::time::Duration;

/// The secrets' mask in answers.
const MASK: &str = "********";

fn verified(request: &Recorded) -> Value {
    let signature = elements_signature(&Secret::new(SIGNATURE_KEY), &request.body);
    assert_eq!(request.field("elements-webhook-signature"), signature);
    let body = request.json();
    assert_eq!(body["id"], request.field("elements-webhook-id"));
    body["message"].clone()
}

fn message(came: &crate::support::intuit::Came) -> String {
    let body = came.json();
    let id = body["requestId"].as_str().unwrap();
    assert!(
        id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );
    body["message"].as_str().unwrap().to_owned()
}

async fn settled<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within a minute: {what}");
}

#[tokio::test]
async fn a_webhook_instance_is_told_of_what_is_notified_and_signed_with_its_key() {
    let office = Office::open("private_callbacks = true", vec![Answer::Status(200)]).await;
    let made = office
        .create(json!({ "event.vendor.type": "webhooks" }))
        .await;
    assert_eq!(made["id"], 1);
    assert_eq!(made["token"].as_str().unwrap().len(), 44);
    assert_eq!(
        (&made["valid"], &made["disabled"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(made["configuration"]["oauth.api.secret"], MASK);
    assert_eq!(
        made["configuration"]["event.notification.signature.key"],
        MASK
    );
    assert_eq!(made["configuration"]["event.notification.enabled"], "true");

    let books = office.intuit.books(REALM).unwrap();
    let happened = [
        books.create("Invoice").unwrap(),
        books.create("Bill").unwrap(),
    ];
    assert_eq!(office.notify(&happened).await, 200);
    let told = verified(&office.receiver.wait_for(1).await[0]);
    assert_eq!(told["instanceId"], made["id"]);
    assert_eq!(
        (&told["instanceName"], &told["instanceTags"]),
        (&made["name"], &made["tags"])
    );
    let types: Vec<&str> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["objectType"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["invoices", "bills"]);
    assert_eq!(told["raw"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_polling_instance_is_told_of_its_resources_with_their_records() {
    let office = Office::open("private_callbacks = true", vec![Answer::Status(200)]).await;
    let made = office
        .create(json!({
            "event.vendor.type": "polling",
            "event.poller.urls": "invoices|customers",
            "event.poller.refresh_interval": "1",
        }))
        .await;
    let books = office.intuit.books(REALM).unwrap();
    let bill = books.create("Bill").unwrap();
    let invoice = books.create("Invoice").unwrap();
    assert_eq!(office.notify(&[bill, invoice.clone()]).await, 200);
    let told = verified(&office.receiver.wait_for(1).await[0]);
    let record = &told["raw"]["invoices"][0];
    assert_eq!(record["systemId"], invoice.id);
    assert_eq!(record["objectId"], format!("{}|0", invoice.id));
    assert_eq!(told["raw"]["objectType"], "invoices");
    assert_eq!(told["events"][0]["eventType"], "CREATED");
    assert!(told["events"][0]["pollDate"].is_string());

    let by_token = office
        .call_by(&made["token"], "GET", "/instances/events")
        .await;
    let events = settled("the event is delivered", async || {
        let listed = office
            .call_by(&made["token"], "GET", "/instances/events")
            .await
            .json();
        (listed[0]["status"] == "NOTIFIED").then_some(listed)
    })
    .await;
    assert_eq!(by_token.header("elements-element-instance-id"), "1");
    assert_eq!(events.as_array().unwrap().len(), 1, "{events}");
    assert_eq!(events[0]["id"], told["eventId"]);
    let one = format!("/instances/1/events/{}", told["eventId"].as_str().unwrap());
    assert_eq!(
        office.call("GET", &one, &Value::Null).await.json(),
        events[0]
    );
    assert_eq!(office.receiver.requests().len(), 1);
}

#[tokio::test]
async fn the_published_bodies_work_as_they_stand_and_the_faulty_ones_are_told_where() {
    let office = Office::open("", vec![Answer::Status(200)]).await;
    let put = |text: &str, code: &str| {
        let keys = [
            ("\"code\": \"\"", format!("\"code\": \"{code}\"")),
            ("\"realmId\": \"\"", format!("\"realmId\": \"{REALM}\"")),
            (
                "\"oauth.callback.url\": \"\"",
                "\"oauth.callback.url\": \"https://mycoolapp.com\"".into(),
            ),
            (
                "\"oauth.api.key\": \"\"",
                "\"oauth.api.key\": \"client\"".into(),
            ),
            (
                "\"oauth.api.secret\": \"\"",
                format!("\"oauth.api.secret\": \"{SECRET}\""),
            ),
        ];
        keys.iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    for body in [
        include_str!("../data/elements/sap-polling.json"),
        include_str!("../data/elements/sap-webhooks.json"),
    ] {
        let body = put(body, &office.code().await);
        let came = office
            .call_as(&office.authorization, "POST", "/instances", body)
            .await;
        assert_eq!(came.status, 200, "{}", came.text);
        // Their callback is the platform's own address: events are listed and nothing loops.
        assert_eq!(came.json()["eventsEnabled"], true);
    }
    for body in [
        include_str!("../data/elements/sap-polling-curl.json"),
        include_str!("../data/elements/cloud-elements-webhook-curl.json"),
    ] {
        let came = office
            .call_as(&office.authorization, "POST", "/instances", body.to_owned())
            .await;
        assert_eq!(came.status, 400);
        let why = message(&came);
        assert!(why.contains("comma") && why.contains("line"), "{why}");
    }
    let listed = office.call("GET", "/instances", &Value::Null).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_is_half_made() {
    let office = Office::open("", vec![Answer::Status(200)]).await;
    let public = json!({
        "event.vendor.type": "webhook",
        "event.notification.callback.url": "https://erp.example.invalid/hook",
    });
    let with = async |key: &str, value: &str| {
        let mut keys = public.clone();
        keys[key] = json!(value);
        office.body(keys).await
    };
    let table = [
        (
            "event.notification.callback.url",
            "http://127.0.0.1:9/hook",
            "private_callbacks",
        ),
        (
            "event.notification.callback.url",
            "http://169.254.169.254/",
            "never called",
        ),
        (
            "event.notification.callback.url",
            "ftp://erp.example/",
            "event.notification.callback.url",
        ),
        ("event.vendor.type", "pigeon", "event.vendor.type"),
        (
            "event.poller.refresh_interval",
            "0",
            "event.poller.refresh_interval",
        ),
        ("event.poller.urls", "unicorns", "unicorns"),
        ("oauth.api.secret", "", "oauth.api.secret"),
    ];
    for (key, value, named) in table {
        let body = with(key, value).await;
        let came = office.call("POST", "/instances", &body).await;
        assert_eq!(came.status, 400, "{key}={value}: {}", came.text);
        let why = message(&came);
        assert!(why.contains(named), "{key}={value}: {why}");
    }
    let mut refused = office.body(public.clone()).await;
    refused["providerData"]["code"] = json!("used-up");
    let came = office.call("POST", "/instances", &refused).await;
    assert_eq!(came.status, 400, "{}", came.text);
    assert!(came.json()["providerMessage"].is_string(), "{}", came.text);

    refused["providerData"]["code"] = json!("");
    let came = office.call("POST", "/instances", &refused).await;
    assert_eq!(came.status, 400);
    assert!(
        message(&came).starts_with("providerData.code"),
        "{}",
        came.text
    );

    for path in [
        "/instances/1",
        "/instances/99",
        "/notifications/subscriptions/1",
        "/accounts/7/settings",
    ] {
        let came = office.call("GET", path, &Value::Null).await;
        assert_eq!(came.status, 404, "{path}");
        message(&came);
    }
    let listed = office.call("GET", "/instances", &Value::Null).await;
    assert_eq!((listed.status, listed.json()), (200, json!([])));
    let companies = office.gateway.command(&["company", "list", "--json"]);
    let companies: Value = serde_json::from_slice(&companies.stdout).unwrap();
    assert_eq!(
        companies["companies"].as_array().map(Vec::len),
        Some(0),
        "{companies}"
    );
}

#[tokio::test]
async fn an_instance_is_changed_switched_and_deleted_by_its_token() {
    let office = Office::open("private_callbacks = true", vec![Answer::Status(200)]).await;
    let made = office
        .create(json!({ "event.vendor.type": "webhook" }))
        .await;
    let token = &made["token"];
    let amended = office
        .call(
            "PATCH",
            "/instances/1",
            &json!({ "name": "<b>New</b>", "tags": ["a", "b"] }),
        )
        .await
        .json();
    assert_eq!(
        (&amended["name"], &amended["tags"]),
        (&json!("New"), &json!(["a", "b"]))
    );
    assert_eq!(&amended["token"], token);

    // What was shown masked stays as it was when it comes back.
    let mut whole = amended.clone();
    whole["providerData"] = json!({});
    let kept = office.call("PUT", "/instances/1", &whole).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
    let happened = [office
        .intuit
        .books(REALM)
        .unwrap()
        .create("Invoice")
        .unwrap()];
    assert_eq!(office.notify(&happened).await, 200);
    assert_eq!(
        verified(&office.receiver.wait_for(1).await[0])["instanceName"],
        "New"
    );

    let by_token = async |method, path| office.call_by(token, method, path).await;
    let off = by_token("DELETE", "/instances/enabled").await;
    assert_eq!(off.json()["disabled"], true);
    assert_eq!(by_token("GET", "/instances/events").await.status, 403);
    let on = by_token("PUT", "/instances/enabled").await;
    assert_eq!(on.json()["disabled"], false);
    assert_eq!(by_token("GET", "/instances/events").await.status, 200);
    assert_eq!(by_token("DELETE", "/instances").await.status, 200);
    assert_eq!(by_token("GET", "/instances").await.status, 401);
    for method in ["GET", "DELETE"] {
        let gone = office.call(method, "/instances/1", &Value::Null).await;
        assert_eq!(gone.status, 404, "{method}");
    }
}

#[tokio::test]
async fn a_callback_that_keeps_failing_is_paused_and_sent_again_when_it_is_asked_for() {
    let failing = (0..3)
        .map(|_| Answer::Status(500))
        .chain([Answer::Status(200)]);
    let instances = "private_callbacks = true\nretry_delays = [\"100 ms\", \"100 ms\"]";
    let office = Office::open(instances, failing.collect()).await;
    office
        .create(json!({ "event.vendor.type": "webhook" }))
        .await;
    let books = office.intuit.books(REALM).unwrap();
    let first = [books.create("Invoice").unwrap()];
    assert_eq!(office.notify(&first).await, 200);
    let queue = "/notifications/subscriptions/deliveries\
                 ?where=channel%3D%27webhook%27%20and%20status%3D%27queued%27";
    let queued = settled("the subscription is paused", async || {
        let queued = office.call("GET", queue, &Value::Null).await.json();
        (!queued.as_array().unwrap().is_empty()).then_some(queued)
    })
    .await;
    assert_eq!(queued[0]["subscription"]["active"], false);
    assert_eq!(office.receiver.requests().len(), 3);
    // It waits in the queue, in order, and a person is called for.
    let second = [books.create("Bill").unwrap()];
    assert_eq!(office.notify(&second).await, 200);
    settled("a person is called for", async || {
        let status = office.gateway.command(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        (status["condition"] == "attention").then_some(())
    })
    .await;

    let checked = office.gateway.command(&["check"]);
    let checked = String::from_utf8(checked.stdout).unwrap();
    let line = "instance 1 (API Instance): its subscription is paused";
    assert!(checked.contains(line), "{checked}");
    let status = office.gateway.command(&["status"]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(
        status.contains("instances       1, 0 switched off, 1 paused"),
        "{status}"
    );

    assert_eq!(office.call("PUT", queue, &Value::Null).await.status, 200);
    let requests = office.receiver.wait_for(5).await;
    let of = |at: usize| verified(&requests[at])["events"][0]["objectType"].clone();
    assert_eq!((of(3), of(4)), (json!("invoices"), json!("bills")));
}

#[tokio::test]
async fn instances_are_there_after_a_restart_and_go_on() {
    let mut office = Office::open("private_callbacks = true", vec![Answer::Status(200)]).await;
    let made = office
        .create(json!({ "event.vendor.type": "webhook" }))
        .await;
    assert_eq!(office.gateway.end_by("KILL"), None);
    office.gateway.start();
    let again = office
        .call_by(&made["token"], "GET", "/instances")
        .await
        .json();
    // The token is told to the organization, which could make another one, and no more to others.
    let mut masked = made.clone();
    masked["token"] = json!(MASK);
    assert_eq!(again, masked);
    let read = office.call("GET", "/instances/1", &Value::Null).await;
    assert_eq!(read.json(), made);
    let happened = [office
        .intuit
        .books(REALM)
        .unwrap()
        .create("Invoice")
        .unwrap()];
    assert_eq!(office.notify(&happened).await, 200);
    verified(&office.receiver.wait_for(1).await[0]);
}

#[tokio::test]
async fn tokens_of_another_company_are_revoked_only_where_that_ends_no_connection() {
    let other = "9341455841580196";
    let company = |realm: &str| CompanyFacts {
        realm: realm.into(),
        environment: Environment::Production,
    };
    let options = Options {
        companies: vec![company(REALM), company(other)],
        ..Options::default()
    };
    let private = "private_callbacks = true";
    let office = Office::open_with(options, private, vec![Answer::Status(200)]).await;
    let revoked = || office.intuit.calls().all(Call::Revoke);
    let foreign = async || {
        let mut body = office.body(json!({})).await;
        let code = office.intuit.code("client", other, "https://mycoolapp.com");
        body["providerData"]["code"] = json!(code.unwrap());
        let came = office.call("POST", "/instances", &body).await;
        assert_eq!(came.status, 400, "{}", came.text);
        came.json()["providerMessage"].as_str().unwrap().to_owned()
    };
    let said = foreign().await;
    assert!(said.contains("They were revoked at Intuit"), "{said}");
    assert_eq!(revoked(), 1);

    // What an owner brings is the owner's, who may use it for the company that it is of.
    let theirs = office.intuit.authorize("client", other).unwrap();
    let mut body = office
        .body(json!({
            "oauth.user.token": theirs.access,
            "oauth.user.refresh_token": theirs.refresh,
        }))
        .await;
    body["externalAuthentication"] = json!("initial");
    body["providerData"]["code"] = json!("");
    let came = office.call("POST", "/instances", &body).await;
    assert_eq!(came.status, 400, "{}", came.text);
    assert_eq!(revoked(), 1);

    // That company may be the one that is connected.
    office.create(json!({})).await;
    let said = foreign().await;
    assert!(said.contains("dropped and not revoked"), "{said}");
    assert_eq!(revoked(), 1);
}

#[tokio::test]
async fn tokens_that_an_owner_brings_are_used_and_renewed() {
    let office = Office::open("private_callbacks = true", vec![Answer::Status(200)]).await;
    let (access, refresh) = office.tokens();
    let mut body = office
        .body(json!({
            "event.vendor.type": "webhook",
            "oauth.user.token": access,
            "oauth.user.refresh_token": refresh,
        }))
        .await;
    body["externalAuthentication"] = json!("initial");
    body["providerData"]["code"] = json!("");
    let came = office.call("POST", "/instances", &body).await;
    assert_eq!(came.status, 200, "{}", came.text);
    let shown = came.json();
    assert_eq!(shown["externalAuthentication"], "initial");
    assert_eq!(shown["configuration"]["oauth.user.refresh_token"], MASK);
    // What was changed is read with them.
    office
        .intuit
        .books(REALM)
        .unwrap()
        .create("Invoice")
        .unwrap();
    let happened = [office.intuit.books(REALM).unwrap().create("Bill").unwrap()];
    assert_eq!(office.notify(&happened).await, 200);
    let requests = office.receiver.wait_for(2).await;
    let told: Vec<Value> = requests.iter().map(verified).collect();
    assert!(
        told.iter().any(|told| told["raw"]["invoices"].is_array()),
        "{told:?}"
    );
}
