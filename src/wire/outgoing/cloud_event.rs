//! CloudEvents 1.0 in the structured and the batched JSON form.
//!
//! `data` is what is known of the change. Sources: CloudEvents 1.0, its JSON format, its HTTP binding,
//! and its `sequence` extension.

use super::embed;
use crate::model::Change;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// Content type of [`encode_one`].
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// Content type of [`encode_batch`].
pub const CONTENT_TYPE_BATCH: &str = "application/cloudevents-batch+json";

/// One change as one event; `replay` marks it as sent again at the operator's wish.
pub fn encode_one(change: &Change, replay: bool) -> Vec<u8> {
    bytes(&event(change, replay))
}

/// Several changes as an array of events, in order.
pub fn encode_batch(changes: &[Change], replay: bool) -> Vec<u8> {
    let events: Vec<Event<'_>> = changes.iter().map(|change| event(change, replay)).collect();
    bytes(&events)
}

/// The attributes in the order in which they are written. Attribute names have no capitals, by the
/// standard.
#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    realmid: &'a str,
    entityid: &'a str,
    sequence: String,
    origin: &'static str,
    authenticity: &'static str,
    receivedtime: String,
    #[serde(skip_serializing_if = "is_zero")]
    epoch: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replay: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    conflicting: bool,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    operation: &'a str,
    entity: &'a str,
    entity_id: &'a str,
    /// The sender's own words; `time` is the instant that they mean.
    happened: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notified: Option<Box<RawValue>>,
    /// The whole record as QuickBooks gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Box<RawValue>>,
}

fn event(change: &Change, replay: bool) -> Event<'_> {
    let notification = &change.notification;
    Event {
        specversion: "1.0",
        id: &change.id.0,
        source: format!("/qbo/{}", percent_encoded(notification.realm.as_str())),
        event_type: &notification.event_type,
        subject: notification.entity.to_string(),
        time: notification.happened.at.map(|at| at.to_string()),
        datacontenttype: "application/json",
        realmid: notification.realm.as_str(),
        entityid: &notification.entity.id,
        // The `sequence` extension is compared as text, so all have the same length.
        sequence: format!("{:016}", change.sequence),
        origin: change.origin.as_str(),
        authenticity: change.authenticity.as_str(),
        receivedtime: change.received_at.to_string(),
        epoch: change.epoch,
        late: change.late,
        replay,
        conflicting: change.conflicting,
        data: Data {
            operation: notification.operation.as_str(),
            entity: &notification.entity.kind,
            entity_id: &notification.entity.id,
            happened: &notification.happened.text,
            deleted_id: notification.deleted_id.as_deref(),
            notification_id: notification.sender_id.as_deref(),
            notified: notification.data.as_deref().and_then(embed),
            record: change.record.as_deref().and_then(embed),
        },
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(epoch: &u64) -> bool {
    *epoch == 0
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("text, numbers and JSON text can be written as JSON")
}

/// A path segment of a URI reference: RFC 3986's unreserved characters as they are.
fn percent_encoded(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    encoded
}
