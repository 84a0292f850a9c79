//! How much room there is, the byte budget and the disk, and whether it is the room that it was.
//!
//! The budget holds the main file and its log. A part is kept back so that what is already promised
//! can always be finished: appends are refused first, settling and retention go on. On the disk that
//! part is blocks of the log beyond its end, which nobody else can take.

use super::open::{directory_of, with_suffix};
use rustix::fs::FallocateFlags;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The budget and what is used of it.
#[derive(Debug)]
pub(super) struct Room {
    directory: PathBuf,
    main: PathBuf,
    log: PathBuf,
    /// The files that SQLite has open.
    files: Vec<Open>,
    bytes_max: u64,
    /// Bytes of the main file that hold something, as of the last commit.
    live: u64,
    /// Bytes of the log, as of the last look.
    log_bytes: u64,
    /// Bytes that the file system would still give us, as of the last look.
    free: u64,
    /// Bytes promised to the batch under way.
    promised: u64,
}

/// A file that is open, as it was found at its path.
#[derive(Debug)]
struct Open {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Open {
    fn at(path: PathBuf) -> Option<Self> {
        let facts = fs::metadata(&path).ok()?;
        Some(Self {
            device: facts.dev(),
            inode: facts.ino(),
            path,
        })
    }
}

/// What became of a file that is written and is no longer the one at its path; each in a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Displaced {
    /// Nothing lies at the main file's path.
    Missing(String),
    /// Another file lies there.
    Other(String),
    /// The log or the shared memory is another, or gone.
    Beside(String),
    /// Somebody took its content away.
    Emptied(String),
}

impl Displaced {
    /// The sentence.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Missing(why) | Self::Other(why) | Self::Beside(why) | Self::Emptied(why) => why,
        }
    }
}

impl Room {
    /// A budget of `bytes_max` for the journal at `path`.
    pub(super) fn new(path: &Path, bytes_max: u64) -> Self {
        Self {
            directory: directory_of(path),
            main: path.to_owned(),
            log: with_suffix(path, "-wal"),
            files: ["", "-wal", "-shm"]
                .into_iter()
                .filter_map(|suffix| Open::at(with_suffix(path, suffix)))
                .collect(),
            bytes_max,
            live: 0,
            log_bytes: 0,
            free: u64::MAX,
            promised: 0,
        }
    }

    /// Bytes that the log may grow to before it is emptied; as much is kept free on the disk.
    pub(super) fn log_bytes_max(&self) -> u64 {
        (self.bytes_max / 16).clamp(256 << 10, 16 << 20)
    }

    /// Looks at the disk again; a new batch begins.
    pub(super) fn look(&mut self) {
        self.promised = 0;
        self.log_bytes = fs::metadata(&self.log).map_or(0, |log| log.len());
        // A file system that does not tell is not held against the sender: a real lack of space
        // still ends in a refusal, only later.
        self.free = rustix::fs::statvfs(&self.directory).map_or(u64::MAX, |facts| {
            facts.f_bavail.saturating_mul(facts.f_frsize)
        });
    }

    /// What became of the files that are written, if they are no longer those at their paths: whatever
    /// is written into them then is gone with the process. A stat for each, some microseconds in all.
    pub(super) fn displaced(&self) -> Option<Displaced> {
        self.files.iter().find_map(|file| {
            let is_main = file.path == self.main;
            let path = file.path.display();
            match fs::metadata(&file.path) {
                Ok(facts) if (facts.dev(), facts.ino()) != (file.device, file.inode) => {
                    let why = format!("{path} was replaced by another file");
                    Some(if is_main {
                        Displaced::Other(why)
                    } else {
                        Displaced::Beside(why)
                    })
                }
                Ok(facts) => {
                    let least = match file.path == self.log {
                        true => self.log_bytes,
                        false => u64::from(is_main),
                    };
                    let emptied = facts.len() < least;
                    emptied.then(|| Displaced::Emptied(format!("{path} was emptied")))
                }
                Err(error)
                    if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) =>
                {
                    let why = format!("{path} was removed");
                    Some(if is_main {
                        Displaced::Missing(why)
                    } else {
                        Displaced::Beside(why)
                    })
                }
                // A file system that does not tell is not held against the file.
                Err(_) => None,
            }
        })
    }

    /// Keeps blocks for the log beyond its end, as many as it may grow to. A file system that cannot
    /// do that works without.
    pub(super) fn reserve(&self) {
        // The main file and the shared memory must never be opened beside SQLite: closing them again
        // would drop its locks. It puts none on the log.
        let reserved = OpenOptions::new()
            .write(true)
            .open(&self.log)
            .and_then(|log| {
                let keep = FallocateFlags::KEEP_SIZE;
                Ok(rustix::fs::fallocate(&log, keep, 0, self.log_bytes_max())?)
            });
        if let Err(error) = reserved {
            tracing::debug!("no blocks are reserved for the journal's log: {error}");
        }
    }

    /// Takes room for an append; false when there is none.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let taken = self.promised.saturating_add(bytes);
        let fits = self.live.saturating_add(taken) <= self.bytes_for_rows()
            && self.free >= taken.saturating_add(self.log_bytes_max());
        if fits {
            self.promised = taken;
        }
        fits
    }

    /// The same for one that nobody signed: the last sixteenth is kept for those that are.
    pub(super) fn take_unsigned(&mut self, bytes: u64) -> bool {
        let reserve = self.bytes_for_rows() / 16;
        let fits = self
            .live
            .saturating_add(self.promised)
            .saturating_add(bytes)
            <= self.bytes_for_rows().saturating_sub(reserve);
        fits && self.take(bytes)
    }

    /// Whether the log's file is larger than it needs to be, because a reader kept it from being
    /// used again.
    pub(super) fn log_is_oversized(&self) -> bool {
        self.log_bytes > self.log_bytes_max() / 4 * 5
    }

    /// Whether the disk itself has less than what is kept back.
    pub(super) fn disk_is_full(&self) -> bool {
        self.free < self.log_bytes_max()
    }

    /// The main file as of the last commit.
    pub(super) fn measured(&mut self, live: u64) {
        self.live = live;
        self.promised = 0;
    }

    /// Bytes to delete, when retention should make room: from fifteen sixteenths of the room for
    /// rows down to seven eighths.
    pub(super) fn excess(&self) -> Option<u64> {
        let rows = self.bytes_for_rows();
        (self.live > rows / 16 * 15).then(|| self.live.saturating_sub(rows / 8 * 7))
    }

    /// Bytes in use, the log included.
    pub(super) fn used(&self) -> u64 {
        self.live.saturating_add(self.log_bytes)
    }

    /// Identities that may be remembered: an eighth of the budget at about 64 bytes each.
    pub(super) fn identities_max(&self) -> i64 {
        i64::try_from(self.bytes_max / 8 / 64).unwrap_or(i64::MAX)
    }

    /// What appends may fill: the budget without the log and without a reserve of half as much.
    fn bytes_for_rows(&self) -> u64 {
        let log = self.log_bytes.max(self.log_bytes_max());
        self.bytes_max
            .saturating_sub(log)
            .saturating_sub(self.log_bytes_max() / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_are_refused_before_the_budget_is_used_up_and_retention_starts_before_that() {
        let mut room = Room::new(Path::new("/nonexistent/journal.db"), 32 << 20);
        room.measured(28 << 20);
        assert!(room.excess().is_some_and(|bytes| bytes > 1 << 20));
        assert!(room.take(512 << 10));
        assert!(room.take(512 << 10));
        assert!(!room.take(512 << 10), "29 MiB are for rows");
        room.measured(20 << 20);
        assert!(room.take(512 << 10));
        assert_eq!(room.excess(), None);
    }

    #[test]
    fn what_nobody_signed_leaves_a_reserve() {
        let mut room = Room::new(Path::new("/nonexistent/journal.db"), 32 << 20);
        room.measured(27 << 20);
        assert!(!room.take_unsigned(512 << 10));
        assert!(room.take(512 << 10));
        room.measured(26 << 20);
        assert!(room.take_unsigned(512 << 10));
    }

    #[test]
    fn a_disk_without_a_reserve_refuses_appends() {
        let mut room = Room::new(Path::new("/nonexistent/journal.db"), 32 << 20);
        room.free = room.log_bytes_max() + 1000;
        assert!(room.take(1000));
        assert!(!room.take(1));
        assert!(!room.disk_is_full());
        room.free -= 2000;
        assert!(room.disk_is_full());
    }
}
