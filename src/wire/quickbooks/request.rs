//! What is asked of QuickBooks, as text.

use crate::model::Timestamp;

/// A query for records of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// The kind as the API spells it.
    pub kind: String,
    /// Only what was changed in this second or later.
    pub since: Option<Timestamp>,
    /// Only these ids, at most [`Question::IDS_MAX`]; all when empty.
    pub ids: Vec<String>,
    /// Whether the ids alone are wanted. The records then have no token and no time.
    pub ids_only: bool,
    /// Place of the first record wanted, from 1.
    pub start: u32,
    /// Records of a page, 1 to [`Question::PAGE_MAX`].
    pub max: u32,
}

impl Question {
    /// Ids that one question may name: more would not fit into an address.
    pub const IDS_MAX: usize = 200;
    /// Records that QuickBooks puts on a page at most.
    pub const PAGE_MAX: u32 = 1000;
}
