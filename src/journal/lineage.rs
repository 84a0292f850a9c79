//! A journal and its past: whether the file is the one that was here last, and which numbers may have
//! been given.
//!
//! A small file beside the journal says how often it was opened, closed and looked after, and up to
//! which number any may be given. A journal that has seen less than that is an older copy, or a new one
//! in the place of one that is gone: numbers then go on above all that may have been given, and an
//! epoch begins, which the events tell. The file is written on the way of no receipt, but once for some
//! hundred thousand numbers. Called by `Journal::open` and by the writer. Without the file nothing is
//! known of the past, and nothing else is missing.

use super::append::Numbers;
use super::gaps::{self, Opening};
use super::open::{directory_of, sync_directory, with_suffix};
use super::touched::Touched;
use super::{Found, events};
use crate::model::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// What the file has behind the journal's name.
pub(super) const SUFFIX: &str = "-lineage";

/// What a notice for a person has behind the journal's name, before the time.
const NOTICE: &str = ".notice-";

/// Numbers that are reserved at a time, and those that one batch may take at most.
const BLOCK: i64 = 1 << 18;
const BATCH: i64 = 1 << 17;

/// Between two steps of a journal that is in use.
const STEP: Duration = Duration::from_secs(600);

/// What the file says.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
struct Past {
    /// How often the journal was opened, closed and looked after.
    generation: i64,
    /// No receipt and no change was given a higher number.
    numbers: i64,
    /// The last epoch that was begun.
    epoch: i64,
    /// The time by which ages were counted last, in milliseconds.
    aged: Option<i64>,
}

/// The past of the journal that is open.
#[derive(Debug)]
pub(super) struct Lineage {
    file: PathBuf,
    past: Past,
    /// The generation of the transaction under way, where that has one of its own.
    next: Option<i64>,
    stepped_at: Instant,
    /// Commits that there had been when it was asked last whether a step is due.
    commits: u32,
    /// The last block could not be written down; tried again from this number on.
    try_from: i64,
}

/// Whether there was a journal here, by the file beside it.
pub(super) fn is_known(path: &Path) -> bool {
    with_suffix(path, SUFFIX).exists()
}

impl Lineage {
    /// Compares the open journal with its past, and begins an epoch where it has gone back in time.
    /// `last_alive` is the latest instant that the journal knows of.
    pub(super) fn begin(
        connection: &mut Connection,
        path: &Path,
        found: &Found,
        last_alive: Option<Timestamp>,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        let mut lineage = Self {
            file: with_suffix(path, SUFFIX),
            past: Past::default(),
            next: None,
            stepped_at: Instant::now(),
            commits: 0,
            try_from: 0,
        };
        lineage.past = lineage.read().unwrap_or_default();
        match lineage.compare(connection, found, last_alive, now) {
            Ok(notice) => {
                lineage.committed();
                if let Some(notice) = notice {
                    tracing::error!("{notice}");
                    leave(path, &notice, now);
                }
            }
            // A full disk does not keep a relay from starting; nothing is taken in meanwhile.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {}
            Err(error) => return Err(error),
        }
        Ok(lineage)
    }

    fn compare(
        &mut self,
        connection: &mut Connection,
        found: &Found,
        last_alive: Option<Timestamp>,
        now: Timestamp,
    ) -> rusqlite::Result<Option<String>> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known: i64 = transaction
            .query_row(
                "SELECT value FROM tally WHERE name = 'generation'",
                (),
                |row| row.get(0),
            )
            .optional()?
            .unwrap_or(0);
        let went_back = known < self.past.generation;
        let (cause, notice) = match found {
            Found::Missing => (
                "the journal was gone",
                Some(format!(
                    "the journal that was here is gone since {now} or before: what it had not delivered is \
                     lost, and companies have to be connected again"
                )),
            ),
            Found::Damaged { .. } => ("the journal was damaged", None),
            _ if went_back => (
                "an older journal was put back",
                Some(format!(
                    "an older journal was put back before {now}: what was taken in after it was copied is \
                     not in it, and companies are read again since then"
                )),
            ),
            _ => ("", None),
        };
        if went_back {
            self.turn(&transaction, cause, last_alive, now)?;
        }
        if let Some(notice) = &notice {
            events::insert(&transaction, now, "journal", notice)?;
        }
        self.past.generation = self.past.generation.max(known);
        self.past.epoch = epoch(&transaction)?.max(self.past.epoch);
        self.step(&transaction)?;
        let numbers = Numbers::load(&transaction)?;
        self.past.numbers = self
            .past
            .numbers
            .max(numbers.receipt.max(numbers.change) + BLOCK);
        transaction.commit()?;
        Ok(notice)
    }

    /// Begins an epoch: from here on every number is above all that may have been given.
    fn turn(
        &mut self,
        connection: &Connection,
        cause: &str,
        last_alive: Option<Timestamp>,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let base = self.past.numbers;
        self.past.epoch = epoch(connection)?.max(self.past.epoch) + 1;
        connection.execute(
            "INSERT INTO epoch (number, base, began_at, cause) VALUES (?1, ?2, ?3, ?4)",
            params![self.past.epoch, base, now.as_ms(), cause],
        )?;
        connection.execute(
            "UPDATE tally SET value = value + ?1 - (SELECT ifnull(max(seq), 0) FROM sqlite_sequence \
             WHERE name = 'receipt') WHERE name = 'receipts_pruned'",
            [base],
        )?;
        for table in ["receipt", "change"] {
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                (table, base),
            )?;
        }
        // Whoever has all that there is waits for none of what was passed over.
        connection.execute(
            "UPDATE lane SET through = ?1 WHERE through = (SELECT sequence FROM realm \
             WHERE id = lane.realm)",
            [base],
        )?;
        connection.execute(
            "UPDATE realm SET skipped_after = sequence, skipped_to = ?1, \
             pruned = pruned + ?1 - sequence, sequence = ?1",
            [base],
        )?;
        let opening = Opening {
            since: last_alive.unwrap_or(now).min(now),
            until: now,
            cause: "journal put back".into(),
            now,
        };
        gaps::open(connection, &mut Touched::new(now), &opening)?;
        let text = format!(
            "{cause}; events carry epoch {} from now on",
            self.past.epoch
        );
        events::insert(connection, now, "epoch", &text)
    }

    /// The time by which ages were counted last.
    pub(super) fn aged(&self) -> Option<Timestamp> {
        self.past.aged.map(Timestamp::from_ms)
    }

    /// Ages are counted by this time.
    pub(super) fn age(&mut self, now: Timestamp) {
        self.past.aged = Some(now.as_ms());
    }

    /// Whether the journal has been in use for long since the last step, by its commits that wrote
    /// something.
    pub(super) fn is_due(&mut self, commits: u32) -> bool {
        let is_due = self.stepped_at.elapsed() >= STEP && commits != self.commits;
        if is_due {
            self.commits = commits;
        }
        is_due
    }

    /// The transaction under way is one that a copy from before does not have.
    pub(super) fn step(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let next = self.past.generation + 1;
        connection
            .prepare_cached(
                "INSERT INTO tally (name, value) VALUES ('generation', ?1) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )?
            .execute([next])?;
        self.next = Some(next);
        self.stepped_at = Instant::now();
        Ok(())
    }

    /// The transaction under way was committed.
    pub(super) fn committed(&mut self) {
        // After the journal: it may be ahead of the file, never behind it.
        if let Some(next) = self.next.take() {
            self.past.generation = next;
            self.write();
        }
    }

    /// The transaction under way was rolled back.
    pub(super) fn rolled_back(&mut self) {
        self.next = None;
    }

    /// A batch begins that takes its numbers from these on.
    pub(super) fn reserve(&mut self, numbers: Numbers) {
        let next = numbers.receipt.max(numbers.change);
        if next + BATCH <= self.past.numbers || next < self.try_from {
            return;
        }
        let before = std::mem::replace(&mut self.past.numbers, next + BLOCK);
        if !self.write() {
            // It has to go on without; it costs a sync each time that it is tried.
            self.past.numbers = before;
            self.try_from = next + 1000;
        }
    }

    fn read(&self) -> Option<Past> {
        let text = fs::read(&self.file).ok()?;
        let past = serde_json::from_slice(&text);
        past.inspect_err(|error| tracing::warn!("{}: {error}", self.file.display()))
            .ok()
    }

    fn write(&self) -> bool {
        let written = serde_json::to_vec(&self.past)
            .map_err(io::Error::other)
            .and_then(|text| replace(&self.file, &text));
        if let Err(error) = &written {
            tracing::warn!("{} cannot be written: {error}", self.file.display());
        }
        written.is_ok()
    }
}

/// The newest epoch; 0 before the first.
fn epoch(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(number), 0) FROM epoch", (), |row| {
        row.get(0)
    })
}

/// A file that is the new one or the old one, whatever happens in between.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    let mut fresh = NamedTempFile::new_in(&directory)?;
    fresh.write_all(text)?;
    fresh.as_file().sync_all()?;
    fresh.persist(path).map_err(|failed| failed.error)?;
    sync_directory(&directory)
}

/// Leaves a notice beside the journal that is told until somebody takes it away.
fn leave(path: &Path, notice: &str, now: Timestamp) {
    let name = with_suffix(path, &format!("{NOTICE}{}", now.as_ms()));
    let left = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(name)
        .and_then(|mut file| writeln!(file, "{notice}"));
    if let Err(error) = left {
        tracing::warn!("no notice of it can be left beside the journal: {error}");
    }
}

/// The notices that lie beside the journal, oldest first, each with where it lies.
pub(super) fn notices(path: &Path) -> Vec<String> {
    let prefix = with_suffix(path, NOTICE);
    let prefix = prefix.as_os_str().as_encoded_bytes();
    let entries = fs::read_dir(directory_of(path))
        .into_iter()
        .flatten()
        .flatten();
    let is_one = |path: &PathBuf| path.as_os_str().as_encoded_bytes().starts_with(prefix);
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    found.sort();
    let told = |path: &PathBuf| {
        let text = fs::read_to_string(path).ok()?;
        let line: String = text
            .lines()
            .next()?
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        Some(format!(
            "{line} (told until {} is taken away)",
            path.display()
        ))
    };
    found.iter().filter_map(told).collect()
}
