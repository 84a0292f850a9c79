//! What a hangup renews: certificates, verifier tokens, the secrets of the sinks, the log level.
//!
//! Everything else needs a restart, which loses nothing and refuses nobody for long.

use super::chronicle::Chronicle;
use super::parts;
use crate::command::credentials;
use crate::config::{Certificate, Config, Severity};
use crate::journal::Journal;
use crate::logging::LogLevel;
use crate::server::webhook::Door;
use crate::sink::Sink;
use crate::tls;
use std::path::PathBuf;
use std::sync::Arc;

/// The handles by which a running relay takes new secrets.
pub struct Reloads {
    pub(super) file: PathBuf,
    pub(super) door: Arc<Door<Journal>>,
    pub(super) resolver: Arc<tls::Resolver>,
    pub(super) sinks: Vec<Arc<Sink>>,
    pub(super) chronicle: Chronicle,
}

impl Reloads {
    /// Reads the configuration again and takes over certificates, verifier tokens, the secrets of
    /// the sinks and the log level. When anything in it is wrong, everything stays as it was.
    pub(crate) async fn reload(&self, level: &LogLevel) {
        let config = match Config::read(&self.file, credentials().as_deref()) {
            Ok((config, _)) => config,
            Err(findings) => {
                for finding in findings
                    .iter()
                    .filter(|finding| finding.severity == Severity::Error)
                {
                    tracing::error!("not reloaded: {finding}");
                }
                let count = findings.len();
                let text =
                    format!("refused, everything stays as it was: {count} findings, see `check`");
                self.chronicle.note("reload", text).await;
                return;
            }
        };
        if let Certificate::Files { .. } = config.certificate {
            let before = self.resolver.current();
            let text = match self.resolver.reload() {
                Ok(now) if now.facts == before.facts => None,
                Ok(now) => {
                    let (names, end) = (now.facts.names.join(", "), now.facts.not_after);
                    Some(format!("renewed: for {names}, until {end}"))
                }
                Err(error) => {
                    tracing::error!("the certificate stays as it was: {error}");
                    Some(format!("stays as it was: {error}"))
                }
            };
            if let Some(text) = text {
                self.chronicle.note("certificate", text).await;
            }
        }
        for sink in &self.sinks {
            parts::renew(sink, &config.sinks);
        }
        self.door.verifiers.store(Arc::new(config.verifiers));
        level.set(config.log);
        let text = "reloaded certificates, secrets and log level; other changes need a restart";
        self.chronicle.note("reload", text.into()).await;
        tracing::info!("{text}");
    }
}
