//! Rows to words: the one place that knows how a model type lies in a column.

use crate::model::{
    Authenticity, Change, ChangeSeq, EntityRef, EventTime, Identity, LaneState, Notification,
    Operation, Origin, RealmId, Seq, Timestamp,
};
use crate::wire::identity::change_id;
use rusqlite::Row;
use rusqlite::types::Type;

/// The columns that [`change`] reads, of `change` as `c`, `realm` as `m`, `receipt` as `r`,
/// `provenance` as `v` and `fetched` as `f`.
pub(super) const CHANGE: &str = "c.seq, c.receipt, m.name, c.sequence, c.kind, c.entity, \
    c.operation, c.happened, c.happened_at, c.deleted_id, c.event_type, c.sender_id, c.data, \
    c.origin, c.late, c.conflicting, c.identity, c.content, r.received_at, v.authenticity, f.body";

/// How many they are.
pub(super) const CHANGE_COLUMNS: usize = 21;

/// What `change c` is joined with for them.
pub(super) const CHANGE_JOINED: &str = "JOIN realm m ON m.id = c.realm JOIN receipt r ON r.seq = c.receipt \
     LEFT JOIN provenance v ON v.receipt = c.receipt LEFT JOIN fetched f ON f.change = c.seq";

/// A change from a row that begins with [`CHANGE`].
pub(super) fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let realm: String = row.get(2)?;
    let operation: String = row.get(6)?;
    let origin: String = row.get(13)?;
    let conflicting: bool = row.get(15)?;
    let identity = Identity(row.get(16)?);
    let content = row.get::<_, i64>(17)?.cast_unsigned();
    Ok(Change {
        seq: ChangeSeq(row.get(0)?),
        id: change_id(identity, content, conflicting),
        receipt: Seq(row.get(1)?),
        sequence: row.get::<_, i64>(3)?.cast_unsigned(),
        origin: Origin::parse(&origin).ok_or_else(|| strange(13, "origin"))?,
        authenticity: authenticity(row, 19)?,
        received_at: Timestamp::from_ms(row.get(18)?),
        late: row.get(14)?,
        conflicting,
        notification: Notification {
            realm: RealmId::new(realm).ok_or_else(|| strange(2, "company"))?,
            entity: EntityRef {
                kind: row.get(4)?,
                id: row.get(5)?,
            },
            operation: Operation::parse(&operation),
            happened: EventTime {
                text: row.get(7)?,
                at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_ms),
            },
            deleted_id: row.get(9)?,
            event_type: row.get(10)?,
            sender_id: row.get(11)?,
            data: row.get(12)?,
            identity,
            content,
        },
        record: row.get(20)?,
    })
}

/// What speaks for a receipt, from a column of `provenance`: only what is not signed has a row.
pub(super) fn authenticity(row: &Row<'_>, column: usize) -> rusqlite::Result<Authenticity> {
    let word: Option<String> = row.get(column)?;
    word.map_or(Some(Authenticity::Signed), |word| {
        Authenticity::parse(&word)
    })
    .ok_or_else(|| strange(column, "authenticity"))
}

/// The state of a lane or a replay from four columns, from `first` on: attempts, first_attempt_at,
/// next_attempt_at, last_failure.
pub(super) fn lane_state(row: &Row<'_>, first: usize) -> rusqlite::Result<LaneState> {
    let instant = |column| -> rusqlite::Result<_> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_ms))
    };
    Ok(LaneState {
        attempts: row.get(first)?,
        first_attempt_at: instant(first + 1)?,
        next_attempt_at: instant(first + 2)?,
        last_failure: row.get(first + 3)?,
    })
}

/// A value that no version of this program writes.
pub(super) fn strange(column: usize, what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
}

/// A count as SQLite stores it.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
