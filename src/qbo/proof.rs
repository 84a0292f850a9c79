//! The proof that tokens are of the company that they are to be kept for.
//!
//! Which company was consented to stands in the address of the redirect only, where whoever holds the
//! browser can write another number. QuickBooks itself knows: an access token opens one company and no
//! other. So it is asked for that very company's own information, with the tokens that are to be kept.
//! Called by whoever is about to store tokens of a consent, before anything of the company is changed.

use super::{App, Failure};
use crate::model::{AppName, Company, Environment, RealmId, Standing, Timestamp, TokenSet};
use crate::wire::quickbooks::{company_info_path, read_company_info};

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
        "these tokens are not of company {realm}: {why}; consent again, and choose that company at Intuit"
    )]
    Foreign {
        /// The company that was claimed.
        realm: RealmId,
        /// What Intuit answered: [`Failure::Unauthorized`] where the access token itself is no longer
        /// good, which for tokens that are not fresh may only mean that they have to be renewed first.
        why: Failure,
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
    /// Asks QuickBooks, with these tokens, for the information of this very company: one call.
    ///
    /// # Errors
    /// [`Unproven`]. The tokens are neither kept nor revoked here; what becomes of them is the
    /// caller's to decide.
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

/// Whether Intuit said no to the tokens, or nothing that tells.
fn unproven(realm: RealmId, why: Failure) -> Unproven {
    match why {
        Failure::Unauthorized
        | Failure::Forbidden { .. }
        | Failure::InvalidGrant { .. }
        | Failure::InvalidClient { .. }
        | Failure::Refused { .. } => Unproven::Foreign { realm, why },
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
