//! Single fields of an entry, and what is wrong with one.

use crate::wire::json;
use serde_json::value::RawValue;

/// Bytes that a field may have at most; Intuit's longest is about 80.
const BYTES_MAX: usize = 1024;

/// Where something was not understood, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::wire) struct Fault {
    /// A path such as `[2].type`, a `line 1 column 17`, or `body`.
    pub(in crate::wire) at: String,
    /// What was expected and what was there; never the content of a field.
    pub(in crate::wire) why: String,
}

impl Fault {
    /// Something wrong at a place.
    pub(in crate::wire) fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            why: why.into(),
        }
    }

    /// Text that is not JSON, by line and column.
    pub(in crate::wire) fn of_json(error: &serde_json::Error) -> Self {
        let at = format!("line {} column {}", error.line(), error.column());
        Self::new(at, format!("not JSON: {}", json::complaint(error)))
    }

    /// The same fault, seen from outside the entry at `place`.
    pub(in crate::wire) fn within(self, place: &str) -> Self {
        let dot = if place.is_empty() || self.at.is_empty() {
            ""
        } else {
            "."
        };
        Self::new(format!("{place}{dot}{}", self.at), self.why)
    }
}

/// The optional fields of an entry. One that cannot be read costs itself only: the entry is
/// understood without it, and what was left out is told beside it.
pub(in crate::wire) struct Optional<'a> {
    /// Bad bytes of the body were replaced by U+FFFD.
    is_damaged: bool,
    /// What was left out: its text, and what is wrong with it.
    pub(in crate::wire) left_out: Vec<(&'a str, Fault)>,
}

impl<'a> Optional<'a> {
    pub(in crate::wire) fn new(is_damaged: bool) -> Self {
        Self {
            is_damaged,
            left_out: Vec::new(),
        }
    }

    /// A string or a number.
    pub(in crate::wire) fn text(
        &mut self,
        value: Option<&'a RawValue>,
        at: &str,
    ) -> Option<String> {
        self.keep(value, at, |value| optional(Some(value), at))
            .flatten()
    }

    /// Whatever `read` makes of it.
    pub(in crate::wire) fn keep<T>(
        &mut self,
        value: Option<&'a RawValue>,
        at: &str,
        read: impl FnOnce(&'a RawValue) -> Result<T, Fault>,
    ) -> Option<T> {
        let value = value?;
        let is_bad = self.is_damaged && value.get().contains(char::REPLACEMENT_CHARACTER);
        let read = match is_bad {
            true => Err(Fault::new(at, "not UTF-8")),
            false => read(value),
        };
        read.map_err(|fault| self.left_out.push((value.get(), fault)))
            .ok()
    }
}

/// A string that must be there.
pub(in crate::wire) fn word(value: Option<&RawValue>, at: &str) -> Result<String, Fault> {
    match value {
        Some(value)
            if value
                .get()
                .starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) =>
        {
            // Some serializers write an enumeration's number, and those numbers are ambiguous.
            Err(Fault::new(at, "expected a string, found a number"))
        }
        value => id(value, at),
    }
}

/// A string or a number that must be there; a number is taken as it is written.
pub(in crate::wire) fn id(value: Option<&RawValue>, at: &str) -> Result<String, Fault> {
    match optional(value, at)? {
        Some(text) if text.is_empty() => Err(Fault::new(at, "empty")),
        Some(text) => Ok(text),
        None => Err(Fault::new(at, "missing")),
    }
}

/// A string or a number that may be missing or `null`.
pub(in crate::wire) fn optional(
    value: Option<&RawValue>,
    at: &str,
) -> Result<Option<String>, Fault> {
    let expected = |found| Fault::new(at, format!("expected a string, found {found}"));
    let Some(text) = value.map_or(Ok(None), |value| json::text(value).map_err(expected))? else {
        return Ok(None);
    };
    if text.len() > BYTES_MAX {
        return Err(Fault::new(at, format!("longer than {BYTES_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new(at, "has control characters"));
    }
    Ok(Some(text))
}
