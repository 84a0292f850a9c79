//! How many lines a log gets about what happens often: each of the first in a second, and of the others
//! how many there were. Writing a line costs more than what it tells of.

use std::sync::atomic::{AtomicU64, Ordering};

/// Lines in one second.
const LINES_MAX: u64 = 20;

/// Counts what happens in a second of its own. Where two threads meet at the turn of a second, one more
/// or less is told singly; none is told wrongly.
#[derive(Default, Debug)]
pub struct Sampler {
    second: AtomicU64,
    seen: AtomicU64,
    untold: AtomicU64,
}

impl Sampler {
    /// Nothing has happened yet.
    pub const fn new() -> Self {
        Self {
            second: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        }
    }

    /// Something happened in this second; whether it gets a line of its own.
    pub fn admits(&self, second: u64) -> bool {
        self.turn(second);
        self.seen.fetch_add(1, Ordering::Relaxed) < LINES_MAX
    }

    /// How many got no line in the seconds before this one; each is told once.
    pub fn untold(&self, second: u64) -> u64 {
        self.turn(second);
        self.untold.swap(0, Ordering::Relaxed)
    }

    fn turn(&self, second: u64) {
        let last = self.second.load(Ordering::Relaxed);
        let is_first = last != second
            && self
                .second
                .compare_exchange(last, second, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_first {
            let seen = self.seen.swap(0, Ordering::Relaxed);
            let untold = seen.saturating_sub(LINES_MAX);
            self.untold.fetch_add(untold, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_second_are_told_singly_and_the_others_are_summed_once() {
        let sampler = Sampler::new();
        let told = (0..50).filter(|_| sampler.admits(7)).count();
        assert_eq!(told, 20);
        assert_eq!(sampler.untold(7), 0);
        assert!(sampler.admits(8));
        assert_eq!((sampler.untold(8), sampler.untold(9)), (30, 0));
        let told = (0..20).filter(|_| sampler.admits(9)).count();
        assert_eq!((told, sampler.untold(10)), (20, 0));
    }
}
