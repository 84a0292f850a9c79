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
