//! What is wrong with a text that should be JSON, in words that help to mend it.
//!
//! The published samples lack a comma, have one brace too many, or were pasted with curly quotation
//! marks, so these are named.

use super::Wrong;
use crate::wire::json;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Deserializer, Error};

/// Characters of a key that are shown.
const KEY_SHOWN: usize = 80;

/// Whether the text is JSON; takes time in proportion to it and no stack.
///
/// # Errors
/// 400 with line and column.
pub(super) fn check(text: &str) -> Result<(), Wrong> {
    let mut json = Deserializer::from_str(text);
    let read = IgnoredAny::deserialize(&mut json).and_then(|_| json.end());
    read.map_err(|error| Wrong::bad(explain(text, &error)))
}

/// What serde_json found, with its place.
fn explain(text: &str, error: &Error) -> String {
    let at = offset(text, error.line(), error.column());
    let rest = text.get(at..).unwrap_or_default();
    let next = rest.chars().next();
    let complaint = json::complaint(error);
    let begins_value = |c| matches!(c, '"' | '{' | '[' | '-' | '0'..='9' | 't' | 'f' | 'n');
    if complaint.starts_with("expected `,` or") && next.is_some_and(begins_value) {
        let before = text.get(..at).unwrap_or_default().trim_ascii_end();
        let place = place(text, before.len());
        return match key_of_last_value(before) {
            Some(key) => format!("{place}: a comma is missing after the value of {key}"),
            None => format!("{place}: a comma is missing"),
        };
    }
    let why = match next {
        Some('“' | '”' | '„' | '‘' | '’') => {
            "not JSON: a curly quotation mark where a straight one (\") has to be"
        }
        Some('}' | ']') if complaint == "trailing characters" => {
            "not JSON: one closing bracket too many"
        }
        Some('}' | ']') if ends_with_comma(text.get(..at)) => "not JSON: one comma too many",
        _ => &format!("not JSON: {complaint}"),
    };
    format!("{}: {why}", place(text, at))
}

fn ends_with_comma(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.trim_ascii_end().ends_with(','))
}

/// The byte at a line and column as serde_json counts them.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column.saturating_sub(1)).min(text.len())
}

/// `line 3 column 7` of the character that begins at a byte, or is meant to.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line_begin = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_begin..).unwrap_or_default().chars().count() + 1;
    format!("line {line} column {column}")
}

/// The key, with its quotation marks, of the value that the text ends with, where that value is
/// neither object nor array. Everything before is known to be JSON.
fn key_of_last_value(text: &str) -> Option<String> {
    let before = match text.strip_suffix('"') {
        Some(_) => text.get(..string_begin(text)?)?,
        None => text.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "+-.".contains(c)),
    };
    let key = before.trim_ascii_end().strip_suffix(':')?.trim_ascii_end();
    let key = key.get(string_begin(key)?..)?;
    Some(match key.char_indices().nth(KEY_SHOWN) {
        Some((end, _)) => format!("{}…\"", key.get(..end)?),
        None => key.to_owned(),
    })
}

/// Where the string begins that the text ends with.
fn string_begin(text: &str) -> Option<usize> {
    let mut before = text.strip_suffix('"')?;
    loop {
        let (head, _) = before.rsplit_once('"')?;
        let escapes = head.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(head.len());
        }
        before = head;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let table = [
            (
                "{\n  \"a\": \"1\"\n  \"b\" : 2\n}",
                "line 2 column 11: a comma is missing after the value of \"a\"",
            ),
            (
                r#"{"a\"b\\": "x\\\" y" "b":2}"#,
                r#"line 1 column 21: a comma is missing after the value of "a\"b\\""#,
            ),
            (
                r#"{"a" : -1.5e+3 "b":2}"#,
                "line 1 column 15: a comma is missing after the value of \"a\"",
            ),
            (
                r#"{"a":true false}"#,
                "line 1 column 10: a comma is missing after the value of \"a\"",
            ),
            (
                r#"{"é":"ü" "b":2}"#,
                "line 1 column 9: a comma is missing after the value of \"é\"",
            ),
            (r#"{"a":{} "b":2}"#, "line 1 column 8: a comma is missing"),
            (r#"["a" "b"]"#, "line 1 column 5: a comma is missing"),
            (
                "{}\n}",
                "line 2 column 1: not JSON: one closing bracket too many",
            ),
            (
                "{“a”:1}",
                "line 1 column 2: not JSON: a curly quotation mark where a straight one (\") has to be",
            ),
            (
                r#"{"a":1,}"#,
                "line 1 column 8: not JSON: one comma too many",
            ),
            ("{\n\"a\" 1}", "line 2 column 5: not JSON: expected `:`"),
            (
                r#"{"a":1"#,
                "line 1 column 6: not JSON: EOF while parsing an object",
            ),
            ("{} x", "line 1 column 4: not JSON: trailing characters"),
            ("<a/>", "line 1 column 1: not JSON: expected value"),
            ("{'a':1}", "line 1 column 2: not JSON: key must be a string"),
        ];
        for (text, expected) in table {
            assert_eq!(check(text).unwrap_err().message, expected, "{text}");
        }
        let long = format!(r#"{{"{}":1 2}}"#, "k".repeat(1000));
        assert!(check(&long).unwrap_err().message.len() < 200);
    }

    #[test]
    fn json_of_any_depth_is_json() {
        for text in ["{}", "null", "[1e999]", r#""\ud800""#, &"[".repeat(100_000)] {
            let deep = text.len() > 100;
            assert_eq!(check(text).is_err(), deep, "{text:.20}");
        }
        let deep = format!("{}{}", "[".repeat(1 << 18), "]".repeat(1 << 18));
        check(&deep).unwrap();
    }

    proptest! {
        #[test]
        fn every_text_is_json_or_explained(text in r#"[ -~é“\n\\"{}\[\],:]{0,60}"#) {
            if let Err(wrong) = check(&text) {
                prop_assert!(wrong.message.starts_with("line "), "{}", wrong.message);
                prop_assert!(wrong.message.len() < 400);
            }
        }
    }
}
