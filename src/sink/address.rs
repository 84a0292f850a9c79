//! Which addresses a sink may be dialled at. Pure; [`dial`](super::dial) asks for every address of
//! every connection, after the name was resolved and before the first packet, so that a name that
//! changes its mind between check and use gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses at which a cloud's own metadata service answers, beyond the link-local one: Amazon's
/// over IPv6 and Alibaba's. They lie in private ranges and are never a sink.
const METADATA: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// Why an address is not dialled, in words that complete "the address ... is"; `None` when it may
/// be. Addresses that only wrap an IPv4 one (mapped, compatible, NAT64, 6to4) are judged by it.
pub(super) fn objection(address: IpAddr, private_addresses: bool) -> Option<&'static str> {
    let address = unwrap(address);
    let never = match address {
        _ if METADATA.contains(&address) => Some("a cloud metadata service"),
        IpAddr::V4(v4) => never_v4(v4),
        IpAddr::V6(v6) => never_v6(v6),
    };
    never.or_else(|| (!private_addresses && is_private(address)).then_some("private"))
}

/// Whether a connection from `local` to `peer` has come back to this process: the peer is this
/// machine, and the port is one that the relay listens on.
pub(super) fn is_own(local: IpAddr, peer: SocketAddr, listening: &[SocketAddr]) -> bool {
    let at = unwrap(peer.ip());
    let here = at == unwrap(local) || at.is_loopback();
    here && listening.iter().any(|own| {
        let everywhere = own.ip().is_unspecified();
        own.port() == peer.port() && (everywhere || unwrap(own.ip()) == at)
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

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let carrier_grade = first == 100 && (64..128).contains(&second);
            v4.is_loopback() || v4.is_private() || carrier_grade
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// The IPv4 address inside an IPv6 one, where that is all it says.
fn unwrap(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    if v6.is_loopback() || v6.is_unspecified() {
        return address;
    }
    let [a, b, c, d, e, f, high, low] = v6.segments();
    let inner = match (a, b, c, d, e, f) {
        // ::ffff:0:0/96 mapped, ::/96 compatible, 64:ff9b::/96 NAT64 (RFC 4291, RFC 6052).
        (0, 0, 0, 0, 0, 0xffff | 0) | (0x64, 0xff9b, 0, 0, 0, 0) => Some((high, low)),
        // 2002::/16 6to4 (RFC 3056).
        (0x2002, ..) => Some((b, c)),
        _ => None,
    };
    inner.map_or(address, |(high, low)| {
        IpAddr::V4((u32::from(high) << 16 | u32::from(low)).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(address: &str, private_addresses: bool) -> Option<&'static str> {
        objection(address.parse().unwrap(), private_addresses)
    }

    #[test]
    fn some_addresses_are_never_dialled() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "fd00:ec2::254",
            "100.100.100.200",
        ] {
            assert!(judge(address, true).is_some(), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_dialled_only_where_they_are_allowed() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.20",
            "100.64.0.1",
            "100.127.255.255",
            "fc00::1",
            "fdff::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::c0a8:1",
            "2002:7f00:1::",
        ] {
            assert_eq!(judge(address, false), Some("private"), "{address}");
            assert_eq!(judge(address, true), None, "{address}");
        }
    }

    #[test]
    fn public_addresses_are_dialled() {
        for address in [
            "1.1.1.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert_eq!(judge(address, false), None, "{address}");
        }
    }

    #[test]
    fn the_relay_knows_itself_by_address_and_port() {
        let own = |local: &str, peer: &str, listening: &str| {
            is_own(
                local.parse().unwrap(),
                peer.parse().unwrap(),
                &[listening.parse().unwrap()],
            )
        };
        assert!(own("127.0.0.1", "127.0.0.1:443", "0.0.0.0:443"));
        assert!(own("127.0.0.1", "127.0.0.2:443", "0.0.0.0:443"));
        assert!(own("192.168.1.5", "192.168.1.5:443", "[::]:443"));
        assert!(own("::1", "[::ffff:127.0.0.1]:443", "127.0.0.1:443"));
        assert!(!own("192.168.1.5", "192.168.1.5:444", "0.0.0.0:443"));
        assert!(!own("192.168.1.5", "192.168.1.6:443", "0.0.0.0:443"));
        assert!(!own("192.168.1.5", "192.168.1.5:443", "127.0.0.1:443"));
    }
}
