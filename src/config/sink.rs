//! One `[[sink]]` table: where changes go, in which form, signed with what, and tried how often.

use super::closest::did_you_mean;
use super::credential::{self, CredentialKeys};
use super::file as table;
use super::format::{content_type, format};
use super::reader::{Reader, SecretKeys, Shape};
use crate::model::{INSTANCE_SINK, Secret, SinkName};
use crate::rules::retry::Schedule;
use crate::sink::{Authorization, Format, Signing, file, http};
use crate::tls::client;
use crate::wire::credential::Credential;
use crate::wire::outgoing::standard_webhooks::SigningKey;
use crate::wire::url::Url;
use rustls::ClientConfig;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

/// A sink, ready to be made.
#[derive(Debug)]
pub struct SinkConfig {
    /// Its name; unique.
    pub name: SinkName,
    /// Where changes go, in which form.
    pub target: Target,
    /// When a failed delivery is tried again, and when it is given up.
    pub schedule: Schedule,
    /// Whether the whole record rides along once a change is reconciled.
    pub record: bool,
    /// When a change leaves.
    pub relay: Relay,
}

/// When a change leaves for a sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relay {
    /// At once.
    AtOnce,
    /// When its company has been read again, and so long after its arrival at the latest.
    WhenReconciled {
        /// The longest wait.
        within: Duration,
    },
}

/// A kind of destination, with all that it may be told.
#[derive(Debug)]
pub enum Target {
    /// `kind = "http"`.
    Http(Box<http::Settings>),
    /// `kind = "file"`: JSON lines.
    File(file::Settings),
}

const DEFAULT_ROTATE_BYTES: u64 = 16 << 20;
const DEFAULT_ROTATE_KEEP: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");
/// How long one write to a local file may take; a card that is collecting garbage needs seconds.
const FILE_TIMEOUT: Duration = Duration::from_secs(20);
const DEFAULT_RELAY_WITHIN: Duration = Duration::from_secs(30);
const MOST_RELAY_WITHIN: Duration = Duration::from_secs(3_600);
const MOST_PROBE_EVERY: Duration = Duration::from_secs(3_600);
/// Shorter pauses would only make a sink that struggles struggle harder.
const LEAST_DELAY: Duration = Duration::from_millis(100);

pub(super) fn assemble(table: &table::Sink, reader: &mut Reader<'_>) -> Option<SinkConfig> {
    let name = SinkName::new(table.name.get_ref().clone());
    if name.is_none() {
        let text = table.name.get_ref();
        reader.error(
            &table.name.span(),
            format!("sink name \"{text}\" has characters other than A-Z a-z 0-9 . _ - or is not 1 to 64 long"),
        );
    }
    if name.as_ref().is_some_and(is_of_an_instance) {
        let why = "a sink's name is not \"instance-\" and a number: such are the sinks of element instances";
        reader.error(&table.name.span(), why);
    }
    // A stand-in, so that everything else about this sink is looked at too.
    let name_or = name.clone().or_else(|| SinkName::new("unnamed"))?;
    let format = format(table, reader);
    let schedule = schedule(table, reader);
    let target = match table.kind.get_ref().as_str() {
        "http" => http(table, name_or, format, reader),
        "file" => file(table, name_or, format, reader),
        other => {
            reader.error(
                &table.kind.span(),
                format!(
                    "kind = \"{other}\" is not known; use \"http\" or \"file\"{}",
                    did_you_mean(other, ["http", "file"])
                ),
            );
            None
        }
    };
    let relay = relay(table, reader);
    if let (Some(record), Relay::AtOnce) = (&table.record, relay)
        && *record.get_ref()
    {
        reader.warn(
            &record.span(),
            "record = true with relay = \"at-once\": what is notified leaves before its record is read, so without it; write relay = \"when-reconciled\"",
        );
    }
    Some(SinkConfig {
        name: name?,
        target: target?,
        schedule,
        record: table.record.as_ref().is_some_and(|flag| *flag.get_ref()),
        relay,
    })
}

fn is_of_an_instance(name: &SinkName) -> bool {
    let number = name.as_str().strip_prefix(INSTANCE_SINK);
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn relay(table: &table::Sink, reader: &mut Reader<'_>) -> Relay {
    let within = table.relay_within.as_ref();
    let span = within.map_or(DEFAULT_RELAY_WITHIN, |within| within.get_ref().0);
    if let Some(within) = within.filter(|_| span > MOST_RELAY_WITHIN) {
        reader.error(&within.span(), "relay_within is at most 1 h");
    }
    let word = table.relay.as_ref().map(|relay| relay.get_ref().as_str());
    match (word, &table.relay, within) {
        (Some("when-reconciled"), ..) => Relay::WhenReconciled { within: span },
        (Some("at-once") | None, _, Some(within)) => {
            let why = "relay_within needs relay = \"when-reconciled\"";
            reader.error(&within.span(), why);
            Relay::AtOnce
        }
        (Some(other), Some(relay), _) if other != "at-once" => {
            let meant = did_you_mean(other, ["at-once", "when-reconciled"]);
            let why = format!(
                "relay = \"{other}\" is not known; use \"at-once\" or \"when-reconciled\"{meant}"
            );
            reader.error(&relay.span(), why);
            Relay::AtOnce
        }
        _ => Relay::AtOnce,
    }
}

fn schedule(table: &table::Sink, reader: &mut Reader<'_>) -> Schedule {
    let mut schedule = Schedule::default();
    if let Some(delays) = &table.retry_delays {
        schedule.delays = delays.get_ref().iter().map(|delay| delay.0).collect();
        let slow = schedule.delays.iter().all(|delay| *delay >= LEAST_DELAY);
        if !slow || schedule.delays.len() > 100 {
            reader.error(
                &delays.span(),
                "retry_delays has at most 100 spans of at least 100 ms",
            );
        }
    }
    if let Some(every) = &table.retry_every {
        schedule.then_every = every.get_ref().0;
        if schedule.then_every < LEAST_DELAY {
            reader.error(&every.span(), "retry_every is at least 100 ms");
        }
    }
    if let Some(every) = &table.probe_every {
        let span = every.get_ref().0;
        if !(LEAST_DELAY..=MOST_PROBE_EVERY).contains(&span) {
            reader.error(&every.span(), "probe_every is between 100 ms and 1 h");
        }
        schedule.probe_every = Some(span);
    }
    if let Some(give_up_after) = &table.retry_for {
        schedule.give_up_after = give_up_after.get_ref().0;
    }
    schedule
}

fn http(
    table: &table::Sink,
    name: SinkName,
    format: Format,
    reader: &mut Reader<'_>,
) -> Option<Target> {
    refuse(&table.path, "path", "http", reader);
    refuse(&table.rotate_bytes, "rotate_bytes", "http", reader);
    refuse(&table.rotate_keep, "rotate_keep", "http", reader);
    let Some(given) = &table.url else {
        reader.error(&table.name.span(), "a sink of kind \"http\" needs `url`");
        return None;
    };
    let url = reader.url("url", given);
    if url.as_ref().is_some_and(|url| !url.is_https()) {
        reader.warn(
            &given.span(),
            "http:// leaves unencrypted; use https:// wherever the target has it",
        );
    }
    let credentials = http::Credentials {
        signing: signing(table, &format, reader),
        authorization: authorization(table, reader),
        headers: headers(table, reader),
        tls: tls(table, url.as_ref(), reader)?,
    };
    let content_type = content_type(table, &format, reader);
    let mut settings = http::Settings::new(name, url?, format, credentials);
    settings.content_type = content_type;
    settings.private_addresses = table
        .private_addresses
        .as_ref()
        .is_none_or(|flag| *flag.get_ref());
    if let Some(connect) = &table.connect_timeout {
        settings.connect = connect.get_ref().0;
    }
    if let Some(total) = &table.timeout {
        settings.total = total.get_ref().0;
    }
    // Made once to see whether it can be made; the relay makes its own when it knows where it listens.
    if let Err(error) = http::HttpSink::new(settings.clone()) {
        let span = match error {
            http::SettingsError::Header(_) => table.headers.as_ref().map(Spanned::span),
            http::SettingsError::Url(_) | http::SettingsError::Signing => None,
        };
        reader.error(&span.unwrap_or_else(|| given.span()), error.to_string());
    }
    Some(Target::Http(Box::new(settings)))
}

/// One key a line, so that a file can hold the old and the new one while they are rotated.
fn signing(table: &table::Sink, format: &Format, reader: &mut Reader<'_>) -> Signing {
    let given: Option<Range<usize>> = [
        table.signing_secret.as_ref().map(Spanned::span),
        table.signing_secret_file.as_ref().map(Spanned::span),
        table.signing_secret_credential.as_ref().map(Spanned::span),
    ]
    .into_iter()
    .flatten()
    .next();
    let Some(span) = given else {
        reader.warn(
            &table.name.span(),
            "no signing_secret: what leaves for this sink is not signed",
        );
        return Signing::Unsigned;
    };
    let keys = SecretKeys {
        key: "signing_secret",
        inline: &table.signing_secret,
        file: &table.signing_secret_file,
        credential: &table.signing_secret_credential,
    };
    let shape = match format {
        Format::OpenConnectors(_) => Shape::Bytes,
        _ => Shape::Lines,
    };
    let Some(secret) = reader.secret(&keys, shape) else {
        return Signing::Unsigned;
    };
    if let Format::OpenConnectors(_) = format {
        return Signing::Elements(secret);
    }
    let text = String::from_utf8_lossy(secret.expose());
    let mut keys = Vec::new();
    for line in text.lines() {
        match SigningKey::parse(line) {
            Ok(key) => keys.push(key),
            Err(error) => reader.error(
                &span,
                format!("signing_secret: {error}; make one with: echo whsec_$(head -c 32 /dev/urandom | base64)"),
            ),
        }
    }
    Signing::StandardWebhooks(keys)
}

fn authorization(table: &table::Sink, reader: &mut Reader<'_>) -> Option<Authorization> {
    let keys = CredentialKeys {
        span: table.name.span(),
        token: &table.bearer_token,
        token_file: &table.bearer_token_file,
        token_credential: &table.bearer_token_credential,
        username: &table.basic_username,
        password: &table.basic_password,
        password_file: &table.basic_password_file,
        password_credential: &table.basic_password_credential,
    };
    credential::read(&keys, reader).map(|credential| match credential {
        Credential::Bearer(token) => Authorization::Bearer(token),
        Credential::Basic { user, password } => Authorization::Basic { user, password },
    })
}

fn headers(table: &table::Sink, reader: &mut Reader<'_>) -> Vec<(String, Secret)> {
    let is_secret = |name: &String| {
        let name = name.to_ascii_lowercase();
        let words = [
            "auth",
            "key",
            "token",
            "secret",
            "password",
            "cookie",
            "signature",
        ];
        words.iter().any(|word| name.contains(word))
    };
    if let Some(given) = &table.headers
        && let Some(name) = given.get_ref().keys().find(|name| is_secret(name))
    {
        reader.inline(&given.span(), &format!("the header {name}"));
    }
    let fields = table
        .headers
        .as_ref()
        .map(Spanned::get_ref)
        .into_iter()
        .flatten();
    fields
        .map(|(name, value)| (name.clone(), Secret::new(value.as_str())))
        .collect()
}

fn tls(
    table: &table::Sink,
    url: Option<&Url>,
    reader: &mut Reader<'_>,
) -> Option<Arc<ClientConfig>> {
    let made = (|| {
        let roots = match &table.ca_file {
            Some(path) => client::file_roots(&reader.resolve(path.get_ref())),
            None if url.is_some_and(|url| !url.is_https()) => Ok(client::Trust::nobody()),
            None => client::system_roots(),
        };
        let identity = match (&table.client_certificate, &table.client_key) {
            (Some(certificate), Some(key)) => Some(client::ClientIdentity::read(
                &reader.resolve(certificate.get_ref()),
                &reader.resolve(key.get_ref()),
            )?),
            _ => None,
        };
        client::client_config(roots?, identity)
    })();
    if let (Some(given), None) | (None, Some(given)) =
        (&table.client_certificate, &table.client_key)
    {
        reader.error(
            &given.span(),
            "client_certificate and client_key belong together; give both",
        );
    }
    let keys = [&table.ca_file, &table.client_certificate, &table.client_key];
    let span = keys.into_iter().flatten().map(Spanned::span).next();
    made.inspect_err(|error| {
        reader.error(
            &span.unwrap_or_else(|| table.name.span()),
            error.to_string(),
        )
    })
    .ok()
}

fn file(
    table: &table::Sink,
    name: SinkName,
    format: Format,
    reader: &mut Reader<'_>,
) -> Option<Target> {
    refuse(&table.url, "url", "file", reader);
    refuse(&table.mode, "mode", "file", reader);
    refuse(&table.content_type, "content_type", "file", reader);
    refuse(&table.signing_secret, "signing_secret", "file", reader);
    refuse(
        &table.signing_secret_file,
        "signing_secret_file",
        "file",
        reader,
    );
    refuse(
        &table.signing_secret_credential,
        "signing_secret_credential",
        "file",
        reader,
    );
    let Some(path) = &table.path else {
        reader.error(&table.name.span(), "a sink of kind \"file\" needs `path`");
        return None;
    };
    let keep = table.rotate_keep.as_ref();
    if let Some(keep) = keep.filter(|keep| *keep.get_ref() == 0) {
        reader.error(&keep.span(), "rotate_keep is at least 1");
    }
    Some(Target::File(file::Settings {
        name,
        path: reader.resolve(path.get_ref()),
        format,
        rotate_bytes: table
            .rotate_bytes
            .as_ref()
            .map_or(DEFAULT_ROTATE_BYTES, |size| size.get_ref().0),
        keep: keep
            .and_then(|keep| NonZeroU32::new(*keep.get_ref()))
            .unwrap_or(DEFAULT_ROTATE_KEEP),
        total: FILE_TIMEOUT,
    }))
}

/// A key of the other kind is a misunderstanding, not something to pass over.
fn refuse<T>(given: &Option<Spanned<T>>, key: &str, kind: &str, reader: &mut Reader<'_>) {
    if let Some(given) = given {
        reader.error(
            &given.span(),
            format!("`{key}` means nothing for a sink of kind \"{kind}\""),
        );
    }
}
