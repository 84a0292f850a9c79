//! Repeats and what only looks like one: without a time, without a signature, or dated in the future.

use super::support::*;
use qbo_relay::journal::inspect::Filter;
use qbo_relay::journal::{Inspection, Journal};
use qbo_relay::model::{
    Authenticity, Change, EventTime, Item, Kept, Notification, Receipt, Seq, SourceScope, Timestamp,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn open_to_till(directory: &Path) -> Journal {
    let journal = open(directory);
    let scope = SourceScope {
        any: true,
        ..SourceScope::default()
    };
    journal.set_scopes(BTreeMap::from([("till".into(), scope)]));
    journal
}

fn by(authenticity: Authenticity, receipt: Receipt) -> Receipt {
    let source = match authenticity {
        Authenticity::Signed => "production",
        _ => "till",
    };
    Receipt {
        source: source.into(),
        authenticity,
        ..receipt
    }
}

fn at(seconds: u64, receipt: Receipt) -> Receipt {
    Receipt {
        received_at: START.plus(Duration::from_secs(seconds)),
        ..receipt
    }
}

async fn head(journal: &Journal, company: &str) -> Vec<Change> {
    let view = journal.lane_view(&lane("erp", company), MANY).await;
    view.unwrap().head
}

/// Its entries, how often it came again, and which entries repeat which receipts.
type Row = (u64, u64, Vec<(u64, Seq)>);

fn listed(directory: &Path) -> Vec<Row> {
    let journal = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(journal.verify().unwrap().findings, [""; 0]);
    let listed = journal.list(&Filter::default()).unwrap();
    let rows = listed.into_iter();
    rows.map(|one| (one.items, one.repeats, one.repeated))
        .collect()
}

/// A legacy entry, which has no id of its own.
fn legacy(company: &str, number: u64, happened: &str, at: Option<Timestamp>) -> Notification {
    Notification {
        sender_id: None,
        happened: EventTime {
            text: happened.into(),
            at,
        },
        ..notification(company, number)
    }
}

fn body(text: &str, notification: Notification) -> Receipt {
    Receipt {
        body: text.to_owned().into(),
        ..receipt(vec![Item::Notification(notification)])
    }
}

#[tokio::test]
async fn what_has_no_time_of_its_own_repeats_nothing_of_another_delivery() {
    let year_1 = Timestamp::from_ms(-62_135_596_800_000);
    let year_9999 = Timestamp::from_ms(253_402_300_799_999);
    for (text, instant) in [
        ("", None),
        ("soon", None),
        ("0001-01-01T00:00:00Z", Some(year_1)),
        (
            "1970-01-01T00:00:00-08:00",
            Some(Timestamp::from_ms(8 * 3_600_000)),
        ),
        ("9999-12-31T23:59:59.999Z", Some(year_9999)),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let journal = open_to_till(directory.path());
        let said = || legacy("1", 5, text, instant);
        for (authenticity, seconds, body_text, is_new) in [
            (Authenticity::Address, 0, "a", true),
            // The sender's own retry.
            (Authenticity::Address, 200, "a", false),
            // The same within another body; another sender; the same body much later.
            (Authenticity::Address, 210, "b", true),
            (Authenticity::Signed, 220, "a", true),
            (Authenticity::Signed, 230, "a", false),
            (Authenticity::Address, 3_600, "a", true),
            (Authenticity::Address, 3_600 + 299, "a", false),
        ] {
            let receipt = by(authenticity, at(seconds, body(body_text, said())));
            let kept = journal.append(receipt).await.unwrap();
            let found = matches!(kept, Kept::New { changes: 1, .. });
            assert_eq!(found, is_new, "{text:?} at {seconds} in {body_text}");
        }
        let head = head(&journal, "1").await;
        let mut ids: Vec<&str> = head.iter().map(|change| &*change.id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4, "each is an event of its own");
        assert!(head.iter().all(|change| !change.late && !change.is_ahead()));
        let repeats: Vec<u64> = listed(directory.path()).iter().map(|one| one.1).collect();
        assert_eq!(repeats, [1, 0, 1, 1]);
        journal.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_has_a_time_is_a_repeat_whatever_else_is_in_the_body_and_is_listed_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open_to_till(directory.path());
    new_seq(journal.append(several("1", [1, 2])).await.unwrap());
    new_seq(journal.append(single("1", 3)).await.unwrap());
    let mixed = several("1", [3, 4, 1]);
    new_seq(journal.append(at(86_400, mixed)).await.unwrap());
    let again = journal.append(several("1", [2, 1])).await.unwrap();
    assert_eq!(again, Kept::Repeat { of: Seq(1) });
    let expected = [
        (2, 1, vec![]),
        (1, 0, vec![]),
        (3, 0, vec![(0, Seq(2)), (2, Seq(1))]),
    ];
    assert_eq!(listed(directory.path()), expected);

    // The receipt that is repeated may be gone: then the repeat is listed itself.
    drain(&journal, &lane("erp", "1")).await;
    let mut settings = settings(directory.path());
    journal.close().await.unwrap();
    let connection = rusqlite::Connection::open(&settings.path).unwrap();
    connection
        .execute_batch(
            "DELETE FROM receipt WHERE seq = 2; UPDATE realm SET pruned = 1; \
             DELETE FROM change WHERE receipt = 2; \
             UPDATE tally SET value = value + 1 WHERE name = 'receipts_pruned'",
        )
        .unwrap();
    drop(connection);
    settings.sinks.push(sink("crm"));
    let journal = Journal::open(settings, START).unwrap();
    let again = journal.append(at(90_000, single("1", 3))).await.unwrap();
    assert_eq!(again, Kept::Repeat { of: Seq(2) });
    let last = listed(directory.path()).pop().unwrap();
    assert_eq!(last, (1, 0, vec![(0, Seq(2))]));
    assert_eq!(head(&journal, "1").await, []);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_signed_notification_of_what_nobody_had_signed_is_an_event_of_its_own() {
    for unsigned in [Authenticity::Address, Authenticity::Credential] {
        let directory = tempfile::tempdir().unwrap();
        let journal = open_to_till(directory.path());
        let mut stored = Vec::new();
        for (authenticity, is_new) in [
            (unsigned, true),
            (unsigned, false),
            (Authenticity::Signed, true),
            (Authenticity::Signed, false),
            (unsigned, false),
            (Authenticity::Signed, false),
        ] {
            let kept = journal.append(by(authenticity, single("1", 7))).await;
            let kept = kept.unwrap();
            assert_eq!(matches!(kept, Kept::New { .. }), is_new, "{authenticity:?}");
            if is_new {
                stored.push(new_seq(kept));
            }
        }
        let [first, second] = &head(&journal, "1").await[..] else {
            panic!("two events");
        };
        assert_eq!((first.sequence, second.sequence), (1, 2));
        assert_eq!(
            (&first.confirms, &second.confirms),
            (&None, &Some(first.id.clone()))
        );
        assert_ne!(first.id, second.id);
        assert_eq!(second.authenticity, Authenticity::Signed);
        assert!(!second.late && !second.conflicting);
        // It is found by its id, and the repeats of each are counted with it.
        let seen = Inspection::open(&settings(directory.path()).path).unwrap();
        assert_eq!(seen.find(&second.id).unwrap(), Some(Seq(stored[1])));
        let repeats: Vec<u64> = listed(directory.path()).iter().map(|one| one.1).collect();
        assert_eq!(repeats.iter().sum::<u64>(), 4);
        journal.close().await.unwrap();

        // And all of it outlasts a restart.
        let journal = open_to_till(directory.path());
        for authenticity in [unsigned, Authenticity::Signed] {
            let kept = journal.append(by(authenticity, single("1", 7))).await;
            assert!(matches!(kept.unwrap(), Kept::Repeat { .. }));
        }
        // The other way round there is nothing to confirm.
        new_seq(journal.append(single("1", 8)).await.unwrap());
        let kept = journal.append(by(unsigned, single("1", 8))).await.unwrap();
        assert!(matches!(kept, Kept::Repeat { .. }));
        journal.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_signed_notification_confirms_what_had_other_content_too() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open_to_till(directory.path());
    let other = |content: u8| {
        let notification = Notification {
            data: Some(content.to_string()),
            ..notification("1", 7)
        };
        receipt(vec![Item::Notification(notification)])
    };
    let unsigned = Authenticity::Credential;
    for receipt in [
        by(unsigned, other(1)),
        by(unsigned, other(2)),
        by(Authenticity::Signed, other(2)),
    ] {
        new_seq(journal.append(receipt).await.unwrap());
    }
    let head = head(&journal, "1").await;
    assert_eq!(head[2].confirms, Some(head[1].id.clone()));
    assert!(head[1].conflicting && !head[2].conflicting);
    let kept = journal.append(other(2)).await.unwrap();
    assert!(matches!(kept, Kept::Repeat { .. }));
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_date_in_the_future_makes_nothing_late_that_happens_after_it_came() {
    let far = Timestamp::from_ms(253_370_764_800_000);
    let soon = START.plus(Duration::from_secs(86_400));
    for (authenticity, dated) in [
        (Authenticity::Address, far),
        (Authenticity::Credential, soon),
        (Authenticity::Signed, far),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let journal = open_to_till(directory.path());
        let of_record = |number: u64, dated: Timestamp| {
            let mut said = notification("1", number);
            said.entity.id = "9".into();
            said.happened.at = Some(dated);
            receipt(vec![Item::Notification(said)])
        };
        let said = by(authenticity, of_record(1, dated));
        new_seq(journal.append(said).await.unwrap());
        let next = START.plus(Duration::from_secs(400));
        new_seq(journal.append(at(400, of_record(2, next))).await.unwrap());
        // One that is older than what came before is late all the same.
        new_seq(journal.append(at(500, of_record(3, START))).await.unwrap());
        let head = head(&journal, "1").await;
        let marks: Vec<(bool, bool)> = head.iter().map(|it| (it.late, it.is_ahead())).collect();
        assert_eq!(marks, [(false, true), (false, false), (true, false)]);
        journal.close().await.unwrap();
    }
}
