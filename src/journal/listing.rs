//! How the journal's rows become what [`inspect`](super::inspect) shows: which receipts a filter can
//! mean, and everything about one of them. Reading only, in one view at a time.

use super::inspect::{Fate, Filter, Listed, ListedChange, ListedReplay, ListedUnreadable, Shown};
use super::records;
use super::route::{self, Route};
use super::rows::{self, CHANGE, CHANGE_COLUMNS, CHANGE_JOINED, number, strange};
use crate::model::{Change, Encoding, Form, Seq, SinkName, Timestamp};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;

/// Receipts that one step looks at.
const STEP: usize = 128;

/// The lanes of each company.
pub(super) struct Lanes(HashMap<i64, Vec<Listing>>);

struct Listing {
    route: Route,
    /// The first change that waits, where it was tried already.
    failing: Option<i64>,
}

impl Lanes {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut lanes: HashMap<i64, Vec<Listing>> = HashMap::new();
        for route in route::all(connection)? {
            let failing = match route.state.attempts {
                0 => None,
                _ => route::next(connection, &route, route.through, i64::MAX)?,
            };
            let of_company = lanes.entry(route.realm).or_default();
            of_company.push(Listing { route, failing });
        }
        Ok(Self(lanes))
    }

    /// Those that the change goes by.
    fn of(&self, realm: i64, change: &Change) -> impl Iterator<Item = &Listing> {
        let lanes = self.0.get(&realm).into_iter().flatten();
        let kind = &change.notification.entity.kind;
        lanes.filter(move |lane| lane.route.covers(change.sequence, kind))
    }
}

pub(super) fn seqs(
    connection: &Connection,
    filter: &Filter,
    between: (i64, i64),
    order: &str,
) -> rusqlite::Result<Vec<Seq>> {
    let sql = format!(
        "SELECT seq FROM receipt WHERE seq > ?1 AND seq < ?2 \
         AND (?3 IS NULL OR received_at >= ?3) AND (?4 IS NULL OR received_at < ?4) \
         ORDER BY seq {order} LIMIT ?5"
    );
    let (since, until) = (
        filter.since.map(Timestamp::as_ms),
        filter.until.map(Timestamp::as_ms),
    );
    connection
        .prepare_cached(&sql)?
        .query_map(
            params![between.0, between.1, since, until, number(STEP)],
            |row| Ok(Seq(row.get(0)?)),
        )?
        .collect()
}

pub(super) fn shown(
    connection: &Connection,
    lanes: &Lanes,
    seq: Seq,
) -> rusqlite::Result<Option<Shown>> {
    let Some(mut listed) = listed(connection, lanes, seq)? else {
        return Ok(None);
    };
    let changes = listed.changes.iter_mut().map(|listed| &mut listed.change);
    records::fill(connection, changes)?;
    let (headers, body, digest): (String, Vec<u8>, [u8; 16]) = connection
        .prepare_cached("SELECT headers, body, digest FROM receipt WHERE seq = ?1")?
        .query_row([seq.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let headers = serde_json::from_str(&headers).map_err(|_| strange(0, "headers"))?;
    let body_is_intact = super::incoming::digest(&body) == digest;
    Ok(Some(Shown {
        listed,
        headers,
        body: Bytes::from(body),
        body_is_intact,
    }))
}

pub(super) fn listed(
    connection: &Connection,
    lanes: &Lanes,
    seq: Seq,
) -> rusqlite::Result<Option<Listed>> {
    let found = connection
        .prepare_cached(
            "SELECT r.received_at, r.verifier, r.form, length(r.body), r.items, r.first_change, \
             r.changes, ifnull(p.count, 0), p.last_at, v.authenticity, v.encoding \
             FROM receipt r LEFT JOIN repetition p ON p.receipt = r.seq \
             LEFT JOIN provenance v ON v.receipt = r.seq WHERE r.seq = ?1",
        )?
        .query_row([seq.0], |row| {
            let form: Option<String> = row.get(2)?;
            let encoding: Option<String> = row.get(10)?;
            let span: (i64, i64) = (row.get(5)?, row.get(6)?);
            Ok((
                span,
                Listed {
                    seq,
                    received_at: Timestamp::from_ms(row.get(0)?),
                    source: row.get(1)?,
                    authenticity: rows::authenticity(row, 9)?,
                    encoding: encoding
                        .map_or(Some(Encoding::Json), |word| Encoding::parse(&word))
                        .ok_or_else(|| strange(10, "encoding"))?,
                    form: form.as_deref().and_then(Form::parse),
                    body_bytes: count(row.get(3)?),
                    items: count(row.get(4)?),
                    changes: Vec::new(),
                    unreadable: Vec::new(),
                    repeated: Vec::new(),
                    repeats: count(row.get(7)?),
                    last_repeat_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_ms),
                },
            ))
        })
        .optional()?;
    let Some(((first, changes), mut listed)) = found else {
        return Ok(None);
    };
    listed.changes = listed_changes(connection, lanes, first, first + changes - 1)?;
    listed.unreadable = connection
        .prepare_cached(
            "SELECT ordinal, place, why, discarded_at FROM unreadable WHERE receipt = ?1 \
             ORDER BY ordinal",
        )?
        .query_map([seq.0], |row| {
            Ok(ListedUnreadable {
                ordinal: count(row.get(0)?),
                at: row.get(1)?,
                why: row.get(2)?,
                discarded_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_ms),
            })
        })?
        .collect::<Result<_, _>>()?;
    listed.repeated = connection
        .prepare_cached("SELECT ordinal, of FROM repeated WHERE receipt = ?1 ORDER BY ordinal")?
        .query_map([seq.0], |row| Ok((count(row.get(0)?), Seq(row.get(1)?))))?
        .collect::<Result<_, _>>()?;
    Ok(Some(listed))
}

fn listed_changes(
    connection: &Connection,
    lanes: &Lanes,
    first: i64,
    last: i64,
) -> rusqlite::Result<Vec<ListedChange>> {
    let sql = format!(
        "SELECT {CHANGE}, c.ordinal, c.realm FROM change c {CHANGE_JOINED} \
         WHERE c.seq BETWEEN ?1 AND ?2 ORDER BY c.seq"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((first, last))?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let change = rows::change(row)?;
        let realm: i64 = row.get(CHANGE_COLUMNS + 1)?;
        let mut fates = lanes
            .of(realm, &change)
            .map(|lane| Ok((lane.route.name.clone(), fate(connection, lane, &change)?)))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        fates.extend(given_up_elsewhere(connection, &change)?);
        let replays = listed_replays(connection, &change)?;
        changes.push(ListedChange {
            ordinal: count(row.get(CHANGE_COLUMNS)?),
            change,
            fates,
            replays,
        });
    }
    Ok(changes)
}

fn fate(connection: &Connection, lane: &Listing, change: &Change) -> rusqlite::Result<Fate> {
    let sequence = change.sequence.cast_signed();
    if sequence > lane.route.through {
        let is_tried = lane.failing == Some(sequence);
        return Ok(Fate::Waiting(is_tried.then(|| lane.route.state.clone())));
    }
    let dead = connection
        .prepare_cached(
            "SELECT died_at, reason, replayed_at, discarded_at FROM dead \
             WHERE change = ?1 AND sink = ?2",
        )?
        .query_row((change.seq.0, lane.route.sink), |row| given_up(row, 0))
        .optional()?;
    Ok(dead.unwrap_or(Fate::Delivered))
}

/// What was given up at sinks that are not configured any more.
fn given_up_elsewhere(
    connection: &Connection,
    change: &Change,
) -> rusqlite::Result<Vec<(SinkName, Fate)>> {
    connection
        .prepare_cached(
            "SELECT s.name, d.died_at, d.reason, d.replayed_at, d.discarded_at FROM dead d \
             JOIN sink s ON s.id = d.sink WHERE d.change = ?1 AND s.configured = 0 ORDER BY s.name",
        )?
        .query_map([change.seq.0], |row| {
            Ok((sink_name(&row.get::<_, String>(0)?)?, given_up(row, 1)?))
        })?
        .collect()
}

/// From four columns, from `first` on: died_at, reason, replayed_at, discarded_at.
fn given_up(row: &Row<'_>, first: usize) -> rusqlite::Result<Fate> {
    let instant = |column| -> rusqlite::Result<_> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_ms))
    };
    Ok(Fate::Dead {
        at: Timestamp::from_ms(row.get(first)?),
        reason: row.get(first + 1)?,
        replayed_at: instant(first + 2)?,
        discarded_at: instant(first + 3)?,
    })
}

fn listed_replays(connection: &Connection, change: &Change) -> rusqlite::Result<Vec<ListedReplay>> {
    connection
        .prepare_cached(
            "SELECT s.name, p.requested_at, p.attempts, p.first_attempt_at, p.next_attempt_at, \
             p.last_failure, p.done_at, p.cancelled_at IS NOT NULL FROM replay p JOIN sink s ON s.id = p.sink \
             WHERE p.change = ?1 ORDER BY p.id",
        )?
        .query_map([change.seq.0], |row| {
            Ok(ListedReplay {
                sink: sink_name(&row.get::<_, String>(0)?)?,
                requested_at: Timestamp::from_ms(row.get(1)?),
                state: rows::lane_state(row, 2)?,
                done_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_ms),
                cancelled: row.get(7)?,
            })
        })?
        .collect()
}

fn sink_name(name: &str) -> rusqlite::Result<SinkName> {
    SinkName::new(name).ok_or_else(|| strange(0, "sink"))
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
