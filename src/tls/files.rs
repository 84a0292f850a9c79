//! The certificate chain and the key from PEM files.
//!
//! Not here: keeping them in use ([`super::Resolver`]). Called by the resolver and by `check`.
//! Promises: what it returns can serve; every error names the file and says what to do; the key's
//! bytes are never part of a message.

use super::facts::{self, Facts};
use super::provider;
use crate::model::{Timestamp, access};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// A chain and its key, checked, and what is to be said about them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What serves.
    pub key: Arc<CertifiedKey>,
    /// What the server's own certificate says.
    pub facts: Facts,
    /// The authority at the end of the chain, where it is none that this machine knows: a private one.
    pub private_authority: Option<String>,
    /// What an operator should mend; none of it keeps the chain from serving.
    pub(super) remarks: Vec<Finding>,
}

/// Something about a certificate that serves, but that a sender may refuse.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The file lacks the certificate of this issuer.
    IncompleteChain {
        /// The file.
        file: PathBuf,
        /// The issuer whose certificate is missing.
        issuer: String,
    },
    /// Every user of the machine can read the key.
    ExposedKey {
        /// The file.
        file: PathBuf,
    },
    /// No authority vouches for it: QuickBooks refuses it.
    SelfIssued,
    /// Its time has not come, by this machine's clock.
    NotYetValid {
        /// From when on it is valid.
        from: Timestamp,
    },
    /// Its time is nearly over.
    EndsSoon {
        /// When it ends.
        at: Timestamp,
    },
    /// Its time is over.
    Ended {
        /// When it ended.
        at: Timestamp,
    },
}

/// Why a chain and a key cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error(
        "{}; name a file that the relay's user may read",
        access::not_opened(file, source)
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not PEM.
    #[error("{}: damaged ({detail}); it must be a PEM file, text between BEGIN and END lines", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the reading ended.
        detail: String,
    },
    /// The chain's file holds no certificate.
    #[error("{}: no certificate in it; it must hold the server's own certificate and then the intermediate ones, in PEM (often named fullchain.pem)", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The key's file holds no usable kind of key.
    #[error("{}: no private key in it that can be used; it must hold one in PEM, not encrypted (often named privkey.pem)", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// The key is of a kind that cannot serve.
    #[error("{}: the private key cannot be used ({detail}); use an ECDSA key (P-256 or P-384), an RSA key of 2048 to 8192 bits, or Ed25519", file.display())]
    UnusableKey {
        /// The file.
        file: PathBuf,
        /// Why.
        detail: String,
    },
    /// A certificate cannot be read.
    #[error("{}: certificate {position} cannot be read ({detail}); fetch it again from its issuer", file.display())]
    BadCertificate {
        /// The file.
        file: PathBuf,
        /// Which one in the file, from 1.
        position: usize,
        /// Why.
        detail: String,
    },
    /// The key belongs to another certificate.
    #[error("{}: this key does not belong to the first certificate in {}; name the key that the certificate was made for, and put the server's own certificate first", key.display(), certificate.display())]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The chain's file.
        certificate: PathBuf,
    },
    /// No certificate could be made.
    #[error("a self-signed certificate could not be made: {0}")]
    SelfSigned(String),
}

impl Finding {
    /// Whether `check` counts it as an error, because QuickBooks would refuse the connection.
    pub fn is_fatal_to_senders(&self) -> bool {
        match self {
            Self::IncompleteChain { .. } | Self::NotYetValid { .. } | Self::Ended { .. } => true,
            Self::ExposedKey { .. } | Self::SelfIssued | Self::EndsSoon { .. } => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IncompleteChain { file, issuer } => write!(
                f,
                "{}: the chain is incomplete: the certificate of its issuer ({issuer}) is missing; append it (the file that holds everything is often named fullchain.pem)",
                file.display()
            ),
            Self::ExposedKey { file } => write!(
                f,
                "{}: every user of this machine can read the key; chmod o= the file",
                file.display()
            ),
            Self::SelfIssued => f.write_str(
                "the certificate is self-signed: QuickBooks refuses it; use one from a public authority",
            ),
            Self::NotYetValid { from } => write!(
                f,
                "the certificate is valid from {from} on only; check this machine's clock"
            ),
            Self::EndsSoon { at } => write!(f, "the certificate ends at {at}; renew it"),
            Self::Ended { at } => write!(
                f,
                "the certificate ended at {at}: QuickBooks refuses it; renew it"
            ),
        }
    }
}

impl Loaded {
    /// Everything that is to be said about it at `now`; it ends soon when less than `soon` is left.
    pub fn findings(&self, now: Timestamp, soon: Duration) -> Vec<Finding> {
        let mut findings = self.remarks.clone();
        if self.facts.self_issued {
            findings.push(Finding::SelfIssued);
        }
        let at = self.facts.not_after;
        if now < self.facts.not_before {
            findings.push(Finding::NotYetValid {
                from: self.facts.not_before,
            });
        } else if at <= now {
            findings.push(Finding::Ended { at });
        } else if self.facts.left(now) < soon {
            findings.push(Finding::EndsSoon { at });
        }
        findings
    }
}

/// Reads the chain (the server's own certificate first) and the key, and checks that they can
/// serve together. Reads the system's roots too, to judge whether the chain is complete. Blocking.
///
/// # Errors
/// Whatever keeps them from serving; see [`Error`].
pub fn load(certificate: &Path, key: &Path) -> Result<Loaded, Error> {
    let (facts, chain) = read_chain(certificate)?;
    let signing = provider()
        .key_provider
        .load_private_key(read_key(key)?)
        .map_err(|error| Error::UnusableKey {
            file: key.into(),
            detail: error.to_string(),
        })?;
    let mut remarks = Vec::new();
    let roots = system_roots();
    let private_authority = facts::private_authority(&chain, &roots);
    let missing = facts::missing_issuer(&chain, &roots);
    let missing = missing.map_err(|(position, detail)| bad(certificate, position, detail))?;
    if let Some(issuer) = missing {
        let file = certificate.into();
        remarks.push(Finding::IncompleteChain { file, issuer });
    }
    if is_exposed(key) {
        remarks.push(Finding::ExposedKey { file: key.into() });
    }
    let both = CertifiedKey::new(chain, signing);
    match both.keys_match() {
        // A key that cannot tell its public half is taken at its word.
        Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Loaded {
            key: Arc::new(both),
            facts,
            private_authority,
            remarks,
        }),
        Err(TlsError::InconsistentKeys(_)) => Err(Error::KeyMismatch {
            key: key.into(),
            certificate: certificate.into(),
        }),
        Err(error) => Err(bad(certificate, 1, error.to_string())),
    }
}

fn read_chain(file: &Path) -> Result<(Facts, Vec<CertificateDer<'static>>), Error> {
    let pem = read(file)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| damaged(file, &error))?;
    let leaf = chain
        .first()
        .ok_or_else(|| Error::NoCertificate { file: file.into() })?;
    let facts = Facts::read(leaf).map_err(|detail| bad(file, 1, detail))?;
    Ok((facts, chain))
}

fn bad(file: &Path, position: usize, detail: String) -> Error {
    Error::BadCertificate {
        file: file.into(),
        position,
        detail,
    }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let pem = read(file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        PemError::NoItemsFound => Error::NoKey { file: file.into() },
        error => damaged(file, &error),
    })
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    std::fs::read(file)
        .map(Zeroizing::new)
        .map_err(|source| Error::Unreadable {
            file: file.into(),
            source,
        })
}

/// Says where the reading ended, without the text there: it may be the key's.
fn damaged(file: &Path, error: &PemError) -> Error {
    let detail = match error {
        PemError::MissingSectionEnd { .. } => "a BEGIN line without its END line",
        PemError::IllegalSectionStart { .. } => "a broken BEGIN line",
        PemError::Base64Decode(_) => "the text between the lines is not base64",
        PemError::SectionTooLarge => "one section is too large",
        _ => "unreadable",
    };
    Error::Damaged {
        file: file.into(),
        detail: detail.into(),
    }
}

fn is_exposed(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|facts| facts.permissions().mode() & 0o007 != 0)
}

/// Subjects of the system's roots; empty when there is no store, and then nothing is concluded
/// from a root that is not in it.
fn system_roots() -> Vec<Vec<u8>> {
    let store = rustls_native_certs::load_native_certs();
    store.certs.iter().filter_map(facts::subject_der).collect()
}
