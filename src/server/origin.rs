//! Whose page a browser's request comes from.
//!
//! A browser sends along what opens doors without anybody asking it to: the address that it comes from,
//! cookies, remembered passwords. So where nothing else speaks for a request, it has to be known that no
//! foreign page made the browser send it. `Sec-Fetch-Site` is the browser's own word on that (Fetch
//! Metadata); browsers leave it out towards addresses that are neither HTTPS nor loopback, and older ones
//! everywhere: there `Origin` is compared with the host. Programs send neither. Promises: pure.

use super::head::SITE;
use super::router;
use http::header::ORIGIN;
use http::{Request, Uri};

/// Whether a page of another origin, or one that hides its origin, sent this.
pub(super) fn is_foreign<B>(request: &Request<B>) -> bool {
    let mut sites = request.headers().get_all(SITE).iter();
    match (sites.next(), sites.next()) {
        // `none`: the person did it, by a bookmark or by typing.
        (Some(site), None) => return !matches!(site.as_bytes(), b"same-origin" | b"none"),
        (Some(_), Some(_)) => return true,
        (None, _) => {}
    }
    let mut origins = request.headers().get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return request.headers().contains_key(ORIGIN);
    };
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    let host = router::host(request).ok().flatten();
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => *origin != host,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(fields: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri("/").header("host", "gw.lan:8081");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        is_foreign(&request.body(()).unwrap())
    }

    #[test]
    fn the_browsers_own_word_counts_before_the_origin() {
        for (fields, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")],
                false,
            ),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "")], true),
            (&[("sec-fetch-site", "Same-Origin")], true),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://gw.lan:8081"),
                ],
                true,
            ),
            (
                &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
                true,
            ),
            (&[("origin", "http://gw.lan:8081")], false),
            (&[("origin", "http://GW.lan:8081")], false),
            (&[("origin", "http://gw.lan")], true),
            (&[("origin", "http://gw.lan:9")], true),
            (&[("origin", "http://evil.example")], true),
            (&[("origin", "http://gw.lan.evil.example:8081")], true),
            (&[("origin", "null")], true),
            (&[("origin", "")], true),
            (
                &[("origin", "http://gw.lan:8081"), ("origin", "null")],
                true,
            ),
        ] {
            assert_eq!(foreign(fields), expected, "{fields:?}");
        }
    }
}
