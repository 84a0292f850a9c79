//! The head of a request, cut down to what anybody here asks for.
//!
//! A head may have a hundred fields of one byte each, which take a hundred times that in memory, and
//! its texts may be slices that keep a whole buffer of the connection alive; and it stays for as long
//! as the body takes. Called by `connection` before anything is awaited. Promises: fields that count
//! when they are there twice are there twice still.

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST,
    ORIGIN, TRANSFER_ENCODING, USER_AGENT,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Uri};

/// The fields that some service looks at, besides Intuit's own. A service that is to look at another
/// one has to name it here.
static NEEDED: [HeaderName; 13] = [
    SIGNATURE,
    ACCEPT,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    ORIGIN,
    SITE,
    TRANSFER_ENCODING,
    USER_AGENT,
];

/// A browser's word on whose page made it send a request.
pub(super) const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// By which a delivery is known to be Intuit's.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("intuit-signature");

/// Intuit's own fields; they are kept with a delivery as evidence.
const INTUITS: &str = "intuit-";

/// Of one name.
const VALUES_MAX: usize = 4;

/// Of the cookie field, in which HTTP/2 may have each cookie for itself.
const COOKIES_MAX: usize = 16;

/// Of Intuit's names.
const INTUITS_MAX: usize = 16;

/// Entries of a map that is left as it is: no more than those of Intuit's own requests need.
const SMALL_MAX: usize = 24;

/// What an entry of a header map takes besides its texts.
const ENTRY_BYTES: usize = 128;

/// Cuts a request's head down; and the memory that it takes then.
pub(super) fn cut_down<B>(request: Request<B>) -> (Request<B>, usize) {
    let (mut head, body) = request.into_parts();
    let target = head.uri.to_string();
    // The ordinary head stays in the map that it has: making another one takes as long as all the rest.
    if head.headers.capacity() <= SMALL_MAX {
        head.headers.values_mut().for_each(unpin);
    } else {
        head.headers = needed(&head.headers);
    }
    let bytes = target.len() + bytes_of(&head.headers);
    head.uri = Uri::from_maybe_shared(Bytes::from(target)).unwrap_or(head.uri);
    head.extensions = Extensions::new();
    (Request::from_parts(head, body), bytes)
}

/// Gives a value memory of its own.
fn unpin(value: &mut HeaderValue) {
    // It was one, so it is one.
    if let Ok(own) = HeaderValue::from_bytes(value.as_bytes()) {
        *value = own;
    }
}

fn needed(headers: &HeaderMap) -> HeaderMap {
    let mut needed = HeaderMap::with_capacity(headers.keys_len().min(NEEDED.len()));
    let mut intuits = 0;
    for name in headers.keys() {
        let is_intuits = name.as_str().starts_with(INTUITS) && *name != SIGNATURE;
        intuits += usize::from(is_intuits);
        let values_max = match *name {
            COOKIE => COOKIES_MAX,
            _ if is_intuits && intuits <= INTUITS_MAX => VALUES_MAX,
            _ if NEEDED.contains(name) => VALUES_MAX,
            _ => continue,
        };
        for value in headers.get_all(name).iter().take(values_max) {
            let mut value = value.clone();
            unpin(&mut value);
            needed.append(name, value);
        }
    }
    needed
}

fn bytes_of(headers: &HeaderMap) -> usize {
    let texts = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    texts.map(|bytes| bytes + ENTRY_BYTES).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asks_for_is_dropped_and_what_is_there_twice_stays_so() {
        let mut request = Request::post("https://gw.example/qbowebhook?a=b")
            .header("intuit-signature", "one")
            .header("intuit-signature", "two")
            .header("intuit-created-time", "now")
            .header("content-type", "application/json")
            .header("authorization", "Bearer x")
            .header("x-cookie", "c");
        for number in 0..400 {
            request = request.header("x-one", format!("{number}"));
            request = request.header(format!("intuit-{number}"), "y");
        }
        let (request, bytes) = cut_down(request.body(()).unwrap());
        assert_eq!(request.uri(), "https://gw.example/qbowebhook?a=b");
        let signatures = request.headers().get_all("intuit-signature").iter();
        assert_eq!(signatures.collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(request.headers()["intuit-created-time"], "now");
        assert_eq!(request.headers()["authorization"], "Bearer x");
        assert!(!request.headers().contains_key("x-one"));
        assert!(
            request.headers().len() <= 2 + 2 + INTUITS_MAX,
            "{request:?}"
        );
        assert!(bytes < 4 << 10, "{bytes}");
    }

    #[test]
    fn every_form_of_a_target_stays_as_it_is() {
        for target in ["/a?b", "*", "gw.example:443", "http://gw.example/a", "/"] {
            let request = Request::builder().uri(target).body(()).unwrap();
            assert_eq!(cut_down(request).0.uri(), target);
        }
    }
}
