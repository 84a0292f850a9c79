//! A receipt made ready for the writer: everything computed that does not need the database.
//!
//! Called by the handle, in the caller's task, so that the one writer's time goes into writing.

use super::known::Record;
use crate::model::{EntityRef, Identity, Item, Origin, RealmId, Receipt};
use crate::wire::identity::captured_twins;
use sha2::{Digest, Sha256};

/// A receipt on its way to the writer.
#[derive(Debug)]
pub(super) struct Incoming {
    /// As it came.
    pub receipt: Receipt,
    /// Its headers as JSON.
    pub headers: String,
    /// Digest of its body.
    pub digest: [u8; 16],
    /// The record that each item is about, with the item's own time; `None` where there is none.
    pub records: Vec<Option<Record>>,
    /// The identities under which a reading would have told each item.
    pub twins: Vec<Vec<Identity>>,
}

impl Incoming {
    /// Computes what does not need the database.
    pub(super) fn new(receipt: Receipt) -> Self {
        let pairs = receipt
            .headers
            .iter()
            .map(|(name, value)| vec![name.as_str(), value.as_str()]);
        Self {
            headers: serde_json::Value::from_iter(pairs).to_string(),
            digest: digest(&receipt.body),
            records: receipt.items.iter().map(record).collect(),
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

/// The record that an item is about, where the item says when it happened: without a time nothing
/// can be late.
fn record(item: &Item) -> Option<Record> {
    let Item::Notification(notification) = item else {
        return None;
    };
    let newest_at = notification.happened.at?;
    Some(Record {
        key: key(&notification.realm, &notification.entity),
        newest_at,
    })
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
