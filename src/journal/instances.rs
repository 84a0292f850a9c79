//! The handle's half for element instances: made, changed, switched, deleted, and found again.
//!
//! Called by whoever serves the Open Connectors interface, and by the companies' tasks. Each method
//! that writes returns when its transaction is committed and survives loss of power (I1); an instance
//! and the company that it is connected with are in one.

use super::command::Task;
use super::instance::{self, Order};
use super::{Error, Journal};
use crate::model::{Company, Instance, InstanceDraft, InstanceId, RealmId, Timestamp};
use tokio::sync::watch;

impl Journal {
    /// Makes an instance, and connects its company with these sealed tokens where they are given. It
    /// is told of what comes after this.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no room: nothing of it was kept; else as for
    /// [`settle`](Self::settle).
    pub async fn create_instance(
        &self,
        draft: InstanceDraft,
        company: Option<(Company, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<InstanceId, Error> {
        let created = Box::new((draft, company, now));
        self.command(|answer| Task::Create(created, answer)).await
    }

    /// Puts another draft in the place of the one before, and connects its company with these sealed
    /// tokens where they are given. What waits for it goes by the new draft. It begins afresh, with
    /// what comes after this, when it is given another company, or when its events or its callback
    /// are switched on.
    ///
    /// # Errors
    /// [`Error::NoInstance`], or as for [`create_instance`](Self::create_instance).
    pub async fn update_instance(
        &self,
        id: InstanceId,
        draft: InstanceDraft,
        company: Option<(Company, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.order_instance(Order::Update {
            id,
            draft,
            company,
            now,
        })
        .await
    }

    /// Switches it off, so that nothing leaves for it and nothing is kept for it, or on, so that it
    /// is told of what comes after this and is polled for again.
    ///
    /// # Errors
    /// [`Error::NoInstance`], or as for [`settle`](Self::settle).
    pub async fn switch_instance(
        &self,
        id: InstanceId,
        on: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.order_instance(Order::Switch { id, on, now }).await
    }

    /// Deletes it with everything that was kept for it. Its company stays connected.
    ///
    /// # Errors
    /// [`Error::NoInstance`], or as for [`settle`](Self::settle).
    pub async fn delete_instance(&self, id: InstanceId, now: Timestamp) -> Result<(), Error> {
        self.order_instance(Order::Delete { id, now }).await
    }

    /// Remembers of every instance that polls this company that its polls rest, until it is switched
    /// on again; written as an event when one of them was polled for.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn stop_polling(
        &self,
        realm: &RealmId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (realm, why) = (realm.clone(), why.to_owned());
        self.order_instance(Order::StopPolling { realm, why, now })
            .await
    }

    /// Every instance, by its number.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn instances(&self) -> Result<Vec<Instance>, Error> {
        self.read(instance::all).await
    }

    /// Changes whenever an instance was made, changed, switched or deleted.
    pub fn subscribe_instances(&self) -> watch::Receiver<u64> {
        self.0.shared.subscribe_instances()
    }

    /// What was set for the whole interface under this name.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn setting(&self, name: &str) -> Result<Option<String>, Error> {
        let name = name.to_owned();
        self.read(move |connection| instance::setting(connection, &name))
            .await
    }

    /// Sets something for the whole interface.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), Error> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.order_instance(Order::Set { name, value }).await
    }

    async fn order_instance(&self, order: Order) -> Result<(), Error> {
        let order = Box::new(order);
        self.command(|answer| Task::Instance(order, answer)).await
    }
}
