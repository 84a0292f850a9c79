//! Element instances in the tables: made, changed, switched and deleted.
//!
//! An instance is a row of `instance` and a sink that is restricted to its company; its lane is like
//! every other from there on. The sink is configured while events leave by it, and what changes
//! meanwhile is not for it: switched on again, it is told of what comes from then on.

use super::error::Failure;
use super::instance_rows::{self, Found};
use super::rows::strange;
use super::touched::Touched;
use super::{Error, company, events, realms, route};
use crate::model::{
    Company, Instance, InstanceDraft, InstanceId, Interest, RealmId, SinkName, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use std::time::Duration;

/// What its owner says of it.
pub(super) struct Said {
    pub(super) draft: InstanceDraft,
    /// A company that is connected in the same transaction, and its sealed tokens.
    pub(super) company: Option<(Company, Vec<u8>)>,
    pub(super) now: Timestamp,
}

/// What is to change.
pub(super) enum Order {
    /// Its owner says something else of it.
    Update(InstanceId, Box<Said>),
    /// Its owner switches it on or off.
    Switch {
        id: InstanceId,
        on: bool,
        now: Timestamp,
    },
    /// It goes, with all that was kept for it.
    Delete { id: InstanceId, now: Timestamp },
    /// The polls of a company rest.
    StopPolling {
        realm: RealmId,
        why: String,
        now: Timestamp,
    },
    /// Something is set for the whole interface.
    Set { name: String, value: String },
}

/// Makes one; its lane begins behind everything there is.
pub(super) fn create(
    connection: &Connection,
    touched: &mut Touched,
    said: &Said,
) -> Result<InstanceId, Failure> {
    let (draft, now) = (&said.draft, said.now);
    let id: i64 = connection
        .prepare_cached(
            "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'instance'), 0) + 1",
        )?
        .query_row((), |row| row.get(0))?;
    let Some(id) = u32::try_from(id).ok().and_then(InstanceId::new) else {
        return Err(Error::Unusable("there is no number left for an instance".into()).into());
    };
    let realm = settle_in(connection, touched, said)?;
    // A sink of this name may have been configured before the name was kept for instances.
    let sink: i64 = connection
        .prepare_cached(
            "INSERT INTO sink (name, configured, added_at, realm) VALUES (?1, 0, ?2, ?3) \
             ON CONFLICT (name) DO UPDATE SET realm = excluded.realm RETURNING id",
        )?
        .query_row((id.sink().as_str(), now.as_ms(), realm), |row| row.get(0))?;
    erase(connection, sink)?;
    connection
        .prepare_cached(
            "INSERT INTO instance (id, sink, created_at, updated_at, name, tags, token_digest, \
             sealed, calls_back) VALUES (?1, ?2, ?3, ?3, '', '[]', x'', x'', 0)",
        )?
        .execute((id.as_u32(), sink, now.as_ms()))?;
    write(connection, sink, realm, draft, now)?;
    turn(connection, &require(connection, id)?, true)?;
    let text = format!("instance {id} was made for company {}", draft.realm);
    events::insert(connection, now, "instance", &text)?;
    touched.instance(now, &draft.realm);
    Ok(id)
}

/// Carries out an order.
pub(super) fn carry_out(
    connection: &Connection,
    touched: &mut Touched,
    order: &Order,
) -> Result<(), Failure> {
    match order {
        Order::Update(id, said) => update(connection, touched, *id, said),
        Order::Switch { id, on, now } => switch(connection, touched, *id, *on, *now),
        Order::Delete { id, now } => delete(connection, touched, *id, *now),
        Order::StopPolling { realm, why, now } => {
            Ok(stop_polling(connection, touched, realm, why, *now)?)
        }
        Order::Set { name, value } => {
            connection
                .prepare_cached(
                    "INSERT INTO setting (name, value) VALUES (?1, ?2) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute((name, value))?;
            Ok(())
        }
    }
}

fn update(
    connection: &Connection,
    touched: &mut Touched,
    id: InstanceId,
    said: &Said,
) -> Result<(), Failure> {
    let (draft, now) = (&said.draft, said.now);
    let before = require(connection, id)?;
    let realm = settle_in(connection, touched, said)?;
    // What was not for it stays so, whatever kinds it is told of from now on.
    route::skip(connection, before.sink, before.realm)?;
    let updated_at = later(&before.instance, now);
    write(connection, before.sink, realm, draft, updated_at)?;
    let after = require(connection, id)?;
    let moved = realm != before.realm;
    if moved || manner(&before.instance) != manner(&after.instance) {
        turn(connection, &after, moved)?;
    }
    touched.instance(now, &before.instance.draft.realm);
    touched.instance(now, &draft.realm);
    Ok(())
}

/// When it is changed: later than before, so that each state has a time of its own, however the clock
/// goes.
fn later(before: &Instance, now: Timestamp) -> Timestamp {
    now.max(before.updated_at.plus(Duration::from_millis(1)))
}

fn switch(
    connection: &Connection,
    touched: &mut Touched,
    id: InstanceId,
    on: bool,
    now: Timestamp,
) -> Result<(), Failure> {
    let before = require(connection, id)?;
    let instance = &before.instance;
    let (was_on, had_stopped) = (
        instance.disabled_at.is_none(),
        instance.polling_stopped.is_some(),
    );
    if was_on == on && !(on && had_stopped) {
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE instance SET updated_at = ?4, disabled_at = iif(?3, NULL, ?2), \
             stopped_at = iif(?3, NULL, stopped_at), stopped_why = iif(?3, NULL, stopped_why) \
             WHERE id = ?1",
        )?
        .execute((id.as_u32(), now.as_ms(), on, later(instance, now).as_ms()))?;
    if was_on != on {
        turn(connection, &require(connection, id)?, false)?;
    }
    let text = format!(
        "instance {id} was switched {}",
        if on { "on" } else { "off" }
    );
    events::insert(connection, now, "instance", &text)?;
    touched.instance(now, &instance.draft.realm);
    Ok(())
}

pub(super) fn delete(
    connection: &Connection,
    touched: &mut Touched,
    id: InstanceId,
    now: Timestamp,
) -> Result<(), Failure> {
    let gone = require(connection, id)?;
    erase(connection, gone.sink)?;
    for sql in [
        "DELETE FROM instance WHERE sink = ?1",
        "DELETE FROM sink WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([gone.sink])?;
    }
    let realm = &gone.instance.draft.realm;
    let text = format!("instance {id} of company {realm} was deleted");
    events::insert(connection, now, "instance", &text)?;
    touched.instance(now, realm);
    touched.settled();
    Ok(())
}

/// Forgets what was kept for a sink, dead letters included.
fn erase(connection: &Connection, sink: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM dead WHERE sink = ?1",
        "DELETE FROM replay WHERE sink = ?1",
        "DELETE FROM lane WHERE sink = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([sink])?;
    }
    Ok(())
}

fn stop_polling(
    connection: &Connection,
    touched: &mut Touched,
    realm: &RealmId,
    why: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let stopped = connection
        .prepare_cached(
            "UPDATE instance SET stopped_at = ?2, stopped_why = ?3 \
             WHERE polled_kinds IS NOT NULL AND stopped_at IS NULL AND sink IN \
             (SELECT s.id FROM sink s JOIN realm m ON m.id = s.realm WHERE m.name = ?1)",
        )?
        .execute((realm.as_str(), now.as_ms(), why))?;
    if stopped > 0 {
        let text = format!("the polls of company {realm} for its instances were stopped: {why}");
        events::insert(connection, now, "instance", &text)?;
        touched.instance(now, realm);
    }
    Ok(())
}

/// Enters the company, and its tokens where there are some; returns its number.
fn settle_in(connection: &Connection, touched: &mut Touched, said: &Said) -> rusqlite::Result<i64> {
    if let Some((company, sealed)) = &said.company {
        company::connect(connection, touched, company, sealed, said.now)?;
    }
    realms::enter(connection, &said.draft.realm)
}

/// Writes down what its owner says, and what its sink is told of.
fn write(
    connection: &Connection,
    sink: i64,
    realm: i64,
    draft: &InstanceDraft,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let interest = draft.events.as_ref();
    let polling = interest.and_then(|interest| interest.polling.as_ref());
    connection
        .prepare_cached(
            "UPDATE instance SET updated_at = ?2, name = ?3, tags = ?4, token_digest = ?5, \
             sealed = ?6, webhook = ?7, polled_kinds = ?8, polled_every = ?9, calls_back = ?10 \
             WHERE sink = ?1",
        )?
        .execute(params![
            sink,
            now.as_ms(),
            draft.name,
            serde_json::Value::from(draft.tags.as_slice()).to_string(),
            draft.token_digest,
            draft.sealed,
            interest.map(|interest| interest.webhook),
            polling.map(|polling| array(&polling.kinds, String::clone)),
            polling.map(|polling| i64::try_from(polling.interval.as_millis()).unwrap_or(i64::MAX)),
            interest.is_some_and(|interest| interest.calls_back),
        ])?;
    let kinds = interest.and_then(Interest::kinds);
    let kinds = kinds.map(|kinds| array(kinds, |kind| kind.to_ascii_lowercase()));
    // What is settled was settled by the kinds before: it says nothing about others.
    connection
        .prepare_cached(
            "UPDATE lane SET since = through WHERE sink = ?1 \
             AND (SELECT kinds FROM sink WHERE id = ?1) IS NOT ?2",
        )?
        .execute((sink, &kinds))?;
    connection
        .prepare_cached("UPDATE sink SET realm = ?2, kinds = ?3 WHERE id = ?1")?
        .execute((sink, realm, kinds))?;
    Ok(())
}

/// A JSON array of words.
fn array(words: &BTreeSet<String>, spell: impl Fn(&String) -> String) -> String {
    serde_json::Value::from_iter(words.iter().map(spell)).to_string()
}

/// Whether it has events, and whether they leave.
fn manner(instance: &Instance) -> (bool, bool) {
    let events = instance.draft.events.as_ref();
    let events = events.filter(|_| instance.disabled_at.is_none());
    (
        events.is_some(),
        events.is_some_and(|interest| interest.calls_back),
    )
}

/// Another manner, or a company of which it was told nothing so far: it begins afresh, or ends here.
fn turn(connection: &Connection, found: &Found, moved: bool) -> rusqlite::Result<()> {
    let (has_events, leaves) = manner(&found.instance);
    connection
        .prepare_cached("UPDATE sink SET configured = ?2 WHERE id = ?1")?
        .execute((found.sink, leaves))?;
    if has_events || moved {
        begin(connection, found.sink, found.realm)?;
    }
    if !has_events {
        connection
            .prepare_cached(
                "UPDATE instance SET told_until = (SELECT sequence FROM realm WHERE id = ?2) \
                 WHERE sink = ?1 AND told_until IS NULL",
            )?
            .execute((found.sink, found.realm))?;
    }
    Ok(())
}

/// Puts its only lane behind everything there is.
fn begin(connection: &Connection, sink: i64, realm: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM replay WHERE sink = ?1 AND done_at IS NULL",
        "DELETE FROM lane WHERE sink = ?1",
        "UPDATE sink SET disabled_at = NULL, disabled_why = NULL WHERE id = ?1",
        "UPDATE instance SET told_until = NULL WHERE sink = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([sink])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO lane (sink, realm, through, since) \
             SELECT ?1, id, sequence, sequence FROM realm WHERE id = ?2",
        )?
        .execute((sink, realm))?;
    Ok(())
}

/// Whether somebody is told of a company's changes with the record of each.
pub(super) fn wants_records(connection: &Connection, realm: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM instance i JOIN sink s ON s.id = i.sink \
             WHERE s.realm = ?1 AND i.disabled_at IS NULL AND i.polled_kinds IS NOT NULL)",
        )?
        .query_row([realm], |row| row.get(0))
}

/// The sinks of instances that were switched off after failures.
pub(super) fn paused(connection: &Connection) -> rusqlite::Result<BTreeSet<SinkName>> {
    connection
        .prepare_cached(
            "SELECT s.name FROM sink s JOIN instance i ON i.sink = s.id \
             WHERE s.disabled_at IS NOT NULL",
        )?
        .query_map((), |row| {
            SinkName::new(row.get::<_, String>(0)?).ok_or_else(|| strange(0, "sink"))
        })?
        .collect()
}

/// What was set under this name.
pub(super) fn setting(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn require(connection: &Connection, id: InstanceId) -> Result<Found, Failure> {
    instance_rows::find(connection, id)?.ok_or_else(|| Error::NoInstance(id.as_u32()).into())
}
