//! What holds of every request of a client that does not sign, in whichever encoding.

use crate::explained;
use crate::model::Encoding;
use crate::wire::servicestack::tree::{Bounds, Value};
use crate::wire::servicestack::value::EntityNumbers;
use crate::wire::servicestack::{Arity, Malformed, decode, json};
use std::borrow::Cow;

/// Entities that are looked at; small, so that the bounds are met.
const ITEMS_MAX: usize = 16;

/// Checks one text, given the reader of its encoding.
///
/// # Panics
/// When the tree is beyond its bounds, is another one in JSON, or says what cannot be explained.
pub fn explain<'a>(
    text: &'a str,
    encoding: Encoding,
    read: impl Fn(&'a str, Bounds) -> Result<Value<'a>, Malformed>,
) {
    let bounds = Bounds::of_items(ITEMS_MAX);
    match read(text, bounds) {
        Ok(tree) => {
            let mut size = Size::default();
            size.add(&tree, 0);
            assert!(size.nodes <= bounds.nodes_max, "{} values", size.nodes);
            assert!(size.depth <= bounds.depth_max, "{} levels", size.depth);
            let rewritten = to_json(&tree).to_string();
            assert_eq!(json::read(&rewritten, bounds).as_ref(), Ok(&tree));
        }
        Err(malformed) => explained::complaint(&malformed.at, &malformed.why),
    }
    for arity in [Arity::One, Arity::Batch] {
        let numbers = EntityNumbers::default();
        match decode(text.as_bytes(), encoding, arity, &numbers, ITEMS_MAX) {
            Ok(understood) => explained::items(text.as_bytes(), &understood.items),
            Err(malformed) => explained::complaint(&malformed.at, &malformed.why),
        }
    }
}

#[derive(Default)]
struct Size {
    nodes: usize,
    depth: usize,
}

impl Size {
    fn add(&mut self, value: &Value<'_>, depth: usize) {
        self.nodes += 1;
        self.depth = self.depth.max(depth);
        match value {
            Value::Null | Value::Text(_) | Value::Inexact => {}
            Value::List(values) => values.iter().for_each(|value| self.add(value, depth + 1)),
            Value::Map(fields) => fields
                .iter()
                .for_each(|(_, value)| self.add(value, depth + 1)),
        }
    }
}

fn to_json(value: &Value<'_>) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Value::Null => "null".into(),
        Value::Text(said) => text(said),
        Value::Inexact => "0.5".into(),
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(to_json).collect();
            format!("[{}]", values.join(","))
        }
        Value::Map(fields) => {
            let field = |(name, value): &(Cow<str>, Value<'_>)| {
                format!("{}:{}", text(name), to_json(value))
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}
