//! The handle's half for who has work: the lanes that have something to do, and who may bring more.

use super::{Changed, Error, Journal, reader};
use crate::model::{Lane, RealmId, SourceScope, Timestamp};
use std::collections::BTreeMap;
use tokio::sync::watch;

impl Journal {
    /// What each client that does not sign may speak of from now on, by the name of its source; one
    /// that is not named may speak of no company that is not known otherwise.
    pub fn set_scopes(&self, scopes: BTreeMap<String, SourceScope>) {
        self.0.shared.scopes().set(scopes);
    }

    /// The lanes that have something to do, now or later: of these companies, or of all; and before
    /// when the head of each is not tried again.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn lanes_with_work(
        &self,
        realms: Option<Vec<RealmId>>,
    ) -> Result<Vec<(Lane, Option<Timestamp>)>, Error> {
        self.read(move |connection| reader::lanes_with_work(connection, realms.as_deref()))
            .await
    }

    /// The companies whose lanes may have something to do since this was asked last; for one asker.
    pub fn take_changed(&self) -> Changed {
        self.0.shared.take_changed()
    }

    /// Changes whenever there is something to take by [`take_changed`](Self::take_changed).
    pub fn subscribe_work(&self) -> watch::Receiver<u64> {
        self.0.shared.subscribe_work()
    }
}
