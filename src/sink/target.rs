//! Where an HTTP sink lives: a URL, read once when the sink is made.
//!
//! It is shown as host and port only: paths and queries of hooks often carry a token.

use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use std::fmt;

/// A URL that deliveries can be posted to.
#[derive(Clone)]
pub(super) struct Target {
    /// The URL as it is requested.
    pub(super) uri: Uri,
    /// Host without the brackets of an IPv6 address.
    pub(super) host: String,
    /// Port, the scheme's own where the URL names none.
    pub(super) port: u16,
    /// The name to ask for in TLS; `None` for `http`.
    pub(super) server_name: Option<ServerName<'static>>,
}

/// What is wrong with a sink's URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadUrl {
    /// Write it as `https://host/path`.
    #[error(
        "the URL cannot be read; it must be an absolute one in ASCII, like https://erp.example/hook"
    )]
    Unreadable,
    /// Use one of the two schemes.
    #[error("the URL must begin with https:// or http://")]
    Scheme,
    /// Move the credentials to their own settings.
    #[error(
        "the URL carries a user name or password; give them as basic or bearer settings instead"
    )]
    Credentials,
    /// Correct the host name.
    #[error("the URL's host is neither a name nor an address")]
    Host,
}

impl Target {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Self, BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl::Unreadable)?;
        let authority = uri.authority().ok_or(BadUrl::Unreadable)?;
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(BadUrl::Scheme),
        };
        if authority.as_str().contains('@') {
            return Err(BadUrl::Credentials);
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host)
            .to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| BadUrl::Host)?;
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if https => 443,
            None => 80,
        };
        Ok(Self {
            server_name: https.then_some(name),
            uri,
            host,
            port,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_path_and_query() {
        for (url, shown) in [
            (
                "https://erp.example/hooks/s3cret?token=s3cret",
                "erp.example:443",
            ),
            ("http://erp.example", "erp.example:80"),
            ("https://[2001:db8::1]:8443/x", "[2001:db8::1]:8443"),
        ] {
            assert_eq!(Target::parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_url_that_cannot_be_a_sink_is_refused_with_its_reason() {
        for (url, reason) in [
            ("", BadUrl::Unreadable),
            ("/hooks", BadUrl::Unreadable),
            ("https://bücher.example/", BadUrl::Unreadable),
            ("https://a b/", BadUrl::Unreadable),
            ("ftp://erp.example/", BadUrl::Scheme),
            ("https://user:pass@erp.example/", BadUrl::Credentials),
            ("https://user@erp.example/", BadUrl::Credentials),
            ("https://-/", BadUrl::Host),
            ("https://[::1/", BadUrl::Unreadable),
        ] {
            assert_eq!(Target::parse(url).err(), Some(reason), "{url}");
        }
    }
}
