//! The month's calls of an app: how many may be made, and what is left out first.
//!
//! Intuit's free tier blocks an app for the rest of the month when its calls are used up, and shows
//! it as offline to its customers (Intuit, "Understanding Builder tier API limits", 2026-01-08). So
//! the relay counts for itself. Called by a company's task. Promises: polls and sweeps end first,
//! gaps next, notified changes last.

use super::company::Class;
use crate::model::Timestamp;
use jiff::{ToSpan, Zoned, tz::TimeZone};
use std::time::Duration;

/// Percent of the budget from which it is warned of.
const WARNING: u64 = 80;

/// How long at most until it is looked again whether calls are taken.
const LOOK_AGAIN: Duration = Duration::from_hours(24);

/// Calls of an app in this month.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Spent {
    /// Made so far.
    pub calls: u64,
    /// How many may be made; `None`: as many as it takes.
    pub calls_max: Option<u64>,
}

impl Spent {
    /// Percent of the budget that is used up; `None` without a budget.
    pub fn percent(self) -> Option<u64> {
        let hundredfold = u128::from(self.calls) * 100;
        let percent = hundredfold / u128::from(self.calls_max?.max(1));
        Some(u64::try_from(percent).unwrap_or(u64::MAX))
    }

    /// Whether a person should know.
    pub fn is_near(self) -> bool {
        self.percent().is_some_and(|percent| percent >= WARNING)
    }

    /// Whether calls of this class are made.
    pub fn allows(self, class: Class) -> bool {
        let end = match class {
            Class::Notified => 100,
            Class::Gap => 95,
            Class::Poll | Class::Sweep => 90,
        };
        self.percent().is_none_or(|percent| percent < end)
    }
}

/// The month as the journal keeps it, in UTC: `2026-11`.
pub fn month(now: Timestamp) -> String {
    zoned(now).map_or_else(String::new, |now| now.strftime("%Y-%m").to_string())
}

/// When an app that is blocked until the next month is looked after again: then, but at least daily.
pub fn look_again_at(now: Timestamp) -> Timestamp {
    let tomorrow = now.plus(LOOK_AGAIN);
    let next = zoned(now).and_then(|now| {
        let first = now.first_of_month().ok()?.start_of_day().ok()?;
        first.checked_add(1.month()).ok()
    });
    next.map_or(tomorrow, |next| {
        tomorrow.min(Timestamp::from_ms(next.timestamp().as_millisecond()))
    })
}

fn zoned(at: Timestamp) -> Option<Zoned> {
    let at = jiff::Timestamp::from_millisecond(at.as_ms()).ok()?;
    Some(at.to_zoned(TimeZone::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_ms(at.as_millisecond())
    }

    #[test]
    fn what_is_left_out_first_is_what_can_wait() {
        let table = [
            (0, [true, true, true, true], false),
            (799, [true, true, true, true], false),
            (800, [true, true, true, true], true),
            (900, [true, true, false, false], true),
            (950, [true, false, false, false], true),
            (1000, [false, false, false, false], true),
            (u64::MAX, [false, false, false, false], true),
        ];
        for (calls, allowed, near) in table {
            let spent = Spent {
                calls,
                calls_max: Some(1000),
            };
            assert_eq!(
                Class::ALL.map(|class| spent.allows(class)),
                allowed,
                "{calls}"
            );
            assert_eq!(spent.is_near(), near, "{calls}");
        }
        let free = Spent {
            calls: u64::MAX,
            calls_max: None,
        };
        assert!(Class::ALL.into_iter().all(|class| free.allows(class)));
        assert!(!free.is_near());
    }

    #[test]
    fn months_are_those_of_utc() {
        assert_eq!(month(at("2026-11-30T23:59:59.999Z")), "2026-11");
        assert_eq!(month(at("2026-12-01T00:00:00Z")), "2026-12");
        assert_eq!(month(Timestamp::from_ms(i64::MAX)), "");
    }

    #[test]
    fn a_blocked_app_is_looked_after_daily_and_at_the_first_of_the_month() {
        let table = [
            ("2026-11-10T12:00:00Z", "2026-11-11T12:00:00Z"),
            ("2026-11-30T12:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            ("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"),
        ];
        for (now, expected) in table {
            assert_eq!(look_again_at(at(now)), at(expected), "{now}");
        }
    }

    proptest! {
        #[test]
        fn it_is_looked_again_later_and_within_a_day(now in any::<i64>()) {
            let now = Timestamp::from_ms(now);
            let then = look_again_at(now);
            prop_assert!(then.since(now) <= LOOK_AGAIN);
            prop_assert!(then > now || now.plus(LOOK_AGAIN) == now);
        }
    }
}
