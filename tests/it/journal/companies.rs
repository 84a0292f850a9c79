//! Companies that are read: connecting, tokens, standing, calls, and what a restart knows.

use super::readings::*;
use super::support::*;
use qbo_relay::journal::inspect::Filter;
use qbo_relay::journal::{Error, Inspection, Journal};
use qbo_relay::model::{AppName, Company, Ends, Operation, Standing, Timestamp};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::time::Duration;

const SECRET: &[u8] = b"sealed-but-still-nobody-else's";

fn ends(seconds: i64) -> Ends {
    Ends {
        access: after(seconds),
        refresh: after(seconds + 100),
        hard: Some(after(seconds + 1000)),
    }
}

fn needs_a_person() -> Standing {
    Standing::NeedsAuthorization {
        why: "the refresh token was refused".into(),
    }
}

async fn only_company(journal: &Journal) -> Company {
    let companies = journal.companies().await.unwrap();
    assert_eq!(companies.len(), 1);
    companies[0].clone()
}

async fn newest_event(journal: &Journal) -> String {
    let snapshot = journal.snapshot().await.unwrap();
    snapshot.events[0].text.clone()
}

#[tokio::test]
async fn a_connected_company_and_its_tokens_are_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    assert_eq!(journal.companies().await.unwrap(), []);
    assert_eq!(journal.company_view(&realm("1")).await.unwrap(), None);
    assert_eq!(journal.sealed_tokens(&realm("1")).await.unwrap(), None);
    let mut noticed = journal.subscribe_companies();
    connect(&journal, "1").await;
    noticed.changed().await.unwrap();
    let event = newest_event(&journal).await;
    assert_eq!(event, "company 1 was connected to app books (sandbox)");
    journal
        .store_tokens(&realm("1"), SECRET.to_vec(), ends(50))
        .await
        .unwrap();
    journal.close().await.unwrap();

    let journal = open(directory.path());
    let expected = Company {
        access_expires_at: Some(after(50)),
        refresh_expires_at: Some(after(150)),
        hard_expires_at: Some(after(1050)),
        ..company("1")
    };
    assert_eq!(only_company(&journal).await, expected);
    let tokens = journal.sealed_tokens(&realm("1")).await.unwrap();
    assert_eq!(tokens.as_deref(), Some(SECRET));
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    assert_eq!((view.company, view.told_from), (expected, START));
    assert_eq!((view.newest, view.reconciled), (0, 0));
    assert!(view.notified.is_empty() && view.watermarks.is_empty());
    assert_eq!((view.swept_at, view.gap), (None, None));
}

#[tokio::test]
async fn what_was_notified_before_the_connecting_does_not_wait_to_be_reconciled() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    notify(&journal, 1, Operation::Update, -5).await;
    connect(&journal, "1").await;
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    assert_eq!((view.newest, view.reconciled), (1, 1));
    assert_eq!(view.notified, []);
    let lanes = journal.lanes().await.unwrap();
    assert_eq!(lanes, [lane("erp", "1")]);
}

#[tokio::test]
async fn tokens_are_stored_for_connected_companies_only_and_forgotten_with_them() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    let ours = realm("1");
    let refused = Err(Error::NotConnected("1".into()));
    let store = async || journal.store_tokens(&ours, SECRET.to_vec(), ends(1)).await;
    let stand = async |standing| journal.set_standing(&ours, standing, after(9)).await;
    assert_eq!(store().await, refused);
    assert_eq!(stand(needs_a_person()).await, refused);
    connect(&journal, "1").await;
    store().await.unwrap();
    stand(needs_a_person()).await.unwrap();
    store().await.unwrap();
    stand(Standing::Disconnected).await.unwrap();
    assert_eq!(store().await, refused);
    assert_eq!(stand(Standing::Connected).await, refused);
    assert_eq!(journal.sealed_tokens(&ours).await.unwrap(), None);
    let company = only_company(&journal).await;
    assert_eq!(company.standing, Standing::Disconnected);
    assert_eq!(company.access_expires_at, None);
}

#[tokio::test]
async fn a_change_of_standing_is_an_event_and_says_since_when() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    let mut woken = journal.subscribe(&realm("1"));
    stand(&journal, "1", needs_a_person(), 10).await;
    woken.changed().await.unwrap();
    stand(&journal, "1", needs_a_person(), 20).await;
    let company = only_company(&journal).await;
    assert_eq!(company.standing, needs_a_person());
    assert_eq!(company.standing_since, after(10));
    assert_eq!(journal.snapshot().await.unwrap().events.len(), 2);
    let event = newest_event(&journal).await;
    assert!(
        event.ends_with("again: the refresh token was refused"),
        "{event}"
    );
    stand(&journal, "1", Standing::Disconnected, 30).await;
    assert_eq!(newest_event(&journal).await, "company 1 was disconnected");
}

#[tokio::test]
async fn a_company_that_is_connected_again_goes_on_where_it_stood_and_has_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    connect(&journal, "2").await;
    notify(&journal, 1, Operation::Update, 5).await;
    let poll = qbo_relay::model::Reading {
        watermarks: vec![("Invoice".into(), after(60))],
        ..reading(qbo_relay::model::Purpose::Poll, Vec::new())
    };
    journal.reconcile(poll).await.unwrap();
    stand(&journal, "1", needs_a_person(), 4000).await;
    let again = company("1");
    journal
        .connect_company(again, b"new".to_vec(), after(9000))
        .await
        .unwrap();
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    assert_eq!(view.company.standing, Standing::Connected);
    assert_eq!(view.company.connected_at, after(9000));
    assert_eq!(view.told_from, START);
    assert_eq!(
        (view.notified.len(), view.watermarks["Invoice"].at),
        (1, after(60))
    );
    let gap = view.gap.unwrap();
    assert_eq!((gap.since, gap.until), (after(4000), after(9000)));
    assert_eq!(gap.cause, "unauthorized");
    let other = journal.company_view(&realm("2")).await.unwrap().unwrap();
    assert_eq!(other.gap, None, "it does not concern the other company");
    let tokens = journal.sealed_tokens(&realm("1")).await.unwrap();
    assert_eq!(tokens, Some(b"new".to_vec()));

    // Connected while it is connected: nothing was missed.
    journal
        .connect_company(company("2"), b"new".to_vec(), after(9000))
        .await
        .unwrap();
    let other = journal.company_view(&realm("2")).await.unwrap().unwrap();
    assert_eq!((other.gap, other.told_from), (None, START));
}

#[tokio::test]
async fn calls_are_counted_for_each_app_and_month_and_two_years_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let app = |name: &str| AppName::new(name).unwrap();
    let (books, other) = (app("books"), app("other"));
    journal.spend(&books, "2026-11", 7).await.unwrap();
    journal.spend(&books, "2026-11", 5).await.unwrap();
    journal.spend(&other, "2026-11", 1).await.unwrap();
    for month in 1..=12 {
        for year in [2024, 2025] {
            let month = format!("{year}-{month:02}");
            journal.spend(&books, &month, 100).await.unwrap();
        }
    }
    for (app, month, calls) in [
        (&books, "2026-11", 12),
        (&other, "2026-11", 1),
        (&books, "2026-12", 0),
        (&books, "2025-01", 100),
        (&books, "2024-02", 100),
        (&books, "2024-01", 0),
    ] {
        let spent = journal.spent(app, month).await.unwrap();
        assert_eq!(spent, calls, "{app} {month}");
    }
}

#[tokio::test]
async fn a_restart_knows_when_the_journal_was_last_alive() {
    let directory = tempfile::tempdir().unwrap();
    let reopen = |journal: Journal| async {
        journal.close().await.unwrap();
        open(directory.path())
    };
    let journal = open(directory.path());
    assert_eq!(journal.last_alive(), None);
    journal.append(single("1", 1)).await.unwrap();
    let journal = reopen(journal).await;
    assert_eq!(journal.last_alive(), Some(START));
    let view = journal.lane_view(&lane("erp", "1"), ONE).await.unwrap();
    let delivered = qbo_relay::model::Attempt {
        at: after(5),
        ..attempt(qbo_relay::model::Outcome::Accepted)
    };
    let settled = qbo_relay::model::Settlement::Delivered;
    let delivery = delivery(&lane("erp", "1"), &view);
    journal
        .settle(&delivery, &delivered, &settled)
        .await
        .unwrap();
    let journal = reopen(journal).await;
    assert_eq!(journal.last_alive(), Some(after(5)));
    let stop = qbo_relay::journal::Event {
        at: after(9),
        kind: "stop".into(),
        text: "told to stop".into(),
    };
    journal.note(stop).await.unwrap();
    assert_eq!(journal.last_alive(), Some(after(5)), "as it was found");
    let journal = reopen(journal).await;
    assert_eq!(journal.last_alive(), Some(after(9)));
}

#[tokio::test]
async fn no_export_list_or_page_shows_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    let ours = realm("1");
    journal
        .store_tokens(&ours, SECRET.to_vec(), ends(1))
        .await
        .unwrap();
    notify(&journal, 1, Operation::Update, 5).await;
    read(&journal, vec![invoice("130", 3, 5), invoice("131", 1, 6)]).await;
    let inspection = Inspection::open(&settings(directory.path()).path).unwrap();
    let mut lines = Vec::new();
    inspection.export(&Filter::default(), &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let secret = std::str::from_utf8(SECRET).unwrap();
    let listed = inspection.list(&Filter::default()).unwrap();
    let view = journal.company_view(&ours).await.unwrap();
    let all = format!("{lines}{listed:?}{view:?}{:?}", journal.companies().await);
    assert!(!all.contains(secret) && !all.contains("sealed"));
    let mut lines = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let (notified, read) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(notified["changes"][0]["record"], invoice("130", 3, 5).body);
    assert_eq!(read["authenticity"], "fetched");
    assert_eq!(read["changes"][0]["origin"], "capture");
    assert_eq!(read["body"], format!("[{}]", invoice("131", 1, 6).body));
}

/// A journal as version 1 left it, with one delivered and one waiting change.
fn version_1(directory: &Path) {
    let path = settings(directory).path;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = Connection::open(&path).unwrap();
    for (pragma, value) in [("auto_vacuum", 2), ("application_id", 0x5142_4f52)] {
        connection.pragma_update(None, pragma, value).unwrap();
    }
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    connection
        .execute_batch(include_str!("../../../src/journal/schema.sql"))
        .unwrap();
    connection
        .execute_batch(&format!(
            "INSERT INTO sink VALUES (1, 'erp', 1, {at}, NULL, NULL);
             INSERT INTO realm VALUES (1, '1', 2, 0);
             INSERT INTO receipt VALUES (1, {at}, 'production', 'cloudevents', 2, 1, 2, 0, '[]',
                 x'4f53cda18c2baa0c0354bb5f9a3ecbe5', x'5b5d');
             INSERT INTO lane VALUES (1, 1, 1, {at}, 0, NULL, NULL, NULL);
             INSERT INTO event (at, kind, text) VALUES ({at}, 'start', 'version 1');",
            at = START.as_ms()
        ))
        .unwrap();
    for number in 1..=2_u64 {
        let at = START.as_ms();
        connection
            .execute(
                "INSERT INTO change VALUES (?1, 1, ?1 - 1, 1, ?1, 'Invoice', ?2, 'Update', \
                 '2026-11-21T05:04:35Z', ?3, NULL, 'qbo.invoice.updated.v1', ?4, NULL, 'webhook', \
                 0, 0, ?5, ?6)",
                rusqlite::params![
                    number.cast_signed(),
                    number.to_string(),
                    at,
                    format!("event-{number}"),
                    identity(number).0,
                    notification("1", number).content.cast_signed(),
                ],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO seen VALUES (?1, ?2, 1, ?4, ?3, NULL, NULL)",
                rusqlite::params![
                    number.cast_signed(),
                    at,
                    identity(number).0,
                    notification("1", number).content.cast_signed(),
                ],
            )
            .unwrap();
    }
    connection.pragma_update(None, "user_version", 1).unwrap();
}

#[tokio::test]
async fn a_journal_of_version_1_is_brought_forward_with_everything_in_it() {
    let directory = tempfile::tempdir().unwrap();
    version_1(directory.path());
    let path = settings(directory.path()).path;
    let refused = Inspection::open(&path).err().unwrap().to_string();
    assert!(
        refused.contains("older format 1; `run` brings it forward"),
        "{refused}"
    );

    let journal = open(directory.path());
    assert_eq!(journal.last_alive(), Some(START));
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [2]);
    let repeat = journal.append(several("1", [1, 2])).await.unwrap();
    assert!(matches!(repeat, qbo_relay::model::Kept::Repeat { .. }));
    journal.append(single("1", 3)).await.unwrap();
    connect(&journal, "1").await;
    let done = journal.reconcile(reading(
        qbo_relay::model::Purpose::Sweep,
        vec![invoice("130", 3, 5)],
    ));
    assert_eq!(done.await.unwrap(), counts(1, 0, 0));
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [3, 4]);
    journal.close().await.unwrap();
    let inspection = Inspection::open(&path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
    let events = inspection.events(10).unwrap();
    assert_eq!(events.last().unwrap().text, "version 1");
}

#[tokio::test]
async fn what_cannot_be_read_any_more_is_forgotten_and_what_is_compared_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    let mut list = reading(qbo_relay::model::Purpose::Sweep, Vec::new());
    list.records = vec![only_id("TimeActivity", "1")];
    list.complete = vec!["TimeActivity".into()];
    journal.reconcile(list).await.unwrap();
    let days = |days: i64| after(days * 86_400);
    let many: Vec<_> = (0..1200)
        .map(|number| invoice(&number.to_string(), 1, 5))
        .collect();
    read(&journal, many).await;
    read(&journal, vec![invoice("5000", 1, 30 * 86_400)]).await;
    drain(&journal, &lane("erp", "1")).await;
    let rows = || -> i64 {
        let connection = Connection::open(settings(directory.path()).path).unwrap();
        connection
            .query_row("SELECT count(*) FROM record", (), |row| row.get(0))
            .unwrap()
    };
    let tidy = async |now: Timestamp| while journal.tidy(now).await.unwrap().more {};
    tidy(days(39)).await;
    assert_eq!(rows(), 1202);
    tidy(days(41)).await;
    assert_eq!(rows(), 2);
    // Once a day is enough.
    read(&journal, vec![invoice("5001", 1, 7)]).await;
    tidy(days(41).plus(Duration::from_secs(3600))).await;
    assert_eq!(rows(), 3);
}
