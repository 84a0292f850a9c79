//! What the short commands do: look, explain, ask the running relay.

pub mod admin_secret;
mod ask;
pub mod boot_import;
pub mod check;
pub mod company;
pub mod connect;
pub mod dead_letter;
mod direct;
pub(crate) mod errand;
pub mod forget;
pub mod journal;
pub mod led;
pub mod reload;
pub mod replay;
pub mod sink;
pub mod status;
mod tried;
pub mod vault;

use crate::cli::{ConfigArgs, Exit};
use crate::config::{Config, Finding, Severity};
use crate::terminal::complain;
use std::path::{Path, PathBuf};

/// Where systemd keeps the service's credentials while it runs; only root and the service look in.
const SERVICE_CREDENTIALS: &str = "/run/credentials/qbo-relay.service";

/// The folder in which systemd passes credentials: to this process, or else to the service, so that
/// root can ask from a shell about the configuration that the service runs with.
pub(crate) fn credentials() -> Option<PathBuf> {
    let passed = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    passed.or_else(|| Some(PathBuf::from(SERVICE_CREDENTIALS)).filter(|folder| folder.is_dir()))
}

/// The configuration, or every reason why there is none, said on stderr.
pub(crate) fn configuration(path: &Path) -> Result<(Config, Vec<Finding>), Exit> {
    Config::read(path, credentials().as_deref()).map_err(|findings| {
        for finding in findings
            .iter()
            .filter(|finding| finding.severity >= Severity::Serious)
        {
            complain(finding);
        }
        Exit::Configuration
    })
}

/// Where the journal lies, or why that cannot be known, said on stderr. Nothing else of the configuration
/// is looked at: the relay's credentials are not here, and need not be.
fn journal_path(args: &ConfigArgs) -> Result<PathBuf, Exit> {
    Config::read_journal_path(&args.config).map_err(|finding| {
        complain(finding);
        Exit::Configuration
    })
}

/// A runtime for one question.
fn block_on<T>(question: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(question);
    // A thread that waits for a name server is not waited for.
    runtime.shutdown_background();
    Ok(answer)
}
