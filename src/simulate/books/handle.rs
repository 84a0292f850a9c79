//! The handle to a company's books, shared by tests, the server and whoever changes things.
//!
//! Here the clock is asked and what happened is handed on to be told; the lock is held for the
//! moment of the change only.

use super::{Change, Deed, Happening, Ledger, Mistake, Seen, find};
use crate::clock::Clock;
use crate::model::Timestamp;
use crate::simulate::company::Chance;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// QuickBooks's clock: somebody's clock, and how far QuickBooks is off it.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct BooksClock {
    clock: Arc<dyn Clock>,
    skew_ms: Arc<AtomicI64>,
}

impl BooksClock {
    pub(in crate::simulate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            skew_ms: Arc::default(),
        }
    }

    /// What QuickBooks takes for now.
    pub(in crate::simulate) fn now(&self) -> Timestamp {
        let skew = self.skew_ms.load(Ordering::SeqCst);
        Timestamp::from_ms(self.clock.now().as_ms().saturating_add(skew))
    }

    /// Now without the skew: for lifetimes.
    pub(in crate::simulate) fn even(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts it off by so much.
    pub(in crate::simulate) fn set_skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::SeqCst);
    }
}

/// Takes what is to be told.
pub(in crate::simulate) trait Teller: Send + Sync + std::fmt::Debug {
    /// This happened.
    fn tell(&self, happening: &Happening);
}

/// One company's books; clones are the same books.
#[derive(Clone, Debug)]
pub struct Books {
    ledger: Arc<Mutex<Ledger>>,
    clock: BooksClock,
    teller: Option<Arc<dyn Teller>>,
}

impl Books {
    pub(in crate::simulate) fn new(
        ledger: Ledger,
        clock: BooksClock,
        teller: Option<Arc<dyn Teller>>,
    ) -> Self {
        Self {
            ledger: Arc::new(Mutex::new(ledger)),
            clock,
            teller,
        }
    }

    /// The same books; what is changed through them is told to nobody.
    #[must_use]
    pub fn quietly(&self) -> Self {
        Self {
            teller: None,
            ..self.clone()
        }
    }

    /// A new record.
    ///
    /// # Errors
    /// When there is no such kind.
    pub fn create(&self, kind: &str) -> Result<Happening, Mistake> {
        self.change(&Change::new(kind, Deed::Create, None))
    }

    /// Its content changes.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn update(&self, kind: &str, id: &str) -> Result<Happening, Mistake> {
        self.change(&Change::new(kind, Deed::Update, Some(id)))
    }

    /// `LastUpdatedTime` moves and `SyncToken` does not, as when a linked transaction changes.
    ///
    /// # Errors
    /// When there is no such record in use.
    pub fn touch(&self, kind: &str, id: &str) -> Result<Happening, Mistake> {
        self.change(&Change::new(kind, Deed::Touch, Some(id)))
    }

    /// A transaction is made void.
    ///
    /// # Errors
    /// When there is no such record in use, or its kind cannot be void.
    pub fn void(&self, kind: &str, id: &str) -> Result<Happening, Mistake> {
        self.change(&Change::new(kind, Deed::Void, Some(id)))
    }

    /// A transaction is gone; a name is made inactive.
    ///
    /// # Errors
    /// When there is no such record in use.
    pub fn delete(&self, kind: &str, id: &str) -> Result<Happening, Mistake> {
        self.change(&Change::new(kind, Deed::Delete, Some(id)))
    }

    /// A name is made inactive, which is told as an update.
    ///
    /// # Errors
    /// When there is no such record in use, or its kind is no name.
    pub fn deactivate(&self, kind: &str, id: &str) -> Result<Happening, Mistake> {
        self.change(&Change::new(kind, Deed::Deactivate, Some(id)))
    }

    /// A transaction is sent by mail.
    ///
    /// # Errors
    /// When there is no such record in use, or its kind is not mailed.
    pub fn email(&self, kind: &str, id: &str) -> Result<Happening, Mistake> {
        self.change(&Change::new(kind, Deed::Email, Some(id)))
    }

    /// A name takes over another.
    ///
    /// # Errors
    /// When one of them is not in use, or their kind is not merged.
    pub fn merge(&self, kind: &str, survivor: &str, loser: &str) -> Result<Happening, Mistake> {
        let mut change = Change::new(kind, Deed::Merge, Some(survivor));
        change.deleted_id = Some(loser.to_owned());
        self.change(&change)
    }

    /// Any change.
    ///
    /// # Errors
    /// When there is no such record, or QuickBooks has no such operation.
    pub fn change(&self, change: &Change) -> Result<Happening, Mistake> {
        let happening = self.ledger().apply(self.clock.now(), change)?;
        self.tell(&happening);
        Ok(happening)
    }

    /// Something possible, by chance.
    ///
    /// # Errors
    /// Never, as far as the books know what is possible.
    pub fn random(&self, chance: &mut Chance) -> Result<Happening, Mistake> {
        let happening = {
            let mut ledger = self.ledger();
            let change = ledger.possible(chance);
            ledger.apply(self.clock.now(), &change)?
        };
        self.tell(&happening);
        Ok(happening)
    }

    /// So many records that were created at `at`; nobody is told.
    pub fn fill(&self, kind: &str, count: u64, at: Timestamp) {
        self.ledger().fill(kind, count, at);
    }

    /// The company.
    pub fn realm(&self) -> String {
        self.ledger().realm().to_owned()
    }

    /// What every record is, by kind and id.
    pub fn seen(&self) -> BTreeMap<(String, String), Seen> {
        self.ledger().seen()
    }

    /// A record as Capture gives it; a tombstone for one that is gone.
    pub fn record(&self, kind: &str, id: &str) -> Option<String> {
        let facts = find(kind)?;
        let id = id.parse().ok()?;
        Some(self.ledger().row(facts.kind, id)?.written(facts, id))
    }

    /// What happened, oldest first; the newest 100 000.
    pub fn history(&self) -> Vec<Happening> {
        self.ledger().history().cloned().collect()
    }

    /// The books themselves, for as long as the guard lives.
    pub(in crate::simulate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, happening: &Happening) {
        let is_notified = find(happening.kind).is_some_and(|facts| facts.notified);
        if let Some(teller) = &self.teller
            && is_notified
        {
            teller.tell(happening);
        }
    }
}
