//! What a mistake in the file means: its line, what is wrong with it, and what to write instead.
//!
//! The parser of TOML knows where it stopped and what it did not expect. What somebody had in mind is
//! seen here, from the line, and from what the tables take, which is asked of their own definitions.

use super::closest::closest;
use super::file::File;
use super::unit;
use std::ops::Range;
use toml::de::Error;

/// Where the mistake is, and the sentence about it.
pub(super) fn explain(text: &str, error: &Error) -> (Range<usize>, String) {
    let span = error.span().unwrap_or(0..0);
    let place = Place::of(text, span.start);
    let message = error.message().trim();
    let said = typographic(place.line)
        .or_else(|| unknown(&place, message))
        .or_else(|| duplicate(text, &place, message))
        .or_else(|| brackets(&place, message))
        .or_else(|| missing(&place, message))
        .or_else(|| value(&place, message))
        .or_else(|| syntax(&place, message))
        .unwrap_or_else(|| message.replace('\n', "; "));
    (span, said)
}

/// What stands around a place in the file.
struct Place<'a> {
    line: &'a str,
    /// Number of the line, from 1.
    number: usize,
    /// The header before it, `[[sink]]`, as it is written.
    header: &'a str,
    /// What stands before the first `=` of the line.
    key: Option<&'a str>,
    /// What stands after it, without a comment.
    value: &'a str,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, at: usize) -> Self {
        let at = at.min(text.len());
        let before = text.get(..at).unwrap_or(text);
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let rest = text.get(begin..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let above = text.get(..begin).unwrap_or_default();
        let is_header = |line: &&str| line.starts_with('[') && line.ends_with(']');
        let mut headers = above.lines().chain([line]).map(uncommented);
        let header = headers.rfind(is_header).unwrap_or_default();
        let (key, value) = match uncommented(line).split_once('=') {
            Some((key, value)) => (Some(key.trim()), value.trim()),
            None => (None, ""),
        };
        Self {
            line,
            number: 1 + above.matches('\n').count(),
            header,
            key: key.filter(|key| !key.is_empty()),
            value,
        }
    }

    /// The table's name, without brackets.
    fn table(&self) -> &'a str {
        self.header.trim_matches(['[', ']']).trim()
    }

    /// As it is called in a sentence.
    fn table_name(&self) -> String {
        match self.header {
            "" => "the file, before its first table".into(),
            header => header.into(),
        }
    }

    fn key(&self) -> &'a str {
        self.key.unwrap_or("key")
    }
}

/// A line without the comment at its end, as far as a `#` stands in no quotes.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => return line.get(..at).unwrap_or(line).trim(),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    line.trim()
}

/// Characters that word processors and web pages put in place of those of the keyboard. In quotes they
/// are a value's business.
fn typographic(line: &str) -> Option<String> {
    let mut quote = None;
    for character in uncommented(line).chars() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, odd) if !odd.is_ascii() => {
                let code = u32::from(odd);
                let instead = match odd {
                    '\u{2018}'..='\u{201f}'
                    | '\u{ab}'
                    | '\u{bb}'
                    | '\u{2039}'
                    | '\u{203a}'
                    | '\u{2032}'
                    | '\u{2033}'
                    | '\u{ff02}' => "straight quotes (\")",
                    '\u{2010}'..='\u{2015}' | '\u{2212}' => "a plain hyphen (-)",
                    '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{3000}' => "a plain space",
                    '\u{ff1d}' => "a plain =",
                    _ => "letters of a to z, or put the value into quotes",
                };
                return Some(format!(
                    "the character {odd:?} (U+{code:04X}) cannot stand here; write {instead}"
                ));
            }
            _ => {}
        }
    }
    None
}

/// A key or a table that there is not.
fn unknown(place: &Place<'_>, message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (given, expected) = rest.split_once('`')?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    // A table that there is not has its own line for a header.
    let is_table = place.key.is_none();
    let what = match is_table {
        true => format!("unknown field `{given}`: there is no such table"),
        false => format!("unknown field `{given}` in {}", place.table_name()),
    };
    if let Some(meant) = closest(given, known.iter().copied()) {
        let meant = match is_table {
            true => header_of(meant),
            false => format!("`{meant}`"),
        };
        return Some(format!("{what}; did you mean {meant}?"));
    }
    let homes: Vec<String> = tables()
        .into_iter()
        .filter(|header| keys_of(header).iter().any(|key| key == given))
        .collect();
    if !is_table && !homes.is_empty() {
        return Some(format!("{what}; it belongs to {}", homes.join(" or ")));
    }
    let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    Some(format!("{what}; there are {}", known.join(", ")))
}

/// A key or a table that stands twice.
fn duplicate(text: &str, place: &Place<'_>, message: &str) -> Option<String> {
    if !message.contains("duplicate key") {
        return None;
    }
    let own = uncommented(place.line);
    let above = text.lines().take(place.number - 1).map(uncommented);
    let lines: Vec<(usize, &str)> = (1..).zip(above).collect();
    if place.key.is_none() {
        let first = lines.iter().find(|(_, line)| *line == own);
        let first = first.map_or_else(String::new, |(line, _)| format!(", first in line {line}"));
        let more = match repeats(place.table()) {
            true => format!("; write {} for each", header_of(place.table())),
            false => "; join the two".to_owned(),
        };
        return Some(format!("the table {own} stands twice{first}{more}"));
    }
    let begin = lines.iter().rfind(|(_, line)| line.starts_with('['));
    let begin = begin.map_or(0, |(line, _)| *line);
    let is_same = |line: &str| line.split_once('=').map(|(key, _)| key.trim()) == place.key;
    let first = lines
        .iter()
        .find(|(number, line)| *number >= begin && is_same(line));
    let first = first.map_or_else(String::new, |(line, _)| format!(", first in line {line}"));
    Some(format!(
        "the key `{}` stands twice in {}{first}; keep one",
        place.key(),
        place.table_name()
    ))
}

/// `[sink]` for `[[sink]]`, and the other way round.
fn brackets(place: &Place<'_>, message: &str) -> Option<String> {
    let name = place.table();
    let is_header = place.key.is_none() && !name.is_empty();
    if !(is_header && message.contains("invalid type")) {
        return None;
    }
    let right = header_of(name);
    let why = match repeats(name) {
        true => "because there may be several",
        false => "because there is one",
    };
    Some(format!("write {right} instead of {}, {why}", place.header))
}

fn missing(place: &Place<'_>, message: &str) -> Option<String> {
    let key = message.strip_prefix("missing field `")?.strip_suffix('`')?;
    let header = match place.header {
        "" => "this table",
        header => header,
    };
    Some(format!(
        "{header} lacks `{key}`; add {}",
        example(place.header, key)
    ))
}

/// A value of another kind than the key takes.
fn value(place: &Place<'_>, message: &str) -> Option<String> {
    let key = place.key?;
    let given = place.value;
    if message.contains("is not a size") || message.contains("is not a span of time") {
        let text = given.trim_matches(['"', '\'']);
        let meant = unit::nearest(text, message.contains("is not a size"));
        let meant = meant.map_or_else(String::new, |meant| {
            format!("; did you mean {key} = \"{meant}\"?")
        });
        return Some(format!("{message}{meant}"));
    }
    // A quoted value that the parser stumbled over is not of the wrong kind.
    let is_bare = !given.starts_with(['"', '\'']) && message.contains("expected");
    if !message.starts_with("invalid type") && !message.starts_with("invalid value") && !is_bare {
        return None;
    }
    let kind = kind_of(place.header, key)?;
    let bare = given.trim_matches(['"', '\'']);
    let write = match kind {
        Kind::Span | Kind::Size => {
            let meant = unit::nearest(bare, matches!(kind, Kind::Size));
            let meant = meant.unwrap_or_else(|| kind.example().into());
            format!(
                "it takes {}, with its unit and in quotes: {key} = \"{meant}\"",
                kind.name()
            )
        }
        Kind::List => format!("it takes a list: {key} = [{}]", quoted(given)),
        Kind::Text => format!("it takes a text, in quotes: {key} = \"{bare}\""),
        Kind::Flag => match bare.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => {
                format!("it takes true or false, without quotes: {key} = true")
            }
            "false" | "no" | "off" | "0" => {
                format!("it takes true or false, without quotes: {key} = false")
            }
            _ => format!("it takes true or false, without quotes: {key} = true"),
        },
        Kind::Number => match bare.replace(['_', ' '], "").parse::<u64>() {
            Ok(number) => format!("it takes a whole number, without quotes: {key} = {number}"),
            Err(_) => {
                format!("it takes a whole number, without quotes and without unit: {key} = 100")
            }
        },
        Kind::Map => {
            format!("it takes names with values, in braces: {key} = {{ name = \"value\" }}")
        }
    };
    Some(format!("`{key}` = {given} cannot be meant; {write}"))
}

/// What the parser of TOML stumbled over.
fn syntax(place: &Place<'_>, message: &str) -> Option<String> {
    let line = uncommented(place.line);
    let quotes = line.matches('"').count();
    if line.contains('\\') && quotes > 0 && message.contains("escape") {
        return Some("a \\ in double quotes begins an escape; put the value into single quotes ('...'), or write \\\\".into());
    }
    if line.starts_with('[') {
        let open = line.matches('[').count();
        if open != line.matches(']').count() {
            let name = line.trim_matches(['[', ']', ' ']);
            return Some(format!(
                "the brackets of {line} do not match; write {}",
                header_of(name)
            ));
        }
    }
    if let (None, Some((key, value))) = (place.key, line.split_once(':')) {
        let key = key.trim();
        if !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Some(format!(
                "write {key} = {} (with =, not with :)",
                quoted(value.trim())
            ));
        }
    }
    if place.key.is_none() && !line.is_empty() && !line.starts_with('[') {
        return Some(format!(
            "`{line}` is neither `key = value` nor a table such as [listen]; a comment begins with #"
        ));
    }
    let is_open = quotes == 1 || line.matches('\'').count() == 1;
    if place.key.is_some() && is_open {
        return Some(format!(
            "a quote of `{}` is missing; write {} = \"...\"",
            place.key(),
            place.key()
        ));
    }
    None
}

fn quoted(value: &str) -> String {
    let is_whole = value.starts_with(['"', '\'', '[', '{'])
        || value.parse::<f64>().is_ok()
        || ["true", "false"].contains(&value);
    match is_whole {
        true => value.to_owned(),
        false => format!("\"{value}\""),
    }
}

/// What a key takes.
#[derive(Clone, Copy)]
enum Kind {
    Span,
    Size,
    List,
    Text,
    Flag,
    Number,
    Map,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Span => "a span of time (ms, s, min, h, d)",
            Self::Size => "a size (B, KiB, MiB, GiB)",
            Self::List => "a list",
            Self::Text => "a text",
            Self::Flag => "true or false",
            Self::Number => "a whole number",
            Self::Map => "names with values",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Size => "10 MiB",
            _ => "10 s",
        }
    }
}

/// What the definition of a table says to a key with this value.
fn asked(header: &str, line: &str) -> Option<String> {
    let error = toml::from_str::<File>(&format!("{header}\n{line}\n")).err()?;
    Some(error.message().to_owned())
}

/// What the key takes, by what its definition says to values that it does not take.
fn kind_of(header: &str, key: &str) -> Option<Kind> {
    let to_text = asked(header, &format!("{key} = \"\\u0001\"")).unwrap_or_default();
    let to_number = asked(header, &format!("{key} = 0.5")).unwrap_or_default();
    if to_text.contains("is not a size") {
        return Some(Kind::Size);
    }
    if to_text.contains("is not a span of time") {
        return Some(Kind::Span);
    }
    let (_, expected) = to_number.split_once("expected ")?;
    Some(match expected.trim() {
        text if text.contains("sequence") => Kind::List,
        text if text.contains("boolean") => Kind::Flag,
        text if text.contains("map") => Kind::Map,
        text if text.contains("string") || text.contains("path") => Kind::Text,
        text if text.starts_with(['u', 'i']) => Kind::Number,
        _ => return None,
    })
}

/// The names that a definition knows, by its own words about one that it does not know.
fn keys_of(header: &str) -> Vec<String> {
    let message = asked(header, "\"?\" = 1").unwrap_or_default();
    let (_, expected) = message.split_once("expected ").unwrap_or_default();
    let names = expected.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// Every table, as its header is written.
fn tables() -> Vec<String> {
    keys_of("").iter().map(|name| header_of(name)).collect()
}

/// Whether there may be several of a table.
fn repeats(name: &str) -> bool {
    asked("", &format!("{name} = 1")).is_some_and(|message| message.contains("sequence"))
}

fn header_of(name: &str) -> String {
    let known = keys_of("");
    let name = closest(name, known.iter().map(String::as_str)).unwrap_or(name);
    match repeats(name) {
        true => format!("[[{name}]]"),
        false => format!("[{name}]"),
    }
}

/// How a key could be written.
fn example(header: &str, key: &str) -> String {
    match (header, key) {
        ("[[sink]]", "kind") => "kind = \"http\" or kind = \"file\"".into(),
        (_, "redirect_uri") => "redirect_uri = \"https://gateway.example/oauth/callback\"".into(),
        _ => format!("{key} = \"...\""),
    }
}
