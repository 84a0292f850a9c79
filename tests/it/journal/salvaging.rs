//! A damaged file: what can be read of it goes on, what cannot is read again from QuickBooks.

use super::instance_support::webhook;
use super::readings::*;
use super::support::*;
use crate::support::relay::eventually;
use qbo_relay::journal::inspect::{Fate, Filter};
use qbo_relay::journal::{Error, Found, Inspection, Journal, Settings};
use qbo_relay::model::{Outcome, Purpose, Reading, Receipt, Settlement};
use qbo_relay::simulate::company::Chance;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PAGE: u64 = 4096;
const COMPANIES: [&str; 3] = ["1", "2", "3"];

/// A journal as a power cut leaves it, of which four fifths were delivered.
struct Scene {
    folder: TempDir,
    told: BTreeMap<String, Told>,
    undelivered: BTreeSet<String>,
}

/// What was told under an id.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Told {
    company: String,
    sequence: u64,
    invoice: String,
    second: i64,
}

/// A journal that was opened on a damaged copy.
struct Opened {
    _folder: TempDir,
    path: PathBuf,
    journal: Journal,
}

fn settings_of(path: &Path) -> Settings {
    Settings {
        path: path.to_owned(),
        ..settings(path)
    }
}

/// A notification of invoice `number` as Intuit sends it.
pub(super) fn notified(company: &str, number: i64) -> Receipt {
    let (at, note) = (after(number), "of ordinary size ".repeat(20));
    let body = format!(
        r#"[{{"specversion":"1.0","id":"event-{number}","source":"intuit.test","type":"qbo.invoice.updated.v1","time":"{at}","intuitentityid":"{number}","intuitaccountid":"{company}","data":{{"note":"{note}"}}}}]"#
    );
    let decoded = qbo_relay::wire::decode(body.as_bytes(), 100);
    Receipt {
        received_at: at,
        form: decoded.form,
        body: body.into(),
        ..receipt(decoded.items)
    }
}

fn read(company: &str, invoice_id: &str, second: i64) -> Reading {
    Reading {
        realm: realm(company),
        at: after(second),
        ..reading(Purpose::Poll, vec![invoice(invoice_id, 1, second)])
    }
}

impl Scene {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(folder.path());
        for company in COMPANIES {
            connect(&journal, company).await;
        }
        for number in 1..=300 {
            let company = COMPANIES[usize::try_from(number % 3).unwrap()];
            journal.append(notified(company, number)).await.unwrap();
            if number % 20 == 0 {
                let found = read(company, &format!("read-{number}"), number);
                assert_eq!(journal.reconcile(found).await.unwrap().found, 1);
            }
            if number == 240 {
                deliver(&journal).await;
            }
        }
        journal.close().await.unwrap();
        let (mut told, mut undelivered) = (BTreeMap::new(), BTreeSet::new());
        let inspection = Inspection::open(&settings(folder.path()).path).unwrap();
        let listed = inspection.list(&Filter::default()).unwrap();
        for one in listed.iter().flat_map(|listed| &listed.changes) {
            let id = one.change.id.0.clone();
            if let [(_, Fate::Waiting(_))] = &one.fates[..] {
                undelivered.insert(id.clone());
            }
            let notification = &one.change.notification;
            let happened = notification.happened.at.unwrap();
            let one = Told {
                company: notification.realm.to_string(),
                sequence: one.change.sequence,
                invoice: notification.entity.id.clone(),
                second: happened.as_seconds() - START.as_seconds(),
            };
            told.insert(id, one);
        }
        assert_eq!((told.len(), undelivered.len()), (315, 63));
        Self::cut(folder, told, undelivered).await
    }

    /// The journal in this folder as a power cut leaves it.
    async fn cut(
        folder: TempDir,
        told: BTreeMap<String, Told>,
        undelivered: BTreeSet<String>,
    ) -> Self {
        // Something in the log, so that the file is checked at the next start.
        let journal = open(folder.path());
        journal.ping().await.unwrap();
        journal
            .spend(&company("1").app, "2026-11", 1)
            .await
            .unwrap();
        let scene = Self {
            folder,
            told,
            undelivered,
        };
        let cut = scene.folder.path().join("cut");
        fs::create_dir(&cut).unwrap();
        for suffix in ["", "-wal", "-lock"] {
            let from = format!("{}{suffix}", settings(scene.folder.path()).path.display());
            fs::copy(from, cut.join(format!("journal.db{suffix}"))).unwrap();
        }
        journal.close().await.unwrap();
        scene
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cut").join("journal.db")
    }

    fn pages(&self) -> u64 {
        fs::metadata(self.file()).unwrap().len() / PAGE
    }

    /// The page at which a table or an index begins.
    fn root(&self, name: &str) -> u64 {
        let connection = Connection::open(settings(self.folder.path()).path).unwrap();
        let root: i64 = connection
            .query_row(
                "SELECT rootpage FROM sqlite_schema WHERE name = ?1",
                [name],
                |row| row.get(0),
            )
            .unwrap();
        u64::try_from(root).unwrap()
    }

    /// Opens a copy of it in which these pages, from 1, are nonsense.
    fn open_damaged(&self, pages: &[u64]) -> Opened {
        let folder = tempfile::tempdir().unwrap();
        let path = settings(folder.path()).path;
        fs::create_dir(path.parent().unwrap()).unwrap();
        for suffix in ["", "-wal", "-lock"] {
            let (from, to) = (self.file(), path.clone());
            let with = |path: &Path| format!("{}{suffix}", path.display());
            fs::copy(with(&from), with(&to)).unwrap();
        }
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for page in pages {
            let nonsense = [0xa5; 4096];
            file.write_all_at(&nonsense, (page - 1) * PAGE).unwrap();
        }
        Opened {
            journal: open(folder.path()),
            _folder: folder,
            path,
        }
    }
}

/// Delivers everything that waits: ids, and the numbers within their companies.
async fn deliver(journal: &Journal) -> BTreeMap<String, u64> {
    let mut delivered = BTreeMap::new();
    for company in COMPANIES {
        let lane = lane("erp", company);
        let mut last = 0;
        loop {
            let view = journal.lane_view(&lane, MANY).await.unwrap();
            for change in &view.head {
                assert!(change.sequence > last, "{change:?}");
                last = change.sequence;
                delivered.insert(change.id.0.clone(), last);
            }
            if view.head.is_empty() {
                break;
            }
            let (all, accepted) = (delivery(&lane, &view), attempt(Outcome::Accepted));
            let settled = journal.settle(&all, &accepted, &Settlement::Delivered);
            settled.await.unwrap();
        }
    }
    delivered
}

impl Opened {
    /// The second since which the companies are read again.
    async fn gap(&self) -> Option<i64> {
        let gaps = self.journal.gaps().await.unwrap();
        let gap = gaps.iter().find(|told| told.gap.cause == "salvage");
        gap.map(|told| told.gap.since.as_seconds() - START.as_seconds())
    }

    fn findings(&self) -> Vec<String> {
        let inspection = Inspection::open(&self.path).unwrap();
        inspection.verify().unwrap().findings
    }

    /// Whether it is news when a reading brings what was told.
    async fn is_news(&self, told: &Told) -> bool {
        let read = read(&told.company, &told.invoice, told.second);
        self.journal.reconcile(read).await.unwrap().found == 1
    }
}

#[tokio::test]
async fn an_instance_outlives_the_damage_and_no_number_is_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    connect(&journal, "1").await;
    let made = journal.create_instance(webhook("1"), None, START);
    let id = made.await.unwrap();
    let gone = journal.create_instance(webhook("1"), None, START);
    let gone = gone.await.unwrap();
    journal.delete_instance(gone, START).await.unwrap();
    journal.set_setting("policy", "queue").await.unwrap();
    journal.append(notified("1", 1)).await.unwrap();
    let before = journal.instances().await.unwrap();
    journal.close().await.unwrap();
    let scene = Scene::cut(folder, BTreeMap::new(), BTreeSet::new()).await;
    for name in ["seen", "event", "lane", "sqlite_sequence"] {
        let opened = scene.open_damaged(&[scene.root(name)]);
        let journal = &opened.journal;
        assert!(matches!(journal.found(), Found::Damaged { .. }), "{name}");
        assert_eq!(journal.instances().await.unwrap(), before, "{name}");
        let policy = journal.setting("policy").await.unwrap();
        assert_eq!(policy.as_deref(), Some("queue"), "{name}");
        let own = lane(id.sink().as_str(), "1");
        let waiting = journal.lane_view(&own, MANY).await.unwrap();
        assert_eq!(waiting.head.len(), 1, "{name}");
        if name != "sqlite_sequence" {
            let next = journal.create_instance(webhook("1"), None, START);
            assert!(next.await.unwrap() > gone, "{name}");
        }
    }
}

#[tokio::test]
async fn whichever_table_is_lost_what_was_not_delivered_is_under_its_id_and_number() {
    let scene = Scene::set().await;
    for name in [
        "realm",
        "sink",
        "lane",
        "receipt",
        "provenance",
        "repetition",
        "unreadable",
        "fetched",
        "seen",
        "record",
        "company",
        "watermark",
        "gap",
        "gap_company",
        "dead",
        "replay",
        // Not "tally": at each start its page is written to the log, which hides the damage.
        "event",
        "change_in_order",
        "replay_of_change",
        "sqlite_sequence",
    ] {
        let opened = scene.open_damaged(&[scene.root(name)]);
        let found = opened.journal.found();
        assert!(matches!(found, Found::Damaged { .. }), "{name}: {found:?}");
        let salvaged = opened.journal.salvaged().unwrap().clone().unwrap();
        assert_eq!(salvaged.missing, 0, "{name}");
        let companies = if name == "company" { 0 } else { 3 };
        assert_eq!(salvaged.companies, companies, "{name}");
        assert_eq!(opened.findings(), [""; 0], "{name}");
        let delivered = deliver(&opened.journal).await;
        for id in &scene.undelivered {
            assert_eq!(delivered.get(id), Some(&scene.told[id].sequence), "{name}");
        }
        for (id, number) in delivered {
            assert_eq!(number, scene.told[&id].sequence, "{name}");
        }
        // Numbers go on.
        let next = notified("1", 999);
        opened.journal.append(next).await.unwrap();
        let [number] = drain(&opened.journal, &lane("erp", "1")).await[..] else {
            panic!("{name}");
        };
        assert_eq!(number, 106, "{name}");
    }
}

#[tokio::test]
async fn notifications_whose_changes_are_lost_are_decoded_again() {
    let scene = Scene::set().await;
    let opened = scene.open_damaged(&[scene.root("change")]);
    let salvaged = opened.journal.salvaged().unwrap().clone().unwrap();
    assert_eq!(salvaged.missing, 63);
    let delivered = deliver(&opened.journal).await;
    let lost = scene.undelivered.iter();
    let lost: Vec<&str> = lost
        .filter(|id| !delivered.contains_key(*id))
        .map(|id| scene.told[id].invoice.as_str())
        .collect();
    // What was read from QuickBooks is read again.
    assert_eq!(lost.len(), 3);
    assert!(lost.iter().all(|invoice| invoice.starts_with("read-")));
    assert!(opened.gap().await.is_some());
}

#[tokio::test]
async fn whatever_pages_are_damaged_what_is_missing_is_news_to_the_next_reading() {
    let scene = Scene::set().await;
    let mut chance = Chance::new(1);
    let (mut missing, mut looked_at, mut again) = (0, 0, 0);
    for round in 0..30 {
        let many = 1 + chance.below(4);
        let pages: Vec<u64> = (0..many)
            .map(|_| 2 + chance.below(scene.pages() - 1))
            .collect();
        let place = format!("round {round}, pages {pages:?}");
        let opened = scene.open_damaged(&pages);
        let gap = opened.gap().await;
        let connected = opened.journal.companies().await.unwrap().len();
        let delivered = deliver(&opened.journal).await;
        for id in delivered.keys() {
            assert!(scene.told.contains_key(id), "{place}: {id} is new");
        }
        assert_eq!(opened.findings(), [""; 0], "{place}");
        let lost = scene.undelivered.iter();
        let lost: Vec<&String> = lost.filter(|id| !delivered.contains_key(*id)).collect();
        missing += lost.len();
        for told in lost.iter().map(|id| &scene.told[*id]) {
            assert!(
                connected < 3 || gap.unwrap() <= told.second,
                "{place}: {told:?}"
            );
            assert!(
                connected < 3 || opened.is_news(told).await,
                "{place}: {told:?}"
            );
        }
        for (id, told) in scene.told.iter().filter(|_| connected == 3).step_by(5) {
            looked_at += 1;
            again += usize::from(!lost.contains(&id) && opened.is_news(told).await);
        }
        opened.journal.close().await.unwrap();
        let reopened = Journal::open(settings_of(&opened.path), START).unwrap();
        assert_eq!(reopened.salvaged(), None, "{place}");
    }
    assert!(missing > 0, "no round shows what is asked");
    // Where change and memory are gone together, it may be told once more.
    assert!(again * 50 < looked_at, "{again} of {looked_at}");
}

#[tokio::test]
async fn a_salvage_that_was_cut_off_is_done_at_the_next_start() {
    let scene = Scene::set().await;
    let folder = tempfile::tempdir().unwrap();
    let path = settings(folder.path()).path;
    fs::create_dir(path.parent().unwrap()).unwrap();
    // As a power cut leaves it right after the damaged file was set aside.
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", scene.file().display());
        let to = format!("{}.broken-1795237475000{suffix}", path.display());
        fs::copy(from, to).unwrap();
    }
    fs::write(format!("{}-lock", path.display()), "").unwrap();
    let journal = open(folder.path());
    let salvaged = journal.salvaged().unwrap().clone().unwrap();
    assert_eq!((salvaged.changes, salvaged.holes), (63, 0));
    assert_eq!(deliver(&journal).await.len(), 63);
    journal.close().await.unwrap();
    assert_eq!(open(folder.path()).salvaged(), None);
}

#[tokio::test]
async fn damage_that_a_running_journal_meets_breaks_it_and_is_known_at_the_next_start() {
    let scene = Scene::set().await;
    let (folder, root) = (tempfile::tempdir().unwrap(), scene.root("change"));
    let path = settings(folder.path()).path;
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::copy(settings(scene.folder.path()).path, &path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 4096], (root - 1) * PAGE).unwrap();
    // It had been closed, and is not checked.
    let journal = open(folder.path());
    assert_eq!(*journal.found(), Found::Closed);
    let view = journal.lane_view(&lane("erp", "1"), MANY).await;
    assert!(matches!(view, Err(Error::Unread(_))), "{view:?}");
    assert!(matches!(journal.broken().await, Error::Broken(_)));
    assert!(journal.append(notified("1", 999)).await.is_err());
    drop(journal);
    let journal = eventually("the file is free again", || {
        Journal::open(settings(folder.path()), START).ok()
    });
    assert!(matches!(journal.found(), Found::Damaged { .. }));
    assert!(!deliver(&journal).await.is_empty());
}
