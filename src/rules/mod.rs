//! Floor 1: decisions, each a function from facts to a word.
//!
//! Pure: no I/O, nothing async, and time and chance are arguments (invariant I3). The tasks and the
//! journal's view supply the facts, and the tasks do what was decided.

pub mod dedupe;
pub mod health;
pub mod lane;
pub mod led;
pub mod retry;
mod span;
