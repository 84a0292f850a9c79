//! What a person asks about after a reboot, when the system's own log may be gone: starts, ends,
//! reloads. Kept in the journal's small table of events; nothing periodic, each is a write to the disk.

use super::Failure;
use crate::clock::Clock;
use crate::journal::{Event, Found, Journal};
use crate::model::SinkCount;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A journal in trouble must not hold up the end.
const PATIENCE: Duration = Duration::from_secs(2);

const START: &str = "start";
const STOP: &str = "stop";

/// Writes events.
#[derive(Clone)]
pub(crate) struct Chronicle {
    pub(super) journal: Journal,
    pub(super) clock: Arc<dyn Clock>,
}

impl Chronicle {
    /// The relay has started: which version, and how the last run ended.
    pub(super) async fn started(&self) {
        let snapshot = self.journal.snapshot().await.ok();
        for parked in snapshot.iter().flat_map(|seen| &seen.parked) {
            let SinkCount { sink, count, .. } = parked;
            tracing::warn!(
                "sink {sink} is not configured any more; {count} changes that it had yet to get are parked until \
                 their receipts are deleted: configure it again to have them delivered"
            );
        }
        let events = snapshot.map(|seen| seen.events).unwrap_or_default();
        let last = events
            .iter()
            .find(|event| [START, STOP].contains(&event.kind.as_str()));
        let ended = match last {
            None if *self.journal.found() == Found::Missing => {
                "the journal of the runs before is gone".to_owned()
            }
            None => "the first run, or the first that is known of".to_owned(),
            Some(event) if event.kind == STOP => format!("the last run ended: {}", event.text),
            Some(_) => "the last run was cut off: a power cut, a crash, or a kill".to_owned(),
        };
        tracing::info!("version {}; {ended}", env!("CARGO_PKG_VERSION"));
        self.note(
            START,
            format!("version {}; {ended}", env!("CARGO_PKG_VERSION")),
        )
        .await;
    }

    /// The relay ends, as it was told to.
    pub(super) async fn stopped(&self) {
        self.note(STOP, "as it was told to".into()).await;
    }

    /// The relay ends by itself.
    pub(super) async fn failed(&self, failure: &Failure) {
        self.note(STOP, failure.to_string()).await;
    }

    /// Remembers something of this kind.
    pub(super) async fn note(&self, kind: &str, text: String) {
        let event = Event {
            at: self.clock.now(),
            kind: kind.into(),
            text,
        };
        // What cannot be written down has been said to the log; that the journal is in trouble is told
        // by its own word.
        _ = timeout(PATIENCE, self.journal.note(event)).await;
    }
}
