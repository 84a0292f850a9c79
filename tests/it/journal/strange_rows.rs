//! Rows with values that nobody wrote: set aside once and served again, whatever kind of value it is.

use super::displaced::reopen;
use super::readings::connect;
use super::salvaging::notified;
use super::support::*;
use qbo_relay::journal::{Error, Found, Journal};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;

/// Writes a value that the tables' own rules would refuse, as a turned bit does.
fn spoil(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let edit = |from: &str, to: &str| {
        connection
            .execute_batch(&format!(
                "PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') WHERE type = 'table'; \
                 PRAGMA writable_schema = RESET; PRAGMA ignore_check_constraints = ON; \
                 PRAGMA foreign_keys = OFF"
            ))
            .unwrap();
    };
    edit(") STRICT", ")/*S*/");
    connection.execute_batch(sql).unwrap();
    edit(")/*S*/", ") STRICT");
}

/// A journal with work of every kind, closed.
async fn prepared(directory: &Path) {
    let journal = open(directory);
    connect(&journal, "1").await;
    for number in 0..6 {
        journal.append(notified("1", number)).await.unwrap();
        journal.append(notified("2", 100 + number)).await.unwrap();
    }
    drain(&journal, &lane("erp", "2")).await;
    journal.close().await.unwrap();
}

/// Asks everything that a relay asks; an error when the journal broke of it.
async fn use_it(journal: &Journal, number: i64) -> Result<(), Error> {
    journal.snapshot().await?;
    journal.companies().await?;
    for one in journal.lanes().await? {
        journal.lane_view(&one, MANY).await?;
        drain_or_break(journal, &one).await?;
    }
    journal.append(notified("1", number)).await?;
    drain_or_break(journal, &lane("erp", "1")).await?;
    journal.tidy(START).await?;
    Ok(())
}

async fn drain_or_break(journal: &Journal, lane: &qbo_relay::model::Lane) -> Result<(), Error> {
    use qbo_relay::model::{Outcome, Settlement};
    loop {
        let view = journal.lane_view(lane, MANY).await?;
        if view.head.is_empty() {
            return Ok(());
        }
        let accepted = attempt(Outcome::Accepted);
        let done = delivery(lane, &view);
        journal
            .settle(&done, &accepted, &Settlement::Delivered)
            .await?;
    }
}

#[tokio::test]
async fn a_value_that_nobody_wrote_costs_one_start_at_most() {
    for sql in [
        "UPDATE seen SET identity = 'abc' WHERE row = 3",
        "UPDATE seen SET identity = x'00' WHERE row = 3",
        "UPDATE seen SET record = 1.5 WHERE row = 3",
        "UPDATE receipt SET received_at = 'x' WHERE seq = 3",
        "UPDATE receipt SET headers = x'ff' WHERE seq = 3",
        "UPDATE sink SET name = x'ff'",
        "UPDATE sink SET name = ''",
        "UPDATE sink SET configured = 7",
        "UPDATE lane SET through = 'x'",
        "UPDATE lane SET attempts = -1",
        "UPDATE realm SET name = '' WHERE id = 1",
        "UPDATE realm SET name = x'ff' WHERE id = 1",
        "UPDATE realm SET sequence = 'many' WHERE id = 1",
        "UPDATE change SET identity = 1 WHERE seq = 3",
        "UPDATE change SET origin = 'weird' WHERE seq = 3",
        "UPDATE company SET standing = 'odd'",
        "UPDATE company SET app = x'ff'",
        "UPDATE company SET told_from = 'x'",
        "UPDATE event SET at = 'x'",
        "DELETE FROM tally",
        "UPDATE tally SET value = 'x'",
        "DELETE FROM sqlite_sequence",
        "DROP TABLE event",
        "DROP VIEW route",
        "PRAGMA user_version = 1",
        "PRAGMA user_version = 1048576",
        "PRAGMA application_id = 1",
    ] {
        let directory = tempfile::tempdir().unwrap();
        prepared(directory.path()).await;
        spoil(&settings(directory.path()).path, sql);
        let mut set_aside = 0;
        for start in 0.. {
            let journal = reopen(directory.path(), sql);
            set_aside += u32::from(matches!(journal.found(), Found::Damaged { .. }));
            match use_it(&journal, 1000 + start).await {
                Ok(()) => break,
                Err(error) => assert!(start < 1, "{sql}: {error}"),
            }
        }
        assert!(set_aside <= 1, "{sql}");
    }
}

#[tokio::test]
async fn a_change_that_is_not_what_came_never_leaves_as_it_is() {
    let mut as_they_came = Vec::new();
    {
        let directory = tempfile::tempdir().unwrap();
        prepared(directory.path()).await;
        let journal = open(directory.path());
        tell(&journal, &mut as_they_came).await.unwrap();
    }
    assert_eq!(as_they_came.len(), 6);
    for sql in [
        "UPDATE change SET entity = '999' WHERE seq = 3",
        "UPDATE change SET kind = 'Bill' WHERE seq = 3",
        "UPDATE change SET operation = 'Delete' WHERE seq = 3",
        "UPDATE change SET data = '{}' WHERE seq = 3",
        "UPDATE change SET identity = x'00112233445566778899aabbccddeeff' WHERE seq = 3",
        "UPDATE change SET content = content + 1 WHERE seq = 3",
        "UPDATE change SET sequence = 77 WHERE seq = 11",
        "UPDATE change SET happened_at = 1 WHERE seq = 3",
        "UPDATE change SET origin = 'poll' WHERE seq = 3",
        "UPDATE realm SET name = '4' WHERE name = '1'",
        "UPDATE receipt SET body = x'5b5d' WHERE seq = 3",
    ] {
        let directory = tempfile::tempdir().unwrap();
        prepared(directory.path()).await;
        spoil(&settings(directory.path()).path, sql);
        let mut all = Vec::new();
        let mut starts = 0;
        while let Err(error) = tell(&reopen(directory.path(), sql), &mut all).await {
            starts += 1;
            assert!(starts < 2, "{sql}: {error} at each start");
        }
        for (company, what, sequence) in &all {
            // What is decoded again is told under its old id with a number of its own.
            let is_one = |one: &&(String, String, u64)| (&one.0, &one.1) == (company, what);
            assert!(
                as_they_came.iter().any(|one| is_one(&one)),
                "{sql}: {what} leaves"
            );
            assert_ne!(*sequence, 77, "{sql}");
        }
        let ids: BTreeSet<&String> = all.iter().map(|(_, what, _)| what).collect();
        assert!(ids.len() >= 5, "{sql}: {all:?}");
    }
}

/// Delivers what waits for the sink, with the body that came; adds company, record and number of each.
async fn tell(journal: &Journal, told: &mut Vec<(String, String, u64)>) -> Result<(), Error> {
    use qbo_relay::model::{Outcome, Settlement};
    for one in journal.lanes().await? {
        loop {
            let view = journal.lane_view(&one, ONE).await?;
            let Some(change) = view.head.first() else {
                break;
            };
            let notification = &change.notification;
            told.push((
                notification.realm.to_string(),
                format!(
                    "{} {} {}",
                    notification.entity,
                    notification.operation.as_str(),
                    change.id.0
                ),
                change.sequence,
            ));
            let accepted = attempt(Outcome::Accepted);
            let done = delivery(&one, &view);
            journal
                .settle(&done, &accepted, &Settlement::Delivered)
                .await?;
        }
    }
    Ok(())
}
