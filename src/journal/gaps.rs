//! Spans in which notifications may have been missed, and what came of going through them.
//!
//! A gap concerns the companies that were connected when it was opened. It is closed when each of
//! them has gone through it or is no longer connected; then one sentence is written as an event.
//! Its counts go on being corrected after that, as far as it is kept.

use super::events;
use super::rows::number;
use super::touched::Touched;
use crate::model::{Gap, GapReport, Notification, Timestamp};
use crate::rules::gap::sentence;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;

/// Gaps that are kept.
const KEPT: i64 = 100;

/// Gaps that are told.
const TOLD: usize = 20;

/// Gaps of one cause that lie no further apart are one.
const ADJOINING: Duration = Duration::from_secs(300);

/// A gap that is to be opened.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) cause: String,
    pub(super) now: Timestamp,
}

/// Opens a gap for every connected company, or widens one that is open.
pub(super) fn open(
    connection: &Connection,
    touched: &mut Touched,
    opening: &Opening,
) -> rusqlite::Result<Option<i64>> {
    let someone: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM company WHERE standing = 'connected')")?
        .query_row((), |row| row.get(0))?;
    if !someone {
        return Ok(None);
    }
    let near = connection
        .prepare_cached(
            "SELECT id, since, until, cause FROM gap WHERE closed_at IS NULL AND cause = ?1 \
             AND since <= ?2 AND until >= ?3 ORDER BY id LIMIT 1",
        )?
        .query_row(
            (
                &opening.cause,
                opening.until.plus(ADJOINING).as_ms(),
                opening.since.minus(ADJOINING).as_ms(),
            ),
            gap,
        )
        .optional()?;
    let id = match near {
        Some(gap) => {
            widen(connection, &gap, opening)?;
            gap.id
        }
        None => insert(connection, opening)?,
    };
    connection
        .prepare_cached(
            "INSERT INTO gap_company (gap, realm) SELECT ?1, realm FROM company \
             WHERE standing = 'connected' ON CONFLICT DO NOTHING",
        )?
        .execute([id])?;
    touched.at(opening.now);
    touched.everyone();
    Ok(Some(id))
}

/// Opens a gap that concerns one company only, which could not be read since `since`: from there
/// on, or from the oldest gap on that it left behind.
pub(super) fn open_for(
    connection: &Connection,
    realm: i64,
    since: Timestamp,
    cause: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let behind: Option<i64> = connection
        .prepare_cached(
            "SELECT min(g.since) FROM gap g JOIN gap_company c ON c.gap = g.id \
             WHERE c.realm = ?1 AND c.done_at IS NULL AND g.closed_at IS NOT NULL",
        )?
        .query_row([realm], |row| row.get(0))?;
    let since = behind.map_or(since, |behind| since.min(Timestamp::from_ms(behind)));
    let opening = Opening {
        since,
        until: now.max(since),
        cause: cause.to_owned(),
        now,
    };
    let id = insert(connection, &opening)?;
    connection
        .prepare_cached("INSERT INTO gap_company (gap, realm) VALUES (?1, ?2)")?
        .execute((id, realm))?;
    Ok(())
}

fn insert(connection: &Connection, opening: &Opening) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO gap (since, until, cause, opened_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((
            opening.since.as_ms(),
            opening.until.as_ms(),
            &opening.cause,
            opening.now.as_ms(),
        ))?;
    let id = connection.last_insert_rowid();
    for sql in [
        "DELETE FROM gap_company WHERE gap <= ?1",
        "DELETE FROM gap WHERE id <= ?1",
    ] {
        connection.prepare_cached(sql)?.execute([id - KEPT])?;
    }
    Ok(id)
}

/// Makes room in an open gap for one more span. Whoever has gone through it already has read all
/// that had changed by then, and goes again only for what lies outside of that.
fn widen(connection: &Connection, gap: &Gap, opening: &Opening) -> rusqlite::Result<()> {
    let (since, until) = (gap.since.min(opening.since), gap.until.max(opening.until));
    if (since, until) != (gap.since, gap.until) {
        connection
            .prepare_cached("UPDATE gap SET since = ?2, until = ?3 WHERE id = ?1")?
            .execute((gap.id, since.as_ms(), until.as_ms()))?;
    }
    connection
        .prepare_cached(
            "UPDATE gap_company SET done_at = NULL WHERE gap = ?1 AND (done_at < ?2 OR ?3)",
        )?
        .execute((gap.id, until.as_ms(), since < gap.since))?;
    Ok(())
}

/// A company read on behalf of a gap, to its end or not.
pub(super) fn went_through(
    connection: &Connection,
    gap: i64,
    realm: i64,
    (found, missing): (u32, u64),
    done_at: Option<Timestamp>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE gap_company SET found = found + ?3, missing = missing + ?4, \
             done_at = ifnull(?5, done_at) WHERE gap = ?1 AND realm = ?2",
        )?
        .execute(params![
            gap,
            realm,
            found,
            missing.cast_signed(),
            done_at.map(Timestamp::as_ms),
        ])?;
    match done_at {
        Some(now) => close(connection, now),
        None => Ok(()),
    }
}

/// Closes the gaps that nobody has to go through any more, and says what came of them.
pub(super) fn close(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let finished: Vec<i64> = connection
        .prepare_cached(
            "SELECT id FROM gap WHERE closed_at IS NULL AND NOT EXISTS (SELECT 1 FROM gap_company g \
             JOIN company c ON c.realm = g.realm WHERE g.gap = gap.id AND g.done_at IS NULL \
             AND c.standing = 'connected') ORDER BY id",
        )?
        .query_map((), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in finished {
        connection
            .prepare_cached("UPDATE gap SET closed_at = ?2 WHERE id = ?1")?
            .execute((id, now.as_ms()))?;
        let told = connection
            .prepare_cached(&format!(
                "{REPORT} WHERE g.id = ?1 AND c.done_at IS NOT NULL GROUP BY g.id"
            ))?
            .query_row([id], report)
            .optional()?;
        // When the last company was disconnected instead, nothing came of it.
        if let Some(told) = told {
            events::insert(connection, now, "gap", &sentence(&told))?;
        }
    }
    Ok(())
}

/// Counts notified changes that lie in a gap and came after it had been opened: those that a reading
/// had told already, and the others.
pub(super) fn count_late(
    connection: &Connection,
    notified: &[(&Notification, bool)],
    received_at: Timestamp,
) -> rusqlite::Result<()> {
    let instants = || {
        let all = notified.iter();
        all.filter_map(|(notification, _)| notification.happened.at)
    };
    let (Some(first), Some(last)) = (instants().min(), instants().max()) else {
        return Ok(());
    };
    // The newest that fits: one change is late once.
    let spans: Vec<Gap> = connection
        .prepare_cached(
            "SELECT id, since, until, cause FROM gap WHERE since <= ?1 AND until >= ?2 \
             AND opened_at <= ?3 ORDER BY id DESC",
        )?
        .query_map((last.as_ms(), first.as_ms(), received_at.as_ms()), gap)?
        .collect::<Result<_, _>>()?;
    for (notification, repeats) in notified {
        let lies_in = |gap: &&Gap| {
            notification
                .happened
                .at
                .is_some_and(|at| gap.since <= at && at <= gap.until)
        };
        if let Some(gap) = spans.iter().find(lies_in) {
            connection
                .prepare_cached(
                    "UPDATE gap_company SET late = late + 1, found = max(found - ?3, 0) \
                     WHERE gap = ?1 AND realm = (SELECT id FROM realm WHERE name = ?2)",
                )?
                .execute((gap.id, notification.realm.as_str(), repeats))?;
        }
    }
    Ok(())
}

/// The oldest gap that a company has not gone through.
pub(super) fn oldest_ahead(connection: &Connection, realm: i64) -> rusqlite::Result<Option<Gap>> {
    connection
        .prepare_cached(
            "SELECT g.id, g.since, g.until, g.cause FROM gap g JOIN gap_company c ON c.gap = g.id \
             WHERE c.realm = ?1 AND c.done_at IS NULL AND g.closed_at IS NULL \
             ORDER BY g.id LIMIT 1",
        )?
        .query_row([realm], gap)
        .optional()
}

const REPORT: &str = "SELECT g.id, g.since, g.until, g.cause, g.closed_at, sum(c.late), \
    sum(c.found), sum(c.missing) FROM gap g JOIN gap_company c ON c.gap = g.id";

/// The newest ones, newest first.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Vec<GapReport>> {
    connection
        .prepare_cached(&format!(
            "{REPORT} GROUP BY g.id ORDER BY g.id DESC LIMIT ?1"
        ))?
        .query_map([number(TOLD)], report)?
        .collect()
}

fn report(row: &Row<'_>) -> rusqlite::Result<GapReport> {
    let count =
        |column| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(column)?.cast_unsigned()) };
    Ok(GapReport {
        gap: gap(row)?,
        closed_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_ms),
        late: count(5)?,
        found: count(6)?,
        missing: count(7)?,
    })
}

fn gap(row: &Row<'_>) -> rusqlite::Result<Gap> {
    Ok(Gap {
        id: row.get(0)?,
        since: Timestamp::from_ms(row.get(1)?),
        until: Timestamp::from_ms(row.get(2)?),
        cause: row.get(3)?,
    })
}
