//! Notified changes get their records, gaps are gone through, and a company is read from its first
//! connection to its last.

use crate::support::firm::{Firm, REALM, Trick, quiet, realm};
use qbo_relay::clock::Clock;
use qbo_relay::model::{ClockTrust, Standing, Timestamp};
use qbo_relay::simulate::intuit_company::Call;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_burst_of_notifications_is_read_with_one_call() {
    let firm = Firm::running(quiet()).await;
    firm.forward(MINUTE);
    let books = firm.books(REALM);
    let mut happened = Vec::new();
    for kind in ["Invoice", "Customer", "Invoice", "Bill"] {
        happened.push(books.create(kind).unwrap());
        firm.notify(&happened[happened.len() - 1..]).await;
    }
    firm.a_while().await;
    // A moment is waited for more of them.
    assert_eq!(firm.calls(REALM, Call::Capture), 0);
    firm.forward(SECOND * 2);
    firm.until_reconciled(REALM).await;
    let told = firm.outline(REALM).await;
    assert_eq!(told.len(), 4);
    assert!(
        told.iter().all(|told| told.ends_with(" Create webhook +")),
        "{told:?}"
    );
    assert_eq!(firm.calls(REALM, Call::Capture), 1);
    assert_eq!(firm.calls(REALM, Call::Query), 0);
    let asked = firm.intuit.calls().log.back().unwrap().target.clone();
    assert!(
        asked.contains("Bill") && asked.contains("Customer"),
        "{asked}"
    );
}

#[tokio::test]
async fn what_a_capture_finds_beyond_the_notified_is_told_too() {
    let firm = Firm::running(quiet()).await;
    firm.forward(MINUTE);
    let books = firm.books(REALM);
    let lost = books.create("Invoice").unwrap();
    let told = books.create("Invoice").unwrap();
    firm.notify(std::slice::from_ref(&told)).await;
    firm.forward(SECOND * 2);
    firm.until_reconciled(REALM).await;
    assert_eq!(
        firm.until_told(REALM, 2).await,
        [
            format!("Invoice/{} Create webhook +", told.id),
            format!("Invoice/{} Create capture +", lost.id),
        ]
    );
    // Its notification comes late, and is a repeat.
    firm.notify(&[lost]).await;
    firm.forward(MINUTE);
    firm.a_while().await;
    assert_eq!(firm.told(REALM).await.len(), 2);
}

#[tokio::test]
async fn what_is_gone_or_cannot_be_captured_is_reconciled_all_the_same() {
    let firm = Firm::running(quiet()).await;
    let books = firm.books(REALM);
    let activity = books.create("TimeActivity").unwrap();
    let bill = books.create("Bill").unwrap();
    firm.forward(MINUTE);
    let gone = books.delete("Bill", &bill.id).unwrap();
    let changed = books.update("TimeActivity", &activity.id).unwrap();
    firm.notify(std::slice::from_ref(&gone)).await;
    firm.forward(SECOND * 2);
    firm.until_reconciled(REALM).await;
    // Nothing is read for what is gone.
    assert_eq!(firm.calls(REALM, Call::Capture), 0);
    firm.notify(std::slice::from_ref(&changed)).await;
    firm.forward(SECOND * 2);
    firm.until_reconciled(REALM).await;
    assert_eq!(firm.calls(REALM, Call::Capture), 0);
    assert_eq!(firm.calls(REALM, Call::Query), 1);
    assert_eq!(
        firm.outline(REALM).await,
        [
            format!("Bill/{} Delete webhook", gone.id),
            format!("TimeActivity/{} Update webhook +", changed.id),
        ]
    );
}

#[tokio::test]
async fn a_record_that_quickbooks_shows_late_is_asked_for_again() {
    let firm = Firm::running(quiet()).await;
    firm.forward(MINUTE);
    firm.intuit.faults().set_lag(SECOND * 20);
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.until("it is shown", || async {
        firm.forward(SECOND);
        tokio::time::sleep(Duration::from_millis(30)).await;
        firm.view(REALM).await.notified.is_empty()
    })
    .await;
    assert!(firm.told(REALM).await[0].record.is_some());
    let calls = firm.calls(REALM, Call::Capture);
    assert!((2..=4).contains(&calls), "{calls}");
}

#[tokio::test]
async fn a_record_that_is_never_shown_is_let_go() {
    let firm = Firm::running(quiet()).await;
    firm.forward(MINUTE);
    firm.intuit.faults().set_lag(MINUTE * 60 * 24);
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.until("it is let go", || async {
        firm.forward(SECOND * 3);
        tokio::time::sleep(Duration::from_millis(30)).await;
        firm.view(REALM).await.notified.is_empty()
    })
    .await;
    assert_eq!(firm.calls(REALM, Call::Capture), 4);
    assert!(firm.told(REALM).await[0].record.is_none());
}

#[tokio::test]
async fn a_gap_is_gone_through_by_each_company_and_closed() {
    let mut firm = Firm::running(quiet()).await;
    firm.stop().await;
    firm.forward(MINUTE * 10);
    let books = firm.books(REALM);
    let since = firm.clock.now();
    let made = books.create("Invoice").unwrap();
    let activity = books.create("TimeActivity").unwrap();
    let tax = books.create("TaxAgency").unwrap();
    firm.forward(MINUTE * 10);
    let now = firm.clock.now();
    firm.journal
        .open_gap(since, now, "offline", now)
        .await
        .unwrap();
    firm.start();
    firm.a_while().await;
    // What Intuit repeats is let come first.
    assert_eq!(firm.calls(REALM, Call::Capture), 0);
    firm.forward(MINUTE * 2);
    firm.until("the gap is closed", || async {
        firm.view(REALM).await.gap.is_none()
    })
    .await;
    let mut told = firm.outline(REALM).await;
    told.sort_unstable();
    assert_eq!(
        told,
        [
            format!("Invoice/{} Create capture +", made.id),
            format!("TaxAgency/{} Create capture +", tax.id),
            format!("TimeActivity/{} Create capture +", activity.id),
        ]
    );
    let report = &firm.journal.gaps().await.unwrap()[0];
    assert_eq!((report.found, report.missing), (3, 0));
    assert!(report.closed_at.is_some());
    assert_eq!(firm.calls(REALM, Call::Capture), 1);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_gap_loses_and_repeats_nothing() {
    let mut firm = Firm::running(quiet()).await;
    firm.forward(MINUTE * 10);
    let since = firm.clock.now();
    let books = firm.books(REALM);
    for kind in ["Invoice", "TaxRate", "TaxCode", "TimeActivity"] {
        books.create(kind).unwrap();
    }
    firm.forward(MINUTE * 10);
    let now = firm.clock.now();
    firm.journal
        .open_gap(since, now, "offline", now)
        .await
        .unwrap();
    // After each number of calls once.
    for calls in 1..6 {
        firm.forward(MINUTE * 3);
        firm.until("some calls are made", || async {
            let log = firm.intuit.calls().log;
            log.len() >= calls || firm.view(REALM).await.gap.is_none()
        })
        .await;
        firm.crash().await;
        firm.start();
    }
    firm.until("the gap is closed", || async {
        firm.view(REALM).await.gap.is_none()
    })
    .await;
    let told = firm.outline(REALM).await;
    assert_eq!(told.len(), 4, "{told:?}");
}

#[tokio::test]
async fn companies_come_and_go_while_the_relay_runs() {
    let mut firm = Firm::new(quiet()).await;
    firm.start();
    firm.a_while().await;
    assert!(firm.roster.snapshot().is_empty());
    firm.connect(REALM).await;
    firm.until("it is known", || async { firm.health(REALM).is_some() })
        .await;
    let now = firm.clock.now();
    firm.journal
        .set_standing(&realm(REALM), Standing::Disconnected, now)
        .await
        .unwrap();
    firm.ring();
    firm.until("it is forgotten", || async { firm.health(REALM).is_none() })
        .await;
    firm.connect(REALM).await;
    firm.until("it is known again", || async {
        firm.health(REALM).is_some()
    })
    .await;
    firm.forward(MINUTE);
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.forward(SECOND * 2);
    firm.until_reconciled(REALM).await;
    firm.stop().await;
}

#[tokio::test]
async fn nothing_is_called_while_the_clock_cannot_be_right() {
    let mut firm = Firm::new(quiet()).await;
    firm.device
        .send_modify(|device| device.clock = ClockTrust::Waiting);
    firm.connect(REALM).await;
    firm.start();
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.forward(MINUTE);
    firm.a_while().await;
    assert!(firm.intuit.calls().log.is_empty());
    firm.device
        .send_modify(|device| device.clock = ClockTrust::Trusted);
    firm.until_reconciled(REALM).await;
    firm.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_by_years_holds_nothing_up() {
    let firm = Firm::running(quiet()).await;
    firm.forward(MINUTE);
    let before = firm.clock.now();
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(std::slice::from_ref(&made)).await;
    // Back by two years, and forward again.
    firm.clock
        .set(Timestamp::from_ms(before.as_ms() - 63_000_000_000));
    firm.ring();
    firm.a_while().await;
    firm.clock.set(before);
    firm.forward(SECOND * 2);
    firm.until_reconciled(REALM).await;
    let told = firm.outline(REALM).await;
    assert_eq!(told[0], format!("Invoice/{} Create webhook +", made.id));
}

#[tokio::test]
async fn stopping_does_not_wait_for_an_answer() {
    let mut firm = Firm::running(quiet()).await;
    firm.forward(MINUTE);
    let hang = Trick::HangOnCapture(REALM.into());
    firm.tricks.lock().unwrap().push(hang);
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.forward(SECOND * 2);
    firm.until("it hangs", || async {
        firm.tricks.lock().unwrap().is_empty()
    })
    .await;
    firm.stop().await;
    assert_eq!(firm.view(REALM).await.notified.len(), 1);
    firm.start();
    firm.until_reconciled(REALM).await;
}
