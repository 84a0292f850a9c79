//! The Open Connectors interface to instances, as pure functions: what callers say, and what they
//! are told.
//!
//! A request is [`call::parse`]d into a [`Call`] after its [`Authorization`] was read; the answers
//! are written by [`show`], refusals by [`Wrong`]. What an owner wants of an instance is the
//! [`Terms`] of its [`Configuration`]; [`Kept`] is what is sealed of it. [`openapi`] describes all
//! of it. Sources: Cloud Elements' and SAP's documentation, its own API tests, and the two pages on
//! QuickBooks Online Events. Called by the server (bytes to calls) and by the desk of instances
//! (words to bytes).

pub mod authorization;
mod body;
pub mod call;
mod configuration;
pub mod draft;
pub mod kept;
mod keys;
pub mod notifications;
mod oauth;
pub mod openapi;
pub mod pollers;
pub mod query;
pub mod show;
mod syntax;
mod terms;
mod wrong;

pub use authorization::Authorization;
pub use call::{Call, Request, Whose};
pub use configuration::Configuration;
pub use draft::{Amendment, Draft, ExternalAuthentication, company};
pub use kept::Kept;
pub use notifications::{DeliveryStatus, FailurePolicy, Filter, SubscriptionDraft};
pub use oauth::OauthAsk;
pub use query::{Analysis, By, Interval, Listing, Paging, Spans};
pub use terms::{Oauth, Terms};
pub use wrong::Wrong;

/// What every path of the interface begins with.
pub const BASE: &str = "/elements/api-v2";

/// The key of the one element there is.
pub const ELEMENT: &str = "quickbooks";

/// Its number, as the documented answers have it.
pub const ELEMENT_ID: u32 = 39;

/// What stands in an answer in place of a secret.
pub const MASK: &str = "********";

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
