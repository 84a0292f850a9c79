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
    pub(super) source: Vec<Source>,
    pub(super) servicestack: ServiceStack,
    pub(super) journal: Journal,
    pub(super) app: Vec<App>,
    pub(super) reconcile: Reconcile,
    pub(super) poll: Poll,
    pub(super) tokens: Tokens,
    pub(super) sink: Vec<Sink>,
    pub(super) instances: Instances,
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

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) name: Spanned<String>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) predefined_routes: Option<Spanned<bool>>,
    pub(super) bearer_token: Option<Spanned<String>>,
    pub(super) bearer_token_file: Option<Spanned<PathBuf>>,
    pub(super) bearer_token_credential: Option<Spanned<String>>,
    pub(super) basic_username: Option<Spanned<String>>,
    pub(super) basic_password: Option<Spanned<String>>,
    pub(super) basic_password_file: Option<Spanned<PathBuf>>,
    pub(super) basic_password_credential: Option<Spanned<String>>,
    pub(super) addresses: Option<Vec<Spanned<String>>>,
    pub(super) companies: Option<Spanned<Companies>>,
    pub(super) companies_max: Option<Spanned<u32>>,
    pub(super) entries_per_minute: Option<Spanned<u32>>,
    pub(super) journal_share: Option<Spanned<u8>>,
}

/// The companies that a source may speak of.
#[derive(Deserialize, Debug)]
#[serde(
    untagged,
    expecting = "a list of companies such as [\"9341453908059321\"], or \"any\""
)]
pub(super) enum Companies {
    Word(String),
    Listed(Vec<String>),
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServiceStack {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) raw_strings: Option<Spanned<bool>>,
    pub(super) publish_metadata: Option<Spanned<bool>>,
    pub(super) entity_numbers: Option<Spanned<BTreeMap<String, i32>>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Journal {
    pub(super) path: Option<PathBuf>,
    pub(super) bytes_max: Option<Spanned<Size>>,
    pub(super) keep: Option<Spanned<Span>>,
    pub(super) companies_max: Option<Spanned<u32>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    pub(super) name: Spanned<String>,
    pub(super) environment: Option<Spanned<String>>,
    pub(super) client_id: Spanned<String>,
    pub(super) client_secret: Option<Spanned<String>>,
    pub(super) client_secret_file: Option<Spanned<PathBuf>>,
    pub(super) client_secret_credential: Option<Spanned<String>>,
    pub(super) redirect_uri: Spanned<String>,
    pub(super) minor_version: Option<Spanned<u32>>,
    pub(super) calls_per_month: Option<Spanned<u64>>,
    pub(super) discovery_url: Option<Spanned<String>>,
    pub(super) authorize_url: Option<Spanned<String>>,
    pub(super) token_url: Option<Spanned<String>>,
    pub(super) revoke_url: Option<Spanned<String>>,
    pub(super) api_url: Option<Spanned<String>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) timeout: Option<Spanned<Span>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reconcile {
    pub(super) settle: Option<Spanned<Span>>,
    pub(super) sweep_at: Option<Spanned<String>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Poll {
    pub(super) resources: Option<Vec<Spanned<String>>>,
    pub(super) interval: Option<Spanned<Span>>,
    pub(super) intervals: Option<BTreeMap<Spanned<String>, Spanned<Span>>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tokens {
    pub(super) key: Option<Spanned<String>>,
    pub(super) key_file: Option<Spanned<PathBuf>>,
    pub(super) key_credential: Option<Spanned<String>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Sink {
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) format: Option<Spanned<String>>,
    pub(super) mode: Option<Spanned<String>>,

    // kind = "http"
    pub(super) url: Option<Spanned<String>>,
    pub(super) content_type: Option<Spanned<String>>,
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
    pub(super) record: Option<Spanned<bool>>,
    pub(super) relay: Option<Spanned<String>>,
    pub(super) relay_within: Option<Spanned<Span>>,
    pub(super) retry_delays: Option<Spanned<Vec<Span>>>,
    pub(super) retry_every: Option<Spanned<Span>>,
    pub(super) probe_every: Option<Spanned<Span>>,
    pub(super) retry_for: Option<Spanned<Span>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Instances {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) private_callbacks: Option<Spanned<bool>>,
    pub(super) plain_callbacks: Option<Spanned<bool>>,
    pub(super) retry_delays: Option<Spanned<Vec<Span>>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) timeout: Option<Spanned<Span>>,
    pub(super) user: Option<Spanned<String>>,
    pub(super) account_id: Option<Spanned<u32>>,
    pub(super) company_id: Option<Spanned<u32>>,
    pub(super) user_id: Option<Spanned<u32>>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Admin {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) tls: Option<Spanned<bool>>,
    pub(super) names: Option<Vec<Spanned<String>>>,
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
