//! What leaves for polled changes, compared with captured callbacks.

use super::*;
use crate::model::{
    Authenticity, ChangeSeq, EntityRef, EventTime, Identity, Lane, Notification, Seq, SinkName,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const QUICKBOOKS: &str = include_str!("../../../../tests/data/elements/quickbooks-polled.json");
const NETSUITE: &str = include_str!("../../../../tests/data/elements/netsuite-polled.json");

/// The record of the captured invoice, as QuickBooks gives it.
const RECORD: &str = concat!(
    r#"{"Balance":10000,"Id":"2","SyncToken":"0","AllowIPNPayment":false,"#,
    r#""PrintStatus":"NotSet","SalesTermRef":{"value":"3"}}"#
);

/// 2020-02-21T16:43:39Z, the time of the captured poll.
const POLLED: Timestamp = Timestamp::from_ms(1_582_303_419_000);

fn change(number: i64, kind: &str, operation: Operation) -> Change {
    let created = "2020-02-21T08:43:41-08:00";
    Change {
        seq: ChangeSeq(number),
        id: ChangeId(format!("change{number}")),
        receipt: Seq(1),
        sequence: u64::try_from(number).unwrap(),
        origin: Origin::Poll,
        authenticity: Authenticity::Fetched,
        received_at: POLLED,
        late: false,
        conflicting: false,
        epoch: 0,
        confirms: None,
        notification: Notification {
            realm: RealmId::new("310687").unwrap(),
            entity: EntityRef {
                kind: kind.into(),
                id: "2".into(),
            },
            operation,
            happened: EventTime {
                text: created.into(),
                at: crate::wire::instant::parse(created),
            },
            deleted_id: None,
            event_type: String::new(),
            sender_id: None,
            data: None,
            identity: Identity([0; 16]),
            content: 0,
        },
        record: Some(RECORD.into()),
    }
}

fn invoice(number: i64) -> Change {
    change(number, "Invoice", Operation::Create)
}

fn of_webhook(change: Change) -> Change {
    Change {
        origin: Origin::Webhook,
        ..change
    }
}

fn merge(change: Change) -> Change {
    let mut merge = change;
    merge.notification.operation = Operation::Merge;
    merge.notification.deleted_id = Some("27".into());
    merge
}

/// The callback for these changes, of the instance of the capture.
fn callback(shape: Shape, changes: Vec<Change>) -> Value {
    let realm = changes[0].notification.realm.clone();
    let account = OpenConnectors {
        account_id: 643,
        company_id: 280,
        user_id: 2374,
        instances: BTreeMap::from([(
            realm.clone(),
            Instance {
                id: 8_948_659,
                name: "Demoday".into(),
                tags: vec!["Demoday".into()],
            },
        )]),
        shape,
        ..OpenConnectors::default()
    };
    let delivery = Delivery {
        lane: Lane {
            sink: SinkName::new("instance-8948659").unwrap(),
            realm,
        },
        manner: Manner::Live,
        attempt: 1,
        changes,
        body: Some(r#"[{"intuitaccountid":"310687"}]"#.into()),
    };
    serde_json::from_slice(&encode(&delivery, &account)).unwrap()
}

fn read(capture: &str) -> Value {
    serde_json::from_str(capture).unwrap()
}

#[test]
fn a_polled_invoice_leaves_as_the_captured_one() {
    let mut captured = read(QUICKBOOKS);
    let made = callback(Shape::Polled, vec![invoice(1)]);
    // Ids, and the times at which the platform did its part.
    captured["id"] = made["id"].clone();
    captured["message"]["eventId"] = made["message"]["eventId"].clone();
    assert_eq!(made["createdDate"], "Fri Feb 21 16:43:39 UTC 2020");
    captured["createdDate"] = made["createdDate"].clone();
    // What was cut out of the capture: the NetSuite one has the first two, and the records of the
    // platform's own test suite have the third.
    let raw = &mut captured["message"]["raw"];
    raw["pollDate"] = json!(1_582_303_419_000_i64);
    raw["objectType"] = json!("invoices");
    raw["invoices"][0]["syncToken"] = json!("0");
    assert_eq!(made, captured);
}

#[test]
fn the_envelope_has_the_fields_of_the_other_capture_in_the_same_forms() {
    fn outline(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let named = members
                    .iter()
                    .map(|(key, value)| (key.clone(), outline(value)));
                Value::Object(named.collect())
            }
            Value::Array(_) => json!("array"),
            Value::String(_) => json!("string"),
            Value::Number(_) => json!("number"),
            Value::Bool(_) | Value::Null => json!("word"),
        }
    }
    let captured = read(NETSUITE);
    let made = callback(Shape::Polled, vec![invoice(1)]);
    assert_eq!(outline(&made), outline(&captured));
    let event = |callback: &Value| outline(&callback["message"]["events"][0]);
    assert_eq!(event(&made), event(&captured));
    let id = |callback: &Value| callback["message"]["eventId"].as_str().unwrap().len();
    assert_eq!(id(&made), id(&captured));
}

/// What pairs an entry of `raw` with an event: the type, and the id with the sync token.
fn pairs(message: &Value, resource: &str) -> [Vec<[Value; 2]>; 2] {
    let outline = |entry: &Value| [entry["eventType"].clone(), entry["objectId"].clone()];
    let outlines = |list: &Value| list.as_array().unwrap().iter().map(outline).collect();
    [
        outlines(&message["raw"][resource]),
        outlines(&message["events"]),
    ]
}

#[test]
fn every_polled_event_has_its_entry_in_raw_and_in_the_same_place() {
    let deleted = |number| change(number, "Invoice", Operation::Delete);
    let mut unread = invoice(2);
    unread.record = None;
    let mut damaged = invoice(3);
    damaged.record = Some("{".into());
    let voided = change(5, "Invoice", Operation::Void);
    let other = change(6, "Invoice", Operation::Other("Archive".into()));
    let merged = merge(invoice(7));
    let changes = vec![
        deleted(1),
        unread,
        damaged,
        deleted(4),
        voided,
        other,
        merged,
    ];
    let message = &callback(Shape::Polled, changes)["message"];
    let [entries, events] = pairs(message, "invoices");
    assert_eq!(entries, events);
    let expected = [
        ["DELETED", "2"],
        ["CREATED", "2"],
        ["CREATED", "2"],
        ["DELETED", "2"],
        ["UPDATED", "2|0"],
        ["UNKNOWN", "2|0"],
        ["UPDATED", "2|0"],
        ["DELETED", "27"],
    ];
    assert_eq!(events, expected);
    let gone = json!({
        "domain": "QBO", "status": "Deleted", "id": "2",
        "metaData": { "lastUpdatedTime": "2020-02-21T08:43:41-08:00" },
        "objectId": "2", "systemId": "2", "eventType": "DELETED",
    });
    assert_eq!(message["raw"]["invoices"][0], gone);
    let unread = json!({ "id": "2", "objectId": "2", "systemId": "2", "eventType": "CREATED" });
    assert_eq!(message["raw"]["invoices"][1], unread);
    assert_eq!(message["raw"]["invoices"][7]["systemId"], "27");
}

#[test]
fn a_polled_merge_shows_the_record_that_is_left_and_the_one_that_is_not() {
    let message = &callback(Shape::Polled, vec![merge(invoice(1))])["message"];
    assert_eq!(message["raw"]["invoices"][0]["balance"], 10_000);
    assert_eq!(message["raw"]["invoices"][1]["status"], "Deleted");
    assert_eq!(message["events"][1]["pollDate"], "2020-02-21T16:43:39Z");
}

#[test]
fn each_origin_has_its_shape() {
    for (shape, change, is_polled) in [
        (Shape::Notified, invoice(1), false),
        (Shape::Notified, of_webhook(invoice(1)), false),
        (Shape::Polled, invoice(1), true),
        (Shape::Polled, of_webhook(invoice(1)), true),
        (Shape::ByOrigin, invoice(1), true),
        (Shape::ByOrigin, of_webhook(invoice(1)), false),
    ] {
        let message = &callback(shape, vec![change])["message"];
        let (date, id) = (
            &message["events"][0]["pollDate"],
            &message["events"][0]["objectId"],
        );
        if is_polled {
            assert_eq!([date, id], ["2020-02-21T16:43:39Z", "2|0"], "{shape:?}");
            assert_eq!(message["raw"]["objectType"], "invoices");
        } else {
            assert_eq!((date, id), (&Value::Null, &json!("2")), "{shape:?}");
            assert_eq!(message["raw"][0]["intuitaccountid"], "310687");
        }
    }
}

#[test]
fn a_callback_has_ten_polled_events_of_one_resource_or_twenty_notified_ones() {
    let many = |one: fn(i64) -> Change| (1..=30).map(one).collect::<Vec<Change>>();
    let polled = many(invoice);
    let notified = many(|number| of_webhook(invoice(number)));
    assert_eq!(Shape::Polled.fitting(&polled), 10);
    assert_eq!(Shape::Polled.fitting(&notified), 10);
    assert_eq!(Shape::ByOrigin.fitting(&polled), 10);
    assert_eq!(Shape::ByOrigin.fitting(&notified), 20);
    assert_eq!(Shape::Notified.fitting(&polled), 20);
    assert_eq!(
        Shape::Polled.fitting(&many(|number| merge(invoice(number)))),
        5
    );
    let bill = |number| change(number, "Bill", Operation::Update);
    let mixed = [invoice(1), invoice(2), bill(3), invoice(4)];
    assert_eq!(Shape::Polled.fitting(&mixed), 2);
    assert_eq!(Shape::Notified.fitting(&mixed), 4);
    let both = [invoice(1), of_webhook(invoice(2))];
    assert_eq!(Shape::ByOrigin.fitting(&both), 1);
    assert_eq!(Shape::Polled.fitting(&both), 2);
    assert_eq!(Shape::Polled.fitting(&[]), 1);
}

#[test]
fn the_event_id_is_that_of_the_first_change() {
    let id = |changes: Vec<Change>| callback(Shape::Polled, changes)["message"]["eventId"].clone();
    let (one, two) = (id(vec![invoice(1)]), id(vec![invoice(1), invoice(2)]));
    assert_eq!(one, two);
    assert_eq!(one, event_id(8_948_659, &invoice(1).id));
    assert_ne!(one, id(vec![invoice(2)]));
}

/// `raw` of a callback to company 310687 about a notification that was posted so.
fn raw(body: &str) -> Value {
    let realm = RealmId::new("310687").unwrap();
    let delivery = Delivery {
        lane: Lane {
            sink: SinkName::new("instance-8948659").unwrap(),
            realm,
        },
        manner: Manner::Live,
        attempt: 1,
        changes: vec![of_webhook(invoice(1))],
        body: Some(body.to_owned().into()),
    };
    let made = encode(&delivery, &OpenConnectors::default());
    serde_json::from_slice::<Value>(&made).unwrap()["message"]["raw"].clone()
}

#[test]
fn whatever_the_original_listener_takes_is_told_as_its_json_equivalent() {
    let entity = json!({
        "name": "Invoice", "id": "2", "operation": "Update", "lastUpdated": "2015-10-05T14:42:19-07:00",
    });
    let notification = json!({ "realmId": "310687", "dataChangeEvent": { "entities": [entity] } });
    let one = json!({ "eventNotifications": [notification] });
    let jsv = "{eventNotifications:[{realmId:310687,dataChangeEvent:{entities:[{name:Invoice,id:2,\
               operation:Update,lastUpdated:2015-10-05T14:42:19-07:00}]}},{realmId:9,dataChangeEvent:\
               {entities:[{name:Invoice,id:5,operation:Update,lastUpdated:2015-10-05}]}}]}";
    let list = "[{realmId:310687,dataChangeEvent:{entities:[{name:Invoice,id:2,operation:Update,\
                lastUpdated:2015-10-05T14:42:19-07:00}]}},{realmId:9}]";
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("EventNotifications", list)
        .finish();
    let csv = format!("EventNotifications\r\n\"{list}\"\r\n");
    let xml = "<QboWebhooksRequest xmlns=\"http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener\">\
               <EventNotifications><QBOEventNotification><RealmId>310687</RealmId>\
               <DataChangeEvent><Entities><QBOEntity><Name>Invoice</Name><Id>2</Id><Operation>Update\
               </Operation><LastUpdated>2015-10-05T14:42:19-07:00</LastUpdated></QBOEntity></Entities>\
               </DataChangeEvent></QBOEventNotification></EventNotifications></QboWebhooksRequest>";
    for body in [jsv, &*form, &*csv, xml] {
        assert_eq!(raw(body), one, "{body}");
    }
    let other_names = json!({ "EventNotifications": [{ "RealmId": "9" }, {
        "RealmId": "310687", "DataChangeEvent": { "Entities": [{ "Name": "Invoice", "Id": "2",
        "Operation": "Update", "LastUpdated": "2015-10-05T14:42:19-07:00" }] } }] });
    assert_eq!(raw(&other_names.to_string()), one);
}

#[test]
fn a_batch_of_requests_is_told_as_it_was_posted_or_as_far_as_it_is_of_the_company() {
    let request = |realm: &str, id: u8| {
        format!(
            r#"{{"eventNotifications":[{{"realmId":"{realm}","dataChangeEvent":{{"entities":[{{"name":"Invoice","id":"{id}","operation":"Update","lastUpdated":"2015-10-05T14:42:19-07:00"}}]}}}}]}}"#
        )
    };
    let (own, more, other) = (request("310687", 2), request("310687", 3), request("9", 4));
    let all = format!("[{own}, {more}]");
    assert_eq!(raw(&all), read(&all));
    let some = format!("[{own}, {other}, {more}]");
    assert_eq!(raw(&some), read(&all));
    assert_eq!(raw(&format!("[{other}]")), json!({}));
    let jsv = "[{eventNotifications:[{realmId:9}]},{eventNotifications:[{realmId:310687}]}]";
    let told = json!([{ "eventNotifications": [
        { "realmId": "310687", "dataChangeEvent": { "entities": [] } },
    ]}]);
    assert_eq!(raw(jsv), told);
}

#[test]
fn what_is_of_others_alone_or_of_nobody_is_not_told() {
    for body in [
        r#"{"intuitaccountid":"9","type":"qbo.invoice.created.v1"}"#,
        r#"[{"intuitaccountid":"9"}]"#,
        r#"{"eventNotifications":[{"realmId":"9"}]}"#,
        "<QboWebhooksRequest/>",
        "<a><b>",
        "EventNotifications",
        "a,b\r\n310687,2\r\n",
        "310687",
        "",
        "\u{1}",
    ] {
        assert_eq!(raw(body), json!({}), "{body}");
    }
}
