//! Time as QuickBooks writes and reads it: with the offset of the Pacific coast.
//!
//! The rule of summer time is written here, so that no time-zone database is needed.

use crate::model::Timestamp;
use jiff::tz::TimeZone;
use std::sync::LazyLock;

/// Second Sunday of March to first Sunday of November, since 2007.
static PACIFIC: LazyLock<TimeZone> = LazyLock::new(|| {
    TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").expect("a rule of POSIX that is well-formed")
});

/// Whole seconds, as in `LastUpdatedTime`: `2015-10-07T11:43:20-07:00`.
pub fn second(at_s: i64) -> String {
    written(
        Timestamp::from_ms(at_s.saturating_mul(1000)),
        "%Y-%m-%dT%H:%M:%S%:z",
    )
}

/// With milliseconds, as the time of an answer: `2020-09-29T08:02:53.512-07:00`.
pub fn millisecond(at: Timestamp) -> String {
    written(at, "%Y-%m-%dT%H:%M:%S%.3f%:z")
}

/// Without a colon in the offset, as old notifications have it: `2015-10-05T14:42:19-0700`.
pub fn without_colon(at: Timestamp) -> String {
    written(at, "%Y-%m-%dT%H:%M:%S%z")
}

/// The day there: `2015-10-07`.
pub fn day(at_s: i64) -> String {
    written(Timestamp::from_ms(at_s.saturating_mul(1000)), "%Y-%m-%d")
}

fn written(at: Timestamp, form: &str) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default();
    instant.to_zoned(PACIFIC.clone()).strftime(form).to_string()
}

/// An instant as clients write it: RFC 3339, without seconds, without an offset (then it is taken as
/// Pacific time), or a day alone. A `+` that was not percent-encoded arrives as a space, and is
/// nothing that can be read.
pub fn read(text: &str) -> Option<Timestamp> {
    if text.contains(' ') {
        return None;
    }
    let ms = |instant: jiff::Timestamp| Timestamp::from_ms(instant.as_millisecond());
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(ms(instant));
    }
    let civil = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| text.parse::<jiff::civil::Date>().map(Into::into));
    let zoned = civil.ok()?.to_zoned(PACIFIC.clone()).ok()?;
    Some(ms(zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_recorded_in_summer_and_in_winter() {
        assert_eq!(second(1_444_243_400), "2015-10-07T11:43:20-07:00");
        assert_eq!(second(1_448_977_400), "2015-12-01T05:43:20-08:00");
        let answer = Timestamp::from_ms(1_601_391_773_512);
        assert_eq!(millisecond(answer), "2020-09-29T08:02:53.512-07:00");
        assert_eq!(
            without_colon(Timestamp::from_ms(1_444_081_339_000)),
            "2015-10-05T14:42:19-0700"
        );
        assert_eq!(day(1_444_243_400), "2015-10-07");
    }

    #[test]
    fn every_way_in_which_clients_write_an_instant_is_read() {
        let table = [
            ("2015-11-28", "2015-11-28T08:00:00.000Z"),
            ("2023-08-01T12:00:00", "2023-08-01T19:00:00.000Z"),
            ("2015-12-23T09:00-07:00", "2015-12-23T16:00:00.000Z"),
            ("2011-10-10T09:00:00-07:00", "2011-10-10T16:00:00.000Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"),
            ("2026-01-01T00:00:00.5+05:30", "2025-12-31T18:30:00.500Z"),
        ];
        for (text, expected) in table {
            let read = read(text).map(|instant| instant.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-01-01T00:00:00 05:30"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
