//! Element instances: what callers of the Open Connectors interface ask for, carried out.
//!
//! An instance is a QuickBooks company with a callback of its own. Here it is made, changed and
//! looked at; what follows from it is done by the same parts as for a configured sink: its lane by
//! `worker`, the reading of its company by `worker::company`. Those are told by what is
//! [`Published`]. Not here: who may call, and bytes (`server::elements`). Called by the roof.
//! Promises: one change after the other, and no caller waits while another's change asks name servers
//! or Intuit; an instance, its company and its tokens are stored in one
//! transaction, and nothing of them when anything before it failed; no secret in a log or an error.
//! Sources: the events documentation of Cloud Elements and SAP Open Connectors, and their API tests.
//!
//! In reading order: `access` (who may touch what), `create` (made and changed), `consent` (tokens), `callback` (where events may
//! go), `look` and `events` (answers), `subscriptions` (the queue), `book` (what is known),
//! `outfit` (what follows).

mod access;
mod apps;
mod book;
mod callback;
mod consent;
mod create;
mod events;
mod look;
mod outfit;
mod subscriptions;

pub use access::Caller;
pub use apps::Apps;
pub use callback::{Own, is_plain};
pub use outfit::{Outfit, Published};

use crate::clock::Clock;
use crate::journal::{self, Journal};
use crate::model::{InstanceId, RealmId, Secret};
use crate::vault::Vault;
use crate::wire::elements::{Call, FailurePolicy, Whose, Wrong, show};
use crate::wire::outgoing::open_connectors::OpenConnectors;
use access::Organization;
use arc_swap::ArcSwap;
use book::Book;
use create::Asking;
use outfit::Wardrobe;
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// What fills bytes from the system's randomness; an error means that there is none.
pub type Randomness = fn(&mut [u8]) -> Result<(), ()>;

/// The setting by which the failure policy is kept.
const FAILURE_POLICY: &str = "notification.webhook.failure.policy";

/// How callbacks are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account that they come from; its `instances` are empty.
    pub account: OpenConnectors,
    /// Waits after failed attempts; behind the last one the subscription is paused.
    pub retry_delays: Vec<Duration>,
    /// Whether loopback and private addresses may be called back.
    pub private_callbacks: bool,
    /// Whether callbacks may go without TLS.
    pub plain_callbacks: bool,
    /// For one attempt in all.
    pub timeout: Duration,
    /// Whom callbacks trust.
    pub tls: Arc<ClientConfig>,
}

/// Where instances live.
pub struct Platform {
    apps: Apps,
    settings: Settings,
    own: Own,
    vault: Arc<Vault>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    randomness: Randomness,
    book: ArcSwap<Book>,
    published: watch::Sender<Arc<Published>>,
    /// Whose turn it is to change something, with the sinks that were made so far.
    turn: Mutex<Wardrobe>,
    asking: Asking,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Answered {
    /// JSON.
    pub body: Vec<u8>,
    /// By what the rest of a list is asked for.
    pub next_page: Option<String>,
    /// The instance that was acted on.
    pub instance: Option<InstanceId>,
    /// A company that nobody can read any more, because the instance that brought its app is gone:
    /// to be disconnected.
    pub abandoned: Option<RealmId>,
}

/// What a platform is made of.
pub struct Parts {
    /// How Intuit is asked.
    pub apps: Apps,
    /// How callbacks are made.
    pub settings: Settings,
    /// How the relay itself is known.
    pub own: Own,
    /// What secrets are sealed with.
    pub vault: Arc<Vault>,
    /// Where everything is kept.
    pub journal: Journal,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The system's.
    pub randomness: Randomness,
}

impl Platform {
    /// The platform with the instances that the journal has.
    ///
    /// # Errors
    /// The journal's, when it cannot be read.
    pub async fn open(parts: Parts) -> Result<Self, journal::Error> {
        let platform = Self {
            apps: parts.apps,
            settings: parts.settings,
            own: parts.own,
            vault: parts.vault,
            journal: parts.journal,
            clock: parts.clock,
            randomness: parts.randomness,
            book: ArcSwap::default(),
            published: watch::Sender::default(),
            turn: Mutex::default(),
            asking: Asking::default(),
        };
        platform.renew(&mut *platform.turn.lock().await).await?;
        Ok(platform)
    }

    /// What follows from the instances, now and from now on.
    pub fn published(&self) -> watch::Receiver<Arc<Published>> {
        self.published.subscribe()
    }

    /// Looks again whenever an instance was changed by somebody else, until `stop` is true.
    pub async fn keep(&self, mut stop: watch::Receiver<bool>) {
        let mut changes = self.journal.subscribe_instances();
        loop {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let mut turn = self.turn.lock().await;
            if let Err(error) = self.renew(&mut turn).await {
                // The next change, or the next call that changes something, looks again.
                tracing::warn!(%error, "the instances could not be read");
            }
        }
    }

    /// The instance whose element token this is; a deleted one's is nobody's.
    pub fn holder(&self, token: &Secret) -> Option<InstanceId> {
        self.book.load().holder(token)
    }

    /// Carries a call out.
    ///
    /// # Errors
    /// [`Wrong`]: what the caller is told.
    pub async fn carry_out(&self, caller: Caller, call: Call) -> Result<Answered, Wrong> {
        let scope = self.scope(caller, &call)?;
        let one = |whose: Whose| self.one(scope, whose);
        match call {
            Call::List(listing) => match scope.only() {
                Some(own) => self.read(&one(own)?).await,
                None => self.list(scope, &listing).await,
            },
            Call::Create(draft) => self.create(scope.organization()?, *draft).await,
            Call::Read(id) => self.read(&one(id)?).await,
            Call::Replace(id, draft) => self.replace(one(id)?, *draft).await,
            Call::Amend(id, amendment) => self.amend(one(id)?, *amendment).await,
            Call::Delete(id) => self.delete(one(id)?).await,
            Call::Enable(id) => self.switch(one(id)?, true).await,
            Call::Disable(id) => self.switch(one(id)?, false).await,
            Call::RenewToken(id) => self.renew_token(one(id)?).await,
            Call::Configuration(id) => Self::configuration(&one(id)?),
            Call::ConfigurationItem(id, item) => Self::configuration_item(&one(id)?, item),
            Call::SetConfigurationItem(id, item, value) => {
                self.set_item(one(id)?, item, value).await
            }
            Call::TraceLogging(id, on) => self.trace(one(id)?, on).await,
            Call::Events(id, paging) => self.events(&one(id)?, paging).await,
            Call::Event(id, event) => self.event(&one(id)?, event).await,
            Call::Dispositions(id, paging) => match id.or(scope.token()) {
                Some(id) => self.dispositions_of(&one(id)?, paging).await,
                None => self.dispositions(scope, paging).await,
            },
            Call::Analytics(analysis) => self.analytics(scope, analysis).await,
            Call::PollingDisabled => self.polling_disabled(scope).await,
            Call::OauthUrl(ask) => self.oauth_url(&ask),
            Call::Subscriptions(paging) => self.subscriptions(scope, paging).await,
            Call::Subscription(id) => self.subscription(scope, id).await,
            Call::Subscribe(draft) => self.subscribe(one(draft.whose)?, draft).await,
            Call::Unsubscribe(id) => self.unsubscribe(scope, id).await,
            Call::Deliveries(filter) => self.deliveries(scope, &filter).await,
            Call::Resend(filter) => self.resend(scope, &filter).await,
            Call::Settings(account) => {
                self.account(account)?;
                Ok(Answered::of(show::settings(self.policy().await?)))
            }
            Call::SetSettings(account, policy) => {
                let organization = scope.organization()?;
                self.account(account)?;
                self.set_policy(organization, policy).await
            }
            Call::Description => Err(Wrong::not_found("the description is served without a call")),
        }
    }

    /// There is one account.
    fn account(&self, named: Option<u32>) -> Result<(), Wrong> {
        match named {
            Some(other) if other != self.settings.account.account_id => {
                Err(Wrong::not_found(format!("there is no account {other}")))
            }
            _ => Ok(()),
        }
    }

    async fn policy(&self) -> Result<FailurePolicy, Wrong> {
        let word = self.journal.setting(FAILURE_POLICY).await.map_err(unread)?;
        let policy = word.as_deref().and_then(FailurePolicy::parse);
        Ok(policy.unwrap_or_default())
    }

    async fn set_policy(
        &self,
        _by: Organization,
        policy: FailurePolicy,
    ) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let stored = self
            .journal
            .set_setting(FAILURE_POLICY, policy.as_str())
            .await;
        stored.map_err(unread)?;
        self.renew(&mut turn).await.map_err(unread)?;
        Ok(Answered::of(show::settings(policy)))
    }

    /// Reads the instances anew, and publishes what follows from them.
    async fn renew(&self, wardrobe: &mut Wardrobe) -> Result<(), journal::Error> {
        let policy = self.journal.setting(FAILURE_POLICY).await?;
        let policy = policy.as_deref().and_then(FailurePolicy::parse);
        let instances = self.journal.instances().await?;
        let book = Arc::new(self.book.load().renewed(instances, &self.vault));
        let published = wardrobe.dress(self, &book, policy.unwrap_or_default());
        self.book.store(book);
        self.published.send_replace(Arc::new(published));
        Ok(())
    }
}

impl Answered {
    fn of(body: Vec<u8>) -> Self {
        Self {
            body,
            ..Self::default()
        }
    }

    fn about(id: InstanceId, body: Vec<u8>) -> Self {
        Self {
            instance: Some(id),
            ..Self::of(body)
        }
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What a caller is told when the journal did not do it.
fn unread(error: journal::Error) -> Wrong {
    match error {
        journal::Error::NoInstance(id) => Wrong::not_found(format!("there is no instance {id}")),
        other => Wrong::new(503, other.to_string()),
    }
}
