//! Which companies are let in, and which are forgotten again.

use super::support::*;
use qbo_relay::journal::inspect::Filter;
use qbo_relay::journal::{Inspection, Journal};
use qbo_relay::model::{Authenticity, Item, Kept, Limits, Receipt, SourceScope, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The same from a client that does not sign.
fn by_till(receipt: Receipt) -> Receipt {
    Receipt {
        source: "till".into(),
        authenticity: Authenticity::Credential,
        ..receipt
    }
}

async fn changes(journal: &Journal, receipt: Receipt) -> u32 {
    match journal.append(receipt).await.unwrap() {
        Kept::New { changes, .. } => changes,
        Kept::Repeat { of } => panic!("a repeat of {of}"),
    }
}

/// Why entries were not understood, in order.
fn reasons(directory: &Path) -> Vec<String> {
    let journal = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(journal.verify().unwrap().findings, [""; 0]);
    let listed = journal.list(&Filter::default()).unwrap();
    let entries = listed.into_iter().flat_map(|listed| listed.unreadable);
    entries.map(|entry| entry.why).collect()
}

fn scope(journal: &Journal, scope: SourceScope) {
    journal.set_scopes(BTreeMap::from([("till".into(), scope)]));
}

fn limited(directory: &Path, companies_max: u64) -> Journal {
    let mut settings = settings(directory);
    settings.limits = Limits {
        companies_max,
        ..Limits::default()
    };
    Journal::open(settings, START).unwrap()
}

#[tokio::test]
async fn a_client_that_does_not_sign_speaks_of_companies_that_somebody_vouches_for() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let seq = new_seq(journal.append(by_till(single("1", 1))).await.unwrap());
    assert_eq!(seq, 1);
    assert_eq!(journal.snapshot().await.unwrap().companies, 0);
    let reasons = reasons(directory.path());
    for part in [
        "company 1 ",
        "source \"till\"",
        "`companies` of the [[source]]",
    ] {
        assert!(reasons[0].contains(part), "{reasons:?}");
    }
    // Its retry is known for one and not kept again.
    let again = journal.append(by_till(single("1", 1))).await.unwrap();
    assert_eq!(
        again,
        Kept::Repeat {
            of: qbo_relay::model::Seq(1)
        }
    );

    // What was refused is no repeat when it comes once the company is known.
    assert_eq!(changes(&journal, single("1", 2)).await, 1);
    assert_eq!(changes(&journal, by_till(single("1", 1))).await, 1);
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [1, 2]);

    // One of two in the same body.
    let both = receipt(vec![
        Item::Notification(notification("1", 3)),
        Item::Notification(notification("2", 4)),
    ]);
    assert_eq!(changes(&journal, by_till(both)).await, 1);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.companies, snapshot.unreadable), (1, 2));
    assert_eq!(
        (snapshot.refused.changes, snapshot.refused.over_limit),
        (2, None)
    );
    journal.close().await.unwrap();
}

#[tokio::test]
async fn what_the_configuration_lists_is_let_in_and_any_up_to_a_number() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let listed = SourceScope {
        listed: [realm("7")].into(),
        ..SourceScope::default()
    };
    scope(&journal, listed);
    assert_eq!(changes(&journal, by_till(single("7", 1))).await, 1);
    assert_eq!(changes(&journal, by_till(single("8", 2))).await, 0);
    // Another client does not profit from it.
    let other = Receipt {
        source: "other".into(),
        ..by_till(single("7", 3))
    };
    assert_eq!(changes(&journal, other).await, 0);

    let any = SourceScope {
        any: true,
        companies_max: 3,
        ..SourceScope::default()
    };
    scope(&journal, any.clone());
    let all = receipt(
        (10..20)
            .map(|number| Item::Notification(notification(&number.to_string(), number)))
            .collect(),
    );
    // One was named before.
    assert_eq!(changes(&journal, by_till(all)).await, 2);
    assert_eq!(changes(&journal, by_till(single("20", 20))).await, 0);
    // Those that are known go on.
    assert_eq!(changes(&journal, by_till(single("10", 30))).await, 1);
    // A signed notification vouches for one, which makes room.
    assert_eq!(changes(&journal, single("10", 31)).await, 1);
    assert_eq!(changes(&journal, by_till(single("20", 32))).await, 1);
    assert_eq!(changes(&journal, by_till(single("21", 33))).await, 0);
    let said = reasons(directory.path());
    assert!(said.last().unwrap().contains("companies_max"), "{said:?}");
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_signed_notification_is_refused_a_company_only_beyond_all_that_there_may_be() {
    let directory = tempfile::tempdir().unwrap();
    let journal = limited(directory.path(), 3);
    for number in 1..=3 {
        assert_eq!(
            changes(&journal, single(&number.to_string(), number)).await,
            1
        );
    }
    assert_eq!(journal.snapshot().await.unwrap().refused.over_limit, None);
    for number in 4..=5 {
        assert_eq!(
            changes(&journal, single(&number.to_string(), number)).await,
            0
        );
    }
    // Those that are known go on.
    assert_eq!(changes(&journal, single("3", 6)).await, 1);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!(snapshot.companies, 3);
    assert_eq!(
        (snapshot.refused.changes, snapshot.refused.over_limit),
        (2, Some(3))
    );
    let told = snapshot
        .events
        .iter()
        .filter(|event| event.kind == "companies");
    assert_eq!(told.count(), 1);
    assert!(reasons(directory.path())[0].contains("raise companies_max"));
    journal.close().await.unwrap();

    let journal = limited(directory.path(), 4);
    assert_eq!(journal.snapshot().await.unwrap().refused.over_limit, None);
    // Intuit's retry of what was refused.
    assert_eq!(changes(&journal, single("4", 4)).await, 1);
    assert_eq!(journal.snapshot().await.unwrap().refused.over_limit, None);
    assert_eq!(changes(&journal, single("6", 7)).await, 0);
    assert_eq!(
        journal.snapshot().await.unwrap().refused.over_limit,
        Some(4)
    );
    journal.close().await.unwrap();
}

async fn tidy_all(journal: &Journal, now: Timestamp) {
    while journal.tidy(now).await.unwrap().more {}
}

#[tokio::test]
async fn a_company_of_which_nothing_is_left_is_forgotten_and_its_numbers_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let journal = limited(directory.path(), 3);
    for number in 1..=3 {
        changes(
            &journal,
            several(&number.to_string(), [number, number + 10]),
        )
        .await;
    }
    for company in ["1", "2"] {
        assert_eq!(drain(&journal, &lane("erp", company)).await, [1, 2]);
    }
    let later = START.plus(Duration::from_secs(31 * 86_400));
    let at_that_time = |receipt: Receipt| Receipt {
        received_at: later,
        ..receipt
    };
    assert_eq!(changes(&journal, at_that_time(single("4", 20))).await, 0);
    tidy_all(&journal, later).await;
    // The third waits for its sink.
    assert_eq!(journal.snapshot().await.unwrap().companies, 1);
    assert_eq!(journal.snapshot().await.unwrap().refused.over_limit, None);

    // Who was vouched for may be spoken of again, and nothing is told twice or left out.
    assert_eq!(
        changes(&journal, at_that_time(by_till(single("1", 21)))).await,
        1
    );
    assert_eq!(changes(&journal, at_that_time(single("5", 22))).await, 1);
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [3]);
    assert_eq!(drain(&journal, &lane("erp", "5")).await, [1]);
    assert_eq!(drain(&journal, &lane("erp", "3")).await, [1, 2]);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.companies, snapshot.waiting), (3, 0));
    journal.close().await.unwrap();
    reasons(directory.path());

    // A sink that is new after that gets what comes from now on.
    let mut settings = settings(directory.path());
    settings.sinks.push(sink("crm"));
    let journal = Journal::open(settings, later).unwrap();
    changes(&journal, at_that_time(single("2", 23))).await;
    for name in ["erp", "crm"] {
        assert_eq!(drain(&journal, &lane(name, "2")).await, [3]);
        assert_eq!(drain(&journal, &lane(name, "1")).await, [0_u64; 0]);
    }
    journal.close().await.unwrap();
    reasons(directory.path());
}
