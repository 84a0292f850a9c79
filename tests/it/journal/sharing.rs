//! Clients that do not sign share the journal with what is signed, and never use up its part.

use super::support::*;
use qbo_relay::journal::{Error, Inspection, Journal, Settings};
use qbo_relay::model::{Authenticity, Kept, Limits, Receipt, SourceScope};
use std::collections::BTreeMap;
use std::path::Path;

const MIB: u64 = 1 << 20;

fn small(directory: &Path) -> Journal {
    let settings = Settings {
        bytes_max: 16 * MIB,
        ..settings(directory)
    };
    let journal = Journal::open(settings, START).unwrap();
    let scope = SourceScope {
        any: true,
        ..SourceScope::default()
    };
    journal.set_scopes(BTreeMap::from([
        ("till".into(), scope.clone()),
        ("other".into(), scope),
    ]));
    journal
}

fn big(source: &str, company: &str, number: u64) -> Receipt {
    let authenticity = match source {
        "production" => Authenticity::Signed,
        _ => Authenticity::Credential,
    };
    Receipt {
        source: source.into(),
        authenticity,
        body: vec![b'x'; 100 << 10].into(),
        ..single(company, number)
    }
}

/// Delivers until it is refused; how many were taken.
async fn flood(journal: &Journal, source: &str, company: &str, first: u64) -> u64 {
    for number in first..first + 1_000 {
        match journal.append(big(source, company, number)).await {
            Ok(Kept::New { .. }) => {}
            Err(Error::Share) => return number - first,
            other => panic!("{other:?}"),
        }
    }
    panic!("never refused");
}

fn sound(directory: &Path) {
    let path = settings(directory).path;
    let seen = Inspection::open(&path).unwrap().verify().unwrap();
    assert_eq!(seen.findings, [""; 0]);
}

#[tokio::test]
async fn a_flood_is_refused_at_its_share_and_what_is_signed_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let journal = small(directory.path());
    for number in 0..20 {
        new_seq(
            journal
                .append(big("production", "1", number))
                .await
                .unwrap(),
        );
    }
    drain(&journal, &lane("erp", "1")).await;
    // Nobody takes what the flood brings.
    let taken = flood(&journal, "till", "2", 1_000).await;
    assert!((30..=41).contains(&taken), "{taken} of 100 KiB in 4 MiB");
    let taken = flood(&journal, "other", "3", 2_000).await;
    assert!((30..=41).contains(&taken), "{taken}");
    for number in 3_000..3_010 {
        new_seq(
            journal
                .append(big("production", "1", number))
                .await
                .unwrap(),
        );
    }
    // Nothing signed had to go for it.
    let path = settings(directory.path()).path;
    let connection = rusqlite::Connection::open(&path).unwrap();
    let signed = "SELECT count(*) FROM receipt WHERE verifier = 'production'";
    let signed: i64 = connection.query_row(signed, (), |row| row.get(0)).unwrap();
    assert_eq!(signed, 30);
    drop(connection);
    journal.close().await.unwrap();
    sound(directory.path());

    // It is known after a restart, too.
    let journal = small(directory.path());
    assert_eq!(flood(&journal, "till", "2", 5_000).await, 0);
    journal.close().await.unwrap();
}

#[tokio::test]
async fn a_client_whose_deliveries_are_taken_on_makes_room_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let journal = small(directory.path());
    for number in 0..20 {
        new_seq(
            journal
                .append(big("production", "1", number))
                .await
                .unwrap(),
        );
    }
    drain(&journal, &lane("erp", "1")).await;
    for number in 1_000..1_200 {
        let kept = journal.append(big("till", "2", number)).await;
        assert!(kept.is_ok(), "{number}: {kept:?}");
        drain(&journal, &lane("erp", "2")).await;
    }
    let path = settings(directory.path()).path;
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |source: &str| -> i64 {
        let sql = "SELECT count(*) FROM receipt WHERE verifier = ?1";
        connection
            .query_row(sql, [source], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count("production"), 20);
    assert!(count("till") < 41);
    journal.close().await.unwrap();
    sound(directory.path());
}

#[tokio::test]
async fn clients_that_do_not_sign_take_no_place_in_the_queue_from_what_is_signed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        limits: Limits {
            append_queue_max: 8,
            ..Limits::default()
        },
        ..settings(directory.path())
    };
    let journal = Journal::open(settings, START).unwrap();
    // The writer waits, so that everything queues.
    let path = super::support::settings(directory.path()).path;
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let append = |receipt: Receipt| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(receipt).await })
    };
    let unsigned: Vec<_> = (0..50)
        .map(|number| append(big("till", "2", number)))
        .collect();
    until_polled().await;
    let refused = unsigned.iter().filter(|task| task.is_finished()).count();
    let signed: Vec<_> = (100..104)
        .map(|number| append(big("production", "1", number)))
        .collect();
    until_polled().await;
    let waiting = signed.iter().filter(|task| !task.is_finished()).count();
    other.execute_batch("ROLLBACK").unwrap();
    assert!(refused >= 40, "{refused}");
    assert_eq!(waiting, 4);
    for task in unsigned.into_iter().chain(signed) {
        drop(task.await.unwrap());
    }
    new_seq(journal.append(big("production", "1", 200)).await.unwrap());
    journal.close().await.unwrap();
}

/// Lets every task that was started come to its first wait.
async fn until_polled() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}
