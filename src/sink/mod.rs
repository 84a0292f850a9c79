//! Sinks: where changes go. One configured sink is one value of [`Sink`].
//!
//! A sink is handed a [`Delivery`], makes one attempt, and says what came back as an [`Outcome`];
//! it never decides about another attempt, keeps no queue and knows no clock. Called by
//! `worker::lane`; made by `run` from the configuration.

mod address;
mod dial;
pub mod file;
mod format;
mod head;
mod headers;
pub mod http;
mod networks;
mod reach;
mod target;

pub use address::Objection;
pub use file::FileSink;
pub use format::{Appetite, Format};
pub use headers::{Authorization, BadHeader, Signing};
pub use http::HttpSink;
pub use reach::{Reach, reach};

use crate::model::{Change, Delivery, Outcome, SinkName, Timestamp};

/// A configured sink of either kind.
#[derive(Debug)]
pub enum Sink {
    /// Posts to a URL.
    Http(Box<HttpSink>),
    /// Appends to a file.
    File(FileSink),
}

impl Sink {
    /// Its name.
    pub fn name(&self) -> &SinkName {
        match self {
            Self::Http(sink) => sink.name(),
            Self::File(sink) => sink.name(),
        }
    }

    /// Attempts that may be made at a time, at least 1.
    pub fn concurrency(&self) -> usize {
        match self {
            Self::Http(sink) => sink.concurrency(),
            Self::File(_) => 1,
        }
    }

    /// Whether it needs the time: certificates end, and signatures carry it.
    pub fn needs_clock(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::File(_) => false,
        }
    }

    /// What one delivery takes.
    pub fn appetite(&self) -> Appetite {
        match self {
            Self::Http(sink) => sink.appetite(),
            Self::File(sink) => sink.appetite(),
        }
    }

    /// How many of `changes`, from the first, make one delivery; at least one. Less than the
    /// appetite where some of them weigh more than one event.
    pub fn fitting(&self, changes: &[Change]) -> usize {
        match self {
            Self::Http(sink) => sink.fitting(changes),
            Self::File(sink) => sink.fitting(changes),
        }
    }

    /// One attempt; `now` is the time that it is signed with.
    pub async fn deliver(&self, delivery: &Delivery, now: Timestamp) -> Outcome {
        match self {
            Self::Http(sink) => sink.deliver(delivery, now).await,
            Self::File(sink) => sink.deliver(delivery).await,
        }
    }
}
