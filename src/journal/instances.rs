//! The handle's half for element instances: made, changed, switched, deleted, and found again.
//!
//! Called by whoever serves the Open Connectors interface, and by the companies' tasks. Each method
//! that writes returns when its transaction is committed and survives loss of power (I1); an instance
//! and the company that it is connected with are in one.

use super::command::Task;
use super::instance::{self, Order, Said};
use super::instance_events::{self, EventCount, InstanceEvent, InstanceEvents, InstanceEventsAsk};
use super::{Error, Journal, instance_rows};
use crate::model::{
    ChangeId, Company, Instance, InstanceDraft, InstanceId, RealmId, SinkName, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
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
        let said = Box::new(Said {
            draft,
            company,
            now,
        });
        self.command(|answer| Task::Create(said, answer)).await
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
        let said = Box::new(Said {
            draft,
            company,
            now,
        });
        self.order_instance(Order::Update(id, said)).await
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
        self.read(instance_rows::all).await
    }

    /// Changes whenever an instance was made, changed, switched or deleted.
    pub fn subscribe_instances(&self) -> watch::Receiver<u64> {
        self.0.shared.subscribe_instances()
    }

    /// The sinks of those whose subscription is paused, because a callback failed for the last time.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn paused_instances(&self) -> Result<BTreeSet<SinkName>, Error> {
        self.read(instance::paused).await
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

    /// The changes that the instance is told of since it was switched on last or was told of other
    /// kinds, newest first, and what became of each.
    ///
    /// # Errors
    /// [`Error::NoInstance`], [`Error::Unread`].
    pub async fn instance_events(
        &self,
        id: InstanceId,
        ask: InstanceEventsAsk,
    ) -> Result<InstanceEvents, Error> {
        let mut page = InstanceEvents::default();
        let mut before = ask.before.map(u64::cast_signed);
        let size = ask.page_size;
        loop {
            let page_size = size.saturating_sub(page.events.len());
            let ask = InstanceEventsAsk { page_size, ..ask };
            let step = self
                .read(move |connection| instance_events::list(connection, id, ask, before))
                .await?
                .ok_or(Error::NoInstance(id.as_u32()))?;
            page.events.extend(step.found);
            before = step.next;
            if before.is_none() || instance_events::is_page(&page.events, size) {
                page.next = before.map(i64::cast_unsigned);
                return Ok(page);
            }
        }
    }

    /// The one of its events that is meant, while its change is kept.
    ///
    /// # Errors
    /// [`Error::NoInstance`], [`Error::Unread`].
    pub async fn instance_event(
        &self,
        id: InstanceId,
        is_meant: impl Fn(&ChangeId) -> bool + Send + Sync + 'static,
    ) -> Result<Option<InstanceEvent>, Error> {
        let is_meant = Arc::new(is_meant);
        let mut before = None;
        loop {
            let asked = Arc::clone(&is_meant);
            let step = self
                .read(move |connection| instance_events::seek(connection, id, &*asked, before))
                .await?
                .ok_or(Error::NoInstance(id.as_u32()))?;
            if let Some(sequence) = step.found {
                let ask = InstanceEventsAsk {
                    page_size: 1,
                    before: Some(sequence.cast_unsigned().saturating_add(1)),
                    from: None,
                    to: None,
                };
                return Ok(self.instance_events(id, ask).await?.events.pop());
            }
            match step.next {
                Some(next) => before = Some(next),
                None => return Ok(None),
            }
        }
    }

    /// How many of its events were received in each interval from `from` on and before `to`, by the
    /// instant that `interval` gives for it; one without events is missing.
    ///
    /// # Errors
    /// [`Error::NoInstance`], [`Error::Unread`].
    pub async fn instance_counts(
        &self,
        id: InstanceId,
        (from, to): (Timestamp, Timestamp),
        interval: impl Fn(Timestamp) -> Timestamp + Send + Sync + 'static,
    ) -> Result<BTreeMap<Timestamp, EventCount>, Error> {
        let interval = Arc::new(interval);
        let mut counts: BTreeMap<Timestamp, EventCount> = BTreeMap::new();
        let mut before = None;
        loop {
            let asked = Arc::clone(&interval);
            let step = self
                .read(move |connection| {
                    instance_events::count(connection, id, (from, to), &*asked, before)
                })
                .await?
                .ok_or(Error::NoInstance(id.as_u32()))?;
            for (at, count) in step.found {
                let sum = counts.entry(at).or_default();
                sum.total += count.total;
                sum.delivered += count.delivered;
                sum.dead += count.dead;
            }
            match step.next {
                Some(next) => before = Some(next),
                None => return Ok(counts),
            }
        }
    }

    async fn order_instance(&self, order: Order) -> Result<(), Error> {
        let order = Box::new(order);
        self.command(|answer| Task::Instance(order, answer)).await
    }
}
