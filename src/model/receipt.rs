//! What the relay keeps: one authenticated request body and what was understood of it.

use super::{Form, Identity, Notification, Origin, Seq, Timestamp};
use bytes::Bytes;

/// An authenticated delivery, ready for the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// When the last byte of the body had arrived, by the wall clock.
    pub received_at: Timestamp,
    /// Name of the verifier token that matched, of the trusted source, or of the app by which the
    /// company was read.
    pub source: String,
    /// What speaks for it.
    pub authenticity: Authenticity,
    /// How the relay came to know of what is in it.
    pub origin: Origin,
    /// What the body is written in.
    pub encoding: Encoding,
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

/// What speaks for a receipt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Authenticity {
    /// Intuit's signature over the raw bytes.
    Signed,
    /// No signature; the client of a configured source showed its credential.
    Credential,
    /// No signature and no credential; the client's address is in a configured range.
    Address,
    /// Nobody sent it: the relay read it from QuickBooks itself.
    Fetched,
}

/// What a body is written in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// ServiceStack's JSON with fewer quotes.
    Jsv,
    /// Comma-separated values.
    Csv,
    /// `application/x-www-form-urlencoded`.
    Form,
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

impl Authenticity {
    /// The word in the journal and in the `authenticity` attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Credential => "credential",
            Self::Address => "address",
            Self::Fetched => "fetched",
        }
    }

    /// Whether nobody but the client itself says so: neither a signature nor QuickBooks.
    pub const fn is_unsigned(self) -> bool {
        matches!(self, Self::Credential | Self::Address)
    }

    /// What the word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Signed, Self::Credential, Self::Address, Self::Fetched]
            .into_iter()
            .find(|authenticity| authenticity.as_str() == word)
    }
}

impl Encoding {
    /// The word in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Jsv => "jsv",
            Self::Csv => "csv",
            Self::Form => "form",
        }
    }

    /// What the word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Json, Self::Xml, Self::Jsv, Self::Csv, Self::Form]
            .into_iter()
            .find(|encoding| encoding.as_str() == word)
    }
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
