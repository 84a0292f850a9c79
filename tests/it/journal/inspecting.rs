//! What a second process sees of a journal, and what a check of it finds.

use super::readings::*;
use super::support::*;
use qbo_relay::journal::Inspection;
use qbo_relay::journal::inspect::{Fate, Filter, State};
use qbo_relay::model::{ChangeId, Item, Operation, Outcome, Seq, Settlement};
use rusqlite::Connection;
use std::path::Path;

fn inspect(directory: &Path) -> Inspection {
    Inspection::open(&settings(directory).path).unwrap()
}

async fn example(directory: &Path) {
    let journal = open(directory);
    journal.append(single("1", 1)).await.unwrap();
    journal
        .append(receipt(vec![
            unreadable(50),
            Item::Notification(notification("2", 2)),
        ]))
        .await
        .unwrap();
    journal.append(several("1", [3, 4])).await.unwrap();
    journal.append(several("1", [3, 4])).await.unwrap();
    let ours = lane("erp", "1");
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    let failed = attempt(Outcome::Refused {
        status: 500,
        retry_after: None,
    });
    let dead = Settlement::Dead {
        reason: "given up".into(),
    };
    journal
        .settle(&delivery(&ours, &view), &failed, &dead)
        .await
        .unwrap();
    drain(&journal, &ours).await;
    journal.close().await.unwrap();
}

fn seqs(inspection: &Inspection, filter: &Filter) -> Vec<i64> {
    inspection
        .list(filter)
        .unwrap()
        .iter()
        .map(|listed| listed.seq.0)
        .collect()
}

#[tokio::test]
async fn a_list_shows_what_its_filter_lets_through() {
    let directory = tempfile::tempdir().unwrap();
    example(directory.path()).await;
    let inspection = inspect(directory.path());
    let with = |state| Filter {
        state: Some(state),
        ..Filter::default()
    };
    for (filter, expected) in [
        (Filter::default(), vec![1, 2, 3]),
        (
            Filter {
                limit: Some(2),
                ..Filter::default()
            },
            vec![2, 3],
        ),
        (
            Filter {
                realm: Some(realm("1")),
                ..Filter::default()
            },
            vec![1, 3],
        ),
        (
            Filter {
                kind: Some("INVOICE".into()),
                id: Some("4".into()),
                ..Filter::default()
            },
            vec![3],
        ),
        (
            Filter {
                until: Some(START),
                ..Filter::default()
            },
            vec![],
        ),
        (with(State::Pending), vec![2]),
        (with(State::Dead), vec![1]),
        (with(State::Unreadable), vec![2]),
        (with(State::Delivered), vec![3]),
    ] {
        assert_eq!(seqs(&inspection, &filter), expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_receipt_is_shown_with_its_body_its_repeats_and_its_fate() {
    let directory = tempfile::tempdir().unwrap();
    example(directory.path()).await;
    let inspection = inspect(directory.path());
    let third = inspection.show(Seq(3)).unwrap().unwrap();
    assert_eq!(third.body, several("1", [3, 4]).body);
    assert_eq!(third.headers, several("1", [3, 4]).headers);
    assert!(third.body_is_intact);
    assert_eq!(
        (third.listed.repeats, third.listed.last_repeat_at),
        (1, Some(START))
    );
    assert_eq!(
        third.listed.changes[1].fates,
        [(sink("erp"), Fate::Delivered)]
    );
    let first = inspection.show(Seq(1)).unwrap().unwrap();
    let (_, fate) = &first.listed.changes[0].fates[0];
    assert!(matches!(fate, Fate::Dead { reason, .. } if reason == "given up"));
    assert_eq!(inspection.show(Seq(4)).unwrap(), None);
    let id = ChangeId(identity(4).to_hex());
    assert_eq!(inspection.find(&id).unwrap(), Some(Seq(3)));
}

#[tokio::test]
async fn a_journal_can_be_read_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    let inspection = inspect(directory.path());
    assert_eq!(seqs(&inspection, &Filter::default()), [1]);
    journal.append(single("1", 2)).await.unwrap();
    assert_eq!(seqs(&inspection, &Filter::default()), [1, 2]);
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn an_export_has_a_line_for_each_receipt_and_the_body_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let mut binary = single("1", 2);
    binary.body = vec![0xff, 0xfe].into();
    journal.append(single("1", 1)).await.unwrap();
    journal.append(binary).await.unwrap();
    let mut lines = Vec::new();
    let count = inspect(directory.path())
        .export(&Filter::default(), &mut lines)
        .unwrap();
    assert_eq!(count, 2);
    let lines: Vec<serde_json::Value> = String::from_utf8(lines)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[0]["body"],
        std::str::from_utf8(&single("1", 1).body).unwrap()
    );
    assert_eq!(lines[0]["changes"][0]["id"], identity(1).to_hex());
    assert_eq!(lines[0]["changes"][0]["sinks"][0]["state"], "pending");
    assert_eq!(lines[1]["body_base64"], "//4=");
}

#[tokio::test]
async fn a_check_finds_what_was_changed_by_hand() {
    for (harm, expected) in [
        (
            "UPDATE receipt SET body = x'00' WHERE seq = 3",
            "the body of receipt 3",
        ),
        (
            "DELETE FROM change WHERE seq = 3",
            "receipt 3 says it added 2 changes",
        ),
        (
            "DELETE FROM receipt WHERE seq = 1",
            "change 1 belongs to receipt 1",
        ),
        (
            "UPDATE realm SET sequence = 9 WHERE name = '1'",
            "company 1 counts 9",
        ),
        ("UPDATE lane SET through = 9", "sink erp is at 9"),
        (
            "UPDATE sink SET dead = 9",
            "sink erp counts 9 dead letters, 1 are there",
        ),
        (
            "UPDATE tally SET value = 9 WHERE name = 'unreadable'",
            "9 entries are counted as not understood",
        ),
        (
            "UPDATE dead SET change = 77",
            "a dead letter names change 77",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        example(directory.path()).await;
        let sound = inspect(directory.path()).verify().unwrap();
        assert_eq!(sound.findings, [""; 0]);
        assert_eq!((sound.receipts, sound.changes), (3, 4));
        let connection = Connection::open(settings(directory.path()).path).unwrap();
        assert!(connection.execute(harm, ()).unwrap() > 0, "{harm}");
        let found = inspect(directory.path()).verify().unwrap().findings;
        assert!(
            found.iter().any(|finding| finding.contains(expected)),
            "{harm}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_check_finds_what_does_not_fit_of_companies_and_readings() {
    for (harm, expected) in [
        (
            "UPDATE provenance SET receipt = 77",
            "the provenance of receipt 77",
        ),
        (
            "UPDATE provenance SET authenticity = 'address'",
            "change 2 was read from QuickBooks and its receipt 2 was not",
        ),
        (
            "UPDATE fetched SET change = 77",
            "a record rides along with change 77",
        ),
        (
            "UPDATE company SET reconciled = 9",
            "company 1 is reconciled up to 9 of 2",
        ),
        (
            "UPDATE record SET realm = 9",
            "2 records are held of company 9",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let journal = open(directory.path());
        connect(&journal, "1").await;
        notify(&journal, 1, Operation::Update, 5).await;
        read(&journal, vec![invoice("130", 3, 5), invoice("131", 1, 6)]).await;
        journal.close().await.unwrap();
        let sound = inspect(directory.path()).verify().unwrap();
        assert_eq!(sound.findings, [""; 0]);
        let connection = Connection::open(settings(directory.path()).path).unwrap();
        assert!(connection.execute(harm, ()).unwrap() > 0, "{harm}");
        let found = inspect(directory.path()).verify().unwrap().findings;
        assert!(
            found.iter().any(|finding| finding.contains(expected)),
            "{harm}: {found:?}"
        );
    }
}
