//! What a receipt holds beside repeats: what is new of it, what of that is refused, and what confirms
//! something that nobody had signed.
//!
//! Called by `append` in the transaction that stores the receipt. What is new is filed in the index at
//! once, so that an entry is known to those behind it.

use super::admission::{Admission, Refusal};
use super::append::parse_id;
use super::incoming::{Filing, Incoming, RETRY};
use super::known::{Known, Newest, Record, Seen};
use super::records;
use crate::model::{
    Identity, Item, Notification, Operation, RealmId, Receipt, Seq, Timestamp, Unreadable,
};
use crate::rules::dedupe::{Verdict, is_late, judge};
use crate::rules::reconcile::{is_after, is_deletion_told};
use crate::wire::identity::{change_id, of_confirmation};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

/// An item that was not known before, and what it is filed under.
pub(super) struct New<'a> {
    pub(super) ordinal: usize,
    pub(super) item: &'a Item,
    pub(super) row: i64,
    /// What makes it what it is; with its content and `conflicting` it gives its id.
    pub(super) identity: Identity,
    pub(super) filed_under: Identity,
    pub(super) record: Option<Record>,
    pub(super) conflicting: bool,
    pub(super) late: bool,
    /// Something of a later second was told of its record.
    pub(super) overtaken: bool,
    /// The id of what said the same without a signature.
    pub(super) confirms: Option<Identity>,
    /// What it is kept as instead, where its company is refused.
    pub(super) refused: Option<Unreadable>,
}

/// What a receipt holds.
pub(super) struct Sifted<'a> {
    pub(super) new: Vec<New<'a>>,
    /// Notifications of what a reading had told.
    pub(super) told: Vec<(&'a Notification, Twin)>,
    /// The places of the items that came before, and the receipts that they came with.
    pub(super) repeated: Vec<(usize, Seq)>,
    /// The companies that are refused.
    pub(super) refused: BTreeMap<&'a RealmId, Refusal>,
}

/// Where a notification that a reading had told is filed, so that its repeats are known for such.
pub(super) struct Twin {
    pub(super) row: i64,
    pub(super) filed_under: Identity,
    pub(super) receipt: Seq,
}

impl<'a> New<'a> {
    /// What is told of it.
    pub(super) fn notification(&self) -> Option<&'a Notification> {
        match self.item {
            Item::Notification(notification) if self.refused.is_none() => Some(notification),
            _ => None,
        }
    }

    /// What it is kept as, where nothing is told of it.
    pub(super) fn unreadable(&self) -> Option<&Unreadable> {
        match self.item {
            Item::Unreadable(unreadable) => Some(unreadable),
            Item::Notification(_) => self.refused.as_ref(),
        }
    }
}

/// The writer's index and the receipt that is looked at.
struct Sieve<'s> {
    connection: &'s Connection,
    known: &'s mut Known,
    receipt: &'s Receipt,
    seq: Seq,
}

/// What an item turned out to be.
enum Found {
    Repeat(Seq),
    New {
        identity: Identity,
        filed_under: Identity,
        conflicting: bool,
        confirms: Option<Identity>,
    },
}

/// What of a receipt is new, filed already in the index; and what is not.
pub(super) fn sift<'a>(
    connection: &Connection,
    known: &mut Known,
    admission: &mut Admission,
    incoming: &'a Incoming,
    seq: Seq,
) -> rusqlite::Result<Sifted<'a>> {
    let receipt = &incoming.receipt;
    let items = &receipt.items;
    let mut sifted = Sifted {
        new: Vec::with_capacity(items.len()),
        told: Vec::new(),
        repeated: Vec::new(),
        refused: admission.refused(connection, incoming)?,
    };
    let mut sieve = Sieve {
        connection,
        known,
        receipt,
        seq,
    };
    for (ordinal, item) in items.iter().enumerate() {
        let filing = incoming.filings.get(ordinal).copied();
        let mut filing = filing.unwrap_or_else(|| Filing::of(item));
        let mut record = incoming.records.get(ordinal).copied().flatten();
        let refusal = match item {
            Item::Notification(notification) => sifted.refused.get(&notification.realm),
            Item::Unreadable(_) => None,
        };
        let refused = refusal.map(|refusal| refusal.unreadable(ordinal, item.identity()));
        if let Some(refused) = &refused {
            filing = Filing {
                identity: refused.identity,
                earlier: None,
            };
            record = None;
        }
        let (identity, filed_under, conflicting, confirms) = match sieve.find(item, filing)? {
            Found::Repeat(of) => {
                sifted.repeated.push((ordinal, of));
                continue;
            }
            Found::New {
                identity,
                filed_under,
                conflicting,
                confirms,
            } => (identity, filed_under, conflicting, confirms),
        };
        let before = match record {
            Some((key, _)) => sieve.known.newest(connection, key)?,
            None => None,
        };
        if let (Item::Notification(notification), None) = (item, &refused) {
            let twins = incoming.twins.get(ordinal).map_or(&[][..], Vec::as_slice);
            if let Some(of) = sieve.told_by(notification, twins, before)? {
                let twin = Twin {
                    row: sieve.add_told(filed_under, item.content(), of),
                    filed_under,
                    receipt: of,
                };
                sifted.told.push((notification, twin));
                sifted.repeated.push((ordinal, of));
                continue;
            }
        }
        let happened = record.map(|(_, at)| at);
        let ordered_before = before.map(|before| before.ordered_at);
        let record = record.map(|(key, at)| sieve.record(key, at, before));
        sifted.new.push(New {
            ordinal,
            item,
            row: sieve.add(filed_under, item.content(), record, before),
            identity,
            filed_under,
            record,
            conflicting,
            late: is_late(happened, ordered_before),
            overtaken: is_after(before.and_then(|before| before.at), happened),
            confirms,
            refused,
        });
    }
    Ok(sifted)
}

impl Sieve<'_> {
    /// Whether an item came before, and what it is filed under when it did not.
    fn find(&self, item: &Item, filing: Filing) -> rusqlite::Result<Found> {
        let content = item.content();
        let (identity, mut filed_under) = (filing.identity, filing.identity);
        let mut seen = self.look_up(filed_under)?;
        if let (None, Some(earlier)) = (seen, filing.earlier) {
            let received_at = self.receipt.received_at;
            seen = self.look_up(earlier)?;
            seen = seen.filter(|seen| received_at.since(seen.at) <= RETRY);
        }
        let conflicting = judge(seen.map(|seen| seen.content), content) == Verdict::Conflict;
        if conflicting {
            filed_under = conflict_identity(identity, content);
            seen = self.look_up(filed_under)?;
        }
        let Some(seen) = seen else {
            return Ok(Found::New {
                identity,
                filed_under,
                conflicting,
                confirms: None,
            });
        };
        let is_confirmed = matches!(item, Item::Notification(_))
            && seen.unsigned
            && !self.receipt.authenticity.is_unsigned();
        if !is_confirmed {
            return Ok(Found::Repeat(seen.receipt));
        }
        let confirmation = of_confirmation(filed_under);
        Ok(match self.look_up(confirmation)? {
            Some(seen) => Found::Repeat(seen.receipt),
            None => Found::New {
                identity: confirmation,
                filed_under: confirmation,
                conflicting: false,
                confirms: Some(filed_under),
            },
        })
    }

    fn look_up(&self, identity: Identity) -> rusqlite::Result<Option<Seen>> {
        self.known.look_up(self.connection, identity)
    }

    /// The record with this event. What nobody signed does not count for what is read.
    fn record(&self, key: i64, at: Timestamp, before: Option<Newest>) -> Record {
        let newest = before.and_then(|before| before.at);
        let newest_at = if self.receipt.authenticity.is_unsigned() {
            newest
        } else {
            newest.max(Some(at))
        };
        let ordered_at = before.map_or(at, |before| before.ordered_at.max(at));
        Record {
            key,
            newest_at,
            ordered_at,
        }
    }

    fn add(
        &mut self,
        filed_under: Identity,
        content: u64,
        record: Option<Record>,
        before: Option<Newest>,
    ) -> i64 {
        let seen = Seen {
            content,
            receipt: self.seq,
            at: self.receipt.received_at,
            unsigned: self.receipt.authenticity.is_unsigned(),
        };
        self.known.add(filed_under, seen, record, before)
    }

    /// Files what was told before by somebody who is believed, whoever says it now.
    fn add_told(&mut self, filed_under: Identity, content: u64, receipt: Seq) -> i64 {
        let seen = Seen {
            content,
            receipt,
            at: self.receipt.received_at,
            unsigned: false,
        };
        self.known.add(filed_under, seen, None, None)
    }

    /// The receipt that told already what is notified: a reading of that second, or whatever told of
    /// the record's end.
    fn told_by(
        &self,
        notification: &Notification,
        twins: &[Identity],
        newest: Option<Newest>,
    ) -> rusqlite::Result<Option<Seq>> {
        let connection = self.connection;
        for twin in twins {
            if let Some(seen) = self.look_up(*twin)? {
                return Ok(Some(seen.receipt));
            }
        }
        let newest = newest.and_then(|newest| Some((newest.at?, newest.receipt)));
        let (Operation::Delete, Some((at, receipt))) = (&notification.operation, newest) else {
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
        let told = is_deletion_told(held.as_ref(), Some(at));
        Ok(told.then_some(receipt))
    }
}

/// What a change with other content is filed under: its own id as bytes.
fn conflict_identity(identity: Identity, content: u64) -> Identity {
    parse_id(&change_id(identity, content, true).0).unwrap_or(identity)
}
