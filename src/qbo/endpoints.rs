//! Where Intuit is: the documented addresses, each of which can be another (a test, a proxy).
//!
//! Tokens travel to these addresses, so they are `https`; plain `http` is taken for this machine
//! only.

use crate::model::Environment;
use crate::wire::url::{BadUrl, Url};

/// Addresses of Intuit; `https`, or `http` to this machine only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// Where a person consents.
    pub authorize: String,
    /// Where codes and refresh tokens are exchanged.
    pub token: String,
    /// Where tokens are revoked.
    pub revoke: String,
    /// The accounting API for real companies, without `/v3`.
    pub api_production: String,
    /// The accounting API for sandbox companies, without `/v3`.
    pub api_sandbox: String,
    /// The discovery document for real companies.
    pub discovery_production: String,
    /// The discovery document for sandbox companies.
    pub discovery_sandbox: String,
}

/// Which addresses the discovery document does not move.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Pinned {
    /// [`Endpoints::authorize`].
    pub authorize: bool,
    /// [`Endpoints::token`].
    pub token: bool,
    /// [`Endpoints::revoke`].
    pub revoke: bool,
}

/// An address that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the {name} address cannot be used: {cause}")]
pub struct BadEndpoint {
    /// Which.
    pub name: &'static str,
    /// What is wrong with it.
    pub cause: BadAddress,
}

/// Why an address cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadAddress {
    /// Correct the URL.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// Leave the query out.
    #[error("it carries a query; the relay adds its own")]
    Query,
    /// Use `https`.
    #[error("tokens would travel in the clear; use https (http is taken for loopback only)")]
    Clear,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            authorize: "https://appcenter.intuit.com/connect/oauth2".into(),
            token: "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer".into(),
            revoke: "https://developer.api.intuit.com/v2/oauth2/tokens/revoke".into(),
            api_production: "https://quickbooks.api.intuit.com".into(),
            api_sandbox: "https://sandbox-quickbooks.api.intuit.com".into(),
            discovery_production:
                "https://developer.api.intuit.com/.well-known/openid_configuration".into(),
            discovery_sandbox:
                "https://developer.api.intuit.com/.well-known/openid_sandbox_configuration".into(),
        }
    }
}

impl Endpoints {
    /// All of them as they are requested.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub(super) fn normal(mut self) -> Result<Self, BadEndpoint> {
        for (name, address) in [
            ("authorize", &mut self.authorize),
            ("token", &mut self.token),
            ("revoke", &mut self.revoke),
            ("api_production", &mut self.api_production),
            ("api_sandbox", &mut self.api_sandbox),
            ("discovery_production", &mut self.discovery_production),
            ("discovery_sandbox", &mut self.discovery_sandbox),
        ] {
            let url = endpoint(address).map_err(|cause| BadEndpoint { name, cause })?;
            url.as_str().clone_into(address);
        }
        Ok(self)
    }

    /// The address of a call of the API.
    pub(super) fn api(&self, environment: Environment, path: &str) -> String {
        let base = match environment {
            Environment::Production => &self.api_production,
            Environment::Sandbox => &self.api_sandbox,
        };
        format!("{}{path}", base.trim_end_matches('/'))
    }

    /// The address of the discovery document.
    pub(super) fn discovery(&self, environment: Environment) -> &str {
        match environment {
            Environment::Production => &self.discovery_production,
            Environment::Sandbox => &self.discovery_sandbox,
        }
    }
}

/// Reads an address that tokens may travel to.
///
/// # Errors
/// [`BadAddress`] says what is wrong with it.
pub fn endpoint(address: &str) -> Result<Url, BadAddress> {
    let url = Url::parse(address)?;
    if url.query().is_some() {
        return Err(BadAddress::Query);
    }
    match url.is_https() || url.is_this_machine() {
        true => Ok(url),
        false => Err(BadAddress::Clear),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_addresses_can_be_used() {
        assert!(Endpoints::default().normal().is_ok());
    }

    #[test]
    fn tokens_do_not_travel_in_the_clear() {
        for good in [
            "https://proxy.example:8443/intuit/",
            "http://127.0.0.1:8080",
            "http://127.8.8.8/x",
            "http://[::1]:8080/x",
            "http://LocalHost:1",
        ] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/oauth2",
            "intuit.example",
            "http://intuit.example/",
            "http://127.0.0.1.example/",
            "http://10.0.0.1/",
            "http://localhost@intuit.example/",
            "https://user:pass@intuit.example/",
            "https://intuit.example/?a=b",
            "ftp://127.0.0.1/",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
        let endpoints = Endpoints {
            revoke: "http://intuit.example/".into(),
            ..Endpoints::default()
        };
        assert_eq!(endpoints.normal().unwrap_err().name, "revoke");
    }
}
