//! `Authorization: User <secret>, Organization <secret>[, Element <token>]`.

use super::Wrong;
use crate::model::Secret;

/// The secrets of a caller.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Authorization {
    /// Who calls.
    pub user: Option<Secret>,
    /// For whom.
    pub organization: Option<Secret>,
    /// The token of an instance.
    pub element: Option<Secret>,
}

/// Reads the header: pairs in any order, with commas between them, the words in any case.
///
/// # Errors
/// 401, with what is wrong; never a secret.
pub fn parse(header: &[u8]) -> Result<Authorization, Wrong> {
    todo!("{header:?}")
}
