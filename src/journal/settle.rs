//! After an attempt: the transaction that says what became of a delivery.
//!
//! One row for a delivery in the ordinary course, however many changes it held: the lane's cursor.
//! One row for a replay: its own.

use super::error::Failure;
use super::route::{self, Route};
use super::touched::Touched;
use super::{Error, events};
use crate::model::{Attempt, Delivery, Manner, Settlement, SinkName};
use crate::rules::retry::describe;
use rusqlite::{Connection, params};

/// Records what became of a delivery.
pub(super) fn settle(
    connection: &Connection,
    touched: &mut Touched,
    delivery: &Delivery,
    attempt: &Attempt,
    settlement: &Settlement,
) -> Result<(), Failure> {
    touched.at(attempt.at);
    let Some(route) = route::find(connection, &delivery.lane)? else {
        return Err(Error::UnknownSink(delivery.lane.sink.to_string()).into());
    };
    let sink = route.sink;
    if !is_there(connection, &route, delivery)? {
        return Err(Error::UnknownSink(delivery.lane.sink.to_string()).into());
    }
    if *settlement == Settlement::Disabled {
        disable(connection, sink, &delivery.lane.sink, attempt)?;
    }
    match delivery.manner {
        Manner::Live => settle_live(connection, touched, &route, delivery, attempt, settlement)?,
        Manner::Replay(id) => settle_replay(connection, id, delivery, attempt, settlement)?,
    }
    if let Settlement::Dead { reason } = settlement {
        for change in &delivery.changes {
            bury(connection, sink, change.seq.0, attempt.at.as_ms(), reason)?;
        }
    }
    Ok(())
}

/// Whether the lane's company still has what was delivered: it may have been forgotten meanwhile, and
/// begun anew.
fn is_there(connection: &Connection, route: &Route, delivery: &Delivery) -> rusqlite::Result<bool> {
    let Some(last) = delivery.changes.last() else {
        return Ok(true);
    };
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM change WHERE seq = ?1 AND realm = ?2)")?
        .query_row((last.seq.0, route.realm), |row| row.get(0))
}

/// Switches a sink on again and lets all its lanes try at once.
pub(super) fn enable(
    connection: &Connection,
    touched: &mut Touched,
    sink: i64,
    name: &SinkName,
) -> rusqlite::Result<()> {
    let was_off = connection.execute(
        "UPDATE sink SET disabled_at = NULL, disabled_why = NULL WHERE id = ?1 AND disabled_at IS NOT NULL",
        [sink],
    )?;
    if was_off > 0 {
        events::insert(
            connection,
            touched.now(),
            "enabled",
            &format!("sink {name} was switched on"),
        )?;
    }
    for table in ["lane", "replay"] {
        let reset = format!(
            "UPDATE {table} SET attempts = 0, first_attempt_at = NULL, next_attempt_at = NULL, \
             last_failure = NULL WHERE sink = ?1 AND attempts > 0"
        );
        connection.execute(&reset, [sink])?;
    }
    touched.everyone();
    Ok(())
}

fn settle_live(
    connection: &Connection,
    touched: &mut Touched,
    route: &Route,
    delivery: &Delivery,
    attempt: &Attempt,
    settlement: &Settlement,
) -> rusqlite::Result<()> {
    let Some(last) = delivery.changes.last() else {
        return Ok(());
    };
    let (sink, realm) = (route.sink, route.realm);
    let through = last.sequence.cast_signed();
    match settlement {
        Settlement::Delivered | Settlement::Dead { .. } => {
            let delivered = *settlement == Settlement::Delivered;
            connection
                .prepare_cached(
                    "INSERT INTO lane (sink, realm, through, delivered_at) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (sink, realm) DO UPDATE SET through = max(through, excluded.through), \
                     delivered_at = ifnull(excluded.delivered_at, delivered_at), attempts = 0, \
                     first_attempt_at = NULL, next_attempt_at = NULL, last_failure = NULL",
                )?
                .execute(params![
                    sink,
                    realm,
                    through,
                    delivered.then(|| attempt.at.as_ms()),
                ])?;
            touched.settled();
        }
        Settlement::Retry { .. } | Settlement::Disabled => {
            connection
                .prepare_cached(
                    "INSERT INTO lane (sink, realm, through, attempts, first_attempt_at, \
                     next_attempt_at, last_failure) VALUES (?1, ?2, 0, 1, ?3, ?4, ?5) \
                     ON CONFLICT (sink, realm) DO UPDATE SET attempts = attempts + 1, \
                     first_attempt_at = ifnull(first_attempt_at, excluded.first_attempt_at), \
                     next_attempt_at = excluded.next_attempt_at, last_failure = excluded.last_failure",
                )?
                .execute(params![
                    sink,
                    realm,
                    attempt.at.as_ms(),
                    next_attempt(settlement),
                    describe(&attempt.outcome),
                ])?;
        }
    }
    Ok(())
}

fn settle_replay(
    connection: &Connection,
    id: i64,
    delivery: &Delivery,
    attempt: &Attempt,
    settlement: &Settlement,
) -> rusqlite::Result<()> {
    let at = attempt.at.as_ms();
    match settlement {
        Settlement::Delivered | Settlement::Dead { .. } => {
            // An attempt that was under way when somebody cancelled it counts all the same.
            connection
                .prepare_cached(
                    "UPDATE replay SET done_at = ?2, last_failure = NULL, cancelled_at = NULL \
                     WHERE id = ?1",
                )?
                .execute((id, at))?;
            connection
                .prepare_cached(
                    "UPDATE dead SET replayed_at = p.requested_at FROM replay p WHERE p.id = ?1 \
                     AND dead.change = p.change AND dead.sink = p.sink AND dead.replayed_at IS NULL",
                )?
                .execute([id])?;
        }
        Settlement::Retry { .. } | Settlement::Disabled => {
            connection
                .prepare_cached(
                    "UPDATE replay SET attempts = ?2, first_attempt_at = ifnull(first_attempt_at, ?3), \
                     next_attempt_at = ?4, last_failure = ?5 WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    delivery.attempt,
                    at,
                    next_attempt(settlement),
                    describe(&attempt.outcome),
                ])?;
        }
    }
    Ok(())
}

/// A dead letter; one that had been replayed and failed again is a dead letter once more.
fn bury(
    connection: &Connection,
    sink: i64,
    change: i64,
    at: i64,
    reason: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO dead (change, sink, died_at, reason) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (change, sink) DO UPDATE SET died_at = excluded.died_at, \
             reason = excluded.reason, replayed_at = NULL, discarded_at = NULL",
        )?
        .execute((change, sink, at, reason))?;
    Ok(())
}

fn disable(
    connection: &Connection,
    sink: i64,
    name: &SinkName,
    attempt: &Attempt,
) -> rusqlite::Result<()> {
    let why = describe(&attempt.outcome);
    let was_on = connection.execute(
        "UPDATE sink SET disabled_at = ?2, disabled_why = ?3 WHERE id = ?1 AND disabled_at IS NULL",
        params![sink, attempt.at.as_ms(), why],
    )?;
    if was_on > 0 {
        let text = format!("sink {name} was switched off: it {why}");
        events::insert(connection, attempt.at, "disabled", &text)?;
    }
    Ok(())
}

fn next_attempt(settlement: &Settlement) -> Option<i64> {
    match settlement {
        Settlement::Retry { at } => Some(at.as_ms()),
        Settlement::Delivered | Settlement::Dead { .. } | Settlement::Disabled => None,
    }
}
