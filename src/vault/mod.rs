//! Secrets at rest: tokens and what is kept of instances, sealed with a key that is not where they
//! are kept.
//!
//! The journal keeps what comes out of here; whoever has the journal file alone has no token. It
//! neither stores the tokens nor knows when they end. Called by `worker::company`, `connect` and
//! `instances`. It promises: what is sealed is unsealed for its own company only and only as it was
//! sealed; no key, token or part of one in any error or `Debug`.
//!
//! Beside it [`admin_secrets`]: what callers of the Open Connectors interface show, as digests.

pub mod admin_secrets;
mod change;
mod key;

pub use change::KeyChange;

use crate::model::{Secret, TokenSet};
use crate::wire::elements::kept::{self, Kept};
use crate::wire::token_set;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::path::{Path, PathBuf};

/// First byte of a sealed set: ChaCha20-Poly1305 (RFC 8439; the boards this runs on have no AES
/// instructions), a random nonce of 96 bits behind it. Rotating thirty companies' tokens hourly
/// takes 260 000 nonces a year, far from the 2^32 at which random ones become a risk.
const VERSION: u8 = 1;

/// The kinds of what is sealed.
const TOKENS: &str = "tokens";
const INSTANCE: &str = "instance";

/// Seals and unseals with one key.
pub struct Vault {
    key: LessSafeKey,
    /// The other key of a change that was begun and not finished: something may be sealed with it.
    other: Option<LessSafeKey>,
}

/// Why something is not sealed or unsealed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Make the file readable for the relay alone, or its directory writable.
    #[error("the vault's key {}: {cause}", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Restore the key, or make one with `openssl rand -base64 32`.
    #[error(
        "the vault's key must be 32 bytes in Base64 (44 characters); restore the one that was there, or make one with: openssl rand -base64 32"
    )]
    Key,
    /// Restore the key that sealed them, or connect the company again.
    #[error(
        "the tokens were sealed with another key or for another company, or were changed; restore the vault's key or connect the company again"
    )]
    Sealed,
    /// Nothing was sealed; try again.
    #[error("the system has no random numbers to give")]
    Entropy,
}

impl Vault {
    /// The vault whose key is in this file. Where there is none, one is made: 32 random bytes as a
    /// line of Base64, mode 0600, on the disk before this returns.
    ///
    /// # Errors
    /// [`Error::File`] when the file or its directory cannot be used or others can read it,
    /// [`Error::Key`] when it holds something else, [`Error::Entropy`].
    pub fn open_or_make(path: &Path) -> Result<Self, Error> {
        let vault = Self::from_key(&key::read_or_make(path)?)?;
        match key::begun(path)? {
            Some(other) => {
                tracing::warn!(
                    "a change of the vault's key was not finished; run `vault rekey` again"
                );
                vault.with(&other)
            }
            None => Ok(vault),
        }
    }

    /// The vault with this key: 32 bytes in Base64, with or without white space around it.
    ///
    /// # Errors
    /// [`Error::Key`] when it is none.
    pub fn from_key(key: &Secret) -> Result<Self, Error> {
        Ok(Self {
            key: usable(key)?,
            other: None,
        })
    }

    /// The same, which also unseals what is sealed with this other key.
    fn with(self, other: &Secret) -> Result<Self, Error> {
        Ok(Self {
            other: Some(usable(other)?),
            ..self
        })
    }

    /// A token set, sealed; `about` says whose it is, and has to be said again to unseal it.
    ///
    /// # Errors
    /// [`Error::Entropy`].
    pub fn seal(&self, about: &str, tokens: &TokenSet) -> Result<Vec<u8>, Error> {
        self.lock(&context(TOKENS, about), &token_set::encode(tokens))
    }

    /// The token set that was sealed about the same.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn unseal(&self, about: &str, sealed: &[u8]) -> Result<TokenSet, Error> {
        let plain = self.unlock(&context(TOKENS, about), sealed)?;
        token_set::decode(plain.expose()).ok_or(Error::Sealed)
    }

    /// What only the owner of an instance and the gateway know, sealed; `about` is its company.
    ///
    /// # Errors
    /// [`Error::Entropy`].
    pub fn seal_instance(&self, about: &str, kept: &Kept) -> Result<Vec<u8>, Error> {
        self.lock(&context(INSTANCE, about), &kept::encode(kept))
    }

    /// What was sealed of an instance of the same company.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn unseal_instance(&self, about: &str, sealed: &[u8]) -> Result<Kept, Error> {
        let plain = self.unlock(&context(INSTANCE, about), sealed)?;
        kept::decode(plain.expose()).ok_or(Error::Sealed)
    }

    fn lock(&self, context: &[u8], plain: &Secret) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let tag_bytes = CHACHA20_POLY1305.tag_len();
        let mut sealed = Vec::with_capacity(1 + nonce.len() + plain.expose().len() + tag_bytes);
        sealed.push(VERSION);
        sealed.extend(nonce);
        let head_bytes = sealed.len();
        sealed.extend(plain.expose());
        let (_, body) = sealed.split_at_mut(head_bytes);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(context), body)
            // Only a text of 256 GiB cannot be sealed.
            .map_err(|_| Error::Sealed)?;
        sealed.extend(tag.as_ref());
        Ok(sealed)
    }

    fn unlock(&self, context: &[u8], sealed: &[u8]) -> Result<Secret, Error> {
        let Some((&VERSION, rest)) = sealed.split_first() else {
            return Err(Error::Sealed);
        };
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::Sealed)?;
        for key in [Some(&self.key), self.other.as_ref()].into_iter().flatten() {
            let mut body = zeroize::Zeroizing::new(body.to_vec());
            let nonce = Nonce::assume_unique_for_key(*nonce);
            if let Ok(plain) = key.open_in_place(nonce, Aad::from(context), &mut body) {
                return Ok(Secret::new(&*plain));
            }
        }
        Err(Error::Sealed)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

fn usable(key: &Secret) -> Result<LessSafeKey, Error> {
    let bytes = key::bytes(key)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, bytes.expose()).map_err(|_| Error::Key)?;
    Ok(LessSafeKey::new(key))
}

/// What is sealed along without being hidden: one kind of secret is no other.
fn context(kind: &str, about: &str) -> Vec<u8> {
    [b"qbo-relay ", kind.as_bytes(), b"\0", about.as_bytes()].concat()
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map(|()| bytes).map_err(|_| Error::Entropy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn vault(byte: char) -> Vault {
        let key = format!("{}=", byte.to_string().repeat(43));
        Vault::from_key(&Secret::new(key)).unwrap()
    }

    fn tokens() -> TokenSet {
        TokenSet {
            access: Secret::new("eyJ.access"),
            access_expires_at: Timestamp::from_ms(1),
            refresh: Secret::new("RT1-refresh"),
            refresh_expires_at: Timestamp::from_ms(2),
            hard_expires_at: None,
        }
    }

    #[test]
    fn what_was_sealed_about_a_company_is_unsealed_for_it_alone() {
        let (own, other) = (vault('A'), vault('Q'));
        let sealed = own.seal("310687", &tokens()).unwrap();
        assert_eq!(own.unseal("310687", &sealed), Ok(tokens()));
        assert_eq!(own.unseal("310688", &sealed), Err(Error::Sealed));
        assert_eq!(other.unseal("310687", &sealed), Err(Error::Sealed));
    }

    #[test]
    fn a_token_is_not_in_what_was_sealed_and_no_two_seals_are_alike() {
        let vault = vault('A');
        let [one, other] = [(), ()].map(|()| vault.seal("310687", &tokens()).unwrap());
        assert_ne!(one, other);
        for token in ["eyJ.access", "RT1-refresh"] {
            let shown = one
                .windows(token.len())
                .any(|part| part == token.as_bytes());
            assert!(!shown, "{token}");
        }
    }

    #[test]
    fn a_seal_with_any_bit_changed_or_any_byte_missing_is_none() {
        let vault = vault('A');
        let sealed = vault.seal("310687", &tokens()).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(vault.unseal("310687", &changed), Err(Error::Sealed), "{at}");
            let short = vault.unseal("310687", &sealed[..at]);
            assert_eq!(short, Err(Error::Sealed), "{at}");
        }
    }

    #[test]
    fn a_journal_of_the_past_is_unsealed() {
        // Computed independently with Python's `cryptography`: key of 32 zero bytes, nonce 0 to 11.
        let sealed = include_bytes!("../../tests/data/quickbooks/sealed-tokens.bin");
        assert_eq!(vault('A').unseal("310687", sealed), Ok(tokens()));
    }
}
