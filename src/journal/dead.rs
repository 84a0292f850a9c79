//! Dead letters that still call for a person: which there are, by sink, company and time.
//!
//! Asked by `replay`, by who discards them, and by `inspect`. Looked through in short steps, however
//! many there are.

use super::rows::{self, CHANGE, CHANGE_COLUMNS, CHANGE_JOINED};
use crate::model::{Change, ChangeId, RealmId, SinkName, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

/// Dead letters that one step looks through.
const WINDOW: i64 = 4_000;

/// A place between dead letters, or between changes: after the letter of this change at this sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Number of the change; 0 is before the first.
    pub change: i64,
    /// Number of the sink.
    pub sink: i64,
}

impl Place {
    /// After a change and all its dead letters.
    pub(super) const fn after_change(change: i64) -> Self {
        let sink = i64::MAX;
        Self { change, sink }
    }
}

/// Which dead letters are meant; what is `None` does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeadFilter {
    /// Of one of these sinks, configured or not.
    pub sinks: Option<Vec<SinkName>>,
    /// With a change of this company.
    pub realm: Option<RealmId>,
    /// Of the event with this id.
    pub id: Option<ChangeId>,
    /// Given up at this instant or later.
    pub since: Option<Timestamp>,
    /// Given up before this instant.
    pub until: Option<Timestamp>,
}

/// A change that was given up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// The change.
    pub change: Change,
    /// Where it could not be delivered.
    pub sink: SinkName,
    /// Whether that sink is still configured.
    pub is_configured: bool,
    /// When it was given up.
    pub died_at: Timestamp,
    /// Why, in one sentence.
    pub reason: String,
}

/// A dead letter with the numbers of its sink and its company.
pub(super) struct Found {
    pub(super) letter: DeadLetter,
    pub(super) sink: i64,
    pub(super) realm: i64,
}

/// What one step found.
pub(super) struct Step {
    pub(super) found: Vec<Found>,
    /// Where the next step begins; `None` at the end.
    pub(super) next: Option<Place>,
}

impl DeadFilter {
    /// What of it the journal does not know at all, in one sentence.
    pub(super) fn unknown(&self, connection: &Connection) -> rusqlite::Result<Option<String>> {
        for sink in self.sinks.iter().flatten() {
            let is_known: bool = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM sink WHERE name = ?1)")?
                .query_row([sink.as_str()], |row| row.get(0))?;
            if !is_known {
                return Ok(Some(format!("the journal knows no sink named {sink}")));
            }
        }
        let Some(realm) = &self.realm else {
            return Ok(None);
        };
        let is_known: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM realm WHERE name = ?1)")?
            .query_row([realm.as_str()], |row| row.get(0))?;
        Ok((!is_known).then(|| {
            format!(
                "the journal knows no company {realm}; `qbo-relay journal list` shows their numbers"
            )
        }))
    }

    fn admits(&self, letter: &DeadLetter) -> bool {
        let sinks = self.sinks.as_ref();
        let realm = self.realm.as_ref();
        let id = self.id.as_ref();
        sinks.is_none_or(|sinks| sinks.contains(&letter.sink))
            && realm.is_none_or(|realm| *realm == letter.change.notification.realm)
            && id.is_none_or(|id| *id == letter.change.id)
            && self.since.is_none_or(|since| letter.died_at >= since)
            && self.until.is_none_or(|until| letter.died_at < until)
    }
}

/// Those after `after` that the filter admits, as many as one short step can look through.
pub(super) fn step(
    connection: &Connection,
    filter: &DeadFilter,
    after: Place,
) -> rusqlite::Result<Step> {
    let next = connection
        .prepare_cached(
            "SELECT change, sink FROM dead WHERE (change, sink) > (?1, ?2) \
             ORDER BY change, sink LIMIT 1 OFFSET ?3",
        )?
        .query_row((after.change, after.sink, WINDOW - 1), |row| {
            let (change, sink) = (row.get(0)?, row.get(1)?);
            Ok(Place { change, sink })
        })
        .optional()?;
    let end = next.unwrap_or(Place::after_change(i64::MAX));
    let sql = format!(
        "SELECT {CHANGE}, s.name, s.configured, d.died_at, d.reason, d.sink, c.realm FROM dead d \
         JOIN change c ON c.seq = d.change {CHANGE_JOINED} JOIN sink s ON s.id = d.sink \
         WHERE (d.change, d.sink) > (?1, ?2) AND (d.change, d.sink) <= (?3, ?4) \
         AND d.replayed_at IS NULL AND d.discarded_at IS NULL ORDER BY d.change, d.sink"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![after.change, after.sink, end.change, end.sink])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(CHANGE_COLUMNS)?;
        let letter = DeadLetter {
            change: rows::change(row)?,
            sink: SinkName::new(name).ok_or_else(|| rows::strange(CHANGE_COLUMNS, "sink"))?,
            is_configured: row.get(CHANGE_COLUMNS + 1)?,
            died_at: Timestamp::from_ms(row.get(CHANGE_COLUMNS + 2)?),
            reason: row.get(CHANGE_COLUMNS + 3)?,
        };
        if filter.admits(&letter) {
            found.push(Found {
                letter,
                sink: row.get(CHANGE_COLUMNS + 4)?,
                realm: row.get(CHANGE_COLUMNS + 5)?,
            });
        }
    }
    Ok(Step { found, next })
}
