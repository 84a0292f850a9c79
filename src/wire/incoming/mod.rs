//! What Intuit posts, understood as far as it can be.
//!
//! Called by the server after the signature was verified. Never fails and never drops anything: what
//! is not understood becomes an [`Item::Unreadable`] that says where and why, and the entries beside
//! it are not touched by it. The content decides which form it is, never the content type.

mod cloud_event;
pub(super) mod field;
#[cfg(test)]
mod hostile;
mod legacy;
#[cfg(test)]
mod tests;

use super::json::{self, Key};
use super::{entity, identity};
use crate::model::{Form, Identity, Item, Notification, Unreadable};
use field::Fault;
use std::borrow::Cow;

/// A body, understood as far as it can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// The payload form, where one was recognized.
    pub form: Option<Form>,
    /// What was in it, in order; never empty.
    pub items: Vec<Item>,
}

/// Takes a body apart.
///
/// An array is CloudEvents, an object with `eventNotifications` is the legacy form; a single
/// CloudEvent without an array around it and a byte order mark in front are understood too. At most
/// `items_max` entries are looked at; how many more there were is one unreadable entry. Of an array
/// that breaks off, the entries before the break are understood. Of a key that is there twice the
/// last one counts. A body that is not UTF-8 is read with U+FFFD in place of the bad bytes, and then
/// every entry that contains one is unreadable.
pub fn decode(body: &[u8], items_max: usize) -> Decoded {
    let text = String::from_utf8_lossy(body);
    let json = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut items = Items {
        body,
        damaged: matches!(text, Cow::Owned(_)).then(|| identity::of_unreadable(body)),
        left: items_max,
        items: Vec::new(),
        rest: None,
    };
    let form = match json.trim_ascii_start().as_bytes().first() {
        Some(b'[') => {
            cloud_event::read_array(json, &mut items);
            Some(Form::CloudEvents)
        }
        Some(b'{') => read_object(json, &mut items),
        None => None,
        Some(_) => {
            items.add_fault(json, Fault::new("body", "neither an array nor an object"));
            None
        }
    };
    items.close();
    if items.items.is_empty() {
        let nothing = Fault::new("body", "empty: nothing was notified");
        items.add_fault(json, nothing);
    }
    Decoded {
        form,
        items: items.items,
    }
}

fn read_object(json: &str, items: &mut Items<'_>) -> Option<Form> {
    let keys = ["eventNotifications", "specversion", "type"].map(Key::Exact);
    match json::pick(json, keys) {
        Ok([Some(notifications), _, _]) => {
            legacy::read_notifications(notifications, items);
            Some(Form::Legacy)
        }
        Ok([None, None, None]) if json::is_empty_object(json) => None,
        Ok([None, None, None]) => {
            let why = "neither an array of CloudEvents nor an object with eventNotifications";
            items.add_fault(json, Fault::new("body", why));
            None
        }
        Ok(_) => {
            items.add(json, "", cloud_event::read(json, items.damaged.is_some()));
            Some(Form::CloudEvents)
        }
        Err(error) => {
            items.add_fault(json, Fault::of_json(&error));
            None
        }
    }
}

/// An entry that was understood, and its optional parts that were not.
struct Entry<'a> {
    notification: Notification,
    left_out: Vec<(&'a str, Fault)>,
}

/// The items so far, and what is needed to make the next one.
struct Items<'a> {
    body: &'a [u8],
    /// The whole body's identity, where it is not UTF-8.
    damaged: Option<Identity>,
    /// How many more entries may be looked at.
    left: usize,
    items: Vec<Item>,
    /// Where the entries begin that are not looked at, and how many they are.
    rest: Option<(String, usize)>,
}

impl Items<'_> {
    /// One entry: its text, its place, and what was read from it.
    fn add(&mut self, raw: &str, place: &str, read: Result<Entry<'_>, Fault>) {
        self.left = self.left.saturating_sub(1);
        let Entry {
            notification,
            left_out,
        } = match read {
            Ok(entry) => entry,
            Err(fault) => return self.add_fault(raw, fault.within(place)),
        };
        let bad = |text: &str| text.matches(char::REPLACEMENT_CHARACTER).count();
        let bad_parts: usize = left_out.iter().map(|(part, _)| bad(part)).sum();
        if self.damaged.is_some() && bad(raw) > bad_parts {
            return self.add_fault(raw, Fault::new("", "not UTF-8").within(place));
        }
        self.items.push(Item::Notification(notification));
        for (_, fault) in left_out {
            // With its entry, because the same nonsense in another one is another fault.
            let text = format!("{raw}\0{}", fault.at);
            self.add_fault(&text, fault.within(place));
        }
    }

    /// Something that is there and was not understood.
    fn add_fault(&mut self, raw: &str, fault: Fault) {
        // With bad bytes replaced, two different texts may look alike.
        let identity = match self.damaged {
            Some(Identity(body)) => {
                identity::of_unreadable(&[&body[..], b"\0", fault.at.as_bytes()].concat())
            }
            None => identity::of_unreadable(raw.as_bytes()),
        };
        self.items.push(Item::Unreadable(Unreadable {
            at: fault.at,
            why: fault.why,
            identity,
        }));
    }

    /// Entries that are not looked at because there are too many.
    fn skip(&mut self, place: impl FnOnce() -> String, count: usize) {
        if count > 0 {
            let (_, skipped) = self.rest.get_or_insert_with(|| (place(), 0));
            *skipped += count;
        }
    }

    /// The skipped entries as one.
    fn close(&mut self) {
        if let Some((place, count)) = self.rest.take() {
            let why = format!("{count} more entries, too many in one delivery to look at");
            let raw = [self.body, b"\0", place.as_bytes()].concat();
            self.items.push(Item::Unreadable(Unreadable {
                at: place,
                why,
                identity: identity::of_unreadable(&raw),
            }));
        }
    }
}
