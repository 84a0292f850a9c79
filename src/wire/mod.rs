//! Floor 1: bytes to words and words to bytes.
//!
//! Pure: no I/O, no clock, no entropy, nothing async (invariant I3). Serialized forms are private
//! to this module (I7): others see `model` and byte strings. The server calls [`signature::verify`]
//! and then [`decode`], or for a client that does not sign [`credential::check`] and then
//! [`servicestack::decode`]; the sinks call [`outgoing`].

pub mod admin_secrets;
pub mod credential;
mod digest;
pub mod elements;
pub mod entity;
pub mod identity;
mod incoming;
pub mod instant;
mod json;
#[cfg(test)]
mod mutated;
pub mod outgoing;
pub mod path;
pub mod quickbooks;
pub mod retry_after;
pub mod servicestack;
pub mod signature;
pub mod text;
pub mod token_set;
pub mod url;

pub use incoming::{Decoded, decode};
