//! Query parameters: searches, pages, spans of time.

use crate::model::Timestamp;
use std::time::Duration;

/// `GET /instances`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// `searchText`.
    pub search: Option<String>,
    /// `tags[]`.
    pub tags: Vec<String>,
    /// `pageSize`, 1 to 2000.
    pub page_size: usize,
    /// `nextPage`: what the page before said; the number of its last instance.
    pub next_page: Option<u32>,
    /// `hydrate`: with element and configuration.
    pub hydrate: bool,
}

/// A part of a list, the newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Paging {
    /// `pageSize`, 1 to 2000.
    pub page_size: usize,
    /// `nextPage`: what the page before said; the number of its last entry.
    pub next_page: Option<u64>,
    /// `from`, inclusive.
    pub from: Option<Timestamp>,
    /// `to`, exclusive.
    pub to: Option<Timestamp>,
}

/// `GET /instances/events/analytics`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Analysis {
    /// What is counted apart.
    pub by: By,
    /// `from`, inclusive.
    pub from: Option<Timestamp>,
    /// `to`, exclusive.
    pub to: Option<Timestamp>,
    /// `interval`.
    pub interval: Interval,
}

/// What is counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Spans of time.
    Time,
    /// Accounts, of which there is one.
    Account,
    /// Instances.
    Instance,
}

/// Length of a span that is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interval {
    /// 365 days.
    Year,
    /// 91 days.
    Quarter,
    /// 30 days.
    Month,
    /// 7 days.
    Week,
    /// 24 hours.
    Day,
    /// 60 minutes.
    Hour,
    /// 60 seconds.
    Minute,
    /// One second.
    Second,
}

impl Listing {
    /// Whether an instance is among those that are looked for.
    pub fn admits(&self, name: &str, tags: &[String]) -> bool {
        todo!("{self:?} {name} {tags:?}")
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            page_size: 200,
            next_page: None,
            from: None,
            to: None,
        }
    }
}

impl Interval {
    /// As a length of time.
    pub const fn span(self) -> Duration {
        const DAY: u64 = 24 * 60 * 60;
        Duration::from_secs(match self {
            Self::Year => 365 * DAY,
            Self::Quarter => 91 * DAY,
            Self::Month => 30 * DAY,
            Self::Week => 7 * DAY,
            Self::Day => DAY,
            Self::Hour => 60 * 60,
            Self::Minute => 60,
            Self::Second => 1,
        })
    }
}
