//! Which addresses a sink may be dialled at. Pure; [`dial`](super::dial) asks for every address of
//! every connection, after the name was resolved and before the first packet, so that a name that
//! changes its mind between check and use gains nothing.
//!
//! Sources: IANA's "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry"
//! (RFC 6890) with the RFCs that they name, and its "IPv6 Address Space": of that, 2000::/3 is global
//! unicast.

use super::networks::{Network, Networks};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses at which a cloud's own metadata service answers, beyond the link-local one: Amazon's
/// over IPv6, Alibaba's, Oracle's and Azure's. Nobody's hook is there.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Why an address is not dialled, in words that complete "the address ... is".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Objection {
    /// It never is.
    Never(&'static str),
    /// It is where private addresses are allowed: it is not globally reachable, or on a network of
    /// this machine.
    Private(&'static str),
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Never(why) | Self::Private(why)) = self;
        f.write_str(why)
    }
}

/// Why an address is not dialled by a machine on these networks; `None` when it may be. An address that
/// only wraps an IPv4 one is judged by that, too.
pub(super) fn objection(
    address: IpAddr,
    private_addresses: bool,
    networks: &Networks,
) -> Option<Objection> {
    if let Some(why) = never(address) {
        return Some(Objection::Never(why));
    }
    if private_addresses {
        return None;
    }
    let here = || {
        networks
            .contain(unmapped(address))
            .then_some("on this machine's own network")
    };
    special(address).or_else(here).map(Objection::Private)
}

fn never(address: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&address) {
        return Some("a cloud metadata service");
    }
    match address {
        IpAddr::V4(v4) => never_v4(v4),
        IpAddr::V6(v6) => never_v6(v6).or_else(|| never(embedded(v6)?.into())),
    }
}

/// Why it is not globally reachable unicast, by the most specific entry of the registries.
fn special(address: IpAddr) -> Option<&'static str> {
    let address = unmapped(address);
    if let IpAddr::V6(v6) = address
        && matches!(v6.segments(), [0x64, 0xff9b, 0, 0, 0, 0, ..])
    {
        return special(embedded(v6)?.into());
    }
    let entries = SPECIAL
        .iter()
        .filter(|(network, _)| network.contains(address));
    let entry = entries.max_by_key(|(network, _)| network.prefix());
    match (entry, address) {
        (Some((_, why)), _) => *why,
        (None, IpAddr::V6(v6)) if v6.segments()[0] >> 13 != 1 => Some("no global unicast address"),
        (None, _) => None,
    }
}

const PRIVATE: Option<&str> = Some("private");
const RESERVED: Option<&str> = Some("reserved for protocols");
const DOCUMENTATION: Option<&str> = Some("for documentation");
const BENCHMARKS: Option<&str> = Some("for benchmarks");
const TUNNEL: Option<&str> = Some("an address of a tunnel");
const GLOBAL: Option<&str> = None;

/// The entries of both registries, and site-local (RFC 3879); with why each is not globally reachable.
/// What the registries call neither is not: tunnels lead to addresses that nobody judged.
const SPECIAL: [(Network, Option<&str>); 46] = [
    (v4([0, 0, 0, 0], 8), Some("unspecified")),
    (v4([10, 0, 0, 0], 8), PRIVATE),
    (v4([100, 64, 0, 0], 10), PRIVATE),
    (v4([127, 0, 0, 0], 8), PRIVATE),
    (v4([169, 254, 0, 0], 16), Some("link-local")),
    (v4([172, 16, 0, 0], 12), PRIVATE),
    (v4([192, 0, 0, 0], 24), RESERVED),
    (v4([192, 0, 0, 9], 32), GLOBAL),
    (v4([192, 0, 0, 10], 32), GLOBAL),
    (v4([192, 0, 2, 0], 24), DOCUMENTATION),
    (v4([192, 31, 196, 0], 24), GLOBAL),
    (v4([192, 52, 193, 0], 24), GLOBAL),
    (v4([192, 88, 99, 0], 24), TUNNEL),
    (v4([192, 168, 0, 0], 16), PRIVATE),
    (v4([192, 175, 48, 0], 24), GLOBAL),
    (v4([198, 18, 0, 0], 15), BENCHMARKS),
    (v4([198, 51, 100, 0], 24), DOCUMENTATION),
    (v4([203, 0, 113, 0], 24), DOCUMENTATION),
    (v4([224, 0, 0, 0], 4), Some("multicast")),
    (v4([240, 0, 0, 0], 4), Some("reserved")),
    (v6([0, 0, 0, 0], 96), Some("an IPv4-compatible address")),
    (
        v6([0x64, 0xff9b, 1, 0], 48),
        Some("for translation within a network"),
    ),
    (v6([0x100, 0, 0, 0], 64), Some("a discard address")),
    (v6([0x100, 0, 0, 1], 64), Some("a dummy address")),
    (v6([0x2001, 0, 0, 0], 23), RESERVED),
    (v6([0x2001, 0, 0, 0], 32), TUNNEL),
    (v6_whole([0x2001, 1, 0, 0, 0, 0, 0, 1], 128), GLOBAL),
    (v6_whole([0x2001, 1, 0, 0, 0, 0, 0, 2], 128), GLOBAL),
    (v6_whole([0x2001, 1, 0, 0, 0, 0, 0, 3], 128), GLOBAL),
    (v6([0x2001, 2, 0, 0], 48), BENCHMARKS),
    (v6([0x2001, 3, 0, 0], 32), GLOBAL),
    (v6([0x2001, 4, 0x112, 0], 48), GLOBAL),
    (v6([0x2001, 0x10, 0, 0], 28), Some("an overlay identifier")),
    (v6([0x2001, 0x20, 0, 0], 28), GLOBAL),
    (v6([0x2001, 0x30, 0, 0], 28), GLOBAL),
    (v6([0x2001, 0xdb8, 0, 0], 32), DOCUMENTATION),
    (v6([0x2002, 0, 0, 0], 16), TUNNEL),
    (v6([0x2620, 0x4f, 0x8000, 0], 48), GLOBAL),
    (v6([0x3fff, 0, 0, 0], 20), DOCUMENTATION),
    (
        v6([0x5f00, 0, 0, 0], 16),
        Some("a segment routing identifier"),
    ),
    (v6([0xfc00, 0, 0, 0], 7), PRIVATE),
    (v6([0xfe80, 0, 0, 0], 10), Some("link-local")),
    (v6([0xfec0, 0, 0, 0], 10), Some("site-local")),
    (v6([0xff00, 0, 0, 0], 8), Some("multicast")),
    (v6_whole([0, 0, 0, 0, 0, 0, 0, 1], 128), PRIVATE),
    (v6_whole([0, 0, 0, 0, 0, 0, 0, 0], 128), Some("unspecified")),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Network {
    Network::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix)
}

const fn v6([a, b, c, d]: [u16; 4], prefix: u8) -> Network {
    v6_whole([a, b, c, d, 0, 0, 0, 0], prefix)
}

const fn v6_whole([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Network {
    Network::new(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), prefix)
}

/// Whether a connection from `local` to `peer` has come back to this process: the peer is this
/// machine, and the port is one that the relay listens on.
pub(super) fn is_own(local: IpAddr, peer: SocketAddr, listening: &[SocketAddr]) -> bool {
    let at = unmapped(peer.ip());
    let here = at == unmapped(local) || at.is_loopback();
    here && listening.iter().any(|own| {
        let everywhere = own.ip().is_unspecified();
        own.port() == peer.port() && (everywhere || unmapped(own.ip()) == at)
    })
}

fn never_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [first, ..] = address.octets();
    match () {
        () if first == 0 => Some("unspecified"),
        () if address.is_link_local() => Some("link-local"),
        () if address.is_multicast() || address.is_broadcast() => Some("multicast"),
        () => None,
    }
}

fn never_v6(address: Ipv6Addr) -> Option<&'static str> {
    match () {
        () if address.is_unspecified() => Some("unspecified"),
        () if address.is_unicast_link_local() => Some("link-local"),
        () if address.is_multicast() => Some("multicast"),
        () => None,
    }
}

/// The IPv4 address that the kernel dials for an IPv4-mapped one.
fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The IPv4 address inside an IPv6 one, where whoever forwards it would take it out.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let (high, low) = match (a, b, c, d, e, f) {
        // Loopback and unspecified are no IPv4 addresses.
        (0, 0, 0, 0, 0, 0) if g == 0 && h < 2 => return None,
        // ::ffff:0:0/96 mapped, ::/96 compatible, 64:ff9b::/96 NAT64 (RFC 4291, RFC 6052).
        (0, 0, 0, 0, 0, 0xffff | 0) | (0x64, 0xff9b, 0, 0, 0, 0) => (g, h),
        // 64:ff9b:1::/48 NAT64 within a network (RFC 8215), as it is mostly divided.
        (0x64, 0xff9b, 1, ..) => (g, h),
        // 2002::/16 6to4 (RFC 3056).
        (0x2002, ..) => (b, c),
        // 2001::/32 Teredo: the client's address, its bits turned (RFC 4380).
        (0x2001, 0, ..) => (!g, !h),
        _ => return None,
    };
    Some((u32::from(high) << 16 | u32::from(low)).into())
}

#[cfg(test)]
mod tests;
