//! The `Retry-After` field of an answer (RFC 9110, section 10.2.3), as a span from now. Pure.
//!
//! It is only read here; how much of it is granted is decided in `rules::retry`.

use crate::model::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The three forms of an HTTP date (RFC 9110, section 5.6.7).
const DATES: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// How long the answer asks to wait: whole seconds, or a date, which may lie in the past (zero).
/// `None` when it is neither.
pub(super) fn parse(value: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let then = DATES
        .iter()
        .find_map(|form| strtime::parse(form, text).ok()?.to_datetime().ok())?
        .to_zoned(TimeZone::UTC)
        .ok()?;
    Some(Timestamp::from_ms(then.timestamp().as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:48:30 GMT, seven seconds before the date in RFC 9110.
    const NOW: Timestamp = Timestamp::from_ms(784_111_710_000);

    #[test]
    fn a_span_and_all_three_forms_of_a_date_are_understood() {
        for (value, seconds) in [
            ("120", 120),
            (" 0 ", 0),
            ("99999999999999999999999", u64::MAX),
            ("Sun, 06 Nov 1994 08:48:37 GMT", 7),
            ("Sunday, 06-Nov-94 08:48:37 GMT", 7),
            ("Sun Nov  6 08:48:37 1994", 7),
            ("Sun, 06 Nov 1994 08:48:00 GMT", 0),
        ] {
            assert_eq!(
                parse(value.as_bytes(), NOW),
                Some(Duration::from_secs(seconds)),
                "{value}"
            );
        }
    }

    #[test]
    fn anything_else_is_no_span() {
        for value in [
            "",
            "-1",
            "1.5",
            "soon",
            "Sun, 31 Feb 1994 08:48:37 GMT",
            "Sun, 06 Nov 1994 08:48:37 CET",
            "\u{661}",
        ] {
            assert_eq!(parse(value.as_bytes(), NOW), None, "{value}");
        }
        assert_eq!(parse(b"\xff12", NOW), None);
    }
}
