//! How far each kind of record of a company has been read: in the table, and ahead of it in memory.
//!
//! Looking costs nothing, writing down that nothing was found costs the flash. So a watermark that
//! is less than [`BEHIND`] ahead of what is written stays in memory; when it is lost with the power,
//! a little more is read again and known.

use crate::model::{Timestamp, Watermark};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::time::Duration;

/// How far the written watermark may be behind.
const BEHIND: Duration = Duration::from_secs(3600);

/// What is written.
pub(super) fn of(
    connection: &Connection,
    realm: i64,
) -> rusqlite::Result<BTreeMap<String, Watermark>> {
    connection
        .prepare_cached("SELECT kind, at, polled_at FROM watermark WHERE realm = ?1")?
        .query_map([realm], |row| {
            let at = Timestamp::from_ms(row.get(1)?);
            let polled_at = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_ms);
            Ok((row.get(0)?, Watermark { at, polled_at }))
        })?
        .collect()
}

/// Moves a watermark; true when it was worth writing.
pub(super) fn advance(
    connection: &Connection,
    realm: i64,
    kind: &str,
    to: Watermark,
) -> rusqlite::Result<bool> {
    let written: Option<Watermark> = connection
        .prepare_cached("SELECT at, polled_at FROM watermark WHERE realm = ?1 AND kind = ?2")?
        .query_row((realm, kind), |row| {
            let at = Timestamp::from_ms(row.get(0)?);
            let polled_at = row.get::<_, Option<i64>>(1)?.map(Timestamp::from_ms);
            Ok(Watermark { at, polled_at })
        })
        .optional()?;
    if written.is_some_and(|written| is_near(written, to)) {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "INSERT INTO watermark (realm, kind, at, polled_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (realm, kind) DO UPDATE SET at = max(at, excluded.at), \
             polled_at = ifnull(excluded.polled_at, polled_at)",
        )?
        .execute((
            realm,
            kind,
            to.at.as_ms(),
            to.polled_at.map(Timestamp::as_ms),
        ))?;
    Ok(true)
}

fn is_near(written: Watermark, to: Watermark) -> bool {
    let polled = match (written.polled_at, to.polled_at) {
        (_, None) => true,
        (None, Some(_)) => false,
        // A clock that was put back makes the written time wrong, however near it is.
        (Some(before), Some(after)) => before <= after && after.since(before) < BEHIND,
    };
    polled && to.at.since(written.at) < BEHIND
}

/// What is known after a kind was read once more.
pub(super) fn moved(before: Watermark, to: Watermark) -> Watermark {
    Watermark {
        at: before.at.max(to.at),
        polled_at: to.polled_at.or(before.polled_at),
    }
}
