//! QuickBooks's limits on calls: when the next one may be sent.
//!
//! A bucket of tokens, as arithmetic on one instant. Called by a company's task before each call, with
//! time from a clock that does not jump. Promises: at most 10 calls in any second and 305 in any
//! minute, whatever the calls before, so both documented limits hold (10 a second for each company
//! and app, 500 a minute for each company; Intuit, "Limits and throttles") and other apps of the
//! same company keep a part.

use std::time::Duration;

/// Time in which the bucket gets one token.
pub const INTERVAL: Duration = Duration::from_millis(200);

/// Tokens that it holds: the calls that may follow each other at once.
const BURST: u32 = 5;

/// The bucket of one company.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    /// Time in which it gets one token.
    interval: Duration,
    /// When the bucket is full again.
    full_at: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::every(INTERVAL)
    }
}

impl Throttle {
    /// A bucket that gets a token in each `interval`, empty at the instant from which time is
    /// counted: the calls before a restart count too.
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            full_at: interval * BURST,
        }
    }

    /// Takes a token at `now`, the time since the bucket was made.
    ///
    /// # Errors
    /// How long to wait where there is none; nothing was taken.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.max(now).saturating_add(self.interval);
        let beyond = full_at.saturating_sub(now.saturating_add(self.interval * BURST));
        if beyond.is_zero() {
            self.full_at = full_at;
            Ok(())
        } else {
            Err(beyond)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_few_calls_go_at_once_and_the_next_ones_in_step() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.take(Duration::ZERO), Err(INTERVAL));
        let start = Duration::from_secs(9);
        for _ in 0..BURST {
            assert_eq!(throttle.take(start), Ok(()));
        }
        assert_eq!(throttle.take(start), Err(INTERVAL));
        assert_eq!(throttle.take(start), Err(INTERVAL));
        assert_eq!(throttle.take(start + INTERVAL), Ok(()));
        assert_eq!(throttle.take(start + INTERVAL), Err(INTERVAL));
        assert_eq!(throttle.take(start + INTERVAL * 100), Ok(()));
    }

    proptest! {
        #[test]
        fn no_second_and_no_minute_has_more_calls_than_allowed(
            pauses in proptest::collection::vec(0..900_u64, 1..400),
        ) {
            let mut throttle = Throttle::default();
            let mut now = Duration::ZERO;
            let mut sent = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause / 3);
                if let Err(wait) = throttle.take(now) {
                    prop_assert!(wait <= INTERVAL);
                    now += wait;
                    prop_assert_eq!(throttle.take(now), Ok(()));
                }
                sent.push(now);
            }
            for (span, most) in [(Duration::from_secs(1), 10), (Duration::from_secs(60), 305)] {
                for (index, first) in sent.iter().enumerate() {
                    let within = sent[index..].iter().take_while(|at| **at < *first + span);
                    prop_assert!(within.count() <= most);
                }
            }
        }
    }
}
