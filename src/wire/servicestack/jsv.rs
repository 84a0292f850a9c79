//! JSV into a [`Value`]: ServiceStack's JSON with fewer quotes.
//!
//! Text needs quotes only where it has `,`, `{`, `}`, `[`, `]`, a quote or a line break in it; a quote
//! within quotes is doubled; there are no escapes. Source: ServiceStack's documentation of the JSV
//! format. Also the form of what is not plain text in a CSV cell, a form field and a query string.

use super::Malformed;
use super::tree::{Bounds, Budget, Exceeded, Value, wrong};
use std::borrow::Cow;

/// The value that the text is.
///
/// # Errors
/// Unclosed or followed by something, or beyond the bounds; by line and column.
pub fn read(text: &str, bounds: Bounds) -> Result<Value<'_>, Malformed> {
    read_within(text, &mut bounds.budget())
}

/// The same within what is left of a budget.
pub(super) fn read_within<'a>(text: &'a str, budget: &mut Budget) -> Result<Value<'a>, Malformed> {
    let mut scanner = Scanner {
        text,
        at: 0,
        budget,
    };
    let value = scanner.value(0)?;
    scanner.skip_space();
    match scanner.peek() {
        None => Ok(value),
        Some(_) => Err(scanner.wrong("something follows the value")),
    }
}

struct Scanner<'a, 'b> {
    text: &'a str,
    at: usize,
    budget: &'b mut Budget,
}

impl<'a> Scanner<'a, '_> {
    /// A value and all that is in it; the depth is bounded, so recursion is.
    fn value(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        let taken = self.budget.take(depth);
        taken.map_err(|Exceeded(why)| self.wrong(why))?;
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.quoted().map(Value::Text),
            _ if depth == 0 => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                self.at = self.text.len();
                Ok(bare(rest))
            }
            _ => Ok(bare(self.until(|byte| b",]}".contains(&byte)))),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        let mut fields = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Map(fields));
        }
        loop {
            fields.push((self.name()?, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Value::Map(fields));
            }
            if !self.take(b',') {
                return Err(self.wrong("expected `,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        let mut values = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::List(values));
            }
            if !self.take(b',') {
                return Err(self.wrong("expected `,` or `]`"));
            }
        }
    }

    /// A name and the colon after it.
    fn name(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.skip_space();
        let name = if self.peek() == Some(b'"') {
            self.quoted()?
        } else {
            Cow::Borrowed(self.until(|byte| b":,{}[]".contains(&byte)).trim_ascii())
        };
        self.skip_space();
        if name.is_empty() || !self.take(b':') {
            return Err(self.wrong("expected a name and `:`"));
        }
        Ok(name)
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let opening = self.at;
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let part = self.until(|byte| byte == b'"');
            if !self.take(b'"') {
                return Err(wrong(self.text, opening, "a quote that is not closed"));
            }
            if text.is_empty() {
                text = Cow::Borrowed(part);
            } else {
                text.to_mut().push_str(part);
            }
            if !self.take(b'"') {
                return Ok(text);
            }
            text.to_mut().push('"');
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// What stands before the next byte of a kind that is ASCII.
    fn until(&mut self, is_end: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .bytes()
            .position(|byte| byte.is_ascii() && is_end(byte))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn wrong(&self, why: &str) -> Malformed {
        wrong(self.text, self.at, format!("not JSV: {why}"))
    }
}

fn bare(text: &str) -> Value<'_> {
    match text.trim_ascii() {
        "null" => Value::Null,
        text => Value::Text(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match super::read(text, Bounds::of_items(4)) {
            Ok(value) => show(&value),
            Err(error) => format!("{}: {}", error.at, error.why),
        }
    }

    fn show(value: &Value<'_>) -> String {
        match value {
            Value::Null => "-".into(),
            Value::Inexact => "~".into(),
            Value::Text(text) => format!("'{text}'"),
            Value::List(values) => {
                let values: Vec<String> = values.iter().map(show).collect();
                format!("[{}]", values.join(" "))
            }
            Value::Map(fields) => {
                let field =
                    |(key, value): &(Cow<'_, str>, Value<'_>)| format!("{key}={}", show(value));
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}", fields.join(" "))
            }
        }
    }

    #[test]
    fn text_maps_and_lists_are_read() {
        let table = [
            ("{a:b}", "{a='b'}"),
            (
                " { a : b , \"c d\" : [ 1 , , x y ] } ",
                "{a='b' c d=['1' '' 'x y']}",
            ),
            (
                "{at:2015-10-05T14:42:19-07:00}",
                "{at='2015-10-05T14:42:19-07:00'}",
            ),
            ("{a:\"x,\"\"y\"\"}\",b:}", "{a='x,\"y\"}' b=''}"),
            ("[\"\",\"\"\"\",\"a\"\"\"]", "['' '\"' 'a\"']"),
            ("{}", "{}"),
            ("[]", "[]"),
            ("[{},[]]", "[{} []]"),
            ("[null,nullable]", "[- 'nullable']"),
            ("a,b}", "'a,b}'"),
            ("", "''"),
            ("{é:ü}", "{é='ü'}"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_column() {
        let table = [
            ("{", "line 1 column 2: not JSV: expected a name and `:`"),
            ("{a", "line 1 column 3: not JSV: expected a name and `:`"),
            (
                "{a:b,}",
                "line 1 column 6: not JSV: expected a name and `:`",
            ),
            ("{a:b]", "line 1 column 5: not JSV: expected `,` or `}`"),
            (
                "{a:b\n,c:[d",
                "line 2 column 6: not JSV: expected `,` or `]`",
            ),
            ("{a:\n \"b", "line 2 column 2: a quote that is not closed"),
            (
                "{a:b}c",
                "line 1 column 6: not JSV: something follows the value",
            ),
            (
                "{a:\"b\"c}",
                "line 1 column 7: not JSV: expected `,` or `}`",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(&deep), "line 1 column 66: not JSV: nested too deeply");
        let many = format!("[{}]", ",".repeat(100_000));
        assert!(read(&many).ends_with("too many values"));
    }
}
