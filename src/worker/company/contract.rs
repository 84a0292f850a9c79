//! The apps by which companies are read, as they come and go, and what each has used of its month.
//!
//! A task asks for its app's contract before each turn, so another secret, another address or another
//! app of its company counts from the next call on, and no task has to be started anew for it.

use super::super::lane::pointless;
use super::Access;
use super::meter::Meter;
use crate::journal::{Error, Journal};
use crate::model::{AppName, Timestamp};
use crate::rules::budget::Spent;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// An app as it is now.
pub(super) struct Contract<Q> {
    pub(super) quickbooks: Q,
    calls_max: Option<u64>,
    meter: Arc<Meter>,
}

/// All apps.
pub(super) struct Contracts<Q> {
    apps: watch::Receiver<BTreeMap<AppName, Access<Q>>>,
    /// One an app that was used; those of apps that are gone are closed now and then.
    meters: Mutex<BTreeMap<AppName, Arc<Meter>>>,
}

impl<Q> Contract<Q> {
    /// What is used up of this month.
    pub(super) async fn spent(&self, journal: &Journal, now: Timestamp) -> Result<Spent, Error> {
        self.meter.spent(journal, now, self.calls_max).await
    }

    /// Counts a call.
    pub(super) async fn count_one(&self, journal: &Journal) -> Result<(), Error> {
        if !self.meter.count_one() {
            return Ok(());
        }
        self.meter.write(journal).await.or_else(pointless)
    }
}

impl<Q> Contracts<Q> {
    pub(super) fn new(apps: watch::Receiver<BTreeMap<AppName, Access<Q>>>) -> Self {
        Self {
            apps,
            meters: Mutex::default(),
        }
    }

    /// Told when an app has come, gone or changed.
    pub(super) fn subscribe(&self) -> watch::Receiver<BTreeMap<AppName, Access<Q>>> {
        self.apps.clone()
    }

    /// Writes what was counted last of apps that are gone.
    pub(super) async fn close_gone(&self, journal: &Journal) -> Result<(), Error> {
        let gone: BTreeMap<AppName, Arc<Meter>> = {
            let apps = self.apps.borrow();
            let mut meters = self.meters();
            meters
                .extract_if(.., |app, _| !apps.contains_key(app))
                .collect()
        };
        write_all(gone.into_values().collect(), journal).await
    }

    /// Writes what was counted last of all apps.
    pub(super) async fn settle(&self, journal: &Journal) -> Result<(), Error> {
        let all = self.meters().values().cloned().collect();
        write_all(all, journal).await
    }

    fn meters(&self) -> MutexGuard<'_, BTreeMap<AppName, Arc<Meter>>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q: Clone> Contracts<Q> {
    /// The app of this name as it is now.
    pub(super) fn get(&self, app: &AppName) -> Option<Contract<Q>> {
        let apps = self.apps.borrow();
        let access = apps.get(app)?;
        let mut meters = self.meters();
        let meter = meters
            .entry(app.clone())
            .or_insert_with(|| Arc::new(Meter::new(app.clone())));
        Some(Contract {
            quickbooks: access.quickbooks.clone(),
            calls_max: access.calls_max,
            meter: Arc::clone(meter),
        })
    }
}

async fn write_all(meters: Vec<Arc<Meter>>, journal: &Journal) -> Result<(), Error> {
    for meter in meters {
        meter.write(journal).await.or_else(pointless)?;
    }
    Ok(())
}
