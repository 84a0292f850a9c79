//! The QuickBooks side, made from the configuration.

use super::Failure;
use crate::clock::Clock;
use crate::config::{Config, TokenKey};
use crate::connect::Desk;
use crate::journal::Journal;
use crate::model::AppName;
use crate::qbo;
use crate::vault::Vault;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is needed to read companies.
pub(super) struct Books {
    pub(super) apps: BTreeMap<AppName, qbo::App>,
    pub(super) vault: Arc<Vault>,
}

impl Books {
    /// The desk where companies are connected.
    pub(super) fn desk(&self, journal: &Journal, clock: &Arc<dyn Clock>) -> Arc<Desk> {
        Arc::new(Desk::new(
            self.apps.clone(),
            Arc::clone(&self.vault),
            journal.clone(),
            Arc::clone(clock),
            randomness,
        ))
    }
}

/// `None` where no app is configured.
pub(super) fn books(config: &Config) -> Result<Option<Books>, Failure> {
    if config.quickbooks.apps.is_empty() {
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
    Ok(Some(Books {
        apps,
        vault: Arc::new(vault),
    }))
}

/// Fills bytes from the system's randomness.
fn randomness(bytes: &mut [u8]) -> Result<(), ()> {
    SystemRandom::new().fill(bytes).map_err(|_| ())
}
