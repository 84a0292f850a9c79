//! The relay as a TLS client: whom it trusts, and who it says it is. Made on the roof from the
//! configuration, handed to sinks ready-made; reads files, so it is called at start and on reload,
//! never per connection.
//!
//! Promises: protocol versions 1.2 and 1.3, `h2` before `http/1.1` by ALPN, certificates verified
//! always (there is no switch to turn that off).

use super::pinned::Pinned;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// TLS sessions remembered for resumption by one configuration; a sink has one server.
const SESSIONS: usize = 8;

/// Whose certificates are taken.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    /// Certificates that are also taken as the server's own.
    pinned: Vec<CertificateDer<'static>>,
}

/// A client certificate with its chain and key.
#[derive(Debug)]
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    origin: PathBuf,
}

/// Why there is no TLS client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Make the file readable, or correct its path or content.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Install the system's certificates (Debian: `ca-certificates`), or name a CA file.
    #[error("the system has no trusted certificates ({cause}); install ca-certificates")]
    NoSystemRoots {
        /// What the search met.
        cause: String,
    },
    /// Give the key that belongs to the certificate.
    #[error("{}: the client certificate cannot be used: {cause}", path.display())]
    Identity {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The program was built with a provider that lacks TLS 1.2 or 1.3.
    #[error("the cryptography provider does not offer TLS 1.2 and 1.3: {0}")]
    Provider(String),
}

/// The certificates that this machine trusts. Unreadable ones among them are passed over.
///
/// # Errors
/// [`ClientError::NoSystemRoots`] when there are none at all.
pub fn system_roots() -> Result<Trust, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        let causes: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let cause = match causes.as_slice() {
            [] => "none found".to_owned(),
            some => some.join("; "),
        };
        return Err(ClientError::NoSystemRoots { cause });
    }
    Ok(Trust {
        roots: Arc::new(roots),
        pinned: Vec::new(),
    })
}

/// The certificates of one PEM file, trusted instead of the system's: authorities, or the very
/// certificate of the server.
///
/// # Errors
/// [`ClientError::File`] when it cannot be read, has no certificate, or one that is none.
pub fn file_roots(path: &Path) -> Result<Trust, ClientError> {
    let pinned = certificates(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in &pinned {
        roots
            .add(certificate.clone())
            .map_err(|error| file(path, &error))?;
    }
    Ok(Trust {
        roots: Arc::new(roots),
        pinned,
    })
}

impl Trust {
    /// Trust in nobody: for a client that speaks plain HTTP only.
    pub fn nobody() -> Self {
        Self {
            roots: Arc::new(RootCertStore::empty()),
            pinned: Vec::new(),
        }
    }
}

impl ClientIdentity {
    /// Reads a certificate chain (leaf first) and its key from PEM files, which may be the same.
    ///
    /// # Errors
    /// [`ClientError::File`] for the file that is missing or holds no such thing.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, ClientError> {
        Ok(Self {
            chain: certificates(chain)?,
            key: PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, "key", &error))?,
            origin: chain.to_owned(),
        })
    }
}

/// A TLS client that trusts whom `trust` names and shows `identity` to servers that ask for one.
///
/// # Errors
/// [`ClientError::Identity`] when the key does not belong to the certificate.
pub fn client_config(
    trust: Trust,
    identity: Option<ClientIdentity>,
) -> Result<Arc<ClientConfig>, ClientError> {
    let builder = ClientConfig::builder_with_provider(super::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| ClientError::Provider(error.to_string()))?;
    let builder = if trust.pinned.is_empty() {
        builder.with_root_certificates(trust.roots)
    } else {
        let usual = WebPkiServerVerifier::builder_with_provider(trust.roots, super::provider());
        let usual = usual
            .build()
            .map_err(|error| ClientError::Provider(error.to_string()))?;
        let verifier = Pinned::new(usual, trust.pinned);
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
    };
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(ClientIdentity { chain, key, origin }) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| ClientError::Identity {
                path: origin,
                cause: error.to_string(),
            })?,
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| pem(path, "certificate", &error))?
        .collect();
    let found = found.map_err(|error| pem(path, "certificate", &error))?;
    if found.is_empty() {
        return Err(file(path, &"no certificate in it"));
    }
    Ok(found)
}

fn pem(path: &Path, what: &str, error: &rustls::pki_types::pem::Error) -> ClientError {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => file(path, error),
        Error::NoItemsFound => file(path, &format!("no {what} in it")),
        // The error's own text can quote the file.
        _ => file(path, &"not a well-formed PEM file"),
    }
}

fn file(path: &Path, cause: &dyn std::fmt::Display) -> ClientError {
    ClientError::File {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}
