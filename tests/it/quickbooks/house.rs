//! The relay of the model test: journal, lanes to two files, the companies' tasks, the watch for gaps.

use crate::support::relay::eventually;
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::journal::{Journal, Settings};
use qbo_relay::model::{AppName, Environment, Limits, Secret, SinkName, Tally};
use qbo_relay::qbo::{self, App, Endpoints};
use qbo_relay::rules::company::Plan;
use qbo_relay::rules::retry::Schedule;
use qbo_relay::simulate::intuit_company::FakeIntuit;
use qbo_relay::sink::{FileSink, Format, Sink, file};
use qbo_relay::vault::Vault;
use qbo_relay::wire::quickbooks::{Means, kinds};
use qbo_relay::worker::company::{Access, Companies};
use qbo_relay::worker::{Endpoint, Worker, gaps};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(super) const SINKS: [&str; 2] = ["at-once", "reconciled"];

/// How long a change is held back for its record.
const HOLD: Duration = Duration::from_secs(30);

/// A relay that runs.
pub(super) struct House {
    pub(super) journal: Journal,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What outlives it.
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    pub(super) clock: &'a Arc<Manual>,
    pub(super) vault: &'a Arc<Vault>,
    pub(super) intuit: &'a FakeIntuit,
}

impl House {
    pub(super) fn open(place: &Place<'_>) -> Self {
        let settings = Settings {
            path: place.folder.join("journal.db"),
            bytes_max: 64 << 20,
            keep: Duration::from_secs(30 * 86_400),
            sinks: SINKS.map(|name| SinkName::new(name).unwrap()).to_vec(),
            instances: true,
            keep_records: true,
            limits: Limits::default(),
        };
        // The one before may take a moment to let go of its files.
        let journal = eventually("the journal opens", || {
            Journal::open(settings.clone(), place.clock.now()).ok()
        });
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let clock: Arc<dyn Clock> = place.clock.clone();
        let tally = Arc::new(Tally::default());

        let endpoints = vec![
            place.sink("at-once", None),
            place.sink("reconciled", Some(HOLD)),
        ];
        let mut worker = Worker::new(
            journal.clone(),
            endpoints,
            Arc::clone(&clock),
            Arc::clone(&tally),
        );
        worker.tick = Duration::from_millis(10);
        let stopped = stop.subscribe();
        tasks.spawn(async move { worker.run(stopped).await.unwrap() });

        let mut companies = Companies::new(
            journal.clone(),
            Arc::clone(place.vault),
            place.apps(),
            plan(),
            Arc::clone(&clock),
            Arc::clone(&tally),
        );
        companies.tick = Duration::from_millis(10);
        companies.interval = Duration::from_micros(100);
        let stopped = stop.subscribe();
        tasks.spawn(async move { companies.run(stopped).await.unwrap() });

        let (device, gap_journal, stopped) = (
            watch::Sender::default().subscribe(),
            journal.clone(),
            stop.subscribe(),
        );
        tasks.spawn(async move {
            gaps::run(gap_journal, clock, tally, device, stopped)
                .await
                .unwrap();
        });
        Self {
            journal,
            stop,
            tasks,
        }
    }

    /// In order, or as a crash does: whatever is under way is dropped.
    pub(super) async fn end(mut self, in_order: bool) {
        if in_order {
            self.stop.send_replace(true);
            while self.tasks.join_next().await.is_some() {}
        } else {
            self.tasks.shutdown().await;
        }
        let _ = self.journal.close().await;
    }
}

impl Place<'_> {
    fn sink(&self, name: &str, hold: Option<Duration>) -> Endpoint {
        let sink = Sink::File(FileSink::new(file::Settings {
            name: SinkName::new(name).unwrap(),
            path: self.folder.join(format!("{name}.jsonl")),
            format: Format::CloudEvents,
            rotate_bytes: 1 << 30,
            keep: NonZeroU32::MIN,
            total: Duration::from_secs(20),
        }));
        Endpoint {
            record: hold.is_some(),
            hold,
            ..Endpoint::new(Arc::new(sink), Schedule::default())
        }
    }

    fn apps(&self) -> BTreeMap<AppName, Access<App>> {
        let name = AppName::new("books").unwrap();
        let trust = qbo_relay::tls::client::Trust::nobody();
        let tls = qbo_relay::tls::client::client_config(trust, None).unwrap();
        let mut settings = qbo::Settings::new(
            name.clone(),
            Environment::Production,
            "client",
            Secret::new("secret"),
            "https://gw.example/oauth/callback",
            tls,
        );
        settings.endpoints = Endpoints {
            token: self.intuit.token_url(),
            api_production: self.intuit.api_url(Environment::Production),
            ..Endpoints::default()
        };
        let access = Access {
            quickbooks: App::new(settings).unwrap(),
            calls_max: None,
        };
        [(name, access)].into()
    }
}

/// Everything that Capture lacks is polled.
pub(super) fn plan() -> Plan {
    let polled = kinds().iter().filter(|facts| facts.means != Means::Capture);
    Plan {
        polls: polled
            .map(|facts| (facts.kind.to_owned(), Duration::from_secs(900)))
            .collect(),
        ..Plan::default()
    }
}
