//! How long a look from outside may last: whoever reads keeps the log from being used again, so a look
//! that lasts while somebody writes is broken off.

use super::open::with_suffix;
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long one look may last when somebody writes meanwhile.
const LOOK: Duration = Duration::from_secs(2);

/// Steps of SQLite's machine between two glances at the clock.
const OPERATIONS: i32 = 10_000;

/// Breaks looks off that last while somebody writes.
#[derive(Clone, Debug)]
pub(super) struct Brief(Arc<Mutex<Begun>>);

#[derive(Debug)]
struct Begun {
    at: Instant,
    /// When the log had last been written to.
    log: Option<SystemTime>,
}

impl Brief {
    /// Of looks by this connection at the journal there.
    pub(super) fn on(connection: &mut Connection, path: &Path) -> rusqlite::Result<Self> {
        Self::with(connection, path, LOOK)
    }

    fn with(connection: &mut Connection, path: &Path, most: Duration) -> rusqlite::Result<Self> {
        let log = with_suffix(path, "-wal");
        let written = move || fs::metadata(&log).and_then(|log| log.modified()).ok();
        let begun = Begun {
            at: Instant::now(),
            log: written(),
        };
        let brief = Self(Arc::new(Mutex::new(begun)));
        let watched = brief.clone();
        connection.progress_handler(
            OPERATIONS,
            Some(move || {
                let mut begun = watched.0.lock().unwrap_or_else(PoisonError::into_inner);
                // What was written before the look began does not wait for it.
                let before = *begun
                    .log
                    .get_or_insert_with(|| written().unwrap_or(SystemTime::UNIX_EPOCH));
                begun.at.elapsed() > most && written().is_some_and(|now| now != before)
            }),
        )?;
        Ok(brief)
    }

    /// A look begins.
    pub(super) fn begin(&self) {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *begun = Begun {
            at: Instant::now(),
            log: None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ErrorCode;

    const LONG: &str = "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more \
                        LIMIT 3000000) SELECT count(n) FROM more";

    #[test]
    fn a_look_that_lasts_while_somebody_writes_is_broken_off_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let log = with_suffix(&path, "-wal");
        fs::write(&log, "1").unwrap();
        let mut connection = Connection::open_in_memory().unwrap();
        let brief = Brief::with(&mut connection, &path, Duration::ZERO).unwrap();
        let look = || {
            brief.begin();
            connection.query_row(LONG, (), |row| row.get::<_, i64>(0))
        };
        assert_eq!(look(), Ok(3_000_000));
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let file = fs::File::options().append(true).open(&log).unwrap();
                let mut at = SystemTime::UNIX_EPOCH;
                while at < SystemTime::UNIX_EPOCH + Duration::from_secs(20_000) {
                    at += Duration::from_secs(1);
                    file.set_modified(at).unwrap();
                }
            });
            let looked = look();
            writer.join().unwrap();
            looked
        });
        let code = written.unwrap_err().sqlite_error_code();
        assert_eq!(code, Some(ErrorCode::OperationInterrupted));
    }
}
