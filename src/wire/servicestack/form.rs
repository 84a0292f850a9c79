//! A form or a query string into a [`Value`].
//!
//! Forms come as `application/x-www-form-urlencoded` or as `multipart/form-data` (RFC 7578), which
//! begins with its own boundary. One field counts, `eventNotifications` in any case; its text is JSV, or
//! JSON where it looks like it.

use super::Malformed;
use super::json;
use super::jsv;
use super::tree::{Bounds, Value};
use std::borrow::Cow;

const FIELD: &str = "eventNotifications";

/// The request that the form is; an empty one where the field is not there.
///
/// # Errors
/// A field that is neither JSV nor JSON, or beyond the bounds; by line and column within the field.
pub fn read(text: &str, bounds: Bounds) -> Result<Value<'static>, Malformed> {
    let field = if text.starts_with("--") {
        part(text).map(Cow::Borrowed)
    } else {
        let mut fields = form_urlencoded::parse(text.as_bytes());
        let field = fields.find(|(name, _)| name.eq_ignore_ascii_case(FIELD));
        field.map(|(_, field)| field)
    };
    let Some(field) = field else {
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

/// The field in a form of several parts, each of which has a head, an empty line and its text.
fn part(text: &str) -> Option<&str> {
    let (boundary, rest) = text.split_once("\r\n")?;
    let end = format!("\r\n{}", boundary.trim_ascii_end());
    let mut parts = rest.split(&*end);
    parts.find_map(|part| {
        let (head, text) = part.split_once("\r\n\r\n")?;
        let is_field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or_default();
            name.eq_ignore_ascii_case("content-disposition")
                && value.split(';').any(|parameter| {
                    let (name, value) = parameter.split_once('=').unwrap_or_default();
                    name.trim_ascii().eq_ignore_ascii_case("name")
                        && value
                            .trim_ascii()
                            .trim_matches('"')
                            .eq_ignore_ascii_case(FIELD)
                })
        };
        head.lines().any(is_field).then_some(text)
    })
}

/// Whether the first name within the brackets is quoted.
fn is_json(text: &str) -> bool {
    let inside = text.trim_ascii_start().trim_start_matches(['[', '{', ' ']);
    text.trim_ascii_start().starts_with(['[', '{']) && inside.starts_with('"')
}
