//! What the reader remembers of lanes that are told of some kinds only: how far ahead nothing is for
//! them, and how much waits.
//!
//! Both could be read from the tables each time, at the price of every change that waits or is
//! passed by; this way each is looked at once. It is lost with the process and found again by
//! looking.

use super::route::{self, Route, WINDOW};
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By the number of the sink; such a sink has one company.
#[derive(Debug, Default)]
pub(super) struct Sieve(Mutex<HashMap<i64, Seen>>);

/// What was seen of one lane.
#[derive(Clone, Debug)]
struct Seen {
    kinds: String,
    realm: i64,
    since: i64,
    /// Nothing is for it up to here that is not settled.
    passed: i64,
    /// How far it was settled, and how far changes were counted after that.
    through: i64,
    counted: i64,
    waiting: i64,
}

impl Sieve {
    /// How far the lane is, what is not for it included.
    pub(super) fn passed(&self, route: &Route) -> i64 {
        match &route.kinds {
            Some(kinds) => Self::seen(&mut self.lock(), route, kinds)
                .passed
                .max(route.through),
            None => route.through,
        }
    }

    /// Nothing is for the lane up to there.
    pub(super) fn pass(&self, route: &Route, through: i64) {
        if let Some(kinds) = &route.kinds {
            Self::seen(&mut self.lock(), route, kinds).passed = through;
        }
    }

    /// How many changes wait in the lane.
    pub(super) fn waiting(&self, connection: &Connection, route: &Route) -> rusqlite::Result<u64> {
        let waiting = match &route.kinds {
            Some(kinds) => count(
                connection,
                route,
                Self::seen(&mut self.lock(), route, kinds),
            )?,
            None => route.newest - route.through,
        };
        Ok(u64::try_from(waiting).unwrap_or(0))
    }

    /// Forgets all but these sinks.
    pub(super) fn keep(&self, routes: &[Route]) {
        let kept: HashSet<i64> = routes.iter().map(|route| route.sink).collect();
        self.lock().retain(|sink, _| kept.contains(sink));
    }

    /// What was seen of this very lane: one that began afresh is another.
    fn seen<'a>(all: &'a mut HashMap<i64, Seen>, route: &Route, kinds: &str) -> &'a mut Seen {
        let is_other = |seen: &Seen| {
            let before = (seen.kinds.as_str(), seen.realm, seen.since);
            before != (kinds, route.realm, route.since) || seen.through > route.through
        };
        let fresh = || Seen {
            kinds: kinds.to_owned(),
            realm: route.realm,
            since: route.since,
            passed: route.through,
            through: route.through,
            counted: route.through,
            waiting: 0,
        };
        let seen = all.entry(route.sink).or_insert_with(fresh);
        if is_other(seen) {
            *seen = fresh();
        }
        seen
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings the count up to date in steps, so that a look that is broken off is not for nothing.
fn count(connection: &Connection, route: &Route, seen: &mut Seen) -> rusqlite::Result<i64> {
    if route.through >= seen.counted {
        (seen.through, seen.counted, seen.waiting) = (route.through, route.through, 0);
    }
    while seen.through < route.through {
        let end = seen.through.saturating_add(WINDOW).min(route.through);
        seen.waiting -= covered(connection, route, seen.through, end)?;
        seen.through = end;
    }
    while seen.counted < route.newest {
        let end = seen.counted.saturating_add(WINDOW).min(route.newest);
        seen.waiting += covered(connection, route, seen.counted, end)?;
        seen.counted = end;
    }
    Ok(seen.waiting)
}

/// Changes for the lane after `after` and up to `end`.
fn covered(connection: &Connection, route: &Route, after: i64, end: i64) -> rusqlite::Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM change c WHERE c.realm = ?1 AND c.sequence > ?2 \
         AND c.sequence <= ?3 AND {}",
        route::covers("?4")
    );
    connection
        .prepare_cached(&sql)?
        .query_row((route.realm, after, end, &route.kinds), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What happens to a lane that is told of bills.
    #[derive(Clone, Debug)]
    enum Step {
        /// So many changes of another kind come, then a bill.
        Come(i64),
        /// The first that waits is delivered.
        Deliver,
        /// It is moved past what is excluded.
        Skip,
        /// It begins afresh.
        Begin,
        /// It is told of invoices and bills from now on, or of bills again.
        Change,
        /// The process ends.
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..700_i64).prop_map(Step::Come),
            4 => Just(Step::Deliver),
            1 => Just(Step::Skip),
            1 => Just(Step::Begin),
            1 => Just(Step::Change),
            1 => Just(Step::Restart),
        ]
    }

    fn tables() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for step in super::super::migrate::STEPS {
            connection.execute_batch(step).unwrap();
        }
        let lane = "INSERT INTO realm (id, name, sequence) VALUES (1, '310687', 0); \
             INSERT INTO sink (name, configured, added_at, realm, kinds) \
             VALUES ('a', 1, 0, 1, '[\"bill\"]'); \
             INSERT INTO lane (sink, realm, through) VALUES (1, 1, 0);";
        connection.execute_batch(lane).unwrap();
        connection
    }

    /// Changes of another kind, then a bill.
    fn come(connection: &Connection, others: i64) {
        let come = format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {others}) \
             INSERT INTO change (receipt, ordinal, realm, sequence, kind, entity, operation, \
             happened, event_type, origin, late, conflicting, identity, content) \
             SELECT 1, 0, 1, r.sequence + 1 + i, iif(i < {others}, 'Invoice', 'Bill'), '1', \
             'Update', '', '', 'webhook', 0, 0, x'', 0 FROM n, realm r; \
             UPDATE realm SET sequence = sequence + {others} + 1"
        );
        connection.execute_batch(&come).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn what_is_remembered_is_what_stands_in_the_tables(
            steps in proptest::collection::vec(step(), 1..30),
        ) {
            let connection = tables();
            let mut sieve = Sieve::default();
            for step in steps {
                let ours = route::all(&connection).unwrap().remove(0);
                let run = |sql: &str| connection.execute_batch(sql).unwrap();
                match step {
                    Step::Come(others) => come(&connection, others),
                    Step::Deliver => {
                        let next = route::next(&connection, &ours, ours.through, i64::MAX).unwrap();
                        if let Some(next) = next {
                            run(&format!("UPDATE lane SET through = {next}"));
                        }
                    }
                    Step::Skip => route::skip(&connection, 1, 1).unwrap(),
                    Step::Begin => {
                        let newest = ours.newest;
                        run(&format!("UPDATE lane SET through = {newest}, since = {newest}"));
                    }
                    Step::Change => run(
                        "UPDATE sink SET kinds = iif(kinds = '[\"bill\"]', \
                         '[\"bill\",\"invoice\"]', '[\"bill\"]')",
                    ),
                    Step::Restart => sieve = Sieve::default(),
                }
                let ours = route::all(&connection).unwrap().remove(0);
                let waiting = covered(&connection, &ours, ours.through, ours.newest).unwrap();
                let counted = sieve.waiting(&connection, &ours).unwrap();
                prop_assert_eq!(counted.cast_signed(), waiting);
                let passed = sieve.passed(&ours);
                let first = route::next(&connection, &ours, ours.through, i64::MAX).unwrap();
                prop_assert!(first.is_none_or(|first| first > passed));
                sieve.pass(&ours, first.map_or(ours.newest, |first| first - 1));
            }
        }
    }
}
