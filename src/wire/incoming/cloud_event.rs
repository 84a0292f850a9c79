//! The form that is live since 2026: an array of CloudEvents 1.0. Source: Intuit's announcement of
//! 2025-11-12.

use super::field::{self, Fault, Optional};
use super::{Entry, Items, entity, identity, json};
use crate::model::{EntityRef, EventTime, Notification, Operation, RealmId};
use crate::wire::instant;
use crate::wire::json::Key;
use serde_json::value::RawValue;

/// An array of them.
pub(super) fn read_array(json: &str, items: &mut Items<'_>) {
    let found = json::elements(json, items.left);
    for (at, event) in found.kept.iter().enumerate() {
        let read = read(event.get(), items.damaged.is_some());
        items.add(event.get(), &format!("[{at}]"), read);
    }
    items.skip(|| format!("[{}]", found.kept.len()), found.left);
    if let Some(error) = found.broken {
        items.add_fault(json, Fault::of_json(&error));
    }
}

/// One of them; the place in a fault is the field's name.
pub(super) fn read(event: &str, is_damaged: bool) -> Result<Entry<'_>, Fault> {
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
    let mut optional = Optional::new(is_damaged);
    // What cannot be read of it still tells two events apart.
    let source = match (source, optional.text(source, "source")) {
        (_, Some(text)) => text,
        (raw, None) => raw.map_or("", RawValue::get).to_owned(),
    };
    let source = if source == "null" {
        String::new()
    } else {
        source
    };
    let text = optional.text(time, "time").unwrap_or_default();
    let said = data.filter(|data| says_something(data.get()));
    let data = optional.keep(said, "data", readable);
    let deleted = data.and_then(|data| optional.keep(Some(data), "data", deleted));
    let deleted_id = optional
        .text(deleted.flatten(), "data.deletedid")
        .filter(|id| !id.is_empty());
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
        data: data.map(|data| data.get().to_owned()),
        content: 0,
    };
    notification.content = identity::content(&notification);
    Ok(Entry {
        notification,
        left_out: optional.left_out,
    })
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

/// `data`, which travels on verbatim, so the sinks' receivers have to be able to read it.
fn readable(data: &RawValue) -> Result<&RawValue, Fault> {
    let read = json::check_readable(data.get());
    read.map(|()| data).map_err(|why| Fault::new("data", why))
}

/// The id of the record that a merge removed, if `data` names one.
fn deleted(data: &RawValue) -> Result<Option<&RawValue>, Fault> {
    if !data.get().starts_with('{') {
        return Ok(None);
    }
    let found = json::fields(data.get(), [Key::AnyCase("deletedid")]);
    found
        .map(|[deleted]| deleted)
        .map_err(|why| Fault::new("data", why))
}
