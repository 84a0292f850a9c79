//! Tokens: renewed by the company's own task, stored before they are used, and a crash at any point
//! of a rotation is survived or ends in one clear state.

use crate::support::firm::{Firm, REALM, Trick, quiet};
use qbo_relay::model::{HindranceKind, Standing};
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule};
use qbo_relay::simulate::intuit_company::{Call, Options, Rotation};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

async fn rotating(rotation: Rotation) -> Firm {
    let options = Options {
        rotation,
        revoke_on_reuse: rotation == Rotation::EachTime,
        ..Options::default()
    };
    let mut firm = Firm::with(quiet(), options).await;
    firm.connect(REALM).await;
    firm.start();
    firm
}

/// Something is notified and to be read.
async fn give_work(firm: &Firm) {
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.forward(SECOND * 2);
}

async fn standing(firm: &Firm) -> Standing {
    firm.view(REALM).await.company.standing
}

#[tokio::test]
async fn tokens_are_renewed_when_there_is_something_to_read_and_daily_otherwise() {
    let firm = rotating(Rotation::EachTime).await;
    firm.forward(HOUR * 2);
    firm.a_while().await;
    assert_eq!(firm.calls(REALM, Call::Refresh), 0);
    for renewed in 1..4 {
        give_work(&firm).await;
        firm.until_reconciled(REALM).await;
        assert_eq!(firm.intuit.calls().all(Call::Refresh), renewed);
        firm.forward(HOUR);
    }
    firm.forward(HOUR * 24);
    firm.until("it is renewed", || async {
        firm.intuit.calls().all(Call::Refresh) == 4
    })
    .await;
    let company = firm.view(REALM).await.company;
    assert!(company.hard_expires_at.is_some());
    assert_eq!(company.standing, Standing::Connected);
}

#[tokio::test]
async fn an_access_token_that_is_refused_is_renewed_once() {
    let firm = rotating(Rotation::Daily).await;
    firm.forward(MINUTE);
    firm.intuit.expire_access(REALM);
    give_work(&firm).await;
    firm.until_reconciled(REALM).await;
    assert_eq!(firm.intuit.calls().all(Call::Refresh), 1);
    firm.intuit
        .faults()
        .add(Rule::new(Fault::Unauthorized).on(Call::Capture));
    give_work(&firm).await;
    firm.until("a person is called", || async {
        let hindrance = firm.hindrance(REALM);
        hindrance.is_some_and(|hindrance| hindrance.kind == HindranceKind::Refused)
    })
    .await;
    firm.a_while().await;
    // Renewed once for it, and not again and again.
    assert_eq!(firm.intuit.calls().all(Call::Refresh), 2);
    firm.intuit.faults().clear();
    firm.forward(HOUR);
    firm.until_reconciled(REALM).await;
    firm.until_well(REALM).await;
}

#[tokio::test]
async fn a_company_that_was_disconnected_at_intuit_needs_a_person() {
    let firm = rotating(Rotation::Daily).await;
    firm.forward(MINUTE);
    firm.intuit.disconnect(REALM);
    give_work(&firm).await;
    firm.until("it needs authorization", || async {
        matches!(standing(&firm).await, Standing::NeedsAuthorization { .. })
    })
    .await;
    firm.forward(HOUR * 30);
    firm.a_while().await;
    assert_eq!(firm.intuit.calls().all(Call::Refresh), 1);
    let lost = firm.books(REALM).create("Bill").unwrap().id;
    // Connected again, it goes on where it stood, and what was missed meanwhile is found.
    firm.connect(REALM).await;
    firm.forward(MINUTE * 3);
    firm.until_reconciled(REALM).await;
    firm.until("the gap is closed", || async {
        firm.view(REALM).await.gap.is_none()
    })
    .await;
    let told = firm.outline(REALM).await;
    assert!(
        told.contains(&format!("Bill/{lost} Create capture +")),
        "{told:?}"
    );
    assert_eq!(standing(&firm).await, Standing::Connected);
}

#[tokio::test]
async fn a_crash_before_the_new_tokens_are_stored_is_survived_where_the_old_ones_live() {
    let mut firm = rotating(Rotation::Daily).await;
    firm.forward(HOUR * 2);
    firm.tricks.lock().unwrap().push(Trick::HangAfterRefresh);
    give_work(&firm).await;
    firm.until("it hangs", || async {
        firm.tricks.lock().unwrap().is_empty()
    })
    .await;
    firm.crash().await;
    firm.start();
    firm.until_reconciled(REALM).await;
    assert_eq!(standing(&firm).await, Standing::Connected);
}

#[tokio::test]
async fn a_crash_before_the_new_tokens_are_stored_ends_in_one_clear_state_where_the_old_ones_die() {
    let mut firm = rotating(Rotation::EachTime).await;
    firm.forward(HOUR * 2);
    firm.tricks.lock().unwrap().push(Trick::HangAfterRefresh);
    give_work(&firm).await;
    firm.until("it hangs", || async {
        firm.tricks.lock().unwrap().is_empty()
    })
    .await;
    firm.crash().await;
    firm.start();
    firm.until("it needs authorization", || async {
        matches!(standing(&firm).await, Standing::NeedsAuthorization { .. })
    })
    .await;
    let Standing::NeedsAuthorization { why } = standing(&firm).await else {
        panic!();
    };
    assert!(
        why.starts_with("Intuit no longer accepts the authorization"),
        "{why}"
    );
    assert_eq!(firm.intuit.calls().all(Call::Refresh), 2);
}

#[tokio::test]
async fn a_crash_after_the_new_tokens_were_stored_goes_on_with_them() {
    let mut firm = rotating(Rotation::EachTime).await;
    firm.forward(HOUR * 2);
    firm.tricks
        .lock()
        .unwrap()
        .push(Trick::HangOnCapture(REALM.into()));
    give_work(&firm).await;
    firm.until("it hangs", || async {
        firm.tricks.lock().unwrap().is_empty()
    })
    .await;
    firm.crash().await;
    firm.start();
    firm.until_reconciled(REALM).await;
    assert_eq!(firm.intuit.calls().all(Call::Refresh), 1);
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_renewal_waits_for_it_to_be_stored() {
    let mut firm = rotating(Rotation::EachTime).await;
    firm.forward(HOUR * 2);
    let slow = Rule::new(Fault::Latency { ms: 700 }).on(Call::Refresh);
    firm.intuit.faults().add(slow);
    give_work(&firm).await;
    // It is under way, as far as can be seen from outside.
    firm.a_while().await;
    firm.stop().await;
    firm.start();
    firm.until_reconciled(REALM).await;
    assert_eq!(standing(&firm).await, Standing::Connected);
    assert_eq!(firm.intuit.calls().all(Call::Refresh), 1);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_at_once() {
    let firm = rotating(Rotation::Daily).await;
    firm.forward(HOUR * 2);
    let lost = Rule::new(Fault::AnswerLost).on(Call::Refresh).times(1);
    firm.intuit.faults().add(lost);
    give_work(&firm).await;
    firm.until_reconciled(REALM).await;
    assert_eq!(firm.intuit.calls().all(Call::Refresh), 2);
    assert_eq!(standing(&firm).await, Standing::Connected);
}

#[tokio::test]
async fn keys_that_intuit_does_not_know_are_no_reason_to_connect_again() {
    let firm = rotating(Rotation::Daily).await;
    firm.forward(HOUR * 2);
    firm.intuit
        .faults()
        .add(Rule::new(Fault::InvalidClient).on(Call::Refresh));
    give_work(&firm).await;
    firm.until("it says so", || async {
        let hindrance = firm.hindrance(REALM);
        hindrance.is_some_and(|one| one.why.contains("client id and secret"))
    })
    .await;
    assert_eq!(standing(&firm).await, Standing::Connected);
    firm.intuit.faults().clear();
    firm.forward(HOUR);
    firm.until_reconciled(REALM).await;
}

#[tokio::test]
async fn ends_that_are_near_are_told() {
    let firm = rotating(Rotation::Never).await;
    firm.until("it is known", || async { firm.health(REALM).is_some() })
        .await;
    assert_eq!(firm.health(REALM).unwrap().warning, None);
    firm.intuit
        .faults()
        .add(Rule::new(Fault::InvalidClient).on(Call::Refresh));
    for (days, warning) in [(71, 30), (23, 7)] {
        firm.forward(HOUR * 24 * days);
        firm.until("it is warned", || async {
            let told = firm.health(REALM).and_then(|health| health.warning);
            told.is_some_and(|told| told.days == warning)
        })
        .await;
    }
}
