//! Where an HTTP sink lives: its URL, and the name that its certificate must bear.

use super::http::SettingsError;
use crate::wire::url::{BadUrl, Url};
use rustls::pki_types::ServerName;

/// A URL that deliveries can be posted to.
#[derive(Clone)]
pub(super) struct Target {
    /// The URL as it is requested.
    pub(super) url: Url,
    /// The name to ask for in TLS; `None` for `http`.
    pub(super) server_name: Option<ServerName<'static>>,
}

impl Target {
    /// The target that a URL names.
    pub(super) fn new(url: Url) -> Result<Self, SettingsError> {
        let name = ServerName::try_from(url.host().to_owned());
        let name = name.map_err(|_| BadUrl::Host(url.host().to_owned()))?;
        Ok(Self {
            server_name: url.is_https().then_some(name),
            url,
        })
    }
}
