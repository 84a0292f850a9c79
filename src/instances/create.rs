//! Instances made, changed, switched and deleted.

use super::book::{self, Entry};
use super::consent::Consent;
use super::outfit::{self, Wardrobe};
use super::{Answered, Platform, callback, unread};
use crate::model::{AppName, InstanceDraft, InstanceId, Secret};
use crate::wire::elements::draft::company;
use crate::wire::elements::{
    Amendment, Configuration, Draft, ExternalAuthentication, Kept, Terms, Wrong, show,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Random bytes of an element token; in Base64 it has the 44 characters of the documented ones.
const TOKEN_BYTES: usize = 32;

/// What an instance is to be, before it was looked at.
struct Wish {
    draft: Draft,
    /// Its token, and what else stays when it is changed.
    token: Secret,
    trace_logging: bool,
}

impl Platform {
    /// POST: a new instance.
    pub(super) async fn create(&self, draft: Draft) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let wish = Wish {
            draft,
            token: self.token()?,
            trace_logging: false,
        };
        let (draft, consent) = self.granted(wish, None).await?;
        let now = self.clock.now();
        let id = self.journal.create_instance(draft, consent, now).await;
        let id = id.map_err(unread)?;
        tracing::info!(instance = %id, "instance {id} was made");
        self.renewed(&mut turn, id).await
    }

    /// PUT: everything that its owner says of it, anew; the company stays where none is named.
    pub(super) async fn replace(&self, id: InstanceId, draft: Draft) -> Result<Answered, Wrong> {
        self.change(id, |kept, entry| {
            let configuration = draft.configuration.in_place_of(&kept.configuration)?;
            let realm = &entry.instance.draft.realm;
            Ok(Draft {
                configuration,
                realm: draft.realm.or_else(|| Some(realm.clone())),
                ..draft
            })
        })
        .await
    }

    /// PATCH: some of it.
    pub(super) async fn amend(
        &self,
        id: InstanceId,
        amendment: Amendment,
    ) -> Result<Answered, Wrong> {
        self.change(id, |kept, entry| {
            let before = &entry.instance.draft;
            let configuration = amendment.configuration.on_top_of(&kept.configuration)?;
            let external = amendment.external_authentication;
            Ok(Draft {
                name: amendment.name.unwrap_or_else(|| before.name.clone()),
                tags: amendment.tags.unwrap_or_else(|| before.tags.clone()),
                code: amendment.code,
                realm: amendment.realm.or_else(|| Some(before.realm.clone())),
                configuration,
                external_authentication: external.unwrap_or(kept.external_authentication),
            })
        })
        .await
    }

    /// PATCH of one configuration item.
    pub(super) async fn set_item(
        &self,
        id: InstanceId,
        item: u32,
        value: String,
    ) -> Result<Answered, Wrong> {
        let entry = self.entry(id)?;
        let kept = entry.kept()?;
        let key = kept.configuration.key_of(item);
        let key = key.ok_or_else(|| no_item(item))?.to_owned();
        let mut configuration = Configuration::default();
        configuration.set(key, value);
        let amendment = Amendment {
            configuration,
            ..Amendment::default()
        };
        self.amend(id, amendment).await?;
        self.configuration_item(id, item)
    }

    /// The owner's wish for a trace, which is kept and shown; what is logged is the operator's choice.
    pub(super) async fn trace(&self, id: InstanceId, on: bool) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let entry = self.entry(id)?;
        let kept = Kept {
            trace_logging: on,
            ..entry.kept()?.clone()
        };
        let before = &entry.instance.draft;
        let sealed = self.vault.seal_instance(before.realm.as_str(), &kept);
        let draft = InstanceDraft {
            sealed: sealed.map_err(|error| Wrong::new(503, error.to_string()))?,
            ..before.clone()
        };
        let now = self.clock.now();
        let stored = self.journal.update_instance(id, draft, None, now).await;
        stored.map_err(unread)?;
        self.renewed(&mut turn, id).await
    }

    /// On or off.
    pub(super) async fn switch(&self, id: InstanceId, on: bool) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        self.entry(id)?;
        let now = self.clock.now();
        self.journal
            .switch_instance(id, on, now)
            .await
            .map_err(unread)?;
        self.renewed(&mut turn, id).await
    }

    /// DELETE.
    pub(super) async fn delete(&self, id: InstanceId) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let entry = self.entry(id)?;
        let now = self.clock.now();
        self.journal
            .delete_instance(id, now)
            .await
            .map_err(unread)?;
        tracing::info!(instance = %id, "instance {id} was deleted");
        self.renew(&mut turn).await.map_err(unread)?;
        let realm = &entry.instance.draft.realm;
        let companies = self.journal.companies().await.map_err(unread)?;
        let company = companies
            .into_iter()
            .find(|company| company.realm == *realm);
        let book = self.book.load();
        let is_left = |app: &AppName| {
            let others = book
                .iter()
                .filter(|other| other.instance.draft.realm == *realm);
            let terms = others.filter_map(|other| other.terms.as_ref());
            let mut names = terms.filter_map(|terms| self.apps.name(&terms.oauth));
            names.any(|name| name == *app)
        };
        let abandoned = company
            .filter(|company| !self.apps.is_configured(&company.app) && !is_left(&company.app));
        Ok(Answered {
            abandoned: abandoned.map(|company| company.realm),
            ..Answered::about(id, show::nothing())
        })
    }

    /// Changes an instance: `next` says what it is to be.
    async fn change(
        &self,
        id: InstanceId,
        next: impl FnOnce(&Kept, &Entry) -> Result<Draft, Wrong>,
    ) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let entry = self.entry(id)?;
        let kept = entry.kept()?;
        let wish = Wish {
            draft: next(kept, &entry)?,
            token: kept.token.clone(),
            trace_logging: kept.trace_logging,
        };
        let (draft, consent) = self.granted(wish, Some(&entry)).await?;
        let now = self.clock.now();
        let stored = self.journal.update_instance(id, draft, consent, now).await;
        stored.map_err(unread)?;
        self.renewed(&mut turn, id).await
    }

    /// Takes over what was changed, and shows it.
    async fn renewed(&self, turn: &mut Wardrobe, id: InstanceId) -> Result<Answered, Wrong> {
        self.renew(turn).await.map_err(unread)?;
        self.read(id).await
    }

    /// Looks at everything, and asks Intuit last: a code is good once.
    async fn granted(
        &self,
        wish: Wish,
        before: Option<&Entry>,
    ) -> Result<(InstanceDraft, Consent), Wrong> {
        let draft = wish.draft;
        let terms = draft.configuration.terms()?;
        for warning in &terms.warnings {
            tracing::warn!("instance {:?}: {warning}", draft.name);
        }
        let realm = company(draft.realm.as_ref(), &terms)?;
        let events = callback::judge(&terms, self.settings.private_callbacks, &self.own).await?;
        outfit::check(self, &terms)?;
        let external = draft.external_authentication;
        // What it was connected with stays, however it stands with Intuit; tokens that were brought
        // once are old by now.
        let before = before.filter(|entry| entry.instance.draft.realm == realm);
        let brought = |terms: &Terms| match external {
            ExternalAuthentication::Initial => terms.oauth.refresh_token.clone(),
            ExternalAuthentication::None => None,
        };
        let known = before
            .and_then(|entry| entry.terms.as_ref())
            .and_then(brought);
        let consent = match before {
            Some(_) if draft.code.is_none() && brought(&terms) == known => None,
            _ => {
                self.consent(&realm, draft.code.as_ref(), external, &terms)
                    .await?
            }
        };
        let kept = Kept {
            token: wish.token,
            configuration: draft.configuration,
            external_authentication: external,
            trace_logging: wish.trace_logging,
        };
        let sealed = self.vault.seal_instance(realm.as_str(), &kept);
        let draft = InstanceDraft {
            token_digest: book::digest(&kept.token),
            sealed: sealed.map_err(|error| Wrong::new(503, error.to_string()))?,
            realm,
            name: draft.name,
            tags: draft.tags,
            events,
        };
        Ok((draft, consent))
    }

    fn token(&self) -> Result<Secret, Wrong> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        let filled = (self.randomness)(&mut *bytes);
        filled.map_err(|()| Wrong::new(503, "the system gives no randomness"))?;
        Ok(Secret::new(STANDARD.encode(*bytes)))
    }
}

impl Entry {
    /// What was sealed of it.
    ///
    /// # Errors
    /// 409: it cannot be unsealed, so that nothing of it can be kept.
    pub(super) fn kept(&self) -> Result<&Kept, Wrong> {
        self.kept.as_ref().ok_or_else(|| {
            let why = "what was kept of this instance was sealed with another key; delete it, and make it again";
            Wrong::new(409, why)
        })
    }
}

pub(super) fn no_item(item: u32) -> Wrong {
    Wrong::not_found(format!("there is no configuration item {item}"))
}
