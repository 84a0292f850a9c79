//! What holds of every decoded body, whatever the bytes were: it can be explained, and it can leave.

use crate::model::{
    Authenticity, Change, ChangeSeq, Delivery, Item, Lane, Manner, Notification, Origin, Seq,
    SinkName, Timestamp, Unreadable,
};
use crate::wire::outgoing::{cloud_event, delivery_id, open_connectors};
use crate::wire::{Decoded, identity, instant};
use bytes::Bytes;
use serde_json::Value;

/// Checks what was read from `body`, which Intuit signed.
///
/// # Panics
/// When something cannot be explained, or could not leave in one of the formats.
pub fn signed(body: &[u8], decoded: &Decoded) {
    items(body, &decoded.items);
    for item in &decoded.items {
        if let Item::Notification(Notification { happened, .. }) = item {
            assert!(decoded.form.is_some(), "understood, but in no form");
            assert_eq!(happened.at, instant::parse(&happened.text));
        }
    }
}

/// Checks what was read from `body`, whoever sent it.
///
/// # Panics
/// As [`signed`].
pub fn items(body: &[u8], items: &[Item]) {
    assert!(!items.is_empty(), "nothing is kept of it");
    for item in items {
        match item {
            Item::Notification(notification) => {
                understood(notification);
                leaves(body, notification);
            }
            Item::Unreadable(Unreadable { at, why, .. }) => complaint(at, why),
        }
    }
}

/// Checks what is said of something that cannot be read.
///
/// # Panics
/// When it says nothing, too much, or what would upset a terminal.
pub fn complaint(at: &str, why: &str) {
    assert!(!at.is_empty() && !why.is_empty());
    assert!(at.len() + why.len() < 600, "a long complaint: {why}");
    assert!(printable(at) && printable(why), "{at:?} {why:?}");
}

fn understood(notification: &Notification) {
    assert!(!notification.realm.as_str().is_empty());
    assert!(!notification.entity.kind.is_empty() && !notification.entity.id.is_empty());
    assert!(!notification.operation.as_str().is_empty());
    assert!(notification.event_type.split('.').count() >= 4);
    assert_eq!(notification.content, identity::content(notification));
    let words = [
        notification.realm.as_str(),
        &notification.entity.id,
        &notification.event_type,
        &notification.happened.text,
    ];
    assert!(
        words
            .iter()
            .all(|word| word.len() <= 4096 && printable(word))
    );
}

fn printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// What leaves is one line of JSON that any parser reads, and says what was notified.
fn leaves(body: &[u8], notification: &Notification) {
    let change = Change {
        seq: ChangeSeq(1),
        id: identity::change_id(notification.identity, notification.content, false),
        receipt: Seq(1),
        sequence: 1,
        origin: Origin::Webhook,
        authenticity: Authenticity::Signed,
        received_at: Timestamp::from_ms(0),
        late: false,
        conflicting: false,
        epoch: 0,
        confirms: None,
        notification: notification.clone(),
        record: None,
    };
    let event = read(&cloud_event::encode_one(&change, false));
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["realmid"], notification.realm.as_str());
    assert_eq!(event["entityid"], notification.entity.id.as_str());
    for attribute in ["id", "source", "type"] {
        let value = event[attribute].as_str();
        assert!(value.is_some_and(|value| !value.is_empty()), "{attribute}");
    }
    let batch = read(&cloud_event::encode_batch(
        std::slice::from_ref(&change),
        true,
    ));
    assert_eq!(batch[0]["id"], event["id"]);
    let delivery = Delivery {
        lane: Lane {
            sink: SinkName::new("fuzz").expect("a name"),
            realm: notification.realm.clone(),
        },
        manner: Manner::Live,
        attempt: 1,
        changes: vec![change],
        body: Some(Bytes::copy_from_slice(body)),
    };
    assert_eq!(event["id"], delivery_id(&delivery).as_str());
    let account = open_connectors::OpenConnectors::default();
    let callback = read(&open_connectors::encode(&delivery, &account));
    let events = callback["message"]["events"].as_array().expect("events");
    assert_eq!(events[0]["objectId"], notification.entity.id.as_str());
    assert!(events.len() <= open_connectors::EVENTS_MAX);
    polled(body, delivery);
}

/// Whatever QuickBooks calls a record leaves as one that any parser reads, and beside each event stands
/// the record that it is about.
fn polled(record: &[u8], mut delivery: Delivery) {
    let record = String::from_utf8_lossy(record).into_owned();
    let id = delivery.changes[0].notification.entity.id.clone();
    delivery.changes[0].record = Some(record);
    let account = open_connectors::OpenConnectors {
        shape: open_connectors::Shape::Polled,
        ..open_connectors::OpenConnectors::default()
    };
    let message = &read(&open_connectors::encode(&delivery, &account))["message"];
    let resource = message["raw"]["objectType"].as_str().expect("a resource");
    let records = message["raw"][resource].as_array().expect("records");
    let events = message["events"].as_array().expect("events");
    assert_eq!(records.len(), events.len());
    assert_eq!(records[0]["systemId"], id.as_str());
    for (record, event) in records.iter().zip(events) {
        assert_eq!(record["objectId"], event["objectId"]);
    }
}

fn read(line: &[u8]) -> Value {
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    serde_json::from_slice(line).expect("what leaves is JSON")
}
