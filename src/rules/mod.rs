<<<<<<< HEAD
//! Floor 1: decisions, each a function from facts to a word.
//!
//! Pure: no I/O, nothing async, and time and chance are arguments (invariant I3). The tasks and the
//! journal's view supply the facts, and the tasks do what was decided.

pub mod health;
pub mod lane;
pub mod led;
pub mod retry;
mod span;
=======
//! Floor 1, decisions: pure functions from what is known to what is done next.
//!
//! No async, no clock, no entropy, no I/O: now and chance are arguments (invariant I3).

pub mod dedupe;
>>>>>>> a11ac29a048b8ec12e3efc133a913d818b73385f
