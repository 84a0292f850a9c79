//! Polls and the daily sweep: what no notification told is found, once, whatever it takes.

use crate::support::firm::{Firm, REALM, START, Trick, polling, quiet};
use qbo_relay::clock::Clock;
use qbo_relay::model::{AppName, Timestamp};
use qbo_relay::rules::company::Plan;
use qbo_relay::simulate::intuit_company::Call;
use std::collections::BTreeSet;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A plan that sweeps at noon.
fn sweeping() -> Plan {
    Plan {
        sweep_at: Some(Duration::from_secs(12 * 3600)),
        sweep_spread: Duration::ZERO,
        ..quiet()
    }
}

async fn until_polled(firm: &Firm, kind: &str) {
    let now = firm.clock.now();
    firm.until("it is polled", || async {
        let view = firm.view(REALM).await;
        let mark = view.watermarks.get(kind).and_then(|mark| mark.polled_at);
        mark == Some(now)
    })
    .await;
}

async fn until_swept(firm: &Firm) {
    let now = firm.clock.now();
    firm.until("it is swept", || async {
        firm.view(REALM).await.swept_at == Some(now)
    })
    .await;
}

#[tokio::test]
async fn polls_tell_what_was_created_updated_and_deleted() {
    let firm = Firm::running(polling(&["Invoice", "Customer", "TimeActivity", "TaxCode"])).await;
    until_polled(&firm, "TimeActivity").await;
    let books = firm.books(REALM);
    firm.forward(MINUTE);
    let invoice = books.create("Invoice").unwrap().id;
    let customer = books.create("Customer").unwrap().id;
    let activity = books.create("TimeActivity").unwrap().id;
    let code = books.create("TaxCode").unwrap().id;
    firm.forward(MINUTE * 14);
    until_polled(&firm, "TimeActivity").await;
    until_polled(&firm, "TaxCode").await;
    until_polled(&firm, "Invoice").await;
    let mut told = firm.outline(REALM).await;
    told.sort_unstable();
    assert_eq!(
        told,
        [
            format!("Customer/{customer} Create poll +"),
            format!("Invoice/{invoice} Create poll +"),
            format!("TaxCode/{code} Create poll +"),
            format!("TimeActivity/{activity} Create poll +"),
        ]
    );
    let calls = firm.calls(REALM, Call::Capture);
    assert_eq!(calls, 2, "both kinds share a capture");
    firm.forward(MINUTE);
    books.update("Customer", &customer).unwrap();
    books.delete("Invoice", &invoice).unwrap();
    books.delete("TimeActivity", &activity).unwrap();
    firm.forward(MINUTE * 14);
    let mut told = firm.until_told(REALM, 7).await.split_off(4);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            format!("Customer/{customer} Update poll +"),
            format!("Invoice/{invoice} Delete poll +"),
            // There is nothing to ride along with what is only missing.
            format!("TimeActivity/{activity} Delete poll"),
        ]
    );
    // What was read once is not told again.
    firm.forward(MINUTE * 15);
    until_polled(&firm, "Invoice").await;
    firm.forward(MINUTE * 15);
    until_polled(&firm, "TimeActivity").await;
    assert_eq!(firm.told(REALM).await.len(), 7);
}

#[tokio::test]
async fn the_sweep_finds_what_was_never_notified_once_a_day() {
    let mut firm = Firm::running(sweeping()).await;
    // A company that is new is looked at once, which tells nothing.
    until_swept(&firm).await;
    let swept = firm.calls(REALM, Call::Query);
    firm.forward(MINUTE * 60);
    let books = firm.books(REALM);
    books.create("Budget").unwrap();
    books.create("TaxAgency").unwrap();
    let activity = books.create("TimeActivity").unwrap().id;
    firm.forward(MINUTE * 60);
    firm.a_while().await;
    assert_eq!(firm.calls(REALM, Call::Query), swept);
    firm.forward(MINUTE * 60 * 5);
    until_swept(&firm).await;
    let told = firm.outline(REALM).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|told| told.ends_with("Create sweep +")));
    firm.forward(MINUTE);
    books.delete("TimeActivity", &activity).unwrap();
    // A restart does not bring another one about, the next day does.
    firm.crash().await;
    firm.start();
    firm.a_while().await;
    assert_eq!(firm.told(REALM).await.len(), 3);
    firm.forward(DAY);
    until_swept(&firm).await;
    let told = firm.outline(REALM).await;
    assert_eq!(told[3..], [format!("TimeActivity/{activity} Delete sweep")]);
}

#[tokio::test]
async fn more_changes_than_one_answer_holds_are_all_found() {
    let firm = Firm::running(polling(&["Invoice", "Bill"])).await;
    until_polled(&firm, "Invoice").await;
    firm.forward(MINUTE);
    let books = firm.books(REALM);
    let mut deleted = BTreeSet::new();
    for n in 0..1600 {
        if n % 10 == 0 {
            firm.forward(Duration::from_secs(2));
        }
        let id = books.create("Invoice").unwrap().id;
        if n % 8 == 0 {
            books.delete("Invoice", &id).unwrap();
            deleted.insert(id);
        }
    }
    books.create("Bill").unwrap();
    firm.forward(MINUTE * 20);
    until_polled(&firm, "Bill").await;
    firm.until("all is told", || async {
        firm.told(REALM).await.len() == 1601
    })
    .await;
    let told: BTreeSet<String> = firm.outline(REALM).await.into_iter().collect();
    assert_eq!(told.len(), 1601);
    for id in deleted {
        assert!(
            told.contains(&format!("Invoice/{id} Delete poll +")),
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_relay_that_was_off_for_longer_than_capture_looks_back_reads_by_pages() {
    let mut firm = Firm::running(sweeping()).await;
    until_swept(&firm).await;
    firm.stop().await;
    let books = firm.books(REALM);
    firm.forward(DAY);
    let live = books.create("Invoice").unwrap().id;
    let lost = books.create("Invoice").unwrap().id;
    books.delete("Invoice", &lost).unwrap();
    firm.forward(DAY * 20);
    let dead = books.create("Invoice").unwrap().id;
    books.delete("Invoice", &dead).unwrap();
    firm.forward(DAY * 20);
    firm.start();
    until_swept(&firm).await;
    let mut told = firm.outline(REALM).await;
    told.sort_unstable();
    assert_eq!(
        told,
        [
            format!("Invoice/{live} Create sweep +"),
            format!("Invoice/{dead} Delete sweep +"),
        ]
    );
    let events = firm.journal.snapshot().await.unwrap().events;
    let missing = events.iter().find(|event| event.kind == "missing").unwrap();
    assert!(
        missing.text.contains("may have been deleted"),
        "{}",
        missing.text
    );
    // The next one is an ordinary one again.
    let calls = firm.calls(REALM, Call::Capture);
    firm.forward(DAY);
    until_swept(&firm).await;
    assert_eq!(firm.calls(REALM, Call::Capture), calls + 1);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_stood() {
    let mut firm = Firm::running(polling(&["TaxRate"])).await;
    until_polled(&firm, "TaxRate").await;
    firm.forward(MINUTE);
    let first = firm.books(REALM).create("TaxRate").unwrap().id;
    firm.forward(MINUTE * 14);
    firm.until_told(REALM, 1).await;
    firm.crash().await;
    firm.forward(MINUTE);
    let second = firm.books(REALM).create("TaxRate").unwrap().id;
    firm.forward(MINUTE * 60);
    firm.start();
    assert_eq!(
        firm.until_told(REALM, 2).await,
        [
            format!("TaxRate/{first} Create poll +"),
            format!("TaxRate/{second} Create poll +"),
        ]
    );
}

#[tokio::test]
async fn a_kind_that_fails_for_itself_does_not_hold_up_the_others() {
    let firm = Firm::running(polling(&["Invoice", "TaxCode"])).await;
    until_polled(&firm, "Invoice").await;
    firm.tricks
        .lock()
        .unwrap()
        .push(Trick::BreakQuery("TaxCode"));
    firm.forward(MINUTE * 15);
    firm.until("the kind is found out", || async {
        firm.forward(Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
        firm.health(REALM).unwrap().unreadable_kinds == ["TaxCode"]
    })
    .await;
    firm.books(REALM).create("Invoice").unwrap();
    firm.forward(MINUTE * 20);
    firm.until_told(REALM, 1).await;
    firm.tricks.lock().unwrap().clear();
    firm.forward(MINUTE * 90);
    firm.until("it is read again", || async {
        firm.health(REALM).unwrap().unreadable_kinds.is_empty()
    })
    .await;
}

#[tokio::test]
async fn the_budget_ends_polls_before_notified_changes() {
    let mut firm = Firm::new(polling(&["Invoice"])).await;
    firm.calls_max = Some(20);
    firm.connect(REALM).await;
    firm.start();
    firm.until("polls have ended", || async {
        firm.forward(MINUTE * 16);
        tokio::time::sleep(Duration::from_millis(30)).await;
        firm.health(REALM)
            .is_some_and(|health| health.budget_percent >= Some(90))
    })
    .await;
    let polled = firm.calls(REALM, Call::Capture);
    firm.forward(MINUTE * 60);
    firm.a_while().await;
    assert_eq!((polled, firm.calls(REALM, Call::Capture)), (18, 18));
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.forward(MINUTE);
    firm.until_reconciled(REALM).await;
    assert_eq!(firm.calls(REALM, Call::Capture), 19);
    // What was counted outlasts a restart, and a new month begins at nothing.
    firm.stop().await;
    let app = AppName::new("books").unwrap();
    assert_eq!(firm.journal.spent(&app, "2026-11").await.unwrap(), 19);
    firm.start();
    firm.forward(MINUTE * 60);
    firm.a_while().await;
    assert_eq!(firm.calls(REALM, Call::Capture), 19);
    let december = Timestamp::from_ms(START.as_ms() + 10 * 86_400_000);
    firm.clock.set(december);
    firm.ring();
    until_polled(&firm, "Invoice").await;
    firm.until("it counts anew", || async {
        firm.health(REALM)
            .is_some_and(|health| health.budget_percent == Some(5))
    })
    .await;
}
