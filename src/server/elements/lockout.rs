//! Who guesses at secrets is told to wait, longer each time.
//!
//! Whoever has the right ones is never kept waiting, so nobody can lock out anybody else. Promises:
//! what is remembered is bounded, and forgotten in time.

use super::super::peer::Peer;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Wrong ones in a row that have no other consequence.
const FREE: u32 = 10;

/// The longest wait, in seconds; the first is one, each next one twice as long.
const WAIT_MAX_S: u64 = 60;

/// After so long without a wrong guess a peer is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(15);

/// Peers that are remembered; beyond, the one that guessed longest ago is forgotten.
const PEERS_MAX: usize = 1024;

/// The peers that guessed wrong last. An IPv6 network is one peer; those without an address
/// together are one.
#[derive(Default, Debug)]
pub(super) struct Lockout(Mutex<HashMap<Option<IpAddr>, Guesses>>);

#[derive(Clone, Copy, Debug)]
struct Guesses {
    in_a_row: u32,
    last: Instant,
}

impl Lockout {
    /// The peer showed right ones.
    pub(super) fn right(&self, peer: Peer) {
        self.peers().remove(&peer.network());
    }

    /// The peer showed wrong ones; how many seconds it is to wait, if it guesses.
    pub(super) fn wrong(&self, peer: Peer, now: Instant) -> Option<u64> {
        let mut peers = self.peers();
        let key = peer.network();
        let known = peers.get(&key).copied();
        let known = known.filter(|guesses| now.duration_since(guesses.last) < FORGOTTEN);
        if known.is_none() && peers.len() >= PEERS_MAX {
            make_room(&mut peers, now);
        }
        let in_a_row = known
            .map_or(0, |guesses| guesses.in_a_row)
            .saturating_add(1);
        let last = now;
        peers.insert(key, Guesses { in_a_row, last });
        let beyond = in_a_row.checked_sub(FREE + 1)?;
        Some(
            1_u64
                .checked_shl(beyond)
                .unwrap_or(WAIT_MAX_S)
                .clamp(1, WAIT_MAX_S),
        )
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Guesses>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(peers: &mut HashMap<Option<IpAddr>, Guesses>, now: Instant) {
    peers.retain(|_, guesses| now.duration_since(guesses.last) < FORGOTTEN);
    if peers.len() < PEERS_MAX {
        return;
    }
    let oldest = peers.iter().min_by_key(|(_, guesses)| guesses.last);
    if let Some(oldest) = oldest.map(|(key, _)| *key) {
        peers.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> Peer {
        Peer::of(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn ten_wrong_ones_are_free_and_then_the_wait_doubles_up_to_a_minute() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for _ in 0..FREE {
            assert_eq!(lockout.wrong(peer(1), now), None);
        }
        let waits: Vec<_> = (0..9)
            .map(|_| lockout.wrong(peer(1), now).unwrap())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        for _ in 0..100 {
            assert_eq!(lockout.wrong(peer(1), now), Some(60));
        }
        assert_eq!(lockout.wrong(peer(2), now), None, "another peer is another");
    }

    #[test]
    fn right_ones_and_time_begin_the_count_again() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        let guess_often = || (0..20).filter_map(|_| lockout.wrong(peer(1), now)).count();
        assert_eq!(guess_often(), 10);
        lockout.right(peer(1));
        assert_eq!(guess_often(), 10);
        assert_eq!(lockout.wrong(peer(1), now + FORGOTTEN), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_who_guessed_longest_ago_is_forgotten() {
        let (lockout, began) = (Lockout::default(), Instant::now());
        for number in 0..3_000 {
            let now = began + Duration::from_millis(number.into());
            lockout.wrong(peer(number), now);
        }
        let peers = lockout.peers();
        assert_eq!(peers.len(), PEERS_MAX);
        assert!(peers.contains_key(&peer(2_999).network()));
        assert!(!peers.contains_key(&peer(0).network()));
    }
}
