//! Which format a request is answered in.
//!
//! Source: ServiceStack's HttpRequestExtensions and RestHandler. Promises: total; there is always an
//! answer, never 406.

use crate::model::Encoding;
use std::borrow::Cow;

/// A format of answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// JSV.
    Jsv,
    /// CSV.
    Csv,
    /// JSON, one value a line.
    Jsonl,
    /// HTML, for browsers.
    Html,
}

/// What a request says about its answer.
#[derive(Clone, Copy, Default, Debug)]
pub struct Asked<'a> {
    /// The format that the path's suffix names.
    pub suffix: Option<Format>,
    /// The query string, without its question mark.
    pub query: &'a str,
    /// The format that the path itself names.
    pub path: Option<Format>,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
}

/// How a request is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answering {
    /// The format.
    pub format: Format,
    /// The function that the answer is an argument of (JSONP).
    pub callback: Option<String>,
}

/// The formats that `Accept` is compared with, best first: the order of the server decides.
const PREFERRED: [Format; 4] = [Format::Json, Format::Html, Format::Xml, Format::Jsv];

/// The formats that the service registered beside those: looked for when `Accept` has none of them.
const REGISTERED: [Format; 2] = [Format::Csv, Format::Jsonl];

/// Bytes of a callback's name that are kept.
const CALLBACK_BYTES_MAX: usize = 128;

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Json,
        Self::Xml,
        Self::Jsv,
        Self::Csv,
        Self::Jsonl,
        Self::Html,
    ];

    /// The format of this name, in any case: `json`, `xml`, `jsv`, `csv`, `jsonl` or `html`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(name))
    }

    /// Its name in paths and queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Jsv => "jsv",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Html => "html",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Jsv => "text/jsv",
            Self::Csv => "text/csv",
            Self::Jsonl => "text/jsonl",
            Self::Html => "text/html",
        }
    }

    /// The format that a request of this content type is answered in when it takes anything.
    fn of_content_type(content_type: &str) -> Option<Self> {
        match super::named(content_type)? {
            Encoding::Json | Encoding::Form => Some(Self::Json),
            Encoding::Xml => Some(Self::Xml),
            Encoding::Jsv => Some(Self::Jsv),
            Encoding::Csv => Some(Self::Csv),
        }
    }
}

/// In this order: suffix, `callback`, `format`, path, `Accept`, content type, JSON. A callback is called
/// with JSON, so a suffix that names another format leaves none to call.
pub fn negotiate(asked: &Asked<'_>) -> Answering {
    let callback = parameter(asked.query, "callback").filter(|name| !name.is_empty());
    let callback = callback.filter(|_| asked.suffix.is_none_or(|suffix| suffix == Format::Json));
    if let Some(name) = callback {
        return Answering {
            format: Format::Json,
            callback: Some(harmless(&name)),
        };
    }
    let by_query = || {
        let name = parameter(asked.query, "format")?;
        Format::parse(name.split('.').next()?)
    };
    let found = asked.suffix.or_else(by_query).or(asked.path);
    Answering {
        format: found.unwrap_or_else(|| by_headers(asked.accept, asked.content_type)),
        callback: None,
    }
}

/// By `Accept`: qualities are not looked at, the server's order decides; but the request's own type
/// wins where `Accept` has it, and `*/*` means the request's own type.
fn by_headers(accept: Option<&str>, content_type: Option<&str>) -> Format {
    let own = content_type.map(str::trim_ascii).unwrap_or_default();
    let answered_alike = Format::of_content_type(own).unwrap_or(Format::Json);
    // Who says nothing takes anything (RFC 9110, section 12.5.1).
    let accept = accept.filter(|accept| !accept.trim_ascii().is_empty());
    let Some(accept) = accept else {
        return answered_alike;
    };
    let accepted = accept
        .split(',')
        .map(|kind| kind.trim_ascii().to_ascii_lowercase());
    let accepted: Vec<String> = accepted.collect();
    let is_accepted = |format: &Format| {
        accepted
            .iter()
            .any(|kind| kind.starts_with(format.media_type()))
    };
    let own = PREFERRED
        .into_iter()
        .find(|format| own.eq_ignore_ascii_case(format.media_type()))
        .filter(is_accepted);
    if let Some(format) = own.or_else(|| PREFERRED.into_iter().find(is_accepted)) {
        return format;
    }
    let takes_anything = accepted.iter().any(|kind| {
        kind.split(';')
            .next()
            .is_some_and(|kind| kind.trim_ascii() == "*/*")
    });
    if takes_anything {
        return answered_alike;
    }
    let registered = accepted.iter().find_map(|kind| {
        let mut formats = REGISTERED.into_iter();
        formats.find(|format| kind.starts_with(format.media_type()))
    });
    registered.unwrap_or(Format::Json)
}

/// The first value of a query parameter, whose name counts in any case.
fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// A callback's name in which nothing but a name can be.
fn harmless(name: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._".contains(character);
    let kept = name.chars().take(CALLBACK_BYTES_MAX);
    kept.map(|character| if is_plain(character) { character } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(query: &'a str, accept: &'a str, content_type: &'a str) -> Asked<'a> {
        let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Asked {
            query,
            accept: given(accept),
            content_type: given(content_type),
            ..Asked::default()
        }
    }

    #[test]
    fn the_suffix_comes_first_then_callback_format_and_path() {
        let all = Asked {
            suffix: Some(Format::Csv),
            query: "callback=cb&format=jsv",
            path: Some(Format::Html),
            accept: Some("application/xml"),
            content_type: Some("text/jsv"),
        };
        let plain = |format| Answering {
            format,
            callback: None,
        };
        assert_eq!(negotiate(&all), plain(Format::Csv));
        let all = Asked {
            suffix: None,
            ..all
        };
        let jsonp = Answering {
            format: Format::Json,
            callback: Some("cb".into()),
        };
        assert_eq!(negotiate(&all), jsonp);
        let scripted = Asked {
            suffix: Some(Format::Json),
            ..all
        };
        assert_eq!(negotiate(&scripted), jsonp);
        let all = Asked {
            query: "a=b&format=jsv",
            ..all
        };
        assert_eq!(negotiate(&all), plain(Format::Jsv));
        let all = Asked { query: "", ..all };
        assert_eq!(negotiate(&all), plain(Format::Html));
        let all = Asked { path: None, ..all };
        assert_eq!(negotiate(&all), plain(Format::Xml));
        let all = Asked {
            accept: None,
            ..all
        };
        assert_eq!(negotiate(&all), plain(Format::Jsv));
        let all = Asked {
            content_type: None,
            ..all
        };
        assert_eq!(negotiate(&all), plain(Format::Json));
    }

    #[test]
    fn every_rule_of_accept_holds() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let json = "application/json";
        let table = [
            // What the real clients send.
            (json, json, Format::Json),
            ("*/*", json, Format::Json),
            (
                "application/json",
                "application/cloudevents-batch+json; charset=utf-8",
                Format::Json,
            ),
            // The server's order, whatever the qualities.
            ("application/xml, application/json;q=0.1", "", Format::Json),
            ("text/jsv, application/xml", "", Format::Xml),
            ("text/jsv, text/html", "", Format::Html),
            (browser, "", Format::Html),
            ("application/xml; charset=utf-8", "", Format::Xml),
            ("APPLICATION/XML", "", Format::Xml),
            // A prefix is enough.
            ("application/jsonx", "", Format::Json),
            // The request's own type wins where it is accepted, but not with a charset.
            (
                "application/json, application/xml",
                "application/xml",
                Format::Xml,
            ),
            (
                "application/json, application/xml",
                "application/xml; charset=utf-8",
                Format::Json,
            ),
            ("application/json", "application/xml", Format::Json),
            // Anything means the request's own type.
            ("*/*", "application/xml", Format::Xml),
            ("*/*", "application/xml; charset=utf-8", Format::Xml),
            ("*/*", "text/xml", Format::Xml),
            ("*/*", "text/csv", Format::Csv),
            ("*/*", "application/x-www-form-urlencoded", Format::Json),
            ("*/*", "multipart/form-data; boundary=x", Format::Json),
            ("*/*", "", Format::Json),
            ("*/*;q=0.8", "text/jsv", Format::Jsv),
            ("text/csv, */*", "application/xml", Format::Xml),
            // What is registered beside the preferred ones comes last.
            ("text/csv", "", Format::Csv),
            ("text/csv", "application/xml", Format::Csv),
            ("text/jsonl, text/csv", "", Format::Jsonl),
            ("text/csv, text/jsonl, text/jsv", "", Format::Jsv),
            // Never 406.
            ("image/png", "application/xml", Format::Json),
            ("", "application/xml", Format::Xml),
            (",;,", "", Format::Json),
        ];
        for (accept, content_type, expected) in table {
            let found = negotiate(&asked("", accept, content_type));
            assert_eq!(found.format, expected, "{accept:?} {content_type:?}");
        }
    }

    #[test]
    fn a_format_is_named_in_any_case_and_before_a_dot() {
        let table = [
            ("format=xml", Format::Xml),
            ("format=XML.x", Format::Xml),
            ("Format=xml", Format::Xml),
            ("x&format=c%73v", Format::Csv),
            ("format=yaml", Format::Jsv),
            ("format=", Format::Jsv),
            ("callback=&format=html", Format::Html),
        ];
        for (query, expected) in table {
            let found = negotiate(&asked(query, "text/jsv", ""));
            assert_eq!((found.format, found.callback), (expected, None), "{query}");
        }
    }

    #[test]
    fn a_callback_is_made_harmless() {
        let table = [
            ("callback=jQuery1.cb_2", "jQuery1.cb_2"),
            ("callback=a%28%29%3B%3C%2Fscript%3E", "a_____script_"),
            ("callback=%C3%A9", "_"),
            ("CallBack=cb", "cb"),
        ];
        for (query, expected) in table {
            let found = negotiate(&asked(query, "application/xml", ""));
            assert_eq!(found.callback.as_deref(), Some(expected));
        }
        let long = format!("callback={}", "a".repeat(5_000));
        let found = negotiate(&asked(&long, "", "")).callback.unwrap();
        assert_eq!(found.len(), CALLBACK_BYTES_MAX);
    }
}
