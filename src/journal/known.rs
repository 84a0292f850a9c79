//! Which identities were taken in before: the writer's index over the table `seen`.
//!
//! It holds no identity, only where to look: four bytes for each row that say "a row like this may
//! be there", and the row itself decides. So it can be wrong in one direction only, and costs one
//! read of the table when it is. Kept in memory because identities are random: as an index of the
//! database, each insertion would write a page of its own, and the more the larger the journal.
//!
//! Rows that a transaction adds are known by their content until it is committed, so that a rollback
//! only has to forget them.

use crate::model::{Identity, Seq};
use rusqlite::{Connection, OptionalExtension};
use std::collections::{HashMap, VecDeque};

/// Rows that one generation covers; the number of a row within it fits 16 bits, and 0 means "none".
const ROWS: u32 = 65_535;

/// Slots of one generation: 384 KiB, at most two thirds of them taken.
const SLOTS: u32 = 98_304;

/// What is known of an identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// Digest of its content.
    pub content: u64,
    /// The receipt that brought it first; it may have been pruned.
    pub receipt: Seq,
}

/// The index.
#[derive(Debug)]
pub(super) struct Known {
    generations: VecDeque<Generation>,
    /// Added by the transaction under way, in order.
    fresh: HashMap<Identity, Seen>,
    fresh_rows: Vec<Identity>,
    /// Number of the next row that is committed.
    next_row: i64,
    /// The transaction under way deletes the rows up to this one.
    gone_through: Option<i64>,
}

/// Consecutive rows: an open hash table with linear probing. A slot is a tag of 16 bits and the
/// row's place in the generation, from 1.
#[derive(Debug)]
struct Generation {
    first_row: i64,
    rows: u32,
    slots: Vec<u32>,
}

impl Known {
    /// Reads the table.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let first: Option<i64> =
            connection.query_row("SELECT min(row) FROM seen", (), |row| row.get(0))?;
        let mut known = Self {
            generations: VecDeque::new(),
            fresh: HashMap::new(),
            fresh_rows: Vec::new(),
            next_row: first.unwrap_or(1),
            gone_through: None,
        };
        let mut statement = connection.prepare("SELECT row, identity FROM seen ORDER BY row")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            // A hole is only ever left by a hand that edits the file.
            known.next_row = row.get(0)?;
            known.insert(Identity(row.get(1)?));
        }
        Ok(known)
    }

    /// What is known of an identity, the transaction under way included.
    pub(super) fn look_up(
        &self,
        connection: &Connection,
        identity: Identity,
    ) -> rusqlite::Result<Option<Seen>> {
        if let Some(seen) = self.fresh.get(&identity) {
            return Ok(Some(*seen));
        }
        for row in self.candidates(identity) {
            let found = connection
                .prepare_cached("SELECT identity, content, receipt FROM seen WHERE row = ?1")?
                .query_row([row], |row| {
                    let content = row.get::<_, i64>(1)?.cast_unsigned();
                    let receipt = Seq(row.get(2)?);
                    Ok((Identity(row.get(0)?), Seen { content, receipt }))
                })
                .optional()?;
            if let Some((_, seen)) = found.filter(|(found, _)| *found == identity) {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// Adds an identity to the transaction under way; returns the number that its row must have.
    pub(super) fn add(&mut self, identity: Identity, seen: Seen) -> i64 {
        let place = i64::try_from(self.fresh_rows.len()).unwrap_or(i64::MAX);
        self.fresh_rows.push(identity);
        self.fresh.insert(identity, seen);
        self.next_row.saturating_add(place)
    }

    /// The transaction was committed.
    pub(super) fn committed(&mut self) {
        self.fresh.clear();
        for identity in std::mem::take(&mut self.fresh_rows) {
            self.insert(identity);
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
        self.fresh.clear();
        self.fresh_rows.clear();
        self.gone_through = None;
    }

    /// The transaction under way deletes the rows up to this one.
    pub(super) fn forget_through(&mut self, row: i64) {
        self.gone_through = Some(row);
    }

    fn insert(&mut self, identity: Identity) {
        let row = self.next_row;
        self.next_row = row.saturating_add(1);
        let fits = |generation: &Generation| {
            generation.rows < ROWS && generation.first_row + i64::from(generation.rows) == row
        };
        if !self.generations.back().is_some_and(fits) {
            self.generations.push_back(Generation::starting_at(row));
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.insert(identity);
        }
    }

    /// Rows that may hold the identity, newest generation first: a repeat mostly follows soon.
    fn candidates(&self, identity: Identity) -> impl Iterator<Item = i64> {
        self.generations
            .iter()
            .rev()
            .flat_map(move |generation| generation.candidates(identity))
    }
}

impl Generation {
    fn starting_at(first_row: i64) -> Self {
        Self {
            first_row,
            rows: 0,
            slots: vec![0; usize::try_from(SLOTS).unwrap_or(0)],
        }
    }

    fn insert(&mut self, identity: Identity) {
        self.rows += 1;
        let (start, tag) = place(identity);
        let (before, from) = self.slots.split_at_mut(start);
        // There is always a free slot: SLOTS is larger than ROWS.
        if let Some(free) = from.iter_mut().chain(before).find(|slot| **slot == 0) {
            *free = (tag << 16) | self.rows;
        }
    }

    fn candidates(&self, identity: Identity) -> impl Iterator<Item = i64> {
        let (start, tag) = place(identity);
        let (before, from) = self.slots.split_at(start);
        let first = self.first_row;
        from.iter()
            .chain(before)
            .take_while(|slot| **slot != 0)
            .filter(move |slot| **slot >> 16 == tag)
            .map(move |slot| first + i64::from(*slot & 0xffff) - 1)
    }
}

/// First slot and tag of an identity, from different bits of it. It is a digest already.
fn place(identity: Identity) -> (usize, u32) {
    let [a, b, c, d, e, f, ..] = identity.0;
    let spread = u64::from(u32::from_be_bytes([a, b, c, d])) * u64::from(SLOTS);
    let start = usize::try_from(spread >> 32).unwrap_or(0);
    (start, u32::from(u16::from_be_bytes([e, f])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn identity(number: u32) -> Identity {
        let digest = Sha256::digest(number.to_be_bytes());
        Identity(std::array::from_fn(|at| digest[at]))
    }

    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("schema.sql"))
            .unwrap();
        connection
    }

    fn add(known: &mut Known, connection: &Connection, number: u32) {
        let seen = Seen {
            content: number.into(),
            receipt: Seq(number.into()),
        };
        let row = known.add(identity(number), seen);
        connection
            .prepare_cached(
                "INSERT INTO seen (row, at, receipt, content, identity) VALUES (?1, 0, ?2, ?2, ?3)",
            )
            .unwrap()
            .execute((row, number, identity(number).0))
            .unwrap();
    }

    #[test]
    fn every_identity_is_found_again_over_generations_and_after_a_restart_and_no_other_is() {
        let connection = table();
        let mut known = Known::load(&connection).unwrap();
        let count = 150_000;
        connection.execute_batch("BEGIN").unwrap();
        for number in 0..count {
            add(&mut known, &connection, number);
            if number % 1000 == 0 {
                known.committed();
            }
        }
        known.committed();
        connection.execute_batch("COMMIT").unwrap();
        assert_eq!(known.generations.len(), 3);
        for known in [known, Known::load(&connection).unwrap()] {
            for number in (0..count).step_by(7) {
                let seen = known.look_up(&connection, identity(number)).unwrap();
                assert_eq!(seen.map(|seen| seen.receipt), Some(Seq(number.into())));
            }
            for number in count..count + 20_000 {
                assert_eq!(known.look_up(&connection, identity(number)).unwrap(), None);
            }
            let guesses = (count..count + 20_000)
                .map(|number| known.candidates(identity(number)).count())
                .sum::<usize>();
            assert!(
                guesses < 20,
                "{guesses} reads of the table for 20,000 strangers"
            );
        }
    }

    #[test]
    fn what_was_rolled_back_is_forgotten_and_its_rows_are_given_again() {
        let connection = table();
        let mut known = Known::load(&connection).unwrap();
        let seen = Seen {
            content: 1,
            receipt: Seq(1),
        };
        assert_eq!(known.add(identity(1), seen), 1);
        assert_eq!(known.look_up(&connection, identity(1)).unwrap(), Some(seen));
        known.rolled_back();
        assert_eq!(known.look_up(&connection, identity(1)).unwrap(), None);
        assert_eq!(known.add(identity(2), seen), 1);
    }

    #[test]
    fn a_generation_goes_when_its_last_row_was_deleted() {
        let connection = table();
        let mut known = Known::load(&connection).unwrap();
        for number in 0..=ROWS {
            add(&mut known, &connection, number);
        }
        known.committed();
        for (through, generations) in [(ROWS - 1, 2), (ROWS, 1)] {
            known.forget_through(through.into());
            known.committed();
            assert_eq!(known.generations.len(), generations);
        }
    }
}
