//! What follows from the instances: lanes, polls, and apps by which companies are read.

use super::book::{Book, Entry};
use super::{Platform, callback};
use crate::model::{AppName, INSTANCE_SINK, Instance, InstanceId, RealmId, SinkName, Timestamp};
use crate::qbo::App;
use crate::rules::company::InstancePolls;
use crate::rules::retry::Schedule;
use crate::sink::{Authorization, Format, HttpSink, Signing, Sink, http};
use crate::wire::elements::{FailurePolicy, Terms, Wrong};
use crate::wire::outgoing::open_connectors::{self, OpenConnectors, Shape};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a change that was notified waits for its record, where an instance is told as if it had
/// been polled: longer than QuickBooks is ever away.
const HOLD: Duration = Duration::from_hours(24);

/// What follows from all instances at one moment.
#[derive(Clone, Default, Debug)]
pub struct Published {
    /// The lanes.
    pub outfits: Vec<Outfit>,
    /// What is polled of which company, besides what is configured.
    pub polls: BTreeMap<RealmId, InstancePolls>,
    /// The apps that owners brought, beside those of the configuration.
    pub apps: BTreeMap<AppName, App>,
}

/// How the lane of an instance is run.
#[derive(Clone, Debug)]
pub struct Outfit {
    /// Where its events go. The same one as before while nothing of it has changed.
    pub sink: Arc<Sink>,
    /// When a callback is tried again, and when the subscription is paused.
    pub schedule: Schedule,
    /// How long what was notified waits to be reconciled.
    pub hold: Option<Duration>,
}

/// The sinks and apps that were made so far, by what they were made from.
#[derive(Default)]
pub(super) struct Wardrobe {
    sinks: BTreeMap<InstanceId, (Timestamp, Arc<Sink>)>,
    apps: BTreeMap<AppName, Brought>,
}

/// An app that an instance brings.
struct Brought {
    /// Whether Intuit took its keys, and when they were said.
    rank: (bool, Timestamp),
    by: InstanceId,
    app: App,
}

impl Wardrobe {
    /// What follows from these instances. What is unchanged stays the very same, so that its lane
    /// and its connections go on.
    pub(super) fn dress(
        &mut self,
        platform: &Platform,
        book: &Book,
        policy: FailurePolicy,
    ) -> Published {
        let mut published = Published::default();
        let mut sinks = BTreeMap::new();
        let mut apps = BTreeMap::new();
        for entry in book.iter() {
            let Some(terms) = &entry.terms else { continue };
            self.app(platform, entry, terms, &mut apps);
            if entry.instance.disabled_at.is_some() {
                continue;
            }
            polls(&entry.instance, terms, &mut published.polls);
            if let Some(sink) = self.sink(platform, entry, terms) {
                published.outfits.push(Outfit {
                    sink: Arc::clone(&sink),
                    schedule: Schedule::pausing(match policy {
                        FailurePolicy::Retry => platform.settings.retry_delays.clone(),
                        FailurePolicy::Queue => Vec::new(),
                    }),
                    hold: (shape(&entry.instance) == Shape::Polled).then_some(HOLD),
                });
                sinks.insert(entry.id(), (entry.instance.updated_at, sink));
            }
        }
        self.sinks = sinks;
        self.apps = apps;
        let made = self.apps.iter();
        published.apps = made
            .map(|(name, brought)| (name.clone(), brought.app.clone()))
            .collect();
        published
    }

    fn sink(&self, platform: &Platform, entry: &Entry, terms: &Terms) -> Option<Arc<Sink>> {
        let id = entry.id();
        let events = entry.instance.draft.events.as_ref();
        if !events.is_some_and(|events| events.calls_back) {
            return None;
        }
        let known = self.sinks.get(&id);
        if let Some((_, sink)) = known.filter(|(at, _)| *at == entry.instance.updated_at) {
            return Some(Arc::clone(sink));
        }
        let made = HttpSink::new(settings(platform, &entry.instance, terms)?);
        let made = made.inspect_err(|error| {
            tracing::error!(instance = %id, "instance {id} cannot call back: {error}");
        });
        Some(Arc::new(Sink::Http(Box::new(made.ok()?))))
    }

    /// The app that an instance brings. Of several with one client id, the newest whose keys Intuit
    /// took, so that nobody takes a company from others by wrong keys.
    fn app(
        &self,
        platform: &Platform,
        entry: &Entry,
        terms: &Terms,
        apps: &mut BTreeMap<AppName, Brought>,
    ) {
        let Some(name) = platform.apps.name(&terms.oauth) else {
            return;
        };
        let (by, at) = (entry.id(), entry.instance.updated_at);
        let tried = entry.kept.as_ref().is_some_and(|kept| kept.keys_tried);
        let rank = (tried, at);
        if apps.get(&name).is_some_and(|better| better.rank > rank) {
            return;
        }
        let known = self.apps.get(&name);
        let known = known.filter(|known| (known.by, known.rank) == (by, rank));
        let app = match known {
            Some(known) => Some(known.app.clone()),
            None => platform.apps.other(&terms.oauth),
        };
        if let Some(app) = app {
            apps.insert(name, Brought { rank, by, app });
        }
    }
}

/// Whether everything that a callback needs can be used.
///
/// # Errors
/// 400 that names the key.
pub(super) fn check(platform: &Platform, terms: &Terms) -> Result<(), Wrong> {
    let Some(url) = terms.callback.clone() else {
        return Ok(());
    };
    // What it is called and whose it is makes no difference to whether it can be made.
    let name = SinkName::new(INSTANCE_SINK).expect("letters and a hyphen");
    let format = Format::OpenConnectors(platform.settings.account.clone());
    let settings = http::Settings::new(name, url, format, credentials(platform, terms));
    let key = |error: &http::SettingsError| match error {
        http::SettingsError::Url(_) => callback::KEY,
        http::SettingsError::Header(_) => "event.notification.callback.headers",
        http::SettingsError::Signing => "event.notification.signature.key",
    };
    let made = HttpSink::new(settings);
    made.map(drop)
        .map_err(|error| Wrong::at(key(&error), &error))
}

/// What the sink of an instance is made from; `None` without a callback.
fn settings(platform: &Platform, instance: &Instance, terms: &Terms) -> Option<http::Settings> {
    let draft = &instance.draft;
    let own = open_connectors::Instance {
        id: instance.id.as_u32(),
        name: draft.name.clone(),
        tags: draft.tags.clone(),
    };
    let account = OpenConnectors {
        instances: BTreeMap::from([(draft.realm.clone(), own)]),
        shape: shape(instance),
        ..platform.settings.account.clone()
    };
    let url = terms.callback.clone()?;
    let format = Format::OpenConnectors(account);
    let credentials = credentials(platform, terms);
    Some(http::Settings {
        total: platform.settings.timeout,
        private_addresses: platform.settings.private_callbacks,
        plain: platform.settings.plain_callbacks,
        own_addresses: platform.own.addresses.clone(),
        concurrency: 1,
        ..http::Settings::new(instance.id.sink(), url, format, credentials)
    })
}

fn credentials(platform: &Platform, terms: &Terms) -> http::Credentials {
    let basic = terms.basic.clone();
    http::Credentials {
        signing: terms
            .signature_key
            .clone()
            .map_or(Signing::Unsigned, Signing::Elements),
        authorization: basic.map(|(user, password)| Authorization::Basic { user, password }),
        headers: terms.headers.clone(),
        tls: Arc::clone(&platform.settings.tls),
    }
}

fn shape(instance: &Instance) -> Shape {
    match &instance.draft.events {
        Some(events) if !events.webhook => Shape::Polled,
        _ => Shape::ByOrigin,
    }
}

fn polls(instance: &Instance, terms: &Terms, all: &mut BTreeMap<RealmId, InstancePolls>) {
    let events = instance.draft.events.as_ref();
    let Some(polling) = events.and_then(|events| events.polling.as_ref()) else {
        return;
    };
    let polls = all.entry(instance.draft.realm.clone()).or_default();
    if instance.polling_stopped.is_some() {
        polls.stopped.clone_from(&instance.polling_stopped);
        return;
    }
    for kind in &polling.kinds {
        let often = polls.polls.entry(kind.clone()).or_insert(polling.interval);
        *often = (*often).min(polling.interval);
    }
    for (kind, zone) in &terms.zones {
        let one = polls.zones.entry(kind.clone());
        let one = one.or_insert_with(|| Some(zone.clone()));
        if one.as_ref() != Some(zone) {
            *one = None;
        }
    }
}
