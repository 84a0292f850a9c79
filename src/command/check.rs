//! `check`: reads everything that `run` would, and says what it thinks of it.

use super::{credentials, tried};
use crate::board;
use crate::cli::{ConfigArgs, Exit};
use crate::clock::{Clock, System};
use crate::config::{
    AdminAddress, AppConfig, Certificate, Config, Finding, QuickBooks, Severity, SinkConfig,
    Target, TokenKey,
};
use crate::instances::is_plain;
use crate::journal;
use crate::model::Instance;
use crate::rules::health::CERTIFICATE_NEAR;
use crate::server::admin::leaves_machine;
use crate::server::source::Source;
use crate::terminal::{Tint, say, tinted};
use crate::tls;
use crate::vault::admin_secrets::{self, AdminSecrets};
use crate::vault::{self, Vault};
use crate::wire::credential::Credential;
use crate::wire::entity;
use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

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
        findings.extend(original(config));
        findings.extend(store(config));
        findings.extend(config.sinks.iter().map(sink));
        findings.extend(books(&config.quickbooks));
        findings.push(instances(config));
        findings.extend(plain_callbacks(config));
        findings.extend(instances_there_are(config));
        findings.push(lamp(&config.lamp));
        findings.extend(tried::findings(config));
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
        note(
            &"[admin]",
            &format_args!("on {}{}", config.admin, encryption(config)),
        ),
    ]
}

/// How the admin listener speaks, as far as that can be told before it listens.
fn encryption(config: &Config) -> &'static str {
    let leaves = match &config.admin {
        AdminAddress::Tcp(address) => leaves_machine(address.ip()),
        AdminAddress::Unix(_) | AdminAddress::Inherited => false,
    };
    if config.admin_tls.unwrap_or(leaves) {
        ", with TLS"
    } else {
        ""
    }
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

/// The original listener's face, and who need not sign.
fn original(config: &Config) -> Vec<Finding> {
    let face = &config.face;
    if !face.enabled {
        let text = "off: only the paths of [listen] take notifications, in JSON, signed";
        return vec![note(&"[servicestack]", &text)];
    }
    let mut text = "on: suffixes and predefined routes".to_owned();
    if face.raw_strings {
        text.push_str("; strings without quotes");
    }
    if face.publish_metadata {
        text.push_str("; metadata on the public listener");
    }
    let mut findings = vec![note(&"[servicestack]", &text)];
    for source in &config.sources {
        let place = format!("[[source]] {}", source.name);
        let text = format!("{} may come unsigned to {}", who(source), ways(source));
        findings.push(note(&place, &text));
        let (severity, text) = speaks_of(source, !config.quickbooks.apps.is_empty());
        findings.push(Finding::new(severity, place, text));
    }
    findings
}

/// Which companies a source may speak of, and what to do where they may be none.
fn speaks_of(source: &Source, can_connect: bool) -> (Severity, String) {
    let scope = &source.scope;
    if scope.any {
        let max = scope.companies_max;
        let text =
            format!("it may speak of any company, and name {max} that nobody else has named");
        return (Severity::Note, text);
    }
    let known =
        "it may speak of companies that are connected or that a signed notification has named";
    match scope.listed.len() {
        0 => {
            let severity = if can_connect {
                Severity::Note
            } else {
                Severity::Warning
            };
            let text = format!(
                "{known}, and of no others: where Intuit does not post to this relay as well, list its \
                 companies, companies = [\"9341453908059321\"], or give companies = \"any\""
            );
            (severity, text)
        }
        1 => (Severity::Note, format!("{known}, and of 1 that is listed")),
        count => (
            Severity::Note,
            format!("{known}, and of {count} that are listed"),
        ),
    }
}

fn who(source: &Source) -> String {
    let shown = source
        .credential
        .as_ref()
        .map(|credential| match credential {
            Credential::Bearer(_) => "whoever shows its bearer token".to_owned(),
            Credential::Basic { user, .. } => format!("whoever shows the password of \"{user}\""),
        });
    let addresses: Vec<String> = source.addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(", ");
    match (shown, addresses.as_str()) {
        (Some(shown), "") => shown,
        (Some(shown), addresses) => format!("{shown} from {addresses}"),
        (None, addresses) => format!("whoever is at {addresses}"),
    }
}

fn ways(source: &Source) -> String {
    let mut ways: Vec<&str> = source.path.as_deref().into_iter().collect();
    if source.predefined_routes {
        ways.push("the predefined routes");
    }
    ways.join(" and ")
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

/// The QuickBooks side, where an app is configured.
fn books(books: &QuickBooks) -> Vec<Finding> {
    let app = |app: &AppConfig| {
        let settings = &app.settings;
        let budget = app.calls_per_month.map_or_else(
            || "no budget of calls".to_owned(),
            |calls| format!("{calls} calls a month"),
        );
        note(
            &format_args!("[[app]] {}", settings.app),
            &format_args!(
                "{}, comes back to {}, {budget}",
                settings.environment.as_str(),
                settings.redirect_uri
            ),
        )
    };
    let mut findings: Vec<Finding> = books.apps.iter().map(app).collect();
    if findings.is_empty() {
        return findings;
    }
    let key = vault(&books.key).map(|vault| match (&books.key, vault) {
        (TokenKey::Given(_), _) => "was given".to_owned(),
        (TokenKey::File(path), Some(_)) => format!("in {}", path.display()),
        (TokenKey::File(path), None) => format!("will be made in {} at the start", path.display()),
    });
    findings.push(match key {
        Ok(text) if matches!(books.key, TokenKey::File(_)) => {
            let advice = "a thief of the card has it with the tokens; give it as key_credential where \
                          the machine can keep one";
            note(&"[tokens]", &format_args!("the key {text}; {advice}"))
        }
        Ok(text) => note(&"[tokens]", &format_args!("the key {text}")),
        Err(error) => Finding::new(Severity::Error, "[tokens]", format!("key: {error}")),
    });
    if !books.polls.is_empty() {
        let poll = |(kind, interval): (&String, &Duration)| {
            let minutes = interval.as_secs() / 60;
            format!("{} every {minutes} min", entity::resource(kind))
        };
        let polls: Vec<String> = books.polls.iter().map(poll).collect();
        findings.push(note(&"[poll]", &polls.join(", ")));
    }
    findings
}

/// The vault of a key, where there is one already.
fn vault(key: &TokenKey) -> Result<Option<Vault>, vault::Error> {
    match key {
        TokenKey::Given(key) => Vault::from_key(key).map(Some),
        TokenKey::File(path) if path.exists() => Vault::open_or_make(path).map(Some),
        TokenKey::File(_) => Ok(None),
    }
}

/// The Open Connectors interface, and whether anybody has secrets for it.
fn instances(config: &Config) -> Finding {
    let place = "[instances]";
    let instances = &config.instances;
    if !instances.enabled {
        return note(&place, &"off: /elements/api-v2 is not served");
    }
    let path = admin_secrets::file_beside(&config.journal);
    let secrets = match AdminSecrets::new(path).count(System.now()) {
        Ok(0) => "nobody has secrets yet: make them with `qbo-relay admin-secret`".to_owned(),
        Ok(1) => "one pair of secrets is good".to_owned(),
        Ok(pairs) => format!("{pairs} pairs of secrets are good"),
        Err(error) => return Finding::new(Severity::Serious, place, error.to_string()),
    };
    let reach = if instances.private_callbacks {
        "callbacks to anywhere"
    } else {
        "callbacks to public addresses"
    };
    let attempts = 1 + instances.retry_delays.len();
    let text = format_args!(
        "on /elements/api-v2 of the admin listener; {reach}, at most {attempts} attempts; {secrets}"
    );
    note(&place, &text)
}

/// What is said of callbacks that anybody on the way can read.
fn plain_callbacks(config: &Config) -> Option<Finding> {
    let text = "plain_callbacks = true: callbacks may go to http:// addresses, where whoever is on the way reads whole records; take it away when every callback is https://";
    let is_on = config.instances.enabled && config.instances.plain_callbacks;
    is_on.then(|| Finding::new(Severity::Warning, "[instances]", text))
}

/// What has to be said of an instance's callback; of one that cannot be unsealed nothing.
fn callback(config: &Config, vault: Option<&Vault>, instance: &Instance) -> Option<&'static str> {
    let draft = &instance.draft;
    draft.events.as_ref().filter(|events| events.calls_back)?;
    let kept = vault?.unseal_instance(draft.realm.as_str(), &draft.sealed);
    let terms = kept.ok()?.configuration.terms().ok()?;
    if !is_plain(terms.callback.as_ref()?) {
        return None;
    }
    Some(match config.instances.plain_callbacks {
        true => "its callback is http://: whoever is on the way reads whole records",
        false => {
            "nothing is sent, because its callback is http:// and plain_callbacks is not true; give it an https:// address: PATCH /instances/{id}"
        }
    })
}

/// The instances that the journal has, and those among them that need a person. A journal that cannot
/// be read is a finding of its own.
fn instances_there_are(config: &Config) -> Vec<Finding> {
    let looked = journal::inspect::Inspection::open(&config.journal)
        .and_then(|inspection| Ok((inspection.instances()?, inspection.paused_instances()?)));
    let Ok((instances, paused)) = looked else {
        return Vec::new();
    };
    let place = "[instances]";
    if instances.is_empty() {
        return Vec::new();
    }
    let count = match instances.len() {
        1 => "1 instance was made".to_owned(),
        count => format!("{count} instances were made"),
    };
    let off = match config.instances.enabled {
        true => "",
        false => {
            "; while the interface is off nothing leaves for them, and nothing is kept for them"
        }
    };
    let mut findings = vec![note(&place, &format_args!("{count}{off}"))];
    let vault = vault(&config.quickbooks.key).ok().flatten();
    for instance in instances {
        let name = &instance.draft.name;
        let place = format!("instance {} ({name})", instance.id);
        if paused.contains(&instance.id.sink()) {
            let text = "its subscription is paused; when its receiver works, send again: PUT /notifications/subscriptions/deliveries, or qbo-relay sink enable";
            findings.push(Finding::new(Severity::Warning, place.clone(), text));
        }
        if let Some(text) = callback(config, vault.as_ref(), &instance) {
            findings.push(Finding::new(Severity::Warning, place.clone(), text));
        }
        if let Some((_, why)) = &instance.polling_stopped {
            let text = format!(
                "is no longer polled: {why}; PUT /instances/{}/enabled begins again",
                instance.id
            );
            findings.push(Finding::new(Severity::Warning, place, text));
        }
    }
    findings
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
