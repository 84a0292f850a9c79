//! What people read: lines on stdout, diagnostics on stderr, colours only where they can be seen.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// Writes a line for people to stdout. A reader that went away (`| head`) is no reason to fail.
pub(crate) fn say(line: impl Display) {
    _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes a diagnostic to stderr.
pub(crate) fn complain(line: impl Display) {
    _ = writeln!(std::io::stderr().lock(), "qbo-relay: {line}");
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

/// The text in this colour, where colours can be seen.
pub(crate) fn tinted(tint: Tint, text: impl Display) -> String {
    if !is_lively() {
        return text.to_string();
    }
    let code = match tint {
        Tint::Green => 32,
        Tint::Yellow => 33,
        Tint::Red => 31,
        Tint::Dim => 2,
        Tint::Bold => 1,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
