//! What a hangup renews: certificates, verifier tokens, the clients that need not sign, the secrets of
//! the sinks, the log level.
//!
//! Everything else needs a restart, which loses nothing and refuses nobody for long.

use super::chronicle::Chronicle;
use super::{books, parts};
use crate::command::credentials;
use crate::config::{Certificate, Config, Finding, Severity};
use crate::journal::Journal;
use crate::logging::LogLevel;
use crate::model::{AppName, Device};
use crate::qbo;
use crate::server::source::scopes;
use crate::server::webhook::Door;
use crate::sink::Sink;
use crate::tls;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// The handles by which a running relay takes new secrets.
pub struct Reloads {
    pub(super) file: PathBuf,
    pub(super) door: Arc<Door<Journal>>,
    pub(super) resolver: Arc<tls::Resolver>,
    pub(super) sinks: Vec<Arc<Sink>>,
    pub(super) apps: BTreeMap<AppName, qbo::App>,
    pub(super) chronicle: Chronicle,
    pub(super) device: Arc<watch::Sender<Device>>,
}

impl Reloads {
    /// Reads the configuration again and takes over certificates, verifier tokens, sources, the
    /// secrets of sinks and apps, and the log level. When anything in it is wrong, everything stays
    /// as it was; that is said until a reload succeeds.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub(crate) async fn reload(&self, level: &LogLevel) -> Result<(), String> {
        let reloaded = self.take_over(level).await;
        let refused = reloaded.as_ref().err().cloned();
        self.device.send_if_modified(|device| {
            let is_news = device.reload_refused != refused;
            device.reload_refused.clone_from(&refused);
            is_news
        });
        let text = match &refused {
            None => {
                "reloaded certificates, secrets and log level; other changes need a restart".into()
            }
            Some(why) => format!("not reloaded, everything stays as it was: {why}"),
        };
        match &refused {
            None => tracing::info!("{text}"),
            Some(_) => tracing::error!("{text}"),
        }
        self.chronicle.note("reload", text).await;
        reloaded
    }

    async fn take_over(&self, level: &LogLevel) -> Result<(), String> {
        let read = Config::read(&self.file, credentials().as_deref());
        let (config, _) = read.map_err(|findings| {
            let errors = findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error);
            let errors: Vec<String> = errors.map(Finding::bare).collect();
            errors.join("; ")
        })?;
        if let Certificate::Files { .. } = config.certificate {
            let before = self.resolver.current();
            // First, because it is the one that can fail when the configuration is sound.
            let now = self
                .resolver
                .reload()
                .map_err(|error| format!("[tls]: {error}"))?;
            if now.facts != before.facts {
                let (names, end) = (now.facts.names.join(", "), now.facts.not_after);
                let text = format!("renewed: for {names}, until {end}");
                self.chronicle.note("certificate", text).await;
            }
        }
        let sinks = self
            .sinks
            .iter()
            .map(|sink| parts::renew(sink, &config.sinks));
        let kept: Vec<String> = sinks
            .chain([books::renew(&self.apps, &config.quickbooks)])
            .filter_map(Result::err)
            .collect();
        self.door.verifiers.store(Arc::new(config.verifiers));
        self.door.keep.set_scopes(scopes(&config.sources));
        self.door.face.sources.store(Arc::new(config.sources));
        level.set(config.log);
        match kept.is_empty() {
            true => Ok(()),
            false => Err(kept.join("; ")),
        }
    }
}
