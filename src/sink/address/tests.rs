//! Addresses against the registries.

use super::*;

fn judge(address: &str, private_addresses: bool) -> Option<Objection> {
    let networks = Networks::default();
    objection(address.parse().unwrap(), private_addresses, &networks)
}

/// The first and the last address of a block.
fn ends(block: &str) -> [IpAddr; 2] {
    let (base, prefix) = block.split_once('/').unwrap();
    let prefix: u32 = prefix.parse().unwrap();
    match base.parse().unwrap() {
        IpAddr::V4(base) => {
            let rest = u32::MAX.checked_shr(prefix).unwrap_or(0);
            [base.into(), Ipv4Addr::from(u32::from(base) | rest).into()]
        }
        IpAddr::V6(base) => {
            let rest = u128::MAX.checked_shr(prefix).unwrap_or(0);
            [base.into(), Ipv6Addr::from(u128::from(base) | rest).into()]
        }
    }
}

/// "Globally Reachable" of IANA's "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose
/// Address Registry", every row in their order; what has no value there ("N/A", or withdrawn) is not.
const REGISTRIES: [(&str, bool); 51] = [
    ("0.0.0.0/8", false),
    ("0.0.0.0/32", false),
    ("10.0.0.0/8", false),
    ("100.64.0.0/10", false),
    ("127.0.0.0/8", false),
    ("169.254.0.0/16", false),
    ("172.16.0.0/12", false),
    ("192.0.0.0/24", false),
    ("192.0.0.0/29", false),
    ("192.0.0.8/32", false),
    ("192.0.0.9/32", true),
    ("192.0.0.10/32", true),
    ("192.0.0.170/32", false),
    ("192.0.0.171/32", false),
    ("192.0.2.0/24", false),
    ("192.31.196.0/24", true),
    ("192.52.193.0/24", true),
    ("192.88.99.0/24", false),
    ("192.88.99.2/32", false),
    ("192.168.0.0/16", false),
    ("192.175.48.0/24", true),
    ("198.18.0.0/15", false),
    ("198.51.100.0/24", false),
    ("203.0.113.0/24", false),
    ("240.0.0.0/4", false),
    ("255.255.255.255/32", false),
    ("::1/128", false),
    ("::/128", false),
    // Its last address is 255.255.255.255.
    ("::ffff:0:0/96", false),
    // By the address inside, 0.0.0.0 and 255.255.255.255, neither is.
    ("64:ff9b::/96", false),
    ("64:ff9b:1::/48", false),
    ("100::/64", false),
    ("100:0:0:1::/64", false),
    ("2001::/32", false),
    ("2001:1::1/128", true),
    ("2001:1::2/128", true),
    ("2001:1::3/128", true),
    ("2001:2::/48", false),
    ("2001:3::/32", true),
    ("2001:4:112::/48", true),
    ("2001:10::/28", false),
    ("2001:20::/28", true),
    ("2001:30::/28", true),
    ("2001:db8::/32", false),
    ("2002::/16", false),
    ("2620:4f:8000::/48", true),
    ("3fff::/20", false),
    ("5f00::/16", false),
    ("fc00::/7", false),
    ("fe80::/10", false),
    // Of 2001::/23, what has no row of its own.
    ("2001:1::4/126", false),
];

#[test]
fn what_the_registries_do_not_call_globally_reachable_is_not_dialled() {
    for (block, is_global) in REGISTRIES {
        for end in ends(block) {
            let judged = objection(end, false, &Networks::default());
            assert_eq!(judged.is_none(), is_global, "{end} of {block}: {judged:?}");
        }
    }
}

#[test]
fn what_lies_beside_them_is_judged_by_the_larger_one_or_dialled() {
    for (address, is_global) in [
        ("9.255.255.255", true),
        ("11.0.0.0", true),
        ("100.63.255.255", true),
        ("100.128.0.0", true),
        ("172.15.255.255", true),
        ("172.32.0.0", true),
        ("192.0.0.11", false),
        ("192.0.0.192", false),
        ("192.0.1.0", true),
        ("192.88.98.255", true),
        ("192.88.100.0", true),
        ("198.17.255.255", true),
        ("198.20.0.0", true),
        ("223.255.255.255", true),
        ("224.0.0.0", false),
        ("1.1.1.1", true),
        ("2000::", true),
        ("2001:5::1", false),
        ("2001:1ff:ffff::", false),
        ("2001:200::", true),
        ("2001:db7::1", true),
        ("2001:db9::1", true),
        ("2606:4700::1111", true),
        ("3ffe::1", true),
        ("3fff:1000::1", true),
        ("3fff:fff::1", false),
        // Outside 2000::/3 nothing is assigned to hosts of the Internet.
        ("1fff::1", false),
        ("4000::1", false),
        ("fec0::1", false),
        ("feff::1", false),
        ("ff02::1", false),
        ("::2", false),
        ("1::", false),
    ] {
        assert_eq!(judge(address, false).is_none(), is_global, "{address}");
    }
}

#[test]
fn an_address_that_wraps_another_is_judged_by_that() {
    for (address, is_global) in [
        ("::ffff:8.8.8.8", true),
        ("::ffff:10.0.0.1", false),
        ("::ffff:192.88.99.1", false),
        ("64:ff9b::8.8.8.8", true),
        ("64:ff9b::192.0.0.9", true),
        ("64:ff9b::192.168.0.1", false),
        ("64:ff9b::240.0.0.1", false),
        ("64:ff9b:1::8.8.8.8", false),
        ("64:ff9b:0:1::8.8.8.8", false),
        ("2002:808:808::1", false),
        ("::8.8.8.8", false),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", false),
    ] {
        assert_eq!(judge(address, false).is_none(), is_global, "{address}");
    }
}

#[test]
fn some_addresses_are_never_dialled() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        // Teredo of 169.254.169.254.
        "2001::5601:5601",
        "fe80::1",
        "febf::1",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "ff02::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "::ffff:100.100.100.200",
    ] {
        let judged = judge(address, true);
        assert!(
            matches!(judged, Some(Objection::Never(_))),
            "{address}: {judged:?}"
        );
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
        "fec0::1",
        "198.18.0.1",
        "240.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::c0a8:1",
    ] {
        let judged = judge(address, false);
        assert!(
            matches!(judged, Some(Objection::Private(_))),
            "{address}: {judged:?}"
        );
        assert_eq!(judge(address, true), None, "{address}");
    }
}

#[test]
fn what_is_on_a_wire_of_this_machine_is_private_however_global_it_looks() {
    let route = "26064700000000000000000000000000 40 00000000000000000000000000000000 00 \
                 00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0";
    let trie = "|-- 45.33.32.0\n   /24 link UNICAST\n";
    let networks = Networks::parse(trie, route);
    for (address, is_here) in [
        ("45.33.32.156", true),
        ("::ffff:45.33.32.156", true),
        ("2606:4700::1", true),
        ("45.33.33.156", false),
        ("2606:4700:1::1", false),
    ] {
        let ip = address.parse().unwrap();
        let expected = is_here.then_some(Objection::Private("on this machine's own network"));
        assert_eq!(objection(ip, false, &networks), expected, "{address}");
        assert_eq!(objection(ip, true, &networks), None, "{address}");
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
