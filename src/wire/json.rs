//! Reading JSON without losing a byte of it: arrays and objects are taken apart into the verbatim
//! text of their parts.
//!
//! Nothing here recurses into a value, so depth costs no stack; nothing stores more than it was
//! asked for, so a body of a million empty entries costs no memory.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error};
use std::fmt;

/// A key to look for in an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    /// Spelled exactly so.
    Exact(&'static str),
    /// In upper or lower case.
    AnyCase(&'static str),
}

/// What an array was made of.
#[derive(Default, Debug)]
pub(super) struct Elements<'a> {
    /// The first elements, verbatim.
    pub(super) kept: Vec<&'a RawValue>,
    /// How many more there were.
    pub(super) left: usize,
    /// Where and why reading ended early; what stood before is in `kept`.
    pub(super) broken: Option<Error>,
}

/// The elements of an array, at most `max` of them.
pub(super) fn elements(array: &str, max: usize) -> Elements<'_> {
    let mut elements = Elements::default();
    let mut json = Deserializer::from_str(array);
    let walk = Walk {
        into: &mut elements,
        max,
    };
    let end = json.deserialize_seq(walk).and_then(|()| json.end());
    elements.broken = end.err();
    elements
}

/// The values of the keys asked for, in that order. Of a key that is there twice the last one
/// counts, as in JavaScript and Python.
///
/// # Errors
/// When the text is not an object.
pub(super) fn pick<const N: usize>(
    object: &str,
    keys: [Key; N],
) -> Result<[Option<&RawValue>; N], Error> {
    let mut json = Deserializer::from_str(object);
    let found = json.deserialize_map(Pick(keys))?;
    json.end()?;
    Ok(found)
}

/// Every key of an object with the verbatim text of its value, in order; `None` for more than `max`.
///
/// # Errors
/// When the text is not an object, or a key cannot be read.
pub(super) fn entries(object: &str, max: usize) -> Result<Option<Vec<(String, &RawValue)>>, Error> {
    let mut json = Deserializer::from_str(object);
    let found = json.deserialize_map(Entries(max))?;
    json.end()?;
    Ok(found)
}

/// [`pick`] from a part of something that was taken apart already.
///
/// # Errors
/// What is wrong with it in a few words, without its content.
pub(super) fn fields<const N: usize>(
    part: &str,
    keys: [Key; N],
) -> Result<[Option<&RawValue>; N], String> {
    if !part.starts_with('{') {
        return Err("expected an object".into());
    }
    pick(part, keys).map_err(|error| complaint(&error))
}

/// A string's text, or a number as it is written; `None` for `null`.
///
/// # Errors
/// What was there instead, in a few words.
pub(super) fn text(value: &RawValue) -> Result<Option<String>, &'static str> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get())
            .map(Some)
            .map_err(|_| "a string with half of a surrogate pair"),
        Some(b'n') => Ok(None),
        Some(b'-' | b'0'..=b'9') => Ok(Some(value.get().to_owned())),
        Some(b'{') => Err("an object"),
        Some(b'[') => Err("an array"),
        _ => Err("a truth value"),
    }
}

/// Whether the text is an object without anything in it.
pub(super) fn is_empty_object(object: &str) -> bool {
    let inside = object.trim_ascii().strip_prefix('{');
    inside.is_some_and(|inside| inside.trim_ascii_start() == "}")
}

/// Whether any ordinary parser can read the text: JSON's grammar allows half a surrogate pair, a
/// number beyond a double, and any depth (the bound here is 127), and many receivers do not.
///
/// # Errors
/// What it is that they could not read.
pub(super) fn check_readable(text: &str) -> Result<(), String> {
    serde_json::from_str::<Readable>(text)
        .map(drop)
        .map_err(|error| complaint(&error))
}

/// What serde_json says, without its position.
pub(super) fn complaint(error: &Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

/// A value whose every part was read and none of it kept.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

struct Walk<'e, 'a> {
    into: &'e mut Elements<'a>,
    max: usize,
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.into.kept.len() < self.max {
            match seq.next_element()? {
                Some(element) => self.into.kept.push(element),
                None => return Ok(()),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            self.into.left += 1;
        }
        Ok(())
    }
}

struct Pick<const N: usize>([Key; N]);

impl<'de, const N: usize> Visitor<'de> for Pick<N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Place(&self.0))? {
            match place.and_then(|at| found.get_mut(at)) {
                Some(slot) => *slot = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

struct Entries(usize);

impl<'de> Visitor<'de> for Entries {
    type Value = Option<Vec<(String, &'de RawValue)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while found.len() < self.0 {
            match map.next_entry()? {
                Some(entry) => found.push(entry),
                None => return Ok(Some(found)),
            }
        }
        let mut left = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            left = true;
        }
        Ok((!left).then_some(found))
    }
}

/// Which of the keys a key is.
struct Place<'k>(&'k [Key]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|key| match key {
            Key::Exact(wanted) => *wanted == name,
            Key::AnyCase(wanted) => wanted.eq_ignore_ascii_case(name),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_verbatim_and_bounded() {
        let found = elements(r#" [ {"a" : 1e400}, "\ud800" ,[[]], 4 ] "#, 3);
        let texts: Vec<&str> = found.kept.iter().map(|element| element.get()).collect();
        assert_eq!(texts, [r#"{"a" : 1e400}"#, r#""\ud800""#, "[[]]"]);
        assert_eq!(found.left, 1);
        assert!(found.broken.is_none());
    }

    #[test]
    fn what_stood_before_the_break_is_kept() {
        for text in ["[1,2,", "[1,2", "[1,2}", "[1,2,?]", "[1,2]x", "[1,2]]"] {
            let found = elements(text, 9);
            assert_eq!(found.kept.len(), 2, "{text}");
            assert!(found.broken.is_some(), "{text}");
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let object = r#"{"a":1,"B":2,"a":3,"b":{"a":9}}"#;
        let [a, b, c] = pick(
            object,
            [Key::Exact("a"), Key::AnyCase("b"), Key::Exact("c")],
        )
        .unwrap();
        assert_eq!(a.unwrap().get(), "3");
        assert_eq!(b.unwrap().get(), r#"{"a":9}"#);
        assert!(c.is_none());
    }

    #[test]
    fn entries_are_verbatim_in_order_and_bounded() {
        let object = r#"{"b" : 1e400, "\u0061":[{ }], "b":null}"#;
        let found = entries(object, 3).unwrap().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(key, value)| (&**key, value.get()))
            .collect();
        assert_eq!(found, [("b", "1e400"), ("a", "[{ }]"), ("b", "null")]);
        assert!(entries(object, 2).unwrap().is_none());
        for bad in ["[]", "{", r#"{"\ud800":1}"#, "{} x"] {
            assert!(entries(bad, 3).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_an_ordinary_parser_reads_is_readable() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let table = [
            r#"{"a":[null,true,-1,18446744073709551615,1e308,"\ud83d\ude00",{}]}"#.to_owned(),
            r#""\ud800""#.to_owned(),
            r#"{"\udc00":1}"#.to_owned(),
            r#"{"a":[1e400]}"#.to_owned(),
            "{\"a\":tru}".to_owned(),
            deep(127),
            deep(128),
        ];
        for text in table {
            let is_readable = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            assert_eq!(check_readable(&text).is_ok(), is_readable, "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(elements(&deep, 1).kept.len(), 1);
    }
}
