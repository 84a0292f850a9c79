//! Where the relay listens: the public listener, the admin listener, and their bounds.

use super::file;
use super::reader::Reader;
use crate::model::Limits;
use crate::server::admin::leaves_machine;
use crate::server::consent;
use crate::wire::path;
use crate::wire::url::Url;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;

const DEFAULT_PATHS: [&str; 2] = ["/qbowebhook", "/webhooks"];

/// The word for a socket that systemd hands over, known by the name of its listener: `https`, `admin`.
const INHERITED: &str = "systemd";

/// Where the public listener listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpsAddress {
    /// On this address.
    At(SocketAddr),
    /// On the socket that systemd passes under the name `https`.
    Inherited,
}

/// Where the admin listener listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdminAddress {
    /// On TCP; meant for loopback.
    Tcp(SocketAddr),
    /// On a socket in the file system.
    Unix(PathBuf),
    /// On the socket that systemd passes under the name `admin`.
    Inherited,
}

impl std::fmt::Display for HttpsAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Inherited => f.write_str("the socket https of systemd"),
        }
    }
}

impl std::fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
            Self::Inherited => f.write_str("the socket admin of systemd"),
        }
    }
}

/// Says when both listeners have one address.
pub(super) fn apart(https: HttpsAddress, admin: &AdminAddress, reader: &mut Reader<'_>) {
    let HttpsAddress::At(https) = https else {
        return;
    };
    if https.port() != 0 && *admin == AdminAddress::Tcp(https) {
        reader.missing(format!(
            "[listen] https and [admin] listen are both {https}; give each its own port"
        ));
    }
}

pub(super) fn https(listen: &file::Listen, reader: &mut Reader<'_>) -> Option<HttpsAddress> {
    let Some(https) = &listen.https else {
        return Some(HttpsAddress::At(SocketAddr::from(([0, 0, 0, 0], 443))));
    };
    if https.get_ref() == INHERITED {
        return Some(HttpsAddress::Inherited);
    }
    let address = https.get_ref().parse().ok().map(HttpsAddress::At);
    if address.is_none() {
        reader.error(
            &https.span(),
            format!("https = \"{}\" is not an address with a port; write it like \"0.0.0.0:443\" or \"[::]:443\", or \"systemd\" for the socket that systemd passes", https.get_ref()),
        );
    }
    address
}

/// Whether a URL names the public listener, as far as that can be told without looking anything up;
/// the rest is found when dialling.
pub(super) fn is_own(https: HttpsAddress, url: &Url) -> bool {
    let HttpsAddress::At(https) = https else {
        return false;
    };
    let is_here = match url.address() {
        Some(ip) => ip == https.ip() || (https.ip().is_unspecified() && ip.is_loopback()),
        None => url.is_this_machine() && (https.ip().is_loopback() || https.ip().is_unspecified()),
    };
    is_here && url.port() == https.port()
}

pub(super) fn paths(listen: &file::Listen, reader: &mut Reader<'_>) -> Vec<String> {
    let Some(paths) = &listen.paths else {
        return DEFAULT_PATHS.map(str::to_owned).to_vec();
    };
    if paths.is_empty() {
        reader.missing("[listen] paths is empty; name at least one, such as \"/qbowebhook\"");
    }
    let mut taken: Vec<String> = Vec::new();
    for path in paths {
        let normal = path_of(path, reader);
        if !taken.contains(&normal) {
            taken.push(normal);
        }
    }
    taken
}

/// A path of the public listener in its normal form; says what is wrong with it.
pub(super) fn path_of(path: &Spanned<String>, reader: &mut Reader<'_>) -> String {
    let text = path.get_ref();
    let plain = text.starts_with('/')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"?#%".contains(&byte));
    if !plain {
        reader.error(
            &path.span(),
            format!("path \"{text}\" must begin with / and have no spaces, `?`, `#` or `%`"),
        );
    }
    let normal = path::normal(text).into_owned();
    if normal == consent::PATH {
        let why = format!("path \"{text}\" is where browsers come back from Intuit; take another");
        reader.error(&path.span(), why);
    }
    normal
}

pub(super) fn admin(admin: &file::Admin, reader: &mut Reader<'_>) -> Option<AdminAddress> {
    let Some(listen) = &admin.listen else {
        return Some(AdminAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 8081))));
    };
    let text = listen.get_ref();
    if text == INHERITED {
        return Some(AdminAddress::Inherited);
    }
    if text.contains('/') {
        if let Some(tls) = admin.tls.as_ref().filter(|flag| *flag.get_ref()) {
            let why = "[admin] tls = true needs an address with a port: a Unix socket never leaves this machine";
            reader.error(&tls.span(), why);
        }
        return Some(AdminAddress::Unix(reader.resolve(Path::new(text))));
    }
    let Ok(address) = text.parse::<SocketAddr>() else {
        reader.error(
            &listen.span(),
            format!("[admin] listen = \"{text}\" is neither an address with a port (\"127.0.0.1:8081\") nor the path of a socket nor \"systemd\""),
        );
        return None;
    };
    if leaves_machine(address.ip()) {
        let how = match admin.tls.as_ref().map(Spanned::get_ref) {
            Some(false) => {
                "its pages have no password, nothing is encrypted, and the Open Connectors interface is refused there; use 127.0.0.1, or take tls = false away"
            }
            _ => "its pages have no password; use 127.0.0.1 where nobody else needs them",
        };
        let why = format!("the admin listener on {address} is open to the network: {how}");
        reader.warn(&listen.span(), why);
    }
    Some(AdminAddress::Tcp(address))
}

/// Further names of the admin listener.
pub(super) fn names(admin: &file::Admin, reader: &mut Reader<'_>) -> Vec<String> {
    let given = admin.names.iter().flatten();
    given
        .map(|name| {
            let text = name.get_ref();
            let is_label = |label: &str| {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
            };
            if text.len() > 253 || !text.trim_end_matches('.').split('.').all(is_label) {
                let why = format!("\"{text}\" is not a host name; write it like \"gateway.office.lan\", without port or scheme, and letters beyond a to z in their xn-- form");
                reader.error(&name.span(), why);
            }
            text.clone()
        })
        .collect()
}

pub(super) fn limits(listen: &file::Listen, reader: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    if let Some(size) = &listen.body_bytes_max {
        let bytes = usize::try_from(size.get_ref().0).unwrap_or(usize::MAX);
        if !(LEAST_BODY_BYTES_MAX..=MOST_BODY_BYTES_MAX).contains(&bytes) {
            reader.error(
                &size.span(),
                "[listen] body_bytes_max is between 64 KiB and 64 MiB",
            );
        }
        limits.body_bytes_max = bytes;
        limits.bodies_bytes_max = limits.bodies_bytes_max.max(bytes.saturating_mul(2));
    }
    limits.connections_max = count(
        listen.connections_max.as_ref(),
        limits.connections_max,
        reader,
    );
    limits.connections_per_peer_max = count(
        listen.connections_per_peer_max.as_ref(),
        limits.connections_per_peer_max.min(limits.connections_max),
        reader,
    );
    let memory_max = limits.memory_max();
    if memory_max > UNIT_MEMORY_MAX {
        let most = memory_max >> 20;
        let why = format!(
            "[listen] lets others make the relay take {most} MiB of memory, and the unit stops it at 128 MiB; \
             take less, or raise MemoryMax= (`systemctl edit qbo-relay`)"
        );
        let keys = [
            listen.connections_max.as_ref().map(Spanned::span),
            listen.body_bytes_max.as_ref().map(Spanned::span),
        ];
        if let Some(span) = keys.into_iter().flatten().next() {
            reader.warn(&span, why);
        }
    }
    limits
}

/// `MemoryMax=` of systemd/qbo-relay.service.
const UNIT_MEMORY_MAX: usize = 128 << 20;

const LEAST_BODY_BYTES_MAX: usize = 64 << 10;
const MOST_BODY_BYTES_MAX: usize = 64 << 20;

fn count(given: Option<&Spanned<u32>>, default: usize, reader: &mut Reader<'_>) -> usize {
    let Some(given) = given else { return default };
    if !(1..=65_536).contains(given.get_ref()) {
        reader.error(
            &given.span(),
            "a number of connections is between 1 and 65536",
        );
    }
    usize::try_from(*given.get_ref()).unwrap_or(default)
}
