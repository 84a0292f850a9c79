//! What `check` tries, because `run` would: to listen, to keep a journal, to write the files of sinks;
//! and how Intuit will see the certificate.

use super::ask;
use crate::config::{
    AdminAddress, Certificate, Config, Finding, HttpsAddress, Severity, SinkConfig, Target,
};
use crate::journal::{DeadFilter, Inspection};
use crate::model::access;
use crate::run::control_socket;
use crate::systemd::{Inherited, unit};
use crate::tls;
use http::{Method, StatusCode, Uri};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

/// The unit whose socket systemd passes under each name.
const SOCKETS: [(&str, &str); 2] = [
    ("https", "qbo-relay-https.socket"),
    ("admin", "qbo-relay-admin.socket"),
];

/// Everything that is tried.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = listening(config);
    findings.extend(folder_for_journal(&config.journal));
    findings.extend(config.sinks.iter().filter_map(file_sink));
    findings.extend(names(config));
    findings.extend(removed_sinks(config));
    findings
}

fn finding(severity: Severity, place: &str, text: String) -> Finding {
    Finding::new(severity, place, text)
}

/// Whether both addresses can be listened on, or are by the relay that runs.
fn listening(config: &Config) -> Vec<Finding> {
    let passed = Inherited::take().unwrap_or_default();
    let running = running(config);
    let mut findings = Vec::new();
    // Held until both were tried: the second must not need what the first takes.
    let mut held = Vec::new();
    let https = match config.https {
        HttpsAddress::At(address) => Some(address),
        HttpsAddress::Inherited => None,
    };
    let admin = match config.admin {
        AdminAddress::Tcp(address) => Some(address),
        AdminAddress::Unix(_) | AdminAddress::Inherited => None,
    };
    for ((name, unit), address, place) in [
        (SOCKETS[0], https, "[listen] https"),
        (SOCKETS[1], admin, "[admin] listen"),
    ] {
        let streams = unit::streams(unit);
        if passed.has(name) {
            let text =
                format!("`run` takes the socket {name} that systemd passes, whatever stands here");
            findings.push(finding(Severity::Note, place, text));
            continue;
        }
        let Some(address) = address else {
            findings.extend(inherited(place, unit, streams.as_deref()));
            continue;
        };
        if let Some(streams) = &streams {
            let same = streams
                .iter()
                .any(|stream| port_of(stream) == Some(address.port()));
            let severity = if same {
                Severity::Note
            } else {
                Severity::Warning
            };
            let text = format!(
                "as a service the relay takes the socket of {unit} ({}), whatever stands here",
                streams.join(", ")
            );
            findings.push(finding(severity, place, text));
            if same {
                continue;
            }
        }
        let ours = running.as_ref().and_then(|all| all.get(name).copied());
        match TcpListener::bind(address) {
            Ok(listener) => held.push(listener),
            Err(error) => findings.push(not_listening(place, address, &error, ours)),
        }
    }
    if let AdminAddress::Unix(path) = &config.admin {
        findings.extend(unix_socket(path, running.is_some()));
    }
    findings
}

/// `"systemd"` without a socket unit: `run` finds nothing.
fn inherited(place: &str, unit: &str, streams: Option<&[String]>) -> Option<Finding> {
    if !unit::is_systemd() {
        return None;
    }
    Some(match streams {
        Some(streams) => {
            let text = format!("the socket of {unit}: {}", streams.join(", "));
            finding(Severity::Note, place, text)
        }
        None => {
            let text = format!(
                "says \"systemd\", but there is no {unit} on this machine, or it is masked; install it, or give an address with a port"
            );
            finding(Severity::Warning, place, text)
        }
    })
}

/// The port in a `ListenStream=`: `443`, `127.0.0.1:8081`, `[::]:443`.
fn port_of(stream: &str) -> Option<u16> {
    stream.rsplit(':').next()?.parse().ok()
}

fn not_listening(
    place: &str,
    address: SocketAddr,
    error: &io::Error,
    ours: Option<SocketAddr>,
) -> Finding {
    let (severity, text) = match error.kind() {
        ErrorKind::AddrInUse if ours.is_some_and(|ours| ours.port() == address.port()) => (
            Severity::Note,
            format!("{address} is in use by the relay that runs"),
        ),
        ErrorKind::AddrInUse => (
            Severity::Error,
            format!(
                "{address} is in use by another program; end that one, or take another port (`ss -ltnp` shows who listens)"
            ),
        ),
        ErrorKind::AddrNotAvailable => (
            Severity::Error,
            format!(
                "{} is no address of this machine; take one that `ip address` shows, or 0.0.0.0 for all of them",
                address.ip()
            ),
        ),
        ErrorKind::PermissionDenied => (
            Severity::Warning,
            format!(
                "this user may not listen on {address}: ports below 1024 need a privilege; systemd's socket unit has it, and so has root"
            ),
        ),
        _ => (
            Severity::Error,
            format!("{address} cannot be listened on: {error}"),
        ),
    };
    finding(severity, place, text)
}

/// Where the running relay listens, if one runs with this journal.
fn running(config: &Config) -> Option<BTreeMap<String, SocketAddr>> {
    let socket = control_socket(&config.journal);
    let asked = ask::ask(&socket, Method::GET, "/addresses", Vec::new());
    let (status, body) = super::block_on(asked).ok()?.ok()?;
    let answer: Value = serde_json::from_slice(&body).ok()?;
    let addresses = answer.as_object().filter(|_| status == StatusCode::OK)?;
    let parsed = addresses
        .iter()
        .filter_map(|(name, address)| Some((name.clone(), address.as_str()?.parse().ok()?)));
    Some(parsed.collect())
}

/// A path of a socket that can be listened on.
fn unix_socket(path: &Path, runs: bool) -> Option<Finding> {
    /// `sun_path` of unix(7), with the ending of the name that it is first made under.
    const BYTES_MAX: usize = 107 - ".new".len();
    let place = path.display().to_string();
    let wrong = |text: String| Some(finding(Severity::Error, &place, text));
    if path.as_os_str().len() > BYTES_MAX {
        return wrong(format!(
            "is longer than {BYTES_MAX} bytes, which a socket's path cannot be"
        ));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    if let Err(error) = try_folder(folder) {
        return wrong(format!("cannot be made: {error}"));
    }
    let is_held = std::os::unix::net::UnixStream::connect(path).is_ok();
    match is_held && !runs {
        true => wrong("another program listens there; end it, or give another path".into()),
        false => None,
    }
}

/// Whether a file can be made there, by making one.
fn try_folder(folder: &Path) -> Result<(), String> {
    match folder.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!(
                "there is no folder {0}; make it: mkdir -p {0}",
                folder.display()
            ));
        }
        Err(error) => return Err(access::not_opened(folder, &error)),
        Ok(facts) if !facts.is_dir() => {
            return Err(format!("{} is not a folder", folder.display()));
        }
        Ok(_) => {}
    }
    tempfile::Builder::new()
        .prefix(".qbo-relay-check-")
        .tempfile_in(folder)
        .map(drop)
        .map_err(|error| {
            // The name of the file that was tried is nobody's business.
            let error = error
                .get_ref()
                .map_or_else(|| access::cause(&error), ToString::to_string);
            let why = error
                .split(" at path ")
                .next()
                .unwrap_or_default()
                .to_owned();
            format!("nothing can be written in {}: {why}", folder.display())
        })
}

/// Whether the journal can be kept where it is to lie, in the nearest folder that is there.
fn folder_for_journal(journal: &Path) -> Option<Finding> {
    let existing = journal.ancestors().skip(1).find(|folder| folder.exists())?;
    let why = try_folder(existing).err()?;
    let text = format!(
        "the journal {} cannot be kept there: {why}",
        journal.display()
    );
    Some(finding(Severity::Error, "[journal] path", text))
}

/// Whether the file of a sink can be written.
fn file_sink(sink: &SinkConfig) -> Option<Finding> {
    let Target::File(settings) = &sink.target else {
        return None;
    };
    let path = &settings.path;
    let place = format!("[[sink]] {}", sink.name);
    let folder = path.parent().unwrap_or(Path::new("/"));
    let why = match (path.metadata(), try_folder(folder)) {
        (_, Err(why)) => why,
        (Ok(facts), Ok(())) if !facts.is_file() => "it is not a file".into(),
        _ => return None,
    };
    let text = format!("{} cannot be written: {why}", path.display());
    Some(finding(Severity::Error, &place, text))
}

/// Whether the names under which Intuit and browsers come are in the certificate.
fn names(config: &Config) -> Vec<Finding> {
    let Certificate::Files { certificate, key } = &config.certificate else {
        return Vec::new();
    };
    let Ok(loaded) = tls::load(certificate, key) else {
        return Vec::new();
    };
    let names = &loaded.facts.names;
    let mut findings = Vec::new();
    if !names.iter().any(|name| is_public(name)) {
        let told = match names.is_empty() {
            true => "no names at all (subjectAltName)".to_owned(),
            false => format!("no public name, only {}", names.join(", ")),
        };
        let text = format!(
            "the certificate has {told}; Intuit comes to a name of the Internet, and refuses a certificate without it"
        );
        findings.push(finding(Severity::Warning, "[tls]", text));
    }
    if let Some(authority) = &loaded.private_authority {
        let text = format!(
            "the certificate is from {authority}, which is none of the public authorities that this machine knows: QuickBooks refuses it; use one from a public authority"
        );
        findings.push(finding(Severity::Warning, "[tls]", text));
    }
    for app in &config.quickbooks.apps {
        let redirect = &app.settings.redirect_uri;
        let uri = redirect.parse::<Uri>().ok();
        let Some(host) = uri.as_ref().and_then(Uri::host) else {
            continue;
        };
        let host = host.trim_matches(['[', ']']);
        if uri.as_ref().and_then(Uri::scheme_str) == Some("https")
            && !names.iter().any(|name| covers(name, host))
        {
            let text = format!(
                "browsers come back to {host}, which is not among the names of the certificate ({}); use one of those, or a certificate with it",
                names.join(", ")
            );
            let place = format!("[[app]] {} redirect_uri", app.settings.app);
            findings.push(finding(Severity::Warning, &place, text));
        }
    }
    findings
}

/// Whether a name of a certificate is one of the Internet.
fn is_public(name: &str) -> bool {
    const LOCAL: [&str; 7] = [
        "localhost",
        "local",
        "lan",
        "internal",
        "home",
        "test",
        "localdomain",
    ];
    let ending = name
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    name.parse::<IpAddr>().is_err() && name.contains('.') && !LOCAL.contains(&ending.as_str())
}

/// Whether a name of a certificate is valid for a host (RFC 6125: a `*` stands for one label).
fn covers(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let below = name.strip_prefix("*.").zip(host.split_once('.'));
    below.is_some_and(|(name, (label, rest))| !label.is_empty() && name.eq_ignore_ascii_case(rest))
}

/// What the journal holds for sinks that are not configured any more. A journal that cannot be read is a
/// finding of its own.
fn removed_sinks(config: &Config) -> Vec<Finding> {
    let Ok(journal) = Inspection::open(&config.journal) else {
        return Vec::new();
    };
    let is_configured = |name: &str| config.sinks.iter().any(|sink| sink.name.as_str() == name);
    let mut findings = Vec::new();
    for parked in journal.undelivered_by_sink().unwrap_or_default() {
        if !is_configured(parked.sink.as_str()) {
            let text = format!(
                "is not configured; {} changes that it had yet to get stay until their receipts are deleted, and leave if it is configured again",
                parked.count
            );
            let place = format!("sink {}", parked.sink);
            findings.push(finding(Severity::Warning, &place, text));
        }
    }
    let mut dead: BTreeMap<String, u64> = BTreeMap::new();
    for letter in journal
        .dead_letters(&DeadFilter::default())
        .unwrap_or_default()
    {
        *dead.entry(letter.sink.to_string()).or_default() += 1;
    }
    for (sink, count) in dead {
        let text = format!(
            "{count} dead letters call for a person; `qbo-relay dead-letter list --sink {sink}` shows them"
        );
        findings.push(finding(Severity::Warning, &format!("sink {sink}"), text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_name_covers_what_a_browser_takes_it_for() {
        for (name, host, is) in [
            ("gw.example", "GW.example", true),
            ("*.example.org", "gw.example.org", true),
            ("*.example.org", "a.gw.example.org", false),
            ("*.example.org", "example.org", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("gw.example", "other.example", false),
        ] {
            assert_eq!(covers(name, host), is, "{name} {host}");
        }
        assert!(is_public("gw.example.org") && is_public("*.example.org"));
        assert!(
            !["localhost", "gateway", "gw.local", "192.0.2.1", "::1"]
                .map(is_public)
                .contains(&true)
        );
        let ports = ["443", "127.0.0.1:8081", "[::]:443", "/run/x.sock"].map(port_of);
        assert_eq!(ports, [Some(443), Some(8081), Some(443), None]);
    }
}
