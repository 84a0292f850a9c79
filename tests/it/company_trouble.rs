//! Trouble with QuickBooks: waits are kept, reasons are told, and no company suffers from another.

use crate::support::firm::{Firm, REALM, Trick, polling, quiet};
use qbo_relay::model::{Environment, HindranceKind};
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule, Shape};
use qbo_relay::simulate::intuit_company::{Call, CompanyFacts, Options};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const OTHER: &str = "9341455841580196";

/// Two companies that are read.
async fn two() -> Firm {
    let company = |realm: &str| CompanyFacts {
        realm: realm.to_owned(),
        environment: Environment::Production,
    };
    let options = Options {
        companies: vec![company(REALM), company(OTHER)],
        ..Options::default()
    };
    let mut firm = Firm::with(quiet(), options).await;
    firm.connect(REALM).await;
    firm.connect(OTHER).await;
    firm.start();
    firm.forward(MINUTE);
    firm
}

async fn give_work(firm: &Firm, realm: &str) {
    let made = firm.books(realm).create("Invoice").unwrap();
    firm.notify(&[made]).await;
}

async fn until_hindered(firm: &Firm, kind: HindranceKind) -> String {
    firm.until("it is hindered", || async {
        let hindrance = firm.hindrance(REALM);
        hindrance.is_some_and(|hindrance| hindrance.kind == kind)
    })
    .await;
    firm.hindrance(REALM).unwrap().why
}

#[tokio::test]
async fn a_throttled_company_waits_as_asked_and_the_other_goes_on() {
    let firm = two().await;
    let shapes = [
        Shape::Json429,
        Shape::Gateway429,
        Shape::Xml429,
        Shape::Xml403,
    ];
    for shape in shapes {
        firm.intuit.faults().clear();
        let rule = Rule::new(Fault::Throttled { shape })
            .on(Call::Capture)
            .of(REALM)
            .times(1);
        firm.intuit.faults().add(rule);
        let calls = firm.calls(REALM, Call::Capture);
        give_work(&firm, REALM).await;
        give_work(&firm, OTHER).await;
        firm.forward(SECOND * 2);
        until_hindered(&firm, HindranceKind::Throttled).await;
        firm.until_reconciled(OTHER).await;
        firm.forward(SECOND * 59);
        firm.a_while().await;
        assert_eq!(firm.calls(REALM, Call::Capture), calls + 1);
        firm.forward(SECOND);
        firm.until_reconciled(REALM).await;
        firm.until_well(REALM).await;
    }
}

#[tokio::test]
async fn a_server_that_fails_is_tried_less_and_less_often() {
    let firm = two().await;
    let rule = Rule::new(Fault::Status { status: 503 }).of(REALM);
    firm.intuit.faults().add(rule);
    give_work(&firm, REALM).await;
    firm.forward(SECOND * 2);
    let why = until_hindered(&firm, HindranceKind::Unreachable).await;
    assert!(why.contains("503"), "{why}");
    let tried = || {
        let log = firm.intuit.calls().log;
        log.iter()
            .filter(|asked| asked.realm.as_deref() == Some(REALM))
            .count()
    };
    for (tries, wait) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 80)] {
        firm.until_waiting(REALM, SECOND * wait).await;
        firm.forward(SECOND * (wait - 1));
        firm.a_while().await;
        assert_eq!(tried(), tries);
        firm.forward(SECOND);
    }
    firm.intuit.faults().clear();
    firm.forward(MINUTE * 15);
    firm.until_reconciled(REALM).await;
}

#[tokio::test]
async fn a_used_up_month_is_looked_after_daily() {
    let firm = two().await;
    let used_up = Trick::UseUpMonth(REALM.into());
    let tricks = [used_up.clone(), used_up];
    firm.tricks.lock().unwrap().extend(tricks);
    give_work(&firm, REALM).await;
    firm.forward(SECOND * 2);
    until_hindered(&firm, HindranceKind::Budget).await;
    let left = || firm.tricks.lock().unwrap().len();
    firm.forward(HOUR * 23);
    firm.a_while().await;
    assert_eq!(left(), 1);
    firm.forward(HOUR);
    firm.until_waiting(REALM, HOUR * 24).await;
    assert_eq!(left(), 0);
    firm.forward(HOUR * 24);
    firm.until_reconciled(REALM).await;
}

#[tokio::test]
async fn a_company_that_may_not_be_read_stands_still_with_its_reason() {
    for (fault, reason) in [
        (Fault::Forbidden, "refused"),
        (Fault::Lapsed, "subscription"),
    ] {
        let firm = two().await;
        firm.intuit.faults().add(Rule::new(fault).of(REALM));
        give_work(&firm, REALM).await;
        firm.forward(SECOND * 2);
        let why = until_hindered(&firm, HindranceKind::Refused).await;
        assert!(why.contains(reason), "{why}");
        firm.forward(MINUTE * 59);
        firm.a_while().await;
        assert_eq!(firm.calls(REALM, Call::Capture), 1);
        firm.intuit.faults().clear();
        firm.forward(MINUTE);
        firm.until_reconciled(REALM).await;
    }
}

#[tokio::test]
async fn a_company_that_never_answers_holds_up_no_other() {
    let firm = two().await;
    firm.tricks
        .lock()
        .unwrap()
        .push(Trick::HangOnCapture(REALM.into()));
    give_work(&firm, REALM).await;
    give_work(&firm, OTHER).await;
    firm.forward(SECOND * 2);
    firm.until_reconciled(OTHER).await;
    assert_eq!(firm.view(REALM).await.notified.len(), 1);
}

#[tokio::test]
async fn a_panic_over_one_company_touches_no_other_and_is_got_over() {
    let firm = two().await;
    firm.tricks
        .lock()
        .unwrap()
        .push(Trick::PanicOnCapture(REALM.into()));
    give_work(&firm, REALM).await;
    firm.forward(SECOND * 2);
    until_hindered(&firm, HindranceKind::Broken).await;
    give_work(&firm, OTHER).await;
    firm.forward(SECOND * 2);
    firm.until_reconciled(OTHER).await;
    // Started again after a few seconds.
    firm.until_reconciled(REALM).await;
}

#[tokio::test]
async fn a_fault_inside_a_good_answer_leaves_the_rest_of_it() {
    let mut firm = Firm::new(polling(&["Invoice", "Bill", "Customer"])).await;
    firm.connect(REALM).await;
    let kind = Some("Bill".to_owned());
    firm.intuit
        .faults()
        .add(Rule::new(Fault::FaultInside { kind }));
    firm.forward(MINUTE);
    firm.books(REALM).create("Invoice").unwrap();
    let bill = firm.books(REALM).create("Bill").unwrap().id;
    firm.start();
    let told = firm.until_told(REALM, 1).await;
    assert!(told[0].starts_with("Invoice/"), "{told:?}");
    firm.until("it is named", || async {
        firm.health(REALM).unwrap().unreadable_kinds == ["Bill"]
    })
    .await;
    firm.intuit.faults().clear();
    firm.forward(HOUR);
    let told = firm.until_told(REALM, 2).await;
    assert_eq!(told[1], format!("Bill/{bill} Create poll +"));
}

#[tokio::test]
async fn answers_that_break_off_or_lie_are_asked_for_again() {
    let firm = two().await;
    let cut = Rule::new(Fault::Cut).on(Call::Capture).of(REALM).times(1);
    let inside = Rule::new(Fault::FaultInside { kind: None })
        .of(REALM)
        .times(1);
    firm.intuit.faults().set(vec![cut, inside]);
    give_work(&firm, REALM).await;
    firm.until("it is read", || async {
        firm.forward(SECOND * 2);
        tokio::time::sleep(Duration::from_millis(20)).await;
        firm.view(REALM).await.notified.is_empty()
    })
    .await;
    assert!(firm.told(REALM).await[0].record.is_some());
}

#[tokio::test]
async fn a_kind_that_fails_is_asked_for_alone_until_it_comes_and_holds_up_no_other() {
    let firm = two().await;
    firm.tricks
        .lock()
        .unwrap()
        .push(Trick::BreakCapture("Bill"));
    let notify = async |kinds: &[&str]| {
        let made: Vec<_> = kinds
            .iter()
            .map(|kind| firm.books(REALM).create(kind).unwrap())
            .collect();
        firm.notify(&made).await;
        firm.forward(SECOND * 2);
    };
    notify(&["Bill", "Invoice"]).await;
    // It is found out after two failures.
    for wait in [5, 10] {
        firm.until_waiting(REALM, SECOND * wait).await;
        firm.forward(SECOND * wait);
    }
    firm.until_reconciled(REALM).await;
    let records = || async {
        let told = firm.told(REALM).await;
        let told = told.iter().rev().take(2);
        let of = |kind: &str| {
            let mut told = told.clone();
            told.find(|one| one.notification.entity.kind == kind)
                .unwrap()
                .record
                .is_some()
        };
        (of("Bill"), of("Invoice"))
    };
    assert_eq!(records().await, (false, true));
    firm.until("it is named", || async {
        firm.health(REALM).unwrap().unreadable_kinds == ["Bill"]
    })
    .await;
    firm.until_well(REALM).await;
    // From now on nobody waits, although it goes on failing.
    for _ in 0..5 {
        notify(&["Bill", "Invoice"]).await;
        firm.until_reconciled(REALM).await;
        assert_eq!(records().await, (false, true));
        assert_eq!(firm.hindrance(REALM), None);
    }
    firm.tricks.lock().unwrap().clear();
    firm.until("it comes", || async {
        firm.forward(MINUTE);
        tokio::time::sleep(Duration::from_millis(20)).await;
        firm.health(REALM).unwrap().unreadable_kinds.is_empty()
    })
    .await;
    notify(&["Bill", "Invoice"]).await;
    firm.until_reconciled(REALM).await;
    assert_eq!(records().await, (true, true));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_said_once_and_everything_else_is_read() {
    let mut firm = Firm::new(polling(&["Invoice"])).await;
    firm.connect(REALM).await;
    firm.forward(MINUTE);
    let spoilt = firm.books(REALM).create("Invoice").unwrap().id;
    firm.books(REALM).create("Invoice").unwrap();
    firm.tricks
        .lock()
        .unwrap()
        .push(Trick::Spoil(spoilt.clone()));
    firm.start();
    let told = firm.until_told(REALM, 1).await;
    assert_eq!(told.len(), 1);
    let said = || {
        let events = firm.events();
        let said = events.iter().filter(|text| text.contains("cannot be read"));
        said.cloned().collect::<Vec<_>>()
    };
    firm.until("it is said", || async { !said().is_empty() })
        .await;
    let name = format!("Invoice {spoilt}, changed ");
    assert!(said()[0].contains(&name), "{:?}", said());
    let polled = || async {
        let view = firm.view(REALM).await;
        view.watermarks["Invoice"].polled_at
    };
    for _ in 0..2 {
        let before = polled().await;
        firm.forward(MINUTE * 15);
        firm.until("it is polled", || async { polled().await > before })
            .await;
    }
    assert_eq!(said().len(), 1);
    let skipped = firm.health(REALM).unwrap().skipped_records;
    assert!(skipped[0].contains(&spoilt), "{skipped:?}");
    assert!(firm.health(REALM).unwrap().unreadable_kinds.is_empty());
}
