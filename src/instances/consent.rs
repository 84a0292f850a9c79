//! How an instance comes to the tokens of its company: by a code that is exchanged, by tokens that its
//! owner brings, or because the company is connected already.

use super::{Platform, unread};
use crate::model::{AppName, Company, Environment, RealmId, Secret, Standing, TokenSet};
use crate::qbo::Failure;
use crate::wire::elements::{ExternalAuthentication, Terms, Wrong};
use std::time::Duration;

/// How long tokens live that their owner says nothing of: what Intuit gives.
const ACCESS_LIVES: Duration = Duration::from_hours(1);
const REFRESH_LIVES: Duration = Duration::from_hours(100 * 24);

/// A company with its sealed tokens, to be stored with the instance; `None` where they are stored.
pub(super) type Consent = Option<(Company, Vec<u8>)>;

impl Platform {
    /// The consent that an instance goes by.
    ///
    /// # Errors
    /// 400 that names what is missing, or with Intuit's own words; 503 when Intuit cannot be asked.
    pub(super) async fn consent(
        &self,
        realm: &RealmId,
        code: Option<&Secret>,
        external: ExternalAuthentication,
        terms: &Terms,
    ) -> Result<Consent, Wrong> {
        if let Some(code) = code {
            let app = self.apps.exchanging(&terms.oauth)?;
            let asked_at = self.clock.now();
            let granted = app
                .exchange(code)
                .await
                .map_err(|failure| refused(&failure))?;
            let tokens = granted.since(asked_at);
            return self
                .seal(realm, app.name(), app.environment(), &tokens)
                .map(Some);
        }
        if external == ExternalAuthentication::Initial {
            return self.brought(realm, terms).map(Some);
        }
        let companies = self.journal.companies().await.map_err(unread)?;
        let is_connected =
            |company: &Company| company.realm == *realm && company.standing == Standing::Connected;
        match companies.iter().any(is_connected) {
            true => Ok(None),
            false => Err(Wrong::at(
                "providerData.code",
                format!(
                    "missing; company {realm} is not connected, and Intuit's consent page gives the code for it"
                ),
            )),
        }
    }

    /// Tokens that the owner got: renewed at once when their life is not known.
    fn brought(&self, realm: &RealmId, terms: &Terms) -> Result<(Company, Vec<u8>), Wrong> {
        let oauth = &terms.oauth;
        let missing =
            |key: &str| Wrong::at(key, "missing; the tokens cannot be renewed without it");
        let refresh = oauth.refresh_token.clone();
        let refresh = refresh.ok_or_else(|| missing("oauth.user.refresh_token"))?;
        let access = oauth.user_token.clone();
        let access = access.ok_or_else(|| missing("oauth.user.token"))?;
        // Whether Intuit knows it is found when the company is read.
        let app = self
            .apps
            .name(oauth)
            .ok_or_else(|| missing("oauth.api.key"))?;
        if oauth.secret.is_none() {
            return Err(missing("oauth.api.secret"));
        }
        let now = self.clock.now();
        let tokens = TokenSet {
            access,
            access_expires_at: now.plus(oauth.user_token_life.unwrap_or(ACCESS_LIVES)),
            refresh,
            refresh_expires_at: now.plus(REFRESH_LIVES),
            hard_expires_at: None,
        };
        self.seal(realm, &app, self.apps.environment(oauth), &tokens)
    }

    fn seal(
        &self,
        realm: &RealmId,
        app: &AppName,
        environment: Environment,
        tokens: &TokenSet,
    ) -> Result<(Company, Vec<u8>), Wrong> {
        let now = self.clock.now();
        let company = Company::connected(realm.clone(), app.clone(), environment, tokens, now);
        let sealed = self.vault.seal(realm.as_str(), tokens);
        let sealed = sealed.map_err(|error| Wrong::new(503, error.to_string()))?;
        Ok((company, sealed))
    }
}

/// What a caller is told when Intuit did not exchange the code.
fn refused(failure: &Failure) -> Wrong {
    let said = failure.to_string();
    match failure {
        Failure::Unavailable { .. } | Failure::Throttled { .. } | Failure::CapReached => Wrong {
            provider_message: Some(said),
            ..Wrong::new(503, "Intuit could not be asked; try again with a new code")
        },
        _ => Wrong::refused_by_provider("Intuit refused the code", said),
    }
}
