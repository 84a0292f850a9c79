//! The configuration file as it is written: one struct a table, unknown keys refused.
//!
//! Only shapes are known here; what the values mean is decided in the parent module.

use super::unit::{Size, Span};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::Spanned;

/// The whole file.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) listen: Listen,
    pub(super) tls: Tls,
    pub(super) verifier: Vec<Verifier>,
    pub(super) journal: Journal,
    pub(super) sink: Vec<Sink>,
    pub(super) admin: Admin,
    pub(super) led: Led,
    pub(super) clock: Clock,
    pub(super) log: Log,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Listen {
    pub(super) https: Option<Spanned<String>>,
    pub(super) paths: Option<Vec<Spanned<String>>>,
    pub(super) body_bytes_max: Option<Spanned<Size>>,
    pub(super) connections_max: Option<Spanned<u32>>,
    pub(super) connections_per_peer_max: Option<Spanned<u32>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) certificate: Option<Spanned<PathBuf>>,
    pub(super) key: Option<Spanned<PathBuf>>,
    pub(super) self_signed: Option<Spanned<bool>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Verifier {
    pub(super) name: Spanned<String>,
    pub(super) token: Option<Spanned<String>>,
    pub(super) token_file: Option<Spanned<PathBuf>>,
    pub(super) token_credential: Option<Spanned<String>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Journal {
    pub(super) path: Option<PathBuf>,
    pub(super) bytes_max: Option<Spanned<Size>>,
    pub(super) keep: Option<Spanned<Span>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Sink {
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) format: Option<Spanned<String>>,

    // kind = "http"
    pub(super) url: Option<Spanned<String>>,
    pub(super) signing_secret: Option<Spanned<String>>,
    pub(super) signing_secret_file: Option<Spanned<PathBuf>>,
    pub(super) signing_secret_credential: Option<Spanned<String>>,
    pub(super) bearer_token: Option<Spanned<String>>,
    pub(super) bearer_token_file: Option<Spanned<PathBuf>>,
    pub(super) bearer_token_credential: Option<Spanned<String>>,
    pub(super) basic_username: Option<Spanned<String>>,
    pub(super) basic_password: Option<Spanned<String>>,
    pub(super) basic_password_file: Option<Spanned<PathBuf>>,
    pub(super) basic_password_credential: Option<Spanned<String>>,
    pub(super) headers: Option<Spanned<BTreeMap<String, String>>>,
    pub(super) client_certificate: Option<Spanned<PathBuf>>,
    pub(super) client_key: Option<Spanned<PathBuf>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) private_addresses: Option<Spanned<bool>>,
    pub(super) connect_timeout: Option<Spanned<Span>>,
    pub(super) timeout: Option<Spanned<Span>>,

    // kind = "file"
    pub(super) path: Option<Spanned<PathBuf>>,
    pub(super) rotate_bytes: Option<Spanned<Size>>,
    pub(super) rotate_keep: Option<Spanned<u32>>,

    // every kind
    pub(super) retry_delays: Option<Spanned<Vec<Span>>>,
    pub(super) retry_every: Option<Spanned<Span>>,
    pub(super) retry_for: Option<Spanned<Span>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Admin {
    pub(super) listen: Option<Spanned<String>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Led {
    pub(super) board: Option<Spanned<String>>,
    pub(super) led_class: Option<Spanned<String>>,
    pub(super) line: Option<Spanned<String>>,
    pub(super) active_low: Option<Spanned<bool>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Clock {
    pub(super) wait: Option<Spanned<Span>>,
    pub(super) synchronized_file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) level: Option<Spanned<String>>,
}
