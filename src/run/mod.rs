//! The one place where the parts are made and joined, and ended in the right order.
//!
//! Start: certificate, sockets, journal, sinks, worker, listeners. End: nobody new is let in,
//! requests in hand are answered, attempts in flight are settled, the journal is closed. A part that
//! ends by itself ends the process (I11, I12): systemd starts it again, and recovery is one path.

mod books;
mod chronicle;
mod connections;
mod forgetting;
mod fronts;
mod office;
mod parts;
mod platform;
mod relay;
mod reloads;
mod vitals;

pub(crate) use parts::journal_settings;
pub use relay::Relay;
pub use reloads::Reloads;
pub(crate) use vitals::REFUSED;

use crate::cli::{ConfigArgs, Exit};
use crate::clock::System;
use crate::command::configuration;
use crate::config::{Config, Severity};
use crate::logging::{self, LogLevel};
use crate::signals::{Request, Signals};
use crate::systemd::{Inherited, notify};
use crate::terminal::complain;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the relay could not be started, or ended without having been told to.
#[derive(thiserror::Error, Debug)]
pub enum Failure {
    /// The configuration names something that cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}{}", hint(error))]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        error: std::io::Error,
    },
    /// systemd passed no such socket, or another kind.
    #[error(transparent)]
    Inherited(#[from] crate::systemd::sockets::Error),
    /// The journal cannot be used, or broke.
    #[error("the journal: {0}")]
    Journal(#[from] crate::journal::Error),
    /// A part that has to go on for ever did not.
    #[error("{0} ended by itself; a restart is the repair")]
    Ended(String),
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => " (another program listens there)",
        std::io::ErrorKind::PermissionDenied => {
            " (ports below 1024 need a privilege; use another port, or start as root)"
        }
        _ => "",
    }
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) => Exit::Configuration,
            Self::Listen { .. } | Self::Inherited(_) => Exit::Listen,
            Self::Journal(_) => Exit::Journal,
            Self::Ended(_) => Exit::Failure,
        }
    }
}

/// The control socket of the relay whose journal lies there.
pub fn control_socket(journal: &Path) -> PathBuf {
    journal.with_file_name("control.sock")
}

/// Runs the command.
pub fn command(args: &ConfigArgs) -> Exit {
    let (config, findings) = match configuration(&args.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let level = logging::start(config.log, std::env::var_os("JOURNAL_STREAM").as_deref());
    hook_panics();
    // Before there are threads: it empties the environment that names the sockets.
    let inherited = match Inherited::take() {
        Ok(inherited) => inherited,
        Err(error) => {
            complain(format_args!("the sockets that systemd passed: {error}"));
            return Exit::Listen;
        }
    };
    for finding in findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning)
    {
        tracing::warn!("{}", finding.bare());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format_args!("no threads to work with: {error}"));
            return Exit::Failure;
        }
    };
    let ended = runtime.block_on(until_told(config, inherited, &level));
    // A thread that waits for a name server cannot be called off, and is not waited for.
    runtime.shutdown_background();
    match ended {
        Ok(()) => Exit::Success,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit()
        }
    }
}

/// Enough for a board of four cores, where the journal and its reader have threads of their own.
const WORKERS: usize = 2;

/// What a panic does. The log gets the place and not the message, which may quote a payload. On the
/// main thread it is the end of the process: the runtime panics there when the system refuses it a
/// thread, and unwinding would then wait for ever for the threads that it did get, a process that
/// lives without serving. Panics of tasks are seen by whoever waits for the task.
fn hook_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "panic");
        if std::thread::current().name() == Some("main") {
            std::process::exit(i32::from(Exit::Failure.status()));
        }
    }));
}

async fn until_told(config: Config, inherited: Inherited, level: &LogLevel) -> Result<(), Failure> {
    let mut signals =
        Signals::install().map_err(|error| Failure::Ended(format!("signal handling ({error})")))?;
    let mut relay = Relay::start(config, Arc::new(System), inherited).await?;
    let reloads = relay.reloads();
    let mut asked = relay.reload_requests();
    let told = async {
        loop {
            let answer = tokio::select! {
                request = signals.next() => match request {
                    Request::Stop => break,
                    Request::Reload => None,
                },
                Some(answer) = asked.recv() => Some(answer),
            };
            notify::reloading();
            let reloaded = reloads.reload(level).await;
            notify::ready();
            if let Some(answer) = answer {
                // Who no longer waits sees it in the status.
                _ = answer.send(reloaded);
            }
        }
        tracing::info!("stopping");
        notify::stopping();
        notify::status("stopping: what is in hand is finished");
    };
    relay.serve_until(told).await
}
