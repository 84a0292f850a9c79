//! The neutral request into notifications, under the same identity as Intuit's legacy form has, so that
//! one change that comes both ways leaves once.
//!
//! What the framework would refuse (a name that is in no enumeration, text that is no date) is an error
//! of the whole request; what it would take but says nothing (no company, no id) is an unreadable entry.

use super::Malformed;
use super::dto::{Entity, Request, join};
use super::value::{self, EntityNumbers, Kind, Unfit};
use crate::model::{EntityRef, Item, Notification, Operation, RealmId, Unreadable};
use crate::wire::identity;
use serde_json::json;

/// Bytes that a field may have at most, as in the other forms.
const BYTES_MAX: usize = 1024;

/// The entries of some requests.
///
/// # Errors
/// A value that does not fit its type, by its path.
pub(super) fn items(requests: &[Request], numbers: &EntityNumbers) -> Result<Vec<Item>, Malformed> {
    let mut items = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let place = if requests.len() == 1 {
            String::new()
        } else {
            format!("[{at}]")
        };
        for (at, notification) in request.event_notifications.iter().enumerate() {
            let place = join(&place, &format!("eventNotifications[{at}]"));
            let realm = notification.realm_id.as_deref();
            let within = join(&place, "dataChangeEvent.entities");
            for (at, entity) in notification.entities.iter().enumerate() {
                let place = format!("{within}[{at}]");
                items.push(item(realm, entity, &place, numbers)?);
            }
            if notification.entities.is_empty() {
                let nothing = Fault::new("", "empty: nothing was notified");
                items.push(unreadable(realm, None, &within, nothing));
            }
        }
    }
    if items.is_empty() {
        let nothing = Fault::new("", "empty: nothing was notified");
        items.push(unreadable(None, None, "body", nothing));
    }
    Ok(items)
}

/// Why an entity says nothing.
struct Fault {
    field: &'static str,
    why: String,
}

impl Fault {
    fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self {
            field,
            why: why.into(),
        }
    }
}

fn item(
    realm: Option<&str>,
    entity: &Entity,
    place: &str,
    numbers: &EntityNumbers,
) -> Result<Item, Malformed> {
    let unfit = |field: &str, Unfit(why)| Malformed {
        at: join(place, field),
        why,
    };
    let kind = match entity.name.as_deref() {
        Some(name) => Some(numbers.kind(name).map_err(|error| unfit("name", error))?),
        None => None,
    };
    // A client may leave out what has the enumeration's first value, and its first one is Update.
    let operation = match entity.operation.as_deref() {
        Some(word) => value::operation(word).map_err(|error| unfit("operation", error))?,
        None => Operation::Update,
    };
    let happened = value::date(entity.last_updated.as_deref().unwrap_or_default())
        .map_err(|error| unfit("lastUpdated", error))?;
    Ok(match check(realm, entity, kind) {
        Ok((realm, id, kind)) => {
            let (kind, data) = represent(kind);
            let verb = operation.as_str();
            let mut notification = Notification {
                identity: identity::of_legacy(realm.as_str(), &kind, &id, verb, &happened.text),
                realm,
                event_type: format!("qbo.{}.{}.v1", kind.to_ascii_lowercase(), operation.verb()),
                entity: EntityRef { kind, id },
                operation,
                happened,
                deleted_id: entity.deleted_id.clone().filter(|id| !id.is_empty()),
                sender_id: None,
                data,
                content: 0,
            };
            notification.content = identity::content(&notification);
            Item::Notification(notification)
        }
        Err(fault) => unreadable(realm, Some(entity), place, fault),
    })
}

/// What a notification cannot be without.
fn check(
    realm: Option<&str>,
    entity: &Entity,
    kind: Option<Kind>,
) -> Result<(RealmId, String, Kind), Fault> {
    for (field, text) in [
        ("realmId", realm),
        ("id", entity.id.as_deref()),
        ("lastUpdated", entity.last_updated.as_deref()),
        ("deletedId", entity.deleted_id.as_deref()),
    ] {
        let text = text.unwrap_or_default();
        if text.len() > BYTES_MAX {
            return Err(Fault::new(field, format!("longer than {BYTES_MAX} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(Fault::new(field, "has control characters"));
        }
    }
    let present = |field, text: Option<&str>| match text {
        None => Err(Fault::new(field, "missing")),
        Some("") => Err(Fault::new(field, "empty")),
        Some(text) => Ok(text.to_owned()),
    };
    let too_long = || {
        Fault::new(
            "realmId",
            format!("longer than {} bytes", RealmId::BYTES_MAX),
        )
    };
    let realm = RealmId::new(present("realmId", realm)?).ok_or_else(too_long)?;
    let id = present("id", entity.id.as_deref())?;
    let kind = kind.ok_or_else(|| Fault::new("name", "missing"))?;
    Ok((realm, id, kind))
}

/// The kind of the record, and what else is to be told of it: a number that stands for several kinds
/// travels as it is, with the names that it can mean.
fn represent(kind: Kind) -> (String, Option<String>) {
    match kind {
        Kind::Named(name) => (name, None),
        Kind::Numbered { number, candidates } => {
            let data = json!({ "entityNumber": number, "candidates": candidates });
            (number.to_string(), Some(data.to_string()))
        }
    }
}

fn unreadable(realm: Option<&str>, entity: Option<&Entity>, place: &str, fault: Fault) -> Item {
    let said = entity.map(|entity| {
        [
            &entity.name,
            &entity.id,
            &entity.operation,
            &entity.last_updated,
            &entity.deleted_id,
        ]
    });
    let raw = json!(["servicestack", place, realm, said]).to_string();
    Item::Unreadable(Unreadable {
        at: match fault.field {
            "" => place.to_owned(),
            field => join(place, field),
        },
        why: fault.why,
        identity: identity::of_unreadable(raw.as_bytes()),
    })
}
