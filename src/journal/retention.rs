//! Giving room back: whole finished receipts, oldest first, in small steps.
//!
//! Finished means: every lane has passed all its changes that are for it, no replay of them is open, and
//! no dead letter of them waits for a person (that last one only until the age limit). What is not
//! finished is never deleted, however old and however full the journal is. What is held of records
//! goes when QuickBooks can no longer bring it up.

use super::known::Known;
use super::room::Room;
use super::rows::number;
use super::{events, realms, records, route, shares};
use crate::model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::time::Duration;

/// Receipts that one step looks at.
const RECEIPTS: usize = 128;

/// Identities that one step forgets.
const IDENTITIES: usize = 1024;

/// Changes that one step looks through for those that no lane waits for.
const EXCLUDED: i64 = 16_384;

/// Pages that one step gives back to the file system.
const PAGES: i64 = 128;

/// Pages that may lie free in the file: they are used again without a write more than needed.
const PAGES_SPARE: i64 = 256;

/// What is held of a record is forgotten when it is older: Change Data Capture looks back 30 days.
const RECORDS_KEPT: Duration = Duration::from_secs(40 * 86_400);

/// How often it is looked through for that.
const RECORDS_EVERY: Duration = Duration::from_secs(86_400);

/// What a step of retention did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tidied {
    /// Receipts deleted.
    pub receipts: u64,
    /// Identities forgotten.
    pub identities: u64,
    /// Pages of the file given back.
    pub pages: u64,
    /// There is more to do: call again.
    pub more: bool,
}

/// How far the way through the receipts has come.
#[derive(Default, Debug)]
pub(super) struct Sweep {
    /// The last receipt that was looked at; 0 before the first.
    after: i64,
    /// The last way through should have made room and found nothing to delete, and nothing was
    /// settled since.
    barren: bool,
    found: bool,
    /// The ways through what nobody signed.
    pub(super) unsigned: shares::Sweeps,
    /// When the held records were last looked through.
    records_at: Option<Timestamp>,
}

impl Sweep {
    /// Something was settled, so there may be something to delete.
    pub(super) fn settled(&mut self) {
        self.barren = false;
    }

    /// Whether a step could make room.
    pub(super) fn is_worthwhile(&self) -> bool {
        !self.barren
    }

    /// The way through is at its end, `pressed` for room or not.
    fn end(&mut self, pressed: bool) {
        self.barren = pressed && !self.found;
        self.after = 0;
        self.found = false;
    }
}

/// One step. `keep` is the age limit; without `now` only want of room counts. When the clock stands before the newest receipt, it went
/// backwards or has not been set yet: nothing is deleted by age then.
pub(super) fn step(
    connection: &Connection,
    known: &mut Known,
    sweep: &mut Sweep,
    room: &Room,
    keep: Duration,
    now: Option<Timestamp>,
) -> rusqlite::Result<Tidied> {
    let newest: Option<i64> = connection
        .prepare_cached("SELECT received_at FROM receipt ORDER BY seq DESC LIMIT 1")?
        .query_row((), |row| row.get(0))
        .optional()?;
    let trusted = now.filter(|now| newest.is_none_or(|newest| newest <= now.as_ms()));
    let cutoff = trusted.map_or(i64::MIN, |now| now.minus(keep).as_ms());
    let mut tidied = Tidied::default();
    let mut excess = room.excess().unwrap_or(0);
    if excess > 0 {
        // What nobody signed goes first.
        let freed = shares::relieve(connection, &mut sweep.unsigned, None, excess)?;
        excess = excess.saturating_sub(freed);
        sweep.found |= freed > 0;
        tidied.more |= freed > 0;
    }
    prune_receipts(connection, sweep, excess, cutoff, &mut tidied)?;
    forget_identities(
        connection,
        known,
        room.identities_max(),
        cutoff,
        &mut tidied,
    )?;
    if let Some(now) = trusted {
        forget_records(connection, sweep, now, &mut tidied)?;
        tidied.more |= realms::forget_disconnected(connection, now.minus(keep))?;
        tidied.more |= realms::forget(connection, now)?;
    }
    give_back(connection, &mut tidied)?;
    Ok(tidied)
}

fn forget_records(
    connection: &Connection,
    sweep: &mut Sweep,
    now: Timestamp,
    tidied: &mut Tidied,
) -> rusqlite::Result<()> {
    if sweep
        .records_at
        .is_some_and(|at| now.since(at) < RECORDS_EVERY)
    {
        return Ok(());
    }
    let more = records::forget(connection, now.minus(RECORDS_KEPT))?;
    tidied.more |= more;
    sweep.records_at = (!more).then_some(now);
    Ok(())
}

/// A receipt as retention sees it.
pub(super) struct Old {
    seq: i64,
    received_at: i64,
    pub(super) first: i64,
    pub(super) last: i64,
    unreadable: i64,
    bytes: u64,
}

impl Old {
    /// Bytes that it takes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn prune_receipts(
    connection: &Connection,
    sweep: &mut Sweep,
    excess: u64,
    cutoff: i64,
    tidied: &mut Tidied,
) -> rusqlite::Result<()> {
    if sweep.after == 0 {
        pass_by_excluded(connection, sweep, tidied)?;
    }
    let floors = floors(connection)?;
    let mut freed = 0;
    let old = oldest(connection, sweep.after)?;
    let all = old.len() < RECEIPTS;
    for receipt in old {
        let aged = receipt.received_at < cutoff;
        if !aged && freed >= excess {
            sweep.end(false);
            return Ok(());
        }
        sweep.after = receipt.seq;
        if is_finished(connection, &receipt, &floors, aged)? {
            delete(connection, &receipt)?;
            sweep.found = true;
            freed += receipt.bytes;
            tidied.receipts += 1;
        }
    }
    if all {
        sweep.end(freed < excess);
    } else {
        tidied.more = true;
    }
    Ok(())
}

const OLD: &str = "SELECT seq, received_at, first_change, first_change + changes - 1, unreadable, \
    octet_length(body) + octet_length(headers) + 512 * items + 256 + (SELECT \
    ifnull(sum(octet_length(f.body)), 0) FROM fetched f WHERE f.change \
    BETWEEN first_change AND first_change + changes - 1) FROM receipt";

fn oldest(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Old>> {
    connection
        .prepare_cached(&format!("{OLD} WHERE seq > ?1 ORDER BY seq LIMIT ?2"))?
        .query_map((after, number(RECEIPTS)), from_row)?
        .collect()
}

/// The receipt of this number.
pub(super) fn old(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Old>> {
    connection
        .prepare_cached(&format!("{OLD} WHERE seq = ?1"))?
        .query_row([seq], from_row)
        .optional()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Old> {
    Ok(Old {
        seq: row.get(0)?,
        received_at: row.get(1)?,
        first: row.get(2)?,
        last: row.get(3)?,
        unreadable: row.get(4)?,
        bytes: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
    })
}

/// Lanes do not hold up what is not for them.
fn pass_by_excluded(
    connection: &Connection,
    sweep: &mut Sweep,
    tidied: &mut Tidied,
) -> rusqlite::Result<()> {
    let skipped = route::skip_all(connection, EXCLUDED)?;
    if skipped.moved {
        sweep.settled();
    }
    tidied.more |= skipped.more;
    Ok(())
}

/// How far all lanes of each company are; a company that has none is not waited for.
pub(super) fn floors(connection: &Connection) -> rusqlite::Result<HashMap<i64, i64>> {
    connection
        .prepare_cached("SELECT realm, min(through) FROM route GROUP BY realm")?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(super) fn is_finished(
    connection: &Connection,
    receipt: &Old,
    floors: &HashMap<i64, i64>,
    aged: bool,
) -> rusqlite::Result<bool> {
    let span = (receipt.first, receipt.last);
    let mut statement = connection.prepare_cached(
        "SELECT realm, max(sequence) FROM change WHERE seq BETWEEN ?1 AND ?2 GROUP BY realm",
    )?;
    let mut rows = statement.query(span)?;
    while let Some(row) = rows.next()? {
        let (realm, sequence): (i64, i64) = (row.get(0)?, row.get(1)?);
        if floors
            .get(&realm)
            .is_some_and(|through| *through < sequence)
        {
            return Ok(false);
        }
    }
    let claimed = |sql: &str| -> rusqlite::Result<bool> {
        connection
            .prepare_cached(sql)?
            .query_row(span, |row| row.get(0))
    };
    if claimed(
        "SELECT EXISTS (SELECT 1 FROM replay p JOIN sink s ON s.id = p.sink \
         WHERE p.change BETWEEN ?1 AND ?2 AND p.done_at IS NULL AND s.configured = 1)",
    )? {
        return Ok(false);
    }
    let mourned = !aged
        && claimed(
            "SELECT EXISTS (SELECT 1 FROM dead d JOIN sink s ON s.id = d.sink \
             WHERE d.change BETWEEN ?1 AND ?2 AND d.replayed_at IS NULL \
             AND d.discarded_at IS NULL AND s.configured = 1)",
        )?;
    Ok(!mourned)
}

/// Deletes a receipt with everything that it brought, and keeps the accounts.
pub(super) fn delete(connection: &Connection, receipt: &Old) -> rusqlite::Result<()> {
    let span = (receipt.first, receipt.last);
    let run = |sql: &str| connection.prepare_cached(sql)?.execute(span);
    run("DELETE FROM dead WHERE change BETWEEN ?1 AND ?2")?;
    run("DELETE FROM replay WHERE change BETWEEN ?1 AND ?2")?;
    run(
        "UPDATE realm SET pruned = pruned + n FROM (SELECT realm AS id, count(*) AS n FROM change \
         WHERE seq BETWEEN ?1 AND ?2 GROUP BY realm) AS c WHERE realm.id = c.id",
    )?;
    run("DELETE FROM fetched WHERE change BETWEEN ?1 AND ?2")?;
    run("DELETE FROM change WHERE seq BETWEEN ?1 AND ?2")?;
    if receipt.unreadable > 0 {
        let open: i64 = connection
            .prepare_cached(
                "SELECT count(*) FROM unreadable WHERE receipt = ?1 AND discarded_at IS NULL",
            )?
            .query_row([receipt.seq], |row| row.get(0))?;
        connection
            .prepare_cached("DELETE FROM unreadable WHERE receipt = ?1")?
            .execute([receipt.seq])?;
        events::count(connection, "unreadable", -open)?;
    }
    shares::subtract(connection, receipt.seq)?;
    for sql in [
        "DELETE FROM repetition WHERE receipt = ?1",
        "DELETE FROM repeated WHERE receipt = ?1",
        "DELETE FROM provenance WHERE receipt = ?1",
        "DELETE FROM receipt WHERE seq = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([receipt.seq])?;
    }
    events::count(connection, "receipts_pruned", 1)
}

/// Identities outlive their receipts, up to the age limit and a share of the budget.
fn forget_identities(
    connection: &Connection,
    known: &mut Known,
    count_max: i64,
    cutoff: i64,
    tidied: &mut Tidied,
) -> rusqlite::Result<()> {
    let newest: i64 = connection
        .prepare_cached("SELECT ifnull(max(row), 0) FROM seen")?
        .query_row((), |row| row.get(0))?;
    let last: Option<i64> = connection
        .prepare_cached(
            "SELECT max(row) FROM (SELECT row, at FROM seen ORDER BY row LIMIT ?1) \
             WHERE at < ?2 OR row <= ?3",
        )?
        .query_row(
            params![number(IDENTITIES), cutoff, newest - count_max],
            |row| row.get(0),
        )?;
    if let Some(last) = last {
        let gone = connection
            .prepare_cached("DELETE FROM seen WHERE row <= ?1")?
            .execute([last])?;
        known.forget_through(last);
        tidied.identities = u64::try_from(gone).unwrap_or(0);
        tidied.more |= gone == IDENTITIES;
    }
    Ok(())
}

/// Gives a part of all free pages back; how many are left.
pub(super) fn give_back_all(connection: &Connection) -> rusqlite::Result<i64> {
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({})", 16 * PAGES))?;
    connection
        .prepare_cached("PRAGMA freelist_count")?
        .query_row((), |row| row.get(0))
}

fn give_back(connection: &Connection, tidied: &mut Tidied) -> rusqlite::Result<()> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection
            .prepare_cached(pragma)?
            .query_row((), |row| row.get(0))
    };
    let free = number("PRAGMA freelist_count")?;
    let spare = PAGES_SPARE.max(number("PRAGMA page_count")? / 8);
    if free > spare {
        let pages = PAGES.min(free - spare);
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({pages})"))?;
        tidied.pages = u64::try_from(free - number("PRAGMA freelist_count")?).unwrap_or(0);
        tidied.more |= free - pages > spare;
    }
    Ok(())
}
