//! What a certificate says about itself, as far as an operator needs to know.
//!
//! Not a validation: whether a sender trusts the chain is the sender's decision. Called by `files`.
//! Promises: pure; it reads bytes and nothing else.

use crate::model::Timestamp;
use rustls::pki_types::CertificateDer;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

/// What the server's own certificate says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Who it is made out to, as a distinguished name (RFC 4514); often empty.
    pub subject: String,
    /// Who issued it, as a distinguished name (RFC 4514).
    pub issuer: String,
    /// Issuer and subject are the same: no authority vouches for it.
    pub self_issued: bool,
    /// The DNS names and addresses that it is valid for.
    pub names: Vec<String>,
    /// It is not valid before this.
    pub not_before: Timestamp,
    /// It is not valid after this.
    pub not_after: Timestamp,
}

impl Facts {
    /// Reads the facts; the error says what is wrong with the bytes.
    pub(super) fn read(der: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate = parse(der)?;
        let inner = certificate.tbs_certificate();
        let names = match inner.get_extension::<SubjectAltName>() {
            Ok(Some((_, alternatives))) => alternatives.0.iter().filter_map(name).collect(),
            Ok(None) => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        Ok(Self {
            subject: inner.subject().to_string(),
            issuer: inner.issuer().to_string(),
            self_issued: inner.subject() == inner.issuer(),
            names,
            not_before: instant(inner.validity().not_before),
            not_after: instant(inner.validity().not_after),
        })
    }

    /// Time left at `now`; zero once it has ended.
    pub fn left(&self, now: Timestamp) -> Duration {
        self.not_after.since(now)
    }
}

/// The first certificate of the chain whose issuer is nowhere to be found: neither the next
/// certificate in the file nor (as far as `roots`, the subjects of the system's roots in DER, are
/// known) a root. Returns the issuer's name. A sender that does not happen to know it refuses the
/// connection. The error is the place of a certificate that cannot be read, from 1, and why.
pub(super) fn missing_issuer(
    chain: &[CertificateDer<'_>],
    roots: &[Vec<u8>],
) -> Result<Option<String>, (usize, String)> {
    let chain = chain
        .iter()
        .enumerate()
        .map(|(at, der)| parse(der).map_err(|detail| (at + 1, detail)))
        .collect::<Result<Vec<_>, _>>()?;
    for (position, certificate) in chain.iter().enumerate() {
        let inner = certificate.tbs_certificate();
        if inner.issuer() == inner.subject() {
            return Ok(None);
        }
        let next = chain.get(position + 1).map(Certificate::tbs_certificate);
        if next.is_some_and(|next| next.subject() == inner.issuer()) {
            continue;
        }
        let issuer = inner.issuer().to_der();
        let issuer = issuer.map_err(|error| (position + 1, error.to_string()))?;
        let unknowable = roots.is_empty() && next.is_none() && position > 0;
        let found = unknowable || roots.contains(&issuer);
        return Ok((!found).then(|| inner.issuer().to_string()));
    }
    Ok(None)
}

/// The authority at the end of a chain that brings its own root, where that is none of the `roots` that
/// are known; nothing is concluded where none are.
pub(super) fn private_authority(chain: &[CertificateDer<'_>], roots: &[Vec<u8>]) -> Option<String> {
    let (root, below) = chain.split_last()?;
    let root = parse(root).ok()?;
    let root = root.tbs_certificate();
    let subject = root.subject().to_der().ok()?;
    let is_known = roots.is_empty() || roots.contains(&subject);
    let is_root = root.issuer() == root.subject() && !below.is_empty();
    (is_root && !is_known).then(|| root.subject().to_string())
}

/// The subject of a root certificate in DER; `None` when it cannot be read.
pub(super) fn subject_der(root: &CertificateDer<'_>) -> Option<Vec<u8>> {
    parse(root).ok()?.tbs_certificate().subject().to_der().ok()
}

fn parse(der: &CertificateDer<'_>) -> Result<Certificate, String> {
    Certificate::from_der(der.as_ref()).map_err(|error| error.to_string())
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let octets = address.as_bytes();
            let v4 =
                || <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).to_string());
            let v6 =
                || <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).to_string());
            v4().or_else(|_| v6()).ok()
        }
        // A server is addressed by a name or an address; nothing else matters to a sender.
        _ => None,
    }
}

fn instant(time: Time) -> Timestamp {
    let since_epoch = time.to_unix_duration();
    Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
