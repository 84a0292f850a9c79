//! Waits that a clock which is put forward or back can shorten and never prolong.

use crate::model::Timestamp;
use std::time::Duration;

/// The first wait after a failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(15));

/// How far chance moves a wait to either side.
const JITTER: f64 = 0.2;

/// A span that began at some instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause {
    /// Its begin.
    pub since: Timestamp,
    /// Its length.
    pub span: Duration,
}

impl Pause {
    /// A pause that begins now.
    pub const fn new(since: Timestamp, span: Duration) -> Self {
        Self { since, span }
    }

    /// When it is over; `None` when it is. An end further away than the pause is long was set by a
    /// clock that has been put back since.
    pub fn left(self, now: Timestamp) -> Option<Timestamp> {
        let until = self.since.plus(self.span);
        (until > now && until.since(now) <= self.span).then_some(until)
    }
}

/// The wait after this many failures in a row, at least one: 5 s, twice as long each time, at most
/// 15 min. `chance` is from -1 to 1 and moves it by up to 20 % either way.
pub fn backoff(failures: u32, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = BACKOFF.0.saturating_mul(1 << doublings).min(BACKOFF.1);
    jittered(wait, chance)
}

/// A span moved by chance, from -1 to 1, by up to 20 % either way.
pub fn jittered(span: Duration, chance: f64) -> Duration {
    let chance = if chance.is_finite() { chance } else { 0.0 };
    span.mul_f64(1.0 + JITTER * chance.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_pause_ends_when_its_time_is_over_or_the_clock_was_put_back() {
        let pause = Pause::new(Timestamp::from_ms(100_000), MINUTE);
        let table = [
            (100_000, Some(160_000)),
            (159_999, Some(160_000)),
            (160_000, None),
            (999_000, None),
            (99_999, None),
            (-5, None),
        ];
        for (now, expected) in table {
            let left = pause.left(Timestamp::from_ms(now));
            assert_eq!(left, expected.map(Timestamp::from_ms), "{now}");
        }
    }

    #[test]
    fn waits_grow_and_stop_growing() {
        let seconds: Vec<u64> = (0..12).map(|n| backoff(n, 0.0).as_secs()).collect();
        assert_eq!(
            seconds,
            [5, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]
        );
        assert_eq!(backoff(u32::MAX, 1.0), MINUTE * 18);
        assert_eq!(backoff(1, -1.0), Duration::from_secs(4));
        assert_eq!(backoff(1, f64::NAN), Duration::from_secs(5));
    }

    proptest! {
        #[test]
        fn what_is_left_is_ahead_and_no_longer_than_the_pause(
            since in any::<i64>(), span in 0..10_000_000_u64, now in any::<i64>(),
        ) {
            let pause = Pause::new(Timestamp::from_ms(since), Duration::from_millis(span));
            let now = Timestamp::from_ms(now);
            if let Some(until) = pause.left(now) {
                prop_assert!(until > now && until.since(now) <= pause.span);
            }
        }
    }
}
