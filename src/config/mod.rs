//! The configuration: one TOML file, read into values that are ready to use.
//!
//! Everything that is wrong is reported at once, each finding with its line or key and what to do.
//! The adapters do not know this module; the roof hands them their own settings.

mod credential;
mod face;
mod file;
mod reader;
mod sink;
mod unit;

pub use face::FaceConfig;
pub use reader::{Finding, Severity};
pub use sink::{SinkConfig, Target};

use crate::model::{Limits, Secret, SinkName};
use crate::server::source::Source;
use crate::wire::signature::Verifier;
use reader::{Reader, SecretKeys};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_FILE: &str = "/etc/qbo-relay/qbo-relay.toml";
const DEFAULT_JOURNAL: &str = "/var/lib/qbo-relay/journal.db";
const DEFAULT_PATHS: [&str; 2] = ["/qbowebhook", "/webhooks"];
const DEFAULT_BYTES_MAX: u64 = 256 << 20;
const LEAST_BYTES_MAX: u64 = 8 << 20;
const DEFAULT_KEEP: Duration = Duration::from_secs(30 * 86_400);

/// A configuration that can be run.
#[derive(Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Address of the public listener.
    pub https: SocketAddr,
    /// Paths of the public listener that take notifications.
    pub paths: Vec<String>,
    /// The server's certificate.
    pub certificate: Certificate,
    /// The verifier tokens; at least one.
    pub verifiers: Vec<Verifier>,
    /// The original listener's face.
    pub face: FaceConfig,
    /// Clients that do not sign.
    pub sources: Vec<Source>,
    /// The journal's database file.
    pub journal: PathBuf,
    /// Bytes that the journal may take.
    pub journal_bytes_max: u64,
    /// How long settled receipts are kept.
    pub journal_keep: Duration,
    /// Where changes go.
    pub sinks: Vec<SinkConfig>,
    /// Address of the admin listener.
    pub admin: AdminAddress,
    /// The board whose lamp is used.
    pub board: String,
    /// What is logged.
    pub log: tracing::Level,
    /// Bounds.
    pub limits: Limits,
}

/// Where the server's certificate comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Certificate {
    /// From two PEM files.
    Files {
        /// Leaf first, then intermediates.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// Made at start, for demo and development only: Intuit refuses it.
    SelfSigned,
}

/// Where the admin listener listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AdminAddress {
    /// On TCP; meant for loopback.
    Tcp(SocketAddr),
    /// On a socket in the file system.
    Unix(PathBuf),
}

impl Config {
    /// Reads and checks a file. `credentials` is the folder in which systemd passes credentials.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file; warnings among it.
    pub fn read(
        path: &Path,
        credentials: Option<&Path>,
    ) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let one = |text: String| {
            vec![Finding::new(
                Severity::Error,
                path.display().to_string(),
                text,
            )]
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            one(format!(
                "cannot be read: {error}; give the file with --config"
            ))
        })?;
        Self::parse(path, &text, credentials)
    }

    /// The same for text that has been read already.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn parse(
        path: &Path,
        text: &str,
        credentials: Option<&Path>,
    ) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let mut reader = Reader::new(path, text, credentials);
        let file: file::File = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                reader.error(&span, error.message());
                return Err(reader.findings);
            }
        };
        let config = Self::assemble(path, &file, &mut reader);
        let findings = reader.findings;
        let wrong = findings
            .iter()
            .any(|finding| finding.severity == Severity::Error);
        match config {
            Some(config) if !wrong => Ok((config, findings)),
            _ => Err(findings),
        }
    }

    fn assemble(path: &Path, file: &file::File, reader: &mut Reader<'_>) -> Option<Self> {
        let https = https(&file.listen, reader);
        let paths = paths(&file.listen, reader);
        let certificate = certificate(&file.tls, reader);
        let verifiers = verifiers(&file.verifier, reader);
        let face = face::face(&file.servicestack, reader);
        let sources = face::sources(&file.source, &face, &paths, reader);
        let sinks = sinks(&file.sink, reader);
        let admin = admin(&file.admin, reader);
        let board = board(&file.led, reader);
        let log = log(&file.log, reader);
        let limits = limits(&file.listen, reader);
        let journal = file
            .journal
            .path
            .as_deref()
            .unwrap_or(Path::new(DEFAULT_JOURNAL));
        let (https, admin) = (https?, admin?);
        if https.port() != 0 && admin == AdminAddress::Tcp(https) {
            reader.missing(format!(
                "[listen] https and [admin] listen are both {https}; give each its own port"
            ));
        }
        for (sink, table) in sinks.iter().zip(&file.sink) {
            if let (Target::Http(settings), Some(url)) = (&sink.target, &table.url)
                && is_own(https, &settings.url)
            {
                reader.error(
                    &url.span(),
                    "the target is the relay itself: what leaves would come in again",
                );
            }
        }
        Some(Self {
            file: path.to_owned(),
            https,
            paths,
            certificate: certificate?,
            verifiers,
            face,
            sources,
            journal: reader.resolve(journal),
            journal_bytes_max: bytes_max(&file.journal, reader),
            journal_keep: file
                .journal
                .keep
                .as_ref()
                .map_or(DEFAULT_KEEP, |keep| keep.get_ref().0),
            sinks,
            admin,
            board,
            log,
            limits,
        })
    }
}

/// Whether a URL names the public listener, as far as that can be told without looking anything up;
/// the rest is found when dialling.
fn is_own(https: SocketAddr, url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else {
        return false;
    };
    let port = url
        .port_u16()
        .unwrap_or(if url.scheme_str() == Some("http") {
            80
        } else {
            443
        });
    let host = url.host().unwrap_or("").trim_matches(['[', ']']);
    let is_here = match host.parse::<IpAddr>() {
        Ok(ip) => ip == https.ip() || (https.ip().is_unspecified() && ip.is_loopback()),
        Err(_) => {
            host.eq_ignore_ascii_case("localhost")
                && (https.ip().is_loopback() || https.ip().is_unspecified())
        }
    };
    is_here && port == https.port()
}

/// What is said to a socket that systemd would hand over.
const INHERITED: &str = "\"systemd\" is for the socket unit, which comes with the device package; this version listens by itself: give an address with a port";

fn https(listen: &file::Listen, reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let Some(https) = &listen.https else {
        return Some(SocketAddr::from(([0, 0, 0, 0], 443)));
    };
    let address = https.get_ref().parse().ok();
    if https.get_ref() == "systemd" {
        reader.error(&https.span(), INHERITED);
    } else if address.is_none() {
        reader.error(
            &https.span(),
            format!("https = \"{}\" is not an address with a port; write it like \"0.0.0.0:443\" or \"[::]:443\"", https.get_ref()),
        );
    }
    address
}

fn paths(listen: &file::Listen, reader: &mut Reader<'_>) -> Vec<String> {
    let Some(paths) = &listen.paths else {
        return DEFAULT_PATHS.map(str::to_owned).to_vec();
    };
    if paths.is_empty() {
        reader.missing("[listen] paths is empty; name at least one, such as \"/qbowebhook\"");
    }
    for path in paths {
        check_path(path, reader);
    }
    paths.iter().map(|path| path.get_ref().clone()).collect()
}

fn check_path(path: &Spanned<String>, reader: &mut Reader<'_>) {
    let text = path.get_ref();
    let plain = text.starts_with('/')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"?#%".contains(&byte));
    if !plain {
        reader.error(
            &path.span(),
            format!("path \"{text}\" must begin with / and have no spaces, `?`, `#` or `%`"),
        );
    }
}

fn certificate(tls: &file::Tls, reader: &mut Reader<'_>) -> Option<Certificate> {
    let self_signed = tls.self_signed.as_ref().filter(|flag| *flag.get_ref());
    match (&tls.certificate, &tls.key, self_signed) {
        (Some(certificate), Some(key), None) => Some(Certificate::Files {
            certificate: reader.resolve(certificate.get_ref()),
            key: reader.resolve(key.get_ref()),
        }),
        (None, None, Some(flag)) => {
            reader.warn(
                &flag.span(),
                "self_signed = true is for demo and development: Intuit refuses such a certificate",
            );
            Some(Certificate::SelfSigned)
        }
        (certificate, key, Some(flag)) if certificate.is_some() || key.is_some() => {
            reader.error(
                &flag.span(),
                "self_signed = true and certificate files exclude each other; keep one",
            );
            None
        }
        (Some(given), None, _) | (None, Some(given), _) => {
            reader.error(&given.span(), "[tls] needs both `certificate` and `key`");
            None
        }
        _ => {
            reader.missing("[tls] is missing: give `certificate` and `key` (PEM files; leaf first, then intermediates)");
            None
        }
    }
}

fn verifiers(tables: &[file::Verifier], reader: &mut Reader<'_>) -> Vec<Verifier> {
    if tables.is_empty() {
        reader.missing("no [[verifier]]: without a verifier token nothing can be authentic; copy it from the Webhooks page of your app at Intuit into a file and name it in `token_file`");
    }
    let mut names = BTreeSet::new();
    let mut verifiers = Vec::new();
    for table in tables {
        let name = table.name.get_ref();
        if !names.insert(name) {
            reader.error(
                &table.name.span(),
                format!("two verifiers are named \"{name}\""),
            );
        }
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            reader.error(
                &table.name.span(),
                "a verifier's name has 1 to 64 characters",
            );
        }
        let given = [
            table.token.is_some(),
            table.token_file.is_some(),
            table.token_credential.is_some(),
        ];
        if given == [false; 3] {
            reader.error(
                &table.name.span(),
                format!("verifier \"{name}\" has no token; give `token_file`, `token_credential` or `token`"),
            );
        }
        let token = reader.secret(&SecretKeys {
            key: "token",
            inline: &table.token,
            file: &table.token_file,
            credential: &table.token_credential,
        });
        if let Some(token) = token {
            verifiers.push(Verifier {
                name: name.clone(),
                token: Secret::new(token.expose().trim_ascii()),
            });
        }
    }
    verifiers
}

fn sinks(tables: &[file::Sink], reader: &mut Reader<'_>) -> Vec<SinkConfig> {
    if tables.is_empty() {
        let place = "[[sink]]";
        reader.findings.push(Finding::new(
            Severity::Warning,
            place,
            "none is configured: notifications are kept, but go nowhere",
        ));
    }
    let mut names: BTreeSet<SinkName> = BTreeSet::new();
    let mut sinks = Vec::new();
    for table in tables {
        let Some(sink) = sink::assemble(table, reader) else {
            continue;
        };
        if !names.insert(sink.name.clone()) {
            reader.error(
                &table.name.span(),
                format!(
                    "two sinks are named \"{}\"; give each its own name",
                    sink.name
                ),
            );
        }
        sinks.push(sink);
    }
    sinks
}

fn admin(admin: &file::Admin, reader: &mut Reader<'_>) -> Option<AdminAddress> {
    let Some(listen) = &admin.listen else {
        return Some(AdminAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 8081))));
    };
    let text = listen.get_ref();
    if text == "systemd" {
        reader.error(&listen.span(), INHERITED);
        return None;
    }
    if text.contains('/') {
        return Some(AdminAddress::Unix(reader.resolve(Path::new(text))));
    }
    let Ok(address) = text.parse::<SocketAddr>() else {
        reader.error(
            &listen.span(),
            format!("[admin] listen = \"{text}\" is neither an address with a port (\"127.0.0.1:8081\") nor the path of a socket"),
        );
        return None;
    };
    if !address.ip().is_loopback() {
        reader.warn(
            &listen.span(),
            format!("the admin listener on {address} is open to the network, without TLS or a password; use 127.0.0.1"),
        );
    }
    Some(AdminAddress::Tcp(address))
}

fn board(led: &file::Led, reader: &mut Reader<'_>) -> String {
    let Some(board) = &led.board else {
        return "none".into();
    };
    if board.get_ref() != "none" {
        reader.error(
            &board.span(),
            format!(
                "[led] board = \"{}\" is not known; this version has: none",
                board.get_ref()
            ),
        );
    }
    board.get_ref().clone()
}

fn log(log: &file::Log, reader: &mut Reader<'_>) -> tracing::Level {
    let Some(level) = &log.level else {
        return tracing::Level::INFO;
    };
    level.get_ref().parse().unwrap_or_else(|_| {
        reader.error(
            &level.span(),
            "[log] level is one of error, warn, info, debug, trace",
        );
        tracing::Level::INFO
    })
}

fn bytes_max(journal: &file::Journal, reader: &mut Reader<'_>) -> u64 {
    let Some(bytes_max) = &journal.bytes_max else {
        return DEFAULT_BYTES_MAX;
    };
    if bytes_max.get_ref().0 < LEAST_BYTES_MAX {
        reader.error(&bytes_max.span(), "[journal] bytes_max is at least 8 MiB");
    }
    bytes_max.get_ref().0
}

fn limits(listen: &file::Listen, reader: &mut Reader<'_>) -> Limits {
    let mut limits = Limits::default();
    if let Some(size) = &listen.body_bytes_max {
        let bytes = usize::try_from(size.get_ref().0).unwrap_or(usize::MAX);
        if !(LEAST_BODY_BYTES_MAX..=MOST_BODY_BYTES_MAX).contains(&bytes) {
            reader.error(
                &size.span(),
                "[listen] body_bytes_max is between 64 KiB and 64 MiB",
            );
        }
        limits.body_bytes_max = bytes;
        limits.bodies_bytes_max = limits.bodies_bytes_max.max(bytes.saturating_mul(2));
    }
    limits.connections_max = count(
        listen.connections_max.as_ref(),
        limits.connections_max,
        reader,
    );
    limits.connections_per_peer_max = count(
        listen.connections_per_peer_max.as_ref(),
        limits.connections_per_peer_max.min(limits.connections_max),
        reader,
    );
    limits
}

const LEAST_BODY_BYTES_MAX: usize = 64 << 10;
const MOST_BODY_BYTES_MAX: usize = 64 << 20;

fn count(given: Option<&Spanned<u32>>, default: usize, reader: &mut Reader<'_>) -> usize {
    let Some(given) = given else { return default };
    if !(1..=65_536).contains(given.get_ref()) {
        reader.error(
            &given.span(),
            "a number of connections is between 1 and 65536",
        );
    }
    usize::try_from(*given.get_ref()).unwrap_or(default)
}
