//! What a hangup renews: certificates, verifier tokens, the clients that need not sign, the secrets of
//! the sinks, the log level.
//!
//! Everything else needs a restart, which loses nothing and refuses nobody for long.

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
}

impl Reloads {
    /// Reads the configuration again and takes over certificates, verifier tokens, sources,
    /// the secrets of the sinks and the log level. When anything in it is wrong, everything stays as it was.
    pub(crate) fn reload(&self, level: &LogLevel) {
        let config = match Config::read(&self.file, credentials().as_deref()) {
            Ok((config, _)) => config,
            Err(findings) => {
                for finding in findings
                    .iter()
                    .filter(|finding| finding.severity == Severity::Error)
                {
                    tracing::error!("not reloaded: {finding}");
                }
                return;
            }
        };
        if let Certificate::Files { .. } = config.certificate
            && let Err(error) = self.resolver.reload()
        {
            tracing::error!("the certificate stays as it was: {error}");
        }
        for sink in &self.sinks {
            parts::renew(sink, &config.sinks);
        }
        self.door.verifiers.store(Arc::new(config.verifiers));
        self.door.face.sources.store(Arc::new(config.sources));
        level.set(config.log);
        tracing::info!(
            "reloaded certificates, secrets and log level; other changes need a restart"
        );
    }
}
