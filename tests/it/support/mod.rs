//! What several tests need: listeners and receivers on port 0, clients that can misbehave,
//! certificates, and the real binary.

pub(crate) mod authority;
pub(crate) mod certificate;
pub(crate) mod changes;
pub(crate) mod client;
pub(crate) mod firm;
pub(crate) mod gate;
pub(crate) mod house;
pub(crate) mod interface;
pub(crate) mod intuit;
pub(crate) mod office;
pub(crate) mod original;
pub(crate) mod plain_api;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod relay;
pub(crate) mod sinks;
