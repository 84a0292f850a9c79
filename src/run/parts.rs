//! The parts, made from the configuration.

use super::Failure;
use super::fronts::Admin;
use crate::config::{
    AdminAddress, Certificate, Config, FaceConfig, HttpsAddress, Relay, SinkConfig, Target,
};
use crate::instances::Own;
use crate::journal::{self, Found, Journal};
use crate::model::Timestamp;
use crate::rules::health::CERTIFICATE_NEAR;
use crate::server::admin::{self, OwnNames};
use crate::server::elements::VENDOR_PATH;
use crate::server::face::Face;
use crate::server::source::Source;
use crate::sink::{FileSink, HttpSink, Sink};
use crate::systemd::Inherited;
use crate::systemd::sockets::Listener;
use crate::tls::{self, Resolver};
use crate::wire::servicestack::metadata::Metadata;
use crate::worker::Endpoint;
use arc_swap::ArcSwap;
use std::fmt::Display;
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

/// How the relay itself is known: where it listens, and what its certificate calls it.
pub(super) fn own(resolver: &Resolver, listening: [Option<SocketAddr>; 2]) -> Own {
    Own {
        addresses: listening.into_iter().flatten().collect(),
        names: resolver.current().facts.names.clone(),
    }
}

/// The names that the admin listener is asked for by: those of the certificate as it is at the time,
/// and the configured ones.
pub(super) fn names(resolver: &Arc<Resolver>, configured: Vec<String>) -> OwnNames {
    let resolver = Arc::clone(resolver);
    OwnNames::new(move || {
        let mut names = resolver.current().facts.names.clone();
        names.extend_from_slice(&configured);
        names
    })
}

/// The public listener: the socket that systemd passes under its name, whatever the address says, since
/// that socket holds the port already; else made here.
pub(super) async fn public(
    address: HttpsAddress,
    inherited: &mut Inherited,
) -> Result<TcpListener, Failure> {
    match address {
        HttpsAddress::At(address) if !inherited.has("https") => listen(address).await,
        _ => {
            let listener = tcp(inherited.tcp("https")?)?;
            if let HttpsAddress::At(address) = address {
                warn_of_difference("[listen] https", &address, listener.local_addr().ok());
            }
            Ok(listener)
        }
    }
}

/// The admin listener, in the same way.
pub(super) async fn admin(
    address: &AdminAddress,
    inherited: &mut Inherited,
) -> Result<Admin, Failure> {
    match address {
        AdminAddress::Tcp(address) if !inherited.has("admin") => {
            return Ok(Admin::Tcp(listen(*address).await?));
        }
        AdminAddress::Unix(path) if !inherited.has("admin") => {
            return Ok(Admin::Unix(socket(path)?));
        }
        _ => {}
    }
    let passed = match inherited.any("admin")? {
        Listener::Tcp(listener) => Admin::Tcp(tcp(listener)?),
        Listener::Unix(listener) => match UnixListener::from_std(listener) {
            Ok(listener) => Admin::Unix(listener),
            Err(error) => {
                let address = address.to_string();
                return Err(Failure::Listen { address, error });
            }
        },
    };
    if *address != AdminAddress::Inherited {
        warn_of_difference("[admin] listen", address, passed.address());
    }
    Ok(passed)
}

/// Says where the relay listens when that is not where the configuration has it.
fn warn_of_difference(key: &str, wanted: &dyn Display, passed: Option<SocketAddr>) {
    let wanted = wanted.to_string();
    let is_same = match (wanted.parse::<SocketAddr>(), passed) {
        (Ok(wanted), Some(passed)) => is_same_place(wanted, passed),
        _ => false,
    };
    if !is_same {
        let passed = passed.map_or_else(
            || "a socket that systemd passed".to_owned(),
            |passed| format!("{passed}, the socket that systemd passed"),
        );
        tracing::warn!(
            "{key} = \"{wanted}\" is not used: the relay listens on {passed}; write \"systemd\" there, or change the socket unit"
        );
    }
}

/// Whether two listeners' addresses are reached in the same way: `0.0.0.0:443` and `[::]:443` are.
fn is_same_place(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() && other.ip().is_unspecified();
    one.port() == other.port() && (everywhere || one.ip() == other.ip())
}

/// TLS for the admin listener, where it speaks it: as it was asked for, else beyond this machine.
pub(super) fn admin_tls(
    admin: &Admin,
    asked: Option<bool>,
    resolver: &Arc<Resolver>,
) -> Result<Option<Arc<rustls::ServerConfig>>, Failure> {
    let speaks_tls = match admin {
        Admin::Unix(_) if asked == Some(true) => {
            let why =
                "[admin] tls = true needs an address with a port, and the socket is a Unix socket";
            return Err(Failure::Configuration(why.into()));
        }
        Admin::Unix(_) => false,
        Admin::Tcp(listener) => asked.unwrap_or_else(|| {
            let address = listener.local_addr();
            address.map_or(true, |address| admin::leaves_machine(address.ip()))
        }),
    };
    speaks_tls.then(|| server_config(resolver)).transpose()
}

/// The paths that take notifications: those that are configured, and where QuickBooks posts to the
/// platform whose interface is served.
pub(super) fn paths(config: &Config) -> Vec<String> {
    let vendor = config.instances.enabled.then(|| VENDOR_PATH.to_owned());
    config.paths.iter().cloned().chain(vendor).collect()
}

/// Says which sockets were passed for nothing: connections would queue in them for ever.
pub(super) fn warn_of_unused(inherited: &Inherited) {
    for name in inherited.unused() {
        tracing::warn!(
            "systemd passed a socket named {name}, which the configuration does not use"
        );
    }
}

fn tcp(listener: std::net::TcpListener) -> Result<TcpListener, Failure> {
    TcpListener::from_std(listener).map_err(|error| Failure::Listen {
        address: "the socket of systemd".into(),
        error,
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
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

/// The original listener's face. Its pages name the paths as they are now, until the next start.
pub(super) fn face(config: FaceConfig, paths: &[String], sources: Vec<Source>) -> Face {
    Face {
        enabled: config.enabled,
        raw_strings: config.raw_strings,
        publish_metadata: config.publish_metadata,
        metadata: Metadata {
            paths: paths.to_vec(),
            numbers: config.numbers.clone(),
        },
        numbers: config.numbers,
        sources: ArcSwap::from_pointee(sources),
    }
}

/// What the pages tell in the house: the paths of single sources, too, which strangers need not know.
pub(super) fn metadata(face: &Face) -> Option<Metadata> {
    let mut metadata = face.enabled.then(|| face.metadata.clone())?;
    for path in face
        .sources
        .load()
        .iter()
        .filter_map(|source| source.path.as_ref())
    {
        if !metadata.paths.contains(path) {
            metadata.paths.push(path.clone());
        }
    }
    Some(metadata)
}

/// Blocks for as long as it takes, on the thread that starts everything: a helper thread would be one
/// more that can fail to start, and until there is a journal there is nothing else to do.
pub(super) fn journal(config: &Config, now: Timestamp) -> Result<Journal, Failure> {
    let journal = Journal::open(journal_settings(config), now)?;
    if let Found::Damaged { aside } = journal.found() {
        let aside = aside.display();
        tracing::error!("the journal was damaged: it now lies in {aside}, and another one serves");
    }
    match journal.salvaged() {
        Some(Ok(salvaged)) => tracing::warn!("{}", salvaged.sentence()),
        Some(Err(error)) => tracing::error!(
            "nothing was taken over from the damaged journal ({error}); \
             what it held was acknowledged, and may not have been delivered"
        ),
        None => {}
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
        instances: config.instances.enabled,
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
///
/// # Errors
/// Why it keeps its old ones.
pub(super) fn renew(sink: &Sink, configured: &[SinkConfig]) -> Result<(), String> {
    let Sink::Http(http) = sink else {
        return Ok(());
    };
    let found = configured.iter().find(|config| config.name == *http.name());
    let Some(Target::Http(settings)) = found.map(|config| &config.target) else {
        return Ok(());
    };
    let renewed = http.renew(&settings.credentials);
    renewed.map_err(|error| format!("sink {} keeps its old secrets: {error}", http.name()))
}
