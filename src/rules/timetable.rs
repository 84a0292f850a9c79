//! When something that is done again and again is due.
//!
//! Called by `rules::company` and where a plan is made. Promises: a clock that was put back makes
//! something due early, never late by the size of the jump.

use super::pause::Pause;
use crate::model::{Timestamp, Zone};
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// When something is due that was done at `last` and is done every `interval`; `None`: now.
pub fn every(now: Timestamp, last: Option<Timestamp>, interval: Duration) -> Option<Timestamp> {
    Pause::new(last?, interval).left(now)
}

/// When something is due that was done at `last` and is done daily at `time_of_day` in a zone, or in UTC,
/// where the clock shows it; `None`: now. What was never done is due at once.
pub fn daily(
    now: Timestamp,
    last: Option<Timestamp>,
    time_of_day: Duration,
    zone: Option<&Zone>,
) -> Option<Timestamp> {
    let latest = latest_daily(now, time_of_day);
    let there = zone.and_then(|zone| zone.daily(now, time_of_day));
    let [latest, next] = there.unwrap_or([latest, latest.plus(DAY)]);
    // Done in the future means that the clock has been put back since; by a little more than a day,
    // there is no telling when it was.
    let last = last.filter(|last| *last <= now.plus(DAY))?;
    (last >= latest).then_some(next)
}

/// A share of `over` that is always the same for the same name and different for others, so that not
/// all companies are read at the same hour.
pub fn spread(name: &str, over: Duration) -> Duration {
    // FNV-1a over 64 bits, mixed once more (the end of MurmurHash3): ids that differ in their last
    // digit only would lie beside each other otherwise.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let high = u32::try_from(mixed >> 32).unwrap_or(0);
    over.mul_f64(f64::from(high) / (f64::from(u32::MAX) + 1.0))
}

/// The latest instant at or before `now` that has this time of day.
fn latest_daily(now: Timestamp, time_of_day: Duration) -> Timestamp {
    let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let offset = ms(time_of_day).rem_euclid(ms(DAY));
    let since = now.as_ms().saturating_sub(offset).rem_euclid(ms(DAY));
    Timestamp::from_ms(now.as_ms().saturating_sub(since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_ms(at.as_millisecond())
    }

    #[test]
    fn a_daily_task_is_due_once_after_its_hour() {
        let half_past_two = HOUR * 2 + HOUR / 2;
        let next = Some("2026-11-22T02:30:00Z");
        let table = [
            ("2026-11-21T12:00:00Z", None, None),
            ("2026-11-21T12:00:00Z", Some("2026-11-20T12:00:00Z"), None),
            ("2026-11-21T02:30:00Z", Some("2026-11-21T02:29:59Z"), None),
            ("2026-11-21T12:00:00Z", Some("2026-11-21T02:30:00Z"), next),
            ("2026-11-22T02:29:59Z", Some("2026-11-21T11:00:00Z"), next),
            (
                "2026-11-21T02:29:00Z",
                Some("2026-11-20T03:00:00Z"),
                Some("2026-11-21T02:30:00Z"),
            ),
            // Put back by an hour, and by a year.
            ("2026-11-21T12:00:00Z", Some("2026-11-21T13:00:00Z"), next),
            ("2026-11-21T12:00:00Z", Some("2027-11-21T12:00:00Z"), None),
        ];
        for (now, last, expected) in table {
            let due = daily(at(now), last.map(at), half_past_two, None);
            assert_eq!(due, expected.map(at), "{now} {last:?}");
        }
    }

    #[test]
    fn companies_are_spread_over_the_span() {
        let shares: Vec<u64> = (0..30)
            .map(|n| spread(&format!("93414558415801{n:02}"), HOUR * 4).as_secs() / 1440)
            .collect();
        let mut tenths = shares.clone();
        tenths.sort_unstable();
        tenths.dedup();
        assert!(tenths.len() >= 8, "{shares:?}");
        assert_eq!(spread("310687", HOUR), spread("310687", HOUR));
    }

    proptest! {
        #[test]
        fn what_is_not_due_becomes_due_within_its_turn(
            now in 0..4_000_000_000_000_i64, last in 0..4_000_000_000_000_i64, hour in 0..24_u32,
        ) {
            let (now, last) = (Timestamp::from_ms(now), Some(Timestamp::from_ms(last)));
            if let Some(due) = daily(now, last, HOUR * hour, None) {
                prop_assert!(due > now && due.since(now) <= DAY);
            }
            if let Some(due) = every(now, last, HOUR) {
                prop_assert!(due > now && due.since(now) <= HOUR);
            }
            // A zone that never changes does as the arithmetic does.
            let utc = daily(now, last, HOUR * hour, Some(&Zone::UTC));
            prop_assert_eq!(utc, daily(now, last, HOUR * hour, None));
            let share = spread(&now.to_string(), HOUR);
            prop_assert!(share < HOUR);
        }
    }
}
