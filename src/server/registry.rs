//! Who is connected, and who makes room when there are too many.
//!
//! Not a queue: a newcomer never waits for a place. At a bound, the connection that has been without
//! progress longest is closed, so that a crowd of silent ones cannot keep an honest sender out.
//! Progress is what a silent or dripping peer cannot make: to be accepted, to finish the TLS
//! handshake, to bring an authentic delivery. Called by `listener` and `connection`. Promises: the
//! number of entries never exceeds the bounds; nobody with an authentic delivery in hand is closed.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Whose connection it is. Two are the same peer as far as the bound for each peer goes: an IPv6
/// network of 64 bits is one, because its owner has all its addresses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    /// An address; never an IPv4 one in IPv6's clothes.
    Address(IpAddr),
    /// A process on this machine, over a Unix socket.
    Local,
}

/// One connection, as the registry and its own task see it.
#[derive(Debug)]
pub(super) struct Visit {
    /// Whose it is.
    pub(super) peer: Peer,
    /// Bytes of body that this connection may always hold; what goes beyond draws on the budget
    /// that all share.
    pub(super) allowance: Arc<Semaphore>,
    /// A body was left unread by a refusal, so that closing at once could lose the answer.
    pub(super) unread: AtomicBool,
    registry: Arc<Shared>,
    progress: AtomicU64,
    has_delivered: AtomicBool,
    requests: AtomicUsize,
    deliveries: AtomicUsize,
    activity: Notify,
    displaced: Notify,
}

/// The place of a connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    visit: Arc<Visit>,
}

/// A request in hand, or an authentic delivery in hand; over when dropped.
#[derive(Debug)]
pub(super) struct InHand<'a, const DELIVERY: bool>(&'a Visit);

/// Everybody who is connected.
#[derive(Debug)]
pub(super) struct Registry {
    shared: Arc<Shared>,
    places_max: usize,
    places_per_peer_max: usize,
    allowance: usize,
}

#[derive(Debug, Default)]
struct Shared {
    visits: Mutex<HashMap<u64, Arc<Visit>>>,
    /// Grows with every progress that anybody makes: the order of progress, without a clock.
    steps: AtomicU64,
}

/// What became of somebody who came.
#[derive(Debug)]
pub(super) enum Admission {
    /// There was room.
    Admitted(Place),
    /// Room was made: somebody else's connection is being closed.
    InsteadOf(Peer, Place),
    /// Everybody here has an authentic delivery in hand.
    Refused,
}

impl Registry {
    /// Nobody yet. At most `places_max` in all and `places_per_peer_max` of one peer; each may hold
    /// `allowance` bytes of body.
    pub(super) fn new(places_max: usize, places_per_peer_max: usize, allowance: usize) -> Self {
        Self {
            shared: Arc::default(),
            places_max,
            places_per_peer_max,
            allowance,
        }
    }

    /// Takes somebody in, at the cost of whoever is quietest where there is no room.
    pub(super) fn admit(&self, peer: Peer) -> Admission {
        let number = self.shared.step();
        let visit = Arc::new(Visit {
            peer,
            allowance: Arc::new(Semaphore::new(self.allowance)),
            unread: AtomicBool::new(false),
            registry: Arc::clone(&self.shared),
            progress: AtomicU64::new(number),
            has_delivered: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            deliveries: AtomicUsize::new(0),
            activity: Notify::new(),
            displaced: Notify::new(),
        });
        let mut visits = self.shared.visits();
        let of_peer = visits.values().filter(|other| other.peer == peer).count();
        let displaced = if of_peer >= self.places_per_peer_max {
            displace(&mut visits, Some(peer))
        } else if visits.len() >= self.places_max {
            displace(&mut visits, None)
        } else {
            visits.insert(number, Arc::clone(&visit));
            return Admission::Admitted(Place { number, visit });
        };
        let Some(displaced) = displaced else {
            return Admission::Refused;
        };
        visits.insert(number, Arc::clone(&visit));
        Admission::InsteadOf(displaced, Place { number, visit })
    }

    /// Closes the quietest connection, because the system has run out of something. Tells whether
    /// there was one to close.
    pub(super) fn make_room(&self) -> bool {
        displace(&mut self.shared.visits(), None).is_some()
    }
}

impl Shared {
    fn visits(&self) -> MutexGuard<'_, HashMap<u64, Arc<Visit>>> {
        // The map is whole between any two statements, so a panic elsewhere leaves it usable.
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::Relaxed)
    }
}

/// Removes and closes the quietest: those that never brought an authentic delivery first, then by
/// their last progress.
fn displace(visits: &mut HashMap<u64, Arc<Visit>>, of: Option<Peer>) -> Option<Peer> {
    let (&number, _) = visits
        .iter()
        .filter(|(_, visit)| of.is_none_or(|peer| visit.peer == peer))
        .filter(|(_, visit)| visit.deliveries.load(Ordering::Relaxed) == 0)
        .min_by_key(|(_, visit)| {
            let has_delivered = visit.has_delivered.load(Ordering::Relaxed);
            (has_delivered, visit.progress.load(Ordering::Relaxed))
        })?;
    let visit = visits.remove(&number)?;
    visit.displaced.notify_one();
    Some(visit.peer)
}

impl Place {
    /// The connection that has it.
    pub(super) fn visit(&self) -> &Arc<Visit> {
        &self.visit
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.visit.registry.visits().remove(&self.number);
    }
}

impl Visit {
    /// Notes that the connection got somewhere.
    pub(super) fn note_progress(&self) {
        let step = self.registry.step();
        self.progress.store(step, Ordering::Relaxed);
    }

    /// Notes that an authentic delivery was kept.
    pub(super) fn note_delivery(&self) {
        self.has_delivered.store(true, Ordering::Relaxed);
        self.note_progress();
    }

    /// Takes a request in hand.
    pub(super) fn begin_request(&self) -> InHand<'_, false> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.activity.notify_one();
        InHand(self)
    }

    /// Takes an authentic delivery in hand: from now on nobody displaces this connection.
    pub(super) fn begin_delivery(&self) -> InHand<'_, true> {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
        InHand(self)
    }

    /// Waits until the connection has to make room.
    pub(super) async fn displaced(&self) {
        self.displaced.notified().await;
    }

    /// Waits until there has been no request in hand for `span`. For one task at a time.
    pub(super) async fn idle_for(&self, span: Duration) {
        loop {
            if self.requests.load(Ordering::Relaxed) > 0 {
                self.activity.notified().await;
                continue;
            }
            tokio::select! {
                () = self.activity.notified() => {}
                () = tokio::time::sleep(span) => return,
            }
        }
    }
}

impl<const DELIVERY: bool> Drop for InHand<'_, DELIVERY> {
    fn drop(&mut self) {
        if DELIVERY {
            self.0.deliveries.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.0.requests.fetch_sub(1, Ordering::Relaxed);
            self.0.activity.notify_one();
        }
    }
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

    /// What the bound goes by.
    pub(super) fn network(self) -> Option<IpAddr> {
        self.address().map(|address| match address {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 @ IpAddr::V4(_) => v4,
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
    use std::net::Ipv4Addr;

    fn peer(last: u8) -> Peer {
        Peer::of(Ipv4Addr::new(192, 0, 2, last).into())
    }

    fn enter(registry: &Registry, peer: Peer) -> Place {
        match registry.admit(peer) {
            Admission::Admitted(place) | Admission::InsteadOf(_, place) => place,
            Admission::Refused => panic!("nobody was admitted"),
        }
    }

    fn is_displaced(place: &Place) -> bool {
        !place.visit.registry.visits().contains_key(&place.number)
    }

    #[test]
    fn at_the_bound_the_one_without_progress_for_longest_makes_room() {
        let registry = Registry::new(3, 3, 0);
        let (first, second, third) = (
            enter(&registry, peer(1)),
            enter(&registry, peer(2)),
            enter(&registry, peer(3)),
        );
        first.visit().note_progress();
        let fourth = registry.admit(peer(4));
        assert!(matches!(fourth, Admission::InsteadOf(whose, _) if whose == peer(2)));
        assert!(is_displaced(&second) && !is_displaced(&first) && !is_displaced(&third));
    }

    #[test]
    fn one_peer_displaces_its_own_and_nobody_elses() {
        let registry = Registry::new(10, 2, 0);
        let quiet = enter(&registry, peer(1));
        let crowd: Vec<_> = (0..20).map(|_| enter(&registry, peer(9))).collect();
        assert!(!is_displaced(&quiet));
        assert_eq!(crowd.iter().filter(|place| !is_displaced(place)).count(), 2);
    }

    #[test]
    fn whoever_brought_a_delivery_stays_longer_than_whoever_never_did() {
        let registry = Registry::new(2, 2, 0);
        let honest = enter(&registry, peer(1));
        honest.visit().note_delivery();
        let places: Vec<_> = (2..20).map(|last| enter(&registry, peer(last))).collect();
        assert!(!is_displaced(&honest));
        assert_eq!(
            places.iter().filter(|place| !is_displaced(place)).count(),
            1
        );
    }

    #[test]
    fn nobody_with_an_authentic_delivery_in_hand_is_displaced() {
        let registry = Registry::new(1, 1, 0);
        let place = enter(&registry, peer(1));
        let in_hand = place.visit().begin_delivery();
        assert!(matches!(registry.admit(peer(2)), Admission::Refused));
        assert!(!registry.make_room());
        drop(in_hand);
        assert!(matches!(registry.admit(peer(2)), Admission::InsteadOf(..)));
        assert!(is_displaced(&place));
    }

    #[test]
    fn a_place_is_given_back_when_the_connection_ends() {
        let registry = Registry::new(1, 1, 0);
        drop(enter(&registry, peer(1)));
        assert!(matches!(registry.admit(peer(1)), Admission::Admitted(_)));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_peer() {
        let of = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_eq!(of("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[tokio::test]
    async fn a_connection_is_idle_only_while_it_has_no_request_in_hand() {
        let registry = Registry::new(1, 1, 0);
        let place = enter(&registry, peer(1));
        let visit = Arc::clone(place.visit());
        let span = Duration::from_millis(20);
        let in_hand = visit.begin_request();
        let idle = visit.idle_for(span);
        tokio::pin!(idle);
        assert!(tokio::time::timeout(5 * span, &mut idle).await.is_err());
        drop(in_hand);
        assert!(tokio::time::timeout(500 * span, &mut idle).await.is_ok());
    }
}
