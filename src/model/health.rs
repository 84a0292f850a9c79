//! How the relay is: the facts, and the one word that the lamp, the watchdog and `status` share.

use super::{CompanyHealth, Device, InstanceCounts, Misdirected, SinkName, Timestamp};
use std::time::Duration;

/// The snapshot that the lamp, the status page, `status` and the metrics read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// Whether everything has been started.
    pub started: bool,
    /// Whether the journal takes receipts.
    pub journal: JournalHealth,
    /// Companies seen so far.
    pub companies: u64,
    /// Changes that wait for some sink, each counted once for each sink.
    pub waiting: u64,
    /// Dead letters that nobody has looked after.
    pub dead_letters: u64,
    /// The same of each sink that has any, those that are not configured any more included.
    pub dead_by_sink: Vec<SinkCount>,
    /// What sinks had yet to get that are not configured any more.
    pub parked: Vec<SinkCount>,
    /// Entries that were authentic, not understood, and that nobody has acknowledged.
    pub unreadable: u64,
    /// Changes of companies that were refused.
    pub refused: Refusals,
    /// When the last authentic notification arrived.
    pub last_receipt_at: Option<Timestamp>,
    /// Damaged journals that were set aside and that nobody has taken away.
    pub journals_set_aside: u64,
    /// What a person has to know of the journal's past, a sentence each.
    pub notices: Vec<String>,
    /// The sinks that are in trouble.
    pub troubles: Vec<Trouble>,
    /// Signed posts that went to a path that is not configured.
    pub misdirected: Vec<Misdirected>,
    /// Time left until the server certificate ends; `None` when it is not known.
    pub certificate_left: Option<Duration>,
    /// How the reading of each connected company goes.
    pub books: Vec<CompanyHealth>,
    /// How the element instances stand.
    pub instances: InstanceCounts,
    /// The device: its clock, its lamp, parts that make no progress.
    pub device: Device,
}

/// A count that concerns a sink.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SinkCount {
    /// The sink.
    pub sink: SinkName,
    /// Whether it is configured.
    pub is_configured: bool,
    /// How many.
    pub count: u64,
}

/// Changes of companies that are not let in; they are kept as "not understood".
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Refusals {
    /// All of them so far.
    pub changes: u64,
    /// How many companies there may be, while that many are known and more were named.
    pub over_limit: Option<u64>,
}

/// Whether the journal takes receipts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JournalHealth {
    /// It does.
    Working,
    /// The budget or the disk is used up: 503 until there is room.
    Full,
    /// Another program holds the file: 503 until it lets go.
    Held,
    /// The last commit took longer than senders wait: 503 until one is in time again.
    Slow,
    /// A commit or a sync failed: the process ends.
    Broken,
}

/// A lane that cannot deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// Its sink.
    pub sink: SinkName,
    /// The sink was switched off and waits for the operator.
    pub disabled: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The last failure in one sentence.
    pub failure: String,
    /// Changes that wait behind it.
    pub waiting: u64,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
}

/// How the relay is, best first: the order is the order of gravity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Condition {
    /// Serving; everything delivered.
    Delivered,
    /// Serving; a backlog is being worked off.
    Backlog,
    /// Starting, or the clock is not trusted yet.
    Starting,
    /// Serving and storing, but some sink refuses or cannot be reached.
    Blocked,
    /// A person is needed: a sink was switched off, or a certificate is near its end.
    Attention,
    /// Not accepting: the journal is full, held, too slow or broken.
    Refusing,
}

impl JournalHealth {
    /// What is the matter with the journal, in a few words; `None` when nothing is.
    pub const fn trouble(self) -> Option<&'static str> {
        match self {
            Self::Working => None,
            Self::Full => Some("the journal is full"),
            Self::Held => Some("another program holds the journal's file"),
            Self::Slow => Some("the disk takes too long to write"),
            Self::Broken => Some("the journal is broken"),
        }
    }
}

impl Condition {
    /// Every condition, best first.
    pub const ALL: [Self; 6] = [
        Self::Delivered,
        Self::Backlog,
        Self::Starting,
        Self::Blocked,
        Self::Attention,
        Self::Refusing,
    ];

    /// The word for it in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Backlog => "backlog",
            Self::Starting => "starting",
            Self::Blocked => "blocked",
            Self::Attention => "attention",
            Self::Refusing => "refusing",
        }
    }
}
