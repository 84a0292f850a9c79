//! Looking at instances: one, many, their configuration, and the way to Intuit for a new one.

use super::book::Entry;
use super::create::no_item;
use super::{Answered, Platform, unread};
use crate::model::{InstanceId, RealmId, Standing};
use crate::wire::elements::show::Shown;
use crate::wire::elements::{
    Configuration, ELEMENT, ExternalAuthentication, Listing, OauthAsk, Wrong, show,
};
use crate::wire::quickbooks::SCOPE;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Platform {
    /// One instance.
    pub(super) async fn read(&self, id: InstanceId) -> Result<Answered, Wrong> {
        let entry = self.entry(id)?;
        let connected = self.connected().await?;
        let nothing = Configuration::default();
        let shown = self.show(&entry, &connected, &nothing);
        Ok(Answered::about(id, show::instance(&shown)))
    }

    /// Those that are looked for; none is a 404, as with the originals.
    pub(super) async fn list(&self, listing: &Listing) -> Result<Answered, Wrong> {
        let book = self.book.load_full();
        let admitted = book.iter().filter(|entry| {
            let draft = &entry.instance.draft;
            listing.admits(&draft.name, &draft.tags)
        });
        let behind = |entry: &&Arc<Entry>| {
            let next = listing.next_page;
            next.is_none_or(|next| entry.id().as_u32() > next)
        };
        let mut page: Vec<_> = admitted
            .filter(behind)
            .take(listing.page_size + 1)
            .collect();
        let is_search = listing.search.is_some() || !listing.tags.is_empty();
        if page.is_empty() && is_search && listing.next_page.is_none() {
            return Err(Wrong::not_found("no instance is like that"));
        }
        let more = page.len() > listing.page_size;
        page.truncate(listing.page_size);
        let last = page.last().filter(|_| more);
        let next_page = last.map(|entry| entry.id().to_string());
        Ok(Answered {
            next_page,
            ..self.listed(&page, listing.hydrate).await?
        })
    }

    /// Those whose polls rest because too many failed in a row.
    pub(super) async fn polling_disabled(&self) -> Result<Answered, Wrong> {
        let book = self.book.load_full();
        let stopped = book
            .iter()
            .filter(|entry| entry.instance.polling_stopped.is_some());
        self.listed(&stopped.collect::<Vec<_>>(), true).await
    }

    pub(super) fn configuration(&self, id: InstanceId) -> Result<Answered, Wrong> {
        let entry = self.entry(id)?;
        let body = show::configuration(&entry.kept()?.configuration);
        Ok(Answered::about(id, body))
    }

    pub(super) fn configuration_item(&self, id: InstanceId, item: u32) -> Result<Answered, Wrong> {
        let entry = self.entry(id)?;
        let body = show::configuration_item(&entry.kept()?.configuration, item);
        Ok(Answered::about(id, body.ok_or_else(|| no_item(item))?))
    }

    /// Where to send a person for consent.
    pub(super) fn oauth_url(&self, ask: &OauthAsk) -> Result<Answered, Wrong> {
        let app = self.apps.asking(&ask.key, ask.callback_url.clone())?;
        let state = ask.state.as_deref().unwrap_or(ELEMENT);
        let url = app.authorize_url_for(ask.scope.as_deref().unwrap_or(SCOPE), state);
        Ok(Answered::of(show::oauth_url(&url)))
    }

    async fn listed(&self, entries: &[&Arc<Entry>], hydrate: bool) -> Result<Answered, Wrong> {
        let connected = self.connected().await?;
        let nothing = Configuration::default();
        let shown: Vec<Shown<'_>> = entries
            .iter()
            .map(|entry| self.show(entry, &connected, &nothing))
            .collect();
        Ok(Answered::of(show::instances(&shown, hydrate)))
    }

    /// An instance that cannot be unsealed is shown without what was sealed.
    fn show<'a>(
        &'a self,
        entry: &'a Entry,
        connected: &BTreeSet<RealmId>,
        nothing: &'a Configuration,
    ) -> Shown<'a> {
        let kept = entry.kept.as_ref();
        let token = kept.map_or(&b""[..], |kept| kept.token.expose());
        let external = kept.map(|kept| kept.external_authentication);
        Shown {
            instance: &entry.instance,
            token: std::str::from_utf8(token).unwrap_or_default(),
            configuration: kept.map_or(nothing, |kept| &kept.configuration),
            external_authentication: external.unwrap_or(ExternalAuthentication::None),
            trace_logging: kept.is_some_and(|kept| kept.trace_logging),
            valid: kept.is_some() && connected.contains(&entry.instance.draft.realm),
            user_id: self.settings.account.user_id,
            user: &self.settings.account.user,
        }
    }

    /// The companies that can be read.
    async fn connected(&self) -> Result<BTreeSet<RealmId>, Wrong> {
        let companies = self.journal.companies().await.map_err(unread)?;
        let connected = companies
            .into_iter()
            .filter(|company| company.standing == Standing::Connected);
        Ok(connected.map(|company| company.realm).collect())
    }
}
