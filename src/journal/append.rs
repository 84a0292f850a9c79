//! Taking a receipt in: the transaction that makes a change and its deliveries at once.
//!
//! A delivery needs no row of its own: a lane is a cursor over the changes of its company, so a
//! change is waiting for every sink from the moment it is committed.

use super::events;
use super::incoming::Incoming;
use super::known::{Known, Record, Seen};
use super::rows::number;
use super::touched::Touched;
use crate::model::{
    Authenticity, Encoding, Form, Identity, Item, Kept, Notification, Origin, RealmId, Seq,
    Timestamp,
};
use crate::rules::dedupe::{Verdict, is_late, judge};
use crate::wire::identity::change_id;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// An item that was not known before, and what it is filed under.
struct New<'a> {
    ordinal: usize,
    item: &'a Item,
    row: i64,
    filed_under: Identity,
    record: Option<Record>,
    conflicting: bool,
    late: bool,
}

/// The numbers that the next receipt and the next change get; none is ever given twice, pruned or
/// not.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Numbers {
    receipt: i64,
    change: i64,
}

/// Where the next change of a company goes.
#[derive(Clone, Copy)]
struct Place {
    realm: i64,
    sequence: i64,
    origin: Origin,
}

impl Numbers {
    /// As the database has them; to be asked again in each transaction.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let next = |table: &str| -> rusqlite::Result<i64> {
            let newest: Option<i64> = connection
                .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?
                .query_row([table], |row| row.get(0))
                .optional()?;
            Ok(newest.unwrap_or(0) + 1)
        };
        Ok(Self {
            receipt: next("receipt")?,
            change: next("change")?,
        })
    }
}

/// Stores a receipt, or counts it where everything in it is known already.
pub(super) fn append(
    connection: &Connection,
    known: &mut Known,
    numbers: &mut Numbers,
    touched: &mut Touched,
    incoming: &Incoming,
) -> rusqlite::Result<Kept> {
    let receipt = &incoming.receipt;
    let seq = Seq(numbers.receipt);
    let (new, repeated) = sift(connection, known, incoming, seq)?;
    touched.arrived(receipt.received_at);
    if let (true, Some(of)) = (new.is_empty(), repeated) {
        count_repeat(connection, of, receipt.received_at)?;
        return Ok(Kept::Repeat { of });
    }
    let changes = insert_receipt(connection, *numbers, incoming, &new)?;
    numbers.receipt += 1;
    let mut places = allocate(connection, touched, &new, receipt.origin)?;
    for new in &new {
        insert_seen(connection, new, seq, receipt.received_at)?;
        match new.item {
            Item::Notification(notification) => {
                if let Some(place) = places.get_mut(&notification.realm) {
                    insert_change(connection, numbers.change, new, notification, seq, *place)?;
                    place.sequence += 1;
                    numbers.change += 1;
                }
                if new.conflicting {
                    let text = format!(
                        "receipt {seq}: {} of company {} came under an identity that had other content",
                        notification.entity, notification.realm
                    );
                    events::insert(connection, receipt.received_at, "conflict", &text)?;
                }
            }
            Item::Unreadable(unreadable) => {
                connection
                    .prepare_cached(
                        "INSERT INTO unreadable (receipt, ordinal, place, why) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![seq.0, number(new.ordinal), unreadable.at, unreadable.why])?;
            }
        }
    }
    Ok(Kept::New { seq, changes })
}

/// What of a receipt is new, filed already in the index; and the receipt that the first known item
/// came with.
fn sift<'a>(
    connection: &Connection,
    known: &mut Known,
    incoming: &'a Incoming,
    seq: Seq,
) -> rusqlite::Result<(Vec<New<'a>>, Option<Seq>)> {
    let items = &incoming.receipt.items;
    let mut new = Vec::with_capacity(items.len());
    let mut repeated = None;
    for (ordinal, (item, record)) in items.iter().zip(&incoming.records).enumerate() {
        let (identity, content) = (item.identity(), item.content());
        let mut filed_under = identity;
        let mut seen = known.look_up(connection, identity)?;
        let conflicting = judge(seen.map(|seen| seen.content), content) == Verdict::Conflict;
        if conflicting {
            filed_under = conflict_identity(identity, content);
            seen = known.look_up(connection, filed_under)?;
        }
        if let Some(seen) = seen {
            repeated = repeated.or(Some(seen.receipt));
            continue;
        }
        let before = match record {
            Some(record) => known.newest(connection, record.key)?,
            None => None,
        };
        let newest_before = before.map(|before| before.at);
        let late = is_late(record.map(|record| record.newest_at), newest_before);
        let record = record.map(|record| Record {
            newest_at: newest_before.map_or(record.newest_at, |at| at.max(record.newest_at)),
            ..record
        });
        let row = known.add(
            filed_under,
            Seen {
                content,
                receipt: seq,
            },
            record,
            before,
        );
        new.push(New {
            ordinal,
            item,
            row,
            filed_under,
            record,
            conflicting,
            late,
        });
    }
    Ok((new, repeated))
}

/// What a change with other content is filed under: its own id as bytes.
fn conflict_identity(identity: Identity, content: u64) -> Identity {
    parse_id(&change_id(identity, content, true).0).unwrap_or(identity)
}

/// The bytes of a change's id; `None` when it is not 32 hexadecimal digits.
pub(super) fn parse_id(id: &str) -> Option<Identity> {
    let number = (id.len() == 32).then(|| u128::from_str_radix(id, 16).ok())??;
    Some(Identity(number.to_be_bytes()))
}

fn insert_receipt(
    connection: &Connection,
    numbers: Numbers,
    incoming: &Incoming,
    new: &[New<'_>],
) -> rusqlite::Result<u32> {
    let receipt = &incoming.receipt;
    let unreadable = new
        .iter()
        .filter(|new| matches!(new.item, Item::Unreadable(_)))
        .count();
    let changes = new.len() - unreadable;
    connection
        .prepare_cached(
            "INSERT INTO receipt (seq, received_at, verifier, form, items, first_change, changes, \
             unreadable, headers, digest, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            numbers.receipt,
            receipt.received_at.as_ms(),
            receipt.source,
            receipt.form.map(Form::as_str),
            number(receipt.items.len()),
            numbers.change,
            number(changes),
            number(unreadable),
            incoming.headers,
            incoming.digest,
            &receipt.body[..],
        ])?;
    if (receipt.authenticity, receipt.encoding) != (Authenticity::Signed, Encoding::Json) {
        connection
            .prepare_cached(
                "INSERT INTO provenance (receipt, authenticity, encoding) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![
                numbers.receipt,
                receipt.authenticity.as_str(),
                receipt.encoding.as_str(),
            ])?;
    }
    if unreadable > 0 {
        events::count(connection, "unreadable", number(unreadable))?;
    }
    Ok(u32::try_from(changes).unwrap_or(u32::MAX))
}

/// Takes the places in the order of every company for what is new, all at once for each.
fn allocate<'a>(
    connection: &Connection,
    touched: &mut Touched,
    new: &[New<'a>],
    origin: Origin,
) -> rusqlite::Result<BTreeMap<&'a RealmId, Place>> {
    let mut counts: BTreeMap<&RealmId, i64> = BTreeMap::new();
    for new in new {
        if let Item::Notification(notification) = new.item {
            *counts.entry(&notification.realm).or_default() += 1;
        }
    }
    let mut places = BTreeMap::new();
    for (name, count) in counts {
        let (realm, newest): (i64, i64) = connection
            .prepare_cached(
                "INSERT INTO realm (name, sequence) VALUES (?1, ?2) ON CONFLICT (name) \
                 DO UPDATE SET sequence = sequence + excluded.sequence RETURNING id, sequence",
            )?
            .query_row((name.as_str(), count), |row| Ok((row.get(0)?, row.get(1)?)))?;
        touched.changed(name, newest == count);
        places.insert(
            name,
            Place {
                realm,
                sequence: newest - count + 1,
                origin,
            },
        );
    }
    Ok(places)
}

fn insert_seen(
    connection: &Connection,
    new: &New<'_>,
    receipt: Seq,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO seen (row, at, receipt, content, identity, record, newest_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            new.row,
            at.as_ms(),
            receipt.0,
            new.item.content().cast_signed(),
            new.filed_under.0,
            new.record.map(|record| record.key),
            new.record.map(|record| record.newest_at.as_ms()),
        ])?;
    Ok(())
}

fn insert_change(
    connection: &Connection,
    seq: i64,
    new: &New<'_>,
    notification: &Notification,
    receipt: Seq,
    place: Place,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO change (seq, receipt, ordinal, realm, sequence, kind, entity, operation, \
             happened, happened_at, deleted_id, event_type, sender_id, data, origin, late, \
             conflicting, identity, content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
             ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        )?
        .execute(params![
            seq,
            receipt.0,
            number(new.ordinal),
            place.realm,
            place.sequence,
            notification.entity.kind,
            notification.entity.id,
            notification.operation.as_str(),
            notification.happened.text,
            notification.happened.at.map(Timestamp::as_ms),
            notification.deleted_id,
            notification.event_type,
            notification.sender_id,
            notification.data,
            place.origin.as_str(),
            new.late,
            new.conflicting,
            notification.identity.0,
            notification.content.cast_signed(),
        ])?;
    Ok(())
}

/// Counts a delivery that brought nothing new on the receipt that it repeats, if that is still kept.
fn count_repeat(connection: &Connection, of: Seq, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO repetition (receipt, count, last_at) \
             SELECT seq, 1, ?2 FROM receipt WHERE seq = ?1 \
             ON CONFLICT (receipt) DO UPDATE SET count = count + 1, last_at = excluded.last_at",
        )?
        .execute((of.0, at.as_ms()))?;
    Ok(())
}
