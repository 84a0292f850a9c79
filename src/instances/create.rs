//! Instances made, changed, switched and deleted.

use super::access::{Organization, Permitted};
use super::book::{self, Entry};
use super::consent::Consent;
use super::outfit::{self, Wardrobe};
use super::{Answered, Platform, callback, unread};
use crate::model::{AppName, InstanceDraft, RealmId, Secret};
use crate::wire::elements::draft::company;
use crate::wire::elements::{
    Amendment, Configuration, Draft, ExternalAuthentication, Kept, Terms, Wrong, show,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

/// Random bytes of an element token; in Base64 it has the 44 characters of the documented ones.
const TOKEN_BYTES: usize = 32;

/// Changes at a time that ask name servers or Intuit, which may take minutes: fewer than the calls that
/// a listener carries out, so that there is room for others; those by element tokens alone have a bound
/// of their own, so that there is room for the organization.
const ASKING_MAX: usize = 12;

/// How often a change begins anew because another one came before it.
const CHANGES_MAX: usize = 8;

/// What an instance is to be, before it was looked at.
struct Wish {
    draft: Draft,
    /// Its token, and what else stays when it is changed.
    token: Secret,
    trace_logging: bool,
}

/// The changes that ask name servers or Intuit.
pub(super) struct Asking {
    by_organization: Semaphore,
    by_token: Semaphore,
}

impl Default for Asking {
    fn default() -> Self {
        let places = || Semaphore::new(ASKING_MAX);
        Self {
            by_organization: places(),
            by_token: places(),
        }
    }
}

impl Asking {
    fn place(&self, by_organization: bool) -> Result<SemaphorePermit<'_>, Wrong> {
        let places = match by_organization {
            true => &self.by_organization,
            false => &self.by_token,
        };
        let why = "too many changes wait for name servers or for Intuit; try again";
        places.try_acquire().map_err(|_| Wrong::new(503, why))
    }
}

impl Platform {
    /// POST: a new instance.
    pub(super) async fn create(
        &self,
        organization: Organization,
        draft: Draft,
    ) -> Result<Answered, Wrong> {
        let _place = self.asking.place(true)?;
        let wish = Wish {
            draft,
            token: self.token()?,
            trace_logging: false,
        };
        let (draft, consent) = self.granted(wish, None, &mut None).await?;
        let mut turn = self.turn.lock().await;
        let now = self.clock.now();
        let id = self.journal.create_instance(draft, consent, now).await;
        let id = id.map_err(unread)?;
        tracing::info!(instance = %id, "instance {id} was made");
        self.renew(&mut turn).await.map_err(unread)?;
        let made = organization.one(&self.book.load(), id)?;
        self.read(&made).await
    }

    /// PUT: everything that its owner says of it, anew; the company stays where none is named.
    pub(super) async fn replace(
        &self,
        permitted: Permitted,
        draft: Draft,
    ) -> Result<Answered, Wrong> {
        self.change(permitted, |kept, entry| {
            let draft = draft.clone();
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
        permitted: Permitted,
        amendment: Amendment,
    ) -> Result<Answered, Wrong> {
        self.change(permitted, |kept, entry| {
            amended(amendment.clone(), kept, entry)
        })
        .await
    }

    /// PATCH of one configuration item.
    pub(super) async fn set_item(
        &self,
        permitted: Permitted,
        item: u32,
        value: String,
    ) -> Result<Answered, Wrong> {
        let kept = permitted.entry().kept()?;
        let key = kept.configuration.key_of(item);
        let key = key.ok_or_else(|| no_item(item))?.to_owned();
        let mut configuration = Configuration::default();
        configuration.set(key, value);
        let amendment = Amendment {
            configuration,
            ..Amendment::default()
        };
        self.amend(permitted.clone(), amendment).await?;
        let permitted = permitted.again(&self.book.load())?;
        Self::configuration_item(&permitted, item)
    }

    /// The owner's wish for a trace, which is kept and shown; what is logged is the operator's choice.
    pub(super) async fn trace(&self, permitted: Permitted, on: bool) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let permitted = permitted.again(&self.book.load())?;
        let kept = Kept {
            trace_logging: on,
            ..permitted.entry().kept()?.clone()
        };
        let permitted = self.put(&mut turn, &permitted, kept).await?;
        self.read(&permitted).await
    }

    /// Another token in the place of the one before, which is nobody's from then on.
    pub(super) async fn renew_token(&self, permitted: Permitted) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let permitted = permitted.again(&self.book.load())?;
        let kept = Kept {
            token: self.token()?,
            ..permitted.entry().kept()?.clone()
        };
        let permitted = self.put(&mut turn, &permitted, kept).await?;
        let id = permitted.id();
        tracing::info!(instance = %id, "instance {id} was given another token");
        self.read_with_token(&permitted).await
    }

    /// On or off.
    pub(super) async fn switch(&self, permitted: Permitted, on: bool) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let permitted = permitted.again(&self.book.load())?;
        let now = self.clock.now();
        let switched = self.journal.switch_instance(permitted.id(), on, now).await;
        switched.map_err(unread)?;
        self.renewed(&mut turn, &permitted).await
    }

    /// DELETE.
    pub(super) async fn delete(&self, permitted: Permitted) -> Result<Answered, Wrong> {
        let mut turn = self.turn.lock().await;
        let permitted = permitted.again(&self.book.load())?;
        let (entry, id) = (permitted.entry(), permitted.id());
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

    /// Changes an instance: `next` says what it is to be. Name servers and Intuit are asked before it
    /// is this change's turn; where another one came meanwhile, it is looked at anew.
    async fn change(
        &self,
        permitted: Permitted,
        next: impl Fn(&Kept, &Entry) -> Result<Draft, Wrong>,
    ) -> Result<Answered, Wrong> {
        self.change_if(permitted, next, |_| Ok(())).await
    }

    /// The same, unless `check` refuses what it would become.
    pub(super) async fn change_if(
        &self,
        mut permitted: Permitted,
        next: impl Fn(&Kept, &Entry) -> Result<Draft, Wrong>,
        check: impl Fn(&InstanceDraft) -> Result<(), Wrong>,
    ) -> Result<Answered, Wrong> {
        let _place = self.asking.place(permitted.by_organization())?;
        let mut obtained = None;
        for _ in 0..CHANGES_MAX {
            let entry = permitted.entry();
            let kept = entry.kept()?;
            let wish = Wish {
                draft: next(kept, entry)?,
                token: kept.token.clone(),
                trace_logging: kept.trace_logging,
            };
            let seen = entry.instance.updated_at;
            let (draft, consent) = self.granted(wish, Some(&permitted), &mut obtained).await?;
            check(&draft)?;
            let mut turn = self.turn.lock().await;
            permitted = permitted.again(&self.book.load())?;
            if permitted.entry().instance.updated_at == seen {
                let now = self.clock.now();
                let id = permitted.id();
                let stored = self.journal.update_instance(id, draft, consent, now).await;
                stored.map_err(unread)?;
                return self.renewed(&mut turn, &permitted).await;
            }
        }
        let why = "the instance is being changed by others all the time; try again";
        Err(Wrong::new(409, why))
    }

    /// Puts something else of what is sealed in the place of what was.
    async fn put(
        &self,
        turn: &mut Wardrobe,
        permitted: &Permitted,
        kept: Kept,
    ) -> Result<Permitted, Wrong> {
        let before = &permitted.entry().instance.draft;
        let sealed = self.vault.seal_instance(before.realm.as_str(), &kept);
        let draft = InstanceDraft {
            token_digest: book::digest(&kept.token),
            sealed: sealed.map_err(|error| Wrong::new(503, error.to_string()))?,
            ..before.clone()
        };
        let (id, now) = (permitted.id(), self.clock.now());
        let stored = self.journal.update_instance(id, draft, None, now).await;
        stored.map_err(unread)?;
        self.renew(turn).await.map_err(unread)?;
        permitted.again(&self.book.load())
    }

    /// Takes over what was changed, and shows it.
    async fn renewed(&self, turn: &mut Wardrobe, permitted: &Permitted) -> Result<Answered, Wrong> {
        self.renew(turn).await.map_err(unread)?;
        self.read(&permitted.again(&self.book.load())?).await
    }

    /// Looks at everything, and asks Intuit last: a code is good once, so what it brought is kept in
    /// `obtained` for the next look.
    async fn granted(
        &self,
        wish: Wish,
        before: Option<&Permitted>,
        obtained: &mut Option<(RealmId, Consent)>,
    ) -> Result<(InstanceDraft, Consent), Wrong> {
        let draft = wish.draft;
        let terms = draft.configuration.terms()?;
        for warning in &terms.warnings {
            tracing::warn!("instance {:?}: {warning}", draft.name);
        }
        if let Some(refused) = &terms.refused {
            return Err(refused.clone());
        }
        let realm = company(draft.realm.as_ref(), &terms)?;
        if let Some(before) = before {
            before.check_company(&realm)?;
        }
        let events = callback::judge(&terms, &self.settings, &self.own).await?;
        outfit::check(self, &terms)?;
        let external = draft.external_authentication;
        // What it was connected with stays, however it stands with Intuit; tokens that were brought
        // once are old by now.
        let before = before.map(Permitted::entry);
        let before = before.filter(|entry| entry.instance.draft.realm == realm);
        let brought = |terms: &Terms| match external {
            ExternalAuthentication::Initial => terms.oauth.refresh_token.clone(),
            ExternalAuthentication::None => None,
        };
        let known = before
            .and_then(|entry| entry.terms.as_ref())
            .and_then(brought);
        let consent = match (before, obtained.take()) {
            (Some(_), _) if draft.code.is_none() && brought(&terms) == known => None,
            (_, Some((of, consent))) if of == realm => consent,
            _ => {
                self.consent(&realm, draft.code.as_ref(), external, &terms)
                    .await?
            }
        };
        *obtained = Some((realm.clone(), consent.clone()));
        // Both an exchange and a renewal show the keys to Intuit.
        let has_tried = |entry: &Entry| {
            let kept = entry.kept.as_ref().is_some_and(|kept| kept.keys_tried);
            let same = entry.terms.as_ref().map(|terms| terms.oauth.keys());
            kept && same == Some(terms.oauth.keys())
        };
        let keys_tried = consent.is_some() || before.is_some_and(has_tried);
        let kept = Kept {
            token: wish.token,
            configuration: draft.configuration,
            external_authentication: external,
            trace_logging: wish.trace_logging,
            keys_tried,
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

/// What an instance is to be when some of it changes.
pub(super) fn amended(amendment: Amendment, kept: &Kept, entry: &Entry) -> Result<Draft, Wrong> {
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
}

pub(super) fn no_item(item: u32) -> Wrong {
    Wrong::not_found(format!("there is no configuration item {item}"))
}
