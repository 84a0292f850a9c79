//! Which of the service's routes a path is.
//!
//! Sources: ServiceStack's routing documentation, its PredefinedRoutesFeature and ApiHandlers. Promises:
//! pure; a path that was configured is always its own route, exactly as it was configured.

use super::format::Format;
use super::{Arity, OPERATION};
use std::borrow::Cow;

/// A route of the service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route<'p> {
    /// A configured path.
    Own {
        /// As it was configured.
        path: &'p str,
        /// The request named it letter by letter, without a suffix.
        exactly: bool,
        /// The format of the suffix.
        suffix: Option<Format>,
    },
    /// `/json/reply/QboWebhooksRequest`, `/api/QboWebhooksRequest.xml` and so on.
    Predefined {
        /// The format of the suffix.
        suffix: Option<Format>,
        /// The format of the path.
        path: Format,
        /// One request or, with `[]`, several.
        arity: Arity,
        /// Nobody reads the answer (`/json/oneway/...`).
        is_one_way: bool,
    },
    /// `/api`: the index of operations.
    Index,
    /// A predefined route of an operation that the service does not have.
    Unknown {
        /// The operation.
        operation: String,
        /// The format of the path.
        path: Format,
    },
}

/// The route of a request path, where it is one. `own` are the configured paths.
pub fn find<'p>(path: &str, own: &(impl Iterator<Item = &'p str> + Clone)) -> Option<Route<'p>> {
    if let Some(path) = own.clone().find(|own| *own == path) {
        return Some(Route::Own {
            path,
            exactly: true,
            suffix: None,
        });
    }
    let (stem, suffix) = split_suffix(path);
    let alike = |path: &str| own.clone().find(|own| own.eq_ignore_ascii_case(path));
    if let Some((path, suffix)) = alike(path)
        .map(|path| (path, None))
        .or_else(|| alike(stem).map(|path| (path, suffix)))
    {
        return Some(Route::Own {
            path,
            exactly: false,
            suffix,
        });
    }
    predefined(path)
}

fn predefined(path: &str) -> Option<Route<'static>> {
    let path = path.strip_prefix('/')?;
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if first.eq_ignore_ascii_case("api") {
        if rest.is_empty() {
            return Some(Route::Index);
        }
        return operation(rest, Format::Json, false, true);
    }
    let format = Format::parse(first)?;
    let (manner, rest) = rest.split_once('/')?;
    let is_one_way = manner.eq_ignore_ascii_case("oneway");
    if !is_one_way && !manner.eq_ignore_ascii_case("reply") {
        return None;
    }
    operation(rest, format, is_one_way, false)
}

fn operation(
    segment: &str,
    path: Format,
    is_one_way: bool,
    takes_suffix: bool,
) -> Option<Route<'static>> {
    let name = decoded(segment)?;
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let (stem, suffix) = if takes_suffix {
        split_suffix(&name)
    } else {
        (&*name, None)
    };
    let (stem, arity) = match stem.strip_suffix("[]") {
        Some(stem) => (stem, Arity::Batch),
        None => (stem, Arity::One),
    };
    Some(if stem.eq_ignore_ascii_case(OPERATION) {
        Route::Predefined {
            suffix,
            path,
            arity,
            is_one_way,
        }
    } else {
        Route::Unknown {
            operation: name.into_owned(),
            path,
        }
    })
}

/// The format that the first part of a path names, where it has three or four letters: the framework
/// looks at no longer ones.
pub fn format_of(path: &str) -> Option<Format> {
    let first = path.split('/').nth(1)?;
    Format::parse(first).filter(|_| first.len() <= 4)
}

/// What stands before a last dot that a format follows, and the format.
fn split_suffix(path: &str) -> (&str, Option<Format>) {
    let split = path
        .rsplit_once('.')
        .and_then(|(stem, name)| Some((stem, Some(Format::parse(name)?))));
    split.unwrap_or((path, None))
}

/// Brackets may come as `[]` or as `%5B%5D`.
fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    percent_encoding::percent_decode_str(segment)
        .decode_utf8()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 3] = ["/qbowebhook", "/webhooks", "/in.xml"];

    fn found(path: &str) -> String {
        match find(path, &OWN.into_iter()) {
            None => "none".into(),
            Some(Route::Index) => "index".into(),
            Some(Route::Own {
                path,
                exactly,
                suffix,
            }) => {
                let suffix = suffix.map_or("-", Format::as_str);
                format!("{path} {exactly} {suffix}")
            }
            Some(Route::Predefined {
                suffix,
                path,
                arity,
                is_one_way,
            }) => {
                let suffix = suffix.map_or("-", Format::as_str);
                let path = path.as_str();
                format!("{path} {suffix} {arity:?} {is_one_way}")
            }
            Some(Route::Unknown { operation, path }) => {
                format!("unknown {operation} {}", path.as_str())
            }
        }
    }

    #[test]
    fn every_route_of_the_service_is_found() {
        let table = [
            ("/qbowebhook", "/qbowebhook true -"),
            ("/qbowebhook.json", "/qbowebhook false json"),
            ("/qbowebhook.XML", "/qbowebhook false xml"),
            ("/qbowebhook.jsonl", "/qbowebhook false jsonl"),
            ("/QboWebhook", "/qbowebhook false -"),
            ("/QboWebhook.jsv", "/qbowebhook false jsv"),
            ("/webhooks.csv", "/webhooks false csv"),
            ("/in.xml", "/in.xml true -"),
            ("/in.xml.json", "/in.xml false json"),
            ("/json/reply/QboWebhooksRequest", "json - One false"),
            ("/JSON/Reply/qbowebhooksrequest", "json - One false"),
            ("/xml/reply/QboWebhooksRequest", "xml - One false"),
            ("/jsv/reply/QboWebhooksRequest", "jsv - One false"),
            ("/csv/reply/QboWebhooksRequest", "csv - One false"),
            ("/html/reply/QboWebhooksRequest", "html - One false"),
            ("/json/oneway/QboWebhooksRequest", "json - One true"),
            ("/xml/oneway/QboWebhooksRequest", "xml - One true"),
            ("/json/reply/QboWebhooksRequest[]", "json - Batch false"),
            ("/json/reply/QboWebhooksRequest%5B%5D", "json - Batch false"),
            ("/json/oneway/QboWebhooksRequest%5b%5D", "json - Batch true"),
            ("/api/QboWebhooksRequest", "json - One false"),
            ("/api/QboWebhooksRequest[]", "json - Batch false"),
            ("/API/qbowebhooksrequest%5B%5D", "json - Batch false"),
            ("/api/QboWebhooksRequest.xml", "json xml One false"),
            ("/api/QboWebhooksRequest[].csv", "json csv Batch false"),
            ("/api", "index"),
            ("/api/", "index"),
            ("/json/reply/Nope", "unknown Nope json"),
            ("/api/Nope", "unknown Nope json"),
            (
                "/xml/oneway/QboWebhooksRequest.json",
                "unknown QboWebhooksRequest.json xml",
            ),
        ];
        for (path, expected) in table {
            assert_eq!(found(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_can_name_a_format() {
        let table = [
            ("/xml/hooks", Some(Format::Xml)),
            ("/JSV", Some(Format::Jsv)),
            ("/jsonl/hooks", None),
            ("/hooks/xml", None),
            ("", None),
        ];
        for (path, expected) in table {
            assert_eq!(format_of(path), expected, "{path}");
        }
    }

    #[test]
    fn nothing_else_is_a_route() {
        for path in [
            "",
            "/",
            "*",
            "/qbowebhook/",
            "/qbowebhook.yaml",
            "/qbowebhook.json/",
            "//qbowebhook",
            "/%71bowebhook",
            "/json",
            "/json/",
            "/json/reply",
            "/json/reply/",
            "/json/replies/QboWebhooksRequest",
            "/yaml/reply/QboWebhooksRequest",
            "/json/reply/QboWebhooksRequest/x",
            "/json/reply/a%2Fb",
            "/json/reply/%ff",
            "/json/metadata",
            "/metadata",
            "/apis",
        ] {
            assert_eq!(found(path), "none", "{path}");
        }
    }
}
