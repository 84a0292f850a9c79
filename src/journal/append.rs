//! Taking a receipt in: the transaction that makes a change and its deliveries at once.
//!
//! A delivery needs no row of its own: a lane is a cursor over the changes of its company, so a
//! change is waiting for every sink from the moment it is committed.

use super::admission::Admission;
use super::incoming::Incoming;
use super::known::{Known, Record};
use super::rows::{Seal, number};
use super::sift::{New, Sifted, sift};
use super::touched::Touched;
use super::{events, gaps, realms, records, shares};
use crate::model::{
    Authenticity, Encoding, Form, Identity, Kept, Notification, Operation, Origin, RealmId,
    Receipt, Seq, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// The numbers that the next receipt and the next change get; none is ever given twice, pruned or
/// not.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Numbers {
    pub(super) receipt: i64,
    pub(super) change: i64,
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
    admission: &mut Admission,
    incoming: &Incoming,
) -> rusqlite::Result<Kept> {
    let receipt = &incoming.receipt;
    let at = receipt.received_at;
    let sifted = sift(connection, known, admission, incoming, Seq(numbers.receipt))?;
    touched.arrived(at);
    count_late(connection, receipt, &sifted)?;
    for (notification, twin) in &sifted.told {
        let place = (twin.row, twin.receipt, at);
        insert_seen(
            connection,
            place,
            (twin.filed_under, false),
            notification.content,
            None,
        )?;
    }
    let repeats = sifted.repeated.first().filter(|_| sifted.new.is_empty());
    if let Some((_, of)) = repeats
        && count_repeat(connection, *of, at)?
    {
        return Ok(Kept::Repeat { of: *of });
    }
    let (seq, changes) = store(connection, numbers, touched, incoming, &sifted.new)?;
    note_refused(connection, touched, receipt, &sifted)?;
    for (ordinal, of) in &sifted.repeated {
        connection
            .prepare_cached("INSERT INTO repeated (receipt, ordinal, of) VALUES (?1, ?2, ?3)")?
            .execute((seq.0, number(*ordinal), of.0))?;
    }
    Ok(match repeats {
        // The receipt that it repeats is gone, so it is kept to be listed itself.
        Some((_, of)) => Kept::Repeat { of: *of },
        None => Kept::New { seq, changes },
    })
}

/// Counts what is refused, and says it.
fn note_refused(
    connection: &Connection,
    touched: &mut Touched,
    receipt: &Receipt,
    sifted: &Sifted<'_>,
) -> rusqlite::Result<()> {
    let refused = || sifted.new.iter().filter(|new| new.refused.is_some());
    let Some(first) = refused().find_map(|new| new.refused.as_ref()) else {
        return Ok(());
    };
    let count = number(refused().count());
    events::count(connection, "refused", count)?;
    touched.refused(&receipt.source, &first.why, count);
    if let Some(refusal) = sifted.refused.values().find(|it| it.is_over_limit) {
        if events::counted(connection, "over_limit")? == 0 {
            events::insert(connection, receipt.received_at, "companies", &refusal.why)?;
        }
        events::count(connection, "over_limit", 1)?;
    }
    Ok(())
}

/// Stores a receipt with what is new in it.
pub(super) fn store(
    connection: &Connection,
    numbers: &mut Numbers,
    touched: &mut Touched,
    incoming: &Incoming,
    new: &[New<'_>],
) -> rusqlite::Result<(Seq, u32)> {
    let receipt = &incoming.receipt;
    let seq = Seq(numbers.receipt);
    let changes = insert_receipt(connection, *numbers, incoming, new)?;
    numbers.receipt += 1;
    let mut places = allocate(connection, touched, new, receipt)?;
    for new in new {
        let place = (new.row, seq, receipt.received_at);
        insert_seen(
            connection,
            place,
            (new.filed_under, receipt.authenticity.is_unsigned()),
            new.item.content(),
            new.record,
        )?;
        if let Some(unreadable) = new.unreadable() {
            connection
                .prepare_cached(
                    "INSERT INTO unreadable (receipt, ordinal, place, why) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    seq.0,
                    number(new.ordinal),
                    unreadable.at,
                    unreadable.why
                ])?;
        }
        let Some(notification) = new.notification() else {
            continue;
        };
        if let Some(place) = places.get_mut(&notification.realm) {
            insert_change(connection, numbers.change, new, notification, seq, *place)?;
            place.sequence += 1;
            numbers.change += 1;
            bury(connection, place.realm, new, receipt)?;
        }
        if new.conflicting {
            let text = format!(
                "receipt {seq}: {} of company {} came under an identity that had other content",
                notification.entity, notification.realm
            );
            events::insert(connection, receipt.received_at, "conflict", &text)?;
        }
    }
    Ok((seq, changes))
}

/// Counts for the gaps what came by notification after all.
fn count_late(
    connection: &Connection,
    receipt: &Receipt,
    sifted: &Sifted<'_>,
) -> rusqlite::Result<()> {
    let new = sifted.new.iter().filter_map(New::notification);
    let new = new.map(|notification| (notification, false));
    let told = sifted.told.iter().map(|(told, _)| (*told, true));
    let notified: Vec<_> = new.chain(told).collect();
    gaps::count_late(connection, &notified, receipt.received_at)
}

/// Remembers of a company that is read which records are no longer there: the deleted, and those
/// that were merged into another. Not by the word of somebody who does not sign.
fn bury(
    connection: &Connection,
    realm: i64,
    new: &New<'_>,
    receipt: &Receipt,
) -> rusqlite::Result<()> {
    let Some(notification) = new.notification() else {
        return Ok(());
    };
    let is_believed = !receipt.authenticity.is_unsigned() && receipt.origin == Origin::Webhook;
    let id = match notification.operation {
        Operation::Delete => Some(&notification.entity.id),
        Operation::Merge => notification.deleted_id.as_ref(),
        _ => None,
    };
    match id {
        Some(id) if is_believed && !new.overtaken => {
            let at = notification.happened.in_order(receipt.received_at);
            let at = at.unwrap_or(receipt.received_at);
            records::is_gone(connection, realm, &notification.entity.kind, id, at)
        }
        _ => Ok(()),
    }
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
    let unreadable = new.iter().filter_map(New::unreadable).count();
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
    if receipt.authenticity.is_unsigned() {
        shares::add(connection, numbers.receipt)?;
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
    receipt: &Receipt,
) -> rusqlite::Result<BTreeMap<&'a RealmId, Place>> {
    let mut counts: BTreeMap<&RealmId, i64> = BTreeMap::new();
    for notification in new.iter().filter_map(New::notification) {
        *counts.entry(&notification.realm).or_default() += 1;
    }
    let by_word_of = Some(&*receipt.source).filter(|_| receipt.authenticity.is_unsigned());
    let mut places = BTreeMap::new();
    for (name, count) in counts {
        let (realm, newest, is_new) = realms::count_up(connection, name, count, by_word_of)?;
        touched.changed(name, is_new);
        places.insert(
            name,
            Place {
                realm,
                sequence: newest - count + 1,
                origin: receipt.origin,
            },
        );
    }
    Ok(places)
}

fn insert_seen(
    connection: &Connection,
    (row, receipt, at): (i64, Seq, Timestamp),
    (identity, is_unsigned): (Identity, bool),
    content: u64,
    record: Option<Record>,
) -> rusqlite::Result<()> {
    let newest_at = record.and_then(|record| record.newest_at);
    let ordered_at = record.map(|record| record.ordered_at);
    connection
        .prepare_cached(
            "INSERT INTO seen (row, at, receipt, content, identity, record, newest_at, ordered_at, \
             unsigned) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            row,
            at.as_ms(),
            receipt.0,
            content.cast_signed(),
            identity.0,
            record.map(|record| record.key),
            newest_at.map(Timestamp::as_ms),
            ordered_at
                .filter(|at| newest_at != Some(*at))
                .map(Timestamp::as_ms),
            is_unsigned.then_some(1),
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
    let seal = Seal {
        numbers: [seq, receipt.0, number(new.ordinal), place.sequence],
        origin: place.origin,
        marks: [new.late, new.conflicting],
        happened_at: notification.happened.at.map(Timestamp::as_ms),
        identity: new.identity,
        content: notification.content,
        confirms: new.confirms,
    };
    connection
        .prepare_cached(
            "INSERT INTO change (seq, receipt, ordinal, realm, sequence, kind, entity, operation, \
             happened, happened_at, deleted_id, event_type, sender_id, data, origin, late, \
             conflicting, identity, content, seal, confirms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, \
             ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
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
            new.identity.0,
            notification.content.cast_signed(),
            seal.of_row(),
            new.confirms.map(|id| id.0),
        ])?;
    Ok(())
}

/// Counts a delivery that brought nothing new on the receipt that it repeats; false when that is gone.
fn count_repeat(connection: &Connection, of: Seq, at: Timestamp) -> rusqlite::Result<bool> {
    let counted = connection
        .prepare_cached(
            "INSERT INTO repetition (receipt, count, last_at) \
             SELECT seq, 1, ?2 FROM receipt WHERE seq = ?1 \
             ON CONFLICT (receipt) DO UPDATE SET count = count + 1, last_at = excluded.last_at",
        )?
        .execute((of.0, at.as_ms()))?;
    Ok(counted > 0)
}
