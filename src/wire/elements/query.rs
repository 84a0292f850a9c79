//! Query parameters: searches, pages, spans of time.

use super::Wrong;
use crate::model::Timestamp;
use crate::wire::instant;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Entries of a page.
pub(super) const PAGE_SIZES: RangeInclusive<u64> = 1..=2000;
pub(super) const PAGE_SIZE: usize = 200;

/// Tags of one search, and spans of one analysis.
const TAGS_MAX: usize = 64;
pub(super) const SPANS_MAX: u64 = 1500;

/// `GET /instances`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// `searchText`.
    pub search: Option<String>,
    /// `tags[]`.
    pub tags: Vec<String>,
    /// `pageSize`, 1 to 2000.
    pub page_size: usize,
    /// `nextPage`: what the page before said; the number of its last instance.
    pub next_page: Option<u32>,
    /// `hydrate`: with element and configuration.
    pub hydrate: bool,
}

/// A part of a list, the newest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Paging {
    /// `pageSize`, 1 to 2000.
    pub page_size: usize,
    /// `nextPage`: what the page before said; the number of its last entry.
    pub next_page: Option<u64>,
    /// `from`, inclusive.
    pub from: Option<Timestamp>,
    /// `to`, exclusive.
    pub to: Option<Timestamp>,
}

/// `GET /instances/events/analytics`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Analysis {
    /// What is counted apart.
    pub by: By,
    /// `from`.
    pub from: Option<Timestamp>,
    /// `to`.
    pub to: Option<Timestamp>,
    /// `interval`.
    pub interval: Interval,
}

/// What is counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Spans of time only.
    Time,
    /// Accounts, of which there is one.
    Account,
    /// Instances.
    Instance,
}

/// Length of a span that is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interval {
    /// 365 days.
    Year,
    /// 91 days.
    Quarter,
    /// 30 days.
    Month,
    /// 7 days.
    Week,
    /// 24 hours.
    Day,
    /// 60 minutes.
    Hour,
    /// 60 seconds.
    Minute,
    /// One second.
    Second,
}

/// Whole spans of time, one behind the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spans {
    /// Begin of the first one.
    pub from: Timestamp,
    /// How many; at least one.
    pub count: u32,
    /// How long each is.
    pub length: Duration,
}

impl Listing {
    pub(super) fn read(query: Option<&str>) -> Result<Self, Wrong> {
        let query = Query(query);
        let next_page = query.number("nextPage", 0..=u64::from(u32::MAX))?;
        let tags = ["tags[]", "tags"]
            .into_iter()
            .flat_map(|name| query.all(name));
        let tags: Vec<String> = tags.take(TAGS_MAX + 1).collect();
        if tags.len() > TAGS_MAX {
            return Err(Wrong::at("tags[]", format!("more than {TAGS_MAX}")));
        }
        Ok(Self {
            search: query.one("searchText")?.filter(|text| !text.is_empty()),
            tags,
            page_size: query.page_size()?,
            next_page: next_page.and_then(|number| u32::try_from(number).ok()),
            hydrate: query.boolean("hydrate")?.unwrap_or(true),
        })
    }

    /// Whether an instance is among those that are looked for: the text stands in its name or a tag,
    /// in any case, and it has all the tags.
    pub fn admits(&self, name: &str, tags: &[String]) -> bool {
        let search = self.search.as_deref().unwrap_or_default().to_lowercase();
        let mut words = tags.iter().map(String::as_str).chain([name]);
        words.any(|word| word.to_lowercase().contains(&search))
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

impl Paging {
    pub(super) fn read(query: Option<&str>) -> Result<Self, Wrong> {
        let query = Query(query);
        let (from, to) = query.times()?;
        Ok(Self {
            page_size: query.page_size()?,
            next_page: query.number("nextPage", 0..=u64::MAX)?,
            from,
            to,
        })
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            page_size: PAGE_SIZE,
            next_page: None,
            from: None,
            to: None,
        }
    }
}

impl Analysis {
    pub(super) fn read(query: Option<&str>, by: By) -> Result<Self, Wrong> {
        let query = Query(query);
        let (from, to) = query.times()?;
        let interval = query.one("interval")?;
        let interval = interval.map_or(Ok(Interval::Hour), |word| {
            let named = Interval::ALL
                .into_iter()
                .find(|interval| interval.as_str() == word);
            let words = Interval::ALL.map(Interval::as_str).join(", ");
            named.ok_or_else(|| Wrong::at("interval", format!("expected one of {words}")))
        })?;
        Ok(Self {
            by,
            from,
            to,
            interval,
        })
    }

    /// The spans that are counted: those that touch what was asked for; the last day where nothing
    /// was.
    ///
    /// # Errors
    /// 400 where `from` is after `to`, or there are more than 1500.
    pub fn spans(&self, now: Timestamp) -> Result<Spans, Wrong> {
        let to = self.to.unwrap_or(now);
        let from = self.from.unwrap_or(to.minus(Interval::Day.length()));
        if from > to {
            return Err(Wrong::at("from", "it is after `to`"));
        }
        let length = self.interval.length();
        let length_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let first = from.as_ms().div_euclid(length_ms);
        let last = to.as_ms().div_euclid(length_ms);
        let count = last.saturating_sub(first).saturating_add(1);
        match u32::try_from(count) {
            Ok(count) if u64::from(count) <= SPANS_MAX => Ok(Spans {
                from: Timestamp::from_ms(first.saturating_mul(length_ms)),
                count,
                length,
            }),
            _ => {
                let why = format!(
                    "{count} spans are too many ({SPANS_MAX} at most); take a longer one than {}",
                    self.interval.as_str()
                );
                Err(Wrong::at("interval", why))
            }
        }
    }
}

impl Spans {
    /// The begin of each.
    pub fn begins(self) -> impl Iterator<Item = Timestamp> {
        (0..self.count).map(move |place| self.from.plus(self.length.saturating_mul(place)))
    }
}

impl Interval {
    const ALL: [Self; 8] = [
        Self::Year,
        Self::Quarter,
        Self::Month,
        Self::Week,
        Self::Day,
        Self::Hour,
        Self::Minute,
        Self::Second,
    ];

    /// The word of the interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
        }
    }

    /// As a length of time.
    pub const fn length(self) -> Duration {
        const DAY: u64 = 24 * 60 * 60;
        Duration::from_secs(match self {
            Self::Year => 365 * DAY,
            Self::Quarter => 91 * DAY,
            Self::Month => 30 * DAY,
            Self::Week => 7 * DAY,
            Self::Day => DAY,
            Self::Hour => 60 * 60,
            Self::Minute => 60,
            Self::Second => 1,
        })
    }
}

/// A query string and what is asked of it.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(pub(super) Option<&'a str>);

impl Query<'_> {
    pub(super) fn all(self, name: &str) -> impl Iterator<Item = String> {
        let pairs = form_urlencoded::parse(self.0.unwrap_or_default().as_bytes());
        let named = pairs.filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.into_owned())
    }

    /// The value of a parameter that may be there once.
    pub(super) fn one(self, name: &str) -> Result<Option<String>, Wrong> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Wrong::at(name, "it is there twice")),
            (value, None) => Ok(value),
        }
    }

    fn page_size(self) -> Result<usize, Wrong> {
        let size = self.number("pageSize", PAGE_SIZES)?;
        Ok(size.map_or(PAGE_SIZE, |size| usize::try_from(size).unwrap_or(PAGE_SIZE)))
    }

    fn number(self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Wrong> {
        let Some(text) = self.one(name)? else {
            return Ok(None);
        };
        let digits = Some(&text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse().ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let (least, most) = range.into_inner();
                let why = format!("expected a whole number from {least} to {most}");
                Err(Wrong::at(name, why))
            }
        }
    }

    fn boolean(self, name: &str) -> Result<Option<bool>, Wrong> {
        match self.one(name)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Wrong::at(name, "expected true or false")),
        }
    }

    fn times(self) -> Result<(Option<Timestamp>, Option<Timestamp>), Wrong> {
        let (from, to) = (self.time("from")?, self.time("to")?);
        if from > to && to.is_some() {
            return Err(Wrong::at("from", "it is after `to`"));
        }
        Ok((from, to))
    }

    fn time(self, name: &str) -> Result<Option<Timestamp>, Wrong> {
        let why = || Wrong::at(name, "expected a time like 2026-11-21T05:04:35Z");
        let text = self.one(name)?;
        text.map(|text| instant::parse(&text).ok_or_else(why))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_has_words_tags_and_a_page() {
        let query = "searchText=Api+Inst&tags[]=Docs&tags%5B%5D=a%2Cb&tags=c&pageSize=5&nextPage=12&hydrate=false";
        let listing = Listing::read(Some(query)).unwrap();
        let expected = Listing {
            search: Some("Api Inst".into()),
            tags: ["Docs", "a,b", "c"].map(str::to_owned).into(),
            page_size: 5,
            next_page: Some(12),
            hydrate: false,
        };
        assert_eq!(listing, expected);
        let nothing = Listing::read(None).unwrap();
        assert_eq!((nothing.page_size, nothing.hydrate), (200, true));
        assert!(nothing.admits("", &[]));
    }

    #[test]
    fn a_search_admits_what_has_its_words_and_all_its_tags() {
        let tags = ["Docs".to_owned(), "b".to_owned()];
        for (query, admitted) in [
            ("searchText=INST", true),
            ("searchText=docs", true),
            ("searchText=x", false),
            ("tags[]=Docs&tags[]=b", true),
            ("tags[]=docs", false),
            ("tags[]=Docs&searchText=x", false),
        ] {
            let listing = Listing::read(Some(query)).unwrap();
            assert_eq!(listing.admits("API Instance", &tags), admitted, "{query}");
        }
    }

    #[test]
    fn a_parameter_that_makes_no_sense_is_named() {
        for (query, why) in [
            (
                "pageSize=0",
                "pageSize: expected a whole number from 1 to 2000",
            ),
            (
                "pageSize=2001",
                "pageSize: expected a whole number from 1 to 2000",
            ),
            (
                "pageSize=%2B5",
                "pageSize: expected a whole number from 1 to 2000",
            ),
            (
                "pageSize=",
                "pageSize: expected a whole number from 1 to 2000",
            ),
            ("pageSize=5&pageSize=5", "pageSize: it is there twice"),
            (
                "nextPage=-1",
                "nextPage: expected a whole number from 0 to 4294967295",
            ),
            ("hydrate=yes", "hydrate: expected true or false"),
        ] {
            let wrong = Listing::read(Some(query)).unwrap_err();
            assert_eq!((wrong.status, &*wrong.message), (400, why), "{query}");
        }
        for (query, why) in [
            (
                "from=yesterday",
                "from: expected a time like 2026-11-21T05:04:35Z",
            ),
            (
                "from=2026-11-21T05:04:36Z&to=2026-11-21T05:04:35Z",
                "from: it is after `to`",
            ),
        ] {
            assert_eq!(Paging::read(Some(query)).unwrap_err().message, why);
        }
        let many = "tags[]=a&".repeat(65);
        assert_eq!(
            Listing::read(Some(&many)).unwrap_err().message,
            "tags[]: more than 64"
        );
    }

    #[test]
    fn an_hour_touches_61_minutes_and_a_day_has_too_many_seconds() {
        let at = |text: &str| instant::parse(text).unwrap();
        let now = at("2026-11-21T05:04:35Z");
        let spans = |query: &str| {
            let spans = Analysis::read(Some(query), By::Time).unwrap().spans(now);
            spans.map_err(|wrong| wrong.message)
        };
        let hour = "from=2026-11-21T04:04:35.120Z&to=2026-11-21T05:04:35.120Z&interval=";
        let minutes = spans(&format!("{hour}minute")).unwrap();
        assert_eq!(
            (minutes.from, minutes.count),
            (at("2026-11-21T04:04:00Z"), 61)
        );
        assert_eq!(minutes.begins().last(), Some(at("2026-11-21T05:04:00Z")));
        assert_eq!(spans("").unwrap().count, 25);
        assert_eq!(spans(&format!("{hour}year")).unwrap().count, 1);
        let day = "from=2026-11-20T05:04:35Z&to=2026-11-21T05:04:35Z&interval=second";
        assert_eq!(
            spans(day).unwrap_err(),
            "interval: 86401 spans are too many (1500 at most); take a longer one than second"
        );
        assert_eq!(
            spans("from=2027-01-01T00:00:00Z"),
            Err("from: it is after `to`".into())
        );
        let wrong = Analysis::read(Some("interval=eon"), By::Time).unwrap_err();
        assert!(
            wrong
                .message
                .starts_with("interval: expected one of year, quarter, ")
        );
    }
}
