//! The small table of what a person asks about after a reboot, and the kept counts.
//!
//! The system's own log may live in memory only; the newest of each kind outlive it here, so that
//! what happens often does not displace what happens once. Nothing periodic belongs here: each is a
//! write to the disk.

use crate::model::Timestamp;
use rusqlite::{Connection, params};

/// Events that are kept of a kind.
const KEPT: i64 = 200;

/// Something that happened to the relay or its journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What kind of thing, in one word: `start`, `stop`, `conflict`, `disabled`.
    pub kind: String,
    /// What happened, in one sentence; no secret, no payload.
    pub text: String,
}

/// Adds one, and drops the one of its kind that is too many.
pub(super) fn insert(
    connection: &Connection,
    at: Timestamp,
    kind: &str,
    text: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO event (at, kind, text) VALUES (?1, ?2, ?3)")?
        .execute((at.as_ms(), kind, text))?;
    connection
        .prepare_cached(
            "DELETE FROM event WHERE kind = ?1 AND id <= (SELECT id FROM event WHERE kind = ?1 \
             ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute((kind, KEPT))?;
    Ok(())
}

/// The newest ones, newest first.
pub(super) fn newest(connection: &Connection, count: usize) -> rusqlite::Result<Vec<Event>> {
    connection
        .prepare_cached("SELECT at, kind, text FROM event ORDER BY id DESC LIMIT ?1")?
        .query_map([super::rows::number(count)], |row| {
            let at = Timestamp::from_ms(row.get(0)?);
            Ok(Event {
                at,
                kind: row.get(1)?,
                text: row.get(2)?,
            })
        })?
        .collect()
}

/// Adds to a kept count: `dead`, `receipts_pruned`, `unreadable`, `refused` or `over_limit`.
pub(super) fn count(connection: &Connection, name: &str, more: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE tally SET value = value + ?2 WHERE name = ?1")?
        .execute(params![name, more])?;
    Ok(())
}

/// Sets a kept count.
pub(super) fn set(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE tally SET value = ?2 WHERE name = ?1")?
        .execute(params![name, value])?;
    Ok(())
}

/// A kept count.
pub(super) fn counted(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let value: i64 = connection
        .prepare_cached("SELECT value FROM tally WHERE name = ?1")?
        .query_row([name], |row| row.get(0))?;
    Ok(u64::try_from(value).unwrap_or(0))
}
