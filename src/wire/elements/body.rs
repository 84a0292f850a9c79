//! The JSON body of a request, and its fields.

use super::{Wrong, syntax};
use crate::model::Secret;
use crate::wire::json::{self, Key};
use serde_json::value::RawValue;

/// A field, by its name, and the text of its value where it is there and not `null`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// As errors call it: `providerData.code`.
    pub(super) name: &'static str,
    value: Option<&'a RawValue>,
}

/// A body that is a JSON object.
///
/// # Errors
/// 415 for another content type, 400 for other content.
pub(super) fn object<'a>(content_type: Option<&str>, body: &'a [u8]) -> Result<&'a str, Wrong> {
    if let Some(other) = content_type.filter(|content_type| !is_json(content_type)) {
        let other: String = other.chars().take(80).collect();
        let why = format!("the body is declared as {other:?}; expected application/json");
        return Err(Wrong::new(415, why));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        Wrong::bad(format!(
            "the body is not UTF-8 at byte {}",
            error.valid_up_to() + 1
        ))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(Wrong::bad("the body is empty; expected a JSON object"));
    }
    syntax::check(text)?;
    let text = text.trim_ascii();
    if !text.starts_with('{') {
        return Err(Wrong::bad("the body is JSON, but not an object"));
    }
    Ok(text)
}

fn is_json(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default();
    let name = name.trim_ascii().to_ascii_lowercase();
    let is_plain = matches!(&*name, "application/json" | "text/json");
    is_plain || (name.starts_with("application/") && name.ends_with("+json"))
}

/// The fields of an object. Each name may have the object's own in front (`providerData.code`), which
/// is not looked for. Of a field that is there twice the last one counts.
pub(super) fn fields<'a, const N: usize>(
    object: &'a str,
    names: [&'static str; N],
) -> Result<[Field<'a>; N], Wrong> {
    let keys = names.map(|name| Key::Exact(name.rsplit('.').next().unwrap_or(name)));
    // The object was checked, so that only a key can be unreadable.
    let values = json::pick(object, keys).map_err(|error| Wrong::bad(json::complaint(&error)))?;
    let mut values = values.into_iter();
    Ok(names.map(|name| Field {
        name,
        value: values
            .next()
            .flatten()
            .filter(|value| value.get() != "null"),
    }))
}

impl<'a> Field<'a> {
    /// A string; `None` where there is nothing.
    pub(super) fn string(self) -> Result<Option<String>, Wrong> {
        match self.value {
            Some(value) if value.get().starts_with('"') => text(value)
                .map(Some)
                .map_err(|why| Wrong::at(self.name, why)),
            value => self.nothing_but("a string", value),
        }
    }

    /// A string that must not be shown; `None` where there is nothing or it is empty.
    pub(super) fn secret(self) -> Result<Option<Secret>, Wrong> {
        let text = self.string()?.filter(|text| !text.is_empty());
        Ok(text.map(Secret::new))
    }

    /// A string, or a number as it is written.
    pub(super) fn string_or_number(self) -> Result<Option<String>, Wrong> {
        match self.value {
            Some(value)
                if value
                    .get()
                    .starts_with(|c: char| c == '-' || c.is_ascii_digit()) =>
            {
                Ok(Some(value.get().to_owned()))
            }
            _ => self.string(),
        }
    }

    /// A truth value.
    pub(super) fn boolean(self) -> Result<Option<bool>, Wrong> {
        match self.value.map(RawValue::get) {
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            _ => self.nothing_but("true or false", self.value),
        }
    }

    /// An object's text.
    pub(super) fn object(self) -> Result<Option<&'a str>, Wrong> {
        match self.value.map(RawValue::get) {
            Some(text) if text.starts_with('{') => Ok(Some(text)),
            _ => self.nothing_but("an object", self.value),
        }
    }

    /// At most `max` strings.
    pub(super) fn strings(self, max: usize) -> Result<Option<Vec<String>>, Wrong> {
        let Some(array) = self.value.filter(|value| value.get().starts_with('[')) else {
            return self.nothing_but("an array of strings", self.value);
        };
        let elements = json::elements(array.get(), max);
        if elements.left > 0 {
            return Err(Wrong::at(self.name, format!("more than {max} entries")));
        }
        let each = elements.kept.into_iter().enumerate().map(|(at, element)| {
            let name = || format!("{}[{at}]", self.name);
            if !element.get().starts_with('"') {
                let why = format!("expected a string, found {}", what(element));
                return Err(Wrong::at(&name(), why));
            }
            text(element).map_err(|why| Wrong::at(&name(), why))
        });
        each.collect::<Result<_, _>>().map(Some)
    }

    /// Text that any value can be: a string, or what was written; see [`as_text`].
    pub(super) fn any(self) -> Result<Option<String>, Wrong> {
        self.value
            .map(as_text)
            .transpose()
            .map_err(|why| Wrong::at(self.name, why))
    }

    fn nothing_but<T>(self, expected: &str, value: Option<&RawValue>) -> Result<Option<T>, Wrong> {
        match value {
            None => Ok(None),
            Some(value) => {
                let why = format!("expected {expected}, found {}", what(value));
                Err(Wrong::at(self.name, why))
            }
        }
    }
}

/// What a value says as text: a string's own, nothing for `null`, and anything else as it is written.
pub(super) fn as_text(value: &RawValue) -> Result<String, &'static str> {
    match value.get() {
        "null" => Ok(String::new()),
        string if string.starts_with('"') => text(value),
        other => Ok(other.to_owned()),
    }
}

fn text(string: &RawValue) -> Result<String, &'static str> {
    serde_json::from_str(string.get()).map_err(|_| "a string with half of a surrogate pair")
}

fn what(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a truth value",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_by_its_content_type() {
        for good in [
            None,
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
            Some("text/json"),
            Some("application/merge-patch+json"),
        ] {
            assert_eq!(object(good, b" {} "), Ok("{}"));
        }
        for bad in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "json",
        ] {
            let wrong = object(Some(bad), b"{}").unwrap_err();
            assert_eq!(wrong.status, 415);
            assert!(wrong.message.ends_with("expected application/json"));
        }
    }

    #[test]
    fn a_body_that_is_no_object_is_refused() {
        for (body, why) in [
            (&b""[..], "the body is empty; expected a JSON object"),
            (b" \n", "the body is empty; expected a JSON object"),
            (b"\xef\xbb\xbf", "the body is empty; expected a JSON object"),
            (b"[]", "the body is JSON, but not an object"),
            (b"null", "the body is JSON, but not an object"),
            (b"{\"a\":\"\xff\"}", "the body is not UTF-8 at byte 7"),
            (b"{\"a\":}", "line 1 column 6: not JSON: expected value"),
        ] {
            assert_eq!(object(None, body).unwrap_err().message, why);
        }
        assert_eq!(object(None, b"\xef\xbb\xbf{}"), Ok("{}"));
    }

    #[test]
    fn a_field_of_another_kind_is_named_with_its_place() {
        let body = r#"{"a":{"b":5,"c":"x","b":"y"},"n":null,"l":["x",7],"s":"\ud800"}"#;
        let [a, n, l, s, m] = fields(body, ["a", "n", "l", "s", "m"]).unwrap();
        let [b, c] = fields(a.object().unwrap().unwrap(), ["a.b", "a.c"]).unwrap();
        assert_eq!(b.string(), Ok(Some("y".into())), "the last one counts");
        assert_eq!(c.string_or_number(), Ok(Some("x".into())));
        assert_eq!((n.string(), m.object()), (Ok(None), Ok(None)));
        for (wrong, message) in [
            (a.string().err(), "a: expected a string, found an object"),
            (c.object().err(), "a.c: expected an object, found a string"),
            (
                l.strings(9).err(),
                "l[1]: expected a string, found a number",
            ),
            (l.strings(1).err(), "l: more than 1 entries"),
            (
                s.string().err(),
                "s: a string with half of a surrogate pair",
            ),
        ] {
            assert_eq!(wrong.unwrap().message, message);
        }
    }
}
