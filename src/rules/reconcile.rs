//! When a record that was read is news, and when it was told already.
//!
//! QuickBooks dates a record to the whole second and gives its state, not what happened to it; a
//! notification names what happened, and its time has a fraction or not. So instants are compared in
//! whole seconds here, and what stands in the journal decides: the last state that was read of the
//! record, the newest event of it that was told, and whether a notification of it still waits to be
//! reconciled. The journal asks, record by record, within the transaction that acts on the answers.
//! Whatever is wrong in one look is put right by the next: nothing is told twice, and the last state
//! is always told.

use crate::model::{Operation, Record, RecordState, Timestamp};
use std::time::Duration;

/// Between `CreateTime` and `LastUpdatedTime` of a record that was only just created; and how much
/// older than a notification a record may be to ride along with it.
const SLACK: Duration = Duration::from_secs(2);

/// What the journal holds of a record: its last state that was read, and whether it was deleted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Held {
    /// `SyncToken`.
    pub sync_token: Option<String>,
    /// `MetaData.LastUpdatedTime`.
    pub updated_at: Option<Timestamp>,
    /// It was read as voided.
    pub voided: bool,
    /// It was deleted: by a notification, a tombstone, or a complete list.
    pub deletion: Option<Deletion>,
    /// It was in a complete list.
    pub listed: bool,
}

/// That a record is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// When it went, or was found to be gone.
    pub at: Timestamp,
    /// Nobody said so: it was missing from a complete list.
    pub is_absence: bool,
}

/// What is known of a record when it is read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Past {
    /// What is held of it.
    pub held: Option<Held>,
    /// When the newest of its events happened that were told.
    pub newest_told: Option<Timestamp>,
    /// A notification of it waits to be reconciled.
    pub is_pending: bool,
}

/// What a record that was read is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nobody has told this state: it becomes a change with this operation.
    News(Operation),
    /// This state, or one that contains it, was told.
    Known,
    /// It is as it was before anything is told: where a comparison begins.
    Baseline,
}

/// Judges a record that was read. Of a record that is not held, what it was before `told_from` is
/// not told.
pub fn judge(record: &Record, past: &Past, told_from: Timestamp) -> Verdict {
    let is_tombstone = record.state == RecordState::Deleted;
    // A record without a time is old: only its being there was asked for.
    let since = record.updated.at.or(is_tombstone.then_some(told_from));
    if past.held.is_none() && is_after(Some(told_from), since) {
        return Verdict::Baseline;
    }
    let is_news = if is_tombstone {
        is_deletion_news(record, past)
    } else {
        is_state_news(record, past)
    };
    if is_news {
        Verdict::News(operation(record, past))
    } else {
        Verdict::Known
    }
}

/// A deletion is told once, whatever the times; again only when the record had come back since.
fn is_deletion_news(record: &Record, past: &Past) -> bool {
    match past.held.as_ref().and_then(|held| held.deletion) {
        None => true,
        Some(deletion) => {
            let back = past.newest_told.max(Some(deletion.at));
            is_after(back, Some(deletion.at)) && is_after(record.updated.at, back)
        }
    }
}

fn is_state_news(record: &Record, past: &Past) -> bool {
    let none = Held::default();
    let held = past.held.as_ref().unwrap_or(&none);
    if held.deletion.is_some_and(|deletion| deletion.is_absence) {
        return true;
    }
    let Some(read) = record.updated.at else {
        // Without a time only another token says that something changed.
        return is_token_news(record, held);
    };
    let deleted_at = held.deletion.map(|deletion| deletion.at);
    let told = past.newest_told.max(held.updated_at).max(deleted_at);
    if is_after(Some(read), told) {
        return true;
    }
    // Two states within one second differ by their tokens only, and which of them a notification
    // of that second meant is not known: one that waits is taken for it.
    let same =
        |other: Option<Timestamp>| other.map(Timestamp::as_seconds) == Some(read.as_seconds());
    same(told) && same(held.updated_at) && is_token_news(record, held) && !past.is_pending
}

/// Whether the token is another one, and not an older one: tokens count upwards.
fn is_token_news(record: &Record, held: &Held) -> bool {
    let (Some(read), Some(held)) = (&record.sync_token, &held.sync_token) else {
        return false;
    };
    match (read.parse::<u64>(), held.parse::<u64>()) {
        (Ok(read), Ok(held)) => read > held,
        _ => read != held,
    }
}

fn operation(record: &Record, past: &Past) -> Operation {
    let held = past.held.as_ref();
    let is_first = held.is_none() && past.newest_told.is_none();
    let is_young = || {
        let token = record.sync_token.as_deref();
        let (created, updated) = (record.created_at, record.updated.at);
        token == Some("0")
            || matches!((created, updated), (Some(created), Some(updated))
                if updated.since(created) <= SLACK)
    };
    match record.state {
        RecordState::Deleted => Operation::Delete,
        // A voided record can be edited once more.
        RecordState::Voided if !held.is_some_and(|held| held.voided) => Operation::Void,
        RecordState::Live if is_first && is_young() => Operation::Create,
        RecordState::Live | RecordState::Voided => Operation::Update,
    }
}

/// What is held of a record after it was read at `at` and judged.
pub fn hold(record: &Record, past: &Past, verdict: &Verdict, at: Timestamp) -> Held {
    let mut held = past.held.clone().unwrap_or_default();
    let is_news = matches!(verdict, Verdict::News(_));
    if record.state == RecordState::Deleted {
        // An absence that is confirmed is a deletion like any other.
        if is_news || held.deletion.is_none_or(|deletion| deletion.is_absence) {
            held.deletion = Some(Deletion {
                at: record.updated.at.unwrap_or(at),
                is_absence: false,
            });
        }
        return held;
    }
    let deleted_at = held.deletion.map(|deletion| deletion.at);
    if is_news || is_after(record.updated.at, deleted_at) {
        held.deletion = None;
    }
    let says_something = record.updated.at.is_some() || record.sync_token.is_some();
    if says_something && (is_news || !is_older(record, &held)) {
        held.sync_token.clone_from(&record.sync_token);
        held.updated_at = record.updated.at.or(held.updated_at);
        held.voided = record.state == RecordState::Voided;
    }
    held
}

/// Whether a record was read as it had been before: QuickBooks answers from copies that may be
/// behind.
fn is_older(record: &Record, held: &Held) -> bool {
    let number = |token: &Option<String>| token.as_ref()?.parse::<u64>().ok();
    match (record.updated.at, held.updated_at) {
        (read, before) if is_after(before, read) && read.is_some() => true,
        (read, before) if is_after(read, before) => false,
        _ => matches!((number(&record.sync_token), number(&held.sync_token)),
            (Some(read), Some(before)) if read < before),
    }
}

/// Whether a record that is held and missing from a complete list is news: its deletion was not
/// told yet.
pub fn is_absence_news(held: &Held) -> bool {
    held.deletion.is_none()
}

/// Whether a notified deletion was told already: the record is held as deleted, and nothing newer
/// was told of it since.
pub fn is_deletion_told(held: Option<&Held>, newest_told: Option<Timestamp>) -> bool {
    let deletion = held.and_then(|held| held.deletion);
    deletion.is_some_and(|deletion| !is_after(newest_told, Some(deletion.at)))
}

/// Whether a record rides along with a notified change of it: not when it is older than the change,
/// and a tombstone only with a deletion.
pub fn rides_along(record: &Record, operation: &Operation, happened: Option<Timestamp>) -> bool {
    let is_tombstone = record.state == RecordState::Deleted;
    let fits = !is_tombstone || *operation == Operation::Delete;
    let is_new_enough = match (record.updated.at, happened) {
        (Some(read), Some(happened)) => read.plus(SLACK).as_seconds() >= happened.as_seconds(),
        _ => true,
    };
    fits && is_new_enough && !record.body.is_empty()
}

/// Whether `one` lies in a later second than `other`; nothing is earlier than everything.
pub fn is_after(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    one.map(Timestamp::as_seconds) > other.map(Timestamp::as_seconds)
}
