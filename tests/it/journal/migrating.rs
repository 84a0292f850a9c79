//! Journals of older formats, with data in them: what stands in them stays, and they can do what is
//! new.

use super::instance_support::*;
use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Error, Inspection, Journal, ReplayRequest, Selection};
use qbo_relay::model::{Kept, Settlement};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// What makes a file of each format, one step after the other.
const STEPS: [&str; 3] = [
    include_str!("../../../src/journal/schema.sql"),
    include_str!("../../../src/journal/schema_2.sql"),
    include_str!("../../../src/journal/schema_3.sql"),
];

/// "QBOR"
const APPLICATION_ID: i64 = 0x5142_4f52;

/// A journal at work: dead letters, a replay, a lane that fails and one that is behind; and, where
/// the format has them, a company that is connected and was read.
async fn donor(directory: &Path, format: usize) -> PathBuf {
    let journal = open(directory);
    if format > 1 {
        connect(&journal, "1").await;
    }
    journal.append(several("1", 1..=4)).await.unwrap();
    journal.append(several("2", 11..=12)).await.unwrap();
    journal.append(receipt(vec![unreadable(50)])).await.unwrap();
    let ours = lane("erp", "1");
    for settlement in [
        Settlement::Dead {
            reason: "given up".into(),
        },
        Settlement::Delivered,
        Settlement::Retry { at: after(60) },
    ] {
        let view = journal.lane_view(&ours, ONE).await.unwrap();
        let mut said = delivery(&ours, &view);
        said.changes.truncate(1);
        journal
            .settle(&said, &attempt(REFUSED), &settlement)
            .await
            .unwrap();
    }
    let again = ReplayRequest {
        selection: Selection::Change(qbo_relay::model::ChangeSeq(2)),
        sinks: None,
    };
    journal.replay(again, false, START).await.unwrap();
    if format > 1 {
        read(&journal, vec![invoice("9", 1, 5)]).await;
    }
    journal.close().await.unwrap();
    settings(directory).path
}

/// The same data in a file of an older format.
fn older(from: &Path, to: &Path, format: usize) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let connection = Connection::open(to).unwrap();
    connection
        .pragma_update(None, "auto_vacuum", "incremental")
        .unwrap();
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    for step in &STEPS[..format] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .pragma_update(None, "user_version", i64::try_from(format).unwrap())
        .unwrap();
    let attach = format!("ATTACH '{}' AS donor", from.display());
    connection.execute_batch(&attach).unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let names = statement.query_map((), |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    };
    // Parents before children.
    for table in names("SELECT name FROM main.sqlite_schema WHERE type = 'table' ORDER BY rowid") {
        let columns = names(&format!(
            "SELECT name FROM pragma_table_info('{table}', 'main')"
        ))
        .join(", ");
        connection
            .execute_batch(&format!("DELETE FROM main.{table}"))
            .unwrap();
        let copy =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM donor.{table}");
        connection.execute_batch(&copy).unwrap();
    }
}

#[tokio::test]
async fn a_journal_of_an_older_format_is_brought_forward_with_everything_in_it() {
    for format in [1, 2, 3] {
        let (new, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let donor = donor(new.path(), format).await;
        let expected = {
            let journal = open(new.path());
            let snapshot = journal.snapshot().await.unwrap();
            journal.close().await.unwrap();
            snapshot
        };
        older(&donor, &settings(old.path()).path, format);
        let refused = Inspection::open(&settings(old.path()).path).err().unwrap();
        let said = format!("has the older format {format}");
        assert!(
            matches!(&refused, Error::Unusable(why) if why.contains(&said)),
            "{refused}"
        );

        let journal = open(old.path());
        let snapshot = journal.snapshot().await.unwrap();
        assert_eq!(snapshot.waiting, expected.waiting);
        assert_eq!(snapshot.troubles, expected.troubles);
        let counts = (
            snapshot.receipts,
            snapshot.replays,
            snapshot.dead_letters,
            snapshot.unreadable,
        );
        assert_eq!(counts, (if format > 1 { 4 } else { 3 }, 1, 1, 1));
        let again = journal.append(several("1", 1..=4)).await.unwrap();
        assert!(matches!(again, Kept::Repeat { .. }), "{again:?}");
        assert_eq!(
            journal.companies().await.unwrap().len(),
            usize::from(format > 1)
        );

        let id = create(&journal, &webhook("1")).await;
        assert_eq!(id.as_u32(), 1);
        journal.append(single("1", 20)).await.unwrap();
        let (last, erp) = if format > 1 {
            (6, vec![3, 4, 5, 6])
        } else {
            (5, vec![3, 4, 5])
        };
        assert_eq!(drain(&journal, &lane_of(id, "1")).await, [last]);
        assert_eq!(drain(&journal, &lane("erp", "1")).await, erp);
        assert_eq!(drain(&journal, &lane("erp", "2")).await, [1, 2]);
        sound(journal, old.path()).await;
    }
}

#[tokio::test]
async fn a_sink_that_had_the_name_of_an_instance_gives_it_up() {
    let (new, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let donor = donor(new.path(), 2).await;
    older(&donor, &settings(old.path()).path, 2);
    let connection = Connection::open(settings(old.path()).path).unwrap();
    let other = "INSERT INTO sink (name, configured, added_at, disabled_at, disabled_why) \
                 VALUES ('instance-1', 0, 0, 0, 'gone'); \
                 INSERT INTO lane (sink, realm, through) SELECT s.id, m.id, 1 FROM sink s, realm m \
                 WHERE s.name = 'instance-1'";
    connection.execute_batch(other).unwrap();
    drop(connection);
    let journal: Journal = open(old.path());
    let id = create(&journal, &webhook("1")).await;
    journal.append(single("1", 20)).await.unwrap();
    assert_eq!(drain(&journal, &lane_of(id, "1")).await, [6]);
    sound(journal, old.path()).await;
}
