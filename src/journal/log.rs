//! The write-ahead log: when it is emptied, and how.
//!
//! Called by the writer only, between batches. A reader that lasts pins the log, which then grows for
//! as long as the reader stays. So a log that is larger than it should be, and every append that was
//! refused for room, are a reason to try again: whatever state the reader left behind, the first try
//! after its end leaves it. A try that a reader keeps from succeeding copies nothing twice and waits
//! for nobody.

use super::Error;
use super::room::Room;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

/// Pages in the log from which it is emptied when nothing else is to do: 1 MiB.
const LOG_PAGES: i32 = 256;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// How long the writer's statements wait for somebody else's lock. Nobody else should have one.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// What is known of the log.
pub(super) struct Log {
    /// Pages in it since it was last emptied, told by SQLite after each commit.
    pages: Arc<AtomicI32>,
    /// Commits that wrote something.
    commits: Arc<AtomicU32>,
    /// Pages from which it is emptied although there is work.
    pages_max: i32,
}

impl Log {
    /// Hears of every commit of this connection from now on.
    pub(super) fn of(connection: &mut Connection, room: &Room) -> rusqlite::Result<Self> {
        let log = Self {
            pages: Arc::default(),
            commits: Arc::default(),
            pages_max: bound(room),
        };
        let (pages, commits) = (Arc::clone(&log.pages), Arc::clone(&log.commits));
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
            pages.store(count, Ordering::Relaxed);
            commits.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(log)
    }

    /// Changes with every commit that wrote something.
    pub(super) fn commits(&self) -> u32 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Whether a quiet moment should be used to empty it.
    pub(super) fn is_worth_emptying(&self) -> bool {
        self.pages.load(Ordering::Relaxed) > LOG_PAGES
    }

    /// Whether it has to be emptied although there is work.
    pub(super) fn is_long(&self, room: &Room) -> bool {
        // On a full disk it must not outgrow the blocks that it has.
        let most = if room.disk_is_full() {
            self.pages_max / 2
        } else {
            self.pages_max
        };
        self.pages.load(Ordering::Relaxed) >= most
    }

    /// Copies it into the main file, so that it begins again at its start. A reader that still needs
    /// a part of it keeps that from happening; then it is tried again a quarter later.
    ///
    /// # Errors
    /// [`Error::Broken`]. A checkpoint that failed for want of room or of a lock loses nothing: the
    /// log still holds all of it.
    pub(super) fn checkpoint(
        &mut self,
        connection: &Connection,
        room: &mut Room,
    ) -> Result<(), Error> {
        self.pages.store(0, Ordering::Relaxed);
        self.pages_max = bound(room);
        room.look();
        match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
            Ok((pages, done)) if done < pages => {
                self.pages_max = pages.max(self.pages_max) + self.pages_max / 4;
            }
            // Only then: its blocks are the reserve that a full disk cannot take.
            Ok(_) if room.log_is_oversized() => return truncate(connection, room),
            Ok(_) => {}
            Err(error) => return forgiven(&error, room),
        }
        Ok(())
    }
}

/// Copies the log into the main file; false when not all of it, because somebody reads it.
pub(super) fn copy(connection: &Connection) -> rusqlite::Result<bool> {
    let (pages, done) = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE)?;
    Ok(done >= pages)
}

/// Empties the log's file, unless somebody reads it: nobody is waited for.
pub(super) fn truncate(connection: &Connection, room: &mut Room) -> Result<(), Error> {
    let done = connection
        .busy_timeout(Duration::ZERO)
        .and_then(|()| connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE));
    let restored = connection.busy_timeout(PATIENCE);
    room.reserve();
    room.look();
    match done.and(restored) {
        Ok(()) => Ok(()),
        Err(error) => forgiven(&error, room),
    }
}

fn forgiven(error: &rusqlite::Error, room: &Room) -> Result<(), Error> {
    match Error::of_write(error, room.disk_is_full()) {
        broken @ Error::Broken(_) => Err(broken),
        _ => Ok(()),
    }
}

fn bound(room: &Room) -> i32 {
    i32::try_from(room.log_bytes_max() / PAGE).unwrap_or(i32::MAX)
}
