//! The only writer: a thread with the only connection that writes (invariant I2).
//!
//! It takes one command, then whatever else is already waiting up to the batch limit, runs all of
//! them in one transaction, commits, and only then answers all. It never waits for company. Between
//! batches it empties the log ([`log`]). While it cannot take appends it tries by itself whether it can
//! again, so that no state needs a restart or a caller to be left.

mod tasks;

use super::admission::Admission;
use super::append::Numbers;
use super::batch;
use super::command::{Answer, Command, Promise, Task};
use super::error::Failure;
use super::known::Known;
use super::lineage::Lineage;
use super::log::{self, Log};
use super::retention::Sweep;
use super::room::{Displaced, Room};
use super::shared::Shared;
use super::shares;
use super::touched::Touched;
use super::{Error, Settings};
use super::{aside, migrate};
use crate::model::{JournalHealth, Timestamp};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Quiet before the log is emptied.
const QUIET: Duration = Duration::from_millis(50);

/// Between two tries to come out of a state in which no append is taken.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Bytes up to which the file is written anew when a company is forgotten; that takes as much memory.
const REWRITTEN_MAX: u64 = 16 << 20;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Bytes that an element instance may take, generously.
const INSTANCE_BYTES: u64 = 32 << 10;

/// Bytes that must be free again before appends are taken again.
const ROOM_AGAIN: u64 = 64 << 10;

/// The thread's own state.
pub(super) struct Writer {
    connection: Connection,
    _lock: File,
    lineage: Lineage,
    settings: Settings,
    known: Known,
    numbers: Numbers,
    admission: Admission,
    sweep: Sweep,
    room: Room,
    shared: Arc<Shared>,
    touched: Touched,
    log: Log,
    /// Something was refused for want of room, and the log has not been looked at since.
    refused: bool,
    /// The log is to be emptied after this batch.
    purges: bool,
    /// A source that should make room for itself.
    crowded: Option<shares::Crowded>,
    /// Receipts that nobody signed, behind those that are.
    unsigned: VecDeque<Command>,
    closing: Option<Answer<()>>,
}

impl Writer {
    /// Gets everything ready, in the caller's thread.
    pub(super) fn new(
        mut connection: Connection,
        (lock, lineage): (File, Lineage),
        settings: Settings,
        known: Known,
        shared: Arc<Shared>,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        // Reading opens the log and its shared memory, whose files are known from then on.
        Numbers::load(&connection)?;
        let room = Room::new(&settings.path, settings.bytes_max);
        room.reserve();
        let mut writer = Self {
            log: Log::of(&mut connection, &room)?,
            connection,
            _lock: lock,
            lineage,
            known,
            numbers: Numbers::default(),
            admission: Admission::new(settings.limits.companies_max, shared.scopes()),
            settings,
            sweep: Sweep::default(),
            room,
            shared,
            touched: Touched::new(now),
            refused: false,
            purges: false,
            crowded: None,
            unsigned: VecDeque::new(),
            closing: None,
        };
        writer.measure()?;
        writer.room.look();
        writer.shared.set_bytes_used(writer.room.used());
        // Said from the start, not only when the first delivery has been refused.
        writer.shared.set_full(!writer.room.take(ROOM_AGAIN));
        Ok(writer)
    }

    /// Works until it is told to close or nobody can ask any more.
    pub(super) fn run(mut self, queue: &Receiver<Command>) {
        let end = self.shared.broken_unless_defused();
        while let Some((batch, waiting_since)) = self.next(queue) {
            self.perform(batch, waiting_since);
            self.between_batches();
            if self.closing.is_some() {
                break;
            }
        }
        end.defuse();
        self.finish();
    }

    /// The next batch, and since when the first of it waits.
    fn next(&mut self, queue: &Receiver<Command>) -> Option<(Vec<Task>, Instant)> {
        let first = if self.unsigned.is_empty() {
            let first = self.wait(queue)?;
            self.shared.works_since(first.asked_at);
            Some(first)
        } else {
            queue.try_recv().ok()
        };
        let tasks_max = self.settings.limits.batch_max;
        Some(batch::gather(first, queue, &mut self.unsigned, tasks_max))
    }

    /// The next command; while there is none, the log is emptied, and what keeps appends from being
    /// taken is looked at again.
    fn wait(&mut self, queue: &Receiver<Command>) -> Option<Command> {
        loop {
            self.shared.rests();
            let patience = if self.log.is_worth_emptying() {
                QUIET
            } else if self.shared.broken().is_none() && !self.is_ready() {
                TRY_AGAIN
            } else {
                return queue.recv().ok();
            };
            match queue.recv_timeout(patience) {
                Ok(command) => return Some(command),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.use_the_quiet(),
            }
        }
    }

    /// Whether the log is as it should be, and appends are taken.
    fn is_ready(&self) -> bool {
        !self.room.log_is_oversized() && self.shared.verdict() == JournalHealth::Working
    }

    fn use_the_quiet(&mut self) {
        self.shared.works_since(Instant::now());
        self.checkpoint();
        if !self.is_ready() {
            self.perform(Vec::new(), Instant::now());
        }
    }

    /// Runs a batch in one transaction and answers its members, of whom the first asked then. An empty
    /// batch tries whether something can be written.
    fn perform(&mut self, batch: Vec<Task>, waiting_since: Instant) {
        let mut promises = Vec::with_capacity(batch.len());
        let commits = self.log.commits();
        let fate = self.transact(batch, &mut promises);
        if let Err(error) = &fate {
            self.abandon(error);
        }
        let wrote = self.log.commits() != commits;
        let took = waiting_since.elapsed();
        self.shared
            .ended(&fate, wrote, took > self.settings.limits.answer);
        for promise in promises {
            promise(fate.clone());
        }
        let touched = &mut self.touched;
        if fate.is_ok() {
            self.shared.wake(touched);
            self.shared.note_refused(&touched.refused);
        }
        *touched = Touched::new(touched.now());
    }

    fn transact(&mut self, batch: Vec<Task>, promises: &mut Vec<Promise>) -> Result<(), Error> {
        let mut fate = match self.shared.broken() {
            Some(error) => Err(error),
            None => self.begin(),
        };
        if batch.is_empty() && fate.is_ok() {
            fate = self.write_nothing_new();
        }
        let mut full = false;
        for task in batch {
            let (promise, result) = self.run_task(task, fate.is_ok());
            promises.push(promise);
            match result {
                Err(Failure::Sqlite(error)) => {
                    if Error::is_damage(&error) {
                        aside::mark_as_damaged(&self.settings.path);
                    }
                    fate = Err(Error::of_write(&error, self.room.disk_is_full()));
                }
                Err(Failure::Refused(Error::Full)) => full = true,
                Err(Failure::Refused(_)) | Ok(()) => {}
            }
        }
        fate?;
        self.commit()?;
        self.refused |= full;
        if full || self.shared.is_full() {
            self.shared.set_full(full || !self.room.take(ROOM_AGAIN));
        }
        Ok(())
    }

    /// Writes the first page of the file as it is.
    fn write_nothing_new(&self) -> Result<(), Error> {
        let format = migrate::newest();
        let written = self.connection.pragma_update(None, "user_version", format);
        written.map_err(|error| Error::of_write(&error, self.room.disk_is_full()))
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.room.look();
        self.admission.begin();
        let begun = self
            .connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut begin| begin.execute(()))
            .and_then(|_| Numbers::load(&self.connection));
        self.numbers = begun.map_err(|error| Error::of_write(&error, self.room.disk_is_full()))?;
        self.lineage.reserve(self.numbers);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        let committed = self
            .measure()
            .and_then(|()| self.connection.prepare_cached("COMMIT")?.execute(()));
        committed.map_err(|error| Error::of_write(&error, self.room.disk_is_full()))?;
        // Before anybody is told: what is in a file that is not at the path ends with the process.
        if let Some(displaced) = self.room.displaced() {
            return Err(self.rescue(&displaced));
        }
        self.known.committed();
        self.lineage.committed();
        self.shared.set_bytes_used(self.room.used());
        if self.touched.settled {
            self.sweep.settled();
        }
        if let Some(at) = self.touched.arrived {
            self.shared.arrived(at);
        }
        for (realm, kind, to) in self.touched.read.drain(..) {
            self.shared.run_ahead(&realm, kind, to);
        }
        Ok(())
    }

    /// The batch is not kept. After a failed write or sync nothing at all is written any more.
    fn abandon(&mut self, error: &Error) {
        if !self.connection.is_autocommit() {
            // It writes nothing, and should it fail, the next batch cannot begin and says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.known.rolled_back();
        self.admission.ask_again();
        self.lineage.rolled_back();
        self.sweep = Sweep::default();
        match error {
            Error::Broken(_) => self.shared.latch(error),
            Error::Full => {
                self.refused = true;
                self.shared.set_full(true);
            }
            _ => {}
        }
    }

    /// The files that are written are not those at their paths: what they hold is saved, and nothing is
    /// written any more.
    fn rescue(&mut self, displaced: &Displaced) -> Error {
        let (path, now) = (&self.settings.path, self.touched.now());
        let saved = aside::rescue(&self.connection, path, &mut self.room, displaced, now);
        let why = displaced.why();
        Error::Broken(format!("{why} while it was in use; {saved}"))
    }

    /// Pages of the main file that hold something, as the transaction under way sees it.
    fn measure(&mut self) -> rusqlite::Result<()> {
        let number = |pragma: &str| -> rusqlite::Result<u64> {
            let pages: i64 = self
                .connection
                .prepare_cached(pragma)?
                .query_row((), |row| row.get(0))?;
            Ok(u64::try_from(pages).unwrap_or(0))
        };
        let free = number("PRAGMA freelist_count")?;
        let live = number("PRAGMA page_count")?
            .saturating_sub(free)
            .saturating_mul(PAGE);
        self.room.measured(live);
        Ok(())
    }

    /// What is due when the answers are out: a log that is long or that appends were refused for is
    /// emptied, and when the budget runs low a step of retention makes room without waiting to be asked.
    fn between_batches(&mut self) {
        if self.closing.is_some() {
            return;
        }
        if std::mem::take(&mut self.purges) && self.shared.broken().is_none() {
            self.purge();
        }
        let refused = std::mem::take(&mut self.refused);
        if refused || self.room.log_is_oversized() || self.log.is_long(&self.room) {
            self.checkpoint();
        }
        let is_pressed = self.room.excess().is_some() && self.sweep.is_worthwhile();
        if (is_pressed || self.crowded.is_some()) && self.shared.broken().is_none() {
            let (answer, _) = oneshot::channel();
            self.perform(vec![Task::Tidy(None, answer)], Instant::now());
        }
    }

    /// Whether the file can be written anew within the memory and the time that there is.
    fn is_rewritable(&self) -> bool {
        self.room.used() <= REWRITTEN_MAX
    }

    /// Leaves nothing in file and log of what was deleted: pages that were divided or joined keep old
    /// copies of rows in the part of them that is not used, until they are written anew.
    fn purge(&mut self) {
        if self.is_rewritable()
            && let Err(error) = self.connection.execute_batch("VACUUM")
        {
            tracing::warn!("the journal was not written anew: {error}");
        }
        if let Err(error) = log::truncate(&self.connection, &mut self.room) {
            self.shared.latch(&error);
        }
    }

    fn checkpoint(&mut self) {
        if self.shared.broken().is_some() {
            return;
        }
        if let Err(error) = self.log.checkpoint(&self.connection, &mut self.room) {
            self.shared.latch(&error);
        }
    }

    /// A copy that was made before is known for one from now on.
    fn step(&mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.lineage.step(&self.connection)?;
        self.connection.execute_batch("COMMIT")?;
        self.lineage.committed();
        Ok(())
    }

    /// Empties the log, which is the mark of an orderly end, and closes the file.
    fn finish(mut self) {
        if self.shared.broken().is_none() && self.step().is_err() {
            // A full disk; that the journal was closed is said the next time.
            let _ = self.connection.execute_batch("ROLLBACK");
            self.lineage.rolled_back();
        }
        if self.shared.broken().is_none()
            && let Err(error) = log::truncate(&self.connection, &mut self.room)
        {
            self.shared.latch(&error);
        }
        let fate = self.shared.broken().map_or(Ok(()), Err);
        let closing = self.closing.take();
        drop(self);
        if let Some(answer) = closing {
            let _ = answer.send(fate);
        }
    }
}
