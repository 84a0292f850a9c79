//! What came of a gap, as people say it.

use crate::model::{GapReport, Timestamp};
use std::time::Duration;

/// One sentence: `offline Mon 14:02-16:40 UTC: 12 late by webhook, 3 found by capture, 0 missing`.
/// Days are named where the weekday is not enough to know them.
pub fn sentence(report: &GapReport) -> String {
    let GapReport {
        gap,
        late,
        found,
        missing,
        ..
    } = report;
    let far = gap.until.since(gap.since) >= Duration::from_secs(6 * 86_400);
    let (since, until) = (Clock::of(gap.since), Clock::of(gap.until));
    let (day, end) = match (far, since.date == until.date) {
        (false, true) => (since.weekday, until.time),
        (false, false) => (since.weekday, format!("{} {}", until.weekday, until.time)),
        (true, _) => (since.date, format!("{} {}", until.date, until.time)),
    };
    format!(
        "{} {day} {}-{end} UTC: {late} late by webhook, {found} found by capture, {missing} missing",
        gap.cause, since.time
    )
}

/// An instant as a clock and a calendar in UTC show it.
struct Clock {
    date: String,
    weekday: String,
    time: String,
}

impl Clock {
    fn of(at: Timestamp) -> Self {
        let ends = [jiff::Timestamp::MIN, jiff::Timestamp::MAX];
        let nearest = if at.as_ms() < 0 { ends[0] } else { ends[1] };
        let instant = jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or(nearest);
        let said = |format: &str| instant.strftime(format).to_string();
        Self {
            date: said("%Y-%m-%d"),
            weekday: said("%a"),
            time: said("%H:%M"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Gap;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_ms(instant.as_millisecond())
    }

    fn said(since: Timestamp, until: Timestamp) -> String {
        sentence(&GapReport {
            gap: Gap {
                id: 1,
                since,
                until,
                cause: "offline".into(),
            },
            closed_at: None,
            late: 12,
            found: 3,
            missing: 0,
        })
    }

    #[test]
    fn a_gap_is_told_in_one_sentence() {
        let counts = "12 late by webhook, 3 found by capture, 0 missing";
        for (since, until, span) in [
            (
                "2026-11-23T14:02:59Z",
                "2026-11-23T16:40:00Z",
                "Mon 14:02-16:40",
            ),
            (
                "2026-11-23T23:00:00-05:00",
                "2026-11-24T23:30:00-05:00",
                "Tue 04:00-Wed 04:30",
            ),
            (
                "2026-11-16T08:00:00Z",
                "2026-11-23T08:00:00Z",
                "2026-11-16 08:00-2026-11-23 08:00",
            ),
        ] {
            let expected = format!("offline {span} UTC: {counts}");
            assert_eq!(said(at(since), at(until)), expected);
        }
    }

    #[test]
    fn an_instant_beyond_every_calendar_is_no_reason_to_stop() {
        let (first, last) = (Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX));
        assert!(said(first, last).starts_with("offline -9999-01-0"));
    }
}
