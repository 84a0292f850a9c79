//! What several tests need.

pub(crate) mod authority;
pub(crate) mod changes;
pub(crate) mod house;
pub(crate) mod receiver;
pub(crate) mod sinks;
