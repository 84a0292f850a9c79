//! The file of secrets: `name = "value"` a line; each becomes the file of that name beside the
//! configuration. What is wrong is said without quoting a value.

use super::CONFIG;
use crate::config::{Finding, Severity};
use crate::model::Secret;
use crate::run::REFUSED;
use std::collections::BTreeMap;
use toml::{Spanned, Value};

/// One secret.
pub(super) struct Entry {
    /// The file's name.
    pub(super) name: String,
    /// What stands in it.
    pub(super) secret: Secret,
}

/// Reads the file.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Entry>, Vec<Finding>> {
    let finding = |at: usize, what: String| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Finding::new(Severity::Error, format!("{file}:{line}"), what)
    };
    let table: BTreeMap<String, Spanned<Value>> = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![finding(
            at,
            format!("{}; write name = \"value\"", error.message()),
        )]
    })?;
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    for (name, value) in table {
        let at = value.span().start;
        if !is_file_name(&name) {
            let what = format!(
                "{name:?} cannot be a file's name here: use A-Z a-z 0-9 . _ -, and not {CONFIG}"
            );
            mistakes.push(finding(at, what));
        }
        match value.into_inner() {
            Value::String(secret) if !secret.trim().is_empty() => entries.push(Entry {
                name,
                secret: Secret::new(format!("{}\n", secret.trim_end())),
            }),
            Value::String(_) => mistakes.push(finding(at, format!("{name} is empty"))),
            _ => mistakes.push(finding(
                at,
                format!("the value of {name} has to stand in quotes"),
            )),
        }
    }
    if mistakes.is_empty() {
        Ok(entries)
    } else {
        Err(mistakes)
    }
}

fn is_file_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let reserved = name.starts_with('.') || [CONFIG, REFUSED].contains(&name);
    !reserved && (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_values_and_may_have_many_lines() {
        let text = "# comment\r\nverifier = \"d691\"\r\n\"privkey.pem\" = \"\"\"\n-----BEGIN\nabc\n\"\"\"\n";
        let entries = read("s.toml", text).ok().unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.secret.expose()))
            .collect();
        let expected: [(&str, &[u8]); 2] = [
            ("privkey.pem", b"-----BEGIN\nabc\n"),
            ("verifier", b"d691\n"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_never_with_a_value() {
        let table = [
            ("a = \"ok\"\nb = 53cr3t\n", "s.toml:2"),
            ("\n\na = 12345678\n", "s.toml:3"),
            ("a = \"\"\n", "s.toml:1"),
            ("\"../a\" = \"53cr3t\"\n", "s.toml:1"),
            ("\"qbo-relay.toml\" = \"53cr3t\"\n", "s.toml:1"),
            ("a = [\"53cr3t\"]\n", "s.toml:1"),
            ("a = \"53cr3t\"\na = \"53cr3t\"\n", "s.toml:2"),
            ("[a]\nb = \"53cr3t\"\n", "s.toml:1"),
        ];
        for (text, place) in table {
            let findings = read("s.toml", text).err().unwrap();
            assert_eq!(findings[0].place, place, "{text}");
            let said = findings[0].to_string();
            assert!(
                !said.contains("53cr3t") && !said.contains("12345678"),
                "{said}"
            );
        }
    }
}
