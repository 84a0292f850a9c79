//! The callback of Cloud Elements and SAP Open Connectors. Sources: their events documentation, and
//! captured callbacks.
//!
//! The envelope has the keys of the published QuickBooks capture in their order. Numbers that only
//! the platform could know come from [`OpenConnectors`]; ids come from digests, so that a retry has
//! the same ones. A replay says so in a header. An event of a client that did not sign says so
//! in `authenticity`, and one whose kind is not decided has in `notified` what the client wrote.
//!
//! It has two shapes. What was notified is shown as the vendor wrote it; what was polled is shown as
//! records, of one resource, and with the time of the poll. A polling instance knows the second only.

mod bean;
mod notified;
mod polled;

use super::{delivery_id, embed};
use crate::model::{
    Authenticity, Change, ChangeId, Delivery, Manner, Operation, Origin, RealmId, Timestamp,
};
use crate::wire::digest::{first, sha256};
use crate::wire::entity;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Content type of [`encode`].
pub const CONTENT_TYPE: &str = "application/json";

/// Events that one callback about what was notified has at most (its events overview).
pub const EVENTS_MAX: usize = 20;

/// Events that one callback about what was polled has at most (the same page).
pub const POLLED_EVENTS_MAX: usize = 10;

/// The platform account that the callbacks appear to come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenConnectors {
    /// `message.accountId`.
    pub account_id: u32,
    /// `message.companyId`: the customer of the platform, not the QuickBooks company.
    pub company_id: u32,
    /// `message.userId`.
    pub user_id: u32,
    /// `user`.
    pub user: String,
    /// The element instance of each company; one that is missing here gets [`Instance::of`].
    pub instances: BTreeMap<RealmId, Instance>,
    /// In which shape changes are told.
    pub shape: Shape,
}

/// Which changes are told in which shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum Shape {
    /// Everything as it would have been notified, with the body that brought it.
    #[default]
    Notified,
    /// Everything as it would have been polled, with its record: a polling instance.
    Polled,
    /// What was notified as that, and what a reading found as polled.
    ByOrigin,
}

impl Shape {
    /// Whether this change is told as polled.
    pub const fn is_polled(self, change: &Change) -> bool {
        match self {
            Self::Notified => false,
            Self::Polled => true,
            Self::ByOrigin => !matches!(change.origin, Origin::Webhook),
        }
    }

    /// How many of `changes`, from the first, fit into one callback; at least one. A merge is told
    /// as an update and a deletion.
    pub fn fitting(self, changes: &[Change]) -> usize {
        let Some(head) = changes.first() else {
            return 1;
        };
        let is_polled = self.is_polled(head);
        let events_max = if is_polled {
            POLLED_EVENTS_MAX
        } else {
            EVENTS_MAX
        };
        let resource = |change: &Change| entity::resource(&change.notification.entity.kind);
        let head_resource = resource(head);
        let mut events = 0;
        let fits = |change: &&Change| {
            events += 1 + usize::from(merged_away(change).is_some());
            let alike = self.is_polled(change) == is_polled
                && (!is_polled || resource(change) == head_resource);
            alike && events <= events_max
        };
        changes.iter().take_while(fits).count().max(1)
    }
}

/// `message.eventId` of a callback to this instance that begins with this change: 20 characters of
/// Base64 for URLs.
pub fn event_id(instance: u32, change: &ChangeId) -> String {
    URL_SAFE_NO_PAD.encode(first::<15>(&digest("event", instance, &change.0)))
}

/// `id` of a callback to this instance with this change alone: 53 bits, so that a receiver whose
/// numbers are doubles keeps them apart.
pub fn notification_id(instance: u32, change: &ChangeId) -> u64 {
    number(instance, &change.0)
}

/// The id of a delivery in this format, in the body and in `Elements-Webhook-Id`: the same over all
/// attempts, and another one for another instance, whose callback may be the same.
pub fn id(delivery: &Delivery, account: &OpenConnectors) -> String {
    let instance = account.instance(&delivery.lane.realm);
    let mut of = delivery_id(delivery);
    let is_replay = matches!(delivery.manner, Manner::Replay(_));
    let is_polled = |head: &Change| account.shape.is_polled(head);
    let is_notified = !delivery.changes.first().is_some_and(is_polled);
    if is_replay && is_notified && delivery.body.is_none() {
        // Its `raw` is no longer kept, so it is another body than the one before.
        of.push_str(" without raw");
    }
    number(instance.id, &of).to_string()
}

fn number(instance: u32, delivery: &str) -> u64 {
    u64::from_be_bytes(first(&digest("notification", instance, delivery))) >> 11
}

fn digest(of: &str, instance: u32, id: &str) -> [u8; 32] {
    let domain = format!("qbo-relay open-connectors {of}");
    sha256(&domain, &[&instance.to_be_bytes(), id.as_bytes()])
}

/// An element instance: one authorized QuickBooks company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// `instanceId`, 1 to 2^31 - 1.
    pub id: u32,
    /// `instanceName`.
    pub name: String,
    /// `instanceTags`.
    pub tags: Vec<String>,
}

impl Default for OpenConnectors {
    fn default() -> Self {
        Self {
            account_id: 1,
            company_id: 1,
            user_id: 1,
            user: "notifications@cloud-elements.com".into(),
            instances: BTreeMap::new(),
            shape: Shape::default(),
        }
    }
}

impl OpenConnectors {
    fn instance(&self, realm: &RealmId) -> Instance {
        let configured = self.instances.get(realm).cloned();
        configured.unwrap_or_else(|| Instance::of(realm))
    }
}

impl Instance {
    /// The instance of a company that none was configured for; always the same one.
    pub fn of(realm: &RealmId) -> Self {
        let fields: [&[u8]; 1] = [realm.as_str().as_bytes()];
        let digest = sha256("qbo-relay open-connectors instance", &fields);
        let name = format!("QuickBooks {realm}");
        Self {
            id: (u32::from_be_bytes(first(&digest)) >> 1).max(1),
            tags: vec![name.clone()],
            name,
        }
    }
}

/// The body of a callback for a delivery of changes that fit into one ([`Shape::fitting`]).
///
/// `raw` of what was notified is the sender's body unchanged where it holds only this company,
/// otherwise its entries for this company; `{}` when the body is no longer kept. `createdDate` is
/// when the notification or the answer to the poll arrived, because the time of the attempt would
/// make every retry another body.
pub fn encode(delivery: &Delivery, account: &OpenConnectors) -> Vec<u8> {
    written(delivery, account, false)
}

/// The same as a line of a file, where only `message.replay` can say that it is a replay.
pub fn encode_line(delivery: &Delivery, account: &OpenConnectors) -> Vec<u8> {
    written(
        delivery,
        account,
        matches!(delivery.manner, Manner::Replay(_)),
    )
}

fn written(delivery: &Delivery, account: &OpenConnectors, replay: bool) -> Vec<u8> {
    let realm = &delivery.lane.realm;
    let instance = account.instance(realm);
    let head = delivery.changes.first();
    let (raw, events) = match head.filter(|head| account.shape.is_polled(head)) {
        Some(head) => polled::told(head, &delivery.changes),
        None => {
            let body = delivery.body.as_deref();
            let raw = body.and_then(|body| notified::raw(body, realm));
            let events = delivery.changes.iter();
            (
                raw,
                events.flat_map(|change| events_of(change, None)).collect(),
            )
        }
    };
    let callback = Callback {
        severity: "medium",
        created_date: created_date(delivery),
        topic: format!("instance-{}-{ELEMENT}-events", instance.id),
        action: "create",
        id: id(delivery, account),
        message: Message {
            element_key: ELEMENT,
            account_id: account.account_id,
            event_id: head
                .map(|head| event_id(instance.id, &head.id))
                .unwrap_or_default(),
            company_id: account.company_id,
            instance_id: instance.id,
            instance_id_again: instance.id,
            instance_name: &instance.name,
            instance_tags: &instance.tags,
            raw: raw.or_else(|| embed("{}")),
            user_id: account.user_id,
            events,
            replay,
        },
        user: &account.user,
    };
    serde_json::to_vec(&callback).expect("text, numbers and JSON text can be written as JSON")
}

/// What of a body that was posted is about this company; `None` where nothing is.
pub(in crate::wire) fn own_part(body: &[u8], realm: &RealmId) -> Option<Box<RawValue>> {
    notified::raw(body, realm)
}

const ELEMENT: &str = "quickbooks";

/// The keys of the capture in their order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Callback<'a> {
    severity: &'static str,
    created_date: String,
    topic: String,
    action: &'static str,
    id: String,
    message: Message<'a>,
    user: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    element_key: &'static str,
    account_id: u32,
    event_id: String,
    company_id: u32,
    instance_id: u32,
    #[serde(rename = "instance_id")]
    instance_id_again: u32,
    instance_name: &'a str,
    instance_tags: &'a [String],
    raw: Option<Box<RawValue>>,
    user_id: u32,
    events: Vec<Event<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replay: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::wire) struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    element_key: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_date: Option<String>,
    event_type: &'static str,
    hub_key: &'static str,
    object_id: Cow<'a, str>,
    object_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notified: Option<Box<RawValue>>,
}

/// The events of one change as they stand in lists of events: with plain ids.
pub(in crate::wire) fn events(change: &Change) -> impl Iterator<Item = Event<'_>> {
    events_of(change, None)
}

/// The events of one change: one, or for a merge two. No notification has the sync token that the
/// platform puts behind an id, so the id is plain unless a record has it.
fn events_of<'a>(change: &'a Change, object_id: Option<String>) -> impl Iterator<Item = Event<'a>> {
    let notification = &change.notification;
    let is_undecided = notification.entity.kind.parse::<i32>().is_ok();
    let is_unsigned = matches!(
        change.authenticity,
        Authenticity::Credential | Authenticity::Address
    );
    let event = move |event_type, object_id| Event {
        date: notification.happened.at.and_then(date),
        element_key: ELEMENT,
        poll_date: None,
        event_type,
        hub_key: "finance",
        object_id,
        object_type: entity::resource(&notification.entity.kind),
        authenticity: is_unsigned.then(|| change.authenticity.as_str()),
        notified: notification
            .data
            .as_deref()
            .filter(|_| is_undecided)
            .and_then(embed),
    };
    let object_id = object_id.map_or(Cow::Borrowed(notification.entity.id.as_str()), Cow::Owned);
    let deleted = merged_away(change).map(|id| event("DELETED", Cow::Borrowed(id)));
    std::iter::once(event(event_type(change), object_id)).chain(deleted)
}

fn event_type(change: &Change) -> &'static str {
    match change.notification.operation {
        Operation::Create => "CREATED",
        Operation::Update | Operation::Merge | Operation::Void | Operation::Emailed => "UPDATED",
        Operation::Delete => "DELETED",
        Operation::Other(_) => "UNKNOWN",
    }
}

/// The record that a merge removed.
fn merged_away(change: &Change) -> Option<&str> {
    let notification = &change.notification;
    match notification.operation {
        Operation::Merge => notification.deleted_id.as_deref(),
        _ => None,
    }
}

/// RFC 3339 in whole seconds.
pub(in crate::wire) fn date(at: Timestamp) -> Option<String> {
    let seconds = jiff::Timestamp::from_second(at.as_seconds()).ok()?;
    Some(seconds.to_string())
}

/// The form of Java's `Date.toString()`, in UTC.
fn created_date(delivery: &Delivery) -> String {
    let received = delivery.changes.first().map(|change| change.received_at);
    let seconds = received.unwrap_or(Timestamp::from_ms(0)).as_seconds();
    let instant = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    instant.strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
}

#[cfg(test)]
mod tests;
