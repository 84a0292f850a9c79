//! Floor 1, decisions: pure functions from what is known to what is done next.
//!
//! No async, no clock, no entropy, no I/O: now and chance are arguments (invariant I3).

pub mod books;
pub mod budget;
pub mod clock;
pub mod company;
pub mod dedupe;
pub mod gap;
pub mod health;
pub mod lamp;
pub mod lane;
pub mod lapse;
pub mod led;
pub mod outage;
pub mod pause;
pub mod reconcile;
pub mod retry;
pub mod throttle;
pub mod timetable;
pub mod token;

mod span;
