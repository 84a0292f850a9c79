//! Callbacks as subscriptions, what waits for them, and sending it again.

use super::access::{Permitted, Scope};
use super::book::Entry;
use super::create::amended;
use super::events::Told;
use super::{Answered, Platform, unread};
use crate::model::{InstanceDraft, InstanceId};
use crate::wire::elements::notifications::{DeliveryStatus, unsubscribed};
use crate::wire::elements::show::{ShownEvent, ShownSubscription};
use crate::wire::elements::{Filter, Kept, Paging, SubscriptionDraft, Wrong, show};
use crate::wire::url::Url;
use std::collections::BTreeSet;

impl Platform {
    /// The callbacks of all instances, or of the caller's own.
    pub(super) async fn subscriptions(
        &self,
        scope: Scope,
        paging: Paging,
    ) -> Result<Answered, Wrong> {
        let entries = self.subscribed(scope);
        let paused = self.paused().await?;
        let behind = |entry: &&Permitted| {
            let next = paging.next_page;
            next.is_none_or(|next| u64::from(entry.id().as_u32()) > next)
        };
        let shown = entries
            .iter()
            .filter(behind)
            .map(|entry| show_one(entry, &paused));
        let mut shown: Vec<_> = shown.take(paging.page_size + 1).collect();
        let more = shown.len() > paging.page_size;
        shown.truncate(paging.page_size);
        let last = shown.last().filter(|_| more);
        Ok(Answered {
            next_page: last.map(|one| one.instance.to_string()),
            ..Answered::of(show::subscriptions(&shown))
        })
    }

    /// One of them.
    pub(super) async fn subscription(&self, scope: Scope, id: u32) -> Result<Answered, Wrong> {
        self.show_subscription(&self.subscribed_one(scope, id)?)
            .await
    }

    /// Makes the callback of an instance and switches its events on. An instance has one callback:
    /// another one in its place is asked for by its configuration, so that nobody's is lost unseen.
    ///
    /// # Errors
    /// Those of a change of the configuration; 409 where it calls back elsewhere already; 400 for an
    /// address that is never called, because it leads back to the relay.
    pub(super) async fn subscribe(
        &self,
        permitted: Permitted,
        draft: SubscriptionDraft,
    ) -> Result<Answered, Wrong> {
        let id = permitted.id();
        let next = |kept: &Kept, entry: &Entry| match callback(entry) {
            Some(url) if *url != draft.url => {
                let why = format!(
                    "instance {id} calls back {} already; DELETE /notifications/subscriptions/{id} \
                     ends that, PATCH of its event.notification.callback.url changes it",
                    url.as_str()
                );
                Err(Wrong::new(409, why))
            }
            _ => amended(draft.amendment(), kept, entry),
        };
        let is_called = |draft: &InstanceDraft| {
            let why = "it leads back to the gateway, and would never be called";
            let events = draft.events.as_ref();
            let is_called = events.is_some_and(|events| events.calls_back);
            is_called
                .then_some(())
                .ok_or_else(|| Wrong::at("config.url", why))
        };
        self.change_if(permitted.clone(), next, is_called).await?;
        self.show_subscription(&permitted.again(&self.book.load())?)
            .await
    }

    /// Ends the callback of an instance and switches its events off.
    pub(super) async fn unsubscribe(&self, scope: Scope, id: u32) -> Result<Answered, Wrong> {
        let permitted = self.subscribed_one(scope, id)?;
        let id = permitted.id();
        self.amend(permitted, unsubscribed()).await?;
        Ok(Answered::about(id, show::nothing()))
    }

    /// What is on its way, has arrived, or waits in the queue.
    pub(super) async fn deliveries(
        &self,
        scope: Scope,
        filter: &Filter,
    ) -> Result<Answered, Wrong> {
        let mut paused = self.paused().await?;
        let entries = self.subscribed(scope);
        let mut found: Vec<(Told, &Permitted)> = Vec::new();
        let mut next_page = None;
        let meant: Vec<&Permitted> = entries
            .iter()
            .filter(|entry| names(filter, entry))
            .collect();
        for entry in &meant {
            let (told, next) = self.told(entry, filter.paging).await?;
            // With several subscriptions there is no one number to go on from.
            next_page = next.filter(|_| meant.len() == 1);
            // It may have been paused since the pauses were read.
            if told.iter().any(Told::is_queued) {
                paused.insert(entry.id());
            }
            found.extend(told.into_iter().map(|told| (told, *entry)));
        }
        found.retain(|(told, entry)| is_admitted(filter, entry, told.show().status));
        let over = found.len() > filter.paging.page_size;
        found.truncate(filter.paging.page_size);
        let shown: Vec<(ShownEvent<'_>, ShownSubscription<'_>)> = found
            .iter()
            .map(|(told, entry)| (told.show(), show_one(entry, &paused)))
            .collect();
        Ok(Answered {
            next_page: next_page.filter(|_| !over),
            ..Answered::of(show::deliveries(&shown))
        })
    }

    /// Switches what is meant on again and lets it try at once; what was sent is told as it stands
    /// before.
    pub(super) async fn resend(&self, scope: Scope, filter: &Filter) -> Result<Answered, Wrong> {
        let answered = self.deliveries(scope, filter).await?;
        let paused = self.paused().await?;
        for entry in self
            .subscribed(scope)
            .iter()
            .filter(|entry| names(filter, entry))
        {
            let is_meant = match filter.status {
                Some(DeliveryStatus::Queued) => paused.contains(&entry.id()),
                Some(DeliveryStatus::Retry) => !paused.contains(&entry.id()),
                _ => true,
            };
            if is_meant {
                let enabled = self.journal.enable_sink(&entry.id().sink()).await;
                enabled.map_err(unread)?;
            }
        }
        Ok(answered)
    }

    /// The instances that call back.
    fn subscribed(&self, scope: Scope) -> Vec<Permitted> {
        let seen = scope.narrowed(&self.book.load()).into_iter();
        seen.filter(|permitted| callback(permitted.entry()).is_some())
            .collect()
    }

    /// The one of them with this number.
    fn subscribed_one(&self, scope: Scope, id: u32) -> Result<Permitted, Wrong> {
        let mut subscribed = self.subscribed(scope).into_iter();
        let found = subscribed.find(|permitted| permitted.id().as_u32() == id);
        found.ok_or_else(|| Wrong::not_found(format!("there is no subscription {id}")))
    }

    async fn show_subscription(&self, permitted: &Permitted) -> Result<Answered, Wrong> {
        let paused = self.paused().await?;
        let shown = show::subscription(&show_one(permitted, &paused));
        Ok(Answered::about(permitted.id(), shown))
    }

    /// Those whose subscription is paused.
    async fn paused(&self) -> Result<BTreeSet<InstanceId>, Wrong> {
        let off = self.journal.paused_instances().await.map_err(unread)?;
        let book = self.book.load();
        let paused = book.iter().map(|entry| entry.id());
        Ok(paused.filter(|id| off.contains(&id.sink())).collect())
    }
}

fn show_one<'a>(entry: &'a Permitted, paused: &BTreeSet<InstanceId>) -> ShownSubscription<'a> {
    ShownSubscription {
        instance: entry.id(),
        url: url(entry).unwrap_or_default(),
        active: entry.entry().instance.disabled_at.is_none() && !paused.contains(&entry.id()),
    }
}

/// Where the events of an instance go; `None` where it calls nobody back.
fn callback(entry: &Entry) -> Option<&Url> {
    let events = entry.instance.draft.events.as_ref();
    events.filter(|events| events.calls_back)?;
    entry.terms.as_ref()?.callback.as_ref()
}

fn url(permitted: &Permitted) -> Option<&str> {
    callback(permitted.entry()).map(Url::as_str)
}

/// Whether the filter can mean anything of this subscription.
fn names(filter: &Filter, entry: &Permitted) -> bool {
    let any = Filter {
        status: None,
        ..filter.clone()
    };
    is_admitted(&any, entry, DeliveryStatus::Created)
}

fn is_admitted(filter: &Filter, entry: &Permitted, status: DeliveryStatus) -> bool {
    filter.admits(entry.id().as_u32(), url(entry).unwrap_or_default(), status)
}
