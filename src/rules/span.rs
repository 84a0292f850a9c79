//! Spans of time as people say them.

use std::time::Duration;

/// The largest unit of which there are at least two, rounded down: `90 s`, `2 min`, `47 h`, `61 days`.
pub(super) fn text(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_grows_with_the_span() {
        let table = [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
            (61 * 86_400 + 5, "61 days"),
        ];
        for (seconds, expected) in table {
            assert_eq!(text(Duration::from_secs(seconds)), expected);
        }
    }
}
