//! Opening the file so that the contract can be kept: modes, lock, pragmas, check, format.
//!
//! Every setting that the contract rests on is set and read back; what does not hold refuses the
//! start. Called once by [`Journal::open`](super::Journal::open); `inspect` uses the read-only half.

use super::error::Failure;
use super::{Error, Settings, migrate};
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

/// How long a statement waits for somebody else's lock. Nobody else should have one.
const PATIENCE: Duration = Duration::from_millis(500);

/// Pragmas of the writer, their value, and what must be read back.
const PRAGMAS: [(&str, &str, &str); 9] = [
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
pub(super) fn open(settings: &Settings, now: Timestamp) -> Result<Opened, Error> {
    let path = &settings.path;
    if rusqlite::version_number() < SQLITE_OLDEST {
        return Err(Error::Unusable(format!(
            "SQLite {} can lose commits, 3.51.3 is needed",
            rusqlite::version()
        )));
    }
    refuse_what_is_not_ours(path)?;
    make_directory(path).map_err(|error| io_error("cannot make the directory of", path, &error))?;
    let lock = take_lock(path)?;
    if path.exists() && with_suffix(path, DAMAGED).exists() {
        return afresh(path, lock, now);
    }
    match attempt(path) {
        Ok((connection, found)) => Ok(Opened {
            connection,
            lock,
            found,
        }),
        Err(Failure::Sqlite(error)) if Error::is_damage(&error) => afresh(path, lock, now),
        Err(failure) => Err(failure.into()),
    }
}

impl Opened {
    /// For damage that shows only when the file is read: it is set aside, and an empty one is opened.
    pub(super) fn set_aside(self, path: &Path, now: Timestamp) -> Result<Self, Error> {
        drop(self.connection);
        afresh(path, self.lock, now)
    }
}

fn afresh(path: &Path, lock: File, now: Timestamp) -> Result<Opened, Error> {
    let aside = set_aside(path, now)
        .map_err(|error| io_error("cannot rename the damaged", path, &error))?;
    let (connection, _) = attempt(path)?;
    let found = Found::Damaged { aside };
    Ok(Opened {
        connection,
        lock,
        found,
    })
}

/// The damaged files that were set aside here and that nobody has taken away, oldest first.
pub(super) fn damaged(path: &Path) -> Vec<PathBuf> {
    let prefix = with_suffix(path, BROKEN);
    let entries = fs::read_dir(directory_of(path))
        .into_iter()
        .flatten()
        .flatten();
    let is_one = |found: &PathBuf| {
        let name = found.as_os_str().as_encoded_bytes();
        let is_beside = [&b"-wal"[..], b"-shm"]
            .iter()
            .any(|end| name.ends_with(end));
        name.starts_with(prefix.as_os_str().as_encoded_bytes()) && !is_beside
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    found.sort();
    found
}

/// What a damaged file's new name has after the old one, before the time.
const BROKEN: &str = ".broken-";

/// What the mark has behind the file's name by which a running relay says that it met damage, so that
/// the next start does not have to find it again.
const DAMAGED: &str = "-damaged";

/// Leaves the mark. Without it the next start checks the file, as far as its time allows.
pub(super) fn mark_as_damaged(path: &Path) {
    let marked = File::create(with_suffix(path, DAMAGED)).and_then(|mark| mark.sync_all());
    let _ = marked.and_then(|()| sync_directory(&directory_of(path)));
}

/// Opens the file read-only; for the reader thread and for a second process.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    for (pragma, value) in [("query_only", 1), ("temp_store", 2), ("cache_size", -1024)] {
        connection.pragma_update(None, pragma, value)?;
    }
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn attempt(path: &Path) -> Result<(Connection, Found), Failure> {
    let existed = path.exists();
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
        // no room for that; then it stays in the log, which was made durable above.
        match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {}
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
fn refuse_what_is_not_ours(path: &Path) -> Result<(), Error> {
    let mut header = Vec::new();
    match File::open(path) {
        Ok(file) => drop(
            file.take(100)
                .read_to_end(&mut header)
                .map_err(|error| io_error("cannot read", path, &error))?,
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("cannot read", path, &error)),
    }
    let was_ours = with_suffix(path, "-lock").exists();
    // sqlite.org, "Database File Format", section 1.3: the magic string, the application's number.
    let owner = header
        .get(68..72)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_be_bytes);
    let is_database = header.starts_with(b"SQLite format 3\0");
    let is_ours = is_database && owner.map(i64::from) == Some(migrate::APPLICATION_ID);
    if is_ours || header.is_empty() || (was_ours && (!is_database || owner == Some(0))) {
        return Ok(());
    }
    Err(Error::Foreign(path.to_owned()))
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

fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let aside = with_suffix(path, &format!("{BROKEN}{}", now.as_ms()));
    fs::rename(path, &aside)?;
    let log = with_suffix(path, "-wal");
    if log.exists() {
        fs::rename(&log, with_suffix(&aside, "-wal"))?;
    }
    for beside in ["-shm", DAMAGED] {
        let beside = with_suffix(path, beside);
        if beside.exists() {
            fs::remove_file(&beside)?;
        }
    }
    sync_directory(&directory_of(path))?;
    Ok(aside)
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

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn io_error(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::Unusable(format!("{what} {}: {error}", path.display()))
}
