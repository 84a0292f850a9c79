//! The configuration of an instance: keys and values as its owner gave them.

use super::{Terms, Wrong};
use std::collections::BTreeMap;
use std::fmt;

/// Keys and values, all of them text. `Debug` shows no value, because some are secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Configuration(BTreeMap<String, String>);

impl Configuration {
    /// The value of a key, where it is set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Sets one key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// All of it, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// What its owner wants by it.
    ///
    /// # Errors
    /// 400 that names the key.
    pub fn terms(&self) -> Result<Terms, Wrong> {
        todo!()
    }

    /// These keys in place of all (PUT): a secret that comes as [`MASK`](super::MASK), as it was
    /// shown, keeps its value from `kept`.
    ///
    /// # Errors
    /// 400 that names a masked key that was never set.
    pub fn in_place_of(self, kept: &Self) -> Result<Self, Wrong> {
        todo!("{kept:?}")
    }

    /// These keys on top of those of `kept` (PATCH), with masked ones as in [`Self::in_place_of`].
    ///
    /// # Errors
    /// 400 that names a masked key that was never set.
    pub fn on_top_of(self, kept: &Self) -> Result<Self, Wrong> {
        todo!("{kept:?}")
    }

    /// The key of a configuration item: one that is set, or one that could be.
    pub fn key_of(&self, item: u32) -> Option<&str> {
        todo!("{item}")
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
