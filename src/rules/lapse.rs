//! Lapses: spans in which a notification may have been missed although the relay ran, seen by what
//! it counts.
//!
//! A refused delivery comes again, but Intuit may hold back or drop what is behind it; a delivery
//! that was not understood says that something happened, and not what. The companies are read again
//! for such spans. Called by `worker::gaps` every few seconds.

use crate::model::Timestamp;
use std::time::Duration;

/// Quiet after which a lapse is over.
pub const QUIET: Duration = Duration::from_secs(60);

/// How much older what a delivery tells may be than the delivery: Intuit gathers changes for up to
/// five minutes.
const GATHERED: Duration = Duration::from_secs(5 * 60);

/// One counter of things that should not happen, watched.
#[derive(Clone, Debug)]
pub struct Watch {
    count: u64,
    looked_at: Timestamp,
    open: Option<Lapse>,
}

/// A span in which something may have been missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lapse {
    /// Its first instant.
    pub since: Timestamp,
    /// Its last instant.
    pub until: Timestamp,
}

impl Watch {
    /// Begins with this count at this time.
    pub const fn new(count: u64, now: Timestamp) -> Self {
        Self {
            count,
            looked_at: now,
            open: None,
        }
    }

    /// Looks at the counter; the lapse that is over, if one is.
    pub fn look(&mut self, count: u64, now: Timestamp) -> Option<Lapse> {
        // A clock that was put back must not make a lapse that ends before it begins.
        let looked_at = self.looked_at.min(now);
        let grown = count > self.count;
        (self.count, self.looked_at) = (count, now);
        if grown {
            let since = looked_at.minus(GATHERED);
            let since = self.open.map_or(since, |open| open.since.min(since));
            self.open = Some(Lapse { since, until: now });
            return None;
        }
        let open = self.open?;
        let quiet = now < open.until || now.since(open.until) >= QUIET;
        quiet.then(|| self.open.take())?
    }

    /// The lapse that is not over, at the end of the watch.
    pub fn end(self) -> Option<Lapse> {
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_252_440_000);

    fn at(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_lapse_lasts_from_before_the_first_until_after_the_last() {
        let mut watch = Watch::new(7, at(0));
        assert_eq!(watch.look(7, at(5)), None);
        assert_eq!(watch.look(9, at(10)), None);
        assert_eq!(watch.look(10, at(60)), None);
        assert_eq!(watch.look(10, at(119)), None);
        let over = watch.look(10, at(120)).unwrap();
        assert_eq!(over.since, at(5).minus(GATHERED));
        assert_eq!(over.until, at(60));
        assert_eq!(watch.look(10, at(500)), None);
        assert_eq!(watch.end(), None);
    }

    #[test]
    fn a_lapse_under_way_is_told_at_the_end() {
        let mut watch = Watch::new(0, at(0));
        assert_eq!(watch.look(1, at(5)), None);
        assert_eq!(watch.end().unwrap().until, at(5));
    }

    #[test]
    fn a_clock_that_was_put_back_ends_a_lapse_and_turns_none_round() {
        let mut watch = Watch::new(0, at(1000));
        assert_eq!(watch.look(1, at(1005)), None);
        let over = watch.look(1, at(10)).unwrap();
        assert!(over.since < over.until);
        assert_eq!(watch.look(2, at(5)), None);
        let over = watch.end().unwrap();
        assert!(over.since <= over.until);
    }
}
