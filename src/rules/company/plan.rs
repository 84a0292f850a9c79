//! What companies are read for, and when: all of them by the configuration, and single ones besides
//! for their element instances.

use crate::model::{Timestamp, Zone};
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
    /// The zone of each kind for which one was configured; others are in UTC.
    pub zones: BTreeMap<String, Zone>,
    /// The time of day of the sweep, in [`zone`](Self::zone); `None`: no sweep.
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
            zones: BTreeMap::new(),
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
    /// The zone of each kind for which one was configured; where several instances differ, none.
    pub zones: BTreeMap<String, Option<Zone>>,
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
        let zones = instances.zones.iter();
        let zones = zones.filter_map(|(kind, zone)| Some((kind.clone(), zone.clone()?)));
        plan.zones.extend(zones);
        plan
    }

    /// The zone in which the company's times of day are: the one of all its kinds that have one.
    pub fn zone(&self) -> Option<&Zone> {
        the_one(self.zones.values().map(Some))
    }

    /// The zone in which dates about these kinds are written; `None`: UTC, or they differ.
    pub fn zone_of<'a>(&self, kinds: impl IntoIterator<Item = &'a str>) -> Option<&Zone> {
        the_one(kinds.into_iter().map(|kind| self.zones.get(kind)))
    }
}

/// The one zone that there is among them; `None` where one of them has none, or they differ.
fn the_one<'z>(mut zones: impl Iterator<Item = Option<&'z Zone>>) -> Option<&'z Zone> {
    let first = zones.next()??;
    zones.all(|zone| zone == Some(first)).then_some(first)
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
            ..InstancePolls::default()
        };
        let both = polls(&[("Bill", 5), ("Invoice", 15), ("TaxCode", 1)]);
        assert_eq!(plan.with(&instances).polls, both);
        assert_eq!(plan.with(&InstancePolls::default()), plan);
    }

    #[test]
    fn a_zone_counts_for_what_it_was_configured_for() {
        let [west, east] = ["GMT-08:00", "GMT+02:00"].map(|name| Zone::named(name).unwrap());
        let with = |zones: &[(&str, Option<&Zone>)]| {
            let zones = zones.iter();
            let zones = zones.map(|(kind, zone)| ((*kind).to_owned(), zone.cloned()));
            Plan::default().with(&InstancePolls {
                zones: zones.collect(),
                ..InstancePolls::default()
            })
        };
        let plan = with(&[
            ("Bill", Some(&west)),
            ("Invoice", Some(&west)),
            ("Term", None),
        ]);
        assert_eq!(plan.zone(), Some(&west));
        assert_eq!(plan.zone_of(["Bill", "Invoice"]), Some(&west));
        assert_eq!(plan.zone_of(["Bill", "Term"]), None);
        assert_eq!(plan.zone_of([]), None);
        let plan = with(&[("Bill", Some(&west)), ("Invoice", Some(&east))]);
        assert_eq!(
            (plan.zone(), plan.zone_of(["Bill", "Invoice"])),
            (None, None)
        );
        assert_eq!(plan.zone_of(["Invoice"]), Some(&east));
    }
}
