//! JSON into a [`Value`].

use super::Malformed;
use super::tree::{Bounds, Budget, Value};
use crate::wire::json;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Error};
use std::borrow::Cow;
use std::fmt;

/// The value that the text is.
///
/// # Errors
/// Not JSON, something after it, or beyond the bounds; by line and column.
pub fn read(text: &str, bounds: Bounds) -> Result<Value<'_>, Malformed> {
    let mut budget = bounds.budget();
    let mut json = Deserializer::from_str(text);
    let seed = Node {
        budget: &mut budget,
        depth: 0,
    };
    let read = seed
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    read.map_err(|error: Error| Malformed {
        at: format!("line {} column {}", error.line(), error.column()),
        why: format!("not JSON: {}", json::complaint(&error)),
    })
}

struct Node<'b> {
    budget: &'b mut Budget,
    depth: usize,
}

impl Node<'_> {
    fn inner(&mut self) -> Node<'_> {
        Node {
            budget: self.budget,
            depth: self.depth + 1,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value<'de>, D::Error> {
        self.budget
            .take(self.depth)
            .map_err(|exceeded| D::Error::custom(exceeded.0))?;
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value<'de>, E> {
        Ok(Value::Text(truth.to_string().into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Text(number.to_string().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Text(number.to_string().into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Inexact)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(text.to_owned().into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self.inner())? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key_seed(Name)? {
            fields.push((key, map.next_value_seed(self.inner())?));
        }
        Ok(Value::Map(fields))
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(name.to_owned().into())
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(name.into())
    }
}
