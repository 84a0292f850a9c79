//! What a client that does not sign may do: which companies it may speak of, and how much.

use super::RealmId;
use std::collections::BTreeSet;

/// The companies are those beside the ones that are connected or that a signed notification has named;
/// by default none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceScope {
    /// These.
    pub listed: BTreeSet<RealmId>,
    /// Any other, too.
    pub any: bool,
    /// Companies at most that are known by its word alone.
    pub companies_max: u64,
    /// Entries that it may deliver in a minute.
    pub entries_per_minute: u32,
    /// Parts of the journal's budget, of a hundred, that its receipts may take.
    pub journal_share: u8,
}

impl SourceScope {
    /// Companies that are known by the word of one source, where nothing else is configured.
    pub const COMPANIES_MAX: u64 = 100;
}

impl Default for SourceScope {
    fn default() -> Self {
        Self {
            listed: BTreeSet::new(),
            any: false,
            companies_max: Self::COMPANIES_MAX,
            entries_per_minute: 6_000,
            journal_share: 25,
        }
    }
}
