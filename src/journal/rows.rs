//! Rows to words: the one place that knows how a model type lies in a column.

use crate::model::{
    Authenticity, Change, ChangeId, ChangeSeq, EntityRef, EventTime, Identity, LaneState,
    Notification, Operation, Origin, RealmId, Seq, Timestamp,
};
use crate::wire::identity::{change_id, content};
use rusqlite::Row;
use rusqlite::types::Type;

/// The columns that [`change`] reads, of `change` as `c`, `realm` as `m`, `receipt` as `r` and
/// `provenance` as `v`.
pub(super) const CHANGE: &str = "c.seq, c.receipt, m.name, c.sequence, c.kind, c.entity, \
    c.operation, c.happened, c.happened_at, c.deleted_id, c.event_type, c.sender_id, c.data, \
    c.origin, c.late, c.conflicting, c.identity, c.content, r.received_at, v.authenticity, \
    c.ordinal, c.seal, \
    (SELECT ifnull(max(e.number), 0) FROM epoch e WHERE e.base < c.seq), c.confirms";

/// How many they are.
pub(super) const CHANGE_COLUMNS: usize = 24;

/// What `change c` is joined with for them.
pub(super) const CHANGE_JOINED: &str = "JOIN realm m ON m.id = c.realm JOIN receipt r ON r.seq = c.receipt \
     LEFT JOIN provenance v ON v.receipt = c.receipt";

/// What a row of `change` says beside its content, for a checksum by which damage is known.
pub(super) struct Seal {
    /// `seq`, `receipt`, `ordinal` and `sequence`.
    pub(super) numbers: [i64; 4],
    pub(super) origin: Origin,
    /// `late` and `conflicting`.
    pub(super) marks: [bool; 2],
    pub(super) happened_at: Option<i64>,
    pub(super) identity: Identity,
    pub(super) content: u64,
    pub(super) confirms: Option<Identity>,
}

impl Seal {
    /// The checksum; part of the file's format.
    pub(super) fn of_row(&self) -> i64 {
        let mut said = Vec::with_capacity(96);
        for number in self.numbers {
            said.extend(number.to_be_bytes());
        }
        said.extend(self.identity.0);
        said.extend(self.content.to_be_bytes());
        said.extend(self.marks.map(u8::from));
        said.extend(self.happened_at.unwrap_or(i64::MIN).to_be_bytes());
        said.extend(self.origin.as_str().bytes());
        said.extend(self.confirms.iter().flat_map(|id| id.0));
        seal_of_text(&said)
    }
}

/// The checksum of a text that is kept with a change: FNV-1a, 64 bits. Against damage, not against a
/// person: every step is reversible, so that no damage to one byte goes unnoticed, and it costs a
/// tenth of a cryptographic digest.
pub(super) fn seal_of_text(text: &[u8]) -> i64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(PRIME);
    text.iter().fold(BASIS, step).cast_signed()
}

/// A change from a row that begins with [`CHANGE`]; its record is filled in where it is wanted. What
/// is not what was written is refused: it would leave under a wrong name.
pub(super) fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let change = unchecked(row)?;
    let seal: Option<i64> = row.get(21)?;
    let notification = &change.notification;
    let expected = Seal {
        numbers: [
            change.seq.0,
            change.receipt.0,
            row.get(20)?,
            change.sequence.cast_signed(),
        ],
        origin: change.origin,
        marks: [change.late, change.conflicting],
        happened_at: notification.happened.at.map(Timestamp::as_ms),
        identity: notification.identity,
        content: notification.content,
        confirms: row.get::<_, Option<[u8; 16]>>(23)?.map(Identity),
    };
    if notification.content != content(notification)
        || seal.is_some_and(|seal| seal != expected.of_row())
    {
        return Err(strange(17, "digest"));
    }
    Ok(change)
}

fn unchecked(row: &Row<'_>) -> rusqlite::Result<Change> {
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
        confirms: row
            .get::<_, Option<[u8; 16]>>(23)?
            .map(|id| ChangeId(Identity(id).to_hex())),
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
        epoch: row.get::<_, i64>(22)?.cast_unsigned(),
        record: None,
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
