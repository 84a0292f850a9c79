//! The one place where the parts are made and joined, and ended in the right order.
//!
//! Start: certificate, sockets, journal, sinks, worker, listeners. End: nobody new is let in,
//! requests in hand are answered, attempts in flight are settled, the journal is closed. A part that
//! ends by itself ends the process (I11, I12): systemd starts it again, and recovery is one path.

mod office;
mod parts;

pub(crate) use parts::SOON;

use crate::cli::{ConfigArgs, Exit};
use crate::clock::{Clock, System};
use crate::command::{configuration, credentials};
use crate::config::{AdminAddress, Certificate, Config, Severity};
use crate::journal::Journal;
use crate::logging::{self, LogLevel};
use crate::model::{Health, Tally};
use crate::server::admin;
use crate::server::public;
use crate::server::webhook::Door;
use crate::signals::{Request, Signals};
use crate::sink::Sink;
use crate::terminal::complain;
use crate::tls;
use crate::worker::pulse::Pulse;
use crate::worker::{Endpoint, Worker, upkeep};
use crate::wire;
use arc_swap::ArcSwap;
use office::Office;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the parts may take to end before the process ends without them.
const DRAIN: Duration = Duration::from_secs(30);

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
        std::io::ErrorKind::PermissionDenied => " (ports below 1024 need a privilege; use another port, or start as root)",
        _ => "",
    }
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) => Exit::Configuration,
            Self::Listen { .. } => Exit::Listen,
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
    let level = logging::start(config.log);
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Warning) {
        tracing::warn!("{finding}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format_args!("no threads to work with: {error}"));
            return Exit::Failure;
        }
    };
    match runtime.block_on(until_told(config, &level)) {
        Ok(()) => Exit::Success,
        Err(failure) => {
            tracing::error!("{failure}");
            complain(&failure);
            failure.exit()
        }
    }
}

/// Enough for a board of four cores, where the journal and its reader have threads of their own.
const WORKERS: usize = 2;

async fn until_told(config: Config, level: &LogLevel) -> Result<(), Failure> {
    let mut signals = Signals::install().map_err(|error| Failure::Ended(format!("signal handling ({error})")))?;
    let relay = Relay::start(config, Arc::new(System)).await?;
    let reloads = relay.reloads();
    let told = async {
        while signals.next().await == Request::Reload {
            reloads.reload(level);
        }
        tracing::info!("stopping");
    };
    relay.serve_until(told).await
}

/// A relay whose parts are made and whose sockets listen.
pub struct Relay {
    config: Config,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    journal: Journal,
    door: Arc<Door<Journal>>,
    resolver: Arc<tls::Resolver>,
    sinks: Vec<Arc<Sink>>,
    public: TcpListener,
    admin: Admin,
    control: UnixListener,
    pulse: Pulse,
    health: watch::Sender<Health>,
    started: watch::Sender<bool>,
}

enum Admin {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What a hangup renews.
pub struct Reloads {
    file: PathBuf,
    door: Arc<Door<Journal>>,
    resolver: Arc<tls::Resolver>,
    sinks: Vec<Arc<Sink>>,
}

impl Relay {
    /// Makes every part and listens; nobody is answered before [`Self::serve_until`].
    ///
    /// # Errors
    /// [`Failure`]: what cannot be used, and why.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let resolver = Arc::new(parts::resolver(&config, clock.now())?);
        let public = parts::listen(config.https).await?;
        let own = public.local_addr().unwrap_or(config.https);
        let sinks = parts::sinks(&config, &[own])?;
        let journal = parts::journal(&config, clock.now()).await?;
        let control = parts::socket(&control_socket(&config.journal))?;
        let admin = match &config.admin {
            AdminAddress::Tcp(address) => Admin::Tcp(parts::listen(*address).await?),
            AdminAddress::Unix(path) => Admin::Unix(parts::socket(path)?),
        };
        let tally = Arc::new(Tally::default());
        let started = watch::Sender::new(false);
        let certificate = Arc::clone(&resolver);
        let pulse = Pulse {
            journal: journal.clone(),
            clock: Arc::clone(&clock),
            certificate_left: Box::new(move |now| parts::certificate_left(&certificate, now)),
            started: started.subscribe(),
            news: Arc::default(),
        };
        let health = pulse.begin().await;
        let door = Door {
            paths: config.paths.clone(),
            verifiers: ArcSwap::from_pointee(config.verifiers.clone()),
            keep: journal.clone(),
            decode: wire::decode,
            clock: Arc::clone(&clock),
            tally: Arc::clone(&tally),
        };
        Ok(Self {
            config,
            clock,
            tally,
            journal,
            door: Arc::new(door),
            resolver,
            sinks,
            public,
            admin,
            control,
            pulse,
            health,
            started,
        })
    }

    /// Where the public listener listens.
    pub fn https(&self) -> SocketAddr {
        self.public.local_addr().unwrap_or(self.config.https)
    }

    /// Where the admin listener listens, when on TCP.
    pub fn admin(&self) -> Option<SocketAddr> {
        match &self.admin {
            Admin::Tcp(listener) => listener.local_addr().ok(),
            Admin::Unix(_) => None,
        }
    }

    /// How the relay is, now and from now on.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// The handle that renews secrets and certificates.
    pub fn reloads(&self) -> Reloads {
        Reloads {
            file: self.config.file.clone(),
            door: Arc::clone(&self.door),
            resolver: Arc::clone(&self.resolver),
            sinks: self.sinks.clone(),
        }
    }

    /// Serves until `stop` completes, then ends every part in order.
    ///
    /// # Errors
    /// [`Failure`] when a part ended by itself; the others are broken off then.
    pub async fn serve_until(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let (https, admin) = (self.https(), self.admin());
        let config = parts::server_config(&self.resolver)?;
        let intake = watch::Sender::new(false);
        let work = watch::Sender::new(false);
        let journal = self.journal.clone();
        let started = self.started;
        let office = Arc::new(Office {
            health: self.health.subscribe(),
            clock: Arc::clone(&self.clock),
            journal: journal.clone(),
        });
        let limits = self.config.limits.clone();

        let mut fronts: JoinSet<&'static str> = JoinSet::new();
        let (door, tally, bounds, stopped) = (self.door, Arc::clone(&self.tally), limits.clone(), told(&intake));
        let public = self.public;
        fronts.spawn(async move {
            public::serve(public, config, door, &bounds, stopped).await;
            "the public listener"
        });
        let (control, observer, count, bounds, stopped) =
            (self.control, Arc::clone(&office), Arc::clone(&tally), limits.clone(), told(&work));
        fronts.spawn(async move {
            admin::serve_control(control, observer, count, &bounds, stopped).await;
            "the control socket"
        });
        let (listener, stopped) = (self.admin, told(&work));
        fronts.spawn(async move {
            match listener {
                Admin::Tcp(listener) => admin::serve_tcp(listener, office, tally, &limits, stopped).await,
                Admin::Unix(listener) => admin::serve_unix(listener, office, tally, &limits, stopped).await,
            }
            "the admin listener"
        });

        let mut tasks: JoinSet<Result<&'static str, Failure>> = JoinSet::new();
        let sinks = self.sinks.into_iter().zip(&self.config.sinks);
        let endpoints = sinks.map(|(sink, config)| Endpoint { sink, schedule: config.schedule.clone() });
        let worker = Worker {
            news: Arc::clone(&self.pulse.news),
            ..Worker::new(journal.clone(), endpoints.collect(), Arc::clone(&self.clock), self.tally)
        };
        let stopped = work.subscribe();
        tasks.spawn(async move {
            worker.run(stopped).await.map_err(|error| Failure::Ended(format!("the worker ({error})")))?;
            Ok("the worker")
        });
        let (store, clock, stopped) = (journal.clone(), self.clock, work.subscribe());
        tasks.spawn(async move {
            upkeep::run(store, clock, stopped).await?;
            Ok("the upkeep")
        });
        let (pulse, health, stopped) = (self.pulse, self.health, work.subscribe());
        tasks.spawn(async move {
            pulse.run(health, stopped).await;
            Ok("the pulse")
        });

        started.send_replace(true);
        tracing::info!(https = %https, admin = %admin.map_or_else(|| "-".into(), |admin| admin.to_string()), "serving");
        let outcome = tokio::select! {
            () = stop => Ok(()),
            error = journal.broken() => Err(Failure::Journal(error)),
            ended = fronts.join_next() => Err(Failure::Ended(name_of(ended))),
            ended = tasks.join_next() => Err(match ended {
                Some(Ok(Err(failure))) => failure,
                Some(Ok(Ok(name))) => Failure::Ended(name.into()),
                Some(Err(error)) => Failure::Ended(error.to_string()),
                None => Failure::Ended("everything".into()),
            }),
        };
        outcome?;

        // The order of the way: first the door, then what is on its way, last the journal.
        intake.send_replace(true);
        let drained = timeout(DRAIN, async {
            fronts.join_next().await;
            work.send_replace(true);
            while tasks.join_next().await.is_some() {}
            while fronts.join_next().await.is_some() {}
        });
        if drained.await.is_err() {
            tracing::warn!("not everything ended within {DRAIN:?}; what was in flight is sent again after the next start");
        }
        journal.close().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

impl Reloads {
    /// Reads the configuration again and takes over certificates, verifier tokens, the secrets of
    /// the sinks and the log level. When anything in it is wrong, everything stays as it was.
    pub(crate) fn reload(&self, level: &LogLevel) {
        let config = match Config::read(&self.file, credentials().as_deref()) {
            Ok((config, _)) => config,
            Err(findings) => {
                for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
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
        level.set(config.log);
        tracing::info!("reloaded certificates, secrets and log level; other changes need a restart");
    }
}

/// Completes when the switch is thrown, and not when it is dropped.
fn told(switch: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut switch = switch.subscribe();
    async move {
        if switch.wait_for(|thrown| *thrown).await.is_err() {
            pending::<()>().await;
        }
    }
}

fn name_of(ended: Option<Result<&'static str, tokio::task::JoinError>>) -> String {
    match ended {
        Some(Ok(name)) => name.into(),
        Some(Err(error)) => error.to_string(),
        None => "every listener".into(),
    }
}
