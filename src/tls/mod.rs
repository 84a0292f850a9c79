//! TLS: the one place that names the cryptography provider.

pub mod client;

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// The cryptography of every TLS connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
