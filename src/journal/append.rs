//! Taking a receipt in: the transaction that makes a change and its deliveries at once.
//!
//! A delivery needs no row of its own: a lane is a cursor over the changes of its company, so a
//! change is waiting for every sink from the moment it is committed.

use super::incoming::Incoming;
use super::known::{Known, Newest, Record, Seen};
use super::rows::{Seal, number};
use super::touched::Touched;
use super::{events, gaps, records};
use crate::model::{
    Authenticity, Encoding, Form, Identity, Item, Kept, Notification, Operation, Origin, RealmId,
    Receipt, Seq, Timestamp,
};
use crate::rules::dedupe::{Verdict, is_late, judge};
use crate::rules::reconcile::{is_after, is_deletion_told};
use crate::wire::identity::change_id;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// An item that was not known before, and what it is filed under.
pub(super) struct New<'a> {
    pub(super) ordinal: usize,
    pub(super) item: &'a Item,
    pub(super) row: i64,
    pub(super) filed_under: Identity,
    pub(super) record: Option<Record>,
    pub(super) conflicting: bool,
    pub(super) late: bool,
    /// Something of a later second was told of its record.
    pub(super) overtaken: bool,
}

/// What a receipt holds beside repeats.
struct Sifted<'a> {
    new: Vec<New<'a>>,
    /// Notifications of what a reading had told.
    told: Vec<(&'a Notification, Twin)>,
    /// The receipt that the first known item came with.
    repeated: Option<Seq>,
}

/// Where a notification that a reading had told is filed, so that its repeats are known for such.
struct Twin {
    row: i64,
    filed_under: Identity,
    receipt: Seq,
}

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
    incoming: &Incoming,
) -> rusqlite::Result<Kept> {
    let receipt = &incoming.receipt;
    let at = receipt.received_at;
    let sifted = sift(connection, known, incoming, Seq(numbers.receipt))?;
    touched.arrived(at);
    count_late(connection, receipt, &sifted)?;
    for (notification, twin) in &sifted.told {
        let place = (twin.row, twin.receipt, at);
        insert_seen(
            connection,
            place,
            twin.filed_under,
            notification.content,
            None,
        )?;
    }
    if let (true, Some(of)) = (sifted.new.is_empty(), sifted.repeated) {
        count_repeat(connection, of, at)?;
        return Ok(Kept::Repeat { of });
    }
    let (seq, changes) = store(connection, numbers, touched, incoming, &sifted.new)?;
    Ok(Kept::New { seq, changes })
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
    let mut places = allocate(connection, touched, new, receipt.origin)?;
    for new in new {
        let place = (new.row, seq, receipt.received_at);
        insert_seen(
            connection,
            place,
            new.filed_under,
            new.item.content(),
            new.record,
        )?;
        match new.item {
            Item::Notification(notification) => {
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
            Item::Unreadable(unreadable) => {
                connection
                    .prepare_cached(
                        "INSERT INTO unreadable (receipt, ordinal, place, why) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![seq.0, number(new.ordinal), unreadable.at, unreadable.why])?;
            }
        }
    }
    Ok((seq, changes))
}

/// What of a receipt is new, filed already in the index; and what is not.
fn sift<'a>(
    connection: &Connection,
    known: &mut Known,
    incoming: &'a Incoming,
    seq: Seq,
) -> rusqlite::Result<Sifted<'a>> {
    let items = &incoming.receipt.items;
    let mut sifted = Sifted {
        new: Vec::with_capacity(items.len()),
        told: Vec::new(),
        repeated: None,
    };
    let facts = incoming.records.iter().zip(&incoming.twins);
    for (ordinal, (item, (record, twins))) in items.iter().zip(facts).enumerate() {
        let (identity, content) = (item.identity(), item.content());
        let mut filed_under = identity;
        let mut seen = known.look_up(connection, identity)?;
        let conflicting = judge(seen.map(|seen| seen.content), content) == Verdict::Conflict;
        if conflicting {
            filed_under = conflict_identity(identity, content);
            seen = known.look_up(connection, filed_under)?;
        }
        if let Some(seen) = seen {
            sifted.repeated = sifted.repeated.or(Some(seen.receipt));
            continue;
        }
        let before = match record {
            Some(record) => known.newest(connection, record.key)?,
            None => None,
        };
        if let Item::Notification(notification) = item
            && let Some(receipt) = told_by(connection, known, notification, twins, before)?
        {
            let twin = Twin {
                row: known.add(filed_under, Seen { content, receipt }, None, None),
                filed_under,
                receipt,
            };
            sifted.told.push((notification, twin));
            sifted.repeated = sifted.repeated.or(Some(receipt));
            continue;
        }
        let happened = record.map(|record| record.newest_at);
        let newest = before.map(|before| before.at);
        let record = record.map(|record| Record {
            newest_at: newest.map_or(record.newest_at, |at| at.max(record.newest_at)),
            ..record
        });
        let seen = Seen {
            content,
            receipt: seq,
        };
        sifted.new.push(New {
            ordinal,
            item,
            row: known.add(filed_under, seen, record, before),
            filed_under,
            record,
            conflicting,
            late: is_late(happened, newest),
            overtaken: is_after(newest, happened),
        });
    }
    Ok(sifted)
}

/// The receipt that told already what is notified: a reading of that second, or whatever told of the
/// record's end.
fn told_by(
    connection: &Connection,
    known: &Known,
    notification: &Notification,
    twins: &[Identity],
    newest: Option<Newest>,
) -> rusqlite::Result<Option<Seq>> {
    for twin in twins {
        if let Some(seen) = known.look_up(connection, *twin)? {
            return Ok(Some(seen.receipt));
        }
    }
    let (Operation::Delete, Some(newest)) = (&notification.operation, newest) else {
        return Ok(None);
    };
    let realm: Option<i64> = connection
        .prepare_cached(
            "SELECT c.realm FROM company c JOIN realm m ON m.id = c.realm WHERE m.name = ?1",
        )?
        .query_row([notification.realm.as_str()], |row| row.get(0))
        .optional()?;
    let held = match realm {
        Some(realm) => records::held(connection, realm, &notification.entity)?,
        None => None,
    };
    let told = is_deletion_told(held.as_ref(), Some(newest.at));
    Ok(told.then_some(newest.receipt))
}

/// Counts for the gaps what came by notification after all.
fn count_late(
    connection: &Connection,
    receipt: &Receipt,
    sifted: &Sifted<'_>,
) -> rusqlite::Result<()> {
    let new = sifted.new.iter().filter_map(|new| match new.item {
        Item::Notification(notification) => Some((notification, false)),
        Item::Unreadable(_) => None,
    });
    let told = sifted.told.iter().map(|(told, _)| (*told, true));
    let notified: Vec<_> = new.chain(told).collect();
    gaps::count_late(connection, &notified, receipt.received_at)
}

/// Remembers of a company that is read which records are no longer there: the deleted, and those
/// that were merged into another.
fn bury(
    connection: &Connection,
    realm: i64,
    new: &New<'_>,
    receipt: &Receipt,
) -> rusqlite::Result<()> {
    let Item::Notification(notification) = new.item else {
        return Ok(());
    };
    let id = match notification.operation {
        Operation::Delete => Some(&notification.entity.id),
        Operation::Merge => notification.deleted_id.as_ref(),
        _ => None,
    };
    match id {
        Some(id) if receipt.origin == Origin::Webhook && !new.overtaken => {
            let at = notification.happened.at.unwrap_or(receipt.received_at);
            records::is_gone(connection, realm, &notification.entity.kind, id, at)
        }
        _ => Ok(()),
    }
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
        let (realm, newest, is_new): (i64, i64, bool) = connection
            .prepare_cached(
                "INSERT INTO realm (name, sequence, pruned, skipped_to) \
                 SELECT ?1, ?2 + b.base, b.base, b.base \
                 FROM (SELECT ifnull(max(base), 0) AS base FROM epoch) b WHERE true \
                 ON CONFLICT (name) DO UPDATE SET sequence = sequence + ?2 \
                 RETURNING id, sequence, sequence = ?2 + skipped_to",
            )?
            .query_row((name.as_str(), count), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        touched.changed(name, is_new);
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
    (row, receipt, at): (i64, Seq, Timestamp),
    identity: Identity,
    content: u64,
    record: Option<Record>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO seen (row, at, receipt, content, identity, record, newest_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row,
            at.as_ms(),
            receipt.0,
            content.cast_signed(),
            identity.0,
            record.map(|record| record.key),
            record.map(|record| record.newest_at.as_ms()),
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
        identity: notification.identity,
        content: notification.content,
    };
    connection
        .prepare_cached(
            "INSERT INTO change (seq, receipt, ordinal, realm, sequence, kind, entity, operation, \
             happened, happened_at, deleted_id, event_type, sender_id, data, origin, late, \
             conflicting, identity, content, seal) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
             ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
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
            seal.of_row(),
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
