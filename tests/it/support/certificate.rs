//! Certificates and keys as files.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use std::path::{Path, PathBuf};

/// A chain and a key in a directory.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    pub(crate) fn within(directory: &Path) -> Self {
        Self {
            certificate: directory.join("fullchain.pem"),
            key: directory.join("privkey.pem"),
        }
    }

    /// Puts a self-signed certificate for `localhost` there and returns it.
    pub(crate) fn write_self_signed(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&self.certificate, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }
}

/// An authority, an intermediate of its, and a certificate for `relay.example` from the intermediate.
pub(crate) struct Authority {
    pub(crate) root: String,
    pub(crate) intermediate: String,
    pub(crate) leaf: String,
    pub(crate) key: String,
}

/// The years of [`Authority::leaf`]: from the first of January of the one to that of the other.
pub(crate) const VALID: (i32, i32) = (2026, 2027);

pub(crate) fn authority() -> Authority {
    let params = |name: &str, is_ca| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = is_ca;
        params
    };
    let ca = || IsCa::Ca(BasicConstraints::Unconstrained);
    let key = || KeyPair::generate().unwrap();
    let root = CertifiedIssuer::self_signed(params("Test root", ca()), key()).unwrap();
    let intermediate = params("Test intermediate", ca());
    let intermediate = CertifiedIssuer::signed_by(intermediate, key(), &root).unwrap();
    let mut leaf = CertificateParams::new(["relay.example".into(), "192.0.2.7".into()]).unwrap();
    leaf.distinguished_name
        .push(DnType::CommonName, "relay.example");
    leaf.not_before = date_time_ymd(VALID.0, 1, 1);
    leaf.not_after = date_time_ymd(VALID.1, 1, 1);
    let leaf_key = key();
    let issuer: &Issuer<'_, _> = &intermediate;
    let leaf = leaf.signed_by(&leaf_key, issuer).unwrap();
    Authority {
        root: root.pem(),
        intermediate: intermediate.pem(),
        leaf: leaf.pem(),
        key: leaf_key.serialize_pem(),
    }
}
