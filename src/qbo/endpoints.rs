//! Where Intuit is: the documented addresses, each of which can be another (a test, a proxy).
//!
//! Tokens travel to these addresses, so they are `https`; plain `http` is taken for this machine
//! only.

use crate::model::Environment;
use http::Uri;
use http::uri::Scheme;
use std::net::IpAddr;

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
    pub cause: &'static str,
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
    /// Whether each of them can be used.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<(), BadEndpoint> {
        for (name, address) in [
            ("authorize", &self.authorize),
            ("token", &self.token),
            ("revoke", &self.revoke),
            ("api_production", &self.api_production),
            ("api_sandbox", &self.api_sandbox),
            ("discovery_production", &self.discovery_production),
            ("discovery_sandbox", &self.discovery_sandbox),
        ] {
            check(address).map_err(|cause| BadEndpoint { name, cause })?;
        }
        Ok(())
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

fn check(address: &str) -> Result<(), &'static str> {
    let uri: Uri = address
        .parse()
        .map_err(|_| "it must be an absolute URL in ASCII, like https://host/path")?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err("it must be an absolute URL, like https://host/path");
    };
    if authority.as_str().contains('@') {
        return Err("it carries a user name or password");
    }
    if uri.query().is_some() {
        return Err("it carries a query; the relay adds its own");
    }
    match scheme {
        scheme if *scheme == Scheme::HTTPS => Ok(()),
        scheme if *scheme == Scheme::HTTP && is_this_machine(authority.host()) => Ok(()),
        scheme if *scheme == Scheme::HTTP => {
            Err("tokens would travel in the clear; use https (http is taken for loopback only)")
        }
        _ => Err("it must begin with https://"),
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_addresses_can_be_used() {
        assert_eq!(Endpoints::default().check(), Ok(()));
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
            assert_eq!(check(good), Ok(()), "{good}");
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
            assert!(check(bad).is_err(), "{bad}");
        }
        let endpoints = Endpoints {
            revoke: "http://intuit.example/".into(),
            ..Endpoints::default()
        };
        assert_eq!(endpoints.check().unwrap_err().name, "revoke");
    }
}
