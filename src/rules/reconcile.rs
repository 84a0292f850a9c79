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
    // The token says nothing about it: a linked transaction moves `LastUpdatedTime` and leaves the
    // token at 0 for years.
    let is_young = || {
        matches!((record.created_at, record.updated.at), (Some(created), Some(updated))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntityRef, EventTime};

    const CONNECTED: i64 = 100;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_ms(second * 1000)
    }

    /// `live 3 @120`: state, token and time; `-` where there is none.
    fn record(words: &str) -> Record {
        let [state, token, time] = words.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{words}");
        };
        let seconds = time.trim_start_matches('@').parse().ok();
        Record {
            entity: EntityRef {
                kind: "Invoice".into(),
                id: "130".into(),
            },
            sync_token: (token != "-").then(|| token.to_owned()),
            created_at: Some(at(50)),
            updated: EventTime {
                text: time.to_owned(),
                at: seconds.map(at),
            },
            state: match state {
                "live" => RecordState::Live,
                "voided" => RecordState::Voided,
                "deleted" => RecordState::Deleted,
                _ => panic!("{state}"),
            },
            body: "{}".into(),
        }
    }

    /// What is held: `3 @120`, with `gone@130`, `absent@130` or `voided` behind it; `` for nothing.
    fn held(words: &str) -> Option<Held> {
        let mut words = words.split(' ').filter(|word| !word.is_empty());
        let token = words.next()?;
        let time = words.next()?.trim_start_matches('@');
        let mut held = Held {
            sync_token: (token != "-").then(|| token.to_owned()),
            updated_at: time.parse().ok().map(at),
            ..Held::default()
        };
        for word in words {
            match word.split_once('@') {
                Some((how, second)) => {
                    held.deletion = Some(Deletion {
                        at: at(second.parse().unwrap()),
                        is_absence: how == "absent",
                    });
                }
                None => held.voided = word == "voided",
            }
        }
        Some(held)
    }

    /// Told at a second with half a second more, as notifications have it; pending with a `?`.
    fn past(held_words: &str, told: &str) -> Past {
        let second: Option<i64> = told.trim_end_matches('?').parse().ok();
        Past {
            held: held(held_words),
            newest_told: second.map(|second| Timestamp::from_ms(second * 1000 + 500)),
            is_pending: told.ends_with('?'),
        }
    }

    fn said(verdict: &Verdict) -> String {
        match verdict {
            Verdict::News(operation) => operation.as_str().to_lowercase(),
            Verdict::Known => "known".into(),
            Verdict::Baseline => "baseline".into(),
        }
    }

    #[test]
    fn a_record_is_news_when_nobody_told_its_state() {
        let table = [
            // Held, told, read, verdict.
            ("", "", "live 3 @120", "update"),
            ("", "", "live 0 @120", "update"),
            ("", "", "live 0 @99", "baseline"),
            ("", "", "live 7 @-", "baseline"),
            ("", "", "voided 1 @120", "void"),
            ("", "", "deleted - @120", "delete"),
            ("", "", "deleted - @99", "baseline"),
            ("", "", "deleted - @-", "delete"),
            ("", "110", "live 0 @120", "update"),
            // What was notified is not news, as far as it goes.
            ("", "120", "live 3 @120", "known"),
            ("", "121", "live 3 @120", "known"),
            ("", "119", "live 3 @120", "update"),
            ("", "119?", "live 3 @120", "update"),
            ("3 @120", "", "live 3 @120", "known"),
            ("3 @120", "", "live 4 @121", "update"),
            ("3 @120", "", "live 3 @121", "update"),
            ("3 @120", "", "live 2 @119", "known"),
            ("3 @120", "", "voided 4 @121", "void"),
            ("3 @120 voided", "", "voided 4 @121", "update"),
            // Two states of one second.
            ("3 @120", "120", "live 4 @120", "update"),
            ("3 @120", "120?", "live 4 @120", "known"),
            ("3 @120", "120", "live 2 @120", "known"),
            ("3 @120", "121", "live 4 @120", "known"),
            ("3 @110", "120", "live 4 @120", "known"),
            ("10 @120", "120", "live 9 @120", "known"),
            ("9 @120", "120", "live 10 @120", "update"),
            // A deletion is told once, whatever the times.
            ("3 @120", "120", "deleted - @120", "delete"),
            ("3 @120", "130", "deleted - @125", "delete"),
            ("3 @120 gone@130", "130", "deleted - @131", "known"),
            ("3 @120 absent@130", "130", "deleted - @125", "known"),
            ("3 @120 gone@130", "140", "deleted - @150", "delete"),
            ("3 @120 gone@130", "140", "deleted - @135", "known"),
            // An inactive record of a name list was notified as deleted, and is read as it is.
            ("3 @120 gone@130", "130", "live 4 @130", "known"),
            ("3 @120 gone@130", "130", "live 3 @120", "known"),
            ("3 @120 gone@130", "130", "live 5 @140", "update"),
            // What only was missing and is there again is put right.
            ("3 @120 absent@130", "130", "live 3 @120", "update"),
            ("- @- absent@130", "130", "live - @-", "update"),
            ("- @-", "", "live - @-", "known"),
            ("3 @-", "", "live 4 @-", "update"),
        ];
        for (held, told, read, expected) in table {
            let verdict = judge(&record(read), &past(held, told), at(CONNECTED));
            assert_eq!(
                said(&verdict),
                expected,
                "held {held:?}, told {told:?}, {read}"
            );
        }
    }

    #[test]
    fn a_record_that_was_created_a_moment_before_its_last_change_is_told_as_created() {
        for (updated, token, expected) in [
            (50, "1", "create"),
            (52, "1", "create"),
            (53, "1", "update"),
        ] {
            let read = record(&format!("live {token} @{updated}"));
            assert_eq!(
                said(&judge(&read, &Past::default(), at(40))),
                expected,
                "{updated}"
            );
        }
    }

    #[test]
    fn what_was_read_is_held_and_nothing_older_takes_its_place() {
        let table = [
            ("", "live 3 @120", "3 @120"),
            ("", "live 3 @90", "3 @90"),
            ("", "live - @-", "- @-"),
            ("", "voided 3 @120", "3 @120 voided"),
            ("", "deleted - @120", "- @- gone@120"),
            ("", "deleted - @-", "- @- gone@999"),
            ("3 @120", "live 4 @121", "4 @121"),
            ("3 @120", "live 2 @119", "3 @120"),
            ("3 @120", "live 2 @120", "3 @120"),
            ("3 @120", "live 4 @120", "4 @120"),
            ("3 @120", "live - @-", "3 @120"),
            ("3 @120 voided", "live 4 @121", "4 @121"),
            ("3 @120", "deleted - @130", "3 @120 gone@130"),
            ("3 @120 gone@130", "deleted - @131", "3 @120 gone@130"),
            ("3 @120 absent@130", "deleted - @125", "3 @120 gone@125"),
            ("3 @120 gone@130", "live 4 @130", "4 @130 gone@130"),
            ("3 @120 gone@130", "live 4 @131", "4 @131"),
            ("3 @120 absent@130", "live 3 @120", "3 @120"),
        ];
        for (before, read, expected) in table {
            let (read, past) = (record(read), past(before, "130"));
            let verdict = judge(&read, &past, at(CONNECTED));
            let after = hold(&read, &past, &verdict, at(999));
            assert_eq!(Some(after), held(expected), "{before:?} {read:?}");
        }
    }

    #[test]
    fn a_notified_deletion_was_told_unless_something_newer_was() {
        for (before, told, expected) in [
            ("", "", false),
            ("3 @120", "120", false),
            ("3 @120 gone@130", "130", true),
            ("3 @120 absent@130", "130", true),
            ("3 @120 gone@130", "131", false),
        ] {
            let past = past(before, told);
            let is_told = is_deletion_told(past.held.as_ref(), past.newest_told);
            assert_eq!(is_told, expected, "{before:?} {told:?}");
        }
    }

    #[test]
    fn a_record_rides_along_with_what_it_is_not_older_than() {
        let table = [
            ("live 3 @120", Operation::Update, 120, true),
            ("live 3 @118", Operation::Update, 120, true),
            ("live 3 @117", Operation::Update, 120, false),
            ("live 3 @130", Operation::Emailed, 120, true),
            ("live 3 @120", Operation::Delete, 120, true),
            ("deleted - @120", Operation::Delete, 120, true),
            ("deleted - @130", Operation::Update, 120, false),
        ];
        for (read, operation, happened, expected) in table {
            let rides = rides_along(&record(read), &operation, Some(at(happened)));
            assert_eq!(rides, expected, "{read} {operation:?}");
        }
        assert!(rides_along(
            &record("live 3 @120"),
            &Operation::Update,
            None
        ));
        let only_an_id = Record {
            body: String::new(),
            ..record("live - @-")
        };
        assert!(!rides_along(&only_an_id, &Operation::Update, Some(at(1))));
    }
}
