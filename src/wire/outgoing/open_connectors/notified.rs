//! The `raw` of what was notified: the sender's own body.

use super::super::embed;
use crate::model::RealmId;
use crate::wire::json::{self, Key};
use crate::wire::servicestack;
use serde_json::value::RawValue;

/// Entries of a body that are looked at when it is cut down to one company.
const ENTRIES_MAX: usize = 10_000;

/// The sender's body as far as it is about this company: as it was posted where it is JSON, else as the
/// JSON that would have said the same.
pub(super) fn raw(body: &[u8], realm: &RealmId) -> Option<Box<RawValue>> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_ascii();
    as_posted(text, realm).or_else(|| equivalent(text, realm))
}

/// Intuit's own forms.
fn as_posted(text: &str, realm: &RealmId) -> Option<Box<RawValue>> {
    match text.as_bytes().first() {
        Some(b'[') => cut_down(text, text, "intuitaccountid", realm),
        Some(b'{') => {
            let [notifications] = json::fields(text, [Key::Exact("eventNotifications")]).ok()?;
            match notifications {
                Some(array) => cut_down(text, array.get(), "realmId", realm),
                None => is_of(text, "intuitaccountid", realm)
                    .then(|| whole(text))
                    .flatten(),
            }
        }
        _ => None,
    }
}

/// What a client of the original listener posted: XML, JSV, CSV, a form, or several requests in a list.
fn equivalent(text: &str, realm: &RealmId) -> Option<Box<RawValue>> {
    let said = servicestack::about(text, realm, ENTRIES_MAX)?;
    // JSON in which nothing is of others is told as it was posted.
    let posted = said.is_all.then(|| whole(text)).flatten();
    posted.or_else(|| embed(&said.json))
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
    if own.is_empty() {
        return None;
    }
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
