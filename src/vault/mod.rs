//! Tokens at rest: sealed with a key that is not where they are kept.

use crate::model::{Secret, TokenSet};
use std::path::{Path, PathBuf};

/// Seals and unseals token sets.
pub struct Vault {
    _key: (),
}

/// Why something is not sealed or unsealed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Make the file readable, or its directory writable.
    #[error("{}: {cause}", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// Restore the right key.
    #[error("the vault's key must be the Base64 form of 32 bytes")]
    Key,
    /// Restore the key that sealed it, or connect the company again.
    #[error(
        "the tokens were sealed with another key, for another company, or were changed; restore the vault's key or connect the company again"
    )]
    Sealed,
    /// Try again.
    #[error("the system has no random numbers to give")]
    Entropy,
}

impl Vault {
    /// The vault whose key is in this file; where there is none, one is made.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Key`], [`Error::Entropy`].
    pub fn open_or_make(path: &Path) -> Result<Self, Error> {
        let _ = path;
        Err(Error::Entropy)
    }

    /// The vault with this key: the Base64 form of 32 bytes.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn from_key(_key: &Secret) -> Result<Self, Error> {
        Err(Error::Key)
    }

    /// A token set, sealed for a company.
    ///
    /// # Errors
    /// [`Error::Entropy`].
    pub fn seal(&self, _about: &str, _tokens: &TokenSet) -> Result<Vec<u8>, Error> {
        Err(Error::Entropy)
    }

    /// The token set that was sealed for this company.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn unseal(&self, _about: &str, _sealed: &[u8]) -> Result<TokenSet, Error> {
        Err(Error::Sealed)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}
