//! Newcomers for whom there is no place at the moment, because all others have only just come.
//!
//! Called by `listener`. Promises: their number is bounded, and so is their time; a peer that is
//! known for its deliveries comes first, then the one with the fewest connections, so that a crowd
//! cannot wait in front of somebody else.

use super::peer::Peer;
use super::registry::{Admission, Registry};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Those who wait, the longest first.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    queue: VecDeque<Newcomer<T>>,
    count_max: usize,
    span: Duration,
}

#[derive(Debug)]
struct Newcomer<T> {
    stream: T,
    peer: Peer,
    until: Instant,
}

impl<T> Waiting<T> {
    /// Nobody yet; at most `count_max`, each for `span`.
    pub(super) fn new(count_max: usize, span: Duration) -> Self {
        let queue = VecDeque::new();
        Self {
            queue,
            count_max,
            span,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Lets somebody wait; whoever is sent away for it, which may be the newcomer.
    pub(super) fn push(&mut self, stream: T, peer: Peer) -> Option<Peer> {
        let sent_away = if self.queue.len() < self.count_max {
            None
        } else {
            let count = |peer| self.queue.iter().filter(|other| other.peer == peer).count();
            let most = (0..self.queue.len()).max_by_key(|&at| {
                let of = self
                    .queue
                    .get(at)
                    .map_or(0, |newcomer| count(newcomer.peer));
                (of, usize::MAX - at)
            });
            let most = most.filter(|&at| {
                let theirs = self.queue.get(at).map(|newcomer| newcomer.peer);
                theirs.is_some_and(|theirs| count(theirs) > count(peer) + 1)
            });
            let Some(newcomer) = most.and_then(|at| self.queue.remove(at)) else {
                return Some(peer);
            };
            Some(newcomer.peer)
        };
        let until = Instant::now() + self.span;
        self.queue.push_back(Newcomer {
            stream,
            peer,
            until,
        });
        sent_away
    }

    /// Takes out whoever can be admitted now, and how.
    pub(super) fn admit(&mut self, registry: &Registry) -> Option<(T, Admission)> {
        let newcomers = self.queue.iter().enumerate();
        let rank = |(at, newcomer): (usize, &Newcomer<T>)| {
            let peer = newcomer.peer;
            (!registry.knows(peer), registry.held_by(peer), at)
        };
        let mut order: Vec<_> = newcomers.map(rank).collect();
        order.sort_unstable();
        for (_, _, at) in order {
            let peer = self.queue.get(at)?.peer;
            if let Some(admission) = registry.admit(peer) {
                return Some((self.queue.remove(at)?.stream, admission));
            }
        }
        None
    }

    /// Sends away whoever has waited too long.
    pub(super) fn expire(&mut self) -> Option<Peer> {
        let is_over = self.queue.front()?.until <= Instant::now();
        is_over.then(|| self.queue.pop_front().map(|newcomer| newcomer.peer))?
    }
}

#[cfg(test)]
mod tests {
    use super::super::body::Budget;
    use super::*;
    use crate::model::Limits;
    use std::net::Ipv4Addr;
    use tokio::time::advance;

    fn peer(third: u8) -> Peer {
        Peer::of(Ipv4Addr::new(192, 0, third, 1).into())
    }

    fn registry(connections_max: usize) -> Registry {
        let limits = Limits {
            connections_max,
            connections_per_peer_max: connections_max,
            ..Limits::default()
        };
        Registry::new(&limits, Budget::new(0))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_the_fewest_connections_comes_first() {
        let registry = registry(4);
        let mut places = vec![
            registry.admit(peer(1)),
            registry.admit(peer(1)),
            registry.admit(peer(1)),
            registry.admit(peer(2)),
        ];
        let mut waiting = Waiting::new(8, Duration::from_secs(2));
        for (name, third) in [("crowd", 1), ("second", 2), ("honest", 3)] {
            assert!(registry.admit(peer(third)).is_none());
            assert_eq!(waiting.push(name, peer(third)), None);
        }
        assert!(waiting.admit(&registry).is_none());
        drop(places.remove(0));
        let (name, _place) = waiting.admit(&registry).unwrap();
        assert_eq!(name, "honest");
        advance(Duration::from_millis(1_100)).await;
        let (name, admission) = waiting.admit(&registry).unwrap();
        assert!(name == "second" && matches!(admission, Admission::InsteadOf(..)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_waits_gives_way_to_others_and_nobody_waits_for_ever() {
        let mut waiting = Waiting::new(3, Duration::from_secs(2));
        for number in 0..3 {
            assert_eq!(waiting.push(number, peer(1)), None);
        }
        assert_eq!(waiting.push(3, peer(1)), Some(peer(1)));
        assert_eq!(waiting.push(4, peer(2)), Some(peer(1)));
        assert_eq!(waiting.push(5, peer(3)), Some(peer(1)));
        assert_eq!(waiting.push(6, peer(4)), Some(peer(4)));
        assert_eq!(waiting.expire(), None);
        advance(Duration::from_secs(2)).await;
        let sent_away: Vec<_> = std::iter::from_fn(|| waiting.expire()).collect();
        assert_eq!(sent_away, [peer(1), peer(2), peer(3)]);
        assert!(waiting.is_empty());
    }
}
