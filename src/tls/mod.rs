//! TLS in both directions: one crypto provider, the server's settings and certificate, the settings
//! of clients ([`client`]).
//!
//! Not here: the handshakes (`server::connection`, `sink`), ordering certificates.
//! Called by the roof, which makes one [`Resolver`] and one [`server_config`], and reloads the
//! resolver when asked to. Promises: a certificate is checked before it serves, and one that fails
//! the check never replaces one that serves.

pub mod client;
mod facts;
mod files;
mod pinned;
mod resolver;
mod self_signed;

pub use facts::Facts;
pub use files::{Error, Finding, Loaded, load};
pub use resolver::Resolver;
pub use self_signed::self_signed;

use rustls::crypto::CryptoProvider;
use rustls::{ServerConfig, version};
use std::sync::Arc;

/// The crypto provider of every TLS connection of the program, in and out: ring. The only place
/// that names one; a process-wide default is never relied on.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The settings of the public listener: TLS 1.2 and 1.3, `h2` and `http/1.1` by ALPN, the server's
/// own order of cipher suites. Sessions can be resumed from a bounded memory; early data is off.
///
/// # Errors
/// When the provider lacks the suites of a protocol version: a build without them.
pub fn server_config(resolver: Arc<Resolver>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    // Left to the client, the order is rated as a weakness by the usual scanners (testssl.sh).
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
