//! Looking at instances: one, many, their configuration, and the way to Intuit for a new one.

use super::access::{Permitted, Scope};
use super::create::no_item;
use super::{Answered, Platform, callback, unread};
use crate::model::{RealmId, Standing};
use crate::wire::elements::show::Shown;
use crate::wire::elements::{
    Configuration, ELEMENT, ExternalAuthentication, Listing, MASK, OauthAsk, Wrong, show,
};
use crate::wire::quickbooks::SCOPE;
use std::collections::BTreeSet;

impl Platform {
    /// One instance.
    pub(super) async fn read(&self, permitted: &Permitted) -> Result<Answered, Wrong> {
        self.told_of(permitted, permitted.tells_token()).await
    }

    /// One instance whose token was made by this very call.
    pub(super) async fn read_with_token(&self, permitted: &Permitted) -> Result<Answered, Wrong> {
        self.told_of(permitted, true).await
    }

    async fn told_of(&self, permitted: &Permitted, tells_token: bool) -> Result<Answered, Wrong> {
        let connected = self.connected().await?;
        let nothing = Configuration::default();
        let shown = self.show(permitted, tells_token, &connected, &nothing);
        Ok(Answered::about(permitted.id(), show::instance(&shown)))
    }

    /// Those that are looked for; none is a 404, as with the originals.
    pub(super) async fn list(&self, scope: Scope, listing: &Listing) -> Result<Answered, Wrong> {
        let all = scope.all(&self.book.load());
        let admitted = all.iter().filter(|permitted| {
            let draft = &permitted.entry().instance.draft;
            listing.admits(&draft.name, &draft.tags)
        });
        let behind = |permitted: &&Permitted| {
            let next = listing.next_page;
            next.is_none_or(|next| permitted.id().as_u32() > next)
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
        let next_page = last.map(|permitted| permitted.id().to_string());
        Ok(Answered {
            next_page,
            ..self.listed(&page, listing.hydrate).await?
        })
    }

    /// Those whose polls rest because too many failed in a row.
    pub(super) async fn polling_disabled(&self, scope: Scope) -> Result<Answered, Wrong> {
        let all = scope.all(&self.book.load());
        let is_stopped = |one: &&Permitted| one.entry().instance.polling_stopped.is_some();
        let stopped = all.iter().filter(is_stopped);
        self.listed(&stopped.collect::<Vec<_>>(), true).await
    }

    pub(super) fn configuration(permitted: &Permitted) -> Result<Answered, Wrong> {
        let body = show::configuration(&permitted.entry().kept()?.configuration);
        Ok(Answered::about(permitted.id(), body))
    }

    pub(super) fn configuration_item(permitted: &Permitted, item: u32) -> Result<Answered, Wrong> {
        let body = show::configuration_item(&permitted.entry().kept()?.configuration, item);
        let body = body.ok_or_else(|| no_item(item))?;
        Ok(Answered::about(permitted.id(), body))
    }

    /// Where to send a person for consent.
    pub(super) fn oauth_url(&self, ask: &OauthAsk) -> Result<Answered, Wrong> {
        let app = self.apps.asking(&ask.key, ask.callback_url.clone())?;
        let state = ask.state.as_deref().unwrap_or(ELEMENT);
        let url = app.authorize_url_for(ask.scope.as_deref().unwrap_or(SCOPE), state);
        Ok(Answered::of(show::oauth_url(&url)))
    }

    async fn listed(&self, list: &[&Permitted], hydrate: bool) -> Result<Answered, Wrong> {
        let connected = self.connected().await?;
        let nothing = Configuration::default();
        let shown: Vec<Shown<'_>> = list
            .iter()
            .map(|one| self.show(one, one.tells_token(), &connected, &nothing))
            .collect();
        Ok(Answered::of(show::instances(&shown, hydrate)))
    }

    /// An instance that cannot be unsealed is shown without what was sealed.
    fn show<'a>(
        &'a self,
        permitted: &'a Permitted,
        tells_token: bool,
        connected: &BTreeSet<RealmId>,
        nothing: &'a Configuration,
    ) -> Shown<'a> {
        let entry = permitted.entry();
        let kept = entry.kept.as_ref();
        let token = match (kept, tells_token) {
            (Some(kept), true) => std::str::from_utf8(kept.token.expose()).unwrap_or_default(),
            (Some(_), false) => MASK,
            (None, _) => "",
        };
        let external = kept.map(|kept| kept.external_authentication);
        Shown {
            instance: &entry.instance,
            token,
            configuration: kept.map_or(nothing, |kept| &kept.configuration),
            external_authentication: external.unwrap_or(ExternalAuthentication::None),
            trace_logging: kept.is_some_and(|kept| kept.trace_logging),
            valid: kept.is_some() && connected.contains(&entry.instance.draft.realm),
            user_id: self.settings.account.user_id,
            user: &self.settings.account.user,
            warnings: self.warnings(permitted),
        }
    }

    /// What of an instance does nothing, or should be otherwise.
    fn warnings(&self, permitted: &Permitted) -> Vec<String> {
        let entry = permitted.entry();
        let Some(terms) = &entry.terms else {
            return Vec::new();
        };
        let mut warnings = terms.warnings.clone();
        let events = entry.instance.draft.events.as_ref();
        let calls = events.is_some_and(|events| events.calls_back);
        let callback = terms.callback.as_ref().filter(|_| calls);
        if callback.is_some_and(callback::is_plain) {
            warnings.push(callback::plain_warning(&self.settings));
        }
        warnings
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
