//! What became of the changes that an instance is told of: listed newest first, found one by one, and
//! counted.
//!
//! Nothing is stored for it: an event is a change that the instance is told of, from the one on with
//! which it began, as long as the change is kept. Reading goes in steps, so that a long way back does
//! not keep the lanes waiting.

use super::instance_rows::{self, Found};
use super::route::{self, Route};
use super::rows::{self, CHANGE, CHANGE_COLUMNS, CHANGE_JOINED, number};
use super::{reader, records};
use crate::model::{Change, ChangeId, Identity, InstanceId, Timestamp};
use crate::wire::identity::change_id;
use bytes::Bytes;
use rusqlite::{Connection, Row, params};
use std::collections::BTreeMap;

/// Changes that one step looks through.
const STEP: i64 = 4_000;

/// Bytes of bodies after which a page ends.
const PAGE_BYTES: usize = 4 << 20;

/// Which events are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstanceEventsAsk {
    /// Events at most, at least 1.
    pub page_size: usize,
    /// Only those whose change has a lower number in its company; `None`: from the newest on.
    pub before: Option<u64>,
    /// Received at this instant or later.
    pub from: Option<Timestamp>,
    /// Received before this instant.
    pub to: Option<Timestamp>,
}

/// Some of the events of an instance, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InstanceEvents {
    /// Those of this page. It can be shorter than was asked for: large bodies end it.
    pub events: Vec<InstanceEvent>,
    /// What to ask for as [`before`](InstanceEventsAsk::before) next; `None` at the end.
    pub next: Option<u64>,
}

/// A change, and what became of it with an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceEvent {
    /// The change, with its record where one is known.
    pub change: Change,
    /// The body of its receipt.
    pub body: Option<Bytes>,
    /// What became of it.
    pub standing: EventStanding,
}

/// What became of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventStanding {
    /// The instance has no callback: it is only listed.
    Listed,
    /// It has yet to go.
    Waiting,
    /// It was tried, and will be again.
    Failing {
        /// The last failure in one sentence.
        last_failure: String,
    },
    /// It waits for the subscription, which is paused.
    Queued,
    /// The callback has it.
    Delivered,
    /// It was given up, or the instance was switched off before it went.
    Dead {
        /// Why, in one sentence.
        reason: String,
    },
}

/// How many events there were in some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EventCount {
    /// All of them.
    pub total: u64,
    /// Those that the callback has.
    pub delivered: u64,
    /// Those that were given up.
    pub dead: u64,
}

/// An instance, and how far it is.
struct Teller {
    route: Route,
    /// The last change that it is told of.
    until: i64,
    calls_back: bool,
    is_on: bool,
    /// The first change that waits, where it was tried already.
    failing: Option<i64>,
}

/// The numbers that a step looks at: those between `after` and `end`, both excluded.
#[derive(Clone, Copy)]
struct Span {
    /// No event has this number or a lower one.
    floor: i64,
    after: i64,
    end: i64,
}

impl Span {
    /// Where to go on when all down to this number was looked at.
    fn next(self, down_to: i64) -> Option<i64> {
        (down_to > self.floor + 1).then_some(down_to)
    }
}

/// What one step found, and before which number the next one looks.
pub(super) struct Step<T> {
    pub(super) found: T,
    pub(super) next: Option<i64>,
}

impl Teller {
    fn find(connection: &Connection, id: InstanceId) -> rusqlite::Result<Option<Self>> {
        let Some(found) = instance_rows::find(connection, id)? else {
            return Ok(None);
        };
        let Found {
            instance,
            sink,
            realm,
            told_until,
        } = found;
        let route = route::of_instance(connection, sink, realm)?;
        let failing = match route.state.attempts {
            0 => None,
            _ => route::next(connection, &route, route.through, route.newest)?,
        };
        let events = instance.draft.events.as_ref();
        Ok(Some(Self {
            until: told_until.unwrap_or(route.newest),
            calls_back: events.is_none_or(|interest| interest.calls_back),
            is_on: told_until.is_none(),
            failing,
            route,
        }))
    }

    /// The step that begins before this number.
    fn span(&self, connection: &Connection, before: Option<i64>) -> rusqlite::Result<Span> {
        let oldest: i64 = connection
            .prepare_cached("SELECT ifnull(min(sequence), 1) FROM change WHERE realm = ?1")?
            .query_row([self.route.realm], |row| row.get(0))?;
        let floor = self.route.since.max(oldest - 1);
        let end = before.unwrap_or(i64::MAX).min(self.until + 1);
        let after = floor.max(end.saturating_sub(STEP));
        Ok(Span { floor, after, end })
    }

    fn standing(&self, sequence: i64, dead: Option<String>, is_replayed: bool) -> EventStanding {
        let waits = sequence > self.route.through || is_replayed;
        match dead {
            _ if !self.calls_back => EventStanding::Listed,
            Some(reason) => EventStanding::Dead { reason },
            None if !waits => EventStanding::Delivered,
            None if !self.is_on => EventStanding::Dead {
                reason: "the instance was switched off before it went".into(),
            },
            None if self.route.is_off => EventStanding::Queued,
            None if self.failing == Some(sequence) => EventStanding::Failing {
                last_failure: self.route.state.last_failure.clone().unwrap_or_default(),
            },
            None => EventStanding::Waiting,
        }
    }

    /// The same from two columns: the reason of a dead letter, and whether a replay is open.
    fn stands(
        &self,
        row: &Row<'_>,
        sequence: i64,
        first: usize,
    ) -> rusqlite::Result<EventStanding> {
        Ok(self.standing(sequence, row.get(first)?, row.get(first + 1)?))
    }
}

/// The columns of [`Teller::stands`], of `change` as `c`; `?1` is the sink.
const STANDING: &str = "(SELECT reason FROM dead WHERE change = c.seq AND sink = ?1 \
    AND replayed_at IS NULL), EXISTS (SELECT 1 FROM replay WHERE change = c.seq AND sink = ?1 \
    AND done_at IS NULL)";

/// The changes that a step looks at.
fn among() -> String {
    format!(
        "c.realm = ?2 AND c.sequence > ?3 AND c.sequence < ?4 AND {} \
         AND (?6 IS NULL OR r.received_at >= ?6) AND (?7 IS NULL OR r.received_at < ?7)",
        route::covers("?5")
    )
}

/// Whether these are enough for one page.
pub(super) fn is_page(events: &[InstanceEvent], page_size: usize) -> bool {
    let mut receipt = None;
    let bytes_of = |event: &InstanceEvent| match receipt.replace(event.change.receipt) {
        before if before == Some(event.change.receipt) => 0,
        _ => event.body.as_ref().map_or(0, Bytes::len),
    };
    events.len() >= page_size.max(1) || events.iter().map(bytes_of).sum::<usize>() > PAGE_BYTES
}

/// The newest events before `before`; `None` when there is no such instance.
pub(super) fn list(
    connection: &Connection,
    id: InstanceId,
    ask: InstanceEventsAsk,
    before: Option<i64>,
) -> rusqlite::Result<Option<Step<Vec<InstanceEvent>>>> {
    let Some(teller) = Teller::find(connection, id)? else {
        return Ok(None);
    };
    let span = teller.span(connection, before)?;
    let sql = format!(
        "SELECT {CHANGE}, {STANDING} FROM change c {CHANGE_JOINED} WHERE {} \
         ORDER BY c.sequence DESC LIMIT ?8",
        among()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        teller.route.sink,
        teller.route.realm,
        span.after,
        span.end,
        teller.route.kinds,
        ask.from.map(Timestamp::as_ms),
        ask.to.map(Timestamp::as_ms),
        number(ask.page_size.max(1)),
    ])?;
    let mut found: Vec<InstanceEvent> = Vec::new();
    while !is_page(&found, ask.page_size)
        && let Some(row) = rows.next()?
    {
        let change = rows::change(row)?;
        let standing = teller.stands(row, change.sequence.cast_signed(), CHANGE_COLUMNS)?;
        // Events that came together share a body.
        let last = found
            .last()
            .filter(|last| last.change.receipt == change.receipt);
        let body = match last {
            Some(last) => last.body.clone(),
            None => reader::body(connection, change.receipt)?,
        };
        found.push(InstanceEvent {
            change,
            body,
            standing,
        });
    }
    records::fill(connection, found.iter_mut().map(|event| &mut event.change))?;
    let last = found
        .last()
        .map(|event| event.change.sequence.cast_signed());
    let next = match last {
        Some(last) if is_page(&found, ask.page_size) => span.next(last),
        _ => span.next(span.after + 1),
    };
    Ok(Some(Step { found, next }))
}

/// The number of the event that is meant, if it is among those that a step looks at.
pub(super) fn seek(
    connection: &Connection,
    id: InstanceId,
    is_meant: &dyn Fn(&ChangeId) -> bool,
    before: Option<i64>,
) -> rusqlite::Result<Option<Step<Option<i64>>>> {
    let Some(teller) = Teller::find(connection, id)? else {
        return Ok(None);
    };
    let span = teller.span(connection, before)?;
    let sql = format!(
        "SELECT c.sequence, c.identity, c.content, c.conflicting FROM change c \
         WHERE c.realm = ?1 AND c.sequence > ?2 AND c.sequence < ?3 AND {} \
         ORDER BY c.sequence DESC",
        route::covers("?4")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((
        teller.route.realm,
        span.after,
        span.end,
        &teller.route.kinds,
    ))?;
    while let Some(row) = rows.next()? {
        let content = row.get::<_, i64>(2)?.cast_unsigned();
        if is_meant(&change_id(Identity(row.get(1)?), content, row.get(3)?)) {
            let found = Some(row.get(0)?);
            return Ok(Some(Step { found, next: None }));
        }
    }
    let next = span.next(span.after + 1);
    Ok(Some(Step { found: None, next }))
}

/// Adds the events of a step that were received from `from` on and before `to` to their intervals.
pub(super) fn count(
    connection: &Connection,
    id: InstanceId,
    received: (Timestamp, Timestamp),
    interval: &dyn Fn(Timestamp) -> Timestamp,
    before: Option<i64>,
) -> rusqlite::Result<Option<Step<BTreeMap<Timestamp, EventCount>>>> {
    let Some(teller) = Teller::find(connection, id)? else {
        return Ok(None);
    };
    let span = teller.span(connection, before)?;
    let sql = format!(
        "SELECT c.sequence, r.received_at, {STANDING} FROM change c \
         JOIN receipt r ON r.seq = c.receipt WHERE {}",
        among()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        teller.route.sink,
        teller.route.realm,
        span.after,
        span.end,
        teller.route.kinds,
        received.0.as_ms(),
        received.1.as_ms(),
    ])?;
    let mut found: BTreeMap<Timestamp, EventCount> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let received_at = Timestamp::from_ms(row.get(1)?);
        let count = found.entry(interval(received_at)).or_default();
        count.total += 1;
        match teller.stands(row, row.get(0)?, 2)? {
            EventStanding::Delivered => count.delivered += 1,
            EventStanding::Dead { .. } => count.dead += 1,
            EventStanding::Listed
            | EventStanding::Waiting
            | EventStanding::Failing { .. }
            | EventStanding::Queued => {}
        }
    }
    let next = span.next(span.after + 1);
    Ok(Some(Step { found, next }))
}
