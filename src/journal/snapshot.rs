//! The journal at one moment: counts, and the lanes that cannot deliver.

use super::events::{self, Event};
use super::instance_rows;
use super::reader::lane;
use super::route::{self, Route};
use super::rows;
use super::sieve::Sieve;
use super::sinks;
use crate::model::{InstanceCounts, Lane, LaneState, Refusals, SinkCount, Timestamp};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Events that a snapshot shows.
const EVENTS: usize = 20;

/// The journal at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Companies seen so far.
    pub companies: u64,
    /// Receipts that are kept.
    pub receipts: u64,
    /// Changes that wait in some lane, counted once for each.
    pub waiting: u64,
    /// Replays that are not done.
    pub replays: u64,
    /// Dead letters that nobody has looked after.
    pub dead_letters: u64,
    /// The same of each sink that has any, those that are not configured any more included.
    pub dead_by_sink: Vec<SinkCount>,
    /// What sinks had yet to get that are not configured any more.
    pub parked: Vec<SinkCount>,
    /// Entries that are kept, authentic, not understood, and that nobody has acknowledged.
    pub unreadable: u64,
    /// Changes of companies that were refused.
    pub refused: Refusals,
    /// When the last authentic notification arrived, repeats included.
    pub last_receipt_at: Option<Timestamp>,
    /// Bytes of the file that are in use, the log included.
    pub bytes_used: u64,
    /// The byte budget.
    pub bytes_max: u64,
    /// Lanes whose last attempt failed, or whose sink was switched off and that have work.
    pub troubles: Vec<LaneTrouble>,
    /// How the element instances stand.
    pub instances: InstanceCounts,
    /// What happened lately, newest first.
    pub events: Vec<Event>,
}

/// A lane that cannot deliver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaneTrouble {
    /// The lane.
    pub lane: Lane,
    /// How its head fared.
    pub state: LaneState,
    /// When its sink was switched off.
    pub disabled_at: Option<Timestamp>,
    /// Changes that wait in it.
    pub waiting: u64,
}

/// The last snapshot, which stays true until something is committed: an idle relay with many companies
/// does not add up its lanes each second. It belongs to one connection, because the number by which
/// SQLite tells that others have committed (`PRAGMA data_version`) has no meaning for another.
#[derive(Debug, Default)]
pub(super) struct SnapshotCache(Mutex<Option<(i64, Snapshot)>>);

impl SnapshotCache {
    /// What the tables know of a snapshot, added up only when another connection has committed since
    /// the last call; the rest is filled in by the handle. To be called within a transaction, so that
    /// the number and the tables are of one moment.
    pub(super) fn look(
        &self,
        connection: &Connection,
        sieve: &Sieve,
    ) -> rusqlite::Result<Snapshot> {
        let version = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row((), |row| row.get(0))?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, snapshot)) = &*last
            && *of == version
        {
            return Ok(snapshot.clone());
        }
        let fresh = snapshot(connection, sieve)?;
        *last = Some((version, fresh.clone()));
        Ok(fresh)
    }
}

fn snapshot(connection: &Connection, sieve: &Sieve) -> rusqlite::Result<Snapshot> {
    let one = |sql: &str| -> rusqlite::Result<u64> {
        let count: i64 = connection
            .prepare_cached(sql)?
            .query_row((), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let taken = one("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'receipt'")?;
    let all_told = one("SELECT ifnull(sum(behind), 0) FROM route WHERE kinds IS NULL")?;
    let (some_told, waiting) = sifted(connection, sieve)?;
    let dead = sinks::dead(connection)?;
    Ok(Snapshot {
        companies: one("SELECT count(*) FROM realm")?,
        receipts: taken.saturating_sub(events::counted(connection, "receipts_pruned")?),
        waiting: all_told + some_told,
        replays: one(
            "SELECT count(*) FROM replay p JOIN sink s ON s.id = p.sink \
             WHERE p.done_at IS NULL AND s.configured = 1",
        )?,
        dead_letters: dead.iter().map(|sink| sink.count).sum(),
        dead_by_sink: dead,
        parked: sinks::parked(connection)?,
        unreadable: events::counted(connection, "unreadable")?,
        refused: Refusals {
            changes: events::counted(connection, "refused")?,
            // The handle knows how many there may be, and whether that many are there.
            over_limit: (events::counted(connection, "over_limit")? > 0).then_some(0),
        },
        last_receipt_at: None,
        bytes_used: 0,
        bytes_max: 0,
        troubles: troubles(connection, &waiting)?,
        instances: instance_rows::counts(connection)?,
        events: events::newest(connection, EVENTS)?,
    })
}

/// What waits for the sinks that are told of some kinds only: in all, and for each.
fn sifted(connection: &Connection, sieve: &Sieve) -> rusqlite::Result<(u64, HashMap<i64, u64>)> {
    let routes = route::of_some_kinds(connection)?;
    sieve.keep(&routes);
    let count = |route: &Route| Ok((route.sink, sieve.waiting(connection, route)?));
    let waiting: HashMap<i64, u64> = routes.iter().map(count).collect::<rusqlite::Result<_>>()?;
    Ok((waiting.values().sum(), waiting))
}

fn troubles(
    connection: &Connection,
    sifted: &HashMap<i64, u64>,
) -> rusqlite::Result<Vec<LaneTrouble>> {
    let mut statement = connection.prepare_cached(
        "SELECT sink_name, realm_name, attempts, first_attempt_at, next_attempt_at, \
         ifnull(last_failure, disabled_why), disabled_at, behind, sink \
         FROM route WHERE attempts > 0 OR (disabled_at IS NOT NULL AND behind > 0) \
         ORDER BY sink_name, realm",
    )?;
    let troubles = statement.query_map((), |row| {
        let behind = u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0);
        Ok(LaneTrouble {
            lane: lane(row)?,
            state: rows::lane_state(row, 2)?,
            disabled_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_ms),
            waiting: sifted.get(&row.get(8)?).copied().unwrap_or(behind),
        })
    })?;
    // Nothing waits where all that is behind is of other kinds.
    let is_one = |trouble: &LaneTrouble| trouble.state.attempts > 0 || trouble.waiting > 0;
    troubles
        .filter(|trouble| trouble.as_ref().map_or(true, is_one))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::reader::in_one_view;
    use super::*;

    #[test]
    fn lanes_are_added_up_again_only_after_a_commit_of_another_connection() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "wal").unwrap();
        for step in super::super::migrate::STEPS {
            writer.execute_batch(step).unwrap();
        }
        let run = |sql: &str| writer.execute_batch(sql).unwrap();
        run(
            "INSERT INTO realm (id, name, sequence) VALUES (1, '310687', 3); \
             INSERT INTO sink (name, configured, added_at) VALUES ('a', 1, 0); \
             INSERT INTO lane (sink, realm, through) VALUES (1, 1, 0)",
        );
        let reader = Connection::open(&path).unwrap();
        let (cache, sieve) = (SnapshotCache::default(), Sieve::default());
        let look = || in_one_view(&reader, |view| cache.look(view, &sieve)).unwrap();
        let full = || in_one_view(&reader, |view| snapshot(view, &sieve)).unwrap();
        assert_eq!(look().waiting, 3);

        // What was kept is answered as it is, however often somebody looks.
        cache.0.lock().unwrap().as_mut().unwrap().1.waiting = 77;
        assert_eq!(look().waiting, 77);
        assert_eq!(look().waiting, 77);

        // A transaction that is not committed changes nothing, and none that is committed is missed.
        run("BEGIN; UPDATE lane SET through = 2");
        assert_eq!(look().waiting, 77);
        run("COMMIT");
        assert_eq!(look().waiting, 1);
        for (number, change) in [
            "UPDATE realm SET sequence = sequence + 5",
            "UPDATE lane SET through = through + 2",
            "UPDATE sink SET disabled_at = 9",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "INSERT INTO realm (id, name, sequence) VALUES (2, '2', 4)",
            "INSERT INTO lane (sink, realm, through) VALUES (1, 2, 1)",
            "DELETE FROM lane WHERE realm = 2",
        ]
        .into_iter()
        .enumerate()
        {
            run(change);
            assert_eq!(look(), full(), "{number}: {change}");
        }
    }
}
