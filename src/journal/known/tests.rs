//! What the index finds again, and what it forgets.

use super::*;
use sha2::{Digest, Sha256};

fn identity(number: u32) -> Identity {
    let digest = Sha256::digest(number.to_be_bytes());
    Identity(std::array::from_fn(|at| digest[at]))
}

fn key(record: u32) -> i64 {
    spread(identity(record.wrapping_add(1 << 31))).cast_signed()
}

fn table() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for step in crate::journal::migrate::STEPS {
        connection.execute_batch(step).unwrap();
    }
    connection
}

fn seen(content: u64) -> Seen {
    Seen {
        content,
        receipt: Seq(1),
        at: Timestamp::from_ms(0),
        unsigned: false,
    }
}

/// Row `number`, about one of 100,000 records, with a time that is its number.
fn add(known: &mut Known, connection: &Connection, number: u32) {
    let seen = Seen {
        receipt: Seq(number.into()),
        ..seen(number.into())
    };
    let key = key(number % 100_000);
    let before = known.newest(connection, key).unwrap();
    let record = Record {
        key,
        newest_at: Some(Timestamp::from_ms(number.into())),
        ordered_at: Timestamp::from_ms(number.into()),
    };
    let row = known.add(identity(number), seen, Some(record), before);
    connection
        .prepare_cached(
            "INSERT INTO seen (row, at, receipt, content, identity, record, newest_at) \
             VALUES (?1, 0, ?2, ?2, ?3, ?4, ?2)",
        )
        .unwrap()
        .execute((row, number, identity(number).0, key))
        .unwrap();
}

#[test]
fn everything_is_found_again_over_generations_and_after_a_restart_and_nothing_else_is() {
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
        for record in (0..100_000).step_by(7) {
            let newest = known.newest(&connection, key(record)).unwrap().unwrap();
            let number = if record < 50_000 {
                record + 100_000
            } else {
                record
            };
            assert_eq!(newest.at, Some(Timestamp::from_ms(number.into())));
        }
        let mut guesses = 0;
        for stranger in count..count + 20_000 {
            assert_eq!(
                known.look_up(&connection, identity(stranger)).unwrap(),
                None
            );
            assert_eq!(known.newest(&connection, key(stranger)).unwrap(), None);
            let hash = spread(identity(stranger));
            guesses += known
                .candidates(|generation| &generation.identities, hash)
                .count();
        }
        assert!(
            guesses < 40,
            "{guesses} reads of the table for 20,000 strangers"
        );
    }
}

#[test]
fn a_record_that_changes_often_keeps_one_slot() {
    let connection = table();
    let mut known = Known::load(&connection).unwrap();
    for number in 0..1000 {
        add(&mut known, &connection, number * 100_000);
        if number % 3 == 0 {
            known.committed();
        }
    }
    known.committed();
    for known in [known, Known::load(&connection).unwrap()] {
        let slots = known.candidates(|generation| &generation.records, key(0).cast_unsigned());
        assert_eq!(slots.collect::<Vec<_>>(), [1000]);
    }
}

#[test]
fn what_was_rolled_back_is_forgotten_and_its_rows_are_given_again() {
    let connection = table();
    let mut known = Known::load(&connection).unwrap();
    let seen = seen(1);
    let record = Record {
        key: 5,
        newest_at: Some(Timestamp::from_ms(9)),
        ordered_at: Timestamp::from_ms(9),
    };
    assert_eq!(known.add(identity(1), seen, Some(record), None), 1);
    assert_eq!(known.look_up(&connection, identity(1)).unwrap(), Some(seen));
    assert_eq!(
        known.newest(&connection, 5).unwrap().unwrap().at,
        record.newest_at
    );
    known.rolled_back();
    assert_eq!(known.look_up(&connection, identity(1)).unwrap(), None);
    assert_eq!(known.newest(&connection, 5).unwrap(), None);
    assert_eq!(known.add(identity(2), seen, None, None), 1);
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
