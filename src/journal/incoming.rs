//! A receipt made ready for the writer: everything computed that does not need the database.
//!
//! Called by the handle, in the caller's task, so that the one writer's time goes into writing.

use crate::model::{EntityRef, Identity, Item, Origin, RealmId, Receipt, Timestamp};
use crate::wire::identity::{captured_twins, of_timeless};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A receipt on its way to the writer.
#[derive(Debug)]
pub(super) struct Incoming {
    /// As it came.
    pub receipt: Receipt,
    /// Its headers as JSON.
    pub headers: String,
    /// Digest of its body.
    pub digest: [u8; 16],
    /// What each item is filed under.
    pub filings: Vec<Filing>,
    /// The record that each item is about, with the time by which it is put in order; `None` where
    /// there is none.
    pub records: Vec<Option<(i64, Timestamp)>>,
    /// The identities under which a reading would have told each item.
    pub twins: Vec<Vec<Identity>>,
}

/// What an item is filed under, so that it is known when it comes again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Filing {
    pub identity: Identity,
    /// What it would have been filed under a little earlier, where that makes a difference.
    pub earlier: Option<Identity>,
}

/// How soon the same body is the sender's own retry, where nothing else tells a repeat from another
/// change of the same record.
pub(super) const RETRY: Duration = Duration::from_secs(300);

impl Incoming {
    /// Computes what does not need the database.
    pub(super) fn new(receipt: Receipt) -> Self {
        let pairs = receipt
            .headers
            .iter()
            .map(|(name, value)| vec![name.as_str(), value.as_str()]);
        let digest = digest(&receipt.body);
        let items = receipt.items.iter();
        Self {
            headers: serde_json::Value::from_iter(pairs).to_string(),
            digest,
            filings: items.map(|item| filing(&receipt, item, &digest)).collect(),
            records: receipt
                .items
                .iter()
                .map(|item| record(&receipt, item))
                .collect(),
            twins: receipt
                .items
                .iter()
                .map(|item| twins(&receipt, item))
                .collect(),
            receipt,
        }
    }

    /// Bytes that it may take in the file, generously.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.receipt.body.len() + self.headers.len() + 768 * self.receipt.items.len();
        u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .saturating_add(16 << 10)
    }
}

/// First 128 bits of SHA-256: notices a damaged body.
pub(super) fn digest(body: &[u8]) -> [u8; 16] {
    first(Sha256::digest(body).as_slice())
}

impl Filing {
    /// What an item is by itself.
    pub(super) fn of(item: &Item) -> Self {
        Self {
            identity: item.identity(),
            earlier: None,
        }
    }
}

fn filing(receipt: &Receipt, item: &Item, body: &[u8; 16]) -> Filing {
    let identity = item.identity();
    match item {
        // The sender's own id, or its time, makes it what it is.
        Item::Notification(notification)
            if notification.sender_id.is_none() && notification.happened.own().is_none() =>
        {
            let retry = i64::try_from(RETRY.as_millis()).unwrap_or(i64::MAX);
            let span = receipt.received_at.as_ms().div_euclid(retry);
            let of = |span| of_timeless(identity, &receipt.source, body, span);
            Filing {
                identity: of(span),
                earlier: Some(of(span - 1)),
            }
        }
        _ => Filing::of(item),
    }
}

/// The record that an item is about, where the item says when it happened: without a time nothing
/// can be late.
fn record(receipt: &Receipt, item: &Item) -> Option<(i64, Timestamp)> {
    let Item::Notification(notification) = item else {
        return None;
    };
    let at = notification.happened.in_order(receipt.received_at)?;
    Some((key(&notification.realm, &notification.entity), at))
}

fn twins(receipt: &Receipt, item: &Item) -> Vec<Identity> {
    match item {
        Item::Notification(notification) if receipt.origin == Origin::Webhook => {
            captured_twins(notification)
        }
        _ => Vec::new(),
    }
}

/// 64 bits that stand for company, kind (in any case) and id. Part of the file's format.
pub(super) fn key(realm: &RealmId, entity: &EntityRef) -> i64 {
    let digest = Sha256::new()
        .chain_update(realm.as_str())
        .chain_update([0])
        .chain_update(entity.kind.to_lowercase())
        .chain_update([0])
        .chain_update(&entity.id)
        .finalize();
    i64::from_be_bytes(first(digest.as_slice()))
}

fn first<const COUNT: usize>(digest: &[u8]) -> [u8; COUNT] {
    let mut first = [0; COUNT];
    first
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = *from);
    first
}
