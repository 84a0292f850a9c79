//! The certificate in use, and its exchange while connections are open.
//!
//! Called by rustls at every handshake, and by the roof when it reloads. Promises: a handshake never
//! waits; a chain that cannot serve never replaces one that does.

use super::files::{Error, Loaded, load};
use super::self_signed::self_signed;
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Hands the certificate in use to every handshake.
#[derive(Debug)]
pub struct Resolver {
    source: Source,
    current: ArcSwap<Loaded>,
}

/// Where the certificate comes from.
#[derive(Debug)]
enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    SelfSigned,
}

impl Resolver {
    /// Serves the chain and the key of these files. Blocking.
    ///
    /// # Errors
    /// Whatever keeps them from serving.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let current = load(certificate, key)?;
        let source = Source::Files {
            certificate: certificate.into(),
            key: key.into(),
        };
        Ok(Self::new(source, current))
    }

    /// Serves a certificate made on the spot for these names; demo and development only.
    ///
    /// # Errors
    /// When none could be made.
    pub fn from_self_signed(names: &[String]) -> Result<Self, Error> {
        Ok(Self::new(Source::SelfSigned, self_signed(names)?))
    }

    /// What serves now.
    pub fn current(&self) -> Arc<Loaded> {
        self.current.load_full()
    }

    /// Reads the files again; from the next handshake on they serve. A self-signed certificate stays
    /// as it is. Blocking.
    ///
    /// # Errors
    /// Whatever keeps the files from serving; what served before goes on serving.
    pub fn reload(&self) -> Result<Arc<Loaded>, Error> {
        if let Source::Files { certificate, key } = &self.source {
            self.current.store(Arc::new(load(certificate, key)?));
        }
        Ok(self.current())
    }

    fn new(source: Source, current: Loaded) -> Self {
        Self {
            source,
            current: ArcSwap::from_pointee(current),
        }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().key))
    }
}
