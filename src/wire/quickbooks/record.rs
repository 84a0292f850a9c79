//! One record of an answer.

use crate::model::{EntityRef, EventTime, Record, RecordState, Timestamp};
use crate::wire::incoming::field;
use crate::wire::instant;
use crate::wire::json::{self, Key};
use serde_json::value::RawValue;

/// The record that the text is.
///
/// A tombstone has an id, `status` and a time only. A voided transaction is marked by nothing but
/// an amount of 0 and a note that begins with `Voided` (a recorded answer), or by a `status`, which
/// Intuit's schema allows. The text is kept byte for byte, so any ordinary JSON reader has to
/// be able to read it.
///
/// # Errors
/// What is wrong with it, without its content.
pub(super) fn read(kind: &str, text: &str) -> Result<Record, String> {
    let keys = [
        "Id",
        "SyncToken",
        "status",
        "MetaData",
        "TotalAmt",
        "Amount",
        "PrivateNote",
    ];
    let [id, token, status, meta, total, amount, note] = json::fields(text, keys.map(Key::Exact))?;
    json::check_readable(text)?;
    let meta = meta.map_or("{}", RawValue::get);
    let times = ["CreateTime", "LastUpdatedTime"].map(Key::Exact);
    let [created, updated] = match meta {
        "null" => [None; 2],
        meta => json::fields(meta, times).map_err(|why| format!("MetaData: {why}"))?,
    };
    let optional = |value, at| field::optional(value, at).map_err(|fault| explain(&fault));
    let status = optional(status, "status")?.unwrap_or_default();
    let updated = optional(updated, "MetaData.LastUpdatedTime")?.unwrap_or_default();
    let created = optional(created, "MetaData.CreateTime")?;
    let state = if status.eq_ignore_ascii_case("Deleted") {
        RecordState::Deleted
    } else if status.eq_ignore_ascii_case("Voided")
        || (is_zero(total.or(amount)) && begins_with_voided(note))
    {
        RecordState::Voided
    } else {
        RecordState::Live
    };
    Ok(Record {
        entity: EntityRef {
            kind: kind.to_owned(),
            id: field::id(id, "Id").map_err(|fault| explain(&fault))?,
        },
        sync_token: optional(token, "SyncToken")?,
        created_at: created.and_then(|text| instant::parse(&text)),
        updated: EventTime {
            at: instant::parse(&updated),
            text: updated,
        },
        state,
        body: text.to_owned(),
    })
}

/// When an answer was made: RFC 3339 from the service, epoch milliseconds from the gateway.
pub(super) fn read_time(value: Option<&RawValue>) -> Option<Timestamp> {
    instant::parse(&json::text(value?).ok()??)
}

fn is_zero(amount: Option<&RawValue>) -> bool {
    amount.is_some_and(|amount| amount.get().parse() == Ok(0.0))
}

fn begins_with_voided(note: Option<&RawValue>) -> bool {
    let text = note.and_then(|note| json::text(note).ok().flatten());
    text.is_some_and(|text| text.starts_with("Voided"))
}

fn explain(fault: &field::Fault) -> String {
    format!("{}: {}", fault.at, fault.why)
}
