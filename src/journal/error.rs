//! What can go wrong with the journal, named by what the caller can do about it.

use rusqlite::ErrorCode;
use std::path::PathBuf;

/// Why the journal did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Too much waits for the writer, or another program holds the file: try again in a moment.
    #[error("the journal is busy")]
    Busy,
    /// The byte budget or the disk is used up; nothing was kept. Try again when there is room.
    #[error("the journal is full")]
    Full,
    /// A client that does not sign has as much in the journal as it may; nothing was kept.
    #[error("the source has its share of the journal")]
    Share,
    /// A write or a sync failed, and what is on the disk is no longer certain. Nothing is written
    /// any more; end the process, opening again is the only repair.
    #[error("the journal is broken: {0}")]
    Broken(String),
    /// A read did not end within its deadline, or was refused by the file; ask again or for less.
    #[error("the journal could not be read: {0}")]
    Unread(String),
    /// Another process has this journal open for writing: stop that one first.
    #[error("another process has the journal open: {} is locked", .0.display())]
    Locked(PathBuf),
    /// A newer relay wrote it: install that version or a later one.
    #[error("the journal has format {found}, this program knows formats up to {known}")]
    Newer {
        /// Its format.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The file is something else: configure another path. It was not touched.
    #[error("{} is not a journal of qbo-relay", .0.display())]
    Foreign(PathBuf),
    /// The file or its directory cannot be used: a person has to look.
    #[error("the journal cannot be used: {0}")]
    Unusable(String),
    /// No sink of that name is configured.
    #[error("no sink named {0} is configured")]
    UnknownSink(String),
    /// The company was never connected, or an operator has disconnected it.
    #[error("company {0} is not connected")]
    NotConnected(String),
    /// There is no element instance of that number; it was never made, or deleted since.
    #[error("there is no instance {0}")]
    NoInstance(u32),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl Error {
    /// What a failed write means. `disk_full` tells what the file system says about its free space:
    /// SQLite has no own code for a shared-memory file that cannot grow.
    pub(super) fn of_write(error: &rusqlite::Error, disk_full: bool) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::SystemIoFailure)
                if disk_full
                    && error.sqlite_extended_error_code()
                        == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) =>
            {
                Self::Full
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Broken(error.to_string()),
        }
    }

    /// What a failed read means.
    pub(super) fn of_read(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::OperationInterrupted) => Self::Unread("it took too long".into()),
            _ => Self::Unread(error.to_string()),
        }
    }

    /// Whether the file itself is damaged, so that setting it aside helps: whatever goes wrong with
    /// reading what this program wrote is damage, unless it has to do with the machine or with another
    /// program.
    pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
        use rusqlite::Error as Of;
        use rusqlite::ffi::{SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ};
        match error {
            Of::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::SystemIoFailure => {
                    [SQLITE_IOERR_READ, SQLITE_IOERR_SHORT_READ].contains(&failure.extended_code)
                }
                ErrorCode::InternalMalfunction
                | ErrorCode::PermissionDenied
                | ErrorCode::OperationAborted
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::OperationInterrupted
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::ApiMisuse
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::AuthorizationForStatementDenied => false,
                _ => true,
            },
            // A table, a column, a row or a value is not what this program makes.
            Of::SqlInputError { .. }
            | Of::FromSqlConversionFailure(..)
            | Of::IntegralValueOutOfRange(..)
            | Of::Utf8Error(..)
            | Of::InvalidColumnType(..)
            | Of::InvalidColumnName(_)
            | Of::InvalidColumnIndex(_)
            | Of::QueryReturnedNoRows => true,
            _ => false,
        }
    }
}

/// Why something was not done, while it is not clear yet what that means: SQLite said so, which is
/// about the file and everybody, or this program did, which is about the one request.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite's word.
    Sqlite(rusqlite::Error),
    /// Our own.
    Refused(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => Self::Unusable(error.to_string()),
            Failure::Refused(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn only_a_lack_of_room_or_a_lock_is_forgiven_a_write() {
        for (code, disk_full, expected) in [
            (ffi::SQLITE_FULL, false, Some(Error::Full)),
            (ffi::SQLITE_BUSY, false, Some(Error::Busy)),
            (ffi::SQLITE_IOERR_SHMSIZE, true, Some(Error::Full)),
            (ffi::SQLITE_IOERR_SHMSIZE, false, None),
            (ffi::SQLITE_IOERR_FSYNC, true, None),
            (ffi::SQLITE_IOERR_WRITE, true, None),
            (ffi::SQLITE_CORRUPT, false, None),
            (ffi::SQLITE_CONSTRAINT, false, None),
        ] {
            let error = Error::of_write(&failure(code), disk_full);
            match expected {
                Some(expected) => assert_eq!(error, expected, "{code}"),
                None => assert!(matches!(error, Error::Broken(_)), "{code}: {error}"),
            }
        }
    }

    #[test]
    fn whatever_is_wrong_with_what_was_written_is_damage_and_the_machine_is_not() {
        use rusqlite::types::Type;
        for code in [
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_ERROR,
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            ffi::SQLITE_MISMATCH,
            ffi::SQLITE_TOOBIG,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_IOERR_SHORT_READ,
        ] {
            assert!(Error::is_damage(&failure(code)), "{code}");
        }
        for error in [
            rusqlite::Error::InvalidColumnType(0, "at".into(), Type::Null),
            rusqlite::Error::IntegralValueOutOfRange(0, -1),
            rusqlite::Error::FromSqlConversionFailure(0, Type::Text, "strange".into()),
            rusqlite::Error::QueryReturnedNoRows,
        ] {
            assert!(Error::is_damage(&error), "{error}");
        }
        for code in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_FULL,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_INTERRUPT,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_READONLY,
        ] {
            assert!(!Error::is_damage(&failure(code)), "{code}");
        }
    }

    #[test]
    fn a_read_is_never_a_reason_to_stop_writing() {
        for code in [
            ffi::SQLITE_INTERRUPT,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_CORRUPT,
        ] {
            assert!(
                matches!(Error::of_read(&failure(code)), Error::Unread(_)),
                "{code}"
            );
        }
        assert_eq!(Error::of_read(&failure(ffi::SQLITE_BUSY)), Error::Busy);
    }
}
