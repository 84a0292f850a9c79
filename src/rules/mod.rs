//! Floor 1, decisions: pure functions from what is known to what is done next.
//!
//! No async, no clock, no entropy, no I/O: now and chance are arguments (invariant I3).

pub mod clock;
pub mod dedupe;
pub mod health;
pub mod lamp;
pub mod lane;
pub mod led;
pub mod retry;

mod span;
