//! The next tokens of a company, in the order that loses none.
//!
//! Intuit changes the refresh token about daily, and the one before is dead then. So: read what is
//! stored, ask, store, and only then let the new access token be used (invariant I4). An answer that
//! was lost is asked for again at once with the old token, which is usually good for a while. Called
//! by the company's own task and by nobody else, so no two renewals ever meet.

use super::super::lane::{PAUSE, pointless, stopped};
use super::QuickBooks;
use crate::clock::Clock;
use crate::journal::{Error, Journal};
use crate::model::{Ends, RealmId, Timestamp, TokenSet};
use crate::qbo::{Failure, Granted};
use crate::rules::token::{Lifetimes, ends};
use crate::vault::{self, Vault};
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Waits before the old token is tried again after an answer that did not come.
const PROMPT: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

/// Where the sealed tokens of one company are.
pub(super) trait Store: Sync {
    /// The newest set.
    fn sealed(&self) -> impl Future<Output = Result<Option<Vec<u8>>, Error>> + Send;

    /// Takes the place of the one before; on the disk when it returns `Ok`.
    fn keep(&self, sealed: Vec<u8>, ends: Ends) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The journal's.
pub(super) struct Kept<'a> {
    pub(super) journal: &'a Journal,
    pub(super) realm: &'a RealmId,
}

impl Store for Kept<'_> {
    async fn sealed(&self) -> Result<Option<Vec<u8>>, Error> {
        self.journal.sealed_tokens(self.realm).await
    }

    async fn keep(&self, sealed: Vec<u8>, ends: Ends) -> Result<(), Error> {
        self.journal.store_tokens(self.realm, sealed, ends).await
    }
}

/// Why there are no new tokens.
#[derive(Debug)]
pub(super) enum Unrenewed {
    /// The journal could not say, or is broken.
    Journal(Error),
    /// The vault cannot open what is stored: a person has to restore its key.
    Sealed(vault::Error),
    /// There are none: the company was disconnected meanwhile.
    Gone,
    /// A person has to connect the company again.
    Ended(String),
    /// Intuit gives none for now.
    Failure(Failure),
}

impl From<Error> for Unrenewed {
    fn from(error: Error) -> Self {
        match error {
            Error::NotConnected(_) => Self::Gone,
            error => Self::Journal(error),
        }
    }
}

/// What a renewal needs.
pub(super) struct Renewal<'a, Q, S> {
    pub(super) quickbooks: &'a Q,
    pub(super) store: S,
    pub(super) vault: &'a Vault,
    pub(super) realm: &'a RealmId,
    pub(super) clock: &'a dyn Clock,
    /// True when the relay is to stop: nothing is asked once more then.
    pub(super) stop: &'a watch::Receiver<bool>,
    /// Told when new tokens cannot be stored.
    pub(super) unstored: &'a (dyn Fn(String) + Sync),
}

impl<Q: QuickBooks, S: Store> Renewal<'_, Q, S> {
    /// The tokens as they are stored.
    pub(super) async fn stored(&self) -> Result<TokenSet, Unrenewed> {
        let sealed = self.store.sealed().await?.ok_or(Unrenewed::Gone)?;
        let unsealed = self.vault.unseal(self.realm.as_str(), &sealed);
        unsealed.map_err(Unrenewed::Sealed)
    }

    /// New tokens, stored.
    pub(super) async fn renew(&self) -> Result<TokenSet, Unrenewed> {
        let mut tokens = self.stored().await?;
        let mut waits = PROMPT.into_iter();
        let mut looked_again = false;
        loop {
            let asked_at = self.clock.now();
            let failure = match self.quickbooks.refresh(&tokens.refresh).await {
                Ok(granted) => {
                    let next = token_set(granted, asked_at, &tokens);
                    self.keep(&next).await?;
                    return Ok(next);
                }
                Err(failure) => failure,
            };
            match failure {
                Failure::InvalidGrant { why } => {
                    // Somebody may have connected the company again meanwhile.
                    let again = self.stored().await?;
                    if looked_again || again.refresh == tokens.refresh {
                        return Err(Unrenewed::Ended(why));
                    }
                    (tokens, looked_again) = (again, true);
                }
                Failure::Unavailable { .. } | Failure::NotUnderstood { .. } => {
                    let wait = waits.next().filter(|_| !*self.stop.borrow());
                    let Some(wait) = wait else {
                        return Err(Unrenewed::Failure(failure));
                    };
                    let mut stop = self.stop.clone();
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = stopped(&mut stop) => return Err(Unrenewed::Failure(failure)),
                    }
                }
                other => return Err(Unrenewed::Failure(other)),
            }
        }
    }

    /// Stores a set, as often as it takes: what came before it may be dead, and what is not stored
    /// must not be used.
    async fn keep(&self, tokens: &TokenSet) -> Result<(), Unrenewed> {
        let ends = Ends {
            access: tokens.access_expires_at,
            refresh: tokens.refresh_expires_at,
            hard: tokens.hard_expires_at,
        };
        loop {
            let why = match self.vault.seal(self.realm.as_str(), tokens) {
                Ok(sealed) => match self.store.keep(sealed, ends).await {
                    Ok(()) => return Ok(()),
                    Err(error @ Error::NotConnected(_)) => return Err(error.into()),
                    Err(error) => {
                        let why = error.to_string();
                        pointless(error)?;
                        why
                    }
                },
                Err(error) => error.to_string(),
            };
            (self.unstored)(why);
            sleep(PAUSE).await;
        }
    }
}

fn token_set(granted: Granted, asked_at: Timestamp, before: &TokenSet) -> TokenSet {
    let lifetimes = Lifetimes {
        access: granted.access_for,
        refresh: granted.refresh_for,
        hard: granted.hard_for,
    };
    let ends = ends(asked_at, lifetimes, before.hard_expires_at);
    TokenSet {
        access: granted.access,
        access_expires_at: ends.access,
        refresh: granted.refresh,
        refresh_expires_at: ends.refresh,
        hard_expires_at: ends.hard,
    }
}

#[cfg(test)]
mod tests;
