//! The lanes that there are: which sink is told of which company, from where on, and how far it is.
//!
//! The view `route` (in `schema_3.sql`) says it, and everybody asks it: who delivers, who counts, who
//! lists and who deletes. Here is what they ask it, and how a lane passes by changes of kinds that
//! are not for it: a step of retention moves its cursor, not each of those changes.

use super::rows::{lane_state, strange};
use crate::model::{Lane, LaneState, SinkName};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Whether a change `c` is of a kind that is told; `kinds` is what stands for the kinds of the sink.
pub(super) fn covers(kinds: &str) -> String {
    format!("({kinds} IS NULL OR instr({kinds}, '\"' || lower(c.kind) || '\"') > 0)")
}

/// Changes that are looked at in one go for those that are not excluded.
pub(super) const WINDOW: i64 = 512;

/// A lane and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) sink: i64,
    pub(super) name: SinkName,
    /// The sink's `kinds`; `None`: all.
    pub(super) kinds: Option<String>,
    pub(super) realm: i64,
    /// `sequence` of the company's newest change.
    pub(super) newest: i64,
    /// The last change before those that it is told of.
    pub(super) since: i64,
    /// The last change that is settled.
    pub(super) through: i64,
    /// The sink was switched off.
    pub(super) is_off: bool,
    /// How the first change that waits fared.
    pub(super) state: LaneState,
}

const ROUTE: &str = "SELECT w.sink, w.sink_name, w.kinds, w.realm, w.sequence, w.since, w.through, \
    w.disabled_at IS NOT NULL, w.attempts, w.first_attempt_at, w.next_attempt_at, w.last_failure \
    FROM route w";

impl Route {
    /// Whether it is told of this change of its company.
    pub(super) fn covers(&self, sequence: u64, kind: &str) -> bool {
        let is_kind = |kinds: &str| kinds.contains(&format!("\"{}\"", kind.to_ascii_lowercase()));
        sequence.cast_signed() > self.since && self.kinds.as_deref().is_none_or(is_kind)
    }
}

/// All of them, by the name of the sink.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Route>> {
    connection
        .prepare_cached(&format!("{ROUTE} ORDER BY w.sink_name, w.realm"))?
        .query_map((), route)?
        .collect()
}

/// The one of this lane, where it is one.
pub(super) fn find(connection: &Connection, lane: &Lane) -> rusqlite::Result<Option<Route>> {
    connection
        .prepare_cached(&format!(
            "{ROUTE} WHERE w.sink_name = ?1 AND w.realm_name = ?2"
        ))?
        .query_row((lane.sink.as_str(), lane.realm.as_str()), route)
        .optional()
}

/// The lane of an instance, whether events leave by it or not.
pub(super) fn of_instance(
    connection: &Connection,
    sink: i64,
    realm: i64,
) -> rusqlite::Result<Route> {
    connection
        .prepare_cached(
            "SELECT s.id, s.name, s.kinds, m.id, m.sequence, l.since, l.through, \
             s.disabled_at IS NOT NULL, l.attempts, l.first_attempt_at, l.next_attempt_at, \
             l.last_failure FROM sink s JOIN realm m ON m.id = ?2 \
             JOIN lane l ON l.sink = s.id AND l.realm = m.id WHERE s.id = ?1",
        )?
        .query_row((sink, realm), route)
}

/// The sink of this name, where it is configured.
pub(super) fn sink(connection: &Connection, name: &SinkName) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM sink WHERE name = ?1 AND configured = 1")?
        .query_row([name.as_str()], |row| row.get(0))
        .optional()
}

/// Those whose sink is told of some kinds only.
pub(super) fn of_some_kinds(connection: &Connection) -> rusqlite::Result<Vec<Route>> {
    connection
        .prepare_cached(&format!("{ROUTE} WHERE w.kinds IS NOT NULL"))?
        .query_map((), route)?
        .collect()
}

/// Whether a sink of this name is told of every company, those that are new included.
pub(super) fn awaits_companies(connection: &Connection, name: &SinkName) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sink WHERE name = ?1 AND configured = 1 AND realm IS NULL)",
        )?
        .query_row([name.as_str()], |row| row.get(0))
}

fn route(row: &Row<'_>) -> rusqlite::Result<Route> {
    let name: String = row.get(1)?;
    Ok(Route {
        sink: row.get(0)?,
        name: SinkName::new(name).ok_or_else(|| strange(1, "sink"))?,
        kinds: row.get(2)?,
        realm: row.get(3)?,
        newest: row.get(4)?,
        since: row.get(5)?,
        through: row.get(6)?,
        is_off: row.get(7)?,
        state: lane_state(row, 8)?,
    })
}

/// The first change after `after` and up to `end` that is not excluded.
pub(super) fn next(
    connection: &Connection,
    route: &Route,
    after: i64,
    end: i64,
) -> rusqlite::Result<Option<i64>> {
    let sql = format!(
        "SELECT c.sequence FROM change c WHERE c.realm = ?1 AND c.sequence > ?2 \
         AND c.sequence <= ?3 AND {} ORDER BY c.sequence LIMIT 1",
        covers("?4")
    );
    connection
        .prepare_cached(&sql)?
        .query_row((route.realm, after, end, &route.kinds), |row| row.get(0))
        .optional()
}

/// Moves a sink's lane with a company past what is excluded, as far as that goes.
pub(super) fn skip(connection: &Connection, sink: i64, realm: i64) -> rusqlite::Result<()> {
    let route = connection
        .prepare_cached(&format!("{ROUTE} WHERE w.sink = ?1 AND w.realm = ?2"))?
        .query_row((sink, realm), route)
        .optional()?;
    if let Some(mut route) = route {
        advance(connection, &mut route, i64::MAX)?;
    }
    Ok(())
}

/// What was passed by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skipped {
    /// Some lane was moved.
    pub(super) moved: bool,
    /// Some lane could be moved further.
    pub(super) more: bool,
}

/// Moves every lane past what is excluded, looking at `changes_max` changes.
pub(super) fn skip_all(connection: &Connection, mut changes_max: i64) -> rusqlite::Result<Skipped> {
    let behind: Vec<Route> = connection
        .prepare_cached(&format!(
            "{ROUTE} WHERE w.kinds IS NOT NULL AND w.through < w.sequence"
        ))?
        .query_map((), route)?
        .collect::<Result<_, _>>()?;
    let mut skipped = Skipped {
        moved: false,
        more: false,
    };
    for mut route in behind {
        if changes_max <= 0 {
            skipped.more = true;
            break;
        }
        let from = route.through;
        let ended = advance(connection, &mut route, changes_max)?;
        skipped.moved |= route.through > from;
        skipped.more |= !ended;
        changes_max -= route.through - from + 1;
    }
    Ok(skipped)
}

/// Moves one; false when it stopped because it had looked at so many changes.
fn advance(connection: &Connection, route: &mut Route, changes_max: i64) -> rusqlite::Result<bool> {
    let from = route.through;
    let limit = from.saturating_add(changes_max).min(route.newest);
    let mut next = None;
    while next.is_none() && route.through < limit {
        let end = route.through.saturating_add(WINDOW).min(limit);
        next = self::next(connection, route, route.through, end)?;
        route.through = next.map_or(end, |next| next - 1);
    }
    if route.through > from {
        connection
            .prepare_cached("UPDATE lane SET through = ?3 WHERE sink = ?1 AND realm = ?2")?
            .execute(params![route.sink, route.realm, route.through])?;
    }
    Ok(next.is_some() || limit == route.newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Company 1 with so many changes, of which the last of every hundred is a bill, and two sinks
    /// that are told of bills.
    fn tables(changes: i64) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for step in super::super::migrate::STEPS {
            connection.execute_batch(step).unwrap();
        }
        let filled = format!(
            "INSERT INTO realm (id, name, sequence) VALUES (1, '310687', {changes}); \
             INSERT INTO sink (name, configured, added_at, realm, kinds) \
             VALUES ('a', 1, 0, 1, '[\"bill\"]'), ('b', 1, 0, 1, '[\"bill\"]'); \
             INSERT INTO lane (sink, realm, through) VALUES (1, 1, 0), (2, 1, 0); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {changes}) \
             INSERT INTO change (receipt, ordinal, realm, sequence, kind, entity, operation, \
             happened, event_type, origin, late, conflicting, identity, content) \
             SELECT i, 0, 1, i, iif(i % 100 = 0, 'Bill', 'Invoice'), '1', 'Update', '', '', \
             'webhook', 0, 0, x'', 0 FROM n"
        );
        connection.execute_batch(&filled).unwrap();
        connection
    }

    fn through(connection: &Connection) -> Vec<i64> {
        let routes = all(connection).unwrap();
        routes.iter().map(|route| route.through).collect()
    }

    #[test]
    fn a_step_passes_by_what_is_excluded_within_its_bound_and_the_next_goes_on() {
        let connection = tables(99);
        let skipped = skip_all(&connection, 60).unwrap();
        assert!(skipped.moved && skipped.more);
        assert_eq!(through(&connection), [60, 0]);
        let skipped = skip_all(&connection, 60).unwrap();
        assert!(skipped.moved && skipped.more);
        assert_eq!(through(&connection), [99, 20]);
        let skipped = skip_all(&connection, 100).unwrap();
        assert!(skipped.moved && !skipped.more);
        assert_eq!(through(&connection), [99, 99]);
        assert!(!skip_all(&connection, 100).unwrap().moved);
    }

    #[test]
    fn a_lane_is_moved_up_to_what_waits_in_it_and_no_further() {
        let connection = tables(2_000);
        skip_all(&connection, i64::MAX).unwrap();
        assert_eq!(through(&connection), [99, 99]);
        let skipped = skip_all(&connection, i64::MAX).unwrap();
        assert!(!skipped.moved && !skipped.more);
        connection
            .execute("UPDATE lane SET through = 1999 WHERE sink = 1", ())
            .unwrap();
        skip(&connection, 1, 1).unwrap();
        assert_eq!(through(&connection), [1999, 99]);
    }
}
