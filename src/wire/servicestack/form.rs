//! A form (`application/x-www-form-urlencoded`) or a query string into a [`Value`].
//!
//! One field counts, `eventNotifications` in any case; its text is JSV, or JSON where it looks like it.

use super::Malformed;
use super::json;
use super::jsv;
use super::tree::{Bounds, Value};

const FIELD: &str = "eventNotifications";

/// The request that the form is; an empty one where the field is not there.
///
/// # Errors
/// A field that is neither JSV nor JSON, or beyond the bounds; by line and column within the field.
pub fn read(text: &str, bounds: Bounds) -> Result<Value<'static>, Malformed> {
    let mut fields = form_urlencoded::parse(text.as_bytes());
    let Some((_, field)) = fields.find(|(name, _)| name.eq_ignore_ascii_case(FIELD)) else {
        return Ok(Value::Map(Vec::new()));
    };
    let read = if is_json(&field) {
        json::read(&field, bounds)
    } else {
        jsv::read(&field, bounds)
    };
    let value = read.map_err(|error| Malformed {
        at: FIELD.into(),
        why: format!("{}: {}", error.at, error.why),
    })?;
    Ok(Value::Map(vec![(FIELD.into(), value.into_owned())]))
}

/// Whether the first name within the brackets is quoted.
fn is_json(text: &str) -> bool {
    let inside = text.trim_ascii_start().trim_start_matches(['[', '{', ' ']);
    text.trim_ascii_start().starts_with(['[', '{']) && inside.starts_with('"')
}
