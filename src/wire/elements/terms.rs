//! What the keys of a configuration mean.

use crate::model::{Interest, RealmId, Secret};

/// What an owner wants by a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What leaves for the instance; `None`: its events are off.
    pub events: Option<Interest>,
    /// `event.notification.callback.url`: an address with `http` or `https`.
    pub callback: Option<String>,
    /// `event.notification.signature.key`.
    pub signature_key: Option<Secret>,
    /// `event.notification.basic.username` and `.password`.
    pub basic: Option<(String, Secret)>,
    /// `event.notification.callback.headers`.
    pub headers: Vec<(String, Secret)>,
    /// How Intuit is asked.
    pub oauth: Oauth,
    /// `quickbooks.realm.id`.
    pub realm: Option<RealmId>,
    /// What has no effect, or was not read as it stands.
    pub warnings: Vec<String>,
}

/// The keys of an app, and what a person's consent gave.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Oauth {
    /// `oauth.api.key`: the client id.
    pub key: Option<String>,
    /// `oauth.api.secret`: the client secret.
    pub secret: Option<Secret>,
    /// `oauth.callback.url`: the redirect address that the app has at Intuit.
    pub callback_url: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `use_sandbox`.
    pub sandbox: bool,
    /// `oauth.user.token`: the access token of an owner who exchanged the code.
    pub user_token: Option<Secret>,
    /// `oauth.user.refresh_token`.
    pub refresh_token: Option<Secret>,
    /// `oauth.user.refresh_interval`: how long the access token lives.
    pub user_token_life: Option<std::time::Duration>,
}
