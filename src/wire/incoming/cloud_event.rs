//! The form that is live since 2026: an array of CloudEvents 1.0. Source: Intuit's announcement of
//! 2025-11-12.

use super::field::{self, Fault};
use super::{Items, entity, identity, json};
use crate::model::{EntityRef, EventTime, Notification, Operation, RealmId};
use crate::wire::instant;
use crate::wire::json::Key;
use serde_json::value::RawValue;

/// An array of them.
pub(super) fn read_array(json: &str, items: &mut Items<'_>) {
    let found = json::elements(json, items.left);
    for (at, event) in found.kept.iter().enumerate() {
        let read = read(event.get());
        items.add(event.get(), &format!("[{at}]"), read);
    }
    items.skip(|| format!("[{}]", found.kept.len()), found.left);
    if let Some(error) = found.broken {
        items.add_fault(json, Fault::of_json(&error));
    }
}

/// One of them; the place in a fault is the field's name.
pub(super) fn read(event: &str) -> Result<Notification, Fault> {
    let keys = [
        "id",
        "source",
        "type",
        "time",
        "intuitentityid",
        "intuitaccountid",
        "data",
    ];
    let [id, source, kind, time, entity, realm, data] =
        json::fields(event, keys.map(Key::Exact)).map_err(|why| Fault::new("", why))?;
    let event_type = field::word(kind, "type")?;
    let (kind, operation) = read_type(&event_type)?;
    let realm = field::id(realm, "intuitaccountid")?;
    let entity_id = field::id(entity, "intuitentityid")?;
    let sender_id = field::id(id, "id")?;
    let source = field::optional(source, "source")?.unwrap_or_default();
    let text = field::optional(time, "time")?.unwrap_or_default();
    let data = data.map(RawValue::get).filter(|data| says_something(data));
    let deleted_id = data.map_or(Ok(None), read_data)?;
    let mut notification = Notification {
        realm: RealmId::new(realm).ok_or_else(|| no_realm("intuitaccountid"))?,
        entity: EntityRef {
            kind,
            id: entity_id,
        },
        operation,
        happened: EventTime {
            at: instant::parse(&text),
            text,
        },
        deleted_id,
        event_type,
        identity: identity::of_cloud_event(&source, &sender_id),
        sender_id: Some(sender_id),
        data: data.map(str::to_owned),
        content: 0,
    };
    notification.content = identity::content(&notification);
    Ok(notification)
}

/// A realm id that [`RealmId`] does not take.
pub(super) fn no_realm(at: &str) -> Fault {
    Fault::new(at, format!("longer than {} bytes", RealmId::BYTES_MAX))
}

/// Kind and operation from `namespace.entity.verb.vN`. The namespace may have dots in it; kinds are
/// QuickBooks' own only in the namespace `qbo`.
fn read_type(text: &str) -> Result<(String, Operation), Fault> {
    let mut from_the_end = text.rsplitn(4, '.');
    let mut next = || from_the_end.next().filter(|part| !part.is_empty());
    let (version, verb, segment, namespace) = (next(), next(), next(), next());
    let versioned = version.and_then(|version| version.strip_prefix(['v', 'V']));
    let numbered = versioned.is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    match (namespace, segment, verb) {
        (Some(namespace), Some(segment), Some(verb)) if numbered => {
            let own = namespace.eq_ignore_ascii_case("qbo");
            let kind = if own { entity::kind(segment) } else { segment };
            Ok((kind.to_owned(), Operation::parse(verb)))
        }
        _ => Err(Fault::new("type", "expected namespace.entity.verb.vN")),
    }
}

/// Whether `data` is more than `null` and `{}`.
fn says_something(data: &str) -> bool {
    data != "null" && !json::is_empty_object(data)
}

/// The id of the record that a merge removed, if `data` names one. `data` travels on verbatim, so
/// the sinks' receivers have to be able to read it.
fn read_data(data: &str) -> Result<Option<String>, Fault> {
    json::check_readable(data).map_err(|why| Fault::new("data", why))?;
    if !data.starts_with('{') {
        return Ok(None);
    }
    let [deleted] =
        json::fields(data, [Key::AnyCase("deletedid")]).map_err(|why| Fault::new("data", why))?;
    let deleted = field::optional(deleted, "data.deletedid")?;
    Ok(deleted.filter(|id| !id.is_empty()))
}
