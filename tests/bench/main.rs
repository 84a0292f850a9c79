//! The figures: what an acknowledgement costs, measured in one run over loopback TLS.
//!
//! `cargo bench` prints the table that stands in `tests/bench/README.md`. The program is three in
//! one: the measurer, a server with the journal (or with nothing in its place: the ceiling), and a
//! filler that makes a journal with a million receipts. Server and measurer are separate processes,
//! so that memory and bytes written are the server's own.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a benchmark prints its table, and counts are far below 2^52"
)]

mod against;
mod books;
mod child;
mod line;
mod load;
mod machine;
mod raw;
mod relay;
mod server;
mod table;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["serve", "nothing"] => server::serve(None),
        ["serve", "journal", path] => server::serve(Some(Path::new(path))),
        ["fill", path, count] => raw::fill(Path::new(path), count.parse().unwrap_or(0)),
        ["raw", path] => raw::measure(Path::new(path)),
        ["line"] => table::line(),
        ["books"] => table::books(),
        ["against", other] => table::against(Path::new(other), 7),
        ["against", other, pairs] => table::against(Path::new(other), pairs.parse().unwrap_or(7)),
        [] | ["quick"] => table::print(words.as_slice() == ["quick"]),
        other => Err(
            format!("not understood: {other:?}; say nothing, `quick`, `line`, `books` or `against BINARY [PAIRS]`").into(),
        ),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a measurement broke off.
type Mishap = Box<dyn std::error::Error + Send + Sync>;
