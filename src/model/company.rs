//! A QuickBooks company that the relay may read: by whose leave, and how far it has been read.

use super::{EntityRef, EventTime, Operation, Origin, RealmId, Secret, Timestamp};
use std::collections::BTreeMap;
use std::fmt;

/// Name of an app at Intuit as the configuration has it: 1 to 64 letters, digits, `-`, `_` and `.`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AppName(String);

impl AppName {
    /// The name, where it is one.
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        ((1..=64).contains(&name.len()) && name.bytes().all(is_plain)).then_some(Self(name))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The two worlds of Intuit's API; keys and companies of one are unknown in the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Environment {
    /// Real companies.
    Production,
    /// Companies for development.
    Sandbox,
}

impl Environment {
    /// The word in configuration and journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }

    /// The environment that the word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Production, Self::Sandbox]
            .into_iter()
            .find(|environment| environment.as_str() == word)
    }
}

/// Access and refresh token of one company with their ends (OAuth 2.0, RFC 6749; Intuit's
/// `x_refresh_token_expires_in` and `x_refresh_token_hard_expires_in`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenSet {
    /// What a request carries; an hour.
    pub access: Secret,
    /// Its end.
    pub access_expires_at: Timestamp,
    /// What gets the next set; Intuit changes its value about daily, and the old one dies then.
    pub refresh: Secret,
    /// Its end when it is not used: 100 days after the last refresh.
    pub refresh_expires_at: Timestamp,
    /// The end that no refresh moves: five years after the consent, where Intuit told it.
    pub hard_expires_at: Option<Timestamp>,
}

/// When a set of tokens ends; what is stored beside the sealed tokens, in the clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// End of the access token.
    pub access: Timestamp,
    /// End of the refresh token when it is not used.
    pub refresh: Timestamp,
    /// The end that no refresh moves, where Intuit told it.
    pub hard: Option<Timestamp>,
}

/// Whether the relay may read a company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It may.
    Connected,
    /// It was connected without the operator's shell, and the operator has yet to approve it.
    AwaitsApproval,
    /// Intuit no longer accepts what the relay has; a person has to connect the company again.
    NeedsAuthorization {
        /// The cause in one sentence, without a secret.
        why: String,
    },
    /// An operator ended it; the tokens were revoked and forgotten.
    Disconnected,
}

impl Standing {
    /// The word for it in JSON and on pages.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::AwaitsApproval => "awaits approval",
            Self::NeedsAuthorization { .. } => "needs authorization",
            Self::Disconnected => "disconnected",
        }
    }
}

/// A company as the journal knows it; its tokens are asked for apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Company {
    /// Which.
    pub realm: RealmId,
    /// The app that it was connected to.
    pub app: AppName,
    /// Where it lives.
    pub environment: Environment,
    /// When it was connected, or connected again.
    pub connected_at: Timestamp,
    /// Whether it may be read.
    pub standing: Standing,
    /// Since when.
    pub standing_since: Timestamp,
    /// End of the access token.
    pub access_expires_at: Option<Timestamp>,
    /// End of the refresh token when it is not used.
    pub refresh_expires_at: Option<Timestamp>,
    /// The end that no refresh moves.
    pub hard_expires_at: Option<Timestamp>,
}

impl Company {
    /// A company that was connected `now` and whose consent gave `tokens`.
    pub fn connected(
        realm: RealmId,
        app: AppName,
        environment: Environment,
        tokens: &TokenSet,
        now: Timestamp,
    ) -> Self {
        Self {
            realm,
            app,
            environment,
            connected_at: now,
            standing: Standing::Connected,
            standing_since: now,
            access_expires_at: Some(tokens.access_expires_at),
            refresh_expires_at: Some(tokens.refresh_expires_at),
            hard_expires_at: tokens.hard_expires_at,
        }
    }
}

/// A record as QuickBooks gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Kind as the API spells it (`Invoice`), and `Id`.
    pub entity: EntityRef,
    /// `SyncToken`; a tombstone has none.
    pub sync_token: Option<String>,
    /// `MetaData.CreateTime`.
    pub created_at: Option<Timestamp>,
    /// `MetaData.LastUpdatedTime`: whole seconds.
    pub updated: EventTime,
    /// What it is.
    pub state: RecordState,
    /// The record's JSON text, byte for byte (money keeps its trailing zeros); a tombstone too.
    pub body: String,
}

/// What a record is that was read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecordState {
    /// It is there (a name-list entry may be inactive).
    Live,
    /// A transaction that was voided: amount 0 and a private note that begins with `Voided`. There
    /// is no flag for it.
    Voided,
    /// It was deleted: `status: "Deleted"`, or it is missing from a complete list of ids.
    Deleted,
}

/// A notified change that was not reconciled yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notified {
    /// Its place in the company's order.
    pub sequence: u64,
    /// The record.
    pub entity: EntityRef,
    /// What was said to have happened.
    pub operation: Operation,
    /// When it happened.
    pub happened: EventTime,
    /// When the relay got to know.
    pub received_at: Timestamp,
}

/// How far one kind of record has been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermark {
    /// All that QuickBooks had up to here is known.
    pub at: Timestamp,
    /// When the kind was last polled, by the relay's clock.
    pub polled_at: Option<Timestamp>,
}

/// A span in which notifications may have been missed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Its row.
    pub id: i64,
    /// First instant of it.
    pub since: Timestamp,
    /// Last instant of it.
    pub until: Timestamp,
    /// What opened it, as a word or two: `offline`, `refused`, `quarantined`, `salvage`.
    pub cause: String,
}

/// What came of a gap so far, over all companies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GapReport {
    /// The gap.
    pub gap: Gap,
    /// When the last company had gone through it; `None` while one has yet to.
    pub closed_at: Option<Timestamp>,
    /// Changes of that span that were notified after all, after the gap had been opened.
    pub late: u64,
    /// Changes of that span that only a reading told.
    pub found: u64,
    /// Changes that are known to be out of reach.
    pub missing: u64,
}

/// What the journal knows of a company that is to be read: what the next step follows from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompanyView {
    /// The company.
    pub company: Company,
    /// Everything that changed from here on is told: when the company was connected for the first
    /// time. A kind without a watermark has been read up to here.
    pub told_from: Timestamp,
    /// Notified changes that are not reconciled yet, oldest first; at most [`Self::NOTIFIED_MAX`].
    pub notified: Vec<Notified>,
    /// The newest number of the company's order.
    pub newest: u64,
    /// All notified changes up to this number are reconciled.
    pub reconciled: u64,
    /// How far each kind has been read, those that were read at all.
    pub watermarks: BTreeMap<String, Watermark>,
    /// When everything was looked at last.
    pub swept_at: Option<Timestamp>,
    /// The oldest gap that this company has not gone through.
    pub gap: Option<Gap>,
}

impl CompanyView {
    /// How many notified changes a view holds at most.
    pub const NOTIFIED_MAX: usize = 500;
}

/// Why a company was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Notifications came; all up to this `sequence` are reconciled by it.
    Notified {
        /// The newest of them.
        through: u64,
    },
    /// A resource was due.
    Poll,
    /// The daily look at everything.
    Sweep,
    /// A gap is closed for this company.
    Gap {
        /// The gap's row.
        gap: i64,
    },
}

impl Purpose {
    /// The origin of what is found.
    pub const fn origin(self) -> Origin {
        match self {
            Self::Notified { .. } | Self::Gap { .. } => Origin::Capture,
            Self::Poll => Origin::Poll,
            Self::Sweep => Origin::Sweep,
        }
    }
}

/// What one look at a company brought; goes into the journal as one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The company.
    pub realm: RealmId,
    /// Why.
    pub purpose: Purpose,
    /// When, by the relay's clock.
    pub at: Timestamp,
    /// What was found, in order of `LastUpdatedTime`.
    pub records: Vec<Record>,
    /// Kinds of which `records` holds every one there is, beyond doubt: those known before and
    /// missing now were deleted. A record of which only the id was asked has neither `sync_token`
    /// nor `updated.at`, and an empty `body`.
    pub complete: Vec<String>,
    /// How far each kind has been read now, by QuickBooks's clock less an overlap.
    pub watermarks: Vec<(String, Timestamp)>,
    /// Whether all that the purpose asked for has been read; only then is the purpose marked done
    /// (gap closed, sweep dated, notified changes reconciled, kinds of `watermarks` polled).
    pub finished: bool,
    /// What is known to be out of reach: deletions beyond what QuickBooks tells.
    pub missing: u64,
}

/// What became of a reading.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reconciled {
    /// Changes that nobody had told: they leave now.
    pub found: u32,
    /// Records that ride along with a notified change.
    pub attached: u32,
    /// Records that were known already.
    pub known: u32,
}
