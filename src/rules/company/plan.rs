//! What companies are read for, and when: all of them by the configuration, and single ones besides
//! for their element instances.

use crate::model::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// What companies are read for, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Whether the records of notified changes are read.
    pub capture: bool,
    /// From the first notified change to its reading, so that a burst is read at once.
    pub settle: Duration,
    /// From the end of a gap to its reading, so that what Intuit repeats comes before.
    pub gap_settle: Duration,
    /// How far a reading goes back behind the one before: records that QuickBooks shows late.
    pub overlap: Duration,
    /// Kinds that are polled, and how often.
    pub polls: BTreeMap<String, Duration>,
    /// The time of day of the sweep, from midnight UTC; `None`: no sweep.
    pub sweep_at: Option<Duration>,
    /// The span after it over which the companies are spread.
    pub sweep_spread: Duration,
}

impl Default for Plan {
    /// Captures 2 s after a notification, reads gaps 2 min after their end, goes back by 2 min, polls
    /// nothing, sweeps between 2 and 6 o'clock UTC.
    fn default() -> Self {
        Self {
            capture: true,
            settle: Duration::from_secs(2),
            gap_settle: Duration::from_mins(2),
            overlap: Duration::from_mins(2),
            polls: BTreeMap::new(),
            sweep_at: Some(Duration::from_hours(2)),
            sweep_spread: Duration::from_hours(4),
        }
    }
}

/// What is polled of one company for its element instances.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct InstancePolls {
    /// Kinds, and how often: of several instances' wishes the most frequent.
    pub polls: BTreeMap<String, Duration>,
    /// Since when some instance's polls rest because too many failed in a row, and why.
    pub stopped: Option<(Timestamp, String)>,
}

impl Plan {
    /// The plan for a company of which more is polled; the shorter interval counts.
    #[must_use]
    pub fn with(&self, instances: &InstancePolls) -> Self {
        let mut plan = self.clone();
        for (kind, interval) in &instances.polls {
            let often = plan.polls.entry(kind.clone()).or_insert(*interval);
            *often = (*often).min(*interval);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_wishes_for_a_kind_the_more_frequent_counts() {
        let polls = |wishes: &[(&str, u64)]| -> BTreeMap<String, Duration> {
            let wish =
                |&(kind, minutes): &(&str, u64)| (kind.to_owned(), Duration::from_mins(minutes));
            wishes.iter().map(wish).collect()
        };
        let plan = Plan {
            polls: polls(&[("Invoice", 15), ("TaxCode", 60)]),
            ..Plan::default()
        };
        let instances = InstancePolls {
            polls: polls(&[("Invoice", 60), ("TaxCode", 1), ("Bill", 5)]),
            stopped: None,
        };
        let both = polls(&[("Bill", 5), ("Invoice", 15), ("TaxCode", 1)]);
        assert_eq!(plan.with(&instances).polls, both);
        assert_eq!(plan.with(&InstancePolls::default()), plan);
    }
}
