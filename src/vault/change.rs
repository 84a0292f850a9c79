//! A change of the vault's key, step by step.
//!
//! The new key lies beside the old one before anything is sealed with it, and takes its place when
//! everything is. Between the two, a vault that is opened knows both; so whatever interrupts a change,
//! everything stays readable, and the same change again finishes it.

use super::{Error, Vault, key};
use crate::model::Secret;
use std::path::{Path, PathBuf};

/// A change under way.
#[derive(Debug)]
pub struct KeyChange {
    /// Unseals whatever is there, by the old key or the new one.
    pub from: Vault,
    /// Seals with the new key.
    pub to: Vault,
    file: Option<PathBuf>,
}

impl KeyChange {
    /// Of a key that lies in a file: to a random one, or to the one to which a change was begun.
    ///
    /// # Errors
    /// Those of [`Vault::open_or_make`]; there has to be a key.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let old = key::read_existing(path)?;
        let new = match key::begun(path)? {
            Some(new) => new,
            None => key::begin(path)?,
        };
        Ok(Self {
            from: Vault::from_key(&old)?.with(&new)?,
            to: Vault::from_key(&new)?,
            file: Some(path.to_owned()),
        })
    }

    /// Of a key that was given, to the one in this file.
    ///
    /// # Errors
    /// As above.
    pub fn between(old: &Secret, new: &Path) -> Result<Self, Error> {
        let new = key::read_existing(new)?;
        Ok(Self {
            from: Vault::from_key(old)?.with(&new)?,
            to: Vault::from_key(&new)?,
            file: None,
        })
    }

    /// Everything is sealed with the new key: it takes the place of the old one.
    ///
    /// # Errors
    /// [`Error::File`]; then the same change again finishes it.
    pub fn finish(self) -> Result<(), Error> {
        self.file.map_or(Ok(()), |file| key::finish(&file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, TokenSet};
    use std::fs;

    fn tokens(refresh: &str) -> TokenSet {
        TokenSet {
            access: Secret::new("eyJ.access"),
            access_expires_at: Timestamp::from_ms(1),
            refresh: Secret::new(refresh),
            refresh_expires_at: Timestamp::from_ms(2),
            hard_expires_at: None,
        }
    }

    #[test]
    fn wherever_a_change_breaks_off_everything_is_readable_and_the_same_again_finishes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.key");
        let before = Vault::open_or_make(&path).unwrap();
        let old = fs::read(&path).unwrap();
        let first = before.seal("1", &tokens("first")).unwrap();

        // Broken off when the new key lies there and some of it is sealed with it.
        let begun = KeyChange::of_file(&path).unwrap();
        let second = begun.to.seal("1", &tokens("second")).unwrap();
        drop(begun);
        let between = Vault::open_or_make(&path).unwrap();
        assert_eq!(between.unseal("1", &first), Ok(tokens("first")));
        assert_eq!(between.unseal("1", &second), Ok(tokens("second")));
        let third = between.seal("1", &tokens("third")).unwrap();

        let again = KeyChange::of_file(&path).unwrap();
        let sealed =
            [(first, "first"), (second, "second"), (third, "third")].map(|(sealed, name)| {
                let plain = again.from.unseal("1", &sealed).unwrap();
                assert_eq!(plain, tokens(name));
                (again.to.seal("1", &plain).unwrap(), name)
            });
        again.finish().unwrap();
        assert_ne!(fs::read(&path).unwrap(), old);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let after = Vault::open_or_make(&path).unwrap();
        for (sealed, name) in sealed {
            assert_eq!(after.unseal("1", &sealed), Ok(tokens(name)));
            assert_eq!(before.unseal("1", &sealed), Err(Error::Sealed));
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.key");
        assert!(matches!(KeyChange::of_file(&path), Err(Error::File { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
