//! Answers against the documented ones, and against what the API's own tests ask of them.

use super::*;
use crate::model::{
    Authenticity, Change, ChangeId, ChangeSeq, Instance, InstanceDraft, Interest, Item, Origin,
    RealmId, Seq,
};
use crate::wire::decode;
use crate::wire::elements::{
    By, Configuration, DeliveryStatus, ExternalAuthentication, FailurePolicy, MASK,
};
use crate::wire::json as lossless;
use serde_json::Value;

const DOCUMENTED: &str = include_str!("../../../../tests/data/elements/instance.json");
const VENDOR: &[u8] = include_bytes!("../../../../tests/data/legacy-create-and-merge.json");
const TOKEN: &str = "ABC/Dxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// 2017-08-07T18:46:38.120Z
const CREATED: Timestamp = Timestamp::from_ms(1_502_131_598_120);

fn id() -> InstanceId {
    InstanceId::new(12345).unwrap()
}

fn documented() -> Instance {
    Instance {
        id: id(),
        created_at: CREATED,
        updated_at: CREATED,
        disabled_at: None,
        polling_stopped: None,
        draft: InstanceDraft {
            realm: RealmId::new("1").unwrap(),
            name: "API Instance".into(),
            tags: vec!["Docs".into()],
            token_digest: [0; 32],
            sealed: vec![],
            events: None,
        },
    }
}

fn shown<'a>(instance: &'a Instance, configuration: &'a Configuration) -> Shown<'a> {
    Shown {
        instance,
        token: TOKEN,
        configuration,
        external_authentication: ExternalAuthentication::None,
        trace_logging: false,
        valid: true,
        user_id: 12345,
        user: "ops@erp.example",
        warnings: Vec::new(),
    }
}

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

/// The keys of an object in their order.
fn keys_of(object: &str) -> Vec<String> {
    let entries = lossless::entries(object, 100).unwrap().unwrap();
    entries.into_iter().map(|(key, _)| key).collect()
}

#[test]
fn an_instance_has_every_documented_key_in_its_place_and_kind() {
    let configuration = Configuration::default();
    let instance = documented();
    let body = String::from_utf8(super::instance(&shown(&instance, &configuration))).unwrap();
    let (ours, theirs) = (value(body.as_bytes()), value(DOCUMENTED.as_bytes()));
    let element = |text: &str| {
        let [element] = lossless::pick(text, [lossless::Key::Exact("element")]).unwrap();
        element.unwrap().get().to_owned()
    };
    assert_eq!(keys_of(&body), keys_of(DOCUMENTED));
    assert_eq!(keys_of(&element(&body)), keys_of(&element(DOCUMENTED)));
    for (ours, theirs) in [(&ours, &theirs), (&ours["element"], &theirs["element"])] {
        for (key, theirs) in theirs.as_object().unwrap() {
            let kind = std::mem::discriminant(theirs);
            assert_eq!(std::mem::discriminant(&ours[key]), kind, "{key}");
        }
    }
    for key in [
        "id",
        "name",
        "createdDate",
        "token",
        "elementId",
        "tags",
        "valid",
        "disabled",
    ] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    assert_eq!(ours["user"]["id"], theirs["user"]["id"]);
}

#[test]
fn a_configuration_is_shown_as_text_without_its_secrets() {
    let mut configuration = Configuration::default();
    for (key, value) in [
        ("oauth.api.key", "s3cret"),
        ("oauth.api.secret", "s3cret"),
        ("event.notification.signature.key", "s3cret"),
        ("event.notification.basic.password", ""),
        ("event.notification.callback.url", "https://a.example/"),
        ("event.notification.enabled", "true"),
    ] {
        configuration.set(key, value);
    }
    let mut instance = documented();
    instance.disabled_at = Some(CREATED);
    instance.polling_stopped = Some((CREATED, "100 polls failed".into()));
    instance.draft.events = Some(Interest {
        webhook: true,
        polling: None,
        calls_back: true,
    });
    let shown = shown(&instance, &configuration);
    let whole = value(&super::instance(&shown));
    let told = &whole["configuration"];
    for (key, expected) in [
        ("oauth.api.key", MASK),
        ("oauth.api.secret", MASK),
        ("event.notification.signature.key", MASK),
        ("event.notification.basic.password", ""),
        ("event.notification.enabled", "true"),
    ] {
        assert_eq!(told[key], expected, "{key}");
    }
    assert_eq!(whole["eventsEnabled"], true);
    assert_eq!(whole["eventsNotificationCallbackUrl"], "https://a.example/");
    assert_eq!(whole["disabled"], true);
    assert_eq!(whole["pollingDisabledDate"], "2017-08-07T18:46:38Z");
    assert_eq!(whole["pollingDisabledReason"], "100 polls failed");
    let list = value(&instances(&[shown], false));
    assert_eq!(list[0]["configuration"], serde_json::json!({}));
    assert_eq!(list[0]["element"]["key"], "quickbooks");
    assert_eq!(list[0]["element"]["hub"], Value::Null);
    let items = super::configuration(&configuration);
    assert!(!format!("{whole}{list}{}", value(&items)).contains("s3cret"));
}

#[test]
fn every_item_of_a_configuration_has_a_number_and_a_value() {
    let mut set = Configuration::default();
    set.set("event.poller.refresh_interval", "5");
    set.set("own", "x");
    let items = value(&configuration(&set));
    let item = |key: &str| {
        let mut items = items.as_array().unwrap().iter();
        items.find(|item| item["key"] == key).unwrap()
    };
    for (key, expected) in [
        ("event.poller.refresh_interval", "5"),
        ("event.notification.enabled", "false"),
        ("filter.response.nulls", "true"),
        ("event.poller.urls", ""),
        ("own", "x"),
    ] {
        let item = item(key);
        assert_eq!(item["propertyValue"], expected, "{key}");
        assert!(
            ["name", "description", "type"]
                .iter()
                .all(|key| item[key].is_string())
        );
        assert!(
            ["active", "required", "hideFromConsole"]
                .iter()
                .all(|key| item[key].is_boolean())
        );
        let number = u32::try_from(item["id"].as_u64().unwrap()).unwrap();
        assert_eq!(&value(&configuration_item(&set, number).unwrap()), item);
    }
    assert_eq!(configuration_item(&set, 999), None);
}

/// The first two changes of a notification: a creation and a merge.
fn changes() -> Vec<Change> {
    let numbered = (1..).zip(decode(VENDOR, 10).items);
    let change = |(number, item)| match item {
        Item::Notification(notification) => Some(Change {
            seq: ChangeSeq(number),
            id: ChangeId("f".repeat(32)),
            receipt: Seq(1),
            sequence: 1,
            origin: Origin::Webhook,
            authenticity: Authenticity::Signed,
            received_at: CREATED,
            late: false,
            conflicting: false,
            epoch: 0,
            confirms: None,
            notification,
            record: Some("{}".into()),
        }),
        Item::Unreadable(_) => None,
    };
    numbered.filter_map(change).collect()
}

fn event_of<'a>(change: &'a Change, status: DeliveryStatus) -> ShownEvent<'a> {
    ShownEvent {
        instance: id(),
        id: "AXBooiL_qrZEur0mJV08",
        notification: 69_182_068,
        change,
        body: Some(VENDOR),
        status,
        failure: None,
    }
}

#[test]
fn an_event_says_what_came_and_what_left() {
    let changes = changes();
    let waiting = value(&event(&event_of(&changes[0], DeliveryStatus::Created)));
    assert_eq!(waiting["id"], "AXBooiL_qrZEur0mJV08");
    assert_eq!(waiting["eventDate"], "2017-08-07T18:46:38Z");
    assert_eq!(waiting["status"], "RECEIVED");
    assert_eq!(
        waiting["providerData"],
        std::str::from_utf8(VENDOR).unwrap()
    );
    assert_eq!(waiting["notifiedData"], serde_json::json!([]));
    let own = &waiting["eventElementInstances"][0];
    assert_eq!(
        (&own["elementInstanceId"], &own["notificationId"]),
        (&12345.into(), &69_182_068.into())
    );
    let polled = ShownEvent {
        body: None,
        ..event_of(&changes[1], DeliveryStatus::Delivered)
    };
    let list = value(&events(&[
        polled,
        event_of(&changes[1], DeliveryStatus::Queued),
    ]));
    assert_eq!(
        (&list[0]["status"], &list[0]["providerData"]),
        (&"NOTIFIED".into(), &"{}".into())
    );
    let types: Vec<&Value> = list[0]["notifiedData"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["eventType"])
        .collect();
    assert_eq!(types, ["UPDATED", "DELETED"], "a merge makes two");
    assert_eq!(list[1]["status"], "DISPATCHED");
}

#[test]
fn what_became_of_an_event_is_said_in_the_documented_words() {
    let changes = changes();
    let failing = ShownEvent {
        failure: Some("HTTP 500"),
        ..event_of(&changes[0], DeliveryStatus::Retry)
    };
    let list = [failing, event_of(&changes[0], DeliveryStatus::Created)];
    assert_eq!(
        String::from_utf8(dispositions(&list)).unwrap(),
        concat!(
            r#"[{"eventId":"AXBooiL_qrZEur0mJV08","elementInstanceId":12345,"#,
            r#""notificationData":[{"message":"Error delivering event: HTTP 500"}]},"#,
            r#"{"eventId":"AXBooiL_qrZEur0mJV08","elementInstanceId":12345,"notificationData":[]}]"#,
        )
    );
}

#[test]
fn spans_are_counted_as_a_whole_and_by_account_or_instance() {
    let span = CountedSpan {
        begin: CREATED,
        counted: vec![Counted {
            of: 7,
            count: 3,
            success: 2,
            failed: 1,
        }],
    };
    let text = |by| String::from_utf8(analytics(by, std::slice::from_ref(&span))).unwrap();
    let begin = r#"[{"timestamp":"2017-08-07T18:46:38Z","count":3,"total":3"#;
    let records = r#","records":[{"count":3,"success":2,"failed":1,"#;
    assert_eq!(text(By::Time), format!("{begin}}}]"));
    assert_eq!(
        text(By::Account),
        format!(r#"{begin}{records}"accountId":7}}]}}]"#)
    );
    assert_eq!(
        text(By::Instance),
        format!(r#"{begin}{records}"instanceId":7}}]}}]"#)
    );
}

#[test]
fn a_callback_is_a_subscription_and_its_events_are_deliveries() {
    let shown = ShownSubscription {
        instance: InstanceId::new(523_232).unwrap(),
        url: "https://a.example/",
        active: true,
    };
    assert_eq!(
        String::from_utf8(subscription(&shown)).unwrap(),
        concat!(
            r#"{"id":523232,"channel":"webhook","topics":["instance-523232-quickbooks-events"],"#,
            r#""config":{"url":"https://a.example/"},"active":true}"#,
        )
    );
    let changes = changes();
    let list = [(event_of(&changes[0], DeliveryStatus::Queued), shown)];
    let list = value(&deliveries(&list));
    assert_eq!(list[0]["status"], "queued");
    assert_eq!(list[0]["notificationId"], 69_182_068);
    assert_eq!(list[0]["subscription"], value(&subscriptions(&[shown]))[0]);
    let notification = &list[0]["notification"];
    assert_eq!(notification["topic"], "instance-12345-quickbooks-events");
    assert!(
        notification["message"]
            .as_str()
            .unwrap()
            .contains("\"CREATED\"")
    );
}

#[test]
fn small_answers_are_as_documented() {
    let text = |body| String::from_utf8(body).unwrap();
    assert_eq!(
        text(settings(FailurePolicy::Queue)),
        r#"{"notification.webhook.failure.policy":"queue"}"#
    );
    assert_eq!(
        text(oauth_url("https://appcenter.intuit.com/connect/oauth2")),
        r#"{"oauthUrl":"https://appcenter.intuit.com/connect/oauth2","element":"quickbooks"}"#
    );
    let request = "59f894e3e4b03f1001b9ac63";
    let refused = Wrong::refused_by_provider("Bad Request", "3100");
    assert_eq!(
        text(wrong(&refused, request)),
        r#"{"requestId":"59f894e3e4b03f1001b9ac63","message":"Bad Request","providerMessage":"3100"}"#
    );
    assert_eq!(
        text(wrong(&Wrong::not_found("No users found"), request)),
        r#"{"requestId":"59f894e3e4b03f1001b9ac63","message":"No users found"}"#
    );
}
