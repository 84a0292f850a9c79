//! Which requests are looked at at all: host, path, method, in this order.
//!
//! Called by `webhook` and `admin` before anything else. Promises: pure.

use super::answer::Refusal;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Version};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Lets a request through that is a `POST` on one of `paths`; anything else is refused.
pub(super) fn check<B>(request: &Request<B>, paths: &[String]) -> Result<(), Refusal> {
    host(request)?;
    // Both are in their normal form; the query is not part of it.
    if !paths.iter().any(|path| path == request.uri().path()) {
        return Err(Refusal::NotFound);
    }
    if request.method() != Method::POST {
        return Err(Refusal::NotAllowed("POST"));
    }
    Ok(())
}

/// The host that the request is for; `None` only in HTTP/1.0.
///
/// RFC 9112 section 3.2: 400 for an HTTP/1.1 request without `Host`, with more than one, or with one
/// that is not a host.
pub(super) fn host<B>(request: &Request<B>) -> Result<Option<Authority>, Refusal> {
    let bad = |why| Err(Refusal::BadHost(why));
    let mut fields = request.headers().get_all(HOST).iter();
    let host = match (fields.next(), fields.next()) {
        (Some(_), Some(_)) => return bad("more than one Host"),
        (Some(field), None) => match authority(field) {
            Some(host) => Some(host),
            None => return bad("bad Host"),
        },
        (None, _) => None,
    };
    if request.version() >= Version::HTTP_2 {
        // `:authority`; its own field is optional there.
        return Ok(request.uri().authority().cloned().or(host));
    }
    if host.is_none() && request.version() == Version::HTTP_11 {
        return bad("Host is missing");
    }
    Ok(host)
}

fn authority(field: &HeaderValue) -> Option<Authority> {
    let text = field.to_str().ok()?;
    let authority: Authority = text.parse().ok()?;
    let is_host = !authority.host().is_empty() && !text.contains('@');
    let port = text.get(authority.host().len()..)?;
    let is_port = port.is_empty() || port == ":" || authority.port_u16().is_some();
    (is_host && is_port).then_some(authority)
}

/// Names by which this gateway is known besides the built-in ones: those of its certificate, and those
/// of the configuration. Asked for each time, because a renewed certificate may bring others.
#[derive(Clone)]
pub struct OwnNames(Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl OwnNames {
    /// Whatever `names` says: DNS names, `*` for the first label of a certificate's too.
    pub fn new(names: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(names))
    }

    /// Whether a browser that asks for this host can have meant this machine: an address, `localhost`,
    /// or one of the gateway's own names. A page of a foreign name that was made to resolve to this
    /// machine (DNS rebinding) is told apart by it.
    pub(super) fn are_of(&self, host: &Authority) -> bool {
        let name = host.host().trim_end_matches('.').to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let own = ["localhost", "qbo-relay", "qbo-relay.local"];
        bare.parse::<IpAddr>().is_ok()
            || own.contains(&name.as_str())
            || name.ends_with(".localhost")
            || (self.0)().iter().any(|own| fits(own, &name))
    }
}

impl fmt::Debug for OwnNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnNames").field(&(self.0)()).finish()
    }
}

/// Whether a host is what a certificate calls it (RFC 6125, section 6.4.3: `*` is one label).
fn fits(own: &str, name: &str) -> bool {
    let own = own.trim_end_matches('.').to_ascii_lowercase();
    match own.strip_prefix("*.") {
        Some(domain) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == domain),
        None => own == name,
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Answer;
    use super::*;

    fn request(version: Version, method: &str, uri: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().version(version).method(method).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    fn status(version: Version, method: &str, uri: &str, hosts: &[&str]) -> Option<u16> {
        let paths = ["/qbowebhook".to_owned()];
        let refusal = check(&request(version, method, uri, hosts), &paths).err()?;
        Some(Answer::from(refusal).status().as_u16())
    }

    #[test]
    fn http_1_1_needs_exactly_one_host() {
        let status = |hosts: &[&str]| status(Version::HTTP_11, "POST", "/qbowebhook", hosts);
        assert_eq!(status(&["relay.example:8443"]), None);
        assert_eq!(status(&["[2001:db8::1]:8443"]), None);
        assert_eq!(status(&["192.0.2.1"]), None);
        for hosts in [
            &[][..],
            &["a.example", "a.example"],
            &[""],
            &["a b"],
            &["user@a.example"],
            &["a.example/path"],
            &["a.example:port"],
            &[":443"],
        ] {
            assert_eq!(status(hosts), Some(400), "{hosts:?}");
        }
    }

    #[test]
    fn http_1_0_may_have_no_host_and_http_2_has_its_own_field() {
        assert_eq!(status(Version::HTTP_10, "POST", "/qbowebhook", &[]), None);
        let uri = "https://relay.example/qbowebhook";
        assert_eq!(status(Version::HTTP_2, "POST", uri, &[]), None);
        let hosts = ["a.example", "b.example"];
        assert_eq!(status(Version::HTTP_2, "POST", uri, &hosts), Some(400));
    }

    #[test]
    fn the_path_is_matched_exactly_and_before_the_method() {
        let status = |method, uri| status(Version::HTTP_11, method, uri, &["a.example"]);
        assert_eq!(status("POST", "/qbowebhook?a=b"), None);
        assert_eq!(status("POST", "http://a.example/qbowebhook"), None);
        for uri in [
            "/",
            "/qbowebhook/",
            "/QBOWEBHOOK",
            "/qbowebhook/x",
            "/%71bowebhook",
            "//qbowebhook",
        ] {
            assert_eq!(status("POST", uri), Some(404), "{uri}");
            assert_eq!(status("GET", uri), Some(404), "{uri}");
        }
        assert_eq!(status("OPTIONS", "*"), Some(404));
        assert_eq!(status("CONNECT", "a.example:443"), Some(404));
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "post"] {
            assert_eq!(status(method, "/qbowebhook"), Some(405), "{method}");
        }
    }

    #[test]
    fn a_foreign_name_is_not_this_machine() {
        let names = ["gw.office.lan", "*.Example.org.", "box"];
        let names = OwnNames::new(move || names.map(str::to_owned).to_vec());
        let is_own = |host: &str| names.are_of(&host.parse().unwrap());
        for host in [
            "gw.office.lan",
            "GW.office.lan.:8081",
            "a.example.org",
            "box:8081",
            "127.0.0.1:8081",
            "[::1]:8081",
            "192.168.1.20",
            "localhost:8081",
            "LOCALHOST",
            "qbo-relay",
            "qbo-relay.local:8081",
        ] {
            assert!(is_own(host), "{host}");
        }
        for host in [
            "rebound.example",
            "localhost.example",
            "qbo-relay.example",
            "127.0.0.1.example",
            "office.lan",
            "a.gw.office.lan",
            "example.org",
            "a.b.example.org",
            "boxx",
        ] {
            assert!(!is_own(host), "{host}");
        }
    }
}
