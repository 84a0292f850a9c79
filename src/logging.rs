//! What is written to the log, and how much of it; the level can be changed while running.

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

/// The level, changeable.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(Option<reload::Handle<LevelFilter, Registry>>);

impl LogLevel {
    /// Changes how much is logged from now on.
    pub(crate) fn set(&self, level: Level) {
        if let Some(handle) = &self.0 {
            // The only error is a subscriber that is gone, and with it the log.
            _ = handle.reload(LevelFilter::from_level(level));
        }
    }
}

/// Starts logging to stderr, plain text. A second start in one process changes nothing.
pub(crate) fn start(level: Level) -> LogLevel {
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    let text = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(text)
        .try_init();
    LogLevel(started.is_ok().then_some(handle))
}
