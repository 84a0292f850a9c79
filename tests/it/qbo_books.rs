//! The QuickBooks client against the simulated Intuit: a whole company's life.

use crate::support::plain_api::settings;
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::model::{Environment, RealmId, Record, RecordState, Secret, Timestamp};
use qbo_relay::qbo::{App, Endpoints, Failure, Question, Settings};
use qbo_relay::simulate::books::Books;
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule, Shape};
use qbo_relay::simulate::intuit_company::{FakeIntuit, Options};
use qbo_relay::wire::quickbooks::{Means, kinds};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const REALM: &str = "9341455841580195";

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_ms(1_767_225_600_000);

struct Stage {
    intuit: FakeIntuit,
    clock: Arc<Manual>,
    app: App,
    realm: RealmId,
    access: Secret,
}

impl Stage {
    async fn set() -> Self {
        let clock = Arc::new(Manual::new(START));
        let intuit = FakeIntuit::start(Options {
            clock: clock.clone(),
            pace: None,
            ..Options::default()
        })
        .await
        .unwrap();
        let world = Environment::Production;
        let app = App::new(Settings {
            environment: world,
            client_id: "client".into(),
            client_secret: Secret::new("secret"),
            endpoints: Endpoints {
                authorize: intuit.authorize_url(),
                token: intuit.token_url(),
                revoke: intuit.revoke_url(),
                api_production: intuit.api_url(world),
                discovery_production: intuit.discovery_url(world),
                ..Endpoints::default()
            },
            ..settings(intuit.base_url())
        })
        .unwrap();
        let granted = intuit.authorize("client", REALM).unwrap();
        Self {
            intuit,
            clock,
            app,
            realm: RealmId::new(REALM).unwrap(),
            access: Secret::new(granted.access),
        }
    }

    fn books(&self) -> Books {
        self.intuit.books(REALM).unwrap()
    }

    fn wait(&self, seconds: u64) {
        let later = self.clock.now().plus(Duration::from_secs(seconds));
        self.clock.set(later);
    }

    async fn all(&self, mut question: Question) -> Vec<Record> {
        let mut records = Vec::new();
        loop {
            let page = self.app.query(&self.realm, &self.access, &question).await;
            let page = page.unwrap();
            question = question.after(&page.records, page.count);
            records.extend(page.records);
            if !page.full {
                return records;
            }
        }
    }
}

fn question(kind: &str) -> Question {
    Question {
        kind: kind.into(),
        since: None,
        ids: Vec::new(),
        ids_only: false,
        start: 1,
        max: 1000,
        zone: None,
    }
}

#[tokio::test]
async fn every_kind_can_be_asked_for_in_the_way_that_it_is_said_to_be() {
    let stage = Stage::set().await;
    stage.wait(60);
    for facts in kinds() {
        if facts.means != Means::Singleton {
            stage.books().create(facts.kind).unwrap();
        }
    }
    stage.wait(60);
    let captured: Vec<&str> = kinds()
        .iter()
        .filter(|facts| facts.means == Means::Capture)
        .map(|facts| facts.kind)
        .collect();
    let (realm, access) = (&stage.realm, &stage.access);
    let read = stage
        .app
        .capture(realm, access, &captured, START)
        .await
        .unwrap();
    assert_eq!(read.failed_kinds, []);
    assert_eq!(read.records.len(), captured.len());
    for facts in kinds() {
        let all = stage.all(question(facts.kind)).await;
        assert!(!all.is_empty(), "{}", facts.kind);
        let ids = vec![all[0].entity.id.clone()];
        let one = Question {
            ids,
            ids_only: true,
            ..question(facts.kind)
        };
        assert_eq!(stage.all(one).await[0].entity, all[0].entity);
        if facts.means != Means::Singleton {
            let since = Some(START);
            let later = Question {
                since,
                ..question(facts.kind)
            };
            assert_eq!(stage.all(later).await.len(), 1, "{}", facts.kind);
        }
    }
}

#[tokio::test]
async fn what_happens_to_a_record_is_seen_for_what_it_is() {
    let stage = Stage::set().await;
    stage.wait(60);
    let books = stage.books();
    let [live, voided, deleted] = [(); 3].map(|()| books.create("Invoice").unwrap().id);
    let inactive = books.create("Customer").unwrap().id;
    stage.wait(5);
    books.void("Invoice", &voided).unwrap();
    books.delete("Invoice", &deleted).unwrap();
    books.deactivate("Customer", &inactive).unwrap();
    let (realm, access) = (&stage.realm, &stage.access);
    let kinds = ["Customer", "Invoice"];
    let read = stage
        .app
        .capture(realm, access, &kinds, START)
        .await
        .unwrap();
    for (id, state) in [
        (&live, RecordState::Live),
        (&voided, RecordState::Voided),
        (&deleted, RecordState::Deleted),
    ] {
        let invoice = read.records.iter().find(|record| record.entity.id == *id);
        let invoice = invoice.unwrap();
        assert_eq!(invoice.state, state, "{}", invoice.body);
        assert_eq!(Some(&invoice.body), books.record("Invoice", id).as_ref());
    }
    let shown = stage.all(question("Customer")).await;
    assert!(shown.iter().any(|record| record.entity.id == inactive));
    assert!(
        read.at
            .is_some_and(|at| at >= START.plus(Duration::from_secs(65)))
    );
}

#[tokio::test]
async fn pages_bring_every_record_though_some_change_in_between() {
    let stage = Stage::set().await;
    let books = stage.books();
    for _ in 0..12 {
        books.fill("TimeActivity", 20, stage.clock.now());
        stage.wait(1);
    }
    let mut question = Question {
        since: Some(START),
        max: 30,
        ..question("TimeActivity")
    };
    let mut seen = BTreeSet::new();
    for round in 0.. {
        let page = stage
            .app
            .query(&stage.realm, &stage.access, &question)
            .await;
        let page = page.unwrap();
        seen.extend(page.records.iter().map(|record| record.entity.id.clone()));
        if !page.full {
            break;
        }
        // The first record of the page leaves its place to the one behind it.
        if round < 5 {
            let first = &page.records[0].entity.id;
            books.update("TimeActivity", first).unwrap();
        }
        question = question.after(&page.records, page.count);
    }
    assert_eq!(seen.len(), 240);
}

#[tokio::test]
async fn tokens_rotate_die_and_are_revoked() {
    let stage = Stage::set().await;
    let code = stage
        .intuit
        .code("client", REALM, "https://relay.example/oauth/callback");
    let first = stage
        .app
        .exchange(&Secret::new(code.unwrap()))
        .await
        .unwrap();
    assert!(first.hard_for.is_some());
    stage.wait(25 * 3600);
    let second = stage.app.refresh(&first.refresh).await.unwrap();
    assert_ne!(second.refresh, first.refresh);
    let old = stage.app.refresh(&first.refresh).await.unwrap_err();
    assert!(matches!(old, Failure::InvalidGrant { .. }), "{old:?}");
    let since = START;
    let read = |access: Secret| {
        let stage = &stage;
        async move {
            stage
                .app
                .capture(&stage.realm, &access, &["Bill"], since)
                .await
        }
    };
    assert!(read(second.access.clone()).await.is_ok());
    assert_eq!(read(first.access).await, Err(Failure::Unauthorized));
    stage.app.revoke(&second.refresh).await.unwrap();
    assert_eq!(read(second.access).await, Err(Failure::Unauthorized));
    stage.app.discover().await.unwrap();
    assert_eq!(stage.app.endpoints().token, stage.intuit.token_url());
}

#[tokio::test]
async fn every_fault_is_understood() {
    let stage = Stage::set().await;
    let wait = Duration::from_secs(60);
    let throttled = |shape| (Fault::Throttled { shape }, "Throttled");
    let table = [
        throttled(Shape::Json429),
        throttled(Shape::Gateway429),
        throttled(Shape::Xml429),
        throttled(Shape::Xml403),
        (Fault::Status { status: 500 }, "Unavailable"),
        (Fault::Status { status: 503 }, "Unavailable"),
        (Fault::Cut, "Unavailable"),
        (Fault::AnswerLost, "Unavailable"),
        (Fault::FaultInside { kind: None }, "Unavailable"),
        (Fault::Lapsed, "Lapsed"),
        (Fault::TooOld, "TooOld"),
        (Fault::Unauthorized, "Unauthorized"),
        (Fault::Forbidden, "Forbidden"),
        (Fault::NotFound, "Refused"),
    ];
    for (fault, name) in table {
        stage.intuit.faults().set(vec![Rule::new(fault.clone())]);
        let kinds = ["Bill", "Item"];
        let read = stage
            .app
            .capture(&stage.realm, &stage.access, &kinds, START)
            .await;
        let failure = read.unwrap_err();
        assert!(
            format!("{failure:?}").starts_with(name),
            "{fault:?}: {failure:?}"
        );
        if name == "Throttled" {
            assert_eq!(failure, Failure::Throttled { wait });
        }
    }
    let inside = Fault::FaultInside {
        kind: Some("Item".into()),
    };
    stage.intuit.faults().set(vec![Rule::new(inside)]);
    let kinds = ["Bill", "Item"];
    let read = stage
        .app
        .capture(&stage.realm, &stage.access, &kinds, START)
        .await;
    let failed = read.unwrap().failed_kinds;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "Item");
    stage
        .intuit
        .faults()
        .set(vec![Rule::new(Fault::CapReached)]);
    let read = stage
        .app
        .capture(&stage.realm, &stage.access, &kinds, START)
        .await;
    // Without a word about the month it looks like any other throttle.
    assert_eq!(read, Err(Failure::Throttled { wait }));
}
