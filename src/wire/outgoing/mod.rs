//! What leaves the relay: bodies in the three formats, their signatures, and the ids they go under.
//!
//! Called by the sinks. The same delivery always gives the same bytes; only the signature of
//! Standard Webhooks depends on the time of the attempt, and that time is an argument. No body has a
//! line break in it, so that a file of them has one a line.

pub mod cloud_event;
pub mod open_connectors;
pub mod standard_webhooks;

use super::digest::{first, hmac_sha256, sha256};
use crate::model::{Delivery, Identity, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;
use serde_json::value::RawValue;

/// The id under which a delivery is posted: [`delivery_id`], followed by a digest of the records that
/// ride along. The record of a change may become known between two attempts, or before a replay; then
/// it is another body, and a receiver that keeps what it answered to an id must not take it for the
/// same. Same id, same bytes; the ids of the events stay.
pub fn message_id(delivery: &Delivery) -> String {
    let id = delivery_id(delivery);
    let records = delivery
        .changes
        .iter()
        .map(|change| change.record.as_deref());
    let records: Vec<&[u8]> = records
        .map(|record| record.unwrap_or_default().as_bytes())
        .collect();
    if records.iter().all(|record| record.is_empty()) {
        return id;
    }
    let digest = Identity(first(&sha256("qbo-relay records", &records)));
    format!("{id}_{}", digest.to_hex())
}

/// The id of what is delivered, the same over all its attempts: the
/// [`ChangeId`](crate::model::ChangeId) of a single change, or for several `batch_` and 32 hexadecimal
/// digits over all their ids, so that two deliveries with other contents never share one.
pub fn delivery_id(delivery: &Delivery) -> String {
    if let [change] = delivery.changes.as_slice() {
        return change.id.0.clone();
    }
    let ids: Vec<&[u8]> = delivery
        .changes
        .iter()
        .map(|change| change.id.0.as_bytes())
        .collect();
    let digest = Identity(first(&sha256("qbo-relay batch", &ids)));
    format!("batch_{}", digest.to_hex())
}

/// The value of `Elements-Webhook-Signature`: `sha256=` and the base64 of HMAC-SHA256 over the body;
/// the key is taken as it is, not decoded. Source: Cloud Elements' documentation of hash verification.
pub fn elements_signature(key: &Secret, body: &[u8]) -> String {
    let tag = hmac_sha256(key, &[body]).finalize();
    format!("sha256={}", STANDARD.encode(tag.into_bytes()))
}

/// JSON text to be embedded verbatim but for its line breaks, which are no part of any value; `None`
/// when it is not JSON.
fn embed(json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(json.replace(['\n', '\r'], " ")).ok()
}

#[cfg(test)]
mod tests;
