//! Time zones: in which the times of day of a company are meant, and in which dates are written for
//! QuickBooks.

use super::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use std::time::Duration;

/// Characters of a name.
const NAME_BYTES_MAX: usize = 64;

/// Seconds east or west of Greenwich at most: 18 h, as in Java.
const OFFSET_S_MAX: i32 = 18 * 3600;

/// The short names that Java knows (`ZoneId.SHORT_IDS`), as configurations of pollers have them.
const SHORT: [(&str, &str); 28] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("EST", "-05:00"),
    ("HST", "-10:00"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("MST", "-07:00"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// A time zone with its rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone(TimeZone);

/// Why a name stands for no time zone; it holds the name, shortened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadZone {
    /// Nobody knows the name. Write it as IANA does, or as an offset.
    #[error(
        "{0:?} is no time zone; expected a name like America/Los_Angeles, UTC, or an offset like GMT-08:00"
    )]
    Unknown(String),
    /// The name cannot be looked up, because the machine lacks IANA's database. Only UTC and offsets are
    /// known without it.
    #[error(
        "{0:?} cannot be looked up, because this machine has no time zones (/usr/share/zoneinfo); \
         install the package tzdata and restart the relay, or write an offset like GMT-08:00"
    )]
    NoDatabase(String),
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone of this name: IANA's in any case, one of Java's short ones, or an offset from UTC.
    ///
    /// # Errors
    /// [`BadZone`]: it is none, or the machine lacks the database of names.
    pub fn named(name: &str) -> Result<Self, BadZone> {
        Self::named_in(jiff::tz::db(), name)
    }

    fn named_in(database: &TimeZoneDatabase, name: &str) -> Result<Self, BadZone> {
        let name = name.trim();
        let short: String = name.chars().take(NAME_BYTES_MAX).collect();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_/:".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
            return Err(BadZone::Unknown(short));
        }
        let full = SHORT.iter().find(|(known, _)| *known == name);
        let name = full.map_or(name, |(_, full)| full);
        if let Some(zone) = offset(name) {
            return Ok(zone);
        }
        match database.get(name) {
            Ok(zone) => Ok(Self(zone)),
            Err(_) if database.is_definitively_empty() => Err(BadZone::NoDatabase(short)),
            Err(_) => Err(BadZone::Unknown(short)),
        }
    }

    /// RFC 3339 in whole seconds with the offset of this zone; `Z` in UTC.
    pub fn write(&self, at: Timestamp) -> String {
        let Ok(instant) = jiff::Timestamp::from_second(at.as_seconds()) else {
            return at.to_string();
        };
        if *self == Self::UTC {
            return instant.to_string();
        }
        let zoned = instant.to_zoned(self.0.clone());
        zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// The latest instant at or before `now` that has this time of day here, and the one after it.
    /// A time that a clock passes over is taken behind the gap.
    pub fn daily(&self, now: Timestamp, time_of_day: Duration) -> Option<[Timestamp; 2]> {
        let instant = jiff::Timestamp::from_millisecond(now.as_ms()).ok()?;
        let today = instant.to_zoned(self.0.clone()).date();
        let at = |date: Date| self.at(date, time_of_day);
        let (before, here, after) = (today.yesterday().ok()?, at(today)?, today.tomorrow().ok()?);
        Some(match here <= now {
            true => [here, at(after)?],
            false => [at(before)?, here],
        })
    }

    fn at(&self, date: Date, time_of_day: Duration) -> Option<Timestamp> {
        let ms = i64::try_from(time_of_day.as_millis() % 86_400_000).ok()?;
        let time = Time::midnight().wrapping_add(jiff::SignedDuration::from_millis(ms));
        let zoned = date.to_datetime(time).to_zoned(self.0.clone()).ok()?;
        Some(Timestamp::from_ms(zoned.timestamp().as_millisecond()))
    }
}

/// `UTC`, `GMT`, `Z`, or an offset with or without one of them in front: `GMT-8`, `+05:30`, `UTC+0530`.
fn offset(name: &str) -> Option<Zone> {
    let upper = name.to_ascii_uppercase();
    let rest = ["UTC", "GMT", "UT"]
        .iter()
        .find_map(|word| upper.strip_prefix(word));
    let rest = match (rest, &*upper) {
        (Some(""), _) | (None, "Z") => return Some(Zone::UTC),
        (Some(rest), _) => rest,
        (None, whole) => whole,
    };
    let (sign, digits) = match rest.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 1 | 2) => (digits, "00"),
        (None, 4) => digits.split_at(2),
        (None, _) => return None,
    };
    let number = |text: &str, most: i32| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number = is_number.then(|| text.parse::<i32>().ok()).flatten();
        number.filter(|number| *number <= most)
    };
    let seconds = number(hours, 18)? * 3600 + number(minutes, 59)? * 60;
    let seconds = Some(sign * seconds).filter(|seconds| seconds.abs() <= OFFSET_S_MAX)?;
    match seconds {
        0 => Some(Zone::UTC),
        seconds => Some(Zone(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_ms(at.as_millisecond())
    }

    #[test]
    fn names_of_every_sort_are_zones_and_dates_are_written_in_them() {
        for (name, summer) in [
            ("UTC", "2026-07-01T12:00:00Z"),
            ("GMT", "2026-07-01T12:00:00Z"),
            ("z", "2026-07-01T12:00:00Z"),
            ("GMT+00:00", "2026-07-01T12:00:00Z"),
            ("America/Los_Angeles", "2026-07-01T05:00:00-07:00"),
            ("america/los_angeles", "2026-07-01T05:00:00-07:00"),
            ("PST", "2026-07-01T05:00:00-07:00"),
            ("MST", "2026-07-01T05:00:00-07:00"),
            ("EST", "2026-07-01T07:00:00-05:00"),
            ("Europe/Berlin", "2026-07-01T14:00:00+02:00"),
            (" Asia/Kolkata ", "2026-07-01T17:30:00+05:30"),
            ("GMT-8", "2026-07-01T04:00:00-08:00"),
            ("GMT-08:00", "2026-07-01T04:00:00-08:00"),
            ("+0545", "2026-07-01T17:45:00+05:45"),
            ("utc+2", "2026-07-01T14:00:00+02:00"),
        ] {
            let zone = Zone::named(name).unwrap();
            assert_eq!(zone.write(at("2026-07-01T12:00:00.999Z")), summer, "{name}");
        }
        let winter = Zone::named("PST")
            .unwrap()
            .write(at("2026-01-01T12:00:00Z"));
        assert_eq!(winter, "2026-01-01T04:00:00-08:00");
    }

    #[test]
    fn what_is_no_zone_is_named() {
        let long = "x".repeat(500);
        for name in [
            "",
            " ",
            "Mars/Olympus",
            "PSTT",
            "GMT+25",
            "GMT+18:01",
            "+",
            "+1:2:3",
            "+05:60",
            "-123",
            "../../etc/passwd",
            "America/Los Angeles",
            "\u{fc}",
            &long,
        ] {
            let bad = Zone::named(name).expect_err(name);
            assert!(bad.to_string().len() < 200, "{bad}");
        }
    }

    #[test]
    fn without_the_database_of_names_the_cure_is_named_and_offsets_are_known() {
        let empty = TimeZoneDatabase::none();
        for name in ["America/Los_Angeles", "PST", "europe/berlin"] {
            let bad = Zone::named_in(&empty, name).expect_err(name).to_string();
            assert!(bad.contains("tzdata"), "{bad}");
        }
        for name in ["UTC", "GMT-08:00", "EST"] {
            assert_eq!(Zone::named_in(&empty, name), Zone::named(name), "{name}");
        }
        let bad = Zone::named_in(&empty, "Mars Olympus").unwrap_err();
        assert_eq!(bad, BadZone::Unknown("Mars Olympus".to_owned()));
    }

    #[test]
    fn a_time_of_day_is_that_of_the_zone_over_its_changes_too() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let two = Duration::from_hours(2) + Duration::from_mins(30);
        for (now, latest, next) in [
            (
                "2026-01-10T01:29:59Z",
                "2026-01-09T01:30:00Z",
                "2026-01-10T01:30:00Z",
            ),
            (
                "2026-01-10T01:30:00Z",
                "2026-01-10T01:30:00Z",
                "2026-01-11T01:30:00Z",
            ),
            (
                "2026-07-10T00:30:00Z",
                "2026-07-10T00:30:00Z",
                "2026-07-11T00:30:00Z",
            ),
            // On 29 March there is no half past two; on 25 October there are two of them.
            (
                "2026-03-29T00:00:00Z",
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:30:00Z",
            ),
            (
                "2026-03-29T02:00:00Z",
                "2026-03-29T01:30:00Z",
                "2026-03-30T00:30:00Z",
            ),
            (
                "2026-10-25T01:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ),
        ] {
            let expected = [at(latest), at(next)];
            assert_eq!(zone.daily(at(now), two), Some(expected), "{now}");
        }
    }
}
