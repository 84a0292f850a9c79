//! Floor 1, bytes to words and back.

pub mod identity;
