//! Sending again what the operator asks for: choosing the changes, and filing the requests.
//!
//! Choosing is reading, in steps that are short however much there is; filing is one row for each
//! change and sink. History is never edited: a replay points to an old change.

use super::route::{self, Route};
use super::rows::{self, CHANGE, CHANGE_JOINED, number};
use super::touched::Touched;
use super::{append, events};
use crate::model::{Change, ChangeId, ChangeSeq, RealmId, SinkName, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// Numbers that one reading step looks through.
const WINDOW: i64 = 4_000;

/// What is to be sent again, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayRequest {
    /// Which changes.
    pub selection: Selection,
    /// To which sinks; `None` means all that are configured. Dead letters only ever go where they
    /// died.
    pub sinks: Option<Vec<SinkName>>,
}

/// Which changes are meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    /// The one with this number.
    Change(ChangeSeq),
    /// The one with this id.
    Id(ChangeId),
    /// Those with numbers from `from` to `to`, both included.
    Range {
        /// The first.
        from: ChangeSeq,
        /// The last.
        to: ChangeSeq,
    },
    /// Those that fulfil every condition that is given.
    Filter {
        /// Of this company.
        realm: Option<RealmId>,
        /// Of records of this kind, in any case.
        kind: Option<String>,
        /// Of records with this id.
        id: Option<String>,
        /// Received at this instant or later.
        since: Option<Timestamp>,
        /// Received before this instant.
        until: Option<Timestamp>,
    },
    /// Dead letters that nobody has replayed.
    DeadLetters,
}

/// What is going to be sent again, or would be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReplayPlan {
    /// In the order of the journal; at most [`ReplayPlan::MAX`], then `more` says where to go on.
    pub planned: Vec<Planned>,
    /// Left out because the sink has yet to get them in the ordinary course.
    pub waiting: u64,
    /// Left out because a replay of them is under way.
    pub under_way: u64,
    /// There is more to choose from, from this number on.
    pub more: Option<ChangeSeq>,
}

/// One change that goes to one sink again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// The change.
    pub change: Change,
    /// Where it goes.
    pub sink: SinkName,
}

impl ReplayPlan {
    /// Deliveries that one request plans at most.
    pub const MAX: usize = 10_000;
}

/// What one reading step found.
#[derive(Default)]
pub(super) struct Page {
    pub planned: Vec<Planned>,
    pub waiting: u64,
    pub under_way: u64,
    /// Number after which the next step begins; `None` at the end.
    pub next: Option<i64>,
}

/// Chooses from the numbers after `after`, as many as one short step can look through.
pub(super) fn choose(
    connection: &Connection,
    selection: &Selection,
    sinks: Option<&[i64]>,
    after: i64,
) -> rusqlite::Result<Page> {
    let newest: i64 =
        connection.query_row("SELECT ifnull(max(seq), 0) FROM change", (), |row| {
            row.get(0)
        })?;
    let mut page = Page::default();
    let routes = routes(connection, sinks)?;
    let (first, last) = match selection {
        Selection::DeadLetters => return choose_dead(connection, &routes, after),
        Selection::Id(id) => match find(connection, id)? {
            Some(seq) => (seq.0, seq.0),
            None => return Ok(page),
        },
        Selection::Change(seq) => (seq.0, seq.0),
        Selection::Range { from, to } => (from.0, to.0.min(newest)),
        Selection::Filter { .. } => {
            let oldest: i64 =
                connection.query_row("SELECT ifnull(min(seq), 1) FROM change", (), |row| {
                    row.get(0)
                })?;
            (oldest, newest)
        }
    };
    let first = first.max(after.saturating_add(1));
    let end = last.min(first.saturating_add(WINDOW - 1));
    page.next = (end < last).then_some(end);
    for (realm, change) in changes(connection, selection, first, end)? {
        for route in routes.get(&realm).into_iter().flatten() {
            weigh(connection, &mut page, &change, route)?;
        }
    }
    page.planned
        .sort_by(|a, b| (a.change.seq, &a.sink).cmp(&(b.change.seq, &b.sink)));
    Ok(page)
}

/// The lanes of these sinks, `None`: of all, by the company.
fn routes(
    connection: &Connection,
    sinks: Option<&[i64]>,
) -> rusqlite::Result<HashMap<i64, Vec<Route>>> {
    let mut routes: HashMap<i64, Vec<Route>> = HashMap::new();
    for route in route::all(connection)? {
        if sinks.is_none_or(|sinks| sinks.contains(&route.sink)) {
            routes.entry(route.realm).or_default().push(route);
        }
    }
    Ok(routes)
}

/// Files the requests, where nothing stands against it any more; returns how many.
pub(super) fn file(
    connection: &Connection,
    touched: &mut Touched,
    requests: &[(ChangeSeq, SinkName)],
    now: Timestamp,
) -> rusqlite::Result<u64> {
    touched.at(now);
    let mut filed = 0;
    for (change, sink) in requests {
        let inserted = connection
            .prepare_cached(
                "INSERT INTO replay (sink, realm, change, requested_at) \
                 SELECT w.sink, c.realm, c.seq, ?3 FROM change c \
                 JOIN route w ON w.sink_name = ?2 AND w.realm = c.realm WHERE c.seq = ?1 \
                 AND NOT EXISTS (SELECT 1 FROM replay p \
                 WHERE p.change = c.seq AND p.sink = w.sink AND p.done_at IS NULL)",
            )?
            .execute((change.0, sink.as_str(), now.as_ms()))?;
        let revived = connection
            .prepare_cached(
                "UPDATE dead SET replayed_at = ?3 \
                 WHERE change = ?1 AND sink = (SELECT id FROM sink WHERE name = ?2) \
                 AND replayed_at IS NULL",
            )?
            .execute((change.0, sink.as_str(), now.as_ms()))?;
        if revived > 0 {
            events::count(connection, "dead", -1)?;
        }
        filed += u64::try_from(inserted).unwrap_or(0);
    }
    touched.everyone();
    Ok(filed)
}

/// The change with this id, if it is still kept: by way of `seen`, whose rows are small.
pub(super) fn find(connection: &Connection, id: &ChangeId) -> rusqlite::Result<Option<ChangeSeq>> {
    let Some(identity) = append::parse_id(&id.0) else {
        return Ok(None);
    };
    let mut receipts = connection.prepare_cached("SELECT receipt FROM seen WHERE identity = ?1")?;
    let receipts: Vec<i64> = receipts
        .query_map([identity.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for receipt in receipts {
        let span: Option<(i64, i64)> = connection
            .prepare_cached("SELECT first_change, changes FROM receipt WHERE seq = ?1")?
            .query_row([receipt], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((first, count)) = span else { continue };
        let everything = Selection::Range {
            from: ChangeSeq(first),
            to: ChangeSeq(first),
        };
        let found = changes(connection, &everything, first, first + count - 1)?
            .into_iter()
            .find(|(_, change)| change.id == *id);
        if let Some((_, change)) = found {
            return Ok(Some(change.seq));
        }
    }
    Ok(None)
}

fn changes(
    connection: &Connection,
    selection: &Selection,
    first: i64,
    last: i64,
) -> rusqlite::Result<Vec<(i64, Change)>> {
    let Selection::Filter {
        realm,
        kind,
        id,
        since,
        until,
    } = selection
    else {
        let none = Selection::Filter {
            realm: None,
            kind: None,
            id: None,
            since: None,
            until: None,
        };
        return changes(connection, &none, first, last);
    };
    let sql = format!(
        "SELECT {CHANGE}, c.realm FROM change c {CHANGE_JOINED} WHERE c.seq BETWEEN ?1 AND ?2 \
         AND (?3 IS NULL OR m.name = ?3) AND (?4 IS NULL OR c.kind = ?4 COLLATE NOCASE) \
         AND (?5 IS NULL OR c.entity = ?5) AND (?6 IS NULL OR r.received_at >= ?6) \
         AND (?7 IS NULL OR r.received_at < ?7) ORDER BY c.seq"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(
            params![
                first,
                last,
                realm.as_ref().map(RealmId::as_str),
                kind,
                id,
                since.map(Timestamp::as_ms),
                until.map(Timestamp::as_ms),
            ],
            |row| Ok((row.get(rows::CHANGE_COLUMNS)?, rows::change(row)?)),
        )?
        .collect()
}

fn choose_dead(
    connection: &Connection,
    routes: &HashMap<i64, Vec<Route>>,
    after: i64,
) -> rusqlite::Result<Page> {
    let mut page = Page::default();
    let mut statement = connection.prepare_cached(
        "SELECT change, sink FROM dead WHERE replayed_at IS NULL AND change > ?1 \
         ORDER BY change, sink LIMIT ?2",
    )?;
    let dead: Vec<(i64, i64)> = statement
        .query_map((after, WINDOW), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    // The last change may have died at more sinks than were read: it is left to the next step.
    let full = number(dead.len()) == WINDOW;
    let end = dead.last().filter(|_| full).map(|(change, _)| *change);
    page.next = end.map(|change| change - 1);
    for (change, sink) in dead.into_iter().filter(|(change, _)| Some(*change) != end) {
        let one = Selection::Change(ChangeSeq(change));
        for (realm, change) in changes(connection, &one, change, change)? {
            let lanes = routes.get(&realm).into_iter().flatten();
            for route in lanes.filter(|route| route.sink == sink) {
                weigh(connection, &mut page, &change, route)?;
            }
        }
    }
    Ok(page)
}

/// Whether the change can go that way again, or why not.
fn weigh(
    connection: &Connection,
    page: &mut Page,
    change: &Change,
    route: &Route,
) -> rusqlite::Result<()> {
    if !route.covers(change.sequence, &change.notification.entity.kind) {
        return Ok(());
    }
    let under_way: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM replay WHERE change = ?1 AND sink = ?2 AND done_at IS NULL)",
        )?
        .query_row((change.seq.0, route.sink), |row| row.get(0))?;
    if change.sequence.cast_signed() > route.through {
        page.waiting += 1;
    } else if under_way {
        page.under_way += 1;
    } else {
        page.planned.push(Planned {
            change: change.clone(),
            sink: route.name.clone(),
        });
    }
    Ok(())
}
