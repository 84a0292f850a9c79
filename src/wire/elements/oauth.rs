//! `…/oauth/url`: where to send a person for consent.

use crate::model::Secret;

/// What the address is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OauthAsk {
    /// `apiKey`: the client id.
    pub key: String,
    /// `apiSecret`; the address does not need it.
    pub secret: Option<Secret>,
    /// `callbackUrl`.
    pub callback_url: String,
    /// `scope`.
    pub scope: Option<String>,
    /// `state`; the key of the element where it is missing.
    pub state: Option<String>,
}
