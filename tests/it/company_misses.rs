//! Polls for element instances that fail and fail: they are stopped, and it is said wherever somebody
//! may look.

use crate::support::firm::{Firm, REALM, polling, realm};
use qbo_relay::model::{InstanceDraft, Interest, Polling};
use qbo_relay::rules::company::{InstancePolls, MISSES_MAX};
use qbo_relay::simulate::intuit_company::Call;
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(900);

/// Bills are polled by the configuration, invoices for an instance.
async fn firm() -> Firm {
    let firm = Firm::running(polling(&["Bill"])).await;
    let polled = Polling {
        kinds: ["Invoice".to_owned()].into(),
        interval: EVERY,
    };
    let draft = InstanceDraft {
        realm: realm(REALM),
        name: "books".into(),
        tags: Vec::new(),
        token_digest: [7; 32],
        sealed: Vec::new(),
        events: Some(Interest {
            webhook: false,
            polling: Some(polled),
            calls_back: false,
        }),
    };
    let now = firm.view(REALM).await.company.connected_at;
    firm.journal
        .create_instance(draft, None, now)
        .await
        .unwrap();
    let wishes = InstancePolls {
        polls: [("Invoice".to_owned(), EVERY)].into(),
        ..InstancePolls::default()
    };
    firm.polls.send_replace([(realm(REALM), wishes)].into());
    until_polled(&firm, "Invoice").await;
    firm
}

async fn until_polled(firm: &Firm, kind: &str) {
    let now = Some(firm.now());
    firm.until("it is polled", || async {
        let view = firm.view(REALM).await;
        view.watermarks.get(kind).and_then(|mark| mark.polled_at) == now
    })
    .await;
}

/// QuickBooks answers nothing but renewals of tokens for so many polls.
async fn fail(firm: &Firm, times: u32) {
    let fault = || Rule::new(Fault::Status { status: 503 }).of(REALM);
    firm.intuit.faults().add(fault().on(Call::Capture));
    firm.intuit.faults().add(fault().on(Call::Query));
    let calls = || firm.calls(REALM, Call::Capture) + firm.calls(REALM, Call::Query);
    for _ in 0..times {
        let before = calls();
        firm.forward(EVERY);
        let now = firm.now();
        firm.until("a poll fails", || async {
            let hindrance = firm.hindrance(REALM);
            calls() > before && hindrance.is_some_and(|one| one.until > Some(now))
        })
        .await;
    }
    firm.intuit.faults().clear();
}

async fn stopped(firm: &Firm) -> Option<String> {
    let instances = firm.journal.instances().await.unwrap();
    let stopped = instances.into_iter().next().unwrap().polling_stopped;
    stopped.map(|(_, why)| why)
}

#[tokio::test]
async fn a_hundred_failures_in_a_row_stop_the_polls_of_instances_and_no_others() {
    let firm = firm().await;
    fail(&firm, MISSES_MAX).await;
    firm.until("it is stopped", || async { stopped(&firm).await.is_some() })
        .await;
    let why = stopped(&firm).await.unwrap();
    assert!(
        why.starts_with("100 polls failed in a row") && why.contains("503"),
        "{why}"
    );
    let events = firm.events();
    let is_told = |text: &String| text.contains(REALM) && text.contains(&why);
    assert!(events.iter().any(is_told), "{events:?}");

    // As the roof does, which looks into the journal.
    let wishes = InstancePolls {
        stopped: Some((firm.now(), why.clone())),
        ..InstancePolls::default()
    };
    firm.polls.send_replace([(realm(REALM), wishes)].into());
    // The reading that had begun goes on to its end; the next one is without invoices.
    for _ in 0..2 {
        firm.forward(EVERY);
        until_polled(&firm, "Bill").await;
    }
    firm.until("the status says it", || async {
        let told = firm.health(REALM).and_then(|health| health.polling_stopped);
        told.is_some_and(|(_, told)| told == why)
    })
    .await;
    let view = firm.view(REALM).await;
    let polled_at = |kind: &str| view.watermarks[kind].polled_at;
    assert!(polled_at("Invoice") < polled_at("Bill"));
}

#[tokio::test]
async fn one_success_and_counting_begins_anew() {
    let firm = firm().await;
    fail(&firm, MISSES_MAX - 1).await;
    firm.forward(EVERY);
    until_polled(&firm, "Invoice").await;
    firm.forward(MINUTE);
    fail(&firm, 2).await;
    firm.forward(EVERY);
    until_polled(&firm, "Invoice").await;
    assert_eq!(stopped(&firm).await, None);
}
