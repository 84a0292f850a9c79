//! Connecting companies: from the address at Intuit that a person opens to the stored tokens.
//!
//! A person's consent comes back as a redirect to the gateway, or is pasted. Either way it is taken
//! once, only for a question that this process asked, and only for a few minutes; company and tokens
//! are stored in one transaction. What was begun in a browser is taken from that browser only: its link
//! leads over the gateway's own public address, where a cookie is left that the redirect brings back. A
//! company that is new and that was connected without the operator's shell waits for approval. Called
//! by the roof for the public listener, the admin page and the control socket. Not here: renewing tokens, which is the business of the company's own worker.
//! Source: Intuit's page on OAuth 2.0, RFC 6749 section 4.1.

pub mod directory;
mod pending;

use crate::clock::Clock;
use crate::journal::{self, Journal};
use crate::model::{AppName, Company, RealmId, Secret, Standing};
use crate::qbo::{App, Failure, Unproven};
use crate::rules::budget::month;
use crate::vault::Vault;
use crate::wire::quickbooks::redirect::{self, Redirect};
pub use pending::{Bringer, Ticket};
use pending::{Pending, SECRET_BYTES, Taken};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What fills bytes from the system's randomness; an error means that there is none.
pub type Randomness = fn(&mut [u8]) -> Result<(), ()>;

/// Where companies are connected and disconnected.
pub struct Desk {
    apps: BTreeMap<AppName, App>,
    others: watch::Receiver<BTreeMap<AppName, App>>,
    vault: Arc<Vault>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    randomness: Randomness,
    pending: Mutex<Pending>,
}

/// A consent that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Begun {
    /// The address at Intuit that a person has to open.
    pub url: String,
    /// By which the outcome can be asked for.
    pub ticket: Ticket,
}

/// How a consent stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nobody has come back yet.
    Waiting,
    /// The company is connected.
    Connected(Connected),
    /// It was refused, or did not work out.
    Refused(String),
}

/// A company that was connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connected {
    /// Which.
    pub realm: RealmId,
    /// It is read only when the operator has approved it.
    pub awaits_approval: bool,
}

/// What came of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Completed {
    /// Whether it was seen to now; otherwise it is what came of it the first time.
    pub is_new: bool,
    /// The company, or why none was connected.
    pub outcome: Result<Connected, Error>,
}

/// Why a company was not connected or disconnected; a sentence for a person, without a secret.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// The configuration has no such app.
    #[error("no app is named \"{0}\"; see [[app]] in the configuration")]
    UnknownApp(String),
    /// More than one app is configured.
    #[error("say which app: {0}")]
    WhichApp(String),
    /// No app is configured.
    #[error("no [[app]] is configured; add one with the keys of your app at Intuit")]
    NoApp,
    /// The company is not known.
    #[error("company {0} is not connected")]
    UnknownCompany(RealmId),
    /// The company does not wait for it.
    #[error("company {0} does not wait for approval: it is {1}")]
    NotAwaiting(RealmId, &'static str),
    /// Too many consents are open.
    #[error(
        "too many consents that were begun from there are open; finish one of them, wait {} minutes, or run on the gateway: qbo-relay connect",
        pending::LIFETIME.as_secs() / 60
    )]
    TooMany,
    /// Somebody else's browser brought it.
    #[error(
        "this consent was begun in another browser, or this one keeps no cookies; begin again on the page that you come from, or have the operator run: qbo-relay connect"
    )]
    OtherBrowser,
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// The address that came back is not one.
    #[error("this is not the address that Intuit sent the browser to: {0}")]
    Malformed(String),
    /// Nobody asked for it, or too long ago, or it was used.
    #[error(
        "this answer belongs to no open question: each is good once and for {} minutes; begin again",
        pending::LIFETIME.as_secs() / 60
    )]
    Unasked,
    /// The person, or Intuit, said no.
    #[error("Intuit says: {0}")]
    Declined(String),
    /// The code could not be exchanged.
    #[error("the code was not exchanged: {0}")]
    Exchange(String),
    /// The tokens are not those of the company that the redirect names, or nobody could tell.
    #[error("company {realm} was not connected, and nothing of it was changed: {why}")]
    Unproven {
        /// The company that the redirect names.
        realm: RealmId,
        /// Why, and what became of the tokens.
        why: String,
    },
    /// The journal could not keep it.
    #[error("the connection was not stored: {0}; begin again")]
    Store(String),
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("apps", &self.apps.keys())
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk where companies are connected to these apps.
    pub fn new(
        apps: BTreeMap<AppName, App>,
        vault: Arc<Vault>,
        journal: Journal,
        clock: Arc<dyn Clock>,
        randomness: Randomness,
    ) -> Self {
        Self {
            apps,
            others: watch::Sender::default().subscribe(),
            vault,
            journal,
            clock,
            randomness,
            pending: Mutex::default(),
        }
    }

    /// The same desk, where companies of further apps, which come and go, can be disconnected too.
    /// Nobody is sent to Intuit by them: an element instance brings its own consent.
    #[must_use]
    pub fn with_others(self, others: watch::Receiver<BTreeMap<AppName, App>>) -> Self {
        Self { others, ..self }
    }

    /// The names of the apps that companies are connected to, in order.
    pub fn apps(&self) -> Vec<AppName> {
        self.apps.keys().cloned().collect()
    }

    /// Begins for the operator: the address at Intuit to open, and the ticket to ask with. Without a
    /// name, the only app.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], [`Error::WhichApp`], [`Error::NoApp`] or [`Error::NoRandomness`].
    pub fn begin(&self, app: Option<&str>) -> Result<Begun, Error> {
        let (name, app) = self.chosen(app)?;
        let state = self.random()?;
        let url = |state: &str| app.authorize_url(state);
        let now = self.clock.now();
        Ok(self.pending().begin_told(name.clone(), state, url, now))
    }

    /// Begins for somebody with a browser, in this network: the link to open. It leads to the address
    /// that Intuit sends the browser back to, because only there a cookie can be left for the way back.
    ///
    /// # Errors
    /// As for [`Self::begin`], and [`Error::TooMany`].
    pub fn invite(&self, app: Option<&str>, network: Option<IpAddr>) -> Result<String, Error> {
        let (name, app) = self.chosen(app)?;
        let secrets = [self.random()?, self.random()?];
        let url = |state: &str| app.authorize_url(state);
        let (name, now) = (name.clone(), self.clock.now());
        let begun = self
            .pending()
            .begin_linked(name, secrets, url, network, now);
        let link = begun?;
        Ok(format!("{}?begin={link}", app.redirect_uri()))
    }

    /// Opens a link: the address at Intuit, and the cookie to leave in the browser, `name=value`.
    ///
    /// # Errors
    /// [`Error::Unasked`], [`Error::OtherBrowser`], [`Error::NoRandomness`].
    pub fn open(&self, link: &str, cookies: &[&str]) -> Result<(String, String), Error> {
        let fresh = self.random()?;
        self.pending().open(link, cookies, fresh, self.clock.now())
    }

    fn random(&self) -> Result<[u8; SECRET_BYTES], Error> {
        let mut bytes = [0; SECRET_BYTES];
        (self.randomness)(&mut bytes).map_err(|()| Error::NoRandomness)?;
        Ok(bytes)
    }

    /// How the consent of a ticket stands; `None` when nothing is known of it any more.
    pub fn outcome(&self, ticket: &Ticket) -> Option<Outcome> {
        self.pending().outcome(ticket, self.clock.now())
    }

    /// Takes what came back: the query of the redirect, or the whole address, pasted. The same once
    /// more, as by a reload, gets the same outcome.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unasked`] or [`Error::OtherBrowser`]: it is no answer to an open
    /// question, or not from whom it has to come, and the question stays as it was.
    pub async fn complete(&self, address: &str, bringer: Bringer<'_>) -> Result<Completed, Error> {
        let redirect = redirect::parse(address).map_err(Error::Malformed)?;
        let now = self.clock.now();
        let taken = self.pending().take(&redirect, bringer, now);
        let (is_new, outcome) = match taken? {
            Taken::First {
                app,
                unattended,
                settle,
            } => {
                let connected = self.connect(&app, redirect, unattended).await;
                settle.send_replace(Some(connected.clone()));
                (true, connected)
            }
            Taken::Again(mut outcome) => {
                let settled = outcome.wait_for(Option::is_some).await;
                let settled = settled.ok().and_then(|settled| settled.clone());
                // Whoever saw to it has gone without a word: nothing is known of it any more.
                (false, settled.ok_or(Error::Unasked)?)
            }
        };
        Ok(Completed { is_new, outcome })
    }

    async fn connect(
        &self,
        name: &AppName,
        redirect: Redirect,
        unattended: bool,
    ) -> Result<Connected, Error> {
        let (code, realm) = redirect.consent.map_err(Error::Declined)?;
        let (_, app) = self.chosen(Some(name.as_str()))?;
        let asked_at = self.clock.now();
        let granted = app.exchange(&code).await;
        let granted = granted.map_err(|failure| Error::Exchange(failure.to_string()))?;
        let (tokens, companies) = (granted.since(asked_at), self.journal.companies());
        let proven = app.prove_exchanged(&realm, tokens, companies).await;
        let now = self.clock.now();
        // It was one of the month's calls; that it cannot be counted is no reason not to connect.
        let _ = self.journal.spend(name, &month(now), 1).await;
        let proven = proven.map_err(|unproven| Error::Unproven {
            realm: realm.clone(),
            why: told(&unproven),
        })?;
        let sealed = self.vault.seal(realm.as_str(), proven.tokens());
        let sealed = sealed.map_err(|error| Error::Store(error.to_string()))?;
        let mut company = proven.company(now);
        if unattended {
            company.standing = Standing::AwaitsApproval;
        }
        let stored = self.journal.connect_company(company, sealed, now).await;
        let standing = stored.map_err(|error| Error::Store(error.to_string()))?;
        let awaits_approval = standing == Standing::AwaitsApproval;
        tracing::info!(%realm, app = %name, awaits_approval, "company connected");
        Ok(Connected {
            realm,
            awaits_approval,
        })
    }

    /// The operator lets a company be read that was connected without the operator's shell.
    ///
    /// # Errors
    /// [`Error::UnknownCompany`], [`Error::NotAwaiting`], [`Error::Store`].
    pub async fn approve(&self, realm: &RealmId) -> Result<(), Error> {
        let company = self.company(realm).await?;
        if company.standing != Standing::AwaitsApproval {
            let standing = company.standing.as_str();
            return Err(Error::NotAwaiting(realm.clone(), standing));
        }
        let (standing, now) = (Standing::Connected, self.clock.now());
        let set = self.journal.set_standing(realm, standing, now).await;
        set.map_err(|error| Error::Store(error.to_string()))?;
        tracing::info!(%realm, "company approved");
        Ok(())
    }

    /// The company, unless it is not connected at all.
    async fn company(&self, realm: &RealmId) -> Result<Company, Error> {
        let companies = self.journal.companies().await;
        let companies = companies.map_err(|error| Error::Store(error.to_string()))?;
        companies
            .into_iter()
            .find(|company| company.realm == *realm && company.standing != Standing::Disconnected)
            .ok_or_else(|| Error::UnknownCompany(realm.clone()))
    }

    /// Ends a connection: the tokens are revoked at Intuit and forgotten here. Where Intuit cannot
    /// be reached they are forgotten all the same, and the answer says so.
    ///
    /// # Errors
    /// [`Error::UnknownCompany`], [`Error::Store`].
    pub async fn disconnect(&self, realm: &RealmId) -> Result<Option<String>, Error> {
        let stored = |error: journal::Error| Error::Store(error.to_string());
        let company = self.company(realm).await?;
        let sealed = self.journal.sealed_tokens(realm).await.map_err(stored)?;
        let not_revoked = match self.revoke(&company, sealed.as_deref()).await {
            Ok(()) => None,
            Err(why) => Some(format!(
                "forgotten here, but not revoked at Intuit ({why}); disconnect the app in QuickBooks too"
            )),
        };
        let standing = Standing::Disconnected;
        let now = self.clock.now();
        let set = self.journal.set_standing(realm, standing, now).await;
        set.map_err(stored)?;
        tracing::info!(%realm, "company disconnected");
        Ok(not_revoked)
    }

    async fn revoke(&self, company: &Company, sealed: Option<&[u8]>) -> Result<(), String> {
        let other = || self.others.borrow().get(&company.app).cloned();
        let app = self.apps.get(&company.app).cloned().or_else(other);
        let app = app.ok_or("its app is gone")?;
        let sealed = sealed.ok_or("there are no tokens")?;
        let tokens = self.vault.unseal(company.realm.as_str(), sealed);
        let refresh: Secret = tokens.map_err(|error| error.to_string())?.refresh;
        let revoked = app.revoke(&refresh).await;
        revoked.map_err(|failure: Failure| failure.to_string())
    }

    fn chosen(&self, name: Option<&str>) -> Result<(&AppName, &App), Error> {
        let Some(name) = name else {
            let mut apps = self.apps.iter();
            let first = apps.next().ok_or(Error::NoApp)?;
            return match apps.next() {
                None => Ok(first),
                Some(_) => Err(Error::WhichApp(self.names())),
            };
        };
        let found = self.apps.iter().find(|(app, _)| app.as_str() == name);
        found.ok_or_else(|| Error::UnknownApp(name.to_owned()))
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.apps.keys().map(AppName::as_str).collect();
        names.join(", ")
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Nothing that holds it can panic half-way through a change.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a person is told whose tokens are not shown to be of the company.
fn told(unproven: &Unproven) -> String {
    match unproven {
        Unproven::Unasked { .. } => format!("{unproven}; begin again"),
        Unproven::Foreign { .. } => unproven.to_string(),
    }
}
