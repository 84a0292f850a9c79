//! The QuickBooks side of the configuration: `[[app]]`, `[reconcile]`, `[poll]` and `[tokens]`.

use super::closest::did_you_mean;
use super::file as table;
use super::reader::{Reader, SecretKeys, Shape};
use super::unit::Span;
use crate::model::{AppName, Environment, Secret};
use crate::qbo;
use crate::server::consent;
use crate::tls::client;
use crate::wire::entity;
use crate::wire::path;
use rustls::ClientConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

/// What is configured of the QuickBooks side; without an app, companies are not read.
#[derive(Debug)]
pub struct QuickBooks {
    /// The apps, each with its own name.
    pub apps: Vec<AppConfig>,
    /// Where the key is that seals tokens in the journal.
    pub key: TokenKey,
    /// How long to wait for more notifications of a company before it is read.
    pub settle: Duration,
    /// When the daily look at everything begins, as a time after midnight in UTC.
    pub sweep_at: Duration,
    /// Kinds that are polled, and how often.
    pub polls: BTreeMap<String, Duration>,
}

/// An app at Intuit.
#[derive(Debug)]
pub struct AppConfig {
    /// All that is needed to talk to QuickBooks in its name.
    pub settings: qbo::Settings,
    /// API calls that it may make in a month; `None`: as many as are needed.
    pub calls_per_month: Option<u64>,
}

/// Where the key is that seals tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TokenKey {
    /// In this file, which is made at the first start.
    File(PathBuf),
    /// It was given.
    Given(Secret),
}

/// Calls that Intuit's free tier allows in a month (Intuit's page on limits and throttles).
const DEFAULT_CALLS_PER_MONTH: u64 = 500_000;
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);
/// Intuit gives a request up after two minutes.
const MOST_TIMEOUT: Duration = Duration::from_secs(120);
const DEFAULT_SETTLE: Duration = Duration::from_secs(2);
const MOST_SETTLE: Duration = Duration::from_secs(300);
const DEFAULT_SWEEP_AT: Duration = Duration::from_secs(2 * 3_600 + 30 * 60);
const DEFAULT_POLL: Duration = Duration::from_secs(15 * 60);
const LEAST_POLL: Duration = Duration::from_secs(60);

pub(super) fn assemble(file: &table::File, journal: &Path, reader: &mut Reader<'_>) -> QuickBooks {
    let apps = apps(&file.app, reader);
    let polls = polls(&file.poll, reader);
    if let (true, Some(first)) = (
        file.app.is_empty(),
        file.poll.resources.iter().flatten().next(),
    ) {
        reader.error(
            &first.span(),
            "[poll] needs an [[app]]: without one there is nobody to ask",
        );
    }
    QuickBooks {
        apps,
        key: token_key(&file.tokens, journal, reader),
        settle: settle(&file.reconcile, reader),
        sweep_at: sweep_at(&file.reconcile, reader),
        polls,
    }
}

fn apps(tables: &[table::App], reader: &mut Reader<'_>) -> Vec<AppConfig> {
    let mut names = BTreeSet::new();
    let mut apps = Vec::new();
    for table in tables {
        let text = table.name.get_ref();
        if !names.insert(text) {
            let why = format!("two apps are named \"{text}\"; give each its own name");
            reader.error(&table.name.span(), why);
        }
        apps.extend(app(table, reader));
    }
    apps
}

fn app(table: &table::App, reader: &mut Reader<'_>) -> Option<AppConfig> {
    let name = AppName::new(table.name.get_ref().as_str());
    if name.is_none() {
        let why = "an app's name has 1 to 64 characters of A-Z a-z 0-9 . _ -";
        reader.error(&table.name.span(), why);
    }
    let environment = environment(table, reader);
    let secret = SecretKeys {
        key: "client_secret",
        inline: &table.client_secret,
        file: &table.client_secret_file,
        credential: &table.client_secret_credential,
    };
    let secret = reader.secret(&secret, Shape::Token);
    let given = table.client_secret.is_some()
        || table.client_secret_file.is_some()
        || table.client_secret_credential.is_some();
    if !given {
        let why = "the app has no client secret; give `client_secret_file`, `client_secret_credential` or `client_secret`, from the Keys page of your app at Intuit";
        reader.error(&table.name.span(), why);
    }
    if table.client_id.get_ref().trim().is_empty() {
        reader.error(&table.client_id.span(), "client_id is empty");
    }
    check_redirect(&table.redirect_uri, environment, reader);
    let tls = tls(table, reader)?;
    let client_id = table.client_id.get_ref().trim();
    let redirect_uri = table.redirect_uri.get_ref().as_str();
    let mut settings =
        qbo::Settings::new(name?, environment, client_id, secret?, redirect_uri, tls);
    settings.endpoints = endpoints(table, environment, reader);
    settings.pinned = qbo::Pinned {
        authorize: table.authorize_url.is_some(),
        token: table.token_url.is_some(),
        revoke: table.revoke_url.is_some(),
    };
    if let Some(version) = &table.minor_version {
        settings.minor_version = *version.get_ref();
    }
    if let Some(timeout) = &table.timeout {
        settings.timeout = timeout.get_ref().0;
        if !(LEAST_TIMEOUT..=MOST_TIMEOUT).contains(&settings.timeout) {
            reader.error(&timeout.span(), "timeout is between 1 s and 120 s");
        }
    }
    // Made once to see whether it can be made: a wrong address is a mistake of the file.
    if let Err(error) = qbo::App::new(settings.clone()) {
        reader.error(&table.name.span(), error.to_string());
        return None;
    }
    let calls = table
        .calls_per_month
        .as_ref()
        .map_or(DEFAULT_CALLS_PER_MONTH, |calls| *calls.get_ref());
    Some(AppConfig {
        settings,
        calls_per_month: (calls > 0).then_some(calls),
    })
}

fn environment(table: &table::App, reader: &mut Reader<'_>) -> Environment {
    let Some(word) = &table.environment else {
        return Environment::Production;
    };
    Environment::parse(word.get_ref()).unwrap_or_else(|| {
        let meant = did_you_mean(word.get_ref(), ["production", "sandbox"]);
        let why = format!("environment is \"production\" or \"sandbox\"{meant}");
        reader.error(&word.span(), why);
        Environment::Production
    })
}

/// The redirect must come back to this gateway, and as Intuit wants it.
fn check_redirect(uri: &Spanned<String>, environment: Environment, reader: &mut Reader<'_>) {
    let Some(parsed) = reader.url("redirect_uri", uri) else {
        return;
    };
    if path::normal(parsed.path()) != consent::PATH || parsed.query().is_some() {
        let why = format!(
            "redirect_uri must end in {}: that is where the gateway waits for the answer",
            consent::PATH
        );
        return reader.error(&uri.span(), why);
    }
    if !parsed.is_https() {
        reader.error(&uri.span(), "redirect_uri must begin with https://");
    } else if environment == Environment::Production && parsed.host() == "localhost" {
        let why = "Intuit does not take localhost in a redirect_uri of production keys";
        reader.warn(&uri.span(), why);
    }
}

fn tls(table: &table::App, reader: &mut Reader<'_>) -> Option<Arc<ClientConfig>> {
    let roots = match &table.ca_file {
        Some(path) => client::file_roots(&reader.resolve(path.get_ref())),
        None => client::system_roots(),
    };
    let span = table
        .ca_file
        .as_ref()
        .map_or(table.name.span(), Spanned::span);
    roots
        .and_then(|roots| client::client_config(roots, None))
        .inspect_err(|error| reader.error(&span, error.to_string()))
        .ok()
}

fn endpoints(
    table: &table::App,
    environment: Environment,
    reader: &mut Reader<'_>,
) -> qbo::Endpoints {
    let mut endpoints = qbo::Endpoints::default();
    let mut put = |key: &'static str, place: &mut String, given: &Option<Spanned<String>>| {
        let Some(given) = given else { return };
        match qbo::endpoint(given.get_ref()) {
            Ok(url) => url.as_str().trim_end_matches('/').clone_into(place),
            Err(cause) => reader.error(&given.span(), format!("{key}: {cause}")),
        }
    };
    put(
        "authorize_url",
        &mut endpoints.authorize,
        &table.authorize_url,
    );
    put("token_url", &mut endpoints.token, &table.token_url);
    put("revoke_url", &mut endpoints.revoke, &table.revoke_url);
    match environment {
        Environment::Production => {
            put("api_url", &mut endpoints.api_production, &table.api_url);
            put(
                "discovery_url",
                &mut endpoints.discovery_production,
                &table.discovery_url,
            );
        }
        Environment::Sandbox => {
            put("api_url", &mut endpoints.api_sandbox, &table.api_url);
            put(
                "discovery_url",
                &mut endpoints.discovery_sandbox,
                &table.discovery_url,
            );
        }
    }
    endpoints
}

fn token_key(tokens: &table::Tokens, journal: &Path, reader: &mut Reader<'_>) -> TokenKey {
    if let (Some(file), None, None) = (&tokens.key_file, &tokens.key, &tokens.key_credential) {
        return TokenKey::File(reader.resolve(file.get_ref()));
    }
    let keys = SecretKeys {
        key: "key",
        inline: &tokens.key,
        file: &tokens.key_file,
        credential: &tokens.key_credential,
    };
    let given = reader.secret(&keys, Shape::Base64);
    given.map_or_else(
        || TokenKey::File(journal.with_file_name("tokens.key")),
        TokenKey::Given,
    )
}

fn settle(reconcile: &table::Reconcile, reader: &mut Reader<'_>) -> Duration {
    let Some(settle) = &reconcile.settle else {
        return DEFAULT_SETTLE;
    };
    if settle.get_ref().0 > MOST_SETTLE {
        reader.error(&settle.span(), "[reconcile] settle is at most 5 min");
    }
    settle.get_ref().0
}

/// `02:30` as a time after midnight.
fn sweep_at(reconcile: &table::Reconcile, reader: &mut Reader<'_>) -> Duration {
    let Some(text) = &reconcile.sweep_at else {
        return DEFAULT_SWEEP_AT;
    };
    let parsed = text.get_ref().split_once(':').and_then(|(hours, minutes)| {
        let number = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u64>().ok())?;
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (hours < 24 && minutes < 60).then(|| Duration::from_secs(hours * 3_600 + minutes * 60))
    });
    parsed.unwrap_or_else(|| {
        let why = "[reconcile] sweep_at is a time of day in UTC, like \"02:30\"";
        reader.error(&text.span(), why);
        DEFAULT_SWEEP_AT
    })
}

fn polls(poll: &table::Poll, reader: &mut Reader<'_>) -> BTreeMap<String, Duration> {
    let interval = span(poll.interval.as_ref(), reader).unwrap_or(DEFAULT_POLL);
    let mut polls = BTreeMap::new();
    for resource in poll.resources.iter().flatten() {
        if let Some(kind) = kind(resource, reader) {
            polls.insert(kind, interval);
        }
    }
    for (resource, own) in poll.intervals.iter().flatten() {
        let Some(kind) = kind(resource, reader) else {
            continue;
        };
        let own_interval = span(Some(own), reader);
        match (polls.get_mut(&kind), own_interval) {
            (Some(interval), Some(own)) => *interval = own,
            (None, _) => {
                let name = resource.get_ref();
                let why = format!("\"{name}\" has an interval, but is not among `resources`");
                reader.error(&resource.span(), why);
            }
            (Some(_), None) => {}
        }
    }
    polls
}

fn span(given: Option<&Spanned<Span>>, reader: &mut Reader<'_>) -> Option<Duration> {
    let given = given?;
    let span = given.get_ref().0;
    if span < LEAST_POLL {
        let why = "a poll comes at most once a minute: the interval is at least 1 min";
        reader.error(&given.span(), why);
    }
    Some(span)
}

fn kind(resource: &Spanned<String>, reader: &mut Reader<'_>) -> Option<String> {
    let name = resource.get_ref();
    let kind = entity::kind_of_resource(name);
    if kind.is_none() {
        let why = format!(
            "\"{name}\" is not a resource that can be polled; write it like \"customers\" or \"sales-receipts\""
        );
        reader.error(&resource.span(), why);
    }
    kind.map(str::to_owned)
}
