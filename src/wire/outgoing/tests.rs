//! What leaves, compared with the published captures and vectors.

use super::open_connectors::{Instance, OpenConnectors};
use super::*;
use crate::model::{
    Authenticity, Change, ChangeSeq, Item, Lane, Manner, Origin, RealmId, Seq, SinkName, Timestamp,
};
use crate::wire::{decode, identity};
use bytes::Bytes;
use serde_json::{Value, json};

const ACCOUNT: &[u8] = include_bytes!("../../../tests/data/cloudevents-account-created.json");
const CLASS: &[u8] = include_bytes!("../../../tests/data/cloudevents-class-created.json");
const INDENTED: &[u8] =
    include_bytes!("../../../tests/data/cloudevents-account-created-indented.json");
const LEGACY: &[u8] = include_bytes!("../../../tests/data/legacy-create-and-merge.json");

/// 2025-09-10T21:31:26.000Z
const RECEIVED: Timestamp = Timestamp::from_ms(1_757_539_886_000);

/// The delivery of all that a body says of its first company.
fn delivery(body: &[u8]) -> Delivery {
    let items = decode(body, 100).items;
    let changes: Vec<Change> = (1..)
        .zip(items)
        .filter_map(|(number, item)| match item {
            Item::Notification(notification) => Some(Change {
                seq: ChangeSeq(number),
                id: identity::change_id(notification.identity, notification.content, false),
                receipt: Seq(1),
                sequence: u64::try_from(number).unwrap(),
                origin: Origin::Webhook,
                authenticity: Authenticity::Signed,
                received_at: RECEIVED,
                late: false,
                conflicting: false,
                epoch: 0,
                confirms: None,
                notification,
                record: None,
            }),
            Item::Unreadable(_) => None,
        })
        .collect();
    let realm = changes[0].notification.realm.clone();
    Delivery {
        lane: Lane {
            sink: SinkName::new("erp").unwrap(),
            realm: realm.clone(),
        },
        manner: Manner::Live,
        attempt: 1,
        changes: changes
            .into_iter()
            .filter(|change| change.notification.realm == realm)
            .collect(),
        body: Some(Bytes::copy_from_slice(body)),
    }
}

fn change(body: &[u8]) -> Change {
    delivery(body).changes.remove(0)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn callback(delivery: &Delivery) -> Value {
    let body = open_connectors::encode(delivery, &OpenConnectors::default());
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_cloud_event_leaves_as_the_interface_says() {
    let account = change(ACCOUNT);
    let expected = format!(
        concat!(
            r#"{{"specversion":"1.0","id":"{}","source":"/qbo/310687","#,
            r#""type":"qbo.account.created.v1","subject":"Account/1234","#,
            r#""time":"2025-09-10T21:31:25.179Z","datacontenttype":"application/json","#,
            r#""realmid":"310687","entityid":"1234","sequence":"0000000000000001","#,
            r#""origin":"webhook","authenticity":"signed","receivedtime":"2025-09-10T21:31:26.000Z","#,
            r#""data":{{"operation":"Create","entity":"Account","entityId":"1234","#,
            r#""happened":"2025-09-10T21:31:25.179851517Z","#,
            r#""notificationId":"88cd52aa-33b6-4351-9aa4-47572edbd068"}}}}"#
        ),
        account.id
    );
    assert_eq!(text(cloud_event::encode_one(&account, false)), expected);
}

#[test]
fn marks_deleted_ids_and_the_senders_data_travel_with_the_event() {
    let mut merge = delivery(LEGACY).changes.remove(1);
    merge.late = true;
    merge.conflicting = true;
    let event: Value = serde_json::from_slice(&cloud_event::encode_one(&merge, true)).unwrap();
    assert_eq!(
        [&event["late"], &event["replay"], &event["conflicting"]],
        [true; 3]
    );
    assert_eq!(event["data"]["deletedId"], "27");
    assert_eq!(event["data"].get("notificationId"), None);
    let class: Value =
        serde_json::from_slice(&cloud_event::encode_one(&change(CLASS), false)).unwrap();
    let namespace = &class["data"]["notified"]["alternative_ids"][0]["namespace"];
    assert_eq!(namespace, "Intuit.sbseg.v4");
    for mark in ["late", "replay", "conflicting"] {
        assert_eq!(class.get(mark), None);
    }
}

#[test]
fn an_event_without_a_readable_time_says_what_was_written() {
    let mut odd = change(ACCOUNT);
    odd.notification.happened.at = None;
    odd.notification.happened.text = "soon".into();
    let event: Value = serde_json::from_slice(&cloud_event::encode_one(&odd, false)).unwrap();
    assert_eq!(event.get("time"), None);
    assert_eq!(event["data"]["happened"], "soon");
}

#[test]
fn attribute_names_and_values_are_those_of_the_standard() {
    let event: Value =
        serde_json::from_slice(&cloud_event::encode_one(&change(CLASS), true)).unwrap();
    for name in event.as_object().unwrap().keys() {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(name.chars().all(allowed), "{name}");
        assert!(name.len() <= 20, "{name}");
    }
    let mut strange = change(ACCOUNT);
    strange.notification.realm = RealmId::new("9341 %/é*").unwrap();
    let event: Value = serde_json::from_slice(&cloud_event::encode_one(&strange, false)).unwrap();
    assert_eq!(event["source"], "/qbo/9341%20%25%2F%C3%A9%2A");
    assert_eq!(event["realmid"], "9341 %/é*");
}

#[test]
fn a_batch_is_the_array_of_its_events() {
    let changes = delivery(LEGACY).changes;
    let one = |at: usize| text(cloud_event::encode_one(&changes[at], false));
    assert_eq!(
        text(cloud_event::encode_batch(&changes, false)),
        format!("[{},{}]", one(0), one(1))
    );
    assert_eq!(text(cloud_event::encode_batch(&[], false)), "[]");
}

#[test]
fn no_body_has_a_line_break() {
    let mut pretty = change(ACCOUNT);
    pretty.notification.data = Some("{\r\n \"a\\n\": 1\n}".into());
    let event = text(cloud_event::encode_one(&pretty, false));
    assert!(!event.contains(['\n', '\r']));
    assert!(event.contains(r#""notified":{   "a\n": 1 }"#), "{event}");
    let envelope = text(open_connectors::encode(
        &delivery(INDENTED),
        &OpenConnectors::default(),
    ));
    assert!(!envelope.contains(['\n', '\r']));
}

#[test]
fn the_open_connectors_envelope_has_the_keys_of_the_capture_in_their_order() {
    let account = OpenConnectors {
        account_id: 643,
        company_id: 280,
        user_id: 2374,
        instances: [(
            RealmId::new("310687").unwrap(),
            Instance {
                id: 8_948_659,
                name: "Demoday".into(),
                tags: vec!["Demoday".into()],
            },
        )]
        .into(),
        ..OpenConnectors::default()
    };
    let body = text(open_connectors::encode(&delivery(ACCOUNT), &account));
    let value: Value = serde_json::from_str(&body).unwrap();
    let expected = [
        r#"{"severity":"medium","createdDate":"Wed Sep 10 21:31:26 UTC 2025","#,
        r#""topic":"instance-8948659-quickbooks-events","action":"create","id":"ID","#,
        r#""message":{"elementKey":"quickbooks","accountId":643,"eventId":"EVENT","#,
        r#""companyId":280,"instanceId":8948659,"instance_id":8948659,"#,
        r#""instanceName":"Demoday","instanceTags":["Demoday"],"raw":RAW,"userId":2374,"#,
        r#""events":[{"date":"2025-09-10T21:31:25Z","elementKey":"quickbooks","#,
        r#""eventType":"CREATED","hubKey":"finance","objectId":"1234","#,
        r#""objectType":"ledger-accounts"}]},"user":"notifications@cloud-elements.com"}"#,
    ]
    .concat()
    .replace("\"ID\"", &value["id"].to_string())
    .replace("\"EVENT\"", &value["message"]["eventId"].to_string())
    .replace("RAW", std::str::from_utf8(ACCOUNT).unwrap());
    assert_eq!(body, expected);
    let digits = value["id"].as_str().unwrap();
    assert!(digits.parse::<u64>().unwrap() < 1 << 53);
    let event_id = value["message"]["eventId"].as_str().unwrap();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    assert!(
        event_id.len() == 20 && event_id.chars().all(allowed),
        "{event_id}"
    );
}

#[test]
fn a_merge_is_an_update_and_a_delete_and_ten_of_them_fit() {
    let events = &callback(&delivery(LEGACY))["message"]["events"];
    let outline: Vec<String> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            format!(
                "{} {} {}",
                event["eventType"], event["objectType"], event["objectId"]
            )
        })
        .collect();
    assert_eq!(
        outline,
        [
            r#""CREATED" "customers" "1""#,
            r#""UPDATED" "vendors" "46""#,
            r#""DELETED" "vendors" "27""#,
        ]
    );
    let mut full = delivery(LEGACY);
    full.changes = vec![full.changes[1].clone(); 30];
    let fitting = open_connectors::Shape::Notified.fitting(&full.changes);
    full.changes.truncate(fitting);
    let count = callback(&full)["message"]["events"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(count, open_connectors::EVENTS_MAX);
}

#[test]
fn every_operation_has_its_event_type() {
    for (verb, expected) in [
        ("created", "CREATED"),
        ("updated", "UPDATED"),
        ("deleted", "DELETED"),
        ("merged", "UPDATED"),
        ("void", "UPDATED"),
        ("emailed", "UPDATED"),
        ("frobbed", "UNKNOWN"),
    ] {
        let body = text(ACCOUNT.to_vec()).replace("created", verb);
        let events = &callback(&delivery(body.as_bytes()))["message"]["events"];
        assert_eq!(events[0]["eventType"], expected, "{verb}");
        assert_eq!(events.as_array().unwrap().len(), 1);
    }
}

#[test]
fn only_the_company_of_the_lane_is_in_the_raw_body() {
    let event = |realm: &str| text(ACCOUNT.to_vec()).replace("310687", realm);
    let inside = |realm: &str| event(realm).trim_matches(['[', ']']).to_owned();
    let raw = |body: &str| callback(&delivery(body.as_bytes()))["message"]["raw"].clone();
    let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();

    let two_companies = format!("[{},{},{}]", inside("1"), inside("2"), inside("1"));
    let cut = format!("[{},{}]", inside("1"), inside("1"));
    assert_eq!(raw(&two_companies), of(&cut));
    let broken_off = format!("[{},{{", inside("1"));
    assert_eq!(raw(&broken_off), of(&event("1")));
    let unreadable = format!(
        "[{},{{\"intuitaccountid\":\"1\",\"x\":\"\\ud800\"}}]",
        inside("1")
    );
    assert_eq!(raw(&unreadable), of(&event("1")));
    assert_eq!(raw(&inside("1")), of(&inside("1")));

    let company = |realm: &str| {
        format!(
            r#"{{"realmId":"{realm}","dataChangeEvent":{{"entities":[{{"name":"Bill","id":"1","operation":"Void"}}]}}}}"#
        )
    };
    let legacy = format!(
        r#"{{"v":1,"eventNotifications":[{},{}]}}"#,
        company("1"),
        company("2")
    );
    let cut = format!(r#"{{"eventNotifications":[{}]}}"#, company("1"));
    assert_eq!(raw(&legacy), of(&cut));
    let alone = format!(r#"{{"v":1,"eventNotifications":[{}]}}"#, company("1"));
    assert_eq!(raw(&alone), of(&alone));

    let mut forgotten = delivery(ACCOUNT);
    forgotten.body = None;
    assert_eq!(callback(&forgotten)["message"]["raw"], json!({}));
}

#[test]
fn the_same_id_has_the_same_bytes() {
    let first = delivery(LEGACY);
    let account = OpenConnectors::default();
    let again = [
        Delivery {
            attempt: 2,
            ..first.clone()
        },
        Delivery {
            manner: Manner::Replay(7),
            ..first.clone()
        },
    ];
    let callback = |delivery: &Delivery| {
        let id = open_connectors::id(delivery, &account);
        (id, open_connectors::encode(delivery, &account))
    };
    for again in &again {
        assert_eq!(callback(again), callback(&first));
        assert_eq!(message_id(again), message_id(&first));
    }
    // What a change is told with may be known, or forgotten, only later.
    let mut known = first.clone();
    known.changes[0].record = Some(r#"{"Id":"1","SyncToken":"0"}"#.into());
    let mut newer = first.clone();
    newer.changes[0].record = Some(r#"{"Id":"1","SyncToken":"1"}"#.into());
    let mut forgotten = again[1].clone();
    forgotten.body = None;
    let ids = [&first, &known, &newer].map(message_id);
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "{ids:?}"
    );
    assert_eq!(message_id(&known), ids[1], "and stays so");
    assert_ne!(callback(&forgotten).0, callback(&first).0);
    let event = |delivery: &Delivery| {
        let body = cloud_event::encode_one(&delivery.changes[0], false);
        serde_json::from_slice::<Value>(&body).unwrap()["id"].clone()
    };
    assert_eq!(event(&known), event(&first));
    let line = open_connectors::encode_line(&again[1], &account);
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(line["message"]["replay"], true);
}

#[test]
fn in_binary_mode_attributes_are_header_fields_and_the_body_is_data() {
    let mut account = change(ACCOUNT);
    account.late = true;
    account.notification.event_type = "Euro € \"😀\" 100%".into();
    let fields = cloud_event::header_fields(&account);
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let mut structured: Value =
        serde_json::from_slice(&cloud_event::encode_one(&account, false)).unwrap();
    for (name, value) in &fields {
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value}");
        let plain = percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .unwrap();
        let attribute = name.strip_prefix("ce-").unwrap();
        let expected = match structured[attribute].take() {
            Value::String(text) => text,
            other => other.to_string(),
        };
        assert_eq!(plain, expected, "{name}");
    }
    // The sample of the HTTP binding, section 3.1.3.2, with a quote and a percent sign.
    let kind = fields.iter().find(|(name, _)| name == "ce-type").unwrap();
    assert_eq!(kind.1, "Euro%20%E2%82%AC%20%22%F0%9F%98%80%22%20100%25");
    for required in [
        "ce-specversion",
        "ce-id",
        "ce-source",
        "ce-type",
        "ce-late",
        "ce-sequence",
    ] {
        assert!(names.contains(&required), "{names:?}");
    }
    assert!(!names.contains(&"ce-datacontenttype") && !names.contains(&"ce-data"));
    let data: Value = serde_json::from_slice(&cloud_event::encode_data(&account)).unwrap();
    assert_eq!(data, structured["data"]);
}

#[test]
fn a_callback_says_who_did_not_sign_and_what_is_not_decided() {
    let mut unsigned = delivery(ACCOUNT);
    let signed = callback(&unsigned)["message"]["events"][0].clone();
    assert_eq!(signed.get("authenticity"), None);
    assert_eq!(signed.get("notified"), None);
    let change = &mut unsigned.changes[0];
    change.authenticity = Authenticity::Address;
    change.notification.entity.kind = "21".into();
    let candidates = r#"{"candidates":["Department","Vendor"],"entityNumber":21}"#;
    change.notification.data = Some(candidates.into());
    let event = callback(&unsigned)["message"]["events"][0].clone();
    assert_eq!(event["authenticity"], "address");
    assert_eq!(event["objectType"], "21");
    assert_eq!(event["notified"]["candidates"][1], "Vendor");
}

#[test]
fn a_company_without_a_configured_instance_always_has_the_same_one() {
    let realm = |text: &str| RealmId::new(text).unwrap();
    let one = Instance::of(&realm("310687"));
    assert_eq!(one, Instance::of(&realm("310687")));
    assert_ne!(one.id, Instance::of(&realm("310688")).id);
    assert!((1..1 << 31).contains(&one.id));
    assert_eq!(one.name, "QuickBooks 310687");
}

#[test]
fn deliveries_with_other_contents_never_share_an_id() {
    let two = delivery(LEGACY);
    let mut first = two.clone();
    first.changes.truncate(1);
    let mut swapped = two.clone();
    swapped.changes.reverse();
    assert_eq!(delivery_id(&first), two.changes[0].id.0);
    let ids = [&two, &first, &swapped].map(delivery_id);
    assert!(ids[0].starts_with("batch_") && ids[0].len() == 38);
    assert!(ids[0] != ids[2] && ids.iter().all(|id| !id.contains('.')));
}

#[test]
fn the_published_elements_signatures_are_made() {
    let key = Secret::new("MySecretEventSignatureKey");
    let table: [(&[u8], &str); 3] = [
        (
            b"<INSERT_EVENT_NOTIFICATION_RESPONSE_BODY>",
            "sha256=jHdbRx5EZAsOfTwAPJOGkNUzQMVVdu5VJlxcsk+G6jQ=",
        ),
        (b"", "sha256=C0gHWF2AgEYRn772QwLINL7VFZDYhJSOYgzFLE6vs4Q="),
        (b"{}", "sha256=VCEjNAd+69UFD8GyBJHLTM9UoZnYx6WcvlKNmAG1gbU="),
    ];
    for (body, expected) in table {
        assert_eq!(elements_signature(&key, body), expected);
    }
}
