//! Apps at Intuit that come, go and change while companies are read, and polls that somebody wishes
//! for meanwhile.

use crate::support::firm::{Firm, REALM, polling, quiet, realm};
use crate::support::sinks::no_trust;
use qbo_relay::clock::Clock;
use qbo_relay::connect::Desk;
use qbo_relay::model::{AppName, Environment, HindranceKind, Secret, Standing};
use qbo_relay::qbo::{App, Endpoints, Settings};
use qbo_relay::rules::company::InstancePolls;
use qbo_relay::simulate::intuit_company::Call;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

async fn until_refused(firm: &Firm, word: &str) {
    firm.until("it is refused", || async {
        firm.hindrance(REALM).is_some_and(|hindrance| {
            hindrance.kind == HindranceKind::Refused && hindrance.why.contains(word)
        })
    })
    .await;
}

fn wish(kind: &str, every: Duration) -> InstancePolls {
    InstancePolls {
        polls: [(kind.to_owned(), every)].into(),
        ..InstancePolls::default()
    }
}

#[tokio::test]
async fn a_company_is_read_while_its_app_is_there() {
    let firm = Firm::running(quiet()).await;
    let app = firm.apps.send_replace(BTreeMap::new());
    until_refused(&firm, "no app named books").await;
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.forward(MINUTE);
    firm.a_while().await;
    assert_eq!(firm.calls(REALM, Call::Capture), 0);
    firm.apps.send_replace(app);
    firm.until_reconciled(REALM).await;
    firm.until_well(REALM).await;
}

#[tokio::test]
async fn another_secret_counts_from_the_next_call_on() {
    let firm = Firm::running(quiet()).await;
    firm.apps.send_replace(firm.app("wrong"));
    firm.forward(HOUR * 2);
    let made = firm.books(REALM).create("Invoice").unwrap();
    firm.notify(&[made]).await;
    firm.forward(MINUTE);
    until_refused(&firm, "invalid_client").await;
    firm.apps.send_replace(firm.app("secret"));
    firm.forward(HOUR);
    firm.until_reconciled(REALM).await;
    firm.until_well(REALM).await;
}

#[tokio::test]
async fn a_wish_for_polls_is_heard_at_once_and_ends_with_whoever_had_it() {
    let firm = Firm::running(polling(&["Bill"])).await;
    let polled = |kind: &'static str| {
        let firm = &firm;
        async move {
            let view = firm.view(REALM).await;
            view.watermarks.get(kind).and_then(|mark| mark.polled_at)
        }
    };
    let until_polled = |kind: &'static str| {
        let firm = &firm;
        async move {
            let now = Some(firm.clock.now());
            let is_polled = || async { polled(kind).await == now };
            firm.until("it is polled", is_polled).await;
        }
    };
    until_polled("Bill").await;
    let wishes = [(realm(REALM), wish("Invoice", MINUTE))];
    firm.polls.send_replace(wishes.into());
    until_polled("Invoice").await;
    for _ in 0..2 {
        firm.forward(MINUTE);
        until_polled("Invoice").await;
    }
    assert_ne!(polled("Bill").await, Some(firm.clock.now()));
    let last = polled("Invoice").await;
    let others = [(realm("9341455841580196"), wish("Invoice", MINUTE))];
    firm.polls.send_replace(others.into());
    firm.forward(MINUTE * 20);
    until_polled("Bill").await;
    assert_eq!(polled("Invoice").await, last);
}

#[tokio::test]
async fn a_company_of_an_app_that_came_later_is_revoked_when_it_is_disconnected() {
    let firm = Firm::new(quiet()).await;
    firm.connect(REALM).await;
    let name = AppName::new("books").unwrap();
    let settings = Settings {
        endpoints: Endpoints {
            revoke: firm.intuit.revoke_url(),
            ..Endpoints::default()
        },
        ..Settings::new(
            name.clone(),
            Environment::Production,
            "client",
            Secret::new("secret"),
            "https://relay.example/oauth/callback",
            no_trust(),
        )
    };
    let others = watch::Sender::default();
    let desk = Desk::new(
        BTreeMap::new(),
        Arc::new(firm.vault()),
        firm.journal.clone(),
        Arc::clone(&firm.clock) as Arc<dyn Clock>,
        |_| Ok(()),
    )
    .with_others(others.subscribe());
    others.send_replace([(name, App::new(settings).unwrap())].into());
    assert_eq!(desk.apps(), [], "nobody is sent to Intuit by it");
    assert_eq!(desk.disconnect(&realm(REALM)).await, Ok(None));
    assert_eq!(firm.intuit.calls().all(Call::Revoke), 1);
    let standing = firm.view(REALM).await.company.standing;
    assert_eq!(standing, Standing::Disconnected);
}
