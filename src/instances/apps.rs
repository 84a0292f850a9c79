//! The apps at Intuit that instances bring: a client id and secret of their owner's.
//!
//! An owner whose client id is that of a configured `[[app]]` uses that app: its addresses, its
//! budget, and its name for the company. Any other one is an app of its own, with Intuit's documented
//! addresses.

use crate::model::{AppName, Environment, Secret};
use crate::qbo::{App, Settings};
use crate::wire::elements::{Oauth, Wrong};
use rustls::ClientConfig;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// How apps are made.
#[derive(Clone, Debug)]
pub struct Apps {
    /// The configured ones.
    pub configured: Vec<Settings>,
    /// Whom the others trust.
    pub tls: Arc<ClientConfig>,
}

impl Apps {
    /// Whether the configuration has an app of this name.
    pub(super) fn is_configured(&self, name: &AppName) -> bool {
        self.configured.iter().any(|settings| settings.app == *name)
    }

    /// The name of the app that an owner's keys stand for; `None` without a client id.
    pub(super) fn name(&self, oauth: &Oauth) -> Option<AppName> {
        let key = oauth.key.as_deref()?;
        Some(match self.lent(key) {
            Some(settings) => settings.app.clone(),
            None => own_name(environment(oauth), key),
        })
    }

    /// The app of an owner's keys, for all but the configured ones; `None` where a key is missing.
    pub(super) fn other(&self, oauth: &Oauth) -> Option<App> {
        let (key, secret) = (oauth.key.as_deref()?, oauth.secret.clone()?);
        if self.lent(key).is_some() {
            return None;
        }
        // It renews and revokes tokens; neither asks for the redirect.
        let redirect = oauth.callback_url.clone().unwrap_or_default();
        App::new(self.settings(oauth, key, secret, redirect)).ok()
    }

    /// The app by which a code is exchanged; `why` completes "missing;".
    ///
    /// # Errors
    /// 400 that names the key that is missing or cannot be used.
    pub(super) fn exchanging(&self, oauth: &Oauth, why: &str) -> Result<App, Wrong> {
        let redirect = oauth.callback_url.clone();
        let redirect = redirect.ok_or_else(|| missing("oauth.callback.url", why))?;
        self.with_redirect(oauth, why, redirect)
    }

    /// The app by which tokens are renewed, which nobody is redirected for.
    ///
    /// # Errors
    /// As for [`exchanging`](Self::exchanging).
    pub(super) fn renewing(&self, oauth: &Oauth, why: &str) -> Result<App, Wrong> {
        let redirect = oauth.callback_url.clone();
        self.with_redirect(oauth, why, redirect.unwrap_or_default())
    }

    fn with_redirect(&self, oauth: &Oauth, why: &str, redirect: String) -> Result<App, Wrong> {
        let key = oauth.key.as_deref();
        let key = key.ok_or_else(|| missing("oauth.api.key", why))?;
        let secret = oauth.secret.clone();
        let secret = secret.ok_or_else(|| missing("oauth.api.secret", why))?;
        let made = App::new(self.settings(oauth, key, secret, redirect));
        made.map_err(|error| Wrong::at("oauth.api.key", error))
    }

    /// An app that only sends people to Intuit.
    ///
    /// # Errors
    /// 400 when the client id can be none.
    pub(super) fn asking(&self, key: &str, redirect: String) -> Result<App, Wrong> {
        // The address has no secret in it, and is made by one who may have none.
        let secret = Secret::new("unused");
        let made = App::new(self.settings(&Oauth::default(), key, secret, redirect));
        made.map_err(|error| Wrong::at("apiKey", error))
    }

    fn lent(&self, key: &str) -> Option<&Settings> {
        self.configured
            .iter()
            .find(|settings| settings.client_id == key)
    }

    fn settings(&self, oauth: &Oauth, key: &str, secret: Secret, redirect: String) -> Settings {
        match self.lent(key) {
            Some(lent) => Settings {
                client_secret: secret,
                redirect_uri: redirect,
                ..lent.clone()
            },
            None => {
                let environment = environment(oauth);
                let name = own_name(environment, key);
                Settings::new(
                    name,
                    environment,
                    key,
                    secret,
                    redirect,
                    Arc::clone(&self.tls),
                )
            }
        }
    }
}

fn missing(key: &str, why: &str) -> Wrong {
    Wrong::at(key, format!("missing; {why}"))
}

fn environment(oauth: &Oauth) -> Environment {
    match oauth.sandbox {
        true => Environment::Sandbox,
        false => Environment::Production,
    }
}

/// `key-` and 12 hexadecimal digits over environment and client id.
fn own_name(environment: Environment, key: &str) -> AppName {
    let mut digest = Sha256::new();
    digest.update(environment.as_str());
    digest.update([0]);
    digest.update(key);
    let mut name = "key-".to_owned();
    for byte in digest.finalize().iter().take(6) {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    AppName::new(name).expect("letters, a hyphen and digits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::client::{Trust, client_config};

    fn apps() -> Apps {
        let tls = client_config(Trust::nobody(), None).unwrap();
        let name = AppName::new("books").unwrap();
        let secret = Secret::new("configured");
        let redirect = "https://gateway.example/oauth/callback";
        let configured = Settings::new(
            name,
            Environment::Sandbox,
            "known",
            secret,
            redirect,
            Arc::clone(&tls),
        );
        Apps {
            configured: vec![configured],
            tls,
        }
    }

    fn oauth(key: &str, sandbox: bool) -> Oauth {
        Oauth {
            key: Some(key.into()),
            secret: Some(Secret::new("s")),
            callback_url: Some("https://mycoolapp.com".into()),
            sandbox,
            ..Oauth::default()
        }
    }

    #[test]
    fn a_client_id_that_is_configured_uses_that_app() {
        let (apps, known) = (apps(), oauth("known", false));
        assert_eq!(apps.name(&known).unwrap().as_str(), "books");
        assert_eq!(
            apps.exchanging(&known, "why").unwrap().environment(),
            Environment::Sandbox
        );
        assert!(apps.other(&known).is_none());
    }

    #[test]
    fn another_client_id_is_an_app_of_its_own_in_each_environment() {
        let apps = apps();
        let [real, sandbox] = [false, true].map(|sandbox| oauth("new", sandbox));
        let name = apps.name(&real).unwrap();
        assert_ne!(Some(&name), apps.name(&sandbox).as_ref());
        assert_eq!(apps.other(&real).unwrap().name(), &name);
        assert_eq!(
            apps.other(&sandbox).unwrap().environment(),
            Environment::Sandbox
        );
        assert!(!apps.is_configured(&name));
    }

    #[test]
    fn what_is_missing_for_an_exchange_is_named() {
        let apps = apps();
        let without = |take: fn(&mut Oauth)| {
            let mut oauth = oauth("new", false);
            take(&mut oauth);
            apps.exchanging(&oauth, "why").unwrap_err().message
        };
        assert!(without(|oauth| oauth.key = None).starts_with("oauth.api.key: missing"));
        assert!(without(|oauth| oauth.secret = None).starts_with("oauth.api.secret: missing"));
        let redirect = without(|oauth| oauth.callback_url = None);
        assert!(redirect.starts_with("oauth.callback.url: missing"));
        assert!(without(|oauth| oauth.key = Some("a b".into())).starts_with("oauth.api.key: "));
    }
}
