//! Addresses that the relay is told, and their one reading: what `check` accepts is what is dialled
//! and what stands in the request line.
//!
//! Narrower than a browser's reading (WHATWG URL), which guesses: what could mean two things is
//! refused with its reason. Wider in one thing only, as browsers are: letters outside ASCII and other
//! characters that no request line may hold (RFC 3986) are percent-encoded in path and query. Never
//! shown with its path or query, because those of hooks often carry a token.

use http::Uri;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;
// Addresses as values: nothing is dialled or looked up here.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a URL; more than any server takes in a request line.
const BYTES_MAX: usize = 8_192;

/// An absolute URL with `https` or `http`, in its normal form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// As it is requested.
    text: String,
    uri: Uri,
    is_https: bool,
    host: String,
    port: u16,
}

/// What is wrong with a URL, in words that follow the name of the key: `url: the port 0 ...`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadUrl {
    /// Use one of the two schemes.
    #[error("it must begin with https:// or http://, as in https://erp.example/hook")]
    Scheme,
    /// Percent-encode it, or leave it out.
    #[error(
        "it has a space, a line break or another control character; leave it out, or write %20 for a space in a path"
    )]
    Blank,
    /// Write slashes.
    #[error("it has a backslash; write / instead, or %5C where one is meant")]
    Backslash,
    /// Leave it out.
    #[error("it has a # and what follows it, which is never sent; leave that out, or write %23")]
    Fragment,
    /// Write `%25`.
    #[error("it has a % that is not followed by two hexadecimal digits; write %25 for a % itself")]
    Percent,
    /// Write the path that it leads to.
    #[error("its path has a segment . or .. in it; write the path that it leads to")]
    DotSegment,
    /// Move the credentials to their own settings.
    #[error("it carries a user name or password; there are keys for them")]
    Credentials,
    /// Write a host.
    #[error("it names no host; write it as in https://erp.example/hook")]
    NoHost,
    /// Correct the host.
    #[error(
        "its host {0:?} is neither a name nor an address; a name has letters, digits, hyphens and dots"
    )]
    Host(String),
    /// Write the ASCII form.
    #[error(
        "its host {0:?} has letters outside ASCII; write the ASCII form of the name, which begins with xn-- and which a browser copies out of its address bar"
    )]
    HostNotAscii(String),
    /// Write all four numbers.
    #[error(
        "its host {0:?} ends in a number but is no address; write an IPv4 address as four decimal numbers, like 192.168.1.20"
    )]
    HostNumber(String),
    /// Leave the zone out.
    #[error("its host has a zone, {0:?}; leave it out: link-local addresses are never called")]
    Zone(String),
    /// Correct the port.
    #[error("its port {0:?} is not a number from 1 to 65535")]
    Port(String),
    /// Write a shorter one.
    #[error("it is longer than {BYTES_MAX} bytes")]
    TooLong,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`BadUrl`] says what is wrong, and the cure.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        if text.len() > BYTES_MAX {
            return Err(BadUrl::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(BadUrl::Blank);
        }
        if text.contains('\\') {
            return Err(BadUrl::Backslash);
        }
        let (is_https, rest) = scheme(text)?;
        if rest.contains('#') {
            return Err(BadUrl::Fragment);
        }
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        if authority.contains('@') {
            return Err(BadUrl::Credentials);
        }
        let usual = if is_https { 443 } else { 80 };
        let (host, port) = split_port(authority)?;
        let port = port.map_or(Ok(usual), read_port)?;
        let host = read_host(host)?;
        let mut normal = match (is_https, host.contains(':')) {
            (true, true) => format!("https://[{host}]"),
            (true, false) => format!("https://{host}"),
            (false, true) => format!("http://[{host}]"),
            (false, false) => format!("http://{host}"),
        };
        if port != usual {
            let _ = write!(normal, ":{port}");
        }
        push_target(&mut normal, target)?;
        // Encoding makes it longer, and the library has a bound of its own.
        let uri = Uri::from_str(&normal).map_err(|_| BadUrl::TooLong)?;
        Ok(Self {
            text: normal,
            uri,
            is_https,
            host,
            port,
        })
    }

    /// It, as a request takes it.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether it is `https`.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host in lower case; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host, where it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether the host is this machine by its name or address, whatever a resolver says.
    pub fn is_this_machine(&self) -> bool {
        self.host == "localhost" || self.address().is_some_and(|address| address.is_loopback())
    }

    /// The path, at least `/`.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// What follows the `?`.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// All of it, path and query too.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        Self::parse(text)
    }
}

/// Host and port only.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

fn scheme(text: &str) -> Result<(bool, &str), BadUrl> {
    let (scheme, rest) = text.split_once("://").ok_or(BadUrl::Scheme)?;
    let is_https = scheme.eq_ignore_ascii_case("https");
    match is_https || scheme.eq_ignore_ascii_case("http") {
        true => Ok((is_https, rest)),
        false => Err(BadUrl::Scheme),
    }
}

/// The host, brackets included, and the port as it is written.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), BadUrl> {
    if authority.starts_with('[') {
        let bad = || BadUrl::Host(authority.to_owned());
        let end = authority.find(']').ok_or_else(bad)?;
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(bad()),
        };
    }
    Ok(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

fn read_port(text: &str) -> Result<u16, BadUrl> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| is_number && *port != 0);
    port.ok_or_else(|| BadUrl::Port(text.to_owned()))
}

/// In lower case and without brackets.
fn read_host(text: &str) -> Result<String, BadUrl> {
    if text.is_empty() {
        return Err(BadUrl::NoHost);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.trim_end_matches(']');
        if let Some((_, zone)) = inner.split_once('%') {
            return Err(BadUrl::Zone(zone.to_owned()));
        }
        let address: Result<Ipv6Addr, _> = inner.parse();
        return address
            .map(|address| address.to_string())
            .map_err(|_| BadUrl::Host(text.to_owned()));
    }
    if !text.is_ascii() {
        return Err(BadUrl::HostNotAscii(text.to_owned()));
    }
    let bad = || BadUrl::Host(text.to_owned());
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(bad());
    }
    // A resolver takes `127.1`, `2130706433` and `0x7f.1` for addresses too.
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number {
        let address: Result<Ipv4Addr, _> = text.parse();
        return address
            .map(|address| address.to_string())
            .map_err(|_| BadUrl::HostNumber(text.to_owned()));
    }
    Ok(text.to_ascii_lowercase())
}

/// Underscores are no part of a host name by the book and are common in container networks.
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Writes path and query as RFC 3986 (section 3.3 and 3.4) allows them.
fn push_target(normal: &mut String, target: &str) -> Result<(), BadUrl> {
    let path = target.split('?').next().unwrap_or_default();
    if path.split('/').any(is_dot_segment) {
        return Err(BadUrl::DotSegment);
    }
    if path.is_empty() {
        normal.push('/');
    }
    let bytes = target.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' => {
                let digits = bytes.get(at + 1..at + 3);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(BadUrl::Percent);
                }
                normal.push('%');
            }
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte) => {
                normal.push(char::from(*byte));
            }
            byte => {
                let _ = write!(normal, "%{byte:02X}");
            }
        }
    }
    Ok(())
}

fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.replace("%2e", ".").replace("%2E", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests;
