//! How many calls each company gets from each app: 10 in a second, 500 in a minute.

use super::options::Pace;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// When the newest calls of each company and app came.
#[derive(Debug)]
pub(super) struct Pacing {
    pace: Option<Pace>,
    calls: BTreeMap<(String, String), VecDeque<Instant>>,
}

impl Pacing {
    pub(super) const fn new(pace: Option<Pace>) -> Self {
        Self {
            pace,
            calls: BTreeMap::new(),
        }
    }

    pub(super) const fn set(&mut self, pace: Option<Pace>) {
        self.pace = pace;
    }

    /// Whether one more call is let through now; one that is not does not count.
    pub(super) fn admits(&mut self, realm: &str, client_id: &str, now: Instant) -> bool {
        let Some(pace) = self.pace else {
            return true;
        };
        let key = (realm.to_owned(), client_id.to_owned());
        let calls = self.calls.entry(key).or_default();
        let younger = |than: Duration| move |at: &&Instant| now.duration_since(**at) < than;
        while calls
            .front()
            .is_some_and(|at| !younger(Duration::from_secs(60))(&at))
        {
            calls.pop_front();
        }
        let in_second = calls
            .iter()
            .rev()
            .take_while(younger(Duration::from_secs(1)));
        let admitted = calls.len() < pace.per_minute && in_second.count() < pace.per_second;
        if admitted {
            calls.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_a_second_and_500_in_a_minute_for_each_company_and_app() {
        let mut pacing = Pacing::new(Some(Pace::default()));
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let admitted = (0..12).filter(|_| pacing.admits("1", "a", start)).count();
        assert_eq!(admitted, 10);
        assert!(pacing.admits("2", "a", start));
        assert!(pacing.admits("1", "b", start));
        let steady = (1..=600_u64).filter(|n| pacing.admits("1", "a", at(1_000 + n * 95)));
        assert_eq!(steady.count(), 490);
        assert!(!pacing.admits("1", "a", at(59_000)));
        assert!(pacing.admits("1", "a", at(60_000)));
        pacing.set(None);
        assert!((0..1_000).all(|_| pacing.admits("1", "a", at(60_000))));
    }
}
