//! The one form of a path that all listeners go by, and in which configured paths are kept.
//!
//! People write `/hooks/` for `/hooks`, proxies join `https://host/` and `/hooks` to `//hooks`, and some
//! clients encode what needs no encoding (RFC 3986, section 6.2.2.2). All of these are the same path.
//! Promises: pure; what is in this form already costs a look and no memory; nothing but double and final
//! slashes and needless encodings is changed, so that what is encoded for a reason stays.

use std::borrow::Cow;

/// The path in its normal form.
pub fn normal(path: &str) -> Cow<'_, str> {
    let is_rooted = path.starts_with('/');
    let is_slashed = path.contains("//") || (path.len() > 1 && path.ends_with('/'));
    if !is_rooted || !(is_slashed || path.contains('%')) {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut normal = String::with_capacity(path.len());
    for segment in segments {
        normal.push('/');
        decode(segment, &mut normal);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    match normal == path {
        true => Cow::Borrowed(path),
        false => Cow::Owned(normal),
    }
}

/// Adds a segment in which no unreserved character is encoded.
fn decode(segment: &str, into: &mut String) {
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        into.push_str(before);
        let code = after.get(..2);
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        // `from_str_radix` takes a sign, too.
        let is_hexadecimal = |code: &str| code.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = byte.filter(|_| code.is_some_and(is_hexadecimal));
        match byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            Some(byte) => {
                into.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                into.push('%');
                rest = after;
            }
        }
    }
    into.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slashes_and_needless_encodings_make_no_difference() {
        for path in [
            "/in/hooks",
            "/in/hooks/",
            "//in/hooks",
            "/in//hooks",
            "///in///hooks///",
            "/%69n/hooks",
            "/in/%68%6F%6fks",
            "//%69%6e//hooks/",
        ] {
            assert_eq!(normal(path), "/in/hooks", "{path}");
        }
        for root in ["/", "//", "///"] {
            assert_eq!(normal(root), "/");
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for path in [
            "",
            "*",
            "in//hooks/",
            "/in%2Fhooks",
            "/in%2fhooks",
            "/%2569n",
            "/in%20hooks",
            "/100%",
            "/%4",
            "/%+4a",
            "/%zz",
            "/%C3%A4",
            "/a/../b",
            "/IN/hooks",
            "/json/reply/QboWebhooksRequest%5B%5D",
            "/in;a=b/hooks",
        ] {
            let found = normal(path);
            assert_eq!(found, path);
            assert!(matches!(found, Cow::Borrowed(_)), "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(path in "[/%0-9a-fA-F.~é]{0,24}") {
            let once = normal(&path).into_owned();
            prop_assert_eq!(normal(&once), once.as_str());
        }
    }
}
