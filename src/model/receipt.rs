//! What the relay keeps: one authenticated request body and what was understood of it.

use super::{Form, Identity, Notification, Seq, Timestamp};
use bytes::Bytes;

/// An authenticated delivery, ready for the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// When the last byte of the body had arrived, by the wall clock.
    pub received_at: Timestamp,
    /// Name of the verifier token that matched.
    pub verifier: String,
    /// The payload form, where one was recognized.
    pub form: Option<Form>,
    /// Sender's headers worth keeping (`intuit-*`, content type), lower-case names; not signed by
    /// the sender, so evidence at best. Never the signature itself.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// What was in it, in order; never empty.
    pub items: Vec<Item>,
}

/// One entry of a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// Understood.
    Notification(Notification),
    /// Authentic, but not understood: kept, counted, shown, acknowledged.
    Unreadable(Unreadable),
}

/// An entry (or a whole body) that could not be understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable {
    /// Where in the body: `line 1 column 17`, `[3].type`, or `body`.
    pub at: String,
    /// One sentence: what was expected and what was there.
    pub why: String,
    /// Identity of the raw text, so that a repeat is known for one.
    pub identity: Identity,
}

/// What became of a receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// It was stored.
    New {
        /// Its number.
        seq: Seq,
        /// Changes that it added.
        changes: u32,
    },
    /// Everything in it was known already: counted on the receipt that brought it first.
    Repeat {
        /// That receipt.
        of: Seq,
    },
}

impl Item {
    /// What makes a repeat of this entry a repeat.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Notification(notification) => notification.identity,
            Self::Unreadable(unreadable) => unreadable.identity,
        }
    }

    /// The digest of its content; for an unreadable entry the identity covers it all.
    pub fn content(&self) -> u64 {
        match self {
            Self::Notification(notification) => notification.content,
            Self::Unreadable(_) => 0,
        }
    }
}
