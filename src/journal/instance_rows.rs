//! Element instances read back from their rows.

use super::rows::strange;
use crate::model::{
    Instance, InstanceCounts, InstanceDraft, InstanceId, Interest, Polling, RealmId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row};
use std::time::Duration;

/// An instance and where it lies.
pub(super) struct Found {
    pub(super) instance: Instance,
    pub(super) sink: i64,
    pub(super) realm: i64,
    /// `sequence` of the last change that it is told of, while its events are off.
    pub(super) told_until: Option<i64>,
}

/// The columns that [`found`] reads.
const FOUND: &str = "SELECT i.id, i.created_at, i.updated_at, i.disabled_at, i.stopped_at, \
    i.stopped_why, m.name, i.name, i.tags, i.token_digest, i.sealed, i.webhook, i.polled_kinds, \
    i.polled_every, i.calls_back, i.sink, m.id, i.told_until \
    FROM instance i JOIN sink s ON s.id = i.sink JOIN realm m ON m.id = s.realm";

/// All of them, by number.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Instance>> {
    connection
        .prepare_cached(&format!("{FOUND} ORDER BY i.id"))?
        .query_map((), |row| found(row).map(|found| found.instance))?
        .collect()
}

/// Whether the row of that number can be read.
pub(super) fn is_readable(connection: &Connection, id: i64) -> bool {
    let read = connection
        .prepare_cached(&format!("{FOUND} WHERE i.id = ?1"))
        .and_then(|mut question| question.query_row([id], found).optional());
    read.is_ok()
}

/// The one of that number.
pub(super) fn find(connection: &Connection, id: InstanceId) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached(&format!("{FOUND} WHERE i.id = ?1"))?
        .query_row([id.as_u32()], found)
        .optional()
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let instant = |column| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_ms))
    };
    let why = row.get::<_, Option<String>>(5)?.unwrap_or_default();
    let realm: String = row.get(6)?;
    let draft = InstanceDraft {
        realm: RealmId::new(realm).ok_or_else(|| strange(6, "company"))?,
        name: row.get(7)?,
        tags: words(row, 8)?.unwrap_or_default(),
        token_digest: row.get(9)?,
        sealed: row.get(10)?,
        events: interest(row, 11)?,
    };
    let instance = Instance {
        id: InstanceId::new(row.get(0)?).ok_or_else(|| strange(0, "instance"))?,
        created_at: Timestamp::from_ms(row.get(1)?),
        updated_at: Timestamp::from_ms(row.get(2)?),
        disabled_at: instant(3)?,
        polling_stopped: instant(4)?.map(|at| (at, why)),
        draft,
    };
    Ok(Found {
        instance,
        sink: row.get(15)?,
        realm: row.get(16)?,
        told_until: row.get(17)?,
    })
}

/// What it is told of, from four columns, from `first` on.
fn interest(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Interest>> {
    let Some(webhook) = row.get(first)? else {
        return Ok(None);
    };
    let interval: Option<i64> = row.get(first + 2)?;
    let interval = u64::try_from(interval.unwrap_or(0)).map(Duration::from_millis);
    let interval = interval.map_err(|_| strange(first + 2, "interval"))?;
    let polling = words(row, first + 1)?.map(|kinds| Polling { kinds, interval });
    Ok(Some(Interest {
        webhook,
        polling,
        calls_back: row.get(first + 3)?,
    }))
}

/// A JSON array of words from a column.
fn words<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|_| strange(column, "list"))
}

/// How many there are, and how they stand.
pub(super) fn counts(connection: &Connection) -> rusqlite::Result<InstanceCounts> {
    let number = |row: &Row<'_>, column: usize| -> rusqlite::Result<u64> {
        Ok(row.get::<_, i64>(column)?.cast_unsigned())
    };
    connection
        .prepare_cached(
            "SELECT count(*), count(i.disabled_at), count(s.disabled_at), count(i.stopped_at) \
             FROM instance i JOIN sink s ON s.id = i.sink",
        )?
        .query_row((), |row| {
            Ok(InstanceCounts {
                made: number(row, 0)?,
                switched_off: number(row, 1)?,
                paused: number(row, 2)?,
                polls_stopped: number(row, 3)?,
            })
        })
}
