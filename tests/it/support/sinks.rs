//! Sinks as a configuration would make them.

use super::authority::{Authority, Pair};
use qbo_relay::model::{Secret, SinkName};
use qbo_relay::sink::http::{Credentials, Settings};
use qbo_relay::sink::{Format, Signing};
use qbo_relay::tls::client::{ClientIdentity, Trust, client_config, file_roots};
use qbo_relay::wire::outgoing::standard_webhooks::SigningKey;
use rustls::ClientConfig;
use std::sync::Arc;

/// The secret of the published Standard Webhooks vector.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The key of the Open Connectors documentation.
pub(crate) const ELEMENTS_KEY: &str = "MySecretEventSignatureKey";

/// An HTTP sink `erp` that signs as its format wants.
#[expect(clippy::needless_pass_by_value, reason = "receivers make it for this")]
pub(crate) fn http(url: String, format: Format) -> Settings {
    let signing = match format {
        Format::OpenConnectors(_) => Signing::Elements(Secret::new(ELEMENTS_KEY)),
        _ => Signing::StandardWebhooks(vec![key(SECRET)]),
    };
    let credentials = Credentials {
        signing,
        authorization: None,
        headers: Vec::new(),
        tls: no_trust(),
    };
    Settings::new(
        SinkName::new("erp").unwrap(),
        url.parse().unwrap(),
        format,
        credentials,
    )
}

pub(crate) fn key(text: &str) -> SigningKey {
    SigningKey::parse(text).unwrap()
}

/// A TLS client that trusts nobody.
pub(crate) fn no_trust() -> Arc<ClientConfig> {
    client_config(Trust::nobody(), None).unwrap()
}

/// A TLS client that trusts this authority alone and shows `pair` where it is asked.
pub(crate) fn trusting(authority: &Authority, pair: Option<&Pair>) -> Arc<ClientConfig> {
    let identity = pair.map(|pair| ClientIdentity::read(&pair.certificate, &pair.key).unwrap());
    client_config(file_roots(&authority.file()).unwrap(), identity).unwrap()
}
