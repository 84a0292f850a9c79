//! The networks that this machine is part of, as the kernel routes them: whatever lies there is reached
//! without a router, so nobody between refuses.
//!
//! Read from `/proc/self/net`, which the service sees with `ProcSubset=pid` too. A machine that does not
//! tell has none.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Shorter prefixes are no network on a wire: a tunnel that takes everything has such a route.
const PREFIX_MIN_V4: u8 = 8;
const PREFIX_MIN_V6: u8 = 32;

/// Of a route: it leads to a gateway, or nowhere.
const RTF_GATEWAY: u32 = 0x2;
const RTF_REJECT: u32 = 0x200;

/// A network by its address and the length of its prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Networks, and this machine's own addresses among them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Networks(Vec<Network>);

impl Networks {
    /// Those of this machine at this moment.
    pub(super) fn of_this_machine() -> Self {
        let read = |file: &str| {
            let path = format!("/proc/self/net/{file}");
            fs::read_to_string(path).unwrap_or_default()
        };
        Self::parse(&read("fib_trie"), &read("ipv6_route"))
    }

    /// Those that these files of `/proc/net` tell of.
    pub(super) fn parse(fib_trie: &str, ipv6_route: &str) -> Self {
        let mut networks: Vec<Network> = ipv6_route.lines().filter_map(on_link_v6).collect();
        let mut leaf = None;
        for line in fib_trie.lines().map(str::trim) {
            if let Some(address) = line.strip_prefix("|-- ") {
                leaf = address.parse::<Ipv4Addr>().ok();
            } else if let Some(route) = line.strip_prefix('/') {
                networks.extend(leaf.and_then(|base| on_link_v4(base, route)));
            }
        }
        Self(networks)
    }

    /// Whether an address lies in one of them.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    pub(super) const fn new(base: IpAddr, prefix: u8) -> Self {
        Self { base, prefix }
    }

    pub(super) const fn prefix(self) -> u8 {
        self.prefix
    }

    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let differs = u32::from(base) ^ u32::from(address);
                differs.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differs = u128::from(base) ^ u128::from(address);
                differs.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

/// A route below a leaf: `24 link UNICAST`, `32 host LOCAL`.
fn on_link_v4(base: Ipv4Addr, route: &str) -> Option<Network> {
    let mut words = route.split_ascii_whitespace();
    let prefix: u8 = words.next()?.parse().ok()?;
    let is_here = match (words.next()?, words.next()?) {
        (_, "LOCAL") => true,
        ("link", "UNICAST") => prefix >= PREFIX_MIN_V4,
        _ => false,
    };
    is_here.then_some(Network::new(base.into(), prefix))
}

/// A line: destination, prefix, source, prefix, next hop, metric, two counters, flags, device.
fn on_link_v6(line: &str) -> Option<Network> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [base, prefix, _, _, next_hop, _, _, _, flags, _] = *fields else {
        return None;
    };
    let address = |hex: &str| u128::from_str_radix(hex, 16).ok();
    let prefix = u8::from_str_radix(prefix, 16).ok()?;
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let is_here = address(next_hop)? == 0
        && flags & (RTF_GATEWAY | RTF_REJECT) == 0
        && (PREFIX_MIN_V6..=128).contains(&prefix);
    let base = Ipv6Addr::from(address(base)?);
    is_here.then_some(Network::new(base.into(), prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIB_TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        /0 link UNICAST
     +-- 198.18.4.0/24 2 0 2
        |-- 198.18.4.0
           /24 link UNICAST
        |-- 8.8.4.0
           /24 universe UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
        |-- 45.33.32.156
           /32 host LOCAL
        |-- 198.18.4.255
           /32 link BROADCAST
";

    const IPV6_ROUTE: &str = "\
26064700000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
20000000000000000000000000000000 03 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000002 00000000 00000001      wg0
2a000000000000000000000000000000 40 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
2a010000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
26064700000000010000000000000002 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001     eth0
not a route
";

    #[test]
    fn what_is_reached_without_a_router_is_this_machines_network() {
        let networks = Networks::parse(FIB_TRIE, IPV6_ROUTE);
        for (address, expected) in [
            ("198.18.4.7", true),
            ("198.18.5.7", false),
            ("45.33.32.156", true),
            ("45.33.32.157", false),
            ("8.8.4.4", false),
            ("1.1.1.1", false),
            ("2606:4700::1234", true),
            ("2606:4700:0:1::2", true),
            ("2606:4700:0:1::3", false),
            ("2a00::1", false),
            ("2a01::1", false),
            ("2001:4860::1", false),
        ] {
            assert_eq!(
                networks.contain(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }

    #[test]
    fn a_machine_that_tells_nothing_has_no_networks() {
        assert_eq!(Networks::parse("", "\n\n"), Networks::default());
    }

    #[test]
    fn this_machine_has_its_loopback() {
        assert!(Networks::of_this_machine().contain(Ipv4Addr::LOCALHOST.into()));
    }
}
