//! What QuickBooks said: "this record of this company changed".

use super::{EntityRef, Identity, RealmId, Timestamp};
use std::time::Duration;

/// One notified change, as understood from either payload form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// The company.
    pub realm: RealmId,
    /// The record; for a merge the surviving one.
    pub entity: EntityRef,
    /// What happened to it.
    pub operation: Operation,
    /// When it happened, by the sender's word.
    pub happened: EventTime,
    /// The record that a merge removed (`deletedId`).
    pub deleted_id: Option<String>,
    /// The CloudEvents `type` verbatim, or the one that the legacy fields stand for.
    pub event_type: String,
    /// The sender's own event id (CloudEvents `id`); the legacy form has none.
    pub sender_id: Option<String>,
    /// CloudEvents `data` as JSON text, verbatim; `None` when missing, `null` or `{}`. Of a record whose
    /// kind came as a number that stands for several: that number and their names.
    pub data: Option<String>,
    /// What makes a repeat a repeat.
    pub identity: Identity,
    /// 64 bits of SHA-256 over all that was said, to notice other content under the same identity.
    pub content: u64,
}

/// What happened to a record. Source: Intuit's table of entities and operations.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// It was created.
    Create,
    /// It was changed.
    Update,
    /// It was deleted.
    Delete,
    /// Another record was merged into it.
    Merge,
    /// It was voided (`void` on the wire; `voided` is understood too).
    Void,
    /// It was sent by e-mail.
    Emailed,
    /// A verb that the relay does not know, verbatim: something changed.
    Other(String),
}

/// How the relay came to know of a change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// A notification.
    Webhook,
    /// Change Data Capture after a notification or a gap.
    Capture,
    /// Polling of a resource.
    Poll,
    /// The daily capture of everything.
    Sweep,
}

/// The two payload forms of Intuit's notifications.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// A JSON array of CloudEvents 1.0, live since 2026.
    CloudEvents,
    /// A JSON object with `eventNotifications`, retired by Intuit in July 2026.
    Legacy,
}

/// A time as the sender wrote it, and the instant it means where it can be read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EventTime {
    /// The original string, verbatim; empty when the field was missing.
    pub text: String,
    /// The instant, cut to milliseconds.
    pub at: Option<Timestamp>,
}

/// How far the sender's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(300);

/// The first instant that can be the time of a change: languages write "no time" as the beginning of
/// their calendar, which lies in or before the first hours of 1970, in whatever zone.
const FIRST_MS: i64 = 14 * 3_600_000;

/// The first instant that cannot: they write "no end" as the end of the year 9999, whatever the zone.
const LAST_MS: i64 = 253_402_214_400_000;

impl EventTime {
    /// The instant at which it happened: not one that stands for "none".
    pub fn own(&self) -> Option<Timestamp> {
        self.at
            .filter(|at| (FIRST_MS..LAST_MS).contains(&at.as_ms()))
    }

    /// The instant by which it is put in order, of what was received at that time: nothing that is
    /// told has yet to happen.
    pub fn in_order(&self, received_at: Timestamp) -> Option<Timestamp> {
        self.own().map(|at| at.min(received_at.plus(SKEW)))
    }

    /// The instant at which it happened, where that can be: nothing that has yet to happen.
    pub fn likely(&self, received_at: Timestamp) -> Option<Timestamp> {
        self.own().filter(|_| !self.is_ahead(received_at))
    }

    /// Whether it says that it has yet to happen, by more than clocks differ.
    pub fn is_ahead(&self, received_at: Timestamp) -> bool {
        self.own().is_some_and(|at| at > received_at.plus(SKEW))
    }
}

impl Origin {
    /// The word in the journal and in the `origin` attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Capture => "capture",
            Self::Poll => "poll",
            Self::Sweep => "sweep",
        }
    }

    /// The origin that the word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Webhook, Self::Capture, Self::Poll, Self::Sweep]
            .into_iter()
            .find(|origin| origin.as_str() == word)
    }
}

impl Form {
    /// The word in the journal: `cloudevents` or `legacy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CloudEvents => "cloudevents",
            Self::Legacy => "legacy",
        }
    }

    /// The form that the word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::CloudEvents, Self::Legacy]
            .into_iter()
            .find(|form| form.as_str() == word)
    }
}

impl Operation {
    /// Intuit's word in the legacy form (`Create`), or the unknown verb verbatim.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
            Self::Merge => "Merge",
            Self::Void => "Void",
            Self::Emailed => "Emailed",
            Self::Other(verb) => verb,
        }
    }

    /// The operation that a legacy word or a CloudEvents verb stands for, in any case.
    pub fn parse(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "create" | "created" => Self::Create,
            "update" | "updated" => Self::Update,
            "delete" | "deleted" => Self::Delete,
            "merge" | "merged" => Self::Merge,
            "void" | "voided" => Self::Void,
            "emailed" => Self::Emailed,
            _ => Self::Other(word.to_owned()),
        }
    }

    /// The verb of a CloudEvents `type` as Intuit spells it: past tense, but `void`.
    pub fn verb(&self) -> String {
        match self {
            Self::Create => "created".into(),
            Self::Update => "updated".into(),
            Self::Delete => "deleted".into(),
            Self::Merge => "merged".into(),
            Self::Void => "void".into(),
            Self::Emailed => "emailed".into(),
            Self::Other(verb) => verb.to_ascii_lowercase(),
        }
    }
}
