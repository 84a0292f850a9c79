//! How each company is, for the lamp, the status page and the metrics.
//!
//! The tasks write, others look; looking is cheap and waits for nobody. One entry a company, each of
//! bounded size.

use crate::model::{Company, CompanyHealth, Hindrance, HindranceKind, RealmId, Timestamp};
use crate::rules::token::soonest_end;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything that is known of the companies' reading; clones show the same.
#[derive(Clone, Default, Debug)]
pub struct Roster(Arc<Mutex<BTreeMap<RealmId, CompanyHealth>>>);

impl Roster {
    /// Every company that is or should be read, by its id.
    pub fn snapshot(&self) -> Vec<CompanyHealth> {
        self.entries().values().cloned().collect()
    }

    pub(super) fn put(&self, health: CompanyHealth) {
        self.entries().insert(health.realm.clone(), health);
    }

    /// When QuickBooks answered last.
    pub(super) fn last_success_at(&self, realm: &RealmId) -> Option<Timestamp> {
        self.entries().get(realm)?.last_success_at
    }

    /// A company that has no task.
    pub(super) fn hinder(&self, company: &Company, kind: HindranceKind, why: &str, now: Timestamp) {
        let mut entries = self.entries();
        let since = entries
            .get(&company.realm)
            .and_then(|entry| entry.hindrance.as_ref())
            .filter(|before| before.kind == kind)
            .map_or(now, |before| before.since);
        let health = CompanyHealth {
            realm: company.realm.clone(),
            app: company.app.clone(),
            environment: company.environment,
            standing: company.standing.clone(),
            last_success_at: None,
            hindrance: Some(Hindrance {
                kind,
                since,
                why: why.to_owned(),
                until: None,
            }),
            budget_percent: None,
            soonest_end: soonest_end(company),
            warning: None,
            unreadable_kinds: Vec::new(),
            skipped_records: Vec::new(),
            polling_stopped: None,
            unreconciled: 0,
        };
        entries.insert(company.realm.clone(), health);
    }

    /// The task of a company panicked.
    pub(super) fn broke(&self, realm: &RealmId, since: Timestamp, until: Timestamp) {
        if let Some(entry) = self.entries().get_mut(realm) {
            entry.hindrance = Some(Hindrance {
                kind: HindranceKind::Broken,
                since,
                why: "the relay itself failed in reading this company; its log says where".into(),
                until: Some(until),
            });
        }
    }

    /// A company's new tokens cannot be stored.
    pub(super) fn stuck(&self, realm: &RealmId, why: &str, now: Timestamp) {
        if let Some(entry) = self.entries().get_mut(realm) {
            let same = entry.hindrance.take();
            let same = same.filter(|before| before.kind == HindranceKind::Unstored);
            entry.hindrance = Some(Hindrance {
                kind: HindranceKind::Unstored,
                since: same.map_or(now, |before| before.since),
                why: why.to_owned(),
                until: None,
            });
        }
    }

    pub(super) fn forget(&self, realm: &RealmId) {
        self.entries().remove(realm);
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<RealmId, CompanyHealth>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
