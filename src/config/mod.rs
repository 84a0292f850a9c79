//! The configuration: one TOML file, read into values that are ready to use.
//!
//! Everything that is wrong is reported at once, each finding with its line or key and what to do.
//! The adapters do not know this module; the roof hands them their own settings.

mod closest;
mod credential;
mod device;
mod explain;
mod face;
mod file;
mod format;
mod instances;
mod listen;
mod quickbooks;
mod reader;
mod scope;
mod sink;
mod unit;

pub use device::{ClockConfig, lamp_of};
pub use face::FaceConfig;
pub use instances::InstancesConfig;
pub use listen::{AdminAddress, HttpsAddress};
pub use quickbooks::{AppConfig, QuickBooks, TokenKey};
pub use reader::{Finding, Severity};
pub use sink::{Relay, SinkConfig, Target};

use crate::board;
use crate::model::{Limits, SinkName, access};
use crate::server::source::Source;
use crate::wire::signature::Verifier;
use crate::wire::text;
use closest::did_you_mean;
use reader::{Reader, SecretKeys, Shape};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_FILE: &str = "/etc/qbo-relay/qbo-relay.toml";
const DEFAULT_JOURNAL: &str = "/var/lib/qbo-relay/journal.db";
const DEFAULT_BYTES_MAX: u64 = 256 << 20;
const LEAST_BYTES_MAX: u64 = 8 << 20;
/// Shorter verifier tokens are none of Intuit's.
const LEAST_TOKEN_BYTES: usize = 16;
const DEFAULT_KEEP: Duration = Duration::from_secs(30 * 86_400);

/// A configuration that can be run.
#[derive(Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Address of the public listener.
    pub https: HttpsAddress,
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
    /// The QuickBooks side.
    pub quickbooks: QuickBooks,
    /// The Open Connectors interface.
    pub instances: InstancesConfig,
    /// Address of the admin listener.
    pub admin: AdminAddress,
    /// Whether the admin listener speaks TLS; `None`: when it listens beyond this machine.
    pub admin_tls: Option<bool>,
    /// Further names by which the admin listener is asked for.
    pub admin_names: Vec<String>,
    /// The lamp that is used.
    pub lamp: board::Choice,
    /// How long the clock's word is waited for.
    pub clock: ClockConfig,
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

/// A span of time as the configuration takes it: `500 ms`, `15 s`, `15 min`, `6 h`, `30 d`.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn span(text: &str) -> Result<Duration, String> {
    unit::Span::try_from(text.to_owned()).map(|span| span.0)
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
        let text = file_text(path).map_err(|finding| vec![finding])?;
        Self::parse(path, &text, credentials)
    }

    /// Where the journal lies, by the file alone: no secret that the file names is read, so this
    /// works where the relay's credentials are not.
    ///
    /// # Errors
    /// The file cannot be read, or is no configuration.
    pub fn read_journal_path(path: &Path) -> Result<PathBuf, Finding> {
        let text = file_text(path)?;
        let reader = Reader::new(path, &text, None);
        let file = tables(&text, &reader)?;
        Ok(journal_path(&file.journal, &reader))
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
        let file = tables(text, &reader).map_err(|finding| vec![finding])?;
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
        let https = listen::https(&file.listen, reader);
        let paths = listen::paths(&file.listen, reader);
        let certificate = certificate(&file.tls, reader);
        let verifiers = verifiers(&file.verifier, reader);
        let face = face::face(&file.servicestack, reader);
        let sources = face::sources(&file.source, &face, &paths, reader);
        let sinks = sinks(&file.sink, reader);
        let admin = listen::admin(&file.admin, reader);
        let lamp = device::lamp(&file.led, reader);
        let log = log(&file.log, reader);
        let limits = Limits {
            companies_max: companies_max(&file.journal, reader),
            ..listen::limits(&file.listen, reader)
        };
        let journal = journal_path(&file.journal, reader);
        let quickbooks = quickbooks::assemble(file, &journal, reader);
        let (https, admin) = (https?, admin?);
        listen::apart(https, &admin, reader);
        for (sink, table) in sinks.iter().zip(&file.sink) {
            if let (Target::Http(settings), Some(url)) = (&sink.target, &table.url)
                && listen::is_own(https, &settings.url)
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
            journal,
            journal_bytes_max: bytes_max(&file.journal, reader),
            journal_keep: file
                .journal
                .keep
                .as_ref()
                .map_or(DEFAULT_KEEP, |keep| keep.get_ref().0),
            sinks,
            quickbooks,
            instances: instances::instances(&file.instances, reader),
            admin,
            admin_tls: file.admin.tls.as_ref().map(|flag| *flag.get_ref()),
            admin_names: listen::names(&file.admin, reader),
            lamp,
            clock: device::clock(&file.clock, reader),
            log,
            limits,
        })
    }
}

/// The text of the file, however an editor saved it.
fn file_text(path: &Path) -> Result<Zeroizing<String>, Finding> {
    let place = path.display().to_string();
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        let why = access::not_opened(path, &error);
        let text = format!("cannot be read: {why}; --config names another");
        Finding::new(Severity::Error, &place, text)
    })?;
    text::decode(&bytes).map_err(|error| {
        let place = format!("{place}:{}", error.line);
        Finding::new(Severity::Error, place, format!("the file {error}"))
    })
}

fn tables(text: &str, reader: &Reader<'_>) -> Result<file::File, Finding> {
    toml::from_str(text).map_err(|error| {
        let (span, what) = explain::explain(text, &error);
        Finding::new(Severity::Error, reader.place(&span), what)
    })
}

fn journal_path(journal: &file::Journal, reader: &Reader<'_>) -> PathBuf {
    let path = journal.path.as_deref();
    reader.resolve(path.unwrap_or(Path::new(DEFAULT_JOURNAL)))
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
        let keys = SecretKeys {
            key: "token",
            inline: &table.token,
            file: &table.token_file,
            credential: &table.token_credential,
        };
        if let Some(token) = reader.secret(&keys, Shape::Verifier) {
            if token.expose().len() < LEAST_TOKEN_BYTES {
                reader.warn(
                    &table.name.span(),
                    format!("the token of verifier \"{name}\" is shorter than Intuit's, which have 36 characters; was all of it copied?"),
                );
            }
            let name = name.clone();
            verifiers.push(Verifier { name, token });
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
    let mut files: Vec<(PathBuf, SinkName)> = Vec::new();
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
        if let (Some(path), Target::File(settings)) = (&table.path, &sink.target) {
            let file = same_file(&settings.path);
            if let Some((_, other)) = files.iter().find(|(other, _)| *other == file) {
                reader.error(
                    &path.span(),
                    format!("sink \"{}\" writes to the same file as sink \"{other}\"; give each its own", sink.name),
                );
            }
            files.push((file, sink.name.clone()));
        }
        sinks.push(sink);
    }
    sinks
}

/// A path by which two names of one file are known for one: with links followed, as far as it is there.
fn same_file(path: &Path) -> PathBuf {
    let folder = |path: &Path| {
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        folder
            .zip(path.file_name())
            .map(|(folder, name)| folder.join(name))
    };
    let whole = path.canonicalize().ok();
    whole
        .or_else(|| folder(path))
        .unwrap_or_else(|| path.to_owned())
}

fn log(log: &file::Log, reader: &mut Reader<'_>) -> tracing::Level {
    let Some(level) = &log.level else {
        return tracing::Level::INFO;
    };
    level.get_ref().parse().unwrap_or_else(|_| {
        let known = ["error", "warn", "info", "debug", "trace"];
        let meant = did_you_mean(level.get_ref(), known);
        let text = format!("[log] level is one of {}{meant}", known.join(", "));
        reader.error(&level.span(), text);
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

fn companies_max(journal: &file::Journal, reader: &mut Reader<'_>) -> u64 {
    let Some(companies_max) = &journal.companies_max else {
        return Limits::default().companies_max;
    };
    if *companies_max.get_ref() == 0 {
        reader.error(
            &companies_max.span(),
            "[journal] companies_max is at least 1",
        );
    }
    u64::from(*companies_max.get_ref())
}

#[cfg(test)]
mod tests;
