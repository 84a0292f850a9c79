//! The Open Connectors interface, made from the configuration and joined with what follows from its
//! instances: lanes, polls, apps.

use super::Failure;
use super::books::{Books, randomness};
use super::relay::Parts;
use crate::clock::Clock;
use crate::config::Config;
use crate::connect::Desk;
use crate::instances::{self, Apps, Own, Platform, Published, Settings};
use crate::journal::{self, AuditedChange, Journal};
use crate::model::{AppName, InstanceId, RealmId, Secret};
use crate::qbo;
use crate::rules::company::InstancePolls;
use crate::server::elements::{CallOrigin, Caller, Elements, Reply};
use crate::tls::client::{self, ClientError, Trust};
use crate::wire::elements::{Call, Wrong};
use crate::wire::outgoing::open_connectors::OpenConnectors;
use crate::worker::Endpoint;
use crate::worker::company::Access;
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Calls in a month at most for an app that an instance brings: Intuit's free tier.
const CALLS_PER_MONTH: u64 = 500_000;

/// Who carries calls out.
pub(super) struct Host {
    platform: Arc<Platform>,
    desk: Arc<Desk>,
    journal: Journal,
    clock: Arc<dyn Clock>,
}

/// Where companies are connected and instances live; nothing of it runs yet.
pub(super) struct Desks {
    /// Where companies are connected; `None` where none can be.
    pub(super) desk: Option<Arc<Desk>>,
    /// What other parts are told by.
    pub(super) joints: Joints,
    platform: Option<Arc<Platform>>,
}

impl Desks {
    /// Opens them; `own` is how the relay is known.
    ///
    /// # Errors
    /// [`Failure`]: certificates cannot be used, or the journal cannot be read.
    pub(super) async fn open(
        config: &Config,
        books: Option<&Books>,
        own: Own,
        at: (&Journal, &Arc<dyn Clock>),
    ) -> Result<Self, Failure> {
        let joints = Joints::new(books.map(Books::accesses).unwrap_or_default());
        let desk = books.map(|books| books.desk(at.0, at.1, joints.others.subscribe()));
        let platform = match books {
            Some(books) if config.instances.enabled => {
                Some(open_platform(config, books, own, at).await?)
            }
            _ => None,
        };
        Ok(Self {
            desk,
            joints,
            platform,
        })
    }

    /// The desk for who comes back from Intuit; `None` where the configuration sends nobody there.
    pub(super) fn consent(&self) -> Option<Arc<Desk>> {
        self.desk.clone().filter(|desk| !desk.apps().is_empty())
    }

    /// Who carries calls out, where the interface is switched on.
    pub(super) fn host(&self, journal: &Journal, clock: &Arc<dyn Clock>) -> Option<Host> {
        let (platform, desk) = self.platform.clone().zip(self.desk.clone())?;
        Some(Host {
            platform,
            desk,
            journal: journal.clone(),
            clock: Arc::clone(clock),
        })
    }

    /// What is to run.
    pub(super) fn into_platform(self) -> Option<(Arc<Platform>, Joints)> {
        self.platform.zip(Some(self.joints))
    }
}

/// What other parts are told by.
pub(super) struct Joints {
    configured: BTreeMap<AppName, Access<qbo::App>>,
    pub(super) endpoints: watch::Sender<Arc<[Endpoint]>>,
    pub(super) accesses: watch::Sender<BTreeMap<AppName, Access<qbo::App>>>,
    pub(super) polls: watch::Sender<BTreeMap<RealmId, InstancePolls>>,
    pub(super) others: watch::Sender<BTreeMap<AppName, qbo::App>>,
}

impl Joints {
    /// The configured apps alone, before there are instances.
    pub(super) fn new(configured: BTreeMap<AppName, Access<qbo::App>>) -> Self {
        Self {
            endpoints: watch::Sender::new(Arc::default()),
            accesses: watch::Sender::new(configured.clone()),
            polls: watch::Sender::default(),
            others: watch::Sender::default(),
            configured,
        }
    }

    /// Tells what follows from the instances.
    fn tell(&self, published: &Published) {
        let endpoint = |outfit: &instances::Outfit| Endpoint {
            sink: Arc::clone(&outfit.sink),
            schedule: outfit.schedule.clone(),
            record: true,
            hold: outfit.hold,
        };
        let others = published.apps.iter().map(|(name, app)| {
            let access = Access {
                quickbooks: app.clone(),
                calls_max: Some(CALLS_PER_MONTH),
            };
            (name.clone(), access)
        });
        let accesses = others.chain(self.configured.clone()).collect();
        self.accesses.send_replace(accesses);
        self.others.send_replace(published.apps.clone());
        self.polls.send_replace(published.polls.clone());
        let endpoints = published.outfits.iter().map(endpoint);
        self.endpoints.send_replace(endpoints.collect());
    }
}

async fn open_platform(
    config: &Config,
    books: &Books,
    own: Own,
    (journal, clock): (&Journal, &Arc<dyn Clock>),
) -> Result<Arc<Platform>, Failure> {
    let configured = config.quickbooks.apps.iter();
    let configured = configured.map(|app| app.settings.clone()).collect();
    let config = &config.instances;
    let wrong = |error: ClientError| Failure::Configuration(format!("[instances]: {error}"));
    let system = trust_of_the_system();
    let callbacks = match &config.ca_file {
        Some(path) => client::file_roots(path).map_err(wrong)?,
        None => system.clone(),
    };
    let tls = |trust| -> Result<Arc<ClientConfig>, Failure> {
        client::client_config(trust, None).map_err(wrong)
    };
    let parts = instances::Parts {
        apps: Apps {
            configured,
            tls: tls(system)?,
        },
        settings: Settings {
            account: OpenConnectors {
                account_id: config.account_id,
                company_id: config.company_id,
                user_id: config.user_id,
                user: config.user.clone(),
                ..OpenConnectors::default()
            },
            retry_delays: config.retry_delays.clone(),
            private_callbacks: config.private_callbacks,
            plain_callbacks: config.plain_callbacks,
            timeout: config.timeout,
            tls: tls(callbacks)?,
        },
        own,
        vault: Arc::clone(&books.vault),
        journal: journal.clone(),
        clock: Arc::clone(clock),
        randomness,
    };
    Ok(Arc::new(Platform::open(parts).await?))
}

/// A machine without any is no reason not to start: callbacks to `http` and within a `ca_file` go.
fn trust_of_the_system() -> Trust {
    client::system_roots().unwrap_or_else(|error| {
        tracing::warn!("[instances]: {error}");
        Trust::nobody()
    })
}

/// Starts what looks after the instances; it ends with `house`.
pub(super) fn spawn(
    platform: Arc<Platform>,
    joints: Joints,
    parts: &mut Parts,
    house: &watch::Sender<bool>,
) {
    let mut published = platform.published();
    joints.tell(&published.borrow_and_update());
    let stop = house.subscribe();
    parts.spawn(async move {
        platform.keep(stop).await;
        Ok("the platform of instances")
    });
    let mut stop = house.subscribe();
    parts.spawn(async move {
        loop {
            tokio::select! {
                changed = published.changed() => if changed.is_err() { break },
                _ = stop.wait_for(|stop| *stop) => break,
            }
            let now = Arc::clone(&published.borrow_and_update());
            joints.tell(&now);
        }
        Ok("the lanes of instances")
    });
}

impl Host {
    /// Writes down what was asked for, and what came of it.
    async fn audit(&self, caller: Caller, from: CallOrigin, outcome: String) {
        let by = match caller.instance {
            Some(id) if !caller.organization => journal::Caller::Instance(id.as_u32()),
            _ => journal::Caller::Organization,
        };
        let change = AuditedChange {
            peer: from.peer,
            caller: by,
            call: from.request,
            outcome,
        };
        self.journal.audit(self.clock.now(), &change).await;
    }
}

impl Elements for Host {
    async fn holder(&self, token: &Secret) -> Result<Option<InstanceId>, String> {
        Ok(self.platform.holder(token))
    }

    async fn carry_out(
        &self,
        caller: Caller,
        call: Call,
        from: CallOrigin,
    ) -> Result<Reply, Wrong> {
        let is_change = call.is_change();
        let as_caller = instances::Caller {
            organization: caller.organization,
            instance: caller.instance,
        };
        let answered = self.platform.carry_out(as_caller, call).await;
        if is_change {
            let outcome = match &answered {
                Ok(_) => "done".to_owned(),
                Err(wrong) => wrong.message.clone(),
            };
            self.audit(caller, from, outcome).await;
        }
        let answered = answered?;
        if let Some(realm) = &answered.abandoned {
            match self.desk.disconnect(realm).await {
                Ok(None) => {}
                Ok(Some(warning)) => tracing::warn!(%realm, "company {realm}: {warning}"),
                Err(error) => tracing::warn!(%realm, "company {realm}: {error}"),
            }
        }
        Ok(Reply {
            body: answered.body,
            next_page: answered.next_page,
            instance: answered.instance,
        })
    }
}
