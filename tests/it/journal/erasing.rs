//! Forgetting a company: no byte of it is left in any file of the journal, and all of the others is.

use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Erased, Inspection, Journal};
use qbo_relay::model::{Authenticity, Kept, Operation, Outcome, Receipt, Settlement, Standing};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The company that is to be forgotten, and what its records hold.
const GONE: &str = "9341453900777";
const MARK: &str = "Marple-Consulting";

/// Another one.
const STAYS: &str = "9341453900888";

fn event(company: &str, number: u64, note: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"event-{company}-{number}","source":"intuit.test","type":"qbo.invoice.updated.v1","time":"2026-11-21T05:04:35Z","intuitentityid":"{number}","intuitaccountid":"{company}","data":{{"note":"{note}"}}}}"#
    )
}

fn delivery_with(events: &[String]) -> Receipt {
    let body = format!("[{}]", events.join(","));
    let decoded = qbo_relay::wire::decode(body.as_bytes(), 100);
    Receipt {
        form: decoded.form,
        body: body.into(),
        ..receipt(decoded.items)
    }
}

/// Every file beside the journal, as bytes.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory.join("state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect()
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|part| part == word.as_bytes())
}

#[track_caller]
fn no_trace(directory: &Path) {
    for (name, bytes) in files(directory) {
        for word in [GONE, MARK] {
            assert!(!holds(&bytes, word), "{word} in {name}");
        }
    }
}

#[track_caller]
fn sound(directory: &Path) {
    let inspection = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

async fn forget(journal: &Journal) -> Erased {
    let done = journal
        .forget_company(&realm(GONE), after(9_000), false)
        .await;
    let done = done.unwrap();
    assert_eq!(done.warning, None);
    done.erased
}

/// A journal in which both companies have everything that there is.
async fn filled(directory: &Path) -> Journal {
    let journal = open(directory);
    for company in [GONE, STAYS] {
        connect(&journal, company).await;
    }
    for number in 0..200 {
        let own = [event(GONE, number, MARK), event(GONE, 1_000 + number, MARK)];
        new_seq(journal.append(delivery_with(&own)).await.unwrap());
        let both = [
            event(STAYS, number, "kept"),
            event(GONE, 2_000 + number, MARK),
        ];
        new_seq(journal.append(delivery_with(&both)).await.unwrap());
    }
    // Delivered, given up, asked for again.
    let ours = lane("erp", GONE);
    for settlement in [
        Settlement::Delivered,
        Settlement::Dead {
            reason: format!("{MARK} is refused"),
        },
    ] {
        let view = journal.lane_view(&ours, ONE).await.unwrap();
        let outcome = attempt(Outcome::Accepted);
        journal
            .settle(&delivery(&ours, &view), &outcome, &settlement)
            .await
            .unwrap();
    }
    // Read: its records, those that ride along, a deletion, a gap.
    for company in [GONE, STAYS] {
        let mut record = invoice("1", 3, 100);
        record.body = format!(r#"{{"Id":"1","Name":"{MARK}"}}"#);
        let mut found = reading(qbo_relay::model::Purpose::Sweep, vec![record]);
        found.realm = realm(company);
        if company == STAYS {
            found.records[0].body = r#"{"Id":"1","Name":"kept"}"#.into();
        }
        journal.reconcile(found).await.unwrap();
    }
    let deletion = about(9_000, "77", Operation::Delete, 200);
    let deletion = qbo_relay::model::Notification {
        realm: realm(GONE),
        data: Some(format!(r#"{{"note":"{MARK}"}}"#)),
        ..deletion
    };
    journal
        .append(delivery_of(vec![deletion], 201))
        .await
        .unwrap();
    // Spoken of by somebody who may not, and not understood.
    let refused = Receipt {
        source: "till".into(),
        authenticity: Authenticity::Address,
        ..delivery_with(&[event(GONE, 1, MARK), event("9341453900999", 1, "x")])
    };
    journal.append(refused).await.unwrap();
    let odd = Receipt {
        body: format!("{{\"realmId\":\"{GONE}\",\"odd\":\"{MARK}\"}}").into(),
        ..receipt(vec![unreadable(31)])
    };
    journal.append(odd).await.unwrap();
    journal
}

#[tokio::test]
async fn nothing_of_a_forgotten_company_is_left_in_any_file_and_all_of_the_others_is() {
    let directory = tempfile::tempdir().unwrap();
    let journal = filled(directory.path()).await;
    assert!(
        files(directory.path())
            .iter()
            .any(|(_, bytes)| holds(bytes, MARK))
    );
    let ours = lane("erp", STAYS);
    let before = journal.lane_view(&ours, MANY).await.unwrap().head;

    // What would be done is said and not done.
    let planned = journal
        .forget_company(&realm(GONE), after(9_000), true)
        .await;
    let planned = planned.unwrap();
    assert!(planned.erased.was_known && planned.erased.changes > 600);
    assert_eq!(journal.snapshot().await.unwrap().companies, 2);

    journal
        .set_standing(&realm(GONE), Standing::Disconnected, after(500))
        .await
        .unwrap();
    let erased = forget(&journal).await;
    assert_eq!(erased.cut, 200);
    assert_eq!(erased.changes, planned.erased.changes);
    assert!(
        erased.receipts >= 203 && erased.records > 0 && erased.events > 0,
        "{erased:?}"
    );
    no_trace(directory.path());
    sound(directory.path());
    assert_eq!(journal.lane_view(&ours, MANY).await.unwrap().head, before);
    assert_eq!(journal.companies().await.unwrap().len(), 1);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.companies, snapshot.dead_letters), (1, 0));

    // Once more there is nothing to do, and nothing comes back with a restart.
    assert!(forget(&journal).await.is_nothing());
    journal.close().await.unwrap();
    no_trace(directory.path());
    let journal = open(directory.path());
    assert_eq!(journal.lane_view(&ours, MANY).await.unwrap().head, before);

    // What is notified from now on is taken in, as of a company that is new.
    let again = journal
        .append(delivery_with(&[event(GONE, 5_000, "new")]))
        .await;
    assert!(matches!(again.unwrap(), Kept::New { changes: 1, .. }));
    assert_eq!(drain(&journal, &lane("erp", GONE)).await, [1]);
    journal.close().await.unwrap();
    sound(directory.path());
}

#[tokio::test]
async fn a_delivery_that_is_under_way_when_its_company_is_forgotten_moves_no_lane() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let ours = lane("erp", GONE);
    for number in 0..5 {
        let said = delivery_with(&[event(GONE, number, MARK)]);
        journal.append(said).await.unwrap();
    }
    let view = journal.lane_view(&ours, MANY).await.unwrap();
    let under_way = delivery(&ours, &view);
    forget(&journal).await;
    for number in 10..13 {
        let said = delivery_with(&[event(GONE, number, "new")]);
        journal.append(said).await.unwrap();
    }
    let settled = journal
        .settle(
            &under_way,
            &attempt(Outcome::Accepted),
            &Settlement::Delivered,
        )
        .await;
    assert!(settled.is_err(), "{settled:?}");
    assert_eq!(drain(&journal, &ours).await, [1, 2, 3]);
    journal.close().await.unwrap();
    sound(directory.path());
}

#[tokio::test]
async fn a_damaged_journal_that_names_it_goes_and_one_that_does_not_stays() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let said = delivery_with(&[event(GONE, 1, MARK)]);
    journal.append(said).await.unwrap();
    let beside = |name: &str| directory.path().join("state").join(name);
    let mut long = vec![b' '; (256 << 10) - 5];
    long.extend(GONE.as_bytes());
    long.extend(MARK.as_bytes());
    long.insert((256 << 10) - 5 + GONE.len(), b'"');
    fs::write(beside("journal.db.broken-1"), &long).unwrap();
    fs::write(beside("journal.db.broken-2"), STAYS).unwrap();
    fs::write(beside("journal.db.broken-2-wal"), format!("x{GONE}")).unwrap();
    fs::write(beside("journal.db.broken-3"), "a").unwrap();
    fs::write(beside("journal.db.broken-3-wal"), format!("({GONE})")).unwrap();
    let done = journal
        .forget_company(&realm(GONE), START, true)
        .await
        .unwrap();
    assert_eq!(done.set_aside.len(), 2);
    let done = journal.forget_company(&realm(GONE), START, false).await;
    let gone = [beside("journal.db.broken-1"), beside("journal.db.broken-3")];
    assert_eq!(done.unwrap().set_aside, gone);
    assert!(beside("journal.db.broken-2").exists());
    assert!(!beside("journal.db.broken-3-wal").exists());
    journal.close().await.unwrap();
}

#[tokio::test]
async fn what_was_read_of_a_disconnected_company_goes_with_the_age_limit() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    connect(&journal, "1").await;
    let records = (0..700).map(|id| invoice(&id.to_string(), 1, 10)).collect();
    assert_eq!(read(&journal, records).await.found, 700);
    drain(&journal, &lane("erp", "1")).await;
    stand(&journal, "1", Standing::Disconnected, 4_000).await;
    let tidy = async |days: u64| {
        let now = START.plus(Duration::from_secs(days * 86_400));
        while journal.tidy(now).await.unwrap().more {}
    };
    tidy(29).await;
    assert_eq!(journal.companies().await.unwrap().len(), 1);
    tidy(31).await;
    assert_eq!(journal.companies().await.unwrap().len(), 0);
    assert_eq!(journal.snapshot().await.unwrap().companies, 0);
    journal.close().await.unwrap();
    sound(directory.path());
}

/// Every table is one of these; who adds one has to say whether `company forget` erases it.
#[tokio::test]
async fn every_table_that_can_hold_something_of_a_company_is_erased() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close().await.unwrap();
    let connection = rusqlite::Connection::open(settings(directory.path()).path).unwrap();
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap();
    let tables: BTreeSet<String> = tables
        .query_map((), |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let erased = [
        // By the number of the company.
        "change",
        "company",
        "gap_company",
        "lane",
        "realm",
        "record",
        "replay",
        "sink",
        "watermark",
        // By the number of the change, the receipt or the sink.
        "dead",
        "fetched",
        "instance",
        "provenance",
        "receipt",
        "repeated",
        "repetition",
        "unreadable",
        // By its name.
        "event",
        "forgotten",
    ];
    // Numbers, digests, and what is set for all.
    let free = [
        "epoch",
        "gap",
        "held",
        "seen",
        "setting",
        "spent",
        "sqlite_sequence",
        "tally",
    ];
    let known: BTreeSet<String> = erased
        .iter()
        .chain(&free)
        .map(|it| (*it).to_owned())
        .collect();
    assert_eq!(tables, known);
    // Whatever has a column for a company is among those that are erased.
    for table in free {
        let mut columns = connection
            .prepare("SELECT name FROM pragma_table_info(?1)")
            .unwrap();
        let columns: Vec<String> = columns
            .query_map([table], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(
            !columns.iter().any(|it| it == "realm" || it == "sink"),
            "{table}"
        );
    }
}
