//! When something happened, as the original's framework reads it.
//!
//! ServiceStack.Text takes a few forms by their length and gives everything else, the forms of 19 and 23
//! characters first, to .NET's `DateTime.Parse` in the invariant culture, whose order is month, day,
//! year; only its own form of 10 characters has the day first. Source: ServiceStack.Text,
//! `Common/DateTimeSerializer.cs` (ParseShortestXsdDateTime, ParseManual), and Microsoft's page on
//! `DateTime.Parse`. What has no zone is taken as UTC; what would be completed from today's date is no
//! instant.

use crate::model::Timestamp;
use crate::wire::instant;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::Offset;

/// The last year that two digits can mean, in the invariant culture.
const TWO_DIGITS_MAX: i16 = 49;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// The instant that a text without surrounding space means.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let by_length = match text.len() {
        8 => condensed(text),
        10 => short(text),
        _ => None,
    };
    by_length
        .map(|date| instant_of(date.to_datetime(Time::midnight()), Offset::UTC))
        .unwrap_or_else(|| instant::parse(text).or_else(|| general(text)))
}

/// `20151005`.
fn condensed(text: &str) -> Option<Date> {
    let part = |range| number(text.get(range)?);
    date(part(0..4)?.value, part(4..6)?.value, part(6..8)?.value)
}

/// `05/10/2015` and `05-10-2015`, the day first; `2015-10-05` and `2015/10/05`.
fn short(text: &str) -> Option<Date> {
    let mut parts = text.split(['-', '/']).map(number);
    let (first, second, third) = (parts.next()??, parts.next()??, parts.next()??);
    match (parts.next(), third.digits) {
        (Some(_), _) => None,
        (None, 4) => date(third.value, second.value, first.value),
        (None, _) => date(first.value, second.value, third.value),
    }
}

/// Whatever `DateTime.Parse` takes that says a whole date.
fn general(text: &str) -> Option<Timestamp> {
    let mut parts = Parts::default();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        rest = match next {
            ' ' | ',' => rest.get(1..)?,
            '+' | '-' if parts.time.is_some() => parts.offset(rest)?,
            '/' | '-' | '.' if !parts.numbers.is_empty() => rest.get(1..)?,
            '0'..='9' => parts.number(rest)?,
            'A'..='Z' | 'a'..='z' => parts.word(rest)?,
            _ => return None,
        };
    }
    let date = parts.date()?;
    if parts.weekday.is_some_and(|day| day != date.weekday()) {
        return None;
    }
    let time = parts.time()?;
    instant_of(date.to_datetime(time), parts.offset.unwrap_or(Offset::UTC))
}

#[derive(Clone, Copy)]
struct Number {
    value: i16,
    digits: usize,
}

/// What of a date and a time has been read.
#[derive(Default)]
struct Parts {
    numbers: Vec<Number>,
    month: Option<i16>,
    weekday: Option<Weekday>,
    /// Hour, minute, second, nanosecond.
    time: Option<(i8, i8, i8, i32)>,
    is_afternoon: Option<bool>,
    offset: Option<Offset>,
}

impl Parts {
    /// A number of the date, or a time of the day; what follows it.
    fn number<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let (digits, rest) = leading(text, |c| c.is_ascii_digit());
        let is_hour = || {
            let (word, _) = leading(rest.trim_start(), |c| c.is_ascii_alphabetic());
            is_half_of_day(word).is_some()
        };
        if rest.starts_with(':') || (self.time.is_none() && is_hour()) {
            return self.time_of_day(text);
        }
        if self.numbers.len() >= 3 {
            return None;
        }
        self.numbers.push(number(digits)?);
        Some(rest)
    }

    /// `14:42:19.1234567`, `2:42`, or an hour alone before `PM`.
    fn time_of_day<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if self.time.is_some() {
            return None;
        }
        let (mut fields, mut rest) = ([0_i8; 3], text);
        for (at, field) in fields.iter_mut().enumerate() {
            let begin = match at {
                0 => rest,
                _ => match rest.strip_prefix(':') {
                    Some(rest) => rest,
                    None => break,
                },
            };
            let (digits, after) = leading(begin, |c| c.is_ascii_digit());
            let is_short = (1..=2).contains(&digits.len());
            *field = digits.parse().ok().filter(|_| is_short)?;
            rest = after;
        }
        let mut nanosecond = 0;
        if let Some(after) = rest.strip_prefix('.') {
            let (digits, after) = leading(after, |c| c.is_ascii_digit());
            let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
            nanosecond = nine.parse().ok().filter(|_| !digits.is_empty())?;
            rest = after;
        }
        let [hour, minute, second] = fields;
        self.time = Some((hour, minute, second, nanosecond));
        Some(rest)
    }

    /// A month, a weekday, a half of the day, a zone, or the `T` between date and time.
    fn word<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let (word, rest) = leading(text, |c| c.is_ascii_alphabetic());
        let word = word.to_ascii_lowercase();
        let means = |name: &str| name == word || name.get(..3) == Some(word.as_str());
        if let Some(at) = MONTHS.into_iter().position(means) {
            let month = i16::try_from(at + 1).ok()?;
            return self.month.replace(month).is_none().then_some(rest);
        }
        if let Some((_, day)) = WEEKDAYS.into_iter().find(|(name, _)| means(name)) {
            return self.weekday.replace(day).is_none().then_some(rest);
        }
        if let Some(half) = is_half_of_day(&word) {
            let is_first = self.time.is_some() && self.is_afternoon.replace(half).is_none();
            return is_first.then_some(rest);
        }
        match &*word {
            "z" | "gmt" | "utc" if self.time.is_some() => {
                let is_first = self.offset.replace(Offset::UTC).is_none();
                is_first.then_some(rest)
            }
            "t" if self.time.is_none() && rest.starts_with(|c: char| c.is_ascii_digit()) => {
                Some(rest)
            }
            _ => None,
        }
    }

    /// `-07:00`, `+0530`, `+2`.
    fn offset<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let is_west = text.starts_with('-');
        let (digits, rest) = leading(text.get(1..)?, |c| c.is_ascii_digit());
        let (hours, minutes, rest) = match (digits.len(), rest.strip_prefix(':')) {
            (1 | 2, Some(after)) => {
                let (minutes, rest) = leading(after, |c| c.is_ascii_digit());
                (
                    digits,
                    Some(minutes).filter(|digits| digits.len() == 2)?,
                    rest,
                )
            }
            (1 | 2, None) => (digits, "00", rest),
            (4, None) => (digits.get(..2)?, digits.get(2..)?, rest),
            _ => return None,
        };
        let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
        let seconds = hours * 3600 + minutes * 60;
        // .NET's offsets have 14 hours at most.
        if minutes > 59 || seconds > 14 * 3600 {
            return None;
        }
        let seconds = if is_west { -seconds } else { seconds };
        let offset = Offset::from_seconds(seconds).ok()?;
        self.offset.replace(offset).is_none().then_some(rest)
    }

    /// Month, day, year; year first where that has more than two digits.
    fn date(&self) -> Option<Date> {
        match (self.month, self.numbers.as_slice()) {
            (Some(month), [year, day]) if year.digits > 2 => date(year.value, month, day.value),
            (Some(month), [day, year]) => date(year.year(), month, day.value),
            (None, [year, month, day]) if year.digits > 2 => {
                date(year.value, month.value, day.value)
            }
            (None, [month, day, year]) => date(year.year(), month.value, day.value),
            _ => None,
        }
    }

    fn time(&self) -> Option<Time> {
        let (hour, minute, second, nanosecond) = self.time.unwrap_or_default();
        let hour = match (self.is_afternoon, hour) {
            (None, hour) => hour,
            (Some(_), 13..) => return None,
            (Some(is_afternoon), hour) => hour % 12 + if is_afternoon { 12 } else { 0 },
        };
        Time::new(hour, minute, second, nanosecond).ok()
    }
}

impl Number {
    fn year(self) -> i16 {
        match (self.digits, self.value) {
            (3.., value) => value,
            (_, value) if value <= TWO_DIGITS_MAX => 2000 + value,
            (_, value) => 1900 + value,
        }
    }
}

fn is_half_of_day(word: &str) -> Option<bool> {
    let is = |name: &str| word.eq_ignore_ascii_case(name);
    (is("am") || is("a") || is("pm") || is("p")).then(|| is("pm") || is("p"))
}

fn number(digits: &str) -> Option<Number> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.parse().ok().filter(|_| is_number)?;
    Some(Number {
        value,
        digits: digits.len(),
    })
}

/// What a text begins with, and the rest.
fn leading(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn date(year: i16, month: i16, day: i16) -> Option<Date> {
    // .NET has the years 1 to 9999.
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Date::new(year, month, day).ok().filter(|_| year >= 1)
}

fn instant_of(civil: DateTime, offset: Offset) -> Option<Timestamp> {
    let at = offset.to_timestamp(civil).ok()?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}
