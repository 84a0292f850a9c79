//! How many calls are in flight at a time.
//!
//! An answer is held in memory, so calls are bounded over all companies. A company that fails or is
//! slow draws on a share of its own, so that such companies, however many, cannot use up what the
//! others need.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Of so many calls, one is for companies that fail or are slow.
const SLOW_SHARE: usize = 4;

/// The permits.
pub(super) struct Gate {
    swift: Semaphore,
    slow: Semaphore,
}

/// How a company's last call went.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Pace {
    /// As it should.
    #[default]
    Swift,
    /// It failed, or took long.
    Slow,
}

impl Gate {
    /// Room for so many calls, at least one of each sort.
    pub(super) fn new(calls_max: usize) -> Self {
        let slow = (calls_max / SLOW_SHARE).max(1);
        Self {
            swift: Semaphore::new(calls_max.saturating_sub(slow).max(1)),
            slow: Semaphore::new(slow),
        }
    }

    /// Waits for a place. `None` never happens: the semaphores are not closed.
    pub(super) async fn permit(&self, pace: Pace) -> Option<SemaphorePermit<'_>> {
        let share = match pace {
            Pace::Swift => &self.swift,
            Pace::Slow => &self.slow,
        };
        share.acquire().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_companies_leave_room_for_the_others() {
        let gate = Gate::new(8);
        let held = [gate.permit(Pace::Slow).await, gate.permit(Pace::Slow).await];
        assert_eq!(gate.slow.available_permits(), 0);
        assert!(gate.permit(Pace::Swift).await.is_some());
        drop(held);
        assert_eq!(gate.slow.available_permits(), 2);
        assert_eq!(Gate::new(0).swift.available_permits(), 1);
    }
}
