//! What is written to the log, and how much of it; the level can be changed while running.
//!
//! To journald with its fields where the standard error stream leads there (systemd.exec(5),
//! `$JOURNAL_STREAM`), as lines of text to stderr everywhere else.

use crate::model::printable::printable;
use rustix::fs::fstat;
use std::ffi::OsStr;
use std::io::{self, Write};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

/// Before the names of the fields in journald: `journalctl QBO_SINK=erp`.
const PREFIX: &str = "QBO";

/// The level, changeable.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(Option<reload::Handle<Targets, Registry>>);

impl LogLevel {
    /// Changes how much is logged from now on.
    pub(crate) fn set(&self, level: Level) {
        if let Some(handle) = &self.0 {
            // The only error is a subscriber that is gone, and with it the log.
            _ = handle.reload(targets(level));
        }
    }
}

/// Starts logging. `stream` is `$JOURNAL_STREAM`. A second start in one process changes nothing.
pub(crate) fn start(level: Level, stream: Option<&OsStr>) -> LogLevel {
    let (filter, handle) = reload::Layer::new(targets(level));
    let journald = stream
        .filter(|stream| is_stderr(stream))
        .and_then(|_| tracing_journald::layer().ok());
    let layer = match journald {
        Some(journald) => journald.with_field_prefix(Some(PREFIX.into())).boxed(),
        None => fmt::layer()
            .with_writer(|| Lines)
            .with_ansi(false)
            .with_target(false)
            .boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init();
    LogLevel(started.is_ok().then_some(handle))
}

/// What is logged at a level: of this program everything, of the libraries only what is wrong, since each
/// frame of each connection would be a line. `trace` is for whoever wants those, too.
fn targets(level: Level) -> Targets {
    let libraries = match level {
        Level::TRACE => LevelFilter::DEBUG,
        Level::ERROR => LevelFilter::ERROR,
        _ => LevelFilter::WARN,
    };
    Targets::new()
        .with_default(libraries)
        .with_target(env!("CARGO_CRATE_NAME"), level)
}

/// Standard error, where an event is one line whatever stands in it: what others sent cannot make a line
/// of its own, or act on the terminal of whoever reads it.
struct Lines;

impl Write for Lines {
    /// Gets a whole event at a time.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = format!("{}\n", printable(line));
        io::stderr().lock().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Whether the device and inode that systemd names are those of stderr: somebody may have led it
/// elsewhere since.
fn is_stderr(stream: &OsStr) -> bool {
    let named = stream.to_str().and_then(|stream| stream.split_once(':'));
    let Ok(stderr) = fstat(io::stderr()) else {
        return false;
    };
    named == Some((&stderr.st_dev.to_string(), &stderr.st_ino.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journald_is_meant_only_where_standard_error_leads_to_it() {
        let stderr = fstat(io::stderr()).unwrap();
        let named = format!("{}:{}", stderr.st_dev, stderr.st_ino);
        assert!(is_stderr(OsStr::new(&named)));
        let elsewhere = format!("{}:{}", stderr.st_dev, stderr.st_ino + 1);
        for wrong in [elsewhere.as_str(), "", "8:", "nonsense"] {
            assert!(!is_stderr(OsStr::new(wrong)), "{wrong}");
        }
    }
}
