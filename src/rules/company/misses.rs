//! Polls for element instances that fail one after the other.
//!
//! The platform stops an instance's polls after a hundred failures in a row, and so does the relay:
//! whoever relies on them has to look, and QuickBooks is left alone. Polls of the configuration go on.
//! Source: Cloud Elements, "Resuming polling jobs after auto-disable".

use super::{InstancePolls, poll_wait};
use crate::model::{CompanyView, Timestamp};
use crate::rules::pause::Pause;
use std::time::Duration;

/// Failures in a row after which the polls are stopped.
pub const MISSES_MAX: u32 = 100;

/// How many failed since one succeeded. Lost with the process, and counted from the beginning then.
#[derive(Clone, Default, Debug)]
pub struct Misses {
    count: u32,
    /// While it lasts, another failure belongs to the poll that was counted last.
    counted: Option<Pause>,
}

impl Misses {
    /// The company could not be read now, whatever for. That is a failed poll where one was due,
    /// and however often it is tried, one for each time that it is due. True when it is one too many.
    pub fn miss(&mut self, now: Timestamp, view: &CompanyView, wishes: &InstancePolls) -> bool {
        let is_due = |(kind, interval): (&String, &Duration)| {
            poll_wait(now, view, kind, *interval).is_none()
        };
        let is_counted = self.counted.is_some_and(|pause| pause.left(now).is_some());
        let interval = wishes.polls.values().min();
        let Some(interval) = interval.filter(|_| wishes.polls.iter().any(is_due)) else {
            return false;
        };
        if !is_counted {
            self.count = self.count.saturating_add(1);
            // Tries are not made to the second, so a little less than the interval is waited.
            self.counted = Some(Pause::new(now, *interval / 4 * 3));
        }
        self.count >= MISSES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, polled_at, view};
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn wishes() -> InstancePolls {
        InstancePolls {
            polls: [("Invoice".to_owned(), MINUTE * 15)].into(),
            ..InstancePolls::default()
        }
    }

    #[test]
    fn a_hundred_due_polls_in_a_row_are_too_many() {
        let (mut misses, mut now) = (Misses::default(), NOW);
        for number in 1..=MISSES_MAX {
            assert!(!misses.miss(now, &view(), &InstancePolls::default()));
            let is_too_many = number == MISSES_MAX;
            assert_eq!(misses.miss(now, &view(), &wishes()), is_too_many);
            // The same poll, tried again.
            let again = now.plus(MINUTE * 11);
            assert_eq!(misses.miss(again, &view(), &wishes()), is_too_many);
            now = now.plus(MINUTE * 12);
        }
        assert!(misses.miss(now, &view(), &wishes()), "until somebody hears");
    }

    #[test]
    fn a_poll_that_is_not_due_does_not_fail() {
        let mut polled = view();
        polled_at(&mut polled, "Invoice", NOW);
        let mut misses = Misses::default();
        for _ in 0..MISSES_MAX {
            assert!(!misses.miss(NOW.plus(MINUTE * 14), &polled, &wishes()));
        }
        assert_eq!(misses.count, 0);
    }
}
