//! Whose a connection is: an address, and the networks that bounds go by.
//!
//! Called by `registry` and by whoever names a peer. Promises: pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whose connection it is. Two are the same peer as far as the bound for each peer goes: an IPv6
/// network of 64 bits is one, because its owner has all its addresses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// An address; never an IPv4 one in IPv6's clothes.
    Address(IpAddr),
    /// A process on this machine, over a Unix socket.
    Local,
}

impl Peer {
    /// The peer that an address belongs to.
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }

    /// The address, where it has one.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Local => None,
        }
    }

    /// What the bound for each peer goes by.
    pub(super) fn network(self) -> Option<IpAddr> {
        self.cut(32, 64)
    }

    /// What the bound for each network goes by: what one customer of a provider is usually given.
    pub(super) fn wide_network(self) -> Option<IpAddr> {
        self.cut(24, 48)
    }

    fn cut(self, v4_bits: u32, v6_bits: u32) -> Option<IpAddr> {
        self.address().map(|address| match address {
            IpAddr::V4(address) => {
                let rest = 32 - v4_bits;
                Ipv4Addr::from_bits(address.to_bits() >> rest << rest).into()
            }
            IpAddr::V6(address) => {
                let rest = 128 - v6_bits;
                Ipv6Addr::from_bits(address.to_bits() >> rest << rest).into()
            }
        })
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.network() == other.network()
    }
}

impl Eq for Peer {}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network() {
            Some(IpAddr::V6(network)) => write!(f, "{network}/64"),
            Some(address) => address.fmt(f),
            None => f.write_str("local"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Peer {
        Peer::of(text.parse().unwrap())
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_peer() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
        assert_eq!(of("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn a_wide_network_has_24_bits_or_48() {
        let wide = |text| of(text).wide_network().map(|network| network.to_string());
        assert_eq!(wide("192.0.2.7").as_deref(), Some("192.0.2.0"));
        assert_eq!(wide("::ffff:192.0.2.255").as_deref(), Some("192.0.2.0"));
        assert_eq!(wide("192.0.3.7").as_deref(), Some("192.0.3.0"));
        assert_eq!(wide("2001:db8:1:2::1").as_deref(), Some("2001:db8:1::"));
        assert_eq!(Peer::Local.wide_network(), None);
    }
}
