//! The books of a simulated company: records that people create, change, void, merge and delete.
//!
//! Not here: HTTP, OAuth, who is told (`intuit_company`). The data ([`Ledger`]) knows no clock and
//! draws its chance from a seed, so that a history can be repeated; [`Books`] is the handle through
//! which tests, the demo and the server share it. What QuickBooks does to a record when something
//! happens to it is taken from public recordings of real traffic: `SyncToken` counts up, a voided
//! transaction has amounts of 0 and the note `Voided`, a name that is no longer used stays and gets
//! ` (deleted)`, and a linked transaction moves `LastUpdatedTime` without touching `SyncToken`.

mod handle;
mod kinds;
mod ledger;
pub mod pacific;
mod record;

pub use handle::Books;
pub(super) use handle::{BooksClock, Teller};
pub use kinds::{Family, KindFacts, find, find_loosely, kinds};
pub use ledger::Ledger;
pub use record::{Row, State};

use crate::model::Timestamp;
use std::collections::BTreeMap;

/// What a person does to a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// A new record.
    Create,
    /// Its content changes; an inactive name becomes active again.
    Update,
    /// A linked transaction changes it: `LastUpdatedTime` moves, `SyncToken` does not.
    Touch,
    /// A transaction stays, with amounts of 0.
    Void,
    /// A transaction is gone; a name becomes inactive.
    Delete,
    /// A name becomes inactive; told as an update.
    Deactivate,
    /// One name takes over another, which becomes inactive.
    Merge,
    /// A transaction is sent by mail.
    Email,
}

impl Deed {
    /// The operation as the legacy form spells it, and the verb of CloudEvents.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("Create", "created"),
            Self::Update | Self::Touch | Self::Deactivate => ("Update", "updated"),
            Self::Void => ("Void", "void"),
            Self::Delete => ("Delete", "deleted"),
            Self::Merge => ("Merge", "merged"),
            Self::Email => ("Emailed", "emailed"),
        }
    }
}

/// Something to do to a record.
#[derive(Clone, PartialEq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Kind as the API spells it (`Invoice`).
    pub kind: String,
    /// What to do.
    #[serde(rename = "operation")]
    pub deed: Deed,
    /// Which record; not for [`Deed::Create`].
    #[serde(default)]
    pub id: Option<String>,
    /// For [`Deed::Merge`]: the record that is taken over.
    #[serde(default)]
    pub deleted_id: Option<String>,
    /// Content to set, by the names of the API; it stays until it is set again.
    #[serde(default)]
    pub fields: BTreeMap<String, serde_json::Value>,
}

impl Change {
    /// This deed to this record, without content of its own.
    pub fn new(kind: &str, deed: Deed, id: Option<&str>) -> Self {
        Self {
            kind: kind.to_owned(),
            deed,
            id: id.map(str::to_owned),
            deleted_id: None,
            fields: BTreeMap::new(),
        }
    }
}

/// Something that happened to a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happening {
    /// Company.
    pub realm: String,
    /// Kind as the API spells it.
    pub kind: &'static str,
    /// Record; for a merge the one that stays.
    pub id: String,
    /// What was done.
    pub deed: Deed,
    /// When; the record's `LastUpdatedTime` is the whole second of it.
    pub at: Timestamp,
    /// For a merge: the record that was taken over.
    pub deleted_id: Option<String>,
    /// The `id` under which Intuit tells it, the same on each repeat.
    pub event_id: String,
}

/// Why something cannot be done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Mistake {
    /// There is no such kind of record.
    #[error("`{0}` is no kind of record here")]
    UnknownKind(String),
    /// There is no such record, or it is gone.
    #[error("there is no {kind} {id} that this could be done to")]
    NoSuchRecord {
        /// Kind.
        kind: &'static str,
        /// Id as given.
        id: String,
    },
    /// QuickBooks has no such operation for the kind.
    #[error("{deed:?} is nothing that can be done to {kind}")]
    NotPossible {
        /// Kind.
        kind: &'static str,
        /// What was asked.
        deed: Deed,
    },
}

/// What a record is, for comparing with what a receiver made of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// `SyncToken`; a tombstone has none.
    pub sync_token: Option<String>,
    /// `LastUpdatedTime`.
    pub updated: Timestamp,
    /// What it is.
    pub state: State,
}
