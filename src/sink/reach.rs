//! What can be said of a target before anything is posted to it: whether it is the relay itself, or
//! lies where nothing may be dialled.
//!
//! A first look only, for whoever writes a target down: a name may lead elsewhere tomorrow, so every
//! connection is judged again ([`dial`](super::dial)). Called by the desk of instances.

use super::address::{self, Objection};
use super::networks::Networks;
use crate::wire::url::Url;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long a name may take to be resolved.
const LOOKUP: Duration = Duration::from_secs(3);

/// Where a target is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Somewhere else; or nobody knows, because the name cannot be resolved at the moment.
    Elsewhere,
    /// Where the relay itself listens.
    Here,
    /// At addresses that may not be dialled; the first of them, and why.
    Forbidden(IpAddr, Objection),
}

/// Looks where `url` leads. `own` is where the relay listens, `names` what its certificate calls it.
pub async fn reach(
    url: &Url,
    private_addresses: bool,
    own: &[SocketAddr],
    names: &[String],
) -> Reach {
    let is_own_port = own.iter().any(|address| address.port() == url.port());
    // The public port may be another one than the one that is listened on: a router forwards it.
    let is_public = is_own_port || url.port() == 443;
    let is_named = names
        .iter()
        .any(|name| name.eq_ignore_ascii_case(url.host()));
    if is_named && is_public && url.is_https() {
        return Reach::Here;
    }
    let lookup = lookup_host((url.host(), url.port()));
    let Ok(Ok(addresses)) = timeout(LOOKUP, lookup).await else {
        return Reach::Elsewhere;
    };
    let addresses: Vec<SocketAddr> = addresses.collect();
    // What this machine's own side of such a connection would be is not known here; loopback is.
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if addresses
        .iter()
        .any(|at| address::is_own(loopback, *at, own))
    {
        return Reach::Here;
    }
    let networks = Networks::of_this_machine();
    let judge = |ip| address::objection(ip, private_addresses, &networks);
    let objections = addresses
        .iter()
        .map(|at| judge(at.ip()).map(|why| (at.ip(), why)));
    let objections: Option<Vec<_>> = objections.collect();
    let first = objections.and_then(|all| all.into_iter().next());
    first.map_or(Reach::Elsewhere, |(ip, why)| Reach::Forbidden(ip, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look(url: &str, private_addresses: bool) -> Reach {
        let own = ["127.0.0.1:8443".parse().unwrap()];
        let names = ["gateway.example".to_owned()];
        let url = Url::parse(url).unwrap();
        reach(&url, private_addresses, &own, &names).await
    }

    #[tokio::test]
    async fn the_relay_itself_is_known_by_its_addresses_and_by_its_name() {
        for url in [
            "https://127.0.0.1:8443/elements/api-v2/events/quickbooks/",
            "http://127.0.0.2:8443/x",
            "https://[::1]:8443/",
            "https://gateway.example/elements/api-v2/events/quickbooks",
            "https://GATEWAY.example:8443/",
        ] {
            // A listener on 127.0.0.1 does not answer on the machine's other addresses.
            let expected = match url {
                "http://127.0.0.2:8443/x" | "https://[::1]:8443/" => Reach::Elsewhere,
                _ => Reach::Here,
            };
            assert_eq!(look(url, true).await, expected, "{url}");
        }
    }

    #[tokio::test]
    async fn addresses_that_may_not_be_dialled_are_told_with_their_reason() {
        let ip = |text: &str| text.parse().unwrap();
        let private = Reach::Forbidden(ip("192.168.1.7"), Objection::Private("private"));
        assert_eq!(look("https://192.168.1.7/hook", false).await, private);
        assert_eq!(
            look("https://192.168.1.7/hook", true).await,
            Reach::Elsewhere
        );
        let local = Reach::Forbidden(ip("169.254.169.254"), Objection::Never("link-local"));
        assert_eq!(look("http://169.254.169.254/", true).await, local);
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_resolved_may_be_reached_later() {
        assert_eq!(
            look("https://nowhere.invalid/hook", false).await,
            Reach::Elsewhere
        );
    }
}
