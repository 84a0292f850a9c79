//! What the lamp shows: a pattern for each condition, and when a pattern is lit.
//!
//! A lamp that stands still, lit or dark, means "not running", because the kernel keeps the last level
//! of a dead program; so every pattern moves. Never more than 3 flashes a second. The meaning is in
//! time, not in colour. `worker::pulse` and the demo ask; the driver is in `board`.

use crate::model::Condition;
use std::time::Duration;

/// How long a short flash is lit.
const FLASH_MS: u128 = 150;

/// From the beginning of one short flash to the beginning of the next.
const PITCH_MS: u128 = 400;

/// A rhythm that repeats for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pattern {
    /// As long lit as dark.
    Even {
        /// Milliseconds of each.
        half_ms: u16,
    },
    /// Some short flashes, then dark to the end of the period.
    Flashes {
        /// How many, 1 to 4.
        count: u8,
        /// Milliseconds from group to group.
        period_ms: u16,
    },
}

/// The pattern of a condition: the table of the manual.
pub const fn pattern(condition: Condition) -> Pattern {
    match condition {
        Condition::Delivered => flashes(1, 2_000),
        Condition::Backlog => flashes(2, 2_000),
        Condition::Starting => Pattern::Even { half_ms: 1_000 },
        Condition::Blocked => flashes(3, 3_000),
        Condition::Attention => flashes(4, 4_000),
        Condition::Refusing => Pattern::Even { half_ms: 200 },
    }
}

impl Pattern {
    /// Lit or dark, this long after the pattern began.
    pub fn is_lit(self, elapsed: Duration) -> bool {
        let elapsed = elapsed.as_millis();
        match self {
            Self::Even { half_ms } => elapsed % (2 * u128::from(half_ms)) < u128::from(half_ms),
            Self::Flashes { count, period_ms } => {
                let within = elapsed % u128::from(period_ms);
                within / PITCH_MS < u128::from(count) && within % PITCH_MS < FLASH_MS
            }
        }
    }

    /// How long it stays lit or dark from there; never zero.
    pub fn until_change(self, elapsed: Duration) -> Duration {
        let elapsed = elapsed.as_nanos();
        let ns = |ms: u128| ms * 1_000_000;
        let left = match self {
            Self::Even { half_ms } => {
                let half = ns(half_ms.into());
                half - elapsed % half
            }
            Self::Flashes { count, period_ms } => {
                let within = elapsed % ns(period_ms.into());
                let (flash, since) = (within / ns(PITCH_MS), within % ns(PITCH_MS));
                if flash < u128::from(count) && since < ns(FLASH_MS) {
                    ns(FLASH_MS) - since
                } else if flash + 1 < u128::from(count) {
                    ns(PITCH_MS) - since
                } else {
                    ns(period_ms.into()) - within
                }
            }
        };
        Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
    }

    /// In words: `2 short flashes every 2 s`.
    pub fn describe(self) -> String {
        match self {
            Self::Even { half_ms } => {
                format!("even blink, {} Hz", 500.0 / f64::from(half_ms))
            }
            Self::Flashes { count, period_ms } => {
                let plural = if count == 1 { "" } else { "es" };
                format!("{count} short flash{plural} every {} s", period_ms / 1_000)
            }
        }
    }
}

const fn flashes(count: u8, period_ms: u16) -> Pattern {
    Pattern::Flashes { count, period_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP_MS: usize = 10;

    /// Ten seconds of it, sampled.
    fn film(pattern: Pattern) -> Vec<bool> {
        (0..10_000_u64)
            .step_by(STEP_MS)
            .map(|ms| pattern.is_lit(Duration::from_millis(ms)))
            .collect()
    }

    fn flash_starts(film: &[bool]) -> Vec<usize> {
        (1..film.len())
            .filter(|&at| film[at] && !film[at - 1])
            .map(|at| at * STEP_MS)
            .collect()
    }

    #[test]
    fn the_table_is_the_one_of_the_manual() {
        let words = Condition::ALL.map(|condition| pattern(condition).describe());
        assert_eq!(
            words,
            [
                "1 short flash every 2 s",
                "2 short flashes every 2 s",
                "even blink, 0.5 Hz",
                "3 short flashes every 3 s",
                "4 short flashes every 4 s",
                "even blink, 2.5 Hz",
            ]
        );
    }

    #[test]
    fn a_pattern_has_as_many_flashes_as_it_says() {
        for (condition, count, period_ms) in [
            (Condition::Delivered, 1, 2_000),
            (Condition::Backlog, 2, 2_000),
            (Condition::Blocked, 3, 3_000),
            (Condition::Attention, 4, 4_000),
        ] {
            let period = &film(pattern(condition))[..period_ms / STEP_MS];
            assert!(period[0]);
            assert_eq!(flash_starts(period).len() + 1, count, "{condition:?}");
            assert_eq!(period.iter().filter(|lit| **lit).count(), 15 * count);
        }
    }

    #[test]
    fn every_pattern_moves_and_none_flashes_more_than_three_times_a_second() {
        for condition in Condition::ALL {
            let starts = flash_starts(&film(pattern(condition)));
            assert!(starts.len() >= 2, "{condition:?}");
            let crowded = starts.windows(4).any(|four| four[3] - four[0] < 1_000);
            assert!(!crowded, "{condition:?}");
        }
    }

    #[test]
    fn any_two_patterns_differ_within_ten_seconds_whenever_one_looks() {
        for one in Condition::ALL {
            for other in Condition::ALL.into_iter().filter(|other| *other != one) {
                let film = film(pattern(one));
                for shift_ms in (0..12_000).step_by(STEP_MS) {
                    let differs = film.iter().zip(0_u64..).any(|(lit, step)| {
                        let at = Duration::from_millis(step * 10 + shift_ms);
                        pattern(other).is_lit(at) != *lit
                    });
                    assert!(differs, "{one:?} {other:?} {shift_ms}");
                }
            }
        }
    }

    #[test]
    fn no_span_is_too_long() {
        for condition in Condition::ALL {
            pattern(condition).is_lit(Duration::MAX);
            assert!(pattern(condition).until_change(Duration::MAX) > Duration::ZERO);
        }
    }

    proptest! {
        #[test]
        fn a_pattern_changes_when_it_says_and_not_before(
            condition in proptest::sample::select(&Condition::ALL[..]),
            elapsed_ms in 0_u64..100_000,
        ) {
            let (pattern, elapsed) = (pattern(condition), Duration::from_millis(elapsed_ms));
            let (lit, left) = (pattern.is_lit(elapsed), pattern.until_change(elapsed));
            prop_assert_eq!(pattern.is_lit(elapsed + left - Duration::from_nanos(1)), lit);
            prop_assert_eq!(pattern.is_lit(elapsed + left), !lit);
        }
    }
}
