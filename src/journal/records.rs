//! Records of companies that are read: the last state of each, and the texts that ride along.
//!
//! The text of a record that a reading told stands in the body of its receipt; that of a record that
//! was notified stands in `fetched`, and neither stands twice.

use super::reader::body;
use super::rows::{number, seal_of_text, strange};
use crate::model::{Authenticity, Change, ChangeSeq, EntityRef, Seq, Timestamp};
use crate::rules::reconcile::{Deletion, Held};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Rows that one step of retention deletes.
const STEP: usize = 512;

const HELD: &str = "sync_token, updated_at, voided, deleted_at, absent, listed";

/// What is held of a record.
pub(super) fn held(
    connection: &Connection,
    realm: i64,
    entity: &EntityRef,
) -> rusqlite::Result<Option<Held>> {
    connection
        .prepare_cached(&format!(
            "SELECT {HELD} FROM record WHERE realm = ?1 AND kind = ?2 AND id = ?3"
        ))?
        .query_row((realm, &entity.kind, &entity.id), |row| held_from(row, 0))
        .optional()
}

/// Everything that is held of a kind, by id.
pub(super) fn all_of(
    connection: &Connection,
    realm: i64,
    kind: &str,
) -> rusqlite::Result<Vec<(String, Held)>> {
    connection
        .prepare_cached(&format!(
            "SELECT id, {HELD} FROM record WHERE realm = ?1 AND kind = ?2 ORDER BY id"
        ))?
        .query_map((realm, kind), |row| Ok((row.get(0)?, held_from(row, 1)?)))?
        .collect()
}

fn held_from(row: &Row<'_>, first: usize) -> rusqlite::Result<Held> {
    let deleted_at: Option<i64> = row.get(first + 3)?;
    let is_absence = row.get(first + 4)?;
    Ok(Held {
        sync_token: row.get(first)?,
        updated_at: row
            .get::<_, Option<i64>>(first + 1)?
            .map(Timestamp::from_ms),
        voided: row.get(first + 2)?,
        deletion: deleted_at.map(|at| Deletion {
            at: Timestamp::from_ms(at),
            is_absence,
        }),
        listed: row.get(first + 5)?,
    })
}

/// Holds this of a record from now on.
pub(super) fn hold(
    connection: &Connection,
    realm: i64,
    entity: &EntityRef,
    held: &Held,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO record (realm, kind, id, sync_token, updated_at, voided, deleted_at, \
             absent, listed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
             ON CONFLICT DO UPDATE SET sync_token = excluded.sync_token, \
             updated_at = excluded.updated_at, voided = excluded.voided, \
             deleted_at = excluded.deleted_at, absent = excluded.absent, listed = excluded.listed",
        )?
        .execute(params![
            realm,
            entity.kind,
            entity.id,
            held.sync_token,
            held.updated_at.map(Timestamp::as_ms),
            held.voided,
            held.deletion.map(|deletion| deletion.at.as_ms()),
            held.deletion.is_some_and(|deletion| deletion.is_absence),
            held.listed,
        ])?;
    Ok(())
}

/// A record of a company that is read was notified to be gone.
pub(super) fn is_gone(
    connection: &Connection,
    realm: i64,
    kind: &str,
    id: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO record (realm, kind, id, voided, deleted_at, absent, listed) \
             SELECT realm, ?2, ?3, 0, ?4, 0, 0 FROM company WHERE realm = ?1 \
             ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at, absent = 0",
        )?
        .execute((realm, kind, id, at.as_ms()))?;
    Ok(())
}

/// The record rides along with a notified change.
pub(super) fn attach(
    connection: &Connection,
    change: ChangeSeq,
    body: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO fetched (change, body, seal) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO UPDATE SET body = excluded.body, seal = excluded.seal \
             WHERE body <> excluded.body",
        )?
        .execute((change.0, body, seal_of_text(body.as_bytes())))?;
    Ok(())
}

/// Fills in the records of these changes, as far as they are known.
pub(super) fn fill<'a>(
    connection: &Connection,
    changes: impl IntoIterator<Item = &'a mut Change>,
) -> rusqlite::Result<()> {
    let mut read: HashMap<Seq, Vec<Box<RawValue>>> = HashMap::new();
    for change in changes {
        if change.authenticity != Authenticity::Fetched {
            change.record = connection
                .prepare_cached("SELECT body, seal FROM fetched WHERE change = ?1")?
                .query_row([change.seq.0], |row| {
                    let (body, seal): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
                    match seal.is_none_or(|seal| seal == seal_of_text(body.as_bytes())) {
                        true => Ok(body),
                        false => Err(strange(1, "digest")),
                    }
                })
                .optional()?;
            continue;
        }
        let texts = match read.entry(change.receipt) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(texts(connection, change.receipt)?),
        };
        let ordinal: i64 = connection
            .prepare_cached("SELECT ordinal FROM change WHERE seq = ?1")?
            .query_row([change.seq.0], |row| row.get(0))?;
        change.record = usize::try_from(ordinal)
            .ok()
            .and_then(|ordinal| texts.get(ordinal))
            .map(|record| record.get().to_owned())
            .filter(|record| record != ABSENT);
    }
    Ok(())
}

/// The records in the body of a receipt that a reading made.
fn texts(connection: &Connection, receipt: Seq) -> rusqlite::Result<Vec<Box<RawValue>>> {
    let body = body(connection, receipt)?.unwrap_or_default();
    // One that took the place of a damaged one has no records.
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

/// What stands for a record that a complete list did not have.
pub(super) const ABSENT: &str = "null";

/// Forgets records that nothing can be read of any more: those that did not change, or were deleted,
/// before `cutoff`; not those that are compared with complete lists. True when there is more.
pub(super) fn forget(connection: &Connection, cutoff: Timestamp) -> rusqlite::Result<bool> {
    let gone = connection
        .prepare_cached(
            "DELETE FROM record WHERE (realm, kind, id) IN (SELECT realm, kind, id FROM record \
             WHERE max(ifnull(updated_at, ?1 - 1), ifnull(deleted_at, ?1 - 1)) < ?1 \
             AND (listed = 0 OR deleted_at IS NOT NULL) LIMIT ?2)",
        )?
        .execute((cutoff.as_ms(), number(STEP)))?;
    Ok(gone == STEP)
}
