//! Where Intuit is: the documented addresses, each of which can be another.

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
