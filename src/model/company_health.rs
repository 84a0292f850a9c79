//! How the reading of each company goes: what the lamp, the status page and the metrics are told.

use super::{AppName, Environment, RealmId, Standing, Timestamp};

/// One company; of bounded size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompanyHealth {
    /// Which.
    pub realm: RealmId,
    /// The app that it was connected to.
    pub app: AppName,
    /// Where it lives.
    pub environment: Environment,
    /// Whether it may be read.
    pub standing: Standing,
    /// When QuickBooks answered last.
    pub last_success_at: Option<Timestamp>,
    /// What keeps it from being read; `None` while everything goes well.
    pub hindrance: Option<Hindrance>,
    /// Percent of the app's calls of this month that are used up, where there is a budget.
    pub budget_percent: Option<u64>,
    /// The end of the tokens that comes first.
    pub soonest_end: Option<(TokenEnd, Timestamp)>,
    /// The warning that is due for it.
    pub warning: Option<TokenWarning>,
    /// Kinds that QuickBooks does not let be read in this company.
    pub unreadable_kinds: Vec<String>,
    /// Records that were passed by because they cannot be read, and why; at most 100.
    pub skipped_records: Vec<String>,
    /// Since when its polls for element instances rest because too many failed in a row, and why.
    pub polling_stopped: Option<(Timestamp, String)>,
    /// Notified changes that are not reconciled yet; counted up to 500.
    pub unreconciled: u64,
}

/// What keeps a company from being read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hindrance {
    /// The kind of it.
    pub kind: HindranceKind,
    /// Since when.
    pub since: Timestamp,
    /// In one sentence, without a secret.
    pub why: String,
    /// When it is tried again.
    pub until: Option<Timestamp>,
}

/// The kinds of hindrances, by who can do something.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HindranceKind {
    /// Nobody: QuickBooks asks for patience.
    Throttled,
    /// Nobody: QuickBooks does not answer, or not sensibly.
    Unreachable,
    /// The operator: the month's calls are used up, or nearly.
    Budget,
    /// A person: QuickBooks refuses the app or the company, or the tokens cannot be used.
    Refused,
    /// The operator: new tokens cannot be stored, and are not used before.
    Unstored,
    /// The operator: the part of the relay that reads this company failed, and was started again.
    Broken,
}

/// The two ends of a refresh token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TokenEnd {
    /// It was not used for 100 days.
    Idle,
    /// Five years after the consent; no use moves it.
    Consent,
}

/// An end that is near.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenWarning {
    /// Which end.
    pub end: TokenEnd,
    /// When it comes.
    pub at: Timestamp,
    /// No more than so many days are left: 30 or 7.
    pub days: u32,
}

impl HindranceKind {
    /// The word for it in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Budget => "budget",
            Self::Refused => "refused",
            Self::Unstored => "unstored",
            Self::Broken => "broken",
        }
    }
}
