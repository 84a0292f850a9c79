//! The parts, made from the configuration.

use super::Failure;
use crate::config::{Certificate, Config, Relay, SinkConfig, Target, TokenKey};
use crate::journal::{self, Found, Journal};
use crate::model::{AppName, Timestamp};
use crate::qbo;
use crate::rules::health::CERTIFICATE_NEAR;
use crate::server::admin;
use crate::sink::{FileSink, HttpSink, Sink};
use crate::tls::{self, Resolver};
use crate::vault::Vault;
use crate::worker::Endpoint;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};

pub(super) fn resolver(config: &Config, now: Timestamp) -> Result<Resolver, Failure> {
    let resolver = match &config.certificate {
        Certificate::Files { certificate, key } => Resolver::from_files(certificate, key),
        Certificate::SelfSigned => Resolver::from_self_signed(&own_names()),
    };
    let resolver = resolver.map_err(|error| Failure::Configuration(error.to_string()))?;
    for finding in resolver.current().findings(now, CERTIFICATE_NEAR) {
        tracing::warn!("{finding}");
    }
    Ok(resolver)
}

fn own_names() -> Vec<String> {
    ["localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec()
}

pub(super) fn server_config(
    resolver: &Arc<Resolver>,
) -> Result<Arc<rustls::ServerConfig>, Failure> {
    tls::server_config(Arc::clone(resolver))
        .map_err(|error| Failure::Configuration(error.to_string()))
}

pub(super) fn certificate_left(resolver: &Resolver, now: Timestamp) -> Option<Duration> {
    Some(resolver.current().facts.left(now))
}

/// What is needed to read companies.
pub(super) struct Books {
    pub(super) apps: BTreeMap<AppName, qbo::App>,
    pub(super) vault: Arc<Vault>,
}

/// `None` where no app is configured.
pub(super) fn books(config: &Config) -> Result<Option<Books>, Failure> {
    if config.quickbooks.apps.is_empty() {
        return Ok(None);
    }
    let wrong = |error: String| Failure::Configuration(error);
    let books = &config.quickbooks;
    let mut apps = BTreeMap::new();
    for app in &books.apps {
        let made = qbo::App::new(app.settings.clone());
        let made = made.map_err(|error| wrong(format!("app {}: {error}", app.settings.app)))?;
        apps.insert(app.settings.app.clone(), made);
    }
    let vault = match &books.key {
        TokenKey::Given(key) => Vault::from_key(key),
        TokenKey::File(path) => Vault::open_or_make(path),
    };
    let vault = vault.map_err(|error| wrong(format!("[tokens] key: {error}")))?;
    Ok(Some(Books {
        apps,
        vault: Arc::new(vault),
    }))
}

/// Fills bytes from the system's randomness.
pub(super) fn randomness(bytes: &mut [u8]) -> Result<(), ()> {
    SystemRandom::new().fill(bytes).map_err(|_| ())
}

pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::Listen {
            address: address.to_string(),
            error,
        })
}

pub(super) fn socket(path: &Path) -> Result<UnixListener, Failure> {
    admin::bind(path).map_err(|error| Failure::Listen {
        address: path.display().to_string(),
        error,
    })
}

/// Blocks for as long as it takes, on the thread that starts everything: a helper thread would be one
/// more that can fail to start, and until there is a journal there is nothing else to do.
pub(super) fn journal(config: &Config, now: Timestamp) -> Result<Journal, Failure> {
    let journal = Journal::open(journal_settings(config), now)?;
    if let Found::Damaged { aside } = journal.found() {
        let aside = aside.display();
        tracing::error!(
            "the journal was damaged: it now lies in {aside}, and an empty one serves. \
             What it held was acknowledged, and may not have been delivered"
        );
    }
    for file in journal.damaged() {
        let file = file.display();
        tracing::warn!(
            "a damaged journal lies in {file}; when nobody needs it any more, take it away"
        );
    }
    Ok(journal)
}

/// What the journal is opened with.
pub(crate) fn journal_settings(config: &Config) -> journal::Settings {
    journal::Settings {
        path: config.journal.clone(),
        bytes_max: config.journal_bytes_max,
        keep: config.journal_keep,
        sinks: config.sinks.iter().map(|sink| sink.name.clone()).collect(),
        keep_records: config.sinks.iter().any(|sink| sink.record),
        limits: config.limits.clone(),
    }
}

pub(super) fn sinks(config: &Config, own: &[SocketAddr]) -> Result<Vec<Arc<Sink>>, Failure> {
    let make = |sink: &SinkConfig| {
        Ok(Arc::new(match &sink.target {
            Target::File(settings) => Sink::File(FileSink::new(settings.clone())),
            Target::Http(settings) => {
                let mut settings = (**settings).clone();
                settings.own_addresses = own.to_vec();
                let made = HttpSink::new(settings);
                let made = made.map_err(|error| {
                    Failure::Configuration(format!("sink {}: {error}", sink.name))
                })?;
                Sink::Http(Box::new(made))
            }
        }))
    };
    config.sinks.iter().map(make).collect()
}

/// What the worker is told of a sink.
pub(super) fn endpoint((sink, config): (&Arc<Sink>, SinkConfig)) -> Endpoint {
    Endpoint {
        record: config.record,
        hold: match config.relay {
            Relay::AtOnce => None,
            Relay::WhenReconciled { within } => Some(within),
        },
        ..Endpoint::new(Arc::clone(sink), config.schedule)
    }
}

/// Takes the credentials over that the new configuration has for this sink.
pub(super) fn renew(sink: &Sink, configured: &[SinkConfig]) {
    let Sink::Http(http) = sink else { return };
    let found = configured.iter().find(|config| config.name == *http.name());
    let Some(Target::Http(settings)) = found.map(|config| &config.target) else {
        return;
    };
    if let Err(error) = http.renew(&settings.credentials) {
        tracing::error!("sink {} keeps its old secrets: {error}", http.name());
    }
}
