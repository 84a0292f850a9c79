//! The table of companies: how one gets its row, and how retention forgets one.
//!
//! A company whose changes are all pruned, that is not connected and has no element instance, is
//! forgotten, so that names which were mentioned once do not stay for ever. Only its number of
//! changes is remembered, as that of the last so many: should it come back, it goes on where it was.

use super::rows::number;
use crate::model::{RealmId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

/// Rows that one step of retention looks for.
const STEP: usize = 256;

/// Forgotten companies whose numbers are remembered.
const REMEMBERED: i64 = 10_000;

/// What is remembered of a company that was forgotten.
pub(super) struct Forgotten {
    sequence: i64,
    /// As in `realm`.
    pub(super) source: Option<String>,
}

/// A company that was forgotten before.
pub(super) fn forgotten(
    connection: &Connection,
    realm: &RealmId,
) -> rusqlite::Result<Option<Forgotten>> {
    connection
        .prepare_cached("SELECT sequence, source FROM forgotten WHERE name = ?1")?
        .query_row([realm.as_str()], |row| {
            Ok(Forgotten {
                sequence: row.get(0)?,
                source: row.get(1)?,
            })
        })
        .optional()
}

/// The number of a company that a person connects, which may be new to the journal.
pub(super) fn enter(connection: &Connection, realm: &RealmId) -> rusqlite::Result<i64> {
    Ok(count_up(connection, realm, 0, None)?.0)
}

/// Gives a company so many numbers more; its own number, its newest, and whether these are its first.
/// `source` is the one without a signature by whose word it becomes known; `None`: somebody vouches
/// for it.
pub(super) fn count_up(
    connection: &Connection,
    realm: &RealmId,
    count: i64,
    source: Option<&str>,
) -> rusqlite::Result<(i64, i64, bool)> {
    // Most are there. A look and an update by number cost less than one statement for all, which keeps
    // what it returns in a table of its own.
    let known: Option<(i64, i64, bool)> = connection
        .prepare_cached("SELECT id, sequence, sequence = skipped_to FROM realm WHERE name = ?1")?
        .query_row([realm.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (id, newest, is_new) = match known {
        Some((id, sequence, is_new)) => {
            let newest = sequence.saturating_add(count);
            connection
                .prepare_cached(
                    "UPDATE realm SET sequence = ?2, source = iif(?3 IS NULL, NULL, source) WHERE id = ?1",
                )?
                .execute(params![id, newest, source])?;
            (id, newest, is_new)
        }
        None => {
            let base: i64 = connection
                .prepare_cached("SELECT ifnull(max(base), 0) FROM epoch")?
                .query_row((), |row| row.get(0))?;
            let newest = base.saturating_add(count);
            connection
                .prepare_cached(
                    "INSERT INTO realm (name, sequence, pruned, skipped_to, source) \
                     VALUES (?1, ?2, ?3, ?3, ?4)",
                )?
                .execute(params![realm.as_str(), newest, base, source])?;
            (connection.last_insert_rowid(), newest, true)
        }
    };
    if is_new && let Some(before) = forgotten(connection, realm)? {
        let start = revive(connection, (realm, id), newest - count, &before, source)?;
        return Ok((id, start + count, true));
    }
    Ok((id, newest, is_new))
}

/// A company that was forgotten goes on behind what it had, which every sink has got; `base` is behind
/// which it would begin otherwise. Behind which it does.
fn revive(
    connection: &Connection,
    (realm, id): (&RealmId, i64),
    base: i64,
    before: &Forgotten,
    source: Option<&str>,
) -> rusqlite::Result<i64> {
    let source = source.and(before.source.as_deref());
    let start = base.max(before.sequence);
    connection
        .prepare_cached(
            "UPDATE realm SET sequence = sequence + ?2, pruned = pruned + ?2, source = ?3 \
             WHERE id = ?1",
        )?
        .execute((id, start - base, source))?;
    connection
        .prepare_cached(
            "INSERT INTO lane (sink, realm, through) SELECT id, ?1, ?2 FROM sink WHERE realm IS NULL",
        )?
        .execute((id, start))?;
    connection
        .prepare_cached("DELETE FROM forgotten WHERE name = ?1")?
        .execute([realm.as_str()])?;
    Ok(start)
}

/// One step: forgets what was read of companies that were disconnected before `cutoff`. True when
/// there is more.
pub(super) fn forget_disconnected(
    connection: &Connection,
    cutoff: Timestamp,
) -> rusqlite::Result<bool> {
    let gone: Option<i64> = connection
        .prepare_cached(
            "SELECT realm FROM company WHERE standing = 'disconnected' AND standing_since < ?1 \
             LIMIT 1",
        )?
        .query_row([cutoff.as_ms()], |row| row.get(0))
        .optional()?;
    let Some(realm) = gone else {
        return Ok(false);
    };
    let records = connection
        .prepare_cached(
            "DELETE FROM record WHERE (realm, kind, id) IN \
             (SELECT realm, kind, id FROM record WHERE realm = ?1 LIMIT ?2)",
        )?
        .execute((realm, number(STEP)))?;
    if records < STEP {
        for table in ["watermark", "gap_company", "company"] {
            let sql = format!("DELETE FROM {table} WHERE realm = ?1");
            connection.prepare_cached(&sql)?.execute([realm])?;
        }
    }
    Ok(true)
}

/// One step: forgets companies of which nothing is left. True when there is more.
pub(super) fn forget(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let idle: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM realm WHERE sequence = pruned \
             AND NOT EXISTS (SELECT 1 FROM company c WHERE c.realm = realm.id) \
             AND NOT EXISTS (SELECT 1 FROM sink s WHERE s.realm = realm.id) LIMIT ?1",
        )?
        .query_map([number(STEP)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for realm in &idle {
        connection
            .prepare_cached(
                "INSERT INTO forgotten (name, sequence, source, at) \
                 SELECT name, sequence, source, ?2 FROM realm WHERE id = ?1 AND sequence > 0 \
                 ON CONFLICT DO UPDATE SET sequence = excluded.sequence, \
                 source = excluded.source, at = excluded.at",
            )?
            .execute((realm, now.as_ms()))?;
        for table in ["lane", "watermark", "record", "gap_company"] {
            let sql = format!("DELETE FROM {table} WHERE realm = ?1");
            connection.prepare_cached(&sql)?.execute([realm])?;
        }
        connection
            .prepare_cached("DELETE FROM realm WHERE id = ?1")?
            .execute([realm])?;
    }
    if !idle.is_empty() {
        connection
            .prepare_cached(
                "DELETE FROM forgotten WHERE name IN (SELECT name FROM forgotten \
                 ORDER BY source IS NULL DESC, at DESC LIMIT -1 OFFSET ?1)",
            )?
            .execute([REMEMBERED])?;
    }
    Ok(idle.len() == STEP)
}
