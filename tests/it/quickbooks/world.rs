//! Two companies at the simulated Intuit and a relay that reads them, all by one clock that the test
//! moves.

use super::house::{House, Place, SINKS, plan};
use crate::support::relay::read_json_lines;
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::journal::{Ask, Journal};
use qbo_relay::model::{
    AppName, Authenticity, Company, Encoding, Environment, Lane, Origin, RealmId, Receipt, Secret,
    SinkName, Standing, Timestamp, TokenSet,
};
use qbo_relay::rules::budget::Spent;
use qbo_relay::rules::company::{Course, Step, step};
use qbo_relay::simulate::books::Happening;
use qbo_relay::simulate::company::{Chance, PayloadForm};
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule, Shape};
use qbo_relay::simulate::intuit_company::notices::payload;
use qbo_relay::simulate::intuit_company::{Call, CompanyFacts, FakeIntuit, Options, Rotation};
use qbo_relay::vault::Vault;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::sleep;

/// 2026-11-21T12:00:00Z: when the companies are connected.
const NOON: Timestamp = Timestamp::from_ms(1_795_262_400_000);
const REALMS: [&str; 2] = ["9341455841580195", "4620816365000001"];
/// A look at whatever a lane has to do.
const ALL: Ask = Ask {
    max: 1,
    one_receipt: false,
    body: false,
    record: false,
    reconciled_only: None,
};
/// How long everything may take to come to rest, by a real clock.
const PATIENCE: Duration = Duration::from_secs(180);

/// Quiet after which those who still have something to do are taken to wait for a later hour.
const QUIET: Duration = Duration::from_millis(250);

/// The test's world.
pub(super) struct World {
    folder: TempDir,
    clock: Arc<Manual>,
    pub(super) intuit: FakeIntuit,
    vault: Arc<Vault>,
    house: Option<House>,
    /// On the way, or refused by a relay that was off: comes later.
    delayed: Vec<Happening>,
    /// Came to the relay.
    pub(super) delivered: Vec<Happening>,
}

impl World {
    /// Companies with a few old records, connected at noon.
    pub(super) async fn begin(seed: u64) -> Self {
        // What Intuit makes at its own start is older than the connection.
        let clock = Arc::new(Manual::new(NOON.minus(Duration::from_secs(600))));
        let company = |realm: &str| CompanyFacts {
            realm: realm.to_owned(),
            environment: Environment::Production,
        };
        let options = Options {
            clock: clock.clone(),
            seed,
            companies: REALMS.map(company).to_vec(),
            rotation: Rotation::EachTime,
            pace: None,
            ..Options::default()
        };
        let intuit = FakeIntuit::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::open_or_make(&folder.path().join("key")).unwrap());
        let mut world = Self {
            folder,
            clock,
            intuit,
            vault,
            house: None,
            delayed: Vec::new(),
            delivered: Vec::new(),
        };
        world.set(NOON);
        world.start();
        world.intuit.faults().set_lag(Duration::from_secs(seed % 4));
        for realm in REALMS {
            let books = world.intuit.books(realm).unwrap();
            for kind in ["Customer", "Vendor", "Invoice", "TimeActivity", "TaxRate"] {
                books.fill(kind, 4, NOON.minus(Duration::from_secs(40 * 86_400)));
            }
            world.connect(realm).await;
        }
        world
    }

    async fn connect(&self, realm: &str) {
        let granted = self.intuit.authorize("client", realm).unwrap();
        let now = self.clock.now();
        let tokens = TokenSet {
            access: Secret::new(granted.access),
            access_expires_at: now.plus(granted.access_for),
            refresh: Secret::new(granted.refresh),
            refresh_expires_at: now.plus(granted.refresh_for),
            hard_expires_at: None,
        };
        let company = Company {
            realm: RealmId::new(realm).unwrap(),
            app: AppName::new("books").unwrap(),
            environment: Environment::Production,
            connected_at: now,
            standing: Standing::Connected,
            standing_since: now,
            access_expires_at: Some(tokens.access_expires_at),
            refresh_expires_at: Some(tokens.refresh_expires_at),
            hard_expires_at: None,
        };
        let sealed = self.vault.seal(realm, &tokens).unwrap();
        let journal = self.journal();
        journal.connect_company(company, sealed, now).await.unwrap();
    }

    /// A person connects what has to be connected again.
    pub(super) async fn reconnect(&self) {
        for company in self.journal().companies().await.unwrap() {
            if company.standing != Standing::Connected {
                self.connect(company.realm.as_str()).await;
            }
        }
    }

    /// Something happens in a company; its notification comes, comes later, or never.
    pub(super) async fn happen(&mut self, chance: &mut Chance) {
        self.set(
            self.clock
                .now()
                .plus(Duration::from_millis(chance.below(2500))),
        );
        let realm = REALMS[usize::try_from(chance.below(2)).unwrap()];
        let books = self.intuit.books(realm).unwrap();
        let happening = books.random(chance).unwrap();
        match chance.below(100) {
            0..50 => self.deliver(&happening).await,
            50..75 => self.delayed.push(happening),
            // Lost.
            _ => {}
        }
    }

    /// One of those that are late comes, by chance and so in disorder.
    pub(super) async fn deliver_delayed(&mut self, chance: &mut Chance) {
        if !self.delayed.is_empty() {
            let at = chance.below(u64::try_from(self.delayed.len()).unwrap());
            let happening = self.delayed.remove(usize::try_from(at).unwrap());
            self.deliver(&happening).await;
        }
    }

    /// One that came before comes again.
    pub(super) async fn repeat(&mut self, chance: &mut Chance) {
        if !self.delivered.is_empty() {
            let at = chance.below(u64::try_from(self.delivered.len()).unwrap());
            let happening = self.delivered[usize::try_from(at).unwrap()].clone();
            self.deliver(&happening).await;
        }
    }

    async fn deliver(&mut self, happening: &Happening) {
        let body = payload(PayloadForm::Cloudevents, std::slice::from_ref(happening));
        let decoded = qbo_relay::wire::decode(&body, 100);
        let receipt = Receipt {
            received_at: self.clock.now(),
            source: "test".into(),
            authenticity: Authenticity::Signed,
            origin: Origin::Webhook,
            encoding: Encoding::Json,
            form: decoded.form,
            headers: Vec::new(),
            body: body.into(),
            items: decoded.items,
        };
        self.journal().append(receipt).await.unwrap();
        self.delivered.push(happening.clone());
    }

    /// Time goes by, and everybody gets to work until nothing is due, or until nobody calls Intuit for
    /// a while: a clock that runs ahead of the calls would let their tokens end under way.
    pub(super) async fn pass(&self, span: Duration) {
        self.set(self.clock.now().plus(span));
        let calls = || {
            let calls = self.intuit.calls();
            [Call::Capture, Call::Query, Call::Refresh].map(|call| calls.all(call))
        };
        let began = Instant::now();
        let (mut before, mut quiet_since) = (calls(), began);
        while !self.is_at_rest().await && quiet_since.elapsed() < QUIET {
            assert!(
                began.elapsed() < PATIENCE,
                "calls without end: {}",
                self.last_calls()
            );
            sleep(Duration::from_millis(10)).await;
            if calls() != before {
                (before, quiet_since) = (calls(), Instant::now());
            }
        }
    }

    fn last_calls(&self) -> String {
        let calls = self.intuit.calls();
        let last = calls.log.iter().rev().take(20);
        let last: Vec<String> = last.map(|asked| format!("{asked:?}")).collect();
        last.join("\n")
    }

    fn set(&self, at: Timestamp) {
        self.clock.set(at);
    }

    /// Something of QuickBooks's goes wrong a few times.
    pub(super) fn fault(&self, chance: &mut Chance) {
        let times = u32::try_from(1 + chance.below(3)).unwrap();
        if chance.below(4) == 0 {
            // A renewal fails, or is done and nobody hears of it.
            let fault = match chance.below(3) {
                0 => Fault::AnswerLost,
                1 => Fault::Cut,
                _ => Fault::Status { status: 503 },
            };
            let rule = Rule::new(fault).on(Call::Refresh).times(times);
            self.intuit.faults().add(rule);
            return;
        }
        let fault = match chance.below(9) {
            0 => Fault::Throttled {
                shape: Shape::Xml429,
            },
            1 => Fault::Throttled {
                shape: Shape::Json429,
            },
            2 => Fault::Status { status: 503 },
            3 => Fault::Cut,
            4 => Fault::Unauthorized,
            5 => Fault::FaultInside {
                kind: Some("Invoice".into()),
            },
            6 => Fault::TooOld,
            _ => Fault::Status { status: 500 },
        };
        let call = if chance.below(2) == 0 {
            Call::Capture
        } else {
            Call::Query
        };
        self.intuit
            .faults()
            .add(Rule::new(fault).on(call).times(times));
    }

    /// The access token of a company is dead all at once.
    pub(super) fn expire_access(&self, chance: &mut Chance) {
        let realm = REALMS[usize::try_from(chance.below(2)).unwrap()];
        self.intuit.expire_access(realm);
    }

    /// The relay ends in order or at once, is away for so long, and starts again.
    pub(super) async fn restart(&mut self, away: Duration, chance: &mut Chance) {
        let house = self.house.take().unwrap();
        house.end(chance.below(2) == 0).await;
        let until = self.clock.now().plus(away);
        while self.clock.now() < until {
            let step = Duration::from_secs(1 + chance.below(600));
            self.set(until.min(self.clock.now().plus(step)));
            let realm = REALMS[usize::try_from(chance.below(2)).unwrap()];
            let happening = self.intuit.books(realm).unwrap().random(chance).unwrap();
            // Refused, and so it comes again, or not.
            if chance.below(2) == 0 {
                self.delayed.push(happening);
            }
        }
        self.start();
    }

    /// What is late comes, nothing goes wrong any more, and time goes by until a whole day has
    /// brought nothing new.
    pub(super) async fn settle(&mut self) {
        self.intuit.faults().clear();
        for happening in std::mem::take(&mut self.delayed) {
            self.deliver(&happening).await;
        }
        let (began, settled_at) = (Instant::now(), self.clock.now());
        let (mut told, mut quiet_since) = (0, settled_at);
        let day = Duration::from_secs(26 * 3_600);
        while self.clock.now().since(quiet_since) < day
            || !self.is_swept(settled_at).await
            || !self.is_at_rest().await
        {
            assert!(began.elapsed() < PATIENCE, "no rest: {}", self.last_calls());
            self.reconnect().await;
            self.pass(Duration::from_secs(1800)).await;
            let lines = self.events("at-once").len() + self.events("reconciled").len();
            if lines != told {
                (told, quiet_since) = (lines, self.clock.now());
            }
        }
    }

    /// Whether everything of every company was read since then.
    async fn is_swept(&self, since: Timestamp) -> bool {
        for realm in REALMS {
            let realm = RealmId::new(realm).unwrap();
            let view = self.journal().company_view(&realm).await.unwrap().unwrap();
            if view.swept_at.is_none_or(|at| at < since) {
                return false;
            }
        }
        true
    }

    /// Whether nothing is due any more, and everything that was told has arrived: on a busy machine the
    /// tasks may be far behind the clock.
    async fn is_at_rest(&self) -> bool {
        let journal = self.journal();
        for realm in REALMS.map(|realm| RealmId::new(realm).unwrap()) {
            let view = journal.company_view(&realm).await.unwrap().unwrap();
            let (now, mut course) = (self.clock.now(), Course::default());
            let next = step(now, &view, &plan(), Spent::default(), &mut course);
            if view.company.standing != Standing::Connected || !matches!(next, Step::Rest { .. }) {
                return false;
            }
            for sink in SINKS.map(|name| SinkName::new(name).unwrap()) {
                let realm = realm.clone();
                let lane = journal.lane_view(&Lane { sink, realm }, ALL).await;
                if !lane.unwrap().head.is_empty() {
                    return false;
                }
            }
        }
        true
    }

    /// What a sink has got so far.
    pub(super) fn events(&self, sink: &str) -> Vec<Value> {
        read_json_lines(&self.folder.path().join(format!("{sink}.jsonl")))
    }

    pub(super) fn realms(&self) -> [&'static str; 2] {
        REALMS
    }

    pub(super) fn began_at(&self) -> Timestamp {
        NOON
    }

    pub(super) async fn end(mut self) {
        self.house.take().unwrap().end(true).await;
        self.intuit.shutdown().await;
    }

    fn journal(&self) -> &Journal {
        &self.house.as_ref().unwrap().journal
    }

    fn start(&mut self) {
        let place = Place {
            folder: self.folder.path(),
            clock: &self.clock,
            vault: &self.vault,
            intuit: &self.intuit,
        };
        self.house = Some(House::open(&place));
    }
}
