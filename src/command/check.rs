//! `check`: reads everything that `run` would, and says what it thinks of it.

use super::credentials;
use crate::board;
use crate::cli::{ConfigArgs, Exit};
use crate::clock::{Clock, System};
use crate::config::{Certificate, Config, Finding, Severity, SinkConfig, Target};
use crate::journal;
use crate::rules::health::CERTIFICATE_NEAR;
use crate::terminal::{Tint, say, tinted};
use crate::tls;
use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Runs the command.
pub fn command(args: &ConfigArgs) -> Exit {
    let (config, mut findings) = match Config::read(&args.config, credentials().as_deref()) {
        Ok((config, findings)) => (Some(config), findings),
        Err(findings) => (None, findings),
    };
    if let Some(config) = &config {
        findings.push(note(&config.file.display(), &"read"));
        findings.extend(listening(config));
        findings.extend(certificate(&config.certificate));
        findings.extend(verifiers(config));
        findings.extend(store(config));
        findings.extend(config.sinks.iter().map(sink));
        findings.push(lamp(&config.lamp));
    }
    findings.sort_by_key(|finding| finding.severity);
    for finding in &findings {
        let tint = match finding.severity {
            Severity::Note => Tint::Green,
            Severity::Warning => Tint::Yellow,
            Severity::Serious | Severity::Error => Tint::Red,
        };
        say(tinted(tint, finding));
    }
    let usable = config.is_some()
        && findings
            .iter()
            .all(|finding| finding.severity <= Severity::Warning);
    if usable {
        Exit::Success
    } else {
        Exit::Configuration
    }
}

fn note(place: &dyn Display, text: &dyn Display) -> Finding {
    Finding::new(Severity::Note, place.to_string(), text.to_string())
}

fn listening(config: &Config) -> Vec<Finding> {
    let paths = config.paths.join(", ");
    vec![
        note(
            &"[listen]",
            &format_args!("https on {}, paths {paths}", config.https),
        ),
        note(&"[admin]", &format_args!("on {}", config.admin)),
    ]
}

fn certificate(certificate: &Certificate) -> Vec<Finding> {
    let Certificate::Files { certificate, key } = certificate else {
        return Vec::new();
    };
    let loaded = match tls::load(certificate, key) {
        Ok(loaded) => loaded,
        Err(error) => return vec![Finding::new(Severity::Error, "[tls]", error.to_string())],
    };
    let now = System.now();
    let mut findings = vec![note(
        &certificate.display(),
        &format_args!(
            "for {}, {} days left",
            loaded.facts.names.join(", "),
            loaded.facts.left(now).as_secs() / 86_400
        ),
    )];
    for finding in loaded.findings(now, CERTIFICATE_NEAR) {
        let severity = if finding.is_fatal_to_senders() {
            Severity::Serious
        } else {
            Severity::Warning
        };
        findings.push(Finding::new(severity, "[tls]", finding.to_string()));
    }
    findings
}

fn verifiers(config: &Config) -> Vec<Finding> {
    let named = |name: &String| note(&"[[verifier]]", &format_args!("\"{name}\" has a token"));
    config
        .verifiers
        .iter()
        .map(|verifier| named(&verifier.name))
        .collect()
}

fn store(config: &Config) -> Vec<Finding> {
    let place = config.journal.display();
    let mib = config.journal_bytes_max >> 20;
    let days = config.journal_keep.as_secs() / 86_400;
    if !config.journal.exists() {
        if let Some(finding) = folder(&config.journal) {
            return vec![finding];
        }
        return vec![note(
            &place,
            &format_args!("will be made at the first start; up to {mib} MiB, kept {days} days"),
        )];
    }
    match journal::inspect::Inspection::open(&config.journal) {
        Ok(_) => vec![note(
            &place,
            &format_args!("can be read; up to {mib} MiB, kept {days} days"),
        )],
        Err(error) => vec![Finding::new(
            Severity::Error,
            place.to_string(),
            error.to_string(),
        )],
    }
}

/// What keeps a journal from being made there.
fn folder(journal: &Path) -> Option<Finding> {
    let existing = journal.ancestors().skip(1).find(|folder| folder.exists())?;
    let place = existing.display().to_string();
    if !existing.is_dir() {
        return Some(Finding::new(
            Severity::Error,
            place,
            "is not a folder, so the journal cannot lie below it",
        ));
    }
    let open = existing
        .metadata()
        .is_ok_and(|facts| facts.mode() & 0o077 != 0);
    let is_parent = journal.parent() == Some(existing);
    (is_parent && open).then(|| {
        let text = "other users can look into the journal's folder; chmod 700 it (the journal's files are private all the same)";
        Finding::new(Severity::Warning, place, text)
    })
}

/// Whether the lamp is there; one that is not never keeps the relay from running. It is not touched:
/// a running relay may hold it.
fn lamp(choice: &board::Choice) -> Finding {
    let board = &choice.board;
    let found = choice.seat().and_then(|seat| {
        let seat = seat.map(|seat| seat.find().map(|()| seat));
        seat.transpose()
    });
    match found {
        Ok(Some(seat)) => note(&"[led]", &format_args!("board \"{board}\", lamp: {seat}")),
        Ok(None) => note(&"[led]", &format_args!("board \"{board}\", no lamp")),
        Err(error) => Finding::new(Severity::Warning, "[led]", error.to_string()),
    }
}

fn sink(sink: &SinkConfig) -> Finding {
    let target = match &sink.target {
        Target::Http(settings) => format!("{} to {}", settings.format.as_str(), settings.url),
        Target::File(settings) => format!(
            "{} to {}",
            settings.format.as_str(),
            settings.path.display()
        ),
    };
    let days = sink.schedule.give_up_after.as_secs_f64() / 86_400.0;
    note(
        &format_args!("[[sink]] {}", sink.name),
        &format_args!("{target}; tried for {days:.1} days"),
    )
}
