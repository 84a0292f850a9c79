//! What several tests need: a public listener on port 0, and a client that can misbehave.

pub(crate) mod certificate;
pub(crate) mod client;
pub(crate) mod gate;
pub(crate) mod process;
