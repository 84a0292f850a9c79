//! The callback of Cloud Elements and SAP Open Connectors. Sources: their events documentation, and
//! captured callbacks.
//!
//! The envelope has the keys of the published QuickBooks capture in their order. Numbers that only
//! the platform could know come from [`OpenConnectors`]; ids come from digests, so that a retry has
//! the same ones. A replay says so in `message.replay`. An event of a client that did not sign says so
//! in `authenticity`, and one whose kind is not decided has in `notified` what the client wrote.

use super::{delivery_id, embed};
use crate::model::{Authenticity, Change, Delivery, Manner, Operation, RealmId, Timestamp};
use crate::wire::digest::{first, sha256};
use crate::wire::entity;
use crate::wire::json::{self, Key};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Content type of [`encode`].
pub const CONTENT_TYPE: &str = "application/json";

/// Events that one callback has at most (its events overview).
pub const EVENTS_MAX: usize = 20;

/// Changes that a delivery in this format may have: a merge makes two events, so any ten changes fit
/// into [`EVENTS_MAX`].
pub const CHANGES_MAX: usize = EVENTS_MAX / 2;

/// Entries of a body that are looked at when it is cut down to one company.
const ENTRIES_MAX: usize = 10_000;

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
        }
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

/// The body of a callback for a delivery of at most [`CHANGES_MAX`] changes.
///
/// `raw` is the sender's body unchanged where it holds only this company, otherwise its entries for
/// this company; `{}` when the body is no longer kept. `createdDate` is when the notification
/// arrived, because the time of the attempt would make every retry another body.
pub fn encode(delivery: &Delivery, account: &OpenConnectors) -> Vec<u8> {
    let realm = &delivery.lane.realm;
    let configured = account.instances.get(realm).cloned();
    let instance = configured.unwrap_or_else(|| Instance::of(realm));
    let id = delivery_id(delivery);
    let digest = |of: &str| sha256(&format!("qbo-relay open-connectors {of}"), &[id.as_bytes()]);
    let raw = delivery.body.as_deref().and_then(|body| raw(body, realm));
    let callback = Callback {
        severity: "medium",
        created_date: created_date(delivery),
        topic: format!("instance-{}-{ELEMENT}-events", instance.id),
        action: "create",
        // 53 bits, so that a receiver whose numbers are doubles keeps them apart.
        id: (u64::from_be_bytes(first(&digest("notification"))) >> 11).to_string(),
        message: Message {
            element_key: ELEMENT,
            account_id: account.account_id,
            event_id: URL_SAFE_NO_PAD.encode(first::<15>(&digest("event"))),
            company_id: account.company_id,
            instance_id: instance.id,
            instance_id_again: instance.id,
            instance_name: &instance.name,
            instance_tags: &instance.tags,
            raw: raw.or_else(|| embed("{}")),
            user_id: account.user_id,
            events: delivery.changes.iter().flat_map(events).collect(),
            replay: matches!(delivery.manner, Manner::Replay(_)),
        },
        user: &account.user,
    };
    serde_json::to_vec(&callback).expect("text, numbers and JSON text can be written as JSON")
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
struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    element_key: &'static str,
    event_type: &'static str,
    hub_key: &'static str,
    object_id: &'a str,
    object_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notified: Option<Box<RawValue>>,
}

/// The events of one change: one, or for a merge two (A1.4). The sync token that the original puts
/// behind an object id is not in a notification, so the id is plain.
fn events(change: &Change) -> impl Iterator<Item = Event<'_>> {
    let notification = &change.notification;
    let event_type = match notification.operation {
        Operation::Create => "CREATED",
        Operation::Update | Operation::Merge | Operation::Void | Operation::Emailed => "UPDATED",
        Operation::Delete => "DELETED",
        Operation::Other(_) => "UNKNOWN",
    };
    let merged_away = match notification.operation {
        Operation::Merge => notification.deleted_id.as_deref(),
        _ => None,
    };
    let is_undecided = notification.entity.kind.parse::<i32>().is_ok();
    let is_unsigned = matches!(
        change.authenticity,
        Authenticity::Credential | Authenticity::Address
    );
    let event = move |event_type, object_id| Event {
        date: notification.happened.at.and_then(date),
        element_key: ELEMENT,
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
    let deleted = merged_away.map(|id| event("DELETED", id));
    std::iter::once(event(event_type, &notification.entity.id)).chain(deleted)
}

/// RFC 3339 in whole seconds.
fn date(at: Timestamp) -> Option<String> {
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

/// The sender's body as far as it is about this company.
fn raw(body: &[u8], realm: &RealmId) -> Option<Box<RawValue>> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_ascii();
    match text.as_bytes().first() {
        Some(b'[') => cut_down(text, text, "intuitaccountid", realm),
        Some(b'{') => {
            let [notifications] = json::fields(text, [Key::Exact("eventNotifications")]).ok()?;
            match notifications {
                Some(array) => cut_down(text, array.get(), "realmId", realm),
                // A single CloudEvent: the delivery's company can only be its own.
                None => whole(text),
            }
        }
        _ => None,
    }
}

/// `body` itself when all entries of `array` are the company's, else only those that are.
fn cut_down(body: &str, array: &str, key: &'static str, realm: &RealmId) -> Option<Box<RawValue>> {
    let found = json::elements(array, ENTRIES_MAX);
    let own: Vec<&str> = found
        .kept
        .iter()
        .map(|entry| entry.get())
        .filter(|entry| is_of(entry, key, realm))
        .collect();
    let all = own.len() == found.kept.len() && found.left == 0;
    if let Some(body) = all.then(|| whole(body)).flatten() {
        return Some(body);
    }
    let list = own.join(",");
    embed(&match key {
        "realmId" => format!(r#"{{"eventNotifications":[{list}]}}"#),
        _ => format!("[{list}]"),
    })
}

fn whole(body: &str) -> Option<Box<RawValue>> {
    json::check_readable(body).ok().and_then(|()| embed(body))
}

/// Whether an entry is the company's, and one that a receiver can read.
fn is_of(entry: &str, key: &'static str, realm: &RealmId) -> bool {
    let named = json::fields(entry, [Key::Exact(key)]);
    let id = named.ok().and_then(|[value]| json::text(value?).ok()?);
    id.is_some_and(|id| id == realm.as_str()) && json::check_readable(entry).is_ok()
}
