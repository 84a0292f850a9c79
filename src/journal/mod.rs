//! The journal: every receipt on the disk before it is acknowledged, every change told on in order.
//!
//! One SQLite file, one thread that writes ([`writer`]), one that reads ([`reader`]). The server
//! appends, the worker looks at lanes and settles deliveries, the companies' tasks hand in what they
//! read ([`companies`]), the roof opens and closes. What this module promises:
//!
//! 1. **When [`append`](Journal::append) returns, the receipt survives loss of power** (I1). The
//!    file is in write-ahead mode with `synchronous=FULL`, both read back at the start, and the
//!    answer goes out after the commit of its batch.
//! 2. **A batch is all or nothing, and its members get their numbers in order of arrival.** Numbers
//!    come from the database, never from a clock. A company's `sequence` has no gaps: what was
//!    rolled back consumed none, what was pruned is accounted for.
//! 3. **There is one writer** (I2), across processes too: a lock beside the file. It takes one
//!    command, then whatever else is already waiting up to the batch limit, commits, then answers
//!    all. It never waits for company. Nobody else writes and nobody else empties the log.
//! 4. **After a failed write or sync nothing is written any more** (I11). Every member of the batch
//!    is told, every later call is refused, [`broken`](Journal::broken) resolves; the process ends,
//!    and opening again is the only repair. What opening finds in the log is made durable before it
//!    is built upon. A full disk is different: appends are refused before a promise is made, a
//!    reserve lets what was promised be finished, and it resumes by itself when there is room.
//! 5. **A change and its deliveries are born in one transaction; a delivery is settled in one.** A
//!    lane is a cursor over the changes of its company.
//! 6. **Rows are never edited except for state columns.** Retention deletes whole finished receipts,
//!    oldest first, never unfinished work, and gives the space back in small steps.
//! 7. **Reading never blocks writing.** Readers are read-only, their transactions are short, and they
//!    have a deadline.
//! 8. **A damaged file does not stop the relay.** It is set aside under a new name, and another one
//!    serves in its place, into which everything undelivered that can still be read is taken over,
//!    row by row and under its old ids and numbers. Where something is missing, the companies are
//!    read again since then. Damage that a running relay meets makes it broken, as in 4. [`found`](Journal::found) and [`salvaged`](Journal::salvaged) say so.
//! 9. **A repeat is acknowledged and counted, not stored twice**, and this outlasts a restart and the
//!    receipt itself. The same identity with other content: both are kept, and it is reported.
//! 10. **What a look at a company brought is taken in whole or not at all**, and judged by what the
//!     journal holds at that moment: what somebody told already is not told again, whichever way it
//!     comes first. Tokens are on the disk, sealed, before the call that stores them returns.
//! 11. **An element instance is there with its company, its tokens and its lane, or nothing of it is.**
//!     It is told of what comes after it was made; receipts cost the same however many there are, and
//!     what is not for one is neither written for it nor kept for it.
//!
//! Each sentence has its test in `tests/it/journal`.

mod admission;
mod append;
mod aside;
mod audit;
mod batch;
mod brief;
mod command;
mod companies;
mod company;
mod dead;
mod erase;
mod error;
mod events;
mod export;
mod forgetting;
mod gaps;
mod incoming;
pub mod inspect;
mod instance;
mod instance_events;
mod instance_rows;
mod instances;
mod known;
mod lineage;
mod listing;
mod log;
mod migrate;
mod open;
mod operations;
mod put_aside;
mod reader;
mod realms;
mod reconcile;
mod records;
mod replay;
mod reseal;
mod retention;
mod room;
mod route;
mod rows;
mod salvage;
mod settle;
mod shared;
mod shares;
mod sieve;
mod sift;
mod sinks;
mod snapshot;
mod touched;
mod verify;
mod watermarks;
mod work;
mod writer;

pub use audit::{AUDIT, AuditedChange, Caller};
pub use dead::{DeadFilter, DeadLetter, Place};
pub use erase::Erased;
pub use error::Error;
pub use events::Event;
pub use export::ExportError;
pub use forgetting::ForgottenCompany;
pub use inspect::Inspection;
pub use instance_events::{
    EventCount, EventStanding, InstanceEvent, InstanceEvents, InstanceEventsAsk,
};
pub use open::Found;
pub use put_aside::{ReplayFilter, UnreadableFilter};
pub use replay::{ChangeFilter, Planned, ReplayPlan, ReplayRequest, Selection};
pub use reseal::{Resealed, Sealed};
pub use retention::Tidied;
pub use salvage::Salvaged;
pub use shared::Changed;
pub use snapshot::{LaneTrouble, Snapshot};
pub use verify::Verification;

use crate::model::{
    Attempt, Delivery, JournalHealth, Kept, Lane, LaneView, Limits, RealmId, Receipt, Settlement,
    SinkName, Timestamp,
};
use command::{Answer, Command, Task};
use incoming::Incoming;
use known::Known;
use lineage::Lineage;
use reader::Reader;
use rusqlite::Connection;
use shared::Shared;
use sieve::Sieve;
use sinks::Prepared;
use snapshot::SnapshotCache;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use writer::Writer;

/// What the journal needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file; `<path>-wal`, `<path>-shm` and `<path>-lock` lie beside it. Its directory is made
    /// with mode 0700 where it is missing.
    pub path: PathBuf,
    /// Bytes that the file and its log may take together.
    pub bytes_max: u64,
    /// Age at which finished receipts are deleted.
    pub keep: Duration,
    /// The configured sinks. A new one gets the changes from now on; one that was configured
    /// before goes on where it stood.
    pub sinks: Vec<SinkName>,
    /// Whether events leave for the element instances; otherwise nothing is kept for them that
    /// would have been deleted, as for a sink that is not configured.
    pub instances: bool,
    /// Whether the record that was read for a notified change is kept with it, because some sink
    /// wants it.
    pub keep_records: bool,
    /// Bounds of queue, batch and reads.
    pub limits: Limits,
}

/// What a sink's format needs of a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Changes at most, at least 1.
    pub max: usize,
    /// Only changes that came with one receipt.
    pub one_receipt: bool,
    /// The body of that receipt too.
    pub body: bool,
    /// The record of each change too, where it is known.
    pub record: bool,
    /// Of a connected company only what is reconciled, or was received at or before this instant;
    /// `None`: everything at once.
    pub reconciled_only: Option<Timestamp>,
}

/// A handle on the open journal; all of them are equal.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    queue: SyncSender<Command>,
    /// Places in the queue; closed when the journal is.
    places: Arc<Semaphore>,
    /// Those of receipts that nobody signed.
    unsigned_places: Arc<Semaphore>,
    reader: Reader,
    shared: Arc<Shared>,
    path: PathBuf,
    sieve: Arc<Sieve>,
    snapshot: Arc<SnapshotCache>,
    bytes_max: u64,
    companies_max: u64,
    found: Found,
    damaged: Vec<PathBuf>,
    salvaged: Option<Result<Salvaged, Error>>,
    last_alive: Option<Timestamp>,
    last_aged: Option<Timestamp>,
    notices: Vec<String>,
}

impl Journal {
    /// Opens the journal, or makes it, and starts its threads. Blocks for as long as reading the
    /// log back and the check take, at most a few seconds.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Newer`], [`Error::Foreign`] or [`Error::Unusable`]; all are for
    /// a person.
    pub fn open(settings: Settings, now: Timestamp) -> Result<Self, Error> {
        let unusable = |error: &dyn std::fmt::Display| Error::Unusable(error.to_string());
        let mut opened = open::open(&settings.path, now)?;
        let mut salvaged = salvaged(&mut opened.connection, &settings, now);
        let mut ready = ready(&mut opened, &settings, now);
        if ready.as_ref().is_err_and(Error::is_damage) {
            opened = opened.set_aside(&settings.path, now)?;
            salvaged = self::salvaged(&mut opened.connection, &settings, now);
            ready = self::ready(&mut opened, &settings, now);
        }
        if ready.as_ref().is_err_and(Error::is_damage) {
            // Damage that was taken over with the rest: nothing of it is, so that this start is not
            // the first of many that fail.
            opened = opened.set_aside(&settings.path, now)?;
            let passed_over = salvage::pass_over(&mut opened.connection, &settings.path, now);
            passed_over.map_err(|error| unusable(&error))?;
            salvaged = Some(Ok(Salvaged::default()));
            ready = self::ready(&mut opened, &settings, now);
        }
        let (prepared, known, lineage) = ready.map_err(|error| unusable(&error))?;
        let last_alive = prepared.last_alive;
        let last_aged = lineage.aged();
        let shared = Arc::new(Shared::new(
            prepared.last_receipt_at,
            settings.limits.answer,
        ));
        let (bytes_max, limits, path) = (
            settings.bytes_max,
            settings.limits.clone(),
            settings.path.clone(),
        );
        let writer = Writer::new(
            opened.connection,
            (opened.lock, lineage),
            settings,
            known,
            Arc::clone(&shared),
            now,
        )
        .map_err(|error| unusable(&error))?;
        let (told, damaged) = (Arc::clone(&shared), path.clone());
        let alarm = move |error: &rusqlite::Error| {
            aside::mark_as_damaged(&damaged);
            told.latch(&Error::Broken(format!("the file is damaged: {error}")));
        };
        let reader = Reader::start(open::open_read_only(&path)?, limits.read, alarm)
            .map_err(|error| unusable(&error))?;
        let places = limits.append_queue_max.clamp(1, Semaphore::MAX_PERMITS);
        let unsigned_places = places.div_ceil(4);
        let (queue, commands) = sync_channel(places + unsigned_places);
        std::thread::Builder::new()
            .name("journal-writer".into())
            .spawn(move || writer.run(&commands))
            .map_err(|error| unusable(&error))?;
        Ok(Self(Arc::new(Inner {
            queue,
            places: Arc::new(Semaphore::new(places)),
            unsigned_places: Arc::new(Semaphore::new(unsigned_places)),
            reader,
            shared,
            damaged: aside::damaged(&path),
            notices: lineage::notices(&path),
            path,
            sieve: Arc::default(),
            snapshot: Arc::default(),
            bytes_max,
            companies_max: limits.companies_max,
            found: opened.found,
            salvaged,
            last_alive,
            last_aged,
        })))
    }

    /// How the file was found when it was opened.
    pub fn found(&self) -> &Found {
        &self.0.found
    }

    /// The damaged files that were set aside at this or an earlier start and that still lie there:
    /// what they hold was acknowledged, and some of it may not have been delivered.
    pub fn damaged(&self) -> &[PathBuf] {
        &self.0.damaged
    }

    /// What a person has to know of the journal's past: that it was gone, or that an older one was put
    /// back. Told until the file that says it is taken away from beside the journal.
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }

    /// The time by which ages were counted last, or the latest instant that the journal knew of when it
    /// was opened.
    pub fn last_aged(&self) -> Option<Timestamp> {
        self.0.last_aged.or(self.0.last_alive)
    }

    /// What was taken over at this start from the damaged file that was set aside last; an error when
    /// that could not be kept. `None` when there was nothing to take over.
    pub fn salvaged(&self) -> Option<&Result<Salvaged, Error>> {
        self.0.salvaged.as_ref()
    }

    /// Keeps a receipt. When this returns `Ok`, it survives loss of power (I1).
    ///
    /// # Errors
    /// [`Error::Busy`] when too many wait already, [`Error::Full`] when there is no room,
    /// [`Error::Broken`] or [`Error::Closed`]. The receipt is not promised to be kept then; after
    /// `Broken` it may or may not be there, and a repeat of it is recognized if it is.
    pub async fn append(&self, receipt: Receipt) -> Result<Kept, Error> {
        self.check()?;
        // Who does not sign waits apart, so that what is signed always finds a place.
        let places = if receipt.authenticity.is_unsigned() {
            &self.0.unsigned_places
        } else {
            &self.0.places
        };
        let place = Arc::clone(places)
            .try_acquire_owned()
            .map_err(|error| match error {
                tokio::sync::TryAcquireError::NoPermits => Error::Busy,
                tokio::sync::TryAcquireError::Closed => Error::Closed,
            })?;
        let incoming = Box::new(Incoming::new(receipt));
        self.ask(place, |answer| Task::Append(incoming, answer))
            .await
    }

    /// What a lane could do next. A company that is not known has nothing to do.
    ///
    /// # Errors
    /// [`Error::UnknownSink`] when there is no such lane, or no longer; [`Error::Unread`] past the
    /// deadline `limits.read`.
    pub async fn lane_view(&self, lane: &Lane, ask: Ask) -> Result<LaneView, Error> {
        let (asked, sieve) = (lane.clone(), Arc::clone(&self.0.sieve));
        let view = self
            .read(move |connection| reader::lane_view(connection, &sieve, &asked, ask))
            .await?;
        view.ok_or_else(|| Error::UnknownSink(lane.sink.to_string()))
    }

    /// Records what became of a delivery. Waits for a place in the queue.
    ///
    /// # Errors
    /// [`Error::UnknownSink`] when there is no such lane any more: nobody asks what became of it.
    /// [`Error::Full`] when even the reserve is used up: the delivery is not settled, try again.
    /// [`Error::Broken`] and [`Error::Closed`] as for an append.
    pub async fn settle(
        &self,
        delivery: &Delivery,
        attempt: &Attempt,
        settlement: &Settlement,
    ) -> Result<(), Error> {
        let settling = Box::new((delivery.clone(), attempt.clone(), settlement.clone()));
        self.command(|answer| Task::Settle(settling, answer)).await
    }

    /// Every lane that there is: each configured sink with the companies that it is told of.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn lanes(&self) -> Result<Vec<Lane>, Error> {
        self.read(reader::lanes).await
    }

    /// Changes whenever a lane of this company should look again.
    pub fn subscribe(&self, realm: &RealmId) -> watch::Receiver<u64> {
        self.0.shared.subscribe(realm)
    }

    /// Changes whenever there is a new company.
    pub fn subscribe_companies(&self) -> watch::Receiver<u64> {
        self.0.shared.subscribe_companies()
    }

    /// Goes through the writer's queue and its next commit, and does nothing there.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn ping(&self) -> Result<(), Error> {
        self.command(Task::Ping).await
    }

    /// Whether it takes receipts.
    pub fn health(&self) -> JournalHealth {
        self.0.shared.health()
    }

    /// Resolves when the journal has broken, with the cause; never before.
    pub async fn broken(&self) -> Error {
        let mut broken = self.0.shared.watch_broken();
        match broken.wait_for(Option::is_some).await {
            Ok(cause) => cause.clone().unwrap_or(Error::Closed),
            Err(_) => Error::Closed,
        }
    }

    /// Finishes what was asked before, empties the log and closes the file. Other handles are
    /// refused from then on.
    ///
    /// # Errors
    /// [`Error::Broken`] when it was.
    pub async fn close(self) -> Result<(), Error> {
        let closed = self.command(Task::Close).await;
        self.0.places.close();
        self.0.unsigned_places.close();
        closed
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.0.reader.ask(question).await
    }

    async fn command<T>(&self, task: impl FnOnce(Answer<T>) -> Task) -> Result<T, Error> {
        self.check()?;
        let place = Arc::clone(&self.0.places)
            .acquire_owned()
            .await
            .map_err(|_| self.gone())?;
        self.ask(place, task).await
    }

    async fn ask<T>(
        &self,
        place: OwnedSemaphorePermit,
        task: impl FnOnce(Answer<T>) -> Task,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let command = Command {
            task: task(answer),
            asked_at: Instant::now(),
            place,
        };
        // Never full: there are as many places as there is room.
        self.0.queue.try_send(command).map_err(|_| self.gone())?;
        answered.await.map_err(|_| self.gone())?
    }

    fn check(&self) -> Result<(), Error> {
        self.0.shared.broken().map_or(Ok(()), Err)
    }

    /// Why the writer's thread does not answer.
    fn gone(&self) -> Error {
        self.0.shared.broken().unwrap_or(Error::Closed)
    }
}

/// Takes over what can be read of the damaged file that was set aside last, if that was not done.
fn salvaged(
    connection: &mut Connection,
    settings: &Settings,
    now: Timestamp,
) -> Option<Result<Salvaged, Error>> {
    let aside = aside::damaged(&settings.path).pop()?;
    let salvaged = salvage::salvage(connection, &aside, &settings.sinks, now);
    let salvaged = salvaged.map_err(|error| Error::of_write(&error, false));
    salvaged.transpose()
}

/// The first reading of the file: the sinks, what was taken in before, and what became of it since.
fn ready(
    opened: &mut open::Opened,
    settings: &Settings,
    now: Timestamp,
) -> rusqlite::Result<(Prepared, Known, Lineage)> {
    let connection = &mut opened.connection;
    let prepared = sinks::register(connection, settings, now)?;
    let known = Known::load(connection)?;
    let (path, found) = (&settings.path, &opened.found);
    let lineage = Lineage::begin(connection, path, found, prepared.last_alive, now)?;
    Ok((prepared, known, lineage))
}
