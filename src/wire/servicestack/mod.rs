//! What a ServiceStack service says and understands: the original listener's face, as pure functions.
//!
//! A request comes in by one of the service's [`route`]s, is answered in a [`format`] that it asked for,
//! and carries the request DTO in one of five encodings ([`json`], [`xml`], [`jsv`], [`csv`], [`form`]).
//! Each is read into a [`tree`], the tree into the neutral [`dto`], and that into notifications.
//! [`answer`] writes results and errors, [`metadata`] the pages that integrators use. Called by the
//! server. Promises: every reader is linear in time, bounded, never panics, and says line and column or
//! the field of what is wrong.

pub mod answer;
pub mod csv;
mod date;
pub mod dto;
pub mod form;
pub mod format;
pub mod json;
pub mod jsv;
pub mod metadata;
mod notices;
pub mod route;
pub mod tree;
pub mod value;
pub mod xml;

use crate::model::{Encoding, Item, RealmId};
use dto::Request;
use tree::{Bounds, Value};
use value::EntityNumbers;

/// The one operation of the service.
pub const OPERATION: &str = "QboWebhooksRequest";

/// Text that cannot be read as what it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// `line 1 column 17`, a path such as `eventNotifications[0].realmId`, or `body`.
    pub at: String,
    /// What was expected and what was there.
    pub why: String,
}

/// How many requests a body has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arity {
    /// One.
    One,
    /// A list of them (auto-batching).
    Batch,
}

/// A body that could be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Understood {
    /// How many requests were in it.
    pub requests: usize,
    /// What was in them, in order; never empty.
    pub items: Vec<Item>,
    /// An operation was not given, and taken for the enumeration's first.
    pub is_assumed: bool,
}

/// What a body is written in. The content tells XML and JSON, whatever the sender calls it (the
/// original's CSV sample has JSON in it); of the others the content type does. `None` where neither does.
pub fn encoding(content_type: Option<&str>, body: &[u8]) -> Option<Encoding> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let body = body.trim_ascii_start();
    let named = content_type.and_then(named);
    match body.first() {
        None => Some(Encoding::Json),
        Some(b'<') => Some(Encoding::Xml),
        // JSV begins with brackets too; whether the first name in them has quotes tells.
        Some(b'{' | b'[') => {
            let inside = body
                .iter()
                .find(|byte| !byte.is_ascii_whitespace() && !b"[{".contains(byte));
            let is_json = inside.is_none_or(|byte| b"\"]}".contains(byte));
            match named {
                Some(Encoding::Jsv) if !is_json => Some(Encoding::Jsv),
                _ => Some(Encoding::Json),
            }
        }
        Some(_) => named,
    }
}

/// The encoding that a content type names.
fn named(content_type: &str) -> Option<Encoding> {
    let name = content_type.split(';').next().unwrap_or_default();
    match name.trim_ascii().to_ascii_lowercase().as_str() {
        "application/json" | "text/json" | "text/jsonl" => Some(Encoding::Json),
        "application/xml" | "text/xml" => Some(Encoding::Xml),
        "text/jsv" | "application/jsv" | "application/jsv-text" => Some(Encoding::Jsv),
        "text/csv" | "application/csv" => Some(Encoding::Csv),
        "application/x-www-form-urlencoded" | "multipart/form-data" => Some(Encoding::Form),
        _ => None,
    }
}

/// Reads a body: one request, or a list of them. An empty one is an empty request.
///
/// # Errors
/// What the framework would not deserialize, by line and column or by field.
pub fn decode(
    body: &[u8],
    encoding: Encoding,
    arity: Arity,
    numbers: &EntityNumbers,
    items_max: usize,
) -> Result<Understood, Malformed> {
    let text = str::from_utf8(body).map_err(|error| Malformed {
        at: format!("byte {}", error.valid_up_to()),
        why: "not UTF-8".into(),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = if text.trim_ascii().is_empty() {
        Value::Null
    } else {
        read(text, encoding, items_max)?
    };
    let requests = match arity {
        Arity::One => vec![Request::one(&value, items_max)?],
        Arity::Batch => Request::batch(&value, items_max)?,
    };
    // The requests have what counts of it.
    drop(value);
    let items = notices::items(&requests, numbers)?;
    Ok(Understood {
        requests: requests.len(),
        is_assumed: requests.iter().any(Request::lacks_an_operation),
        items,
    })
}

/// What a body says about one company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// It in JSON, as a client of the service writes that: one request, or a list of those that say
    /// something. All values are text, as they were written.
    pub json: String,
    /// Whether the body says nothing about others.
    pub is_all: bool,
}

/// What a body that was understood says about this company, in whatever it is written; `None` where it
/// says nothing.
pub fn about(text: &str, realm: &RealmId, items_max: usize) -> Option<About> {
    ENCODINGS.into_iter().find_map(|encoding| {
        let value = read(text, encoding, items_max).ok()?;
        let mut requests = Request::batch(&value, items_max).ok()?;
        let count = |requests: &[Request]| {
            let each = requests
                .iter()
                .map(|request| request.event_notifications.len());
            each.sum::<usize>()
        };
        let before = count(&requests);
        for request in &mut requests {
            let is_own = |id: &Option<String>| id.as_deref() == Some(realm.as_str());
            request
                .event_notifications
                .retain(|one| is_own(&one.realm_id));
        }
        let is_all = count(&requests) == before;
        requests.retain(|request| !request.event_notifications.is_empty());
        let json: Vec<_> = requests.iter().map(Request::json).collect();
        let json = match (value, &*json) {
            (_, []) => return None,
            (Value::List(_), list) => serde_json::Value::from(list).to_string(),
            (_, [one, ..]) => one.to_string(),
        };
        Some(About { json, is_all })
    })
}

/// The stricter ones first: what one of them takes, the ones before it do not.
const ENCODINGS: [Encoding; 5] = [
    Encoding::Json,
    Encoding::Xml,
    Encoding::Jsv,
    Encoding::Form,
    Encoding::Csv,
];

fn read(text: &str, encoding: Encoding, items_max: usize) -> Result<Value<'_>, Malformed> {
    let bounds = Bounds::of_items(items_max).within(text.len());
    match encoding {
        Encoding::Json => json::read(text, bounds),
        Encoding::Xml => xml::read(text, bounds),
        Encoding::Jsv => jsv::read(text, bounds),
        Encoding::Csv => csv::read(text, bounds),
        Encoding::Form => form::read(text, bounds),
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
