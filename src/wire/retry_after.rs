//! The `Retry-After` field of an answer (RFC 9110, section 10.2.3): one reading for everybody whom
//! the relay asks. What a wish is granted is one rule too: `rules::retry::lengthened`.

use crate::model::Timestamp;
use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The three forms of an HTTP date (RFC 9110, section 5.6.7).
const DATES: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// How long the answer asks to wait: the longest where the field is repeated. `None` where it asks
/// for nothing: zero, a date that is over, or neither a number nor a date.
///
/// A date is compared with `now`, where it is known, and else with the answer's own `Date`.
pub fn read(fields: &HeaderMap, now: Option<Timestamp>) -> Option<Duration> {
    let sent = fields.get(DATE).and_then(|value| date(value.as_bytes()));
    let now = now.or(sent);
    let values = fields.get_all(RETRY_AFTER).iter();
    values
        .filter_map(|value| parse(value.as_bytes(), now))
        .max()
        .filter(|wish| !wish.is_zero())
}

/// Whole seconds, or a date, which may lie in the past (zero).
fn parse(value: &[u8], now: Option<Timestamp>) -> Option<Duration> {
    let text = value.trim_ascii();
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        let text = std::str::from_utf8(text).ok()?;
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    Some(date(text)?.since(now?))
}

fn date(value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii();
    let then = DATES
        .iter()
        .find_map(|form| strtime::parse(form, text).ok()?.to_datetime().ok())?
        .to_zoned(TimeZone::UTC)
        .ok()?;
    Some(Timestamp::from_ms(then.timestamp().as_millisecond()))
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
                parse(value.as_bytes(), Some(NOW)),
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
            assert_eq!(parse(value.as_bytes(), Some(NOW)), None, "{value}");
        }
        assert_eq!(parse(b"\xff12", Some(NOW)), None);
    }

    fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in pairs {
            fields.append(*name, value.parse().unwrap());
        }
        fields
    }

    #[test]
    fn what_asks_for_nothing_is_no_wish() {
        for value in [
            "0",
            "000",
            "Sun, 06 Nov 1994 08:48:30 GMT",
            "Sat, 05 Nov 1994 08:00:00 GMT",
        ] {
            let fields = fields(&[("retry-after", value)]);
            assert_eq!(read(&fields, Some(NOW)), None, "{value}");
        }
        assert_eq!(read(&HeaderMap::new(), Some(NOW)), None);
    }

    #[test]
    fn the_longest_of_several_counts() {
        let fields = fields(&[
            ("retry-after", "0"),
            ("retry-after", "soon"),
            ("retry-after", "90"),
            ("retry-after", "Sun, 06 Nov 1994 08:48:37 GMT"),
        ]);
        assert_eq!(read(&fields, Some(NOW)), Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_date_can_be_compared_with_the_answers_own() {
        let wish = ("retry-after", "Mon, 30 Nov 2026 12:02:00 GMT");
        let dated = fields(&[wish, ("date", "Mon, 30 Nov 2026 12:00:00 GMT")]);
        assert_eq!(read(&dated, None), Some(Duration::from_secs(120)));
        assert_eq!(read(&fields(&[wish]), None), None);
        assert_eq!(read(&fields(&[wish, ("date", "today")]), None), None);
        assert!(read(&dated, Some(NOW)) > Some(Duration::from_secs(3_600)));
    }
}
