//! The QuickBooks side, made from the configuration.

use super::Failure;
use super::relay::Parts;
use crate::clock::Clock;
use crate::config::{AppConfig, Config, QuickBooks, TokenKey};
use crate::connect::{Desk, directory};
use crate::journal::Journal;
use crate::model::{AppName, Device, RealmId, Tally};
use crate::qbo;
use crate::rules::company::{InstancePolls, Plan};
use crate::vault::Vault;
use crate::worker::company::{Access, Companies, Roster};
use crate::worker::gaps;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What is needed to read companies.
pub(super) struct Books {
    pub(super) apps: BTreeMap<AppName, qbo::App>,
    pub(super) vault: Arc<Vault>,
    calls_max: BTreeMap<AppName, Option<u64>>,
    plan: Plan,
}

impl Books {
    /// The desk where companies are connected.
    pub(super) fn desk(
        &self,
        journal: &Journal,
        clock: &Arc<dyn Clock>,
        others: watch::Receiver<BTreeMap<AppName, qbo::App>>,
    ) -> Arc<Desk> {
        let desk = Desk::new(
            self.apps.clone(),
            Arc::clone(&self.vault),
            journal.clone(),
            Arc::clone(clock),
            randomness,
        );
        Arc::new(desk.with_others(others))
    }

    /// The configured apps, each with its budget.
    pub(super) fn accesses(&self) -> BTreeMap<AppName, Access<qbo::App>> {
        let access = |(name, quickbooks): (&AppName, &qbo::App)| {
            let access = Access {
                quickbooks: quickbooks.clone(),
                calls_max: self.calls_max.get(name).copied().flatten(),
            };
            (name.clone(), access)
        };
        self.apps.iter().map(access).collect()
    }
}

/// Takes the client secrets over that the new configuration has.
///
/// # Errors
/// Which apps keep their old ones, and why.
pub(super) fn renew(
    apps: &BTreeMap<AppName, qbo::App>,
    configured: &QuickBooks,
) -> Result<(), String> {
    let mut kept = Vec::new();
    for config in &configured.apps {
        let Some(app) = apps.get(&config.settings.app) else {
            continue;
        };
        if let Err(error) = app.renew(&config.settings.client_secret) {
            kept.push(format!("app {} keeps its old secret: {error}", app.name()));
        }
    }
    match kept.is_empty() {
        true => Ok(()),
        false => Err(kept.join("; ")),
    }
}

/// What reads companies.
pub(super) struct Readers {
    pub(super) books: Books,
    pub(super) journal: Journal,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tally: Arc<Tally>,
    pub(super) device: watch::Receiver<Device>,
    pub(super) roster: Roster,
    /// The apps, as they come and go.
    pub(super) accesses: watch::Receiver<BTreeMap<AppName, Access<qbo::App>>>,
    /// What is polled for instances.
    pub(super) polls: watch::Receiver<BTreeMap<RealmId, InstancePolls>>,
}

impl Readers {
    /// Starts it; it ends with `house`.
    pub(super) fn spawn(self, parts: &mut Parts, house: &watch::Sender<bool>) {
        let apps = self.books.apps.values().cloned().collect();
        let (device, stop) = (self.device.clone(), house.subscribe());
        parts.spawn(async move {
            directory::keep(apps, device, stop).await;
            Ok("the directory of Intuit")
        });
        let mut companies = Companies::new(
            self.journal.clone(),
            self.books.vault,
            BTreeMap::new(),
            self.books.plan,
            Arc::clone(&self.clock),
            Arc::clone(&self.tally),
        );
        companies.apps = self.accesses;
        companies.polls = self.polls;
        companies.roster = self.roster;
        companies.device = self.device.clone();
        let stop = house.subscribe();
        parts.spawn(async move {
            let ended = companies.run(stop).await;
            ended.map_err(|error| Failure::Ended(format!("reading companies ({error})")))?;
            Ok("reading companies")
        });
        let stop = house.subscribe();
        parts.spawn(async move {
            gaps::run(self.journal, self.clock, self.tally, self.device, stop).await?;
            Ok("the watch for gaps")
        });
    }
}

/// `None` where no app is configured and no instance can bring one.
pub(super) fn books(config: &Config) -> Result<Option<Books>, Failure> {
    if config.quickbooks.apps.is_empty() && !config.instances.enabled {
        return Ok(None);
    }
    let wrong = |error: String| Failure::Configuration(error);
    let books = &config.quickbooks;
    let mut apps = BTreeMap::new();
    for app in &books.apps {
        let made = qbo::App::new(app.settings.clone());
        let made = made.map_err(|error| wrong(format!("app {}: {error}", app.settings.app)))?;
        apps.insert(app.settings.app.clone(), made);
    }
    let vault = match &books.key {
        TokenKey::Given(key) => Vault::from_key(key),
        TokenKey::File(path) => Vault::open_or_make(path),
    };
    let vault = vault.map_err(|error| wrong(format!("[tokens] key: {error}")))?;
    let calls_max = |app: &AppConfig| (app.settings.app.clone(), app.calls_per_month);
    Ok(Some(Books {
        apps,
        vault: Arc::new(vault),
        calls_max: books.apps.iter().map(calls_max).collect(),
        plan: Plan {
            settle: books.settle,
            polls: books.polls.clone(),
            sweep_at: Some(books.sweep_at),
            ..Plan::default()
        },
    }))
}

/// Fills bytes from the system's randomness.
pub(super) fn randomness(bytes: &mut [u8]) -> Result<(), ()> {
    SystemRandom::new().fill(bytes).map_err(|_| ())
}
