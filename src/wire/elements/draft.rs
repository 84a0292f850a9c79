//! The body that makes or changes an instance.

use super::{Configuration, Wrong};
use crate::model::{RealmId, Secret};

/// What an instance is to be (POST, PUT). Only what could not be read is refused here; what is
/// missing is `None` or empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// `name`, without markup; empty where none is given.
    pub name: String,
    /// `tags`, without empty ones.
    pub tags: Vec<String>,
    /// `providerData.code`: what Intuit's consent page gave; for one exchange.
    pub code: Option<Secret>,
    /// `providerData.realmId` as given; see [`company`].
    pub realm: Option<RealmId>,
    /// `configuration`.
    pub configuration: Configuration,
    /// `externalAuthentication`.
    pub external_authentication: ExternalAuthentication,
}

/// What is to become different (PATCH); `None` stays as it is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Amendment {
    /// `name`, without markup.
    pub name: Option<String>,
    /// `tags`: all of them, not more of them.
    pub tags: Option<Vec<String>>,
    /// `providerData.code`: authorizes the instance anew.
    pub code: Option<Secret>,
    /// `providerData.realmId` as given; see [`company`].
    pub realm: Option<RealmId>,
    /// Keys of `configuration` that change.
    pub configuration: Configuration,
    /// `externalAuthentication`.
    pub external_authentication: Option<ExternalAuthentication>,
}

/// Who gets the tokens.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ExternalAuthentication {
    /// `none`: the gateway exchanges the code.
    #[default]
    None,
    /// `initial`: the owner did, and gives `oauth.user.token` and `oauth.user.refresh_token`.
    Initial,
}

/// The QuickBooks company: `providerData.realmId` and `quickbooks.realm.id` of the terms, of which
/// one is enough.
///
/// # Errors
/// 400 when both are missing, differ, or are not a number (it becomes part of addresses).
pub fn company(realm: Option<&RealmId>, terms: &super::Terms) -> Result<RealmId, Wrong> {
    todo!("{realm:?} {terms:?}")
}
