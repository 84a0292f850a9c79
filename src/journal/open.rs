//! Opening the file so that the contract can be kept: modes, lock, pragmas, check, format.
//!
//! Every setting that the contract rests on is set and read back; what does not hold refuses the
//! start. Called once by [`Journal::open`](super::Journal::open); `inspect` uses the read-only half.

use super::aside::{self, DAMAGED};
use super::error::Failure;
use super::log::PATIENCE;
use super::{Error, lineage, migrate};
use crate::files::refuse_what_is_no_file;
use crate::model::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The first SQLite without the WAL-reset bug (two connections that write and checkpoint at the same
/// instant): sqlite.org, release 3.51.3.
const SQLITE_OLDEST: i32 = 3_051_003;

/// How long a check at the start may take; a longer one is left unfinished.
const CHECK: Duration = Duration::from_millis(1500);

/// Pragmas of the writer, their value, and what must be read back.
const PRAGMAS: [(&str, &str, &str); 10] = [
    ("journal_mode", "wal", "wal"),
    // Not NORMAL, which popular advice recommends: an acknowledged receipt would be lost with the
    // power. One sync of the log for each commit.
    ("synchronous", "2", "2"),
    ("foreign_keys", "1", "1"),
    ("trusted_schema", "0", "0"),
    ("cell_size_check", "1", "1"),
    ("temp_store", "2", "2"),
    // The writer thread checkpoints when it is idle, so that nobody's acknowledgement waits for it.
    ("wal_autocheckpoint", "0", "0"),
    // With a mapping, a failing disk would be a signal instead of an error.
    ("mmap_size", "0", "0"),
    ("cache_size", "-2048", "-2048"),
    // What is deleted is overwritten, where that needs no write of its own; free pages are not, and
    // are given back when a company is forgotten.
    ("secure_delete", "fast", "2"),
];

/// An open journal file.
pub(super) struct Opened {
    /// The one connection that writes.
    pub connection: Connection,
    /// Holds the lock for as long as it lives.
    pub lock: File,
    /// How it was found.
    pub found: Found,
}

/// How a journal file was found when it was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// There was none; it was made.
    Absent,
    /// There had been one, and it is gone; another was made.
    Missing,
    /// It had been closed in order.
    Closed,
    /// It had not been closed (power cut, kill); its log was read back and it was checked, wholly
    /// or as far as the time allowed.
    Interrupted {
        /// Whether the check came to its end.
        checked: bool,
    },
    /// It was damaged: it now lies where the path says, and another one serves in its place.
    Damaged {
        /// Where the damaged file is.
        aside: PathBuf,
    },
}

/// Opens the file for writing, or makes it.
pub(super) fn open(path: &Path, now: Timestamp) -> Result<Opened, Error> {
    if rusqlite::version_number() < SQLITE_OLDEST {
        return Err(Error::Unusable(format!(
            "SQLite {} can lose commits, 3.51.3 is needed",
            rusqlite::version()
        )));
    }
    // Before anything is touched: a device would get another mode, a pipe would be waited for.
    for suffix in ["", "-wal", "-shm", "-lock", DAMAGED, lineage::SUFFIX] {
        let refused = refuse_what_is_no_file(&with_suffix(path, suffix));
        refused.map_err(|error| Error::Unusable(error.to_string()))?;
    }
    let was_made = was_made(path);
    refuse_what_is_not_ours(path, was_made)?;
    make_directory(path).map_err(|error| io_error("cannot make the directory of", path, &error))?;
    let lock = take_lock(path)?;
    if path.exists() && with_suffix(path, DAMAGED).exists() {
        return afresh(path, lock, now);
    }
    let (connection, found) = match attempt(path) {
        Ok(opened) => opened,
        Err(failure) if is_damage(&failure) || (was_made && !has_sound_header(path)) => {
            return afresh(path, lock, now);
        }
        Err(failure) => return Err(failure.into()),
    };
    let found = match found {
        Found::Absent if was_made => Found::Missing,
        found => found,
    };
    // It says from now on that there was one. A full disk does not keep a relay from starting.
    let marked = (&lock).write_all(MADE).and_then(|()| lock.sync_all());
    if let Err(error) = marked {
        tracing::debug!("the journal's lock is not marked: {error}");
    }
    Ok(Opened {
        connection,
        lock,
        found,
    })
}

/// What the lock has in it once there was a journal.
const MADE: &[u8] = b"beside a journal of qbo-relay\n";

/// Whether a journal was made here before.
fn was_made(path: &Path) -> bool {
    lineage::is_known(path)
        || fs::metadata(with_suffix(path, "-lock")).is_ok_and(|lock| lock.len() > 0)
}

fn is_damage(failure: &Failure) -> bool {
    matches!(failure, Failure::Sqlite(error) if Error::is_damage(error))
}

impl Opened {
    /// For damage that shows only when the file is read: it is set aside, and an empty one is opened.
    pub(super) fn set_aside(self, path: &Path, now: Timestamp) -> Result<Self, Error> {
        drop(self.connection);
        afresh(path, self.lock, now)
    }
}

fn afresh(path: &Path, lock: File, now: Timestamp) -> Result<Opened, Error> {
    let aside = aside::set_aside(path, now)
        .map_err(|error| io_error("cannot rename the damaged", path, &error))?;
    let (connection, _) = attempt(path)?;
    let found = Found::Damaged { aside };
    Ok(Opened {
        connection,
        lock,
        found,
    })
}

/// Opens the file read-only; for the reader thread and for a second process.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    for (pragma, value) in [("query_only", 1), ("temp_store", 2), ("cache_size", -1024)] {
        connection.pragma_update(None, pragma, value)?;
    }
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn attempt(path: &Path) -> Result<(Connection, Found), Failure> {
    // Nobody has written to an empty one.
    let existed = fs::metadata(path).is_ok_and(|file| file.len() > 0);
    let log = with_suffix(path, "-wal");
    let interrupted = fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let prepare = || -> io::Result<()> {
        for file in [path.to_owned(), log.clone(), with_suffix(path, "-shm")] {
            restrict(&file, file == path)?;
        }
        if interrupted { rewrite(&log) } else { Ok(()) }
    };
    prepare().map_err(|error| io_error("cannot prepare", path, &error))?;

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // After a failed sync nothing may be written any more, not even by closing.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Beside a partial index, a plan is otherwise made anew for every value that is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if migrate::recognize(&connection, path)? == 0 {
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
        // Before there is a log, so that the main file says from the start whose it is.
        connection.pragma_update(None, "application_id", migrate::APPLICATION_ID)?;
    }
    for (pragma, value, expected) in PRAGMAS {
        connection.pragma_update(None, pragma, value)?;
        confirm(&connection, pragma, expected)?;
    }
    let checked = if interrupted {
        check(&connection)?
    } else {
        true
    };
    migrate::migrate(&mut connection, path)?;
    confirm(&connection, "auto_vacuum", "2")?;
    if interrupted {
        // From here on everything that was found is in the main file, synced. A full disk may have
        // no room for that, and a reader may need the log; then it stays in the log, which was made
        // durable above.
        match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE) {
            Err(error) if is_put_off(&error) => {}
            emptied => drop(emptied?),
        }
    }
    connection.set_prepared_statement_cache_capacity(64);
    let found = match (existed, interrupted) {
        (_, true) => Found::Interrupted { checked },
        (true, false) => Found::Closed,
        (false, false) => Found::Absent,
    };
    Ok((connection, found))
}

fn is_put_off(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    [ErrorCode::DiskFull, ErrorCode::DatabaseBusy]
        .map(Some)
        .contains(&code)
}

fn confirm(connection: &Connection, pragma: &str, expected: &str) -> Result<(), Failure> {
    let value: rusqlite::types::Value =
        connection.pragma_query_value(None, pragma, |row| row.get(0))?;
    let found = match value {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(word) => word,
        other => format!("{other:?}"),
    };
    if found == expected {
        return Ok(());
    }
    let said = format!("SQLite keeps {pragma} at {found}, {expected} is needed");
    Err(Failure::Refused(Error::Unusable(said)))
}

/// Whether the check came to its end within its time; an error of kind "corrupt" when it found
/// something.
fn check(connection: &Connection) -> Result<bool, Failure> {
    let interrupt = connection.get_interrupt_handle();
    let (end, ended) = sync_channel::<()>(1);
    let verdict: rusqlite::Result<String> = std::thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(CHECK) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let verdict = connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0));
        drop(end);
        verdict
    });
    match verdict {
        Ok(word) if word == "ok" => Ok(true),
        Ok(finding) => Err(Failure::Sqlite(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(finding),
        ))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Looks at the first bytes of the file before anything is written, made or renamed: a wrong path in
/// a configuration must not cost somebody else's file. A lock beside it says that it was ours, even
/// if its first bytes no longer do.
fn refuse_what_is_not_ours(path: &Path, was_made: bool) -> Result<(), Error> {
    let header = match header(path) {
        Ok(header) => header,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("cannot read", path, &error)),
    };
    let has_lock = with_suffix(path, "-lock").exists();
    let owner = number_at(&header, 68);
    let is_database = header.starts_with(MAGIC);
    let is_ours = is_database && owner == Some(migrate::APPLICATION_ID);
    let lost_its_name = has_lock && (!is_database || owner == Some(0));
    if is_ours || was_made || header.is_empty() || lost_its_name {
        return Ok(());
    }
    Err(Error::Foreign(path.to_owned()))
}

/// The magic string of a database (sqlite.org, "Database File Format", section 1.3).
const MAGIC: &[u8] = b"SQLite format 3\0";

/// No program of the near future writes a format as high.
const FORMATS_MAX: i64 = 1000;

/// Whether the first bytes are as this program or a later one writes them.
fn has_sound_header(path: &Path) -> bool {
    let Ok(header) = header(path) else {
        return true;
    };
    let number = |at| number_at(&header, at).unwrap_or(-1);
    header.is_empty()
        || (header.starts_with(MAGIC)
            // Pages of 4096 bytes, write-ahead mode, nothing reserved, and three fixed numbers.
            && [&[16, 0, 1, 1, 0, 64, 32, 32], &[16, 0, 2, 2, 0, 64, 32, 32]]
                .iter()
                .any(|fixed| header.get(16..24) == Some(&fixed[..]))
            && number(44) <= 4
            && number(52) > 0
            && number(56) <= 1
            && number(60) <= FORMATS_MAX
            && number(64) == 1
            && number(68) == migrate::APPLICATION_ID)
}

fn header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    File::open(path)?.take(100).read_to_end(&mut header)?;
    Ok(header)
}

/// The number of four bytes there.
fn number_at(header: &[u8], at: usize) -> Option<i64> {
    let bytes = header.get(at..at + 4)?.try_into().ok()?;
    Some(i64::from(u32::from_be_bytes(bytes)))
}

fn make_directory(path: &Path) -> io::Result<()> {
    let directory = directory_of(path);
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    sync_directory(&directory_of(&directory))
}

fn take_lock(path: &Path) -> Result<File, Error> {
    let name = with_suffix(path, "-lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .map_err(|error| io_error("cannot open the lock of", path, &error))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked(name)),
        Err(errno) => Err(io_error("cannot lock", path, &errno.into())),
    }
}

/// Takes the rights of group and others away from a file, and creates it where that is wanted:
/// SQLite gives its log and its shared memory the mode of the main file.
fn restrict(file: &Path, create: bool) -> io::Result<()> {
    if let Ok(facts) = fs::metadata(file) {
        if facts.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(file, Permissions::from_mode(0o600))?;
        }
        return Ok(());
    }
    if create {
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(file)?;
        sync_directory(&directory_of(file))?;
    }
    Ok(())
}

/// Writes the log over itself, byte for byte, and syncs it.
///
/// After a failed sync the kernel may show pages that never reached the disk and are no longer
/// marked as to be written. Whoever appended behind them and synced would build on a hole: with the
/// next power cut everything after it would be gone, acknowledged or not. So whatever is found in
/// the log of a journal that was not closed is made durable before it is used.
fn rewrite(log: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(log)?;
    let mut bytes = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        file.seek(io::SeekFrom::Start(at))?;
        let count = file.read(&mut bytes)?;
        let Some(chunk) = bytes.get(..count).filter(|chunk| !chunk.is_empty()) else {
            return file.sync_all();
        };
        file.seek(io::SeekFrom::Start(at))?;
        file.write_all(chunk)?;
        at += u64::try_from(count).unwrap_or(0);
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn io_error(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::Unusable(format!("{what} {}: {error}", path.display()))
}
