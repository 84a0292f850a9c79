//! Companies that are read: a journal, their tasks, and a simulated Intuit, all by one clock that a
//! test puts forward.

use super::sinks::no_trust;
use bytes::Bytes;
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::journal::{Ask, Inspection, Journal};
use qbo_relay::model::{
    AppName, Authenticity, Change, Company, CompanyHealth, CompanyView, Device, Encoding,
    Environment, Hindrance, Lane, Limits, Origin, RealmId, Receipt, Record, Secret, SinkName,
    Standing, Tally, Timestamp, TokenSet,
};
use qbo_relay::qbo::{
    App, Captured, Endpoints, Failure, Granted, Page, Question, Settings, Since, Skipped,
};
use qbo_relay::rules::company::{InstancePolls, Plan};
use qbo_relay::simulate::books::{Books, Happening};
use qbo_relay::simulate::company::PayloadForm;
use qbo_relay::simulate::intuit_company::notices::payload;
use qbo_relay::simulate::intuit_company::{Call, FakeIntuit, Options};
use qbo_relay::vault::Vault;
use qbo_relay::wire;
use qbo_relay::worker::company::{Access, Companies, Ended, QuickBooks, Roster};
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// When the tests begin: 2026-11-21T05:04:35Z, after the hour of every sweep but the latest.
pub(crate) const START: Timestamp = Timestamp::from_ms(1_795_237_475_000);

const PATIENCE: Duration = Duration::from_secs(60);

/// Something that goes wrong between the relay and Intuit, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trick {
    /// The relay never sees the answer to a renewal that was made.
    HangAfterRefresh,
    /// A capture of this company is never answered.
    HangOnCapture(String),
    /// A capture of this company is answered that the month's calls are used up.
    UseUpMonth(String),
    /// A capture of this company makes the task panic.
    PanicOnCapture(String),
    /// A query for this kind fails as a server does, as long as it is set.
    BreakQuery(&'static str),
    /// So does a capture of it, alone or with others.
    BreakCapture(&'static str),
    /// A record of this id cannot be read, as long as it is set.
    Spoil(String),
}

/// Intuit's client, with tricks.
#[derive(Clone)]
pub(crate) struct Tricky {
    app: App,
    tricks: Arc<Mutex<Vec<Trick>>>,
}

impl Tricky {
    fn plays(&self, is_meant: impl Fn(&Trick) -> bool) -> bool {
        let mut tricks = self.tricks.lock().unwrap();
        let found = tricks.iter().position(is_meant);
        found.map(|at| tricks.remove(at)).is_some()
    }
}

impl QuickBooks for Tricky {
    async fn refresh(&self, refresh: &Secret) -> Result<Granted, Failure> {
        let granted = self.app.refresh(refresh).await;
        if self.plays(|trick| *trick == Trick::HangAfterRefresh) {
            pending::<()>().await;
        }
        granted
    }

    async fn capture(
        &self,
        realm: &RealmId,
        access: &Secret,
        kinds: &[&str],
        since: Since,
    ) -> Result<Captured, Failure> {
        let is = |name: &String| name == realm.as_str();
        if self.plays(|trick| matches!(trick, Trick::HangOnCapture(name) if is(name))) {
            pending::<()>().await;
        }
        if self.plays(|trick| matches!(trick, Trick::UseUpMonth(name) if is(name))) {
            return Err(Failure::CapReached);
        }
        let panics = self.plays(|trick| matches!(trick, Trick::PanicOnCapture(name) if is(name)));
        assert!(!panics, "a trick");
        let tricks = self.tricks.lock().unwrap().clone();
        let breaks =
            |trick: &Trick| matches!(trick, Trick::BreakCapture(kind) if kinds.contains(kind));
        if tricks.iter().any(breaks) {
            return Err(Failure::Unavailable {
                why: "status 500: System Failure".into(),
            });
        }
        let mut captured = self.app.capture(realm, access, kinds, since).await?;
        let is_spoilt = |record: &Record| tricks.contains(&Trick::Spoil(record.entity.id.clone()));
        for record in captured.records.extract_if(.., |record| is_spoilt(record)) {
            captured.skipped.push(Skipped {
                kind: record.entity.kind,
                id: Some(record.entity.id),
                updated: Some(record.updated.text),
                why: "number out of range".into(),
            });
        }
        Ok(captured)
    }

    async fn query(
        &self,
        realm: &RealmId,
        access: &Secret,
        question: &Question,
    ) -> Result<Page, Failure> {
        let breaks =
            |trick: &Trick| matches!(trick, Trick::BreakQuery(kind) if *kind == question.kind);
        if self.tricks.lock().unwrap().iter().any(breaks) {
            return Err(Failure::Unavailable {
                why: "status 500".into(),
            });
        }
        self.app.query(realm, access, question).await
    }
}

type Running = (watch::Sender<bool>, JoinHandle<Result<(), Ended>>);

/// The whole of it.
pub(crate) struct Firm {
    folder: TempDir,
    pub(crate) clock: Arc<Manual>,
    theirs: Arc<Manual>,
    pub(crate) intuit: FakeIntuit,
    pub(crate) journal: Journal,
    pub(crate) roster: Roster,
    pub(crate) plan: Plan,
    pub(crate) calls_max: Option<u64>,
    pub(crate) device: watch::Sender<Device>,
    pub(crate) tricks: Arc<Mutex<Vec<Trick>>>,
    /// The apps at Intuit, which a test may take away and give back.
    pub(crate) apps: watch::Sender<BTreeMap<AppName, Access<Tricky>>>,
    /// What is polled for instances.
    pub(crate) polls: watch::Sender<BTreeMap<RealmId, InstancePolls>>,
    bell: watch::Sender<u64>,
    running: Option<Running>,
}

/// The company of the default options.
pub(crate) const REALM: &str = "9341455841580195";

/// A plan that reads what was notified and nothing else.
pub(crate) fn quiet() -> Plan {
    Plan {
        sweep_at: None,
        ..Plan::default()
    }
}

/// A plan that polls these kinds every quarter of an hour.
pub(crate) fn polling(kinds: &[&str]) -> Plan {
    let every = Duration::from_secs(900);
    Plan {
        polls: kinds
            .iter()
            .map(|kind| ((*kind).to_owned(), every))
            .collect(),
        ..quiet()
    }
}

impl Firm {
    pub(crate) async fn new(plan: Plan) -> Self {
        Self::with(plan, Options::default()).await
    }

    pub(crate) async fn with(plan: Plan, options: Options) -> Self {
        let [clock, theirs] = [(); 2].map(|()| Arc::new(Manual::new(START)));
        let options = Options {
            clock: Arc::clone(&theirs) as Arc<dyn Clock>,
            ..options
        };
        let folder = tempfile::tempdir().unwrap();
        let firm = Self {
            intuit: FakeIntuit::start(options).await.unwrap(),
            journal: open(&folder, START),
            folder,
            clock,
            theirs,
            roster: Roster::default(),
            plan,
            calls_max: None,
            device: watch::Sender::default(),
            tricks: Arc::default(),
            apps: watch::Sender::default(),
            polls: watch::Sender::default(),
            bell: watch::Sender::new(0),
            running: None,
        };
        // The company is older than its connection.
        firm.forward(Duration::from_secs(60));
        firm
    }

    /// A firm whose one company is connected and read.
    pub(crate) async fn running(plan: Plan) -> Self {
        let mut firm = Self::new(plan).await;
        firm.connect(REALM).await;
        firm.start();
        firm
    }

    pub(crate) fn vault(&self) -> Vault {
        Vault::open_or_make(&self.folder.path().join("vault.key")).unwrap()
    }

    pub(crate) async fn connect(&self, realm_name: &str) {
        let now = self.clock.now();
        let granted = self.intuit.authorize("client", realm_name).unwrap();
        let tokens = TokenSet {
            access: Secret::new(granted.access),
            access_expires_at: now.plus(granted.access_for),
            refresh: Secret::new(granted.refresh),
            refresh_expires_at: now.plus(granted.refresh_for),
            hard_expires_at: None,
        };
        let company = Company {
            realm: realm(realm_name),
            app: AppName::new("books").unwrap(),
            environment: Environment::Production,
            connected_at: now,
            standing: Standing::Connected,
            standing_since: now,
            access_expires_at: Some(tokens.access_expires_at),
            refresh_expires_at: Some(tokens.refresh_expires_at),
            hard_expires_at: None,
        };
        let sealed = self.vault().seal(realm_name, &tokens).unwrap();
        self.journal
            .connect_company(company, sealed, now)
            .await
            .unwrap();
        self.ring();
    }

    /// The app that companies are connected to, with this secret.
    pub(crate) fn app(&self, client_secret: &str) -> BTreeMap<AppName, Access<Tricky>> {
        let name = AppName::new("books").unwrap();
        let settings = Settings {
            endpoints: Endpoints {
                token: self.intuit.token_url(),
                revoke: self.intuit.revoke_url(),
                api_production: self.intuit.base_url().to_owned(),
                ..Endpoints::default()
            },
            timeout: Duration::from_secs(5),
            ..Settings::new(
                name.clone(),
                Environment::Production,
                "client",
                Secret::new(client_secret),
                "https://relay.example/oauth/callback",
                no_trust(),
            )
        };
        let tricky = Tricky {
            app: App::new(settings).unwrap(),
            tricks: Arc::clone(&self.tricks),
        };
        let access = Access {
            quickbooks: tricky,
            calls_max: self.calls_max,
        };
        [(name, access)].into()
    }

    /// Starts the companies' tasks.
    pub(crate) fn start(&mut self) {
        self.apps.send_replace(self.app("secret"));
        let mut companies = Companies::new(
            self.journal.clone(),
            Arc::new(self.vault()),
            BTreeMap::new(),
            self.plan.clone(),
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::new(Tally::default()),
        );
        companies.apps = self.apps.subscribe();
        companies.polls = self.polls.subscribe();
        companies.tick = Duration::from_millis(20);
        companies.jitter = || 0.0;
        companies.device = self.device.subscribe();
        companies.roster = self.roster.clone();
        companies.bell = self.bell.clone();
        let stop = watch::Sender::new(false);
        let task = tokio::spawn(companies.run(stop.subscribe()));
        self.running = Some((stop, task));
    }

    /// Stops the tasks as a shutdown does.
    pub(crate) async fn stop(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.send_replace(true);
        tokio::time::timeout(PATIENCE, task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// Breaks the tasks off, and opens the journal anew.
    pub(crate) async fn crash(&mut self) {
        let (_stop, task) = self.running.take().unwrap();
        task.abort();
        let _ = task.await;
        self.journal.clone().close().await.unwrap();
        self.journal = open(&self.folder, self.clock.now());
    }

    pub(crate) fn ring(&self) {
        self.bell.send_modify(|rung| *rung += 1);
    }

    /// Puts the clock forward, of the relay and of QuickBooks.
    pub(crate) fn forward(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
        self.theirs.set(self.theirs.now().plus(span));
        self.ring();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the journal tells of, the latest first.
    pub(crate) fn events(&self) -> Vec<String> {
        let path = self.folder.path().join("state").join("journal.db");
        let events = Inspection::open(&path).unwrap().events(20).unwrap();
        events.into_iter().map(|event| event.text).collect()
    }

    pub(crate) fn books(&self, realm_name: &str) -> Books {
        self.intuit.books(realm_name).unwrap()
    }

    /// The relay gets a notification of these, as Intuit writes it.
    pub(crate) async fn notify(&self, happenings: &[Happening]) {
        let body = payload(PayloadForm::Cloudevents, happenings);
        let decoded = wire::decode(&body, Limits::default().items_max);
        let receipt = Receipt {
            received_at: self.clock.now(),
            source: "production".into(),
            authenticity: Authenticity::Signed,
            origin: Origin::Webhook,
            encoding: Encoding::Json,
            form: decoded.form,
            headers: Vec::new(),
            body: Bytes::from(body),
            items: decoded.items,
        };
        self.journal.append(receipt).await.unwrap();
    }

    /// What is told of a company, in order.
    pub(crate) async fn told(&self, realm_name: &str) -> Vec<Change> {
        let lane = Lane {
            sink: SinkName::new("erp").unwrap(),
            realm: realm(realm_name),
        };
        let ask = Ask {
            max: 10_000,
            one_receipt: false,
            body: false,
            record: true,
            reconciled_only: None,
        };
        self.journal.lane_view(&lane, ask).await.unwrap().head
    }

    /// What is told, in short: `Invoice/1 Update webhook +`, with a plus where a record rides along.
    pub(crate) async fn outline(&self, realm_name: &str) -> Vec<String> {
        let told = self.told(realm_name).await;
        told.iter().map(outline).collect()
    }

    pub(crate) async fn view(&self, realm_name: &str) -> CompanyView {
        let view = self.journal.company_view(&realm(realm_name)).await;
        view.unwrap().unwrap()
    }

    pub(crate) fn health(&self, realm_name: &str) -> Option<CompanyHealth> {
        let all = self.roster.snapshot();
        all.into_iter().find(|one| one.realm.as_str() == realm_name)
    }

    pub(crate) fn hindrance(&self, realm_name: &str) -> Option<Hindrance> {
        self.health(realm_name)?.hindrance
    }

    pub(crate) fn calls(&self, realm_name: &str, call: Call) -> u64 {
        self.intuit.calls().of(realm_name, call)
    }

    /// Waits until something is so.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, is_so: impl Fn() -> F) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so().await {
            assert!(
                Instant::now() < deadline,
                "{what}: not within {PATIENCE:?}; {:#?}; {:#?}",
                self.roster.snapshot(),
                self.intuit.calls().log
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so much is told of a company.
    pub(crate) async fn until_told(&self, realm_name: &str, count: usize) -> Vec<String> {
        self.until(&format!("{count} changes are told"), || async {
            self.told(realm_name).await.len() >= count
        })
        .await;
        self.outline(realm_name).await
    }

    /// Waits until everything that was notified is reconciled.
    pub(crate) async fn until_reconciled(&self, realm_name: &str) {
        self.until("all is reconciled", || async {
            self.view(realm_name).await.notified.is_empty()
        })
        .await;
    }

    /// Waits until a company waits for so long from now on.
    pub(crate) async fn until_waiting(&self, realm_name: &str, span: Duration) {
        let then = Some(self.clock.now().plus(span));
        self.until("it waits", || async {
            self.hindrance(realm_name)
                .and_then(|hindrance| hindrance.until)
                == then
        })
        .await;
    }

    /// Waits until nothing keeps a company from being read.
    pub(crate) async fn until_well(&self, realm_name: &str) {
        self.until("it is well", || async {
            self.hindrance(realm_name).is_none()
        })
        .await;
    }

    /// Waits for so many looks of the tasks, so that what does not happen can be seen.
    pub(crate) async fn a_while(&self) {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

pub(crate) fn outline(change: &Change) -> String {
    let notification = &change.notification;
    let record = if change.record.is_some() { " +" } else { "" };
    format!(
        "{} {} {}{record}",
        notification.entity,
        notification.operation.as_str(),
        change.origin.as_str()
    )
}

pub(crate) fn realm(name: &str) -> RealmId {
    RealmId::new(name).unwrap()
}

fn open(folder: &TempDir, now: Timestamp) -> Journal {
    let settings = qbo_relay::journal::Settings {
        path: folder.path().join("state").join("journal.db"),
        bytes_max: 256 << 20,
        keep: Duration::from_secs(30 * 86_400),
        sinks: vec![SinkName::new("erp").unwrap()],
        instances: true,
        keep_records: true,
        limits: Limits::default(),
    };
    Journal::open(settings, now).unwrap()
}
