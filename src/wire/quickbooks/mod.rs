//! QuickBooks's own API and Intuit's authorization server, as text: what is asked, and what the
//! answers mean.
//!
//! Requests become addresses, query text and forms; answers become records, faults and tokens.
//! Nothing is sent here and nothing is decided: the room `qbo` sends, and says what a fault means
//! for the caller. Money is never read as a number that is passed on: a record keeps its text byte
//! for byte.

mod kinds;
mod request;

pub use kinds::{KindFacts, Means, facts, kinds};
pub use request::Question;
