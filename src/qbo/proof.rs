//! The proof that tokens are of the company that they are to be kept for.
//!
//! Which company was consented to stands in the address of the redirect only, where whoever holds the
//! browser can write another number. QuickBooks itself knows: an access token opens one company and no
//! other. So it is asked for that very company's own information, with the tokens that are to be kept.
//! Called by whoever is about to store tokens of a consent, before anything of the company is changed.

use super::{App, Failure};
use crate::model::{AppName, Company, Environment, RealmId, Standing, Timestamp, TokenSet};
use crate::wire::quickbooks::{company_info_path, read_company_info};
use std::fmt;

/// Tokens with which QuickBooks showed the company's own information. There is no other way to one
/// than [`App::prove`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven {
    realm: RealmId,
    app: AppName,
    environment: Environment,
    tokens: TokenSet,
    name: String,
}

/// Why tokens are not proven to be of a company. Nothing may be stored then.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unproven {
    /// They open another company, or none: Intuit refuses this one to them.
    #[error(
        "these tokens are not of company {realm}: {why}; consent again, and choose that company at Intuit{fate}"
    )]
    Foreign {
        /// The company that was claimed.
        realm: RealmId,
        /// What Intuit answered: [`Failure::Unauthorized`] where the access token itself is no longer
        /// good, which for tokens that are not fresh may only mean that they have to be renewed first.
        why: Failure,
        /// What became of them.
        fate: Fate,
    },
    /// QuickBooks gave no answer that tells; the tokens may be good.
    #[error("QuickBooks could not be asked whether the tokens are of company {realm}: {why}")]
    Unasked {
        /// The company that was claimed.
        realm: RealmId,
        /// What came instead.
        why: Failure,
    },
}

/// What became of tokens of another company than the one that was claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// They are only forgotten here, because they are still with whoever brought them.
    Brought,
    /// They are forgotten, because to revoke them could end a connection that is in use.
    Dropped,
    /// They were revoked, so that nobody holds them.
    Revoked,
    /// They were to be revoked, and Intuit did not do it.
    NotRevoked(Failure),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brought => Ok(()),
            Self::Dropped => f.write_str(
                ". They were dropped and not revoked, because companies are connected here, and that might \
                 end the connection of one; they expire by themselves",
            ),
            Self::Revoked => f.write_str(". They were revoked at Intuit"),
            Self::NotRevoked(why) => write!(f, ". They were not revoked at Intuit ({why})"),
        }
    }
}

impl Proven {
    /// The company.
    pub fn realm(&self) -> &RealmId {
        &self.realm
    }

    /// What the company calls itself; empty where it did not say.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its tokens.
    pub fn tokens(&self) -> &TokenSet {
        &self.tokens
    }

    /// The company as it is stored when it is connected `now`.
    pub fn company(&self, now: Timestamp) -> Company {
        Company {
            realm: self.realm.clone(),
            app: self.app.clone(),
            environment: self.environment,
            connected_at: now,
            standing: Standing::Connected,
            standing_since: now,
            access_expires_at: Some(self.tokens.access_expires_at),
            refresh_expires_at: Some(self.tokens.refresh_expires_at),
            hard_expires_at: self.tokens.hard_expires_at,
        }
    }
}

impl App {
    /// Asks QuickBooks, with these tokens, for the information of this very company: one call. Whoever
    /// brought the tokens holds them, and may use them for their own company, so they are not revoked.
    ///
    /// # Errors
    /// [`Unproven`].
    pub async fn prove(&self, realm: &RealmId, tokens: TokenSet) -> Result<Proven, Unproven> {
        let path = company_info_path(realm, self.0.settings.minor_version);
        let asked = async {
            let answer = self.ask("companyinfo", &tokens.access, Ok(path)).await?;
            let read = read_company_info(&answer.body);
            read.map_err(|trouble| Failure::of_trouble(&answer, trouble))
        };
        let name = asked.await.map_err(|why| unproven(realm.clone(), why))?;
        Ok(Proven {
            realm: realm.clone(),
            app: self.name().clone(),
            environment: self.environment(),
            tokens,
            name,
        })
    }
}

impl App {
    /// As [`prove`](Self::prove), for tokens that a code was just exchanged for, so that nobody else
    /// holds them. Foreign ones are revoked only where no company is connected here.
    ///
    /// Intuit does not tell which company tokens are of, and ends with one token all of that app and
    /// company: a consent under the number of another company would end the connection of its own. The
    /// app of a connected company is not looked at, because one client id may have two names: a company
    /// keeps the name under which it was connected. `companies` is awaited only when it is needed; where
    /// it cannot be had, nothing is revoked.
    ///
    /// # Errors
    /// [`Unproven`].
    pub async fn prove_exchanged<E>(
        &self,
        realm: &RealmId,
        tokens: TokenSet,
        companies: impl Future<Output = Result<Vec<Company>, E>>,
    ) -> Result<Proven, Unproven> {
        let refresh = tokens.refresh.clone();
        let mut unproven = self.prove(realm, tokens).await;
        if let Err(Unproven::Foreign { fate, .. }) = &mut unproven {
            let is_held = |company: &Company| company.standing != Standing::Disconnected;
            *fate = match companies.await {
                Ok(companies) if !companies.iter().any(is_held) => self
                    .revoke(&refresh)
                    .await
                    .map_or_else(Fate::NotRevoked, |()| Fate::Revoked),
                _ => Fate::Dropped,
            };
        }
        unproven
    }
}

/// Whether Intuit said no to the tokens, or nothing that tells.
fn unproven(realm: RealmId, why: Failure) -> Unproven {
    match why {
        Failure::Unauthorized
        | Failure::Forbidden { .. }
        | Failure::InvalidGrant { .. }
        | Failure::InvalidClient { .. }
        | Failure::Refused { .. } => Unproven::Foreign {
            realm,
            why,
            fate: Fate::Brought,
        },
        Failure::Throttled { .. }
        | Failure::CapReached
        | Failure::Lapsed
        | Failure::TooOld
        | Failure::Unsupported { .. }
        | Failure::TooLarge { .. }
        | Failure::Unavailable { .. }
        | Failure::NotUnderstood { .. } => Unproven::Unasked { realm, why },
    }
}
