//! CloudEvents 1.0 in the structured and the batched JSON form, and in the binary form of HTTP.
//!
//! `data` is what is known of the change. Sources: CloudEvents 1.0, its JSON format, its HTTP binding,
//! and its `sequence` extension.

use super::embed;
use crate::model::Change;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// Content type of [`encode_data`], which is also `datacontenttype`.
pub const CONTENT_TYPE_DATA: &str = "application/json";

/// One change as one event; `replay` marks it as sent again at the operator's wish, where nothing else
/// can.
pub fn encode_one(change: &Change, replay: bool) -> Vec<u8> {
    bytes(&event(change, replay))
}

/// Several changes as an array of events, in order.
pub fn encode_batch(changes: &[Change], replay: bool) -> Vec<u8> {
    let events: Vec<Event<'_>> = changes.iter().map(|change| event(change, replay)).collect();
    bytes(&events)
}

/// The `data` of one change: the body in binary mode.
pub fn encode_data(change: &Change) -> Vec<u8> {
    bytes(&event(change, false).data)
}

/// The attributes of one change as header fields, without `datacontenttype`, which is the content
/// type in binary mode (HTTP binding, section 3.1.1).
pub fn header_fields(change: &Change) -> Vec<(String, String)> {
    let attributes = serde_json::to_value(event(change, false).attributes);
    let attributes = attributes.ok().and_then(|value| match value {
        Value::Object(attributes) => Some(attributes),
        _ => None,
    });
    let fields = attributes.unwrap_or_default().into_iter();
    let fields = fields.filter(|(name, _)| name != "datacontenttype");
    let text = |value: Value| match value {
        Value::String(text) => header_encoded(&text),
        other => other.to_string(),
    };
    fields
        .map(|(name, value)| (format!("ce-{name}"), text(value)))
        .collect()
}

/// One event: its attributes, and `data` as the last member.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(flatten)]
    attributes: Attributes<'a>,
    data: Data<'a>,
}

/// The attributes in the order in which they are written. Attribute names have no capitals, by the
/// standard.
#[derive(Serialize)]
struct Attributes<'a> {
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    future: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirms: Option<&'a str>,
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
    let attributes = Attributes {
        specversion: "1.0",
        id: &change.id.0,
        source: format!("/qbo/{}", percent_encoded(notification.realm.as_str())),
        event_type: &notification.event_type,
        subject: notification.entity.to_string(),
        time: notification.happened.own().map(|at| at.to_string()),
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
        future: change.is_ahead(),
        confirms: change.confirms.as_ref().map(|id| &*id.0),
    };
    Event {
        attributes,
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

/// A header value (HTTP binding, section 3.1.3.2): the percent sign, the double quote, the space and
/// everything outside the printable ASCII characters are percent-encoded.
fn header_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_graphic() && byte != b'%' && byte != b'"' {
            true => encoded.push(char::from(byte)),
            false => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}
