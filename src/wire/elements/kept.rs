//! What the vault seals of an instance: its token and its whole configuration.

use super::{Configuration, ExternalAuthentication};
use crate::model::Secret;

/// What only its owner and the gateway know of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The element token: 44 characters of Base64.
    pub token: Secret,
    /// The configuration, secrets included.
    pub configuration: Configuration,
    /// Who got the tokens.
    pub external_authentication: ExternalAuthentication,
    /// Whether its owner asked for a trace in the log.
    pub trace_logging: bool,
}

/// The plain form; wiped when dropped.
pub fn encode(kept: &Kept) -> Secret {
    todo!("{kept:?}")
}

/// What a plain form holds; `None` when it is none.
pub fn decode(plain: &[u8]) -> Option<Kept> {
    todo!("{plain:?}")
}
