//! The form before 2026: `eventNotifications` (Intuit's webhooks documentation).

use super::cloud_event::no_realm;
use super::field::{self, Fault, Optional};
use super::{Entry, Items, identity, json};
use crate::model::{EntityRef, EventTime, Notification, Operation, RealmId};
use crate::wire::instant;
use crate::wire::json::Key;
use serde_json::value::RawValue;

/// The value of `eventNotifications`: one entry for each company.
pub(super) fn read_notifications(notifications: &RawValue, items: &mut Items<'_>) {
    let raw = notifications.get();
    if !raw.starts_with('[') {
        let fault = Fault::new("eventNotifications", "expected an array");
        return items.add_fault(raw, fault);
    }
    let found = json::elements(raw, items.left);
    for (at, notification) in found.kept.iter().enumerate() {
        let place = format!("eventNotifications[{at}]");
        if let Err(fault) = read_entities(notification.get(), &place, items) {
            items.add(notification.get(), &place, Err(fault));
        }
    }
    let place = || format!("eventNotifications[{}]", found.kept.len());
    items.skip(place, found.left);
}

/// The entities of one company, added one by one; a fault in what they share is the error.
fn read_entities(notification: &str, place: &str, items: &mut Items<'_>) -> Result<(), Fault> {
    let [realm, event] = json::fields(
        notification,
        [Key::Exact("realmId"), Key::Exact("dataChangeEvent")],
    )
    .map_err(|why| Fault::new("", why))?;
    let realm = field::id(realm, "realmId")?;
    let realm = RealmId::new(realm).ok_or_else(|| no_realm("realmId"))?;
    if items.damaged.is_some() && realm.as_str().contains(char::REPLACEMENT_CHARACTER) {
        return Err(Fault::new("realmId", "not UTF-8"));
    }
    let event = event.ok_or_else(|| Fault::new("dataChangeEvent", "missing"))?;
    let [entities] = json::fields(event.get(), [Key::Exact("entities")])
        .map_err(|why| Fault::new("dataChangeEvent", why))?;
    let at = "dataChangeEvent.entities";
    let entities = entities
        .filter(|entities| entities.get().starts_with('['))
        .ok_or_else(|| Fault::new(at, "expected an array"))?;
    let found = json::elements(entities.get(), items.left);
    for (index, entity) in found.kept.iter().enumerate() {
        let read = read_entity(entity.get(), &realm, items.damaged.is_some());
        items.add(entity.get(), &format!("{place}.{at}[{index}]"), read);
    }
    let place = || format!("{place}.{at}[{}]", found.kept.len());
    items.skip(place, found.left);
    if found.kept.is_empty() && found.left == 0 {
        return Err(Fault::new(at, "empty: nothing was notified"));
    }
    Ok(())
}

fn read_entity<'a>(entity: &'a str, realm: &RealmId, is_damaged: bool) -> Result<Entry<'a>, Fault> {
    let [name, id, operation, updated, deleted] = json::fields(
        entity,
        [
            Key::Exact("name"),
            Key::Exact("id"),
            Key::Exact("operation"),
            Key::Exact("lastUpdated"),
            Key::AnyCase("deletedId"),
        ],
    )
    .map_err(|why| Fault::new("", why))?;
    let name = field::word(name, "name")?;
    let id = field::id(id, "id")?;
    let verb = field::word(operation, "operation")?;
    let mut optional = Optional::new(is_damaged);
    let read = optional.text(updated, "lastUpdated");
    let deleted_id = optional
        .text(deleted, "deletedId")
        .filter(|id| !id.is_empty());
    // What cannot be read of it still tells two changes apart.
    let is_unread = !optional.left_out.is_empty() && read.is_none();
    let raw = updated.filter(|_| is_unread).map_or("", RawValue::get);
    let text = read.unwrap_or_default();
    let moment = if is_unread { raw } else { &text };
    let operation = Operation::parse(&verb);
    let mut notification = Notification {
        realm: realm.clone(),
        identity: identity::of_legacy(realm.as_str(), &name, &id, &verb, moment),
        event_type: format!("qbo.{}.{}.v1", name.to_ascii_lowercase(), operation.verb()),
        entity: EntityRef { kind: name, id },
        operation,
        happened: EventTime {
            at: instant::parse(&text),
            text,
        },
        deleted_id,
        sender_id: None,
        data: None,
        content: 0,
    };
    notification.content = identity::content(&notification);
    Ok(Entry {
        notification,
        left_out: optional.left_out,
    })
}
