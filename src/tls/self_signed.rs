//! A certificate of our own making, for the demo and for development: no sender trusts it.
//!
//! Called by the resolver and by tests. Promises: a fresh key each time, held in memory only.

use super::facts::Facts;
use super::files::{Error, Loaded};
use super::provider;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// Makes a certificate for these DNS names and addresses. Its span is the widest that there is, so
/// that it works on a board whose clock is not set yet.
///
/// # Errors
/// When a name cannot stand in a certificate, or no key could be made.
pub fn self_signed(names: &[String]) -> Result<Loaded, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::SelfSigned(error.to_string());
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let signing = provider()
        .key_provider
        .load_private_key(key)
        .map_err(|error| failed(&error))?;
    let leaf = made.cert.der().clone();
    let facts = Facts::read(&leaf).map_err(|error| failed(&error))?;
    Ok(Loaded {
        key: Arc::new(CertifiedKey::new(vec![leaf], signing)),
        facts,
        private_authority: None,
        remarks: Vec::new(),
    })
}

impl Loaded {
    /// The server's own certificate as a PEM file (RFC 7468), for clients that are to trust it.
    pub fn leaf_pem(&self) -> String {
        let leaf = self.key.cert.first().map_or(&[][..], |leaf| leaf);
        let encoded = STANDARD.encode(leaf);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }
}
