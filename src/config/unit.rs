//! Sizes and spans as people write them: `256 MiB`, `30 d`.

use serde::Deserialize;
use std::time::Duration;

/// A number of bytes: `4096`, `512 KiB`, `256 MiB`, `2 GiB`; the space is optional.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Size(pub(super) u64);

/// A length of time: `500 ms`, `15 s`, `15 min`, `6 h`, `30 d`; the space is optional.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span(pub(super) Duration);

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (count, unit) = split(&text);
        let factor = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => {
                return Err(format!(
                    "`{text}` is not a size; write it like \"256 MiB\" (B, KiB, MiB, GiB)"
                ));
            }
        };
        count
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a size; write it like \"256 MiB\""))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (count, unit) = split(&text);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => {
                return Err(format!(
                    "`{text}` is not a span of time; write it like \"15 min\" (ms, s, min, h, d)"
                ));
            }
        };
        count
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(unit_ms))
            .filter(|ms| *ms <= YEARS_100_MS)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| format!("`{text}` is not a span of time; write it like \"15 min\""))
    }
}

/// What was meant by a text that is no size, or no span: other spellings of the units, in any case.
pub(super) fn nearest(text: &str, is_size: bool) -> Option<String> {
    const SPANS: [(&str, &[&str]); 5] = [
        (
            "ms",
            &["ms", "msec", "msecs", "millisecond", "milliseconds"],
        ),
        ("s", &["", "s", "sec", "secs", "second", "seconds"]),
        ("min", &["m", "min", "mins", "minute", "minutes"]),
        ("h", &["h", "hr", "hrs", "hour", "hours"]),
        ("d", &["d", "day", "days"]),
    ];
    const SIZES: [(&str, &[&str]); 4] = [
        ("B", &["b", "byte", "bytes"]),
        ("KiB", &["k", "kb", "kib", "kilobyte", "kilobytes"]),
        ("MiB", &["", "m", "mb", "mib", "megabyte", "megabytes"]),
        ("GiB", &["g", "gb", "gib", "gigabyte", "gigabytes"]),
    ];
    let (count, unit) = split(text);
    let units: &[(&str, &[&str])] = if is_size { &SIZES } else { &SPANS };
    let count: u64 = count.parse().ok()?;
    let given = unit.to_ascii_lowercase();
    let weeks = ["w", "week", "weeks"].contains(&given.as_str()) && !is_size;
    if weeks {
        return count.checked_mul(7).map(|days| format!("{days} d"));
    }
    let known = units
        .iter()
        .find(|(_, spellings)| spellings.contains(&given.as_str()));
    known.map(|(unit, _)| format!("{count} {unit}"))
}

/// Longer spans are slips of the pen, and would not fit into sums of instants.
const YEARS_100_MS: u64 = 100 * 366 * 86_400_000;

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    (count, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_read_as_people_write_them() {
        let size = |text: &str| Size::try_from(text.to_owned()).map(|size| size.0);
        assert_eq!(size("256 MiB"), Ok(256 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("256 MB").unwrap_err().contains("256 MB"));
        assert!(size("-1 MiB").is_err() && size("").is_err());
        assert!(size("99999999999 GiB").is_err());

        let span = |text: &str| Span::try_from(text.to_owned()).map(|span| span.0);
        assert_eq!(span("30 d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(span("15min"), Ok(Duration::from_secs(900)));
        assert_eq!(span("250 ms"), Ok(Duration::from_millis(250)));
        assert!(span("15").unwrap_err().contains("15 min"));
        assert!(span("99999999999 d").is_err());
    }
}
