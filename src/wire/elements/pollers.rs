//! `event.poller.urls`: which resources are polled, in all the forms in which lists of them were
//! written.

use super::Wrong;
use std::collections::BTreeSet;

/// The kinds of the resources that the text names, as the API spells them (`Invoice`), and warnings
/// about what was not read as it stands.
///
/// # Errors
/// 400 that names `key` and the word that is no resource.
pub fn kinds(key: &str, text: &str) -> Result<(BTreeSet<String>, Vec<String>), Wrong> {
    todo!("{key} {text}")
}
