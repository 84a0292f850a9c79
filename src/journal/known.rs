//! What was taken in before, and how new the newest event of each record was: the writer's index
//! over the table `seen`.
//!
//! It holds no identity and no record, only where to look: four bytes for each row that say "a row
//! like this may be there", and the row itself decides. So it can be wrong in one direction only,
//! and costs one read of the table when it is. Kept in memory because identities are random: as an
//! index of the database, each insertion would write a page of its own, the more the larger the
//! journal; the table itself is only ever written at its end.
//!
//! Rows that a transaction adds are known by their content until it is committed, so that a rollback
//! only has to forget them.

use crate::model::{Identity, Seq, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use std::collections::{HashMap, VecDeque};

/// Rows that one generation covers; the place of a row in it fits 16 bits, and 0 means "none".
const ROWS: u32 = 65_535;

/// Slots of one table: 320 KiB, at most four fifths of them taken.
const SLOTS: u32 = 81_920;

/// What is known of an identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// Digest of its content.
    pub content: u64,
    /// The receipt that brought it first; it may have been pruned.
    pub receipt: Seq,
    /// When it arrived.
    pub at: Timestamp,
    /// Nobody signed it.
    pub unsigned: bool,
}

/// What is known of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Newest {
    /// When the newest of its events happened that were signed or read.
    pub at: Option<Timestamp>,
    /// When the newest of all happened, for the order.
    pub ordered_at: Timestamp,
    /// The receipt that last told of it; it may have been pruned.
    pub receipt: Seq,
    /// The row that says so.
    row: i64,
}

/// A record by a digest of company, kind and id; and when the newest of its events happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// The digest.
    pub key: i64,
    /// The newest of its events that were signed or read, the one that is added included.
    pub newest_at: Option<Timestamp>,
    /// The newest of all.
    pub ordered_at: Timestamp,
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct Known {
    generations: VecDeque<Generation>,
    /// Number of the next row that is committed.
    next_row: i64,
    /// What the transaction under way adds.
    fresh_rows: Vec<Fresh>,
    fresh_identities: HashMap<Identity, Seen>,
    fresh_records: HashMap<i64, Newest>,
    /// The transaction under way deletes the rows up to this one.
    gone_through: Option<i64>,
}

/// A row that is not committed yet.
#[derive(Debug)]
struct Fresh {
    identity: Identity,
    /// Key of its record, and the row that spoke for that record before.
    record: Option<(i64, Option<i64>)>,
}

/// Consecutive rows.
#[derive(Debug)]
struct Generation {
    first_row: i64,
    rows: u32,
    identities: Table,
    records: Table,
}

/// An open hash table with linear probing. A slot is a tag of 16 bits and the place of a row in its
/// generation, from 1.
#[derive(Debug)]
struct Table(Vec<u32>);

impl Known {
    /// Reads the table.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut known = Self {
            next_row: 1,
            ..Self::default()
        };
        // The newest row of each record within the generation that is being filled.
        let mut speaking: HashMap<i64, i64> = HashMap::new();
        let mut statement =
            connection.prepare("SELECT row, identity, record FROM seen ORDER BY row")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            // Not always the one after: only a hand that edits the file leaves a hole.
            known.next_row = row.get(0)?;
            let key: Option<i64> = row.get(2)?;
            let number = known.next_row;
            let record = key.map(|key| (key, speaking.insert(key, number)));
            if known.insert(&Fresh {
                identity: Identity(row.get(1)?),
                record,
            }) {
                speaking.retain(|_, speaker| *speaker == number);
            }
        }
        Ok(known)
    }

    /// What is known of an identity, the transaction under way included.
    pub(super) fn look_up(
        &self,
        connection: &Connection,
        identity: Identity,
    ) -> rusqlite::Result<Option<Seen>> {
        if let Some(seen) = self.fresh_identities.get(&identity) {
            return Ok(Some(*seen));
        }
        for row in self.candidates(|generation| &generation.identities, spread(identity)) {
            let found = connection
                .prepare_cached(
                    "SELECT identity, content, receipt, at, unsigned IS NOT NULL FROM seen \
                     WHERE row = ?1",
                )?
                .query_row([row], |row| {
                    let seen = Seen {
                        content: row.get::<_, i64>(1)?.cast_unsigned(),
                        receipt: Seq(row.get(2)?),
                        at: Timestamp::from_ms(row.get(3)?),
                        unsigned: row.get(4)?,
                    };
                    Ok((Identity(row.get(0)?), seen))
                })
                .optional()?;
            if let Some((_, seen)) = found.filter(|(found, _)| *found == identity) {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// What is known of a record, the transaction under way included.
    pub(super) fn newest(
        &self,
        connection: &Connection,
        key: i64,
    ) -> rusqlite::Result<Option<Newest>> {
        if let Some(newest) = self.fresh_records.get(&key) {
            return Ok(Some(*newest));
        }
        // Each row holds the newest time up to itself, so the newest row of the record knows it.
        for row in self.candidates(|generation| &generation.records, key.cast_unsigned()) {
            let found = connection
                .prepare_cached(
                    "SELECT newest_at, ifnull(ordered_at, newest_at), receipt FROM seen \
                     WHERE row = ?1 AND record = ?2",
                )?
                .query_row((row, key), |found| {
                    Ok(Newest {
                        at: found.get::<_, Option<i64>>(0)?.map(Timestamp::from_ms),
                        ordered_at: Timestamp::from_ms(found.get(1)?),
                        receipt: Seq(found.get(2)?),
                        row,
                    })
                })
                .optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Adds a row to the transaction under way; returns the number that it must have. `before` is
    /// what was known of the record.
    pub(super) fn add(
        &mut self,
        identity: Identity,
        seen: Seen,
        record: Option<Record>,
        before: Option<Newest>,
    ) -> i64 {
        let place = i64::try_from(self.fresh_rows.len()).unwrap_or(i64::MAX);
        let row = self.next_row.saturating_add(place);
        self.fresh_identities.insert(identity, seen);
        if let Some(record) = record {
            self.fresh_records.insert(
                record.key,
                Newest {
                    at: record.newest_at,
                    ordered_at: record.ordered_at,
                    receipt: seen.receipt,
                    row,
                },
            );
        }
        let record = record.map(|record| (record.key, before.map(|before| before.row)));
        self.fresh_rows.push(Fresh { identity, record });
        row
    }

    /// The transaction under way deletes the rows up to this one.
    pub(super) fn forget_through(&mut self, row: i64) {
        self.gone_through = Some(row);
    }

    /// The transaction was committed.
    pub(super) fn committed(&mut self) {
        self.fresh_identities.clear();
        self.fresh_records.clear();
        for fresh in std::mem::take(&mut self.fresh_rows) {
            self.insert(&fresh);
        }
        let Some(row) = self.gone_through.take() else {
            return;
        };
        while let Some(oldest) = self.generations.front() {
            if oldest.first_row + i64::from(oldest.rows) > row + 1 {
                break;
            }
            self.generations.pop_front();
        }
    }

    /// The transaction was rolled back.
    pub(super) fn rolled_back(&mut self) {
        self.fresh_rows.clear();
        self.fresh_identities.clear();
        self.fresh_records.clear();
        self.gone_through = None;
    }

    /// Enters the next row; true when it begins a generation.
    fn insert(&mut self, fresh: &Fresh) -> bool {
        let row = self.next_row;
        self.next_row = row.saturating_add(1);
        let fits = |generation: &Generation| {
            generation.rows < ROWS && generation.first_row + i64::from(generation.rows) == row
        };
        let begins = !self.generations.back().is_some_and(fits);
        if begins {
            self.generations.push_back(Generation::starting_at(row));
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.insert(fresh);
        }
        begins
    }

    /// Rows that may be meant, newest generation first.
    fn candidates(
        &self,
        table: impl Fn(&Generation) -> &Table,
        hash: u64,
    ) -> impl Iterator<Item = i64> {
        self.generations.iter().rev().flat_map(move |generation| {
            let first = generation.first_row;
            table(generation)
                .candidates(hash)
                .map(move |place| first + i64::from(place) - 1)
        })
    }
}

impl Generation {
    fn starting_at(first_row: i64) -> Self {
        Self {
            first_row,
            rows: 0,
            identities: Table::new(),
            records: Table::new(),
        }
    }

    fn insert(&mut self, fresh: &Fresh) {
        self.rows += 1;
        self.identities.insert(spread(fresh.identity), self.rows);
        if let Some((key, before)) = fresh.record {
            // A record that changes often keeps one slot.
            let before = before.and_then(|row| u32::try_from(row - self.first_row + 1).ok());
            let hash = key.cast_unsigned();
            if !before.is_some_and(|before| self.records.replace(hash, before, self.rows)) {
                self.records.insert(hash, self.rows);
            }
        }
    }
}

impl Table {
    fn new() -> Self {
        Self(vec![0; usize::try_from(SLOTS).unwrap_or(0)])
    }

    fn insert(&mut self, hash: u64, place: u32) {
        let (start, tag) = start_and_tag(hash);
        let (before, from) = self.0.split_at_mut(start);
        // There is always a free slot: SLOTS is larger than ROWS.
        if let Some(free) = from.iter_mut().chain(before).find(|slot| **slot == 0) {
            *free = (tag << 16) | place;
        }
    }

    /// Puts `place` where `before` was; false when that is not in this table.
    fn replace(&mut self, hash: u64, before: u32, place: u32) -> bool {
        let (start, tag) = start_and_tag(hash);
        let (wrapped, from) = self.0.split_at_mut(start);
        let mut run = from
            .iter_mut()
            .chain(wrapped)
            .take_while(|slot| **slot != 0);
        let found = run.find(|slot| **slot == (tag << 16) | before);
        let is_found = found.is_some();
        if let Some(slot) = found {
            *slot = (tag << 16) | place;
        }
        is_found
    }

    fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> {
        let (start, tag) = start_and_tag(hash);
        let (wrapped, from) = self.0.split_at(start);
        from.iter()
            .chain(wrapped)
            .take_while(|slot| **slot != 0)
            .filter(move |slot| **slot >> 16 == tag)
            .map(|slot| *slot & 0xffff)
    }
}

/// An identity is a digest: any 64 bits of it are a hash.
fn spread(identity: Identity) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = identity.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// First slot and tag, from different bits.
fn start_and_tag(hash: u64) -> (usize, u32) {
    let start = ((hash >> 32) * u64::from(SLOTS)) >> 32;
    let tag = u32::try_from(hash & 0xffff).unwrap_or(0);
    (usize::try_from(start).unwrap_or(0), tag)
}

#[cfg(test)]
mod tests;
