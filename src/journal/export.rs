//! A journal as JSON lines, one receipt a line: to look into with other tools, to keep, to send in.
//!
//! It holds what arrived or was read, and what was understood of it. It never holds a secret: tokens
//! are stored sealed, and are not read here at all.

use super::Error;
use super::inspect::{Fate, Filter, Inspection, ListedChange, Shown};
use crate::model::Authenticity;
use crate::model::printable::printable_json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Write;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] Error),
    /// The lines could not be written.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
}

impl Inspection {
    /// Writes every receipt that the filter lets through, oldest first; returns how many.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export(&self, filter: &Filter, to: &mut dyn Write) -> Result<u64, ExportError> {
        let mut lines = 0;
        self.each(filter, |shown| {
            writeln!(to, "{}", printable_json(&shown.to_json().to_string()))?;
            lines += 1;
            Ok::<(), ExportError>(())
        })?;
        Ok(lines)
    }
}

impl Shown {
    /// The receipt as one JSON object; the body as text (`body`) where it is UTF-8, else as
    /// `body_base64`.
    pub fn to_json(&self) -> Value {
        let listed = &self.listed;
        let mut object = json!({
            "seq": listed.seq.0,
            "received_at": listed.received_at.to_string(),
            "verifier": listed.source,
            "authenticity": listed.authenticity.as_str(),
            "encoding": listed.encoding.as_str(),
            "form": listed.form.map(crate::model::Form::as_str),
            "headers": self.headers,
            "items": listed.items,
            "repeats": listed.repeats,
            "last_repeat_at": listed.last_repeat_at.map(|at| at.to_string()),
            "body_is_intact": self.body_is_intact,
            "changes": listed.changes.iter().map(change).collect::<Vec<_>>(),
            "repeated": listed.repeated.iter().map(|(ordinal, of)| json!({
                "ordinal": ordinal, "of": of.0,
            })).collect::<Vec<_>>(),
            "unreadable": listed.unreadable.iter().map(|entry| json!({
                "ordinal": entry.ordinal,
                "at": entry.at,
                "why": entry.why,
                "discarded_at": entry.discarded_at.map(|at| at.to_string()),
            })).collect::<Vec<_>>(),
        });
        let (name, body) = match std::str::from_utf8(&self.body) {
            Ok(text) => ("body", text.to_owned()),
            Err(_) => ("body_base64", STANDARD.encode(&self.body)),
        };
        if let Some(fields) = object.as_object_mut() {
            fields.insert(name.to_owned(), Value::String(body));
        }
        object
    }
}

fn change(listed: &ListedChange) -> Value {
    let change = &listed.change;
    let notification = &change.notification;
    json!({
        "seq": change.seq.0,
        "id": change.id.0,
        "ordinal": listed.ordinal,
        "realm": notification.realm.as_str(),
        "sequence": change.sequence,
        "entity": notification.entity.kind,
        "entity_id": notification.entity.id,
        "operation": notification.operation.as_str(),
        "happened": notification.happened.text,
        "happened_at": notification.happened.at.map(|at| at.to_string()),
        "deleted_id": notification.deleted_id,
        "type": notification.event_type,
        "sender_id": notification.sender_id,
        "data": notification.data,
        "origin": change.origin.as_str(),
        "record": change.record.as_deref().filter(|_| change.authenticity != Authenticity::Fetched),
        "late": change.late,
        "conflicting": change.conflicting,
        "future": change.is_ahead(),
        "confirms": change.confirms.as_ref().map(|id| &id.0),
        "sinks": listed.fates.iter().map(|(sink, state)| fate(sink.as_str(), state)).collect::<Vec<_>>(),
        "replays": listed.replays.iter().map(|replay| json!({
            "sink": replay.sink.as_str(),
            "requested_at": replay.requested_at.to_string(),
            "attempts": replay.state.attempts,
            "last_failure": replay.state.last_failure,
            "done_at": replay.done_at.map(|at| at.to_string()),
            "cancelled": replay.cancelled,
        })).collect::<Vec<_>>(),
    })
}

fn fate(sink: &str, fate: &Fate) -> Value {
    match fate {
        Fate::Waiting(None) => json!({"sink": sink, "state": "pending"}),
        Fate::Waiting(Some(state)) => json!({
            "sink": sink,
            "state": "pending",
            "attempts": state.attempts,
            "next_attempt_at": state.next_attempt_at.map(|at| at.to_string()),
            "last_failure": state.last_failure,
        }),
        Fate::Delivered => json!({"sink": sink, "state": "delivered"}),
        Fate::Dead {
            at,
            reason,
            replayed_at,
            discarded_at,
        } => json!({
            "sink": sink,
            "state": "dead",
            "died_at": at.to_string(),
            "reason": reason,
            "replayed_at": replayed_at.map(|at| at.to_string()),
            "discarded_at": discarded_at.map(|at| at.to_string()),
        }),
    }
}
