//! Sending again what the operator asks for: choosing the changes, and filing the requests.
//!
//! Choosing is reading, in steps that are short however much there is; filing is one row for each
//! change and sink. History is never edited: a replay points to an old change.

use super::append;
use super::dead::{self, DeadFilter, Place};
use super::route::{self, Route};
use super::rows::{self, CHANGE, CHANGE_JOINED};
use super::touched::Touched;
use crate::model::{Change, ChangeId, ChangeSeq, RealmId, Seq, SinkName, Timestamp};
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
    /// Those that this receipt brought.
    Receipt(Seq),
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
    Filter(ChangeFilter),
    /// Dead letters that nobody has looked after.
    DeadLetters(DeadFilter),
}

/// Conditions on changes; what is `None` does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChangeFilter {
    /// Of this company.
    pub realm: Option<RealmId>,
    /// With at least this number in the order of the company; needs `realm`.
    pub from: Option<u64>,
    /// With at most this number in the order of the company; needs `realm`.
    pub to: Option<u64>,
    /// Of records of this kind, in any case.
    pub kind: Option<String>,
    /// Of records with this id.
    pub id: Option<String>,
    /// Received at this instant or later.
    pub since: Option<Timestamp>,
    /// Received before this instant.
    pub until: Option<Timestamp>,
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
    /// Dead letters that cannot go where they died: the sink is not configured any more.
    pub unconfigured: u64,
    /// Changes, or dead letters, that the selection fits, whether they go anywhere or not.
    pub matched: u64,
    /// There is more to choose from, after this place.
    pub more: Option<Place>,
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
    pub unconfigured: u64,
    pub matched: u64,
    /// Place after which the next step begins; `None` at the end.
    pub next: Option<Place>,
}

/// Chooses from what is after `after`, as much as one short step can look through.
pub(super) fn choose(
    connection: &Connection,
    selection: &Selection,
    sinks: Option<&[i64]>,
    after: Place,
) -> rusqlite::Result<Page> {
    let newest: i64 =
        connection.query_row("SELECT ifnull(max(seq), 0) FROM change", (), |row| {
            row.get(0)
        })?;
    let mut page = Page::default();
    let routes = routes(connection, sinks)?;
    let (first, last) = match selection {
        Selection::DeadLetters(filter) => {
            return choose_dead(connection, &routes, filter, after);
        }
        Selection::Id(id) => match find(connection, id)? {
            Some(seq) => (seq.0, seq.0),
            None => return Ok(page),
        },
        Selection::Change(seq) => (seq.0, seq.0),
        Selection::Receipt(seq) => match span_of(connection, *seq)? {
            Some(span) => span,
            None => return Ok(page),
        },
        Selection::Range { from, to } => (from.0, to.0.min(newest)),
        Selection::Filter(filter) => span_for(connection, filter, newest)?,
    };
    let first = first.max(after.change.saturating_add(1));
    let end = last.min(first.saturating_add(WINDOW - 1));
    page.next = (end < last).then_some(Place::after_change(end));
    for (realm, change) in changes(connection, selection, first, end)? {
        page.matched += 1;
        for route in routes.get(&realm).into_iter().flatten() {
            weigh(connection, &mut page, &change, route)?;
        }
    }
    page.planned
        .sort_by(|a, b| (a.change.seq, &a.sink).cmp(&(b.change.seq, &b.sink)));
    Ok(page)
}

/// The numbers of the changes that a receipt brought, from the first to the last.
fn span_of(connection: &Connection, seq: Seq) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached(
            "SELECT first_change, first_change + changes - 1 FROM receipt WHERE seq = ?1",
        )?
        .query_row([seq.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Numbers between which all changes lie that the filter fits. A company's own numbers rise with
/// those of the journal.
fn span_for(
    connection: &Connection,
    filter: &ChangeFilter,
    newest: i64,
) -> rusqlite::Result<(i64, i64)> {
    let limits = (
        filter.realm.as_ref().map(RealmId::as_str),
        bound(filter.from, 1),
        bound(filter.to, i64::MAX),
    );
    let (first, last): (Option<i64>, Option<i64>) = connection
        .prepare_cached(
            "SELECT (SELECT seq FROM change WHERE realm = m.id AND sequence >= ?2 \
             ORDER BY sequence LIMIT 1), (SELECT seq FROM change WHERE realm = m.id \
             AND sequence <= ?3 ORDER BY sequence DESC LIMIT 1) FROM realm m WHERE m.name = ?1",
        )?
        .query_row(limits, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or_default();
    if filter.realm.is_some() {
        return Ok((first.unwrap_or(1), last.unwrap_or(0)));
    }
    let oldest: i64 =
        connection.query_row("SELECT ifnull(min(seq), 1) FROM change", (), |row| {
            row.get(0)
        })?;
    Ok((oldest, newest))
}

/// A company's own number as SQLite compares it.
fn bound(number: Option<u64>, otherwise: i64) -> i64 {
    number.map_or(otherwise, |number| {
        i64::try_from(number).unwrap_or(i64::MAX)
    })
}

/// Why nothing at all is chosen, in one sentence with what to do; `None` where that is no mistake:
/// there may be no dead letters.
pub(super) fn absence(
    connection: &Connection,
    selection: &Selection,
) -> rusqlite::Result<Option<String>> {
    Ok(Some(match selection {
        Selection::Receipt(seq) if span_of(connection, *seq)?.is_some() => format!(
            "receipt {seq} brought no change: it was not understood, or all of it was known; \
             `qbo-relay journal show {seq}` tells"
        ),
        Selection::Receipt(seq) => {
            format!("the journal has no receipt {seq}; `qbo-relay journal list` shows the numbers")
        }
        Selection::Id(id) => format!(
            "the journal has no event with the id {id}; `qbo-relay journal show` prints the ids"
        ),
        Selection::Filter(ChangeFilter {
            realm: Some(realm), ..
        }) => of_company(connection, realm)?,
        Selection::DeadLetters(filter) => return filter.unknown(connection),
        Selection::Change(_) | Selection::Range { .. } | Selection::Filter(_) => {
            "the journal has no change that fits; `qbo-relay journal list` shows what it has".into()
        }
    }))
}

fn of_company(connection: &Connection, realm: &RealmId) -> rusqlite::Result<String> {
    let kept: Option<(Option<i64>, Option<i64>)> = connection
        .prepare_cached(
            "SELECT (SELECT min(sequence) FROM change WHERE realm = m.id), \
             (SELECT max(sequence) FROM change WHERE realm = m.id) FROM realm m WHERE m.name = ?1",
        )?
        .query_row([realm.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match kept {
        Some((Some(first), Some(last))) => {
            format!("no change of company {realm} fits; its changes no. {first} to {last} are kept")
        }
        Some(_) => format!("no change of company {realm} is kept any more"),
        None => format!(
            "the journal knows no company {realm}; `qbo-relay journal list` shows their numbers"
        ),
    })
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
        connection
            .prepare_cached(
                "UPDATE dead SET replayed_at = ?3 \
                 WHERE change = ?1 AND sink = (SELECT id FROM sink WHERE name = ?2) \
                 AND replayed_at IS NULL",
            )?
            .execute((change.0, sink.as_str(), now.as_ms()))?;
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
        let Some((first, last)) = span_of(connection, Seq(receipt))? else {
            continue;
        };
        let found = changes(connection, &Selection::Receipt(Seq(receipt)), first, last)?
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
    let everything = ChangeFilter::default();
    let filter = match selection {
        Selection::Filter(filter) => filter,
        _ => &everything,
    };
    let sql = format!(
        "SELECT {CHANGE}, c.realm FROM change c {CHANGE_JOINED} WHERE c.seq BETWEEN ?1 AND ?2 \
         AND (?3 IS NULL OR m.name = ?3) AND (?4 IS NULL OR c.kind = ?4 COLLATE NOCASE) \
         AND (?5 IS NULL OR c.entity = ?5) AND (?6 IS NULL OR r.received_at >= ?6) \
         AND (?7 IS NULL OR r.received_at < ?7) AND c.sequence BETWEEN ?8 AND ?9 ORDER BY c.seq"
    );
    connection
        .prepare_cached(&sql)?
        .query_map(
            params![
                first,
                last,
                filter.realm.as_ref().map(RealmId::as_str),
                filter.kind,
                filter.id,
                filter.since.map(Timestamp::as_ms),
                filter.until.map(Timestamp::as_ms),
                bound(filter.from, 1),
                bound(filter.to, i64::MAX),
            ],
            |row| Ok((row.get(rows::CHANGE_COLUMNS)?, rows::change(row)?)),
        )?
        .collect()
}

fn choose_dead(
    connection: &Connection,
    routes: &HashMap<i64, Vec<Route>>,
    filter: &DeadFilter,
    after: Place,
) -> rusqlite::Result<Page> {
    let step = dead::step(connection, filter, after)?;
    let mut page = Page {
        next: step.next,
        ..Page::default()
    };
    for found in step.found {
        page.matched += 1;
        page.unconfigured += u64::from(!found.letter.is_configured);
        let lanes = routes.get(&found.realm).into_iter().flatten();
        for route in lanes.filter(|route| route.sink == found.sink) {
            weigh(connection, &mut page, &found.letter.change, route)?;
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
