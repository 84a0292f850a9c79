//! Who may touch what.
//!
//! Only this module makes the values that a call is carried out with: [`Organization`] for what
//! concerns everybody, [`Permitted`] for one instance, [`Scope`] for lists. Whatever answers about an
//! instance takes a [`Permitted`], so that a call without its check does not compile.

use super::Platform;
use super::book::{Book, Entry};
use crate::model::{InstanceId, RealmId};
use crate::wire::elements::{Call, Whose, Wrong};
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Whether the organization's secret was shown.
    pub organization: bool,
    /// The instance whose token was shown.
    pub instance: Option<InstanceId>,
}

/// That the organization's secret was shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Organization(());

/// What a caller may see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    organization: Option<Organization>,
    own: Option<InstanceId>,
}

/// An instance that the caller may look at and act on.
#[derive(Clone, Debug)]
pub(super) struct Permitted {
    entry: Arc<Entry>,
    organization: Option<Organization>,
}

impl Scope {
    /// What this caller may see.
    ///
    /// # Errors
    /// 403: it shows the token of an instance that is switched off, for a call that has to wait until
    /// it is on again.
    pub(super) fn of(caller: Caller, call: &Call, book: &Book) -> Result<Self, Wrong> {
        let scope = Self {
            organization: caller.organization.then_some(Organization(())),
            own: caller.instance,
        };
        let (None, Some(own)) = (scope.organization, scope.own) else {
            return Ok(scope);
        };
        let entry = book.find(own).ok_or_else(|| no_instance(own))?;
        if entry.instance.disabled_at.is_none() || goes_while_off(call) {
            return Ok(scope);
        }
        let why = format!("instance {own} is disabled; PUT /instances/enabled enables it");
        Err(Wrong::new(403, why))
    }

    /// # Errors
    /// 401 without the organization's secret.
    pub(super) fn organization(self) -> Result<Organization, Wrong> {
        let why = "this call needs the secret of the Organization";
        self.organization.ok_or_else(|| Wrong::unauthorized(why))
    }

    /// The one that is meant.
    ///
    /// # Errors
    /// 404 for another one than the token's, unless the organization's secret was shown; 401 where the
    /// token says which, and there is none.
    pub(super) fn one(self, book: &Book, whose: Whose) -> Result<Permitted, Wrong> {
        let id = match (whose, self.own) {
            (Whose::Id(id), _) => id,
            (Whose::Token, Some(own)) => own,
            (Whose::Token, None) => {
                let why = "this call needs the Element token of an instance";
                return Err(Wrong::unauthorized(why));
            }
        };
        let entry = book.find(id).filter(|entry| self.sees(entry.id()));
        let entry = entry.ok_or_else(|| no_instance(id))?;
        let organization = self.organization;
        Ok(Permitted {
            entry,
            organization,
        })
    }

    /// The token's own, where one is shown.
    pub(super) fn token(self) -> Option<Whose> {
        self.own.map(|_| Whose::Token)
    }

    /// The same for a caller who does not show the organization's secret, too.
    pub(super) fn only(self) -> Option<Whose> {
        self.token().filter(|_| self.organization.is_none())
    }

    /// The same for a list that a token narrows to its instance, whatever else is shown.
    pub(super) fn narrowed(self, book: &Book) -> Vec<Permitted> {
        let own = |permitted: &Permitted| self.own.is_none_or(|own| own == permitted.id());
        self.all(book).into_iter().filter(own).collect()
    }

    /// Every instance that the caller may see, by number.
    pub(super) fn all(self, book: &Book) -> Vec<Permitted> {
        let seen = book.iter().filter(|entry| self.sees(entry.id()));
        let permitted = |entry: &Arc<Entry>| Permitted {
            entry: Arc::clone(entry),
            organization: self.organization,
        };
        seen.map(permitted).collect()
    }

    fn sees(self, id: InstanceId) -> bool {
        self.organization.is_some() || self.own == Some(id)
    }
}

impl Organization {
    /// Any instance.
    ///
    /// # Errors
    /// 404 where there is none with this number.
    pub(super) fn one(self, book: &Book, id: InstanceId) -> Result<Permitted, Wrong> {
        let scope = Scope {
            organization: Some(self),
            own: None,
        };
        scope.one(book, Whose::Id(id))
    }
}

impl Permitted {
    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(super) fn id(&self) -> InstanceId {
        self.entry.id()
    }

    /// The same instance as it is by now.
    ///
    /// # Errors
    /// 404 where it is gone.
    pub(super) fn again(&self, book: &Book) -> Result<Self, Wrong> {
        let id = self.id();
        let entry = book.find(id).ok_or_else(|| no_instance(id))?;
        Ok(Self {
            entry,
            ..self.clone()
        })
    }

    /// Whether its token may be told: whoever has the organization's secret could make one.
    pub(super) fn tells_token(&self) -> bool {
        self.organization.is_some()
    }

    /// Whether the caller acts for the organization.
    pub(super) fn by_organization(&self) -> bool {
        self.organization.is_some()
    }

    /// That it may be of this company from now on.
    ///
    /// # Errors
    /// 403: of another one than so far, without the organization's secret.
    pub(super) fn check_company(&self, realm: &RealmId) -> Result<(), Wrong> {
        if self.entry.instance.draft.realm == *realm || self.organization.is_some() {
            return Ok(());
        }
        let id = self.id();
        let why = format!(
            "providerData.realmId: instance {id} is of another company, which does not change without \
             the secret of the Organization"
        );
        Err(Wrong::new(403, why))
    }
}

impl Platform {
    /// See [`Scope::of`].
    pub(super) fn scope(&self, caller: Caller, call: &Call) -> Result<Scope, Wrong> {
        Scope::of(caller, call, &self.book.load())
    }

    /// See [`Scope::one`].
    pub(super) fn one(&self, scope: Scope, whose: Whose) -> Result<Permitted, Wrong> {
        scope.one(&self.book.load(), whose)
    }
}

/// A disabled instance can be looked at, enabled, deleted and given another token by its token, and
/// nothing else.
fn goes_while_off(call: &Call) -> bool {
    matches!(
        call,
        Call::List(_) | Call::Read(_) | Call::Enable(_) | Call::Delete(_) | Call::RenewToken(_)
    )
}

pub(super) fn no_instance(id: InstanceId) -> Wrong {
    Wrong::not_found(format!("there is no instance {id}"))
}
