//! How an instance comes to the tokens of its company: by a code that is exchanged, by tokens that its
//! owner brings, or because the company is connected already.

use super::{Platform, unread};
use crate::model::{Company, RealmId, Secret, Standing};
use crate::qbo::{App, Failure, Proven, Unproven};
use crate::wire::elements::{ExternalAuthentication, Terms, Wrong};

/// A company with its sealed tokens, to be stored with the instance; `None` where they are stored.
pub(super) type Consent = Option<(Company, Vec<u8>)>;

impl Platform {
    /// The consent that an instance goes by. Tokens are tried at Intuit, for this very company, before
    /// anything of them is stored.
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
            return self.exchanged(realm, code, terms).await.map(Some);
        }
        if external == ExternalAuthentication::Initial {
            return self.brought(realm, terms).await.map(Some);
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

    async fn exchanged(
        &self,
        realm: &RealmId,
        code: &Secret,
        terms: &Terms,
    ) -> Result<(Company, Vec<u8>), Wrong> {
        let why = "the code cannot be exchanged without it";
        let app = self.apps.exchanging(&terms.oauth, why)?;
        let asked_at = self.clock.now();
        let granted = app.exchange(code).await;
        let tokens = granted
            .map_err(|failure| refused("the code", &failure))?
            .since(asked_at);
        let companies = self.journal.companies();
        let proven = app.prove_exchanged(realm, tokens, companies).await;
        let proven = proven.map_err(|unproven| foreign("providerData.realmId", &unproven))?;
        self.seal(&proven)
    }

    /// Tokens that the owner got. They are renewed at once: that tries the keys of the app and the
    /// refresh token, too, and their ends are known then.
    async fn brought(&self, realm: &RealmId, terms: &Terms) -> Result<(Company, Vec<u8>), Wrong> {
        let oauth = &terms.oauth;
        let why = "the tokens cannot be renewed without it";
        let missing = |key: &str| Wrong::at(key, format!("missing; {why}"));
        let refresh = oauth.refresh_token.as_ref();
        let refresh = refresh.ok_or_else(|| missing("oauth.user.refresh_token"))?;
        if oauth.user_token.is_none() {
            return Err(missing("oauth.user.token"));
        }
        let app: App = self.apps.renewing(oauth, why)?;
        let asked_at = self.clock.now();
        let granted = app.refresh(refresh).await;
        let tokens = granted
            .map_err(|failure| refused("the refresh token", &failure))?
            .since(asked_at);
        let proven = app.prove(realm, tokens).await;
        let proven = proven.map_err(|unproven| foreign("providerData.realmId", &unproven))?;
        self.seal(&proven)
    }

    fn seal(&self, proven: &Proven) -> Result<(Company, Vec<u8>), Wrong> {
        let sealed = self.vault.seal(proven.realm().as_str(), proven.tokens());
        let sealed = sealed.map_err(|error| Wrong::new(503, error.to_string()))?;
        Ok((proven.company(self.clock.now()), sealed))
    }
}

/// What a caller is told when Intuit did not take a code or a token.
fn refused(what: &str, failure: &Failure) -> Wrong {
    let said = failure.to_string();
    match failure {
        Failure::Unavailable { .. } | Failure::Throttled { .. } | Failure::CapReached => Wrong {
            provider_message: Some(said),
            ..Wrong::new(
                503,
                "Intuit could not be asked; try again, with a new code where one was given",
            )
        },
        _ => Wrong::refused_by_provider(format!("Intuit refused {what}"), said),
    }
}

/// What a caller is told when tokens are not shown to be of the company.
fn foreign(key: &str, unproven: &Unproven) -> Wrong {
    let said = unproven.to_string();
    match unproven {
        Unproven::Foreign { .. } => {
            Wrong::refused_by_provider(format!("{key}: the tokens do not open this company"), said)
        }
        Unproven::Unasked { .. } => Wrong {
            provider_message: Some(said),
            ..Wrong::new(
                503,
                "QuickBooks could not be asked about the company; try again, with a new code where one was given",
            )
        },
    }
}
