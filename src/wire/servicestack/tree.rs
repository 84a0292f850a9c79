//! What every encoding comes down to: text, lists and maps, bounded in depth and number.
//!
//! Made by the readers of the encodings, taken apart by [`dto`](super::dto). Promises: a reader
//! stops at the bounds, so a body cannot become a tree of many times its size.

use super::Malformed;
use std::borrow::Cow;

/// Characters of a complaint.
const WHY_MAX: usize = 200;

/// A value of any encoding. All scalars are text, as none of the encodings but JSON tells them apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// Nothing: `null`, or an XML element with `nil`.
    Null,
    /// A string, a whole number or a truth value, as it is written.
    Text(Cow<'a, str>),
    /// A number in JSON that is not whole, or has more than 64 bits: it is no field of a request, and
    /// what was written is not kept.
    Inexact,
    /// Values in order.
    List(Vec<Value<'a>>),
    /// Names and values in order; of a name that is there twice the last one counts.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// How large a tree may become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Lists and maps within each other.
    pub depth_max: usize,
    /// Values in all.
    pub nodes_max: usize,
    /// Entities in all.
    pub entities_max: usize,
}

/// What is left of the bounds while a body is read.
#[derive(Debug)]
pub(super) struct Budget {
    depth_max: usize,
    nodes_left: usize,
}

/// The bounds are used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Exceeded(pub(super) &'static str);

impl Bounds {
    /// Bounds for a body of so many entities: an entity has five fields, and what surrounds it and
    /// what is unknown may take as much again.
    pub fn of_items(items_max: usize) -> Self {
        Self {
            depth_max: 64,
            nodes_max: items_max.saturating_mul(16).saturating_add(256),
            entities_max: items_max,
        }
    }

    /// The same for a body of so many bytes: a value takes some fifty bytes of memory, and of a request
    /// that says something at least six of its body.
    pub(super) fn within(self, bytes: usize) -> Self {
        Self {
            nodes_max: self.nodes_max.min(bytes / 2 + 256),
            ..self
        }
    }

    pub(super) fn budget(self) -> Budget {
        Budget {
            depth_max: self.depth_max,
            nodes_left: self.nodes_max,
        }
    }
}

impl Budget {
    /// Takes one value that lies within `depth` lists and maps.
    pub(super) fn take(&mut self, depth: usize) -> Result<(), Exceeded> {
        if depth > self.depth_max {
            return Err(Exceeded("nested too deeply"));
        }
        let left = self.nodes_left.checked_sub(1);
        self.nodes_left = left.ok_or(Exceeded("too many values"))?;
        Ok(())
    }
}

impl<'a> Value<'a> {
    /// The value under a name in any case, the last one where there are several; `None` also when
    /// this is not a map.
    pub fn field(&self, name: &str) -> Option<&Value<'a>> {
        let Self::Map(fields) = self else { return None };
        let found = fields
            .iter()
            .rfind(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// The same value, independent of the text it was read from.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Inexact => Value::Inexact,
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
            Self::Map(fields) => {
                let own = |(key, value): (Cow<'_, str>, Value<'_>)| {
                    (Cow::Owned(key.into_owned()), value.into_owned())
                };
                Value::Map(fields.into_iter().map(own).collect())
            }
        }
    }

    /// What it is, in a word.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) => "text",
            Self::Inexact => "a number that is not whole, or too long without quotes",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// `line 3 column 7` of a byte of the text.
pub(super) fn place(text: &str, at: usize) -> String {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let begin = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    format!("line {line} column {}", before.len() - begin + 1)
}

/// Something wrong at a byte of the text. What a library says may repeat what was sent, so it is cut.
pub(super) fn wrong(text: &str, at: usize, why: impl AsRef<str>) -> Malformed {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    Malformed {
        at: place(text, at),
        why: why.as_ref().chars().take(WHY_MAX).map(plain).collect(),
    }
}
