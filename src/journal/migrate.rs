//! The format of the file: created, recognized, brought forward, and never taken back.
//!
//! `application_id` says whose file it is (`open` writes it before there is a log), `user_version`
//! which format it has. Called by `open` on the writer's connection before anything else reads the
//! tables, and by `inspect`, which only looks.

use super::Error;
use super::error::Failure;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// "QBOR": marks the file as a journal of this program.
pub(super) const APPLICATION_ID: i64 = 0x5142_4f52;

/// What brings a file from format `n` to `n + 1`, for `n` from 0.
pub(super) const STEPS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

/// The format that this program writes.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Refuses the file of another program or of a newer version of this one; says which format it has.
pub(super) fn recognize(connection: &Connection, path: &Path) -> Result<i64, Failure> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let (owner, format): (i64, i64) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if owner != APPLICATION_ID && (tables > 0 || owner != 0 || format != 0) {
        return Err(Failure::Refused(Error::Foreign(path.to_owned())));
    }
    if format > newest() {
        let known = newest();
        return Err(Failure::Refused(Error::Newer {
            found: format,
            known,
        }));
    }
    Ok(format)
}

/// Brings the file to the newest format, all steps in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let format = recognize(&transaction, path)?;
    let done = usize::try_from(format).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if format < newest() {
        transaction.pragma_update(None, "user_version", newest())?;
    }
    Ok(transaction.commit()?)
}
