//! A process that appends under load until something happens to it.
//!
//! It is this test program again, told to run the same test, which begins with [`work_if_child`].
//! What it says on its output is what it would have acknowledged. Its careless manners are the
//! controls: each breaks one sentence of the contract, so that the test that should notice can.

use super::company_crashes;
use super::instance_crashes;
use super::support::*;
use crate::support::skip;
use qbo_relay::journal::{Error, Inspection, Journal};
use qbo_relay::model::{JournalHealth, Kept, RealmId, Receipt};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const DIRECTORY: &str = "QBO_RELAY_TEST_JOURNAL";
const MANNER: &str = "QBO_RELAY_TEST_MANNER";
const NUMBERS: &str = "QBO_RELAY_TEST_NUMBERS";

const PATIENCE: Duration = Duration::from_secs(60);
const TASKS: u64 = 8;

/// How the process keeps what it says it kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    /// As the product does.
    Journal,
    /// As the product does with companies that it reads.
    Company,
    /// As the product does with element instances.
    Instance,
    /// Says so before the commit.
    Early,
    /// Commits, but does not ask the disk to sync.
    Unsynced,
    /// Does not look whether the commit succeeded.
    Deaf,
}

/// What a process said.
#[derive(Default, Debug)]
pub(super) struct Report {
    /// What it acknowledged.
    pub(super) kept: BTreeSet<u64>,
    /// How often it said that there is no room.
    pub(super) full: u64,
    /// How often it said that the journal is broken.
    pub(super) broken: u64,
    /// Whether it found everything refused after that.
    pub(super) latched: bool,
    /// Why it could not open the journal.
    pub(super) unopened: Option<String>,
    /// Whether it came to its end.
    pub(super) ended: bool,
}

/// A process at work.
pub(super) struct Child {
    process: std::process::Child,
    lines: mpsc::Receiver<String>,
    report: Report,
}

impl Child {
    /// Runs `test` again as a process that keeps `numbers`, below `strace` with these arguments if
    /// there are any.
    pub(super) fn start(
        test: &str,
        directory: &Path,
        manner: Manner,
        numbers: std::ops::Range<u64>,
        strace: &[String],
    ) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = if strace.is_empty() {
            Command::new(program)
        } else {
            let mut command = Command::new("strace");
            command.args(strace).arg(program);
            command
        };
        let mut process = command
            .args(["--exact", test, "--nocapture"])
            .env(DIRECTORY, directory)
            .env(MANNER, format!("{manner:?}"))
            .env(NUMBERS, format!("{}-{}", numbers.start, numbers.end))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            process,
            lines,
            report: Report::default(),
        }
    }

    /// Waits until it acknowledged so many.
    pub(super) fn wait_for(&mut self, kept: usize) {
        while self.report.kept.len() < kept {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("the process stopped: {:?}", self.report));
            self.report.hear(&line);
        }
    }

    /// What it has acknowledged up to this moment.
    pub(super) fn kept(&mut self) -> BTreeSet<u64> {
        while let Ok(line) = self.lines.try_recv() {
            self.report.hear(&line);
        }
        self.report.kept.clone()
    }

    /// Kills it, and tells everything that it had said.
    pub(super) fn kill(mut self) -> Report {
        self.process.kill().unwrap();
        self.finish()
    }

    /// Waits for its end, and tells everything that it had said.
    pub(super) fn finish(mut self) -> Report {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.report.hear(&line);
        }
        self.process.wait().unwrap();
        self.report
    }
}

impl Report {
    fn hear(&mut self, line: &str) {
        let mut words = line.splitn(2, ' ');
        let number =
            |words: &mut std::str::SplitN<'_, char>| words.next().unwrap().parse().unwrap();
        match words.next() {
            Some("kept") => {
                self.kept.insert(number(&mut words));
            }
            Some("full") => self.full += 1,
            Some("broken") => self.broken += 1,
            Some("latched") => self.latched = true,
            Some("ended") => self.ended = true,
            Some("unopened") => self.unopened = words.next().map(str::to_owned),
            _ => {}
        }
    }
}

/// Whether a tool that a test needs is there; says so when it is not.
pub(super) fn can_use(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        skip(&format!("there is no {tool}"));
    }
    found
}

/// Whether this is root; says that the test is skipped when not.
pub(super) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("mounting a file system needs root");
    }
    root
}

/// How often a fault is caused: the default, or more where `QBO_RELAY_TEST_FAULTS` asks for it.
pub(super) fn faults(default: u64) -> u64 {
    let asked = std::env::var("QBO_RELAY_TEST_FAULTS").ok();
    asked.map_or(default, |asked| asked.parse().unwrap())
}

/// What the process appends under this number: three changes of one of three companies.
pub(super) fn load(number: u64) -> Receipt {
    several(company(number).as_str(), number * 3..number * 3 + 3)
}

fn company(number: u64) -> RealmId {
    realm(&format!("company-{}", number % 3))
}

/// Requires that everything that was acknowledged is in the journal, whole, in order, and reaches
/// the sink; returns how many receipts are there.
pub(super) fn require_all(directory: &Path, report: &Report) -> u64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let journal = open(directory);
        let mut lost = Vec::new();
        for number in &report.kept {
            let again = journal.append(load(*number)).await.unwrap();
            if !matches!(again, Kept::Repeat { .. }) {
                lost.push(*number);
            }
        }
        assert!(lost.is_empty(), "{lost:?} were lost");
        for company in 0..3 {
            let sequences = drain(&journal, &lane("erp", &format!("company-{company}"))).await;
            assert!(
                sequences.windows(2).all(|pair| pair[1] == pair[0] + 1),
                "{sequences:?}"
            );
        }
        let receipts = journal.snapshot().await.unwrap().receipts;
        journal.close().await.unwrap();
        let seen = Inspection::open(&settings(directory).path)
            .unwrap()
            .verify()
            .unwrap();
        assert_eq!(seen.findings, [""; 0]);
        assert_eq!(seen.changes, receipts * 3);
        receipts
    })
}

/// What a careless process acknowledged and did not keep.
pub(super) fn lost(directory: &Path, report: &Report) -> usize {
    let connection = Connection::open(directory.join("careless.db")).unwrap();
    let there: BTreeSet<u64> = connection
        .prepare("SELECT number FROM kept")
        .and_then(|mut sql| {
            sql.query_map((), |row| row.get::<_, i64>(0))?
                .collect::<Result<_, _>>()
        })
        .map(|numbers: Vec<i64>| numbers.into_iter().map(i64::cast_unsigned).collect())
        .unwrap_or_default();
    report.kept.difference(&there).count()
}

/// In the process started by [`Child::start`]: does its work, and returns true.
#[expect(clippy::print_stdout, reason = "how the process talks to the test")]
pub(super) fn work_if_child() -> bool {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return false;
    };
    // The test harness has begun a line.
    println!();
    let numbers = std::env::var(NUMBERS).unwrap();
    let (from, to) = numbers.split_once('-').unwrap();
    let numbers = from.parse().unwrap()..to.parse().unwrap();
    let directory = Path::new(&directory);
    match std::env::var(MANNER).unwrap().as_str() {
        "Journal" => keep(directory, numbers),
        "Company" => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(company_crashes::keep(directory, numbers));
        }
        "Instance" => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(instance_crashes::keep(directory, numbers));
        }
        "Early" => keep_carelessly(directory, numbers, Manner::Early),
        "Unsynced" => keep_carelessly(directory, numbers, Manner::Unsynced),
        _ => keep_carelessly(directory, numbers, Manner::Deaf),
    }
    println!("ended");
    true
}

#[expect(clippy::print_stdout, reason = "how the process talks to the test")]
fn keep(directory: &Path, numbers: std::ops::Range<u64>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let journal = match Journal::open(settings(directory), START) {
            Ok(journal) => journal,
            Err(error) => return println!("unopened {error}"),
        };
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..TASKS {
            let (journal, numbers) = (journal.clone(), numbers.clone());
            tasks.spawn(async move {
                for number in numbers.filter(|number| number % TASKS == task) {
                    if !keep_one(&journal, number).await {
                        return;
                    }
                }
            });
        }
        tasks.join_all().await;
        if journal.health() == JournalHealth::Broken {
            let cause = journal.broken().await;
            let noted = journal.enable_sink(&sink("erp")).await;
            let kept = journal.append(load(numbers.end)).await;
            if noted == Err(cause.clone()) && kept == Err(cause) {
                println!("latched");
            }
        } else if let Err(error) = journal.close().await {
            println!("unclosed {error}");
        }
    });
}

/// Appends until it is kept; false when that will never be.
#[expect(clippy::print_stdout, reason = "how the process talks to the test")]
async fn keep_one(journal: &Journal, number: u64) -> bool {
    loop {
        match journal.append(load(number)).await {
            Ok(_) => {
                println!("kept {number}");
                return true;
            }
            Err(Error::Full) => {
                println!("full {number}");
                tokio::task::yield_now().await;
            }
            Err(_) => {
                println!("broken {number}");
                return false;
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "how the process talks to the test")]
fn keep_carelessly(directory: &Path, numbers: std::ops::Range<u64>, manner: Manner) {
    let connection = Connection::open(directory.join("careless.db")).unwrap();
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    let synchronous = if manner == Manner::Unsynced {
        "off"
    } else {
        "full"
    };
    connection
        .pragma_update(None, "synchronous", synchronous)
        .unwrap();
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS kept (number INTEGER)")
        .unwrap();
    let numbers: Vec<u64> = numbers.collect();
    let batch = match manner {
        Manner::Early => 64,
        Manner::Deaf => 8,
        Manner::Unsynced | Manner::Journal | Manner::Company | Manner::Instance => 1,
    };
    for batch in numbers.chunks(batch) {
        let said = || batch.iter().for_each(|number| println!("kept {number}"));
        let insert = || {
            connection.execute_batch("BEGIN")?;
            for number in batch {
                connection.execute("INSERT INTO kept VALUES (?1)", [number.cast_signed()])?;
            }
            Ok::<(), rusqlite::Error>(())
        };
        let inserted = insert();
        if manner == Manner::Early {
            said();
        }
        let committed = inserted.and_then(|()| connection.execute_batch("COMMIT"));
        match manner {
            Manner::Early | Manner::Journal | Manner::Company | Manner::Instance => {}
            Manner::Unsynced => {
                if committed.is_ok() {
                    said();
                }
            }
            Manner::Deaf => {
                if committed.is_err() {
                    let _ = connection.execute_batch("ROLLBACK");
                }
                said();
            }
        }
    }
}
