//! What clients that do not sign hold of the journal, each of them: the bytes of their receipts.
//!
//! Each has a share, and all together half of the budget, so that no client can use up the room of what
//! is signed. A client that comes near its share makes room for itself: its own finished receipts go
//! first, and before any that is signed.

use super::Error;
use super::admission::Scopes;
use super::error::Failure;
use super::incoming::Incoming;
use super::retention::{self, Old};
use super::rows::number;
use crate::model::SourceScope;
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Receipts that one step looks at.
const STEP: usize = 128;

/// Parts of the budget, of a hundred, that all of them may hold together.
const ALL_PERCENT: u64 = 50;

/// What a receipt `r` holds, of which `v` says that nobody signed it.
const HELD: &str = "SELECT r.verifier AS source, octet_length(r.body) + octet_length(r.headers) \
    + 512 * r.items + 256 AS bytes FROM receipt r JOIN provenance v ON v.receipt = r.seq \
    WHERE v.authenticity IN ('credential', 'address')";

/// How far the ways through the receipts have come: of each source, and of all (empty).
#[derive(Debug, Default)]
pub(super) struct Sweeps(HashMap<String, i64>);

/// Which source should make room for itself, and how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Crowded {
    pub(super) source: String,
    pub(super) bytes: u64,
}

/// A source's room.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Room {
    /// There is some.
    Enough,
    /// There is some, but it should make more.
    Scarce(Crowded),
    /// There is none; it should make some.
    None(Crowded),
}

/// Refuses a receipt that goes beyond the share of its source; near it, `crowded` says who should make
/// room.
pub(super) fn admit(
    connection: &Connection,
    scopes: &Scopes,
    incoming: &Incoming,
    bytes_max: u64,
    crowded: &mut Option<Crowded>,
) -> Result<(), Failure> {
    let source = &incoming.receipt.source;
    let scope = scopes.of(source);
    let room = room(connection, (source, &scope), incoming.bytes(), bytes_max)?;
    match room {
        Room::Enough => Ok(()),
        Room::Scarce(it) => {
            *crowded = Some(it);
            Ok(())
        }
        Room::None(it) => {
            *crowded = Some(it);
            Err(Error::Share.into())
        }
    }
}

/// Whether there is room for so many bytes more of a source, of a budget of `bytes_max`.
fn room(
    connection: &Connection,
    (source, scope): (&str, &SourceScope),
    bytes: u64,
    bytes_max: u64,
) -> rusqlite::Result<Room> {
    let (own, all): (i64, i64) = connection
        .prepare_cached(
            "SELECT ifnull(sum(bytes) FILTER (WHERE source = ?1), 0), ifnull(sum(bytes), 0) FROM held",
        )?
        .query_row([source], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let percent = |percent: u64| bytes_max / 100 * percent;
    let (share, common) = (
        percent(u64::from(scope.journal_share)),
        percent(ALL_PERCENT),
    );
    let own = own.max(0).cast_unsigned();
    let all = all.max(0).cast_unsigned();
    // Down to three quarters of what it may hold.
    let crowded = |excess: u64| Crowded {
        source: source.to_owned(),
        bytes: excess.saturating_add(share / 4),
    };
    if own.saturating_add(bytes) > share {
        return Ok(Room::None(crowded(own.saturating_add(bytes) - share)));
    }
    if all.saturating_add(bytes) > common {
        return Ok(Room::None(crowded(all.saturating_add(bytes) - common)));
    }
    if own > share / 8 * 7 {
        return Ok(Room::Scarce(crowded(0)));
    }
    Ok(Room::Enough)
}

/// Counts a receipt that was stored.
pub(super) fn add(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO held (source, bytes) {HELD} AND r.seq = ?1 \
             ON CONFLICT (source) DO UPDATE SET bytes = bytes + excluded.bytes"
        ))?
        .execute([seq])?;
    Ok(())
}

/// Counts a receipt that is about to be deleted.
pub(super) fn subtract(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "UPDATE held SET bytes = held.bytes - h.bytes FROM ({HELD} AND r.seq = ?1) AS h \
             WHERE held.source = h.source"
        ))?
        .execute([seq])?;
    Ok(())
}

/// Counts all of them.
pub(super) fn count_again(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "DELETE FROM held; INSERT INTO held (source, bytes) \
         SELECT source, sum(bytes) FROM ({HELD}) GROUP BY source"
    ))
}

/// One step: deletes finished receipts of a source, or of all (`None`), oldest first, until so many
/// bytes are free. How many were.
pub(super) fn relieve(
    connection: &Connection,
    sweeps: &mut Sweeps,
    source: Option<&str>,
    bytes: u64,
) -> rusqlite::Result<u64> {
    let after = sweeps
        .0
        .entry(source.unwrap_or_default().to_owned())
        .or_default();
    let old: Vec<i64> = connection
        .prepare_cached(
            "SELECT v.receipt FROM provenance v JOIN receipt r ON r.seq = v.receipt \
             WHERE v.receipt > ?1 AND v.authenticity IN ('credential', 'address') \
             AND r.verifier = ifnull(?2, r.verifier) ORDER BY v.receipt LIMIT ?3",
        )?
        .query_map(params![*after, source, number(STEP)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let floors = retention::floors(connection)?;
    let (mut freed, mut looked) = (0, 0);
    for seq in &old {
        if freed >= bytes {
            break;
        }
        (*after, looked) = (*seq, looked + 1);
        if let Some(old) = retention::old(connection, *seq)?
            && retention::is_finished(connection, &old, &floors, false)?
        {
            freed += Old::bytes(&old);
            retention::delete(connection, &old)?;
        }
    }
    if looked < STEP && looked == old.len() {
        *after = 0;
    }
    Ok(freed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a source holds.
    fn held(connection: &Connection, source: &str) -> i64 {
        let sql = "SELECT ifnull(sum(bytes), 0) FROM held WHERE source = ?1";
        connection
            .query_row(sql, [source], |row| row.get(0))
            .unwrap()
    }

    fn tables() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for step in super::super::migrate::STEPS {
            connection.execute_batch(step).unwrap();
        }
        connection
    }

    /// A finished receipt of this source, of 1000 bytes in all.
    fn store(connection: &Connection, seq: i64, source: &str, word: &str) {
        connection
            .execute(
                "INSERT INTO receipt (seq, received_at, verifier, items, first_change, changes, \
                 unreadable, headers, digest, body) \
                 VALUES (?1, ?1, ?2, 0, 1, 0, 0, '', x'', zeroblob(744))",
                params![seq, source],
            )
            .unwrap();
        let provenance =
            "INSERT INTO provenance (receipt, authenticity, encoding) VALUES (?1, ?2, 'json')";
        connection.execute(provenance, params![seq, word]).unwrap();
        add(connection, seq).unwrap();
    }

    #[test]
    fn what_a_source_holds_is_counted_and_bounded() {
        let connection = tables();
        let scope = SourceScope::default();
        let room = |source, bytes| room(&connection, (source, &scope), bytes, 100_000).unwrap();
        for seq in 1..=21 {
            store(&connection, seq, "till", "address");
        }
        store(&connection, 22, "production", "signed");
        assert_eq!(
            (held(&connection, "till"), held(&connection, "production")),
            (21_000, 0)
        );
        assert_eq!(room("till", 1_000), Room::Enough);
        store(&connection, 23, "till", "credential");
        assert!(matches!(room("till", 1_000), Room::Scarce(_)));
        for seq in 24..=26 {
            store(&connection, seq, "till", "address");
        }
        assert!(matches!(room("till", 1_000), Room::None(_)));
        assert_eq!(room("other", 1_000), Room::Enough);
        // All together have half.
        for seq in 30..55 {
            store(&connection, seq, "other", "address");
        }
        assert!(matches!(room("third", 1_000), Room::None(_)));
        count_again(&connection).unwrap();
        assert_eq!(held(&connection, "till"), 25_000);
    }

    #[test]
    fn a_source_makes_room_for_itself_and_what_is_signed_stays() {
        let connection = tables();
        for seq in 1..=300 {
            let (source, word) = match seq % 3 {
                0 => ("till", "address"),
                1 => ("other", "credential"),
                _ => ("production", "signed"),
            };
            store(&connection, seq, source, word);
        }
        let mut sweeps = Sweeps::default();
        let freed = relieve(&connection, &mut sweeps, Some("till"), 9_500).unwrap();
        assert_eq!(freed, 10_000);
        assert_eq!(
            (held(&connection, "till"), held(&connection, "other")),
            (90_000, 100_000)
        );
        let freed = relieve(&connection, &mut sweeps, None, u64::MAX).unwrap();
        assert_eq!(freed, 128_000);
        assert_eq!(
            relieve(&connection, &mut sweeps, None, u64::MAX).unwrap(),
            62_000
        );
        let left: i64 = connection
            .query_row("SELECT count(*) FROM receipt", (), |row| row.get(0))
            .unwrap();
        assert_eq!(left, 100);
    }
}
