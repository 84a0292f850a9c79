//! Who is connected, and who makes room when there are too many.
//!
//! At a bound, the connection that has been without progress longest is closed, so that a crowd of
//! silent ones cannot keep an honest sender out. Progress is what a silent or dripping peer cannot
//! make: to be accepted, to finish the TLS handshake, to bring an authentic delivery. Whoever made
//! some within the last moment makes room for nobody but its own address, so that a stream of
//! newcomers cannot cut off what has just begun; there a newcomer waits (`waiting`). Called by
//! `listener`, which admits, and `visit`. Promises: the number of entries never exceeds the bounds;
//! nobody with an authentic delivery in hand is closed.

use super::body::Budget;
use super::peer::Peer;
use super::visit::Visit;
use crate::model::Limits;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Networks that are remembered for having delivered something authentic.
const KNOWN_MAX: usize = 64;

/// The place of a connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    visit: Arc<Visit>,
}

/// Everybody who is connected.
#[derive(Debug)]
pub(super) struct Registry {
    shared: Arc<Shared>,
    budget: Budget,
    bounds: Bounds,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    places: usize,
    places_per_peer: usize,
    places_per_network: usize,
    undisturbed: Duration,
    /// Bytes that each may hold of its own.
    allowance: usize,
}

/// What the registry and its connections share.
#[derive(Debug)]
pub(super) struct Shared {
    visits: Mutex<HashMap<u64, Arc<Visit>>>,
    /// Grows with every progress that anybody makes.
    steps: AtomicU64,
    /// Networks that have delivered something authentic, the latest last.
    known: Mutex<VecDeque<IpAddr>>,
}

/// How somebody was taken in.
#[derive(Debug)]
pub(super) enum Admission {
    /// There was room.
    Admitted(Place),
    /// Room was made: somebody else's connection is being closed.
    InsteadOf(Peer, Place),
}

impl Registry {
    /// Nobody yet.
    pub(super) fn new(limits: &Limits, budget: Budget) -> Self {
        let shared = Shared {
            visits: Mutex::default(),
            steps: AtomicU64::new(0),
            known: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            budget,
            bounds: Bounds {
                places: limits.connections_max,
                places_per_peer: limits.connections_per_peer_max,
                places_per_network: limits.connections_per_network_max(),
                undisturbed: limits.undisturbed,
                allowance: limits.body_bytes_free + limits.request_bytes,
            },
        }
    }

    /// Takes somebody in, at the cost of whoever is quietest where there is no room; nobody, while none
    /// can make room.
    pub(super) fn admit(&self, peer: Peer) -> Option<Admission> {
        let Bounds {
            places,
            places_per_peer,
            places_per_network,
            undisturbed,
            allowance,
        } = self.bounds;
        let network = peer.wide_network();
        let mut visits = self.shared.visits();
        let count = |is: &dyn Fn(Peer) -> bool| visits.values().filter(|v| is(v.peer)).count();
        let is_own = |other: Peer| other == peer;
        let is_near = |other: Peer| network.is_some() && other.wide_network() == network;
        let room = if count(&is_own) >= places_per_peer {
            // It is its own affair how recently that one came.
            Some(displace(&mut visits, Duration::ZERO, is_own))
        } else if count(&is_near) >= places_per_network {
            Some(displace(&mut visits, undisturbed, is_near))
        } else if visits.len() >= places {
            Some(displace(&mut visits, undisturbed, |_| true))
        } else {
            None
        };
        if room == Some(None) {
            return None;
        }
        let number = self.shared.step();
        let visit = Arc::new(Visit::new(
            peer,
            (number, Instant::now()),
            allowance,
            self.budget.clone(),
            Arc::clone(&self.shared),
        ));
        visits.insert(number, Arc::clone(&visit));
        let place = Place { number, visit };
        Some(match room.flatten() {
            Some(displaced) => Admission::InsteadOf(displaced, place),
            None => Admission::Admitted(place),
        })
    }

    /// Whether somebody from this peer's network has delivered something authentic.
    pub(super) fn knows(&self, peer: Peer) -> bool {
        let network = peer.network();
        network.is_some_and(|network| self.shared.remembers(network))
    }

    /// How many connections this peer has.
    pub(super) fn held_by(&self, peer: Peer) -> usize {
        let visits = self.shared.visits();
        visits.values().filter(|visit| visit.peer == peer).count()
    }

    /// Closes the quietest connection, because the system has run out of something. Tells whether
    /// there was one to close.
    pub(super) fn make_room(&self) -> bool {
        let undisturbed = self.bounds.undisturbed;
        displace(&mut self.shared.visits(), undisturbed, |_| true).is_some()
    }
}

impl Shared {
    fn visits(&self) -> MutexGuard<'_, HashMap<u64, Arc<Visit>>> {
        // The map is whole between any two statements, so a panic elsewhere leaves it usable.
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next in the order of progress.
    pub(super) fn step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::Relaxed)
    }

    /// Remembers that somebody from this network has delivered something authentic.
    pub(super) fn remember(&self, network: IpAddr) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| *other != network);
        if known.len() >= KNOWN_MAX {
            known.pop_front();
        }
        known.push_back(network);
    }

    /// Whether somebody from this network has.
    pub(super) fn remembers(&self, network: IpAddr) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&network)
    }
}

/// Removes and closes the quietest of those that `may` make room. Whoever brought an authentic
/// delivery makes none while there is somebody who never did, however recently that one came.
fn displace(
    visits: &mut HashMap<u64, Arc<Visit>>,
    undisturbed: Duration,
    may: impl Fn(Peer) -> bool,
) -> Option<Peer> {
    let now = Instant::now();
    let (&number, visit) = visits
        .iter()
        .filter(|(_, visit)| may(visit.peer) && !visit.has_delivery_in_hand())
        .min_by_key(|(_, visit)| (visit.has_delivered(), visit.progress().0))?;
    if now.duration_since(visit.progress().1) < undisturbed {
        return None;
    }
    let visit = visits.remove(&number)?;
    visit.displace();
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
        self.visit.registry().visits().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::time::advance;

    const AWHILE: Duration = Duration::from_millis(1_500);

    fn registry(connections_max: usize, connections_per_peer_max: usize) -> Registry {
        let limits = Limits {
            connections_max,
            connections_per_peer_max,
            ..Limits::default()
        };
        Registry::new(&limits, Budget::new(0))
    }

    /// Each in a network of its own.
    fn peer(third: u8) -> Peer {
        Peer::of(Ipv4Addr::new(192, 0, third, 1).into())
    }

    fn enter(registry: &Registry, peer: Peer) -> Place {
        match registry.admit(peer).unwrap() {
            Admission::Admitted(place) | Admission::InsteadOf(_, place) => place,
        }
    }

    fn is_displaced(place: &Place) -> bool {
        let visits = place.visit.registry().visits();
        !visits.contains_key(&place.number)
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_bound_the_one_without_progress_for_longest_makes_room() {
        let registry = registry(3, 3);
        let (first, second, third) = (
            enter(&registry, peer(1)),
            enter(&registry, peer(2)),
            enter(&registry, peer(3)),
        );
        advance(AWHILE).await;
        first.visit().note_progress();
        let fourth = registry.admit(peer(4));
        assert!(matches!(fourth, Some(Admission::InsteadOf(whose, _)) if whose == peer(2)));
        assert!(is_displaced(&second) && !is_displaced(&first) && !is_displaced(&third));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_got_somewhere_within_the_last_second_makes_room_for_another_address() {
        let registry = registry(2, 2);
        let first = enter(&registry, peer(1));
        advance(Duration::from_millis(900)).await;
        let second = enter(&registry, peer(2));
        assert!(registry.admit(peer(3)).is_none());
        assert!(!registry.make_room());
        // It has just finished its handshake; now the other one is the older.
        first.visit().note_progress();
        advance(Duration::from_millis(950)).await;
        assert!(registry.admit(peer(3)).is_none());
        advance(Duration::from_millis(100)).await;
        assert!(matches!(
            registry.admit(peer(3)),
            Some(Admission::InsteadOf(..))
        ));
        assert!(is_displaced(&second) || is_displaced(&first));
    }

    #[tokio::test(start_paused = true)]
    async fn one_peer_displaces_its_own_and_nobody_elses() {
        let registry = registry(10, 2);
        let quiet = enter(&registry, peer(1));
        let crowd: Vec<_> = (0..20).map(|_| enter(&registry, peer(9))).collect();
        assert!(!is_displaced(&quiet));
        assert_eq!(crowd.iter().filter(|place| !is_displaced(place)).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_network_leaves_room_for_the_others() {
        for (of, elsewhere) in [("192.0.2.", "192.0.3.1"), ("2001:db8:1:", "2001:db8:2::1")] {
            let registry = registry(16, 2);
            let near = |n: usize| {
                let text = if of.contains(':') {
                    format!("{of}{n}::1")
                } else {
                    format!("{of}{n}")
                };
                Peer::of(text.parse().unwrap())
            };
            let crowd: Vec<_> = (1..=12).map(|n| enter(&registry, near(n))).collect();
            assert!(registry.admit(near(13)).is_none());
            let honest = enter(&registry, Peer::of(elsewhere.parse().unwrap()));
            advance(AWHILE).await;
            let places: Vec<_> = (13..40).map(|n| registry.admit(near(n))).collect();
            assert_eq!(places.len(), 27);
            assert!(!is_displaced(&honest) && crowd.iter().all(is_displaced));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_brought_a_delivery_stays_longer_than_whoever_never_did() {
        let registry = registry(2, 2);
        let honest = enter(&registry, peer(1));
        honest.visit().note_delivery();
        let mut places = Vec::new();
        for third in 2..20 {
            advance(AWHILE).await;
            places.push(enter(&registry, peer(third)));
        }
        assert!(!is_displaced(&honest));
        let left = places.iter().filter(|place| !is_displaced(place)).count();
        assert_eq!(left, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_delivered_makes_room_while_others_have_only_just_begun() {
        let registry = registry(2, 2);
        let honest = enter(&registry, peer(1));
        honest.visit().note_delivery();
        advance(AWHILE).await;
        let newcomer = enter(&registry, peer(2));
        assert!(registry.admit(peer(3)).is_none());
        advance(AWHILE).await;
        assert!(registry.admit(peer(3)).is_some());
        assert!(is_displaced(&newcomer) && !is_displaced(&honest));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_brought_a_delivery_is_known_from_then_on() {
        let registry = registry(200, 2);
        let place = enter(&registry, peer(1));
        assert!(!place.visit().is_known());
        place.visit().note_delivery();
        assert!(enter(&registry, peer(1)).visit().is_known());
        assert!(!enter(&registry, peer(2)).visit().is_known());
        for third in 2..u8::try_from(KNOWN_MAX).unwrap() + 2 {
            enter(&registry, peer(third)).visit().note_delivery();
        }
        assert!(!enter(&registry, peer(1)).visit().is_known());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_with_an_authentic_delivery_in_hand_is_displaced() {
        let registry = registry(1, 1);
        let place = enter(&registry, peer(1));
        let in_hand = place.visit().begin_delivery();
        advance(AWHILE).await;
        assert!(registry.admit(peer(2)).is_none());
        assert!(!registry.make_room());
        drop(in_hand);
        assert!(matches!(
            registry.admit(peer(2)),
            Some(Admission::InsteadOf(..))
        ));
        assert!(is_displaced(&place));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_back_when_the_connection_ends() {
        let registry = registry(1, 1);
        drop(enter(&registry, peer(1)));
        assert!(matches!(
            registry.admit(peer(2)),
            Some(Admission::Admitted(_))
        ));
    }
}
