//! What a batch touched, gathered while it runs: whom to wake, and the latest time it mentioned.

use crate::model::{RealmId, Timestamp, Watermark};

/// What a batch touched: whom to wake, and the latest time that was mentioned.
#[derive(Debug)]
pub(super) struct Touched {
    pub realms: Vec<RealmId>,
    pub companies: bool,
    pub instances: bool,
    pub everyone: bool,
    pub settled: bool,
    latest: Timestamp,
    pub arrived: Option<Timestamp>,
    /// How far kinds of companies were read.
    pub read: Vec<(RealmId, String, Watermark)>,
    /// Who spoke of companies that are refused: the source, why, and of how many changes.
    pub refused: Vec<(String, String, i64)>,
}

impl Touched {
    /// Nothing yet, at this time.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            realms: Vec::new(),
            companies: false,
            instances: false,
            everyone: false,
            settled: false,
            latest: now,
            arrived: None,
            read: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Something happened at this time.
    pub(super) fn at(&mut self, at: Timestamp) {
        self.latest = at;
    }

    /// The latest time that was mentioned.
    pub(super) fn now(&self) -> Timestamp {
        self.latest
    }

    /// A receipt arrived.
    pub(super) fn arrived(&mut self, at: Timestamp) {
        self.latest = at;
        self.arrived = Some(at);
    }

    /// A company has new changes, and may be new itself.
    pub(super) fn changed(&mut self, realm: &RealmId, is_new: bool) {
        self.companies |= is_new;
        self.realms.push(realm.clone());
    }

    /// An element instance is another than before, is new or is gone; so may the lane of its company
    /// be.
    pub(super) fn instance(&mut self, at: Timestamp, realm: &RealmId) {
        self.latest = at;
        self.instances = true;
        self.changed(realm, true);
    }

    /// A receipt spoke of companies that are refused.
    pub(super) fn refused(&mut self, source: &str, why: &str, changes: i64) {
        self.refused
            .push((source.to_owned(), why.to_owned(), changes));
    }

    /// Every lane should look again.
    pub(super) fn everyone(&mut self) {
        self.everyone = true;
    }

    /// Something was finished.
    pub(super) fn settled(&mut self) {
        self.settled = true;
    }
}
