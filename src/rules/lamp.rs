//! From "this pattern is wanted" to "lit or dark now": what is shown while the wish changes.
//!
//! Between two patterns the lamp is dark for a second, so that the count of the next one is not
//! mistaken and a condition that flaps cannot make it flicker. When nothing is wanted, because nobody
//! can say how the relay is, the lamp stands still, which means "not running". `worker::lamp` asks.

use super::led::Pattern;
use std::time::Duration;

/// Dark between two patterns.
const GAP: Duration = Duration::from_secs(1);

/// The longest time between two looks, so that a wish is not seen late.
const LOOK: Duration = Duration::from_secs(1);

/// What the lamp is in the middle of.
#[derive(Clone, Copy, Default, Debug)]
pub struct Show {
    /// The pattern, and when it begins or began.
    pattern: Option<(Pattern, Duration)>,
    lit: bool,
    frozen: bool,
}

impl Show {
    /// Lit or dark at `now`, and how long that stays so at most. `now` counts from any beginning and
    /// never goes back.
    pub fn at(&mut self, now: Duration, wanted: Option<Pattern>) -> (bool, Duration) {
        let Some(wanted) = wanted else {
            self.frozen = true;
            return (self.lit, LOOK);
        };
        let begins = match self.pattern {
            None => now,
            Some((_, begins)) if now < begins => begins,
            Some((shown, begins)) if shown == wanted && !self.frozen => begins,
            Some(_) => now + GAP,
        };
        self.frozen = false;
        self.pattern = Some((wanted, begins));
        let (lit, span) = match now.checked_sub(begins) {
            Some(elapsed) => (wanted.is_lit(elapsed), wanted.until_change(elapsed)),
            None => (false, begins.saturating_sub(now)),
        };
        self.lit = lit;
        (lit, span.min(LOOK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Condition;
    use crate::rules::led::pattern;
    use proptest::prelude::*;

    /// The moments, in milliseconds, at which the lamp goes on while `wishes` follow each other.
    fn flashes(wishes: &[(Option<Pattern>, u64)]) -> Vec<u64> {
        let (mut show, mut now, mut was, mut starts) = (Show::default(), 0, false, Vec::new());
        for (wanted, span_ms) in wishes {
            for _ in 0..span_ms / 10 {
                let (lit, _) = show.at(Duration::from_millis(now), *wanted);
                if lit && !was {
                    starts.push(now);
                }
                was = lit;
                now += 10;
            }
        }
        starts
    }

    fn wish() -> impl Strategy<Value = (Option<Pattern>, u64)> {
        let condition = proptest::option::of(proptest::sample::select(&Condition::ALL[..]));
        (condition, 0_u64..6_000).prop_map(|(condition, span)| (condition.map(pattern), span))
    }

    proptest! {
        #[test]
        fn however_the_condition_changes_no_second_has_more_than_three_flashes(
            wishes in proptest::collection::vec(wish(), 1..12)
        ) {
            let starts = flashes(&wishes);
            for four in starts.windows(4) {
                prop_assert!(four[3] - four[0] >= 1_000, "{starts:?}");
            }
        }

        #[test]
        fn the_lamp_says_truly_how_long_it_stays_as_it_is(
            wishes in proptest::collection::vec(wish(), 1..6)
        ) {
            let (mut show, mut now) = (Show::default(), Duration::ZERO);
            for (wanted, _) in wishes {
                let (lit, span) = show.at(now, wanted);
                prop_assert!(span > Duration::ZERO && span <= LOOK);
                let (before, _) = show.at(now + span - Duration::from_nanos(1), wanted);
                prop_assert_eq!(lit, before);
                now += span;
            }
        }
    }

    #[test]
    fn a_lamp_of_which_nobody_knows_anything_stands_still_and_then_begins_anew() {
        let healthy = Some(pattern(Condition::Delivered));
        assert_eq!(flashes(&[(healthy, 4_000), (None, 60_000)]), [0, 2_000]);
        // Frozen while lit: dark for a second, then from the beginning.
        let wishes = [(healthy, 2_100), (None, 10_000), (healthy, 3_000)];
        assert_eq!(flashes(&wishes), [0, 2_000, 13_100]);
        let mut show = Show::default();
        assert!(show.at(Duration::ZERO, healthy).0);
        assert!(show.at(Duration::from_secs(5), None).0);
    }

    #[test]
    fn a_new_pattern_begins_after_a_second_of_darkness() {
        let (one, three) = (pattern(Condition::Delivered), pattern(Condition::Blocked));
        let starts = flashes(&[(Some(one), 2_500), (Some(three), 3_500)]);
        assert_eq!(starts, [0, 2_000, 3_500, 3_900, 4_300]);
    }
}
