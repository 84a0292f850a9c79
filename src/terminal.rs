//! What people read: lines on stdout, diagnostics on stderr, colours only where they can be seen.
//!
//! A line is one line whatever is in it: text of others is made printable here, at the one place that
//! everything shown goes through.

use crate::model::printable::{printable, printable_json};
use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// Writes a line for people to stdout. A reader that went away (`| head`) is no reason to fail.
pub(crate) fn say(line: impl Display) {
    let line = line.to_string();
    let line = coloured(&printable(&line));
    _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes several lines, each as by [`say`]; for text of ours, in which a line end is meant.
pub(crate) fn say_lines(lines: impl Display) {
    lines.to_string().lines().for_each(say);
}

/// Writes JSON to stdout: as it is laid out, with nothing in its strings that acts on a terminal.
pub(crate) fn say_json(json: impl Display) {
    let json = json.to_string();
    let json = printable_json(json.trim_end());
    _ = writeln!(std::io::stdout().lock(), "{json}");
}

/// Writes bytes to stdout as they are, with a line end.
pub(crate) fn say_raw(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    _ = stdout
        .write_all(bytes)
        .and_then(|()| stdout.write_all(b"\n"));
}

/// Writes a diagnostic to stderr.
pub(crate) fn complain(line: impl Display) {
    let line = line.to_string();
    let line = printable(&line);
    _ = writeln!(std::io::stderr().lock(), "qbo-relay: {line}");
}

/// Asks a question on stderr and reads the answer from stdin; `None` where nobody can be asked,
/// because one of the two is no terminal.
pub(crate) fn confirmed(question: impl Display) -> Option<bool> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    let question = question.to_string();
    let mut stderr = std::io::stderr().lock();
    _ = write!(stderr, "{} [y/N] ", printable(&question));
    _ = stderr.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    let yes = ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str());
    Some(read.is_ok() && yes)
}

/// Whether stdout is a terminal that wants colours and moving things (`NO_COLOR` is honoured).
pub(crate) fn is_lively() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A colour for a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tint {
    /// Good.
    Green,
    /// To be looked at.
    Yellow,
    /// Bad.
    Red,
    /// Of less weight.
    Dim,
    /// Of more weight.
    Bold,
}

/// What stands for the beginning of each colour and for the end of all until a line is written: the
/// terminal's own sequences would be made printable. These characters are never assigned.
const MARKS: [(Tint, char, u8); 5] = [
    (Tint::Green, '\u{fdd0}', 32),
    (Tint::Yellow, '\u{fdd1}', 33),
    (Tint::Red, '\u{fdd2}', 31),
    (Tint::Dim, '\u{fdd3}', 2),
    (Tint::Bold, '\u{fdd4}', 1),
];
const END: char = '\u{fdd5}';

/// The text in this colour, where colours can be seen, in what is given to [`say`].
pub(crate) fn tinted(tint: Tint, text: impl Display) -> String {
    let mark = MARKS.iter().find(|(known, ..)| *known == tint);
    match mark {
        Some((_, mark, _)) if is_lively() => format!("{mark}{text}{END}"),
        _ => text.to_string(),
    }
}

/// The line with the terminal's sequences in place of the marks.
fn coloured(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for character in line.chars() {
        match MARKS.iter().find(|(_, mark, _)| *mark == character) {
            Some((_, _, code)) => shown.push_str(&format!("\x1b[{code}m")),
            None if character == END => shown.push_str("\x1b[0m"),
            None => shown.push(character),
        }
    }
    shown
}
