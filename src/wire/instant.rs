//! The ways in which senders write an instant (Intuit's samples and SDK tests).
//!
//! Only reads; the original string is kept beside the result by the decoders. What has no zone and
//! is no count since the epoch is not an instant, and is not guessed.

use crate::model::Timestamp;

/// First and last millisecond of the years 1 to 9999, those that RFC 3339 can write.
const WRITABLE: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// The instant that `text` means, cut to milliseconds.
///
/// Read are: RFC 3339 with any number of fraction digits up to nine, also with an offset without
/// colon (`-0700`) or without seconds; epoch milliseconds (11 to 14 digits) and seconds (10 digits);
/// `/Date(ms)/` and `/Date(ms-0700)/`, where the offset tells only how it was shown. `None` for
/// anything else, and for years that RFC 3339 cannot write.
pub fn parse(text: &str) -> Option<Timestamp> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let ms = match text.len() {
        10 if digits => text.parse::<i64>().ok()?.checked_mul(1000)?,
        11..=14 if digits => text.parse().ok()?,
        _ if digits => return None,
        _ => match text.strip_prefix("/Date(") {
            Some(rest) => date_literal(rest.strip_suffix(")/")?)?,
            None => text.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
        },
    };
    WRITABLE.contains(&ms).then(|| Timestamp::from_ms(ms))
}

/// The inside of a `/Date(…)/`: milliseconds, then perhaps an offset such as `-0700`.
fn date_literal(inside: &str) -> Option<i64> {
    let unsigned = inside.strip_prefix('-').unwrap_or(inside);
    let sign_bytes = inside.len() - unsigned.len();
    let end = unsigned.find(['+', '-']).unwrap_or(unsigned.len());
    let (number, offset) = inside.split_at_checked(sign_bytes + end)?;
    let offset_digits = offset.get(1..).unwrap_or_default();
    let offset_fits = offset.is_empty()
        || (offset_digits.len() == 4 && offset_digits.bytes().all(|byte| byte.is_ascii_digit()));
    offset_fits.then(|| number.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> Option<String> {
        parse(text).map(|instant| instant.to_string())
    }

    #[test]
    fn every_form_that_was_seen_is_read() {
        let table = [
            ("2015-10-05T14:42:19-0700", "2015-10-05T21:42:19.000Z"),
            ("2016-02-02T16:25:00-0800", "2016-02-03T00:25:00.000Z"),
            ("2016-10-05T03:09:04.000Z", "2016-10-05T03:09:04.000Z"),
            ("2025-09-08T20:52:31.657Z", "2025-09-08T20:52:31.657Z"),
            ("2025-04-10T11:00:00-07:00", "2025-04-10T18:00:00.000Z"),
            ("2025-04-10T11:00:00+0530", "2025-04-10T05:30:00.000Z"),
            ("2025-12-04T15:25:05Z", "2025-12-04T15:25:05.000Z"),
            ("2026-02-24T15:28:19.91Z", "2026-02-24T15:28:19.910Z"),
            ("2025-09-10T21:31:25.179851517Z", "2025-09-10T21:31:25.179Z"),
            (
                "2025-09-08T20:52:31.657000+00:00",
                "2025-09-08T20:52:31.657Z",
            ),
            ("2015-12-23T09:00-07:00", "2015-12-23T16:00:00.000Z"),
            ("1444081339000", "2015-10-05T21:42:19.000Z"),
            ("1444081339", "2015-10-05T21:42:19.000Z"),
            ("99999999999", "1973-03-03T09:46:39.999Z"),
            ("/Date(1444081339000)/", "2015-10-05T21:42:19.000Z"),
            ("/Date(1444081339000-0700)/", "2015-10-05T21:42:19.000Z"),
            ("/Date(-62135596800000-0000)/", "0001-01-01T00:00:00.000Z"),
            ("/Date(-1+0100)/", "1969-12-31T23:59:59.999Z"),
        ];
        for (text, expected) in table {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn every_count_of_fraction_digits_up_to_nine_is_read() {
        let digits = "123456789";
        for count in 1..=9 {
            let text = format!("2026-01-02T03:04:05.{}Z", &digits[..count]);
            let expected = format!("2026-01-02T03:04:05.{:0<3}Z", &digits[..count.min(3)]);
            assert_eq!(written(&text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_not_guessed() {
        let table = [
            "",
            "yesterday",
            "2025-04-10",
            "0001-01-01T00:00:00",
            "2025-04-10T11:00:00",
            "2025-13-10T11:00:00Z",
            "2025-04-10T11:00:00.1234567890Z",
            "-1444081339000",
            "144408133",
            "144408133900000",
            "99999999999999999999",
            "/Date()/",
            "/Date(-)/",
            "/Date(12-07)/",
            "/Date(12-07:0)/",
            "/Date(12-0700",
            "/Date(1 2)/",
            "/Date(+-0700)/",
            "/Date(253402300800000)/",
            "/Date(9223372036854775808)/",
            "-000002-01-01T00:00:00Z",
            "１４４４０８１３３９０００",
        ];
        for text in table {
            assert_eq!(written(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            parse(&text);
        }

        #[test]
        fn no_near_miss_panics(text in "(/Date\\()?[-+0-9TZ:./()é]{0,30}(\\)/)?") {
            parse(&text);
        }

        #[test]
        fn what_the_relay_writes_it_reads_back(ms in WRITABLE) {
            let instant = Timestamp::from_ms(ms);
            prop_assert_eq!(parse(&instant.to_string()), Some(instant));
        }
    }
}
