//! What instances were told: their events, what became of them, and how many there were.

use super::access::{Permitted, Scope, no_instance};
use super::{Answered, Platform, unread};
use crate::journal::{EventStanding, InstanceEvent, InstanceEventsAsk};
use crate::model::{ChangeId, InstanceId, Timestamp};
use crate::wire::elements::notifications::DeliveryStatus;
use crate::wire::elements::show::{Counted, CountedSpan, ShownEvent};
use crate::wire::elements::{Analysis, By, Paging, Wrong, show};
use crate::wire::outgoing::open_connectors::{event_id, notification_id};
use std::collections::BTreeMap;

/// An event with its id.
pub(super) struct Told {
    instance: InstanceId,
    id: String,
    event: InstanceEvent,
}

impl Told {
    pub(super) fn new(instance: InstanceId, event: InstanceEvent) -> Self {
        Self {
            instance,
            id: event_id(instance.as_u32(), &event.change.id),
            event,
        }
    }

    /// Whether it waits for a subscription that is paused.
    pub(super) fn is_queued(&self) -> bool {
        self.event.standing == EventStanding::Queued
    }

    pub(super) fn show(&self) -> ShownEvent<'_> {
        let (status, failure) = match &self.event.standing {
            EventStanding::Listed | EventStanding::Waiting => (DeliveryStatus::Created, None),
            EventStanding::Failing { last_failure } => (DeliveryStatus::Retry, Some(last_failure)),
            EventStanding::Queued => (DeliveryStatus::Queued, None),
            EventStanding::Delivered => (DeliveryStatus::Delivered, None),
            EventStanding::Dead { reason } => (DeliveryStatus::Queued, Some(reason)),
        };
        ShownEvent {
            instance: self.instance,
            id: &self.id,
            notification: notification_id(self.instance.as_u32(), &self.event.change.id),
            change: &self.event.change,
            body: self.event.body.as_deref(),
            status,
            failure: failure.map(String::as_str),
        }
    }
}

impl Platform {
    /// The events of an instance, newest first.
    pub(super) async fn events(
        &self,
        permitted: &Permitted,
        paging: Paging,
    ) -> Result<Answered, Wrong> {
        let (told, next_page) = self.told(permitted, paging).await?;
        let shown: Vec<ShownEvent<'_>> = told.iter().map(Told::show).collect();
        Ok(Answered {
            next_page,
            ..Answered::about(permitted.id(), show::events(&shown))
        })
    }

    /// One event.
    pub(super) async fn event(
        &self,
        permitted: &Permitted,
        wanted: String,
    ) -> Result<Answered, Wrong> {
        let id = permitted.id();
        let asked = wanted.clone();
        let is_meant = move |change: &ChangeId| event_id(id.as_u32(), change) == asked;
        let found = self.journal.instance_event(id, is_meant);
        let found = found.await.map_err(unread)?;
        let missing = || Wrong::not_found(format!("instance {id} has no event {wanted:?}"));
        let told = Told::new(id, found.ok_or_else(missing)?);
        Ok(Answered::about(id, show::event(&told.show())))
    }

    /// What became of the events of one instance.
    pub(super) async fn dispositions_of(
        &self,
        permitted: &Permitted,
        paging: Paging,
    ) -> Result<Answered, Wrong> {
        let (told, next_page) = self.told(permitted, paging).await?;
        let shown: Vec<ShownEvent<'_>> = told.iter().map(Told::show).collect();
        Ok(Answered {
            next_page,
            ..Answered::about(permitted.id(), show::dispositions(&shown))
        })
    }

    /// What became of the events of all that the caller may see.
    pub(super) async fn dispositions(
        &self,
        scope: Scope,
        paging: Paging,
    ) -> Result<Answered, Wrong> {
        let mut all = Vec::new();
        for permitted in &scope.all(&self.book.load()) {
            let (told, _) = self.told(permitted, paging).await?;
            all.extend(told);
        }
        all.sort_by_key(|told| std::cmp::Reverse(told.event.change.received_at));
        all.truncate(paging.page_size);
        let shown: Vec<ShownEvent<'_>> = all.iter().map(Told::show).collect();
        Ok(Answered::of(show::dispositions(&shown)))
    }

    /// How many events there were.
    pub(super) async fn analytics(
        &self,
        scope: Scope,
        analysis: Analysis,
    ) -> Result<Answered, Wrong> {
        let spans = analysis.spans(self.clock.now())?;
        let to = spans
            .begins()
            .last()
            .unwrap_or(spans.from)
            .plus(spans.length);
        let begin = move |at: Timestamp| {
            let length = i64::try_from(spans.length.as_millis())
                .unwrap_or(i64::MAX)
                .max(1);
            let nth = (at.as_ms() - spans.from.as_ms()).div_euclid(length);
            Timestamp::from_ms(spans.from.as_ms() + nth * length)
        };
        let mut counted: BTreeMap<Timestamp, Vec<Counted>> = BTreeMap::new();
        let meant = scope.narrowed(&self.book.load());
        for id in meant.iter().map(Permitted::id) {
            let of = match analysis.by {
                By::Account => self.settings.account.account_id,
                By::Time | By::Instance => id.as_u32(),
            };
            let counts = self
                .journal
                .instance_counts(id, (spans.from, to), begin)
                .await;
            for (at, count) in counts.map_err(unread)? {
                let span = counted.entry(at).or_default();
                if !span.iter().any(|one| one.of == of) {
                    span.push(Counted {
                        of,
                        count: 0,
                        success: 0,
                        failed: 0,
                    });
                }
                let one = span.iter_mut().find(|one| one.of == of);
                if let Some(one) = one {
                    one.count += count.total;
                    one.success += count.delivered;
                    one.failed += count.dead;
                }
            }
        }
        let spans: Vec<CountedSpan> = spans
            .begins()
            .map(|begin| CountedSpan {
                begin,
                counted: counted.remove(&begin).unwrap_or_default(),
            })
            .collect();
        Ok(Answered::of(show::analytics(analysis.by, &spans)))
    }

    /// A page of the events of an instance, and by what the next one is asked for.
    pub(super) async fn told(
        &self,
        permitted: &Permitted,
        paging: Paging,
    ) -> Result<(Vec<Told>, Option<String>), Wrong> {
        let id = permitted.id();
        let ask = InstanceEventsAsk {
            page_size: paging.page_size,
            before: paging.next_page,
            from: paging.from,
            to: paging.to,
        };
        let page = self.journal.instance_events(id, ask).await;
        let page = page.map_err(|error| match error {
            crate::journal::Error::NoInstance(_) => no_instance(id),
            other => unread(other),
        })?;
        let told = page.events.into_iter().map(|event| Told::new(id, event));
        Ok((told.collect(), page.next.map(|next| next.to_string())))
    }
}
