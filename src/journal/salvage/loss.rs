//! What is missing: found by the numbers of each company, which have no gaps.

use super::undelivered::Line;
use rusqlite::Connection;
use std::collections::HashMap;

/// What is missing.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// Changes that were not delivered and cannot be read.
    pub(super) missing: u64,
    /// The receipt after which something is missing, by its number; `None` while nothing is.
    pub(super) after: Option<i64>,
}

/// A company's place in the search.
struct Place {
    /// Numbers above the first, up to the second, were never given.
    skipped: (i64, i64),
    /// The number of the next change that some sink has not got.
    next: i64,
    /// The newest number that was given.
    newest: i64,
    /// The receipt of the last change before the first that is missing.
    receipt: i64,
    is_broken: bool,
    found: i64,
    open: i64,
}

/// Looks for it, in changes that are in order.
pub(super) fn find(to: &Connection, lines: &[Line]) -> rusqlite::Result<Loss> {
    let mut places: HashMap<i64, Place> = HashMap::new();
    let mut statement = to.prepare(OPEN)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let (through, newest): (i64, i64) = (row.get(1)?, row.get(2)?);
        let skipped: (i64, i64) = (row.get(3)?, row.get(4)?);
        let open = newest - through - 0.max(skipped.1 - skipped.0.max(through));
        let place = Place {
            next: given(through + 1, skipped),
            skipped,
            newest,
            receipt: 0,
            is_broken: false,
            found: 0,
            open: open.max(0),
        };
        places.insert(row.get(0)?, place);
    }
    for line in lines {
        let Some(place) = places.get_mut(&line.realm) else {
            continue;
        };
        if line.sequence < place.next {
            place.receipt = line.receipt;
            continue;
        }
        place.found += 1;
        place.is_broken |= line.sequence > place.next;
        if !place.is_broken {
            place.next = given(place.next + 1, place.skipped);
            place.receipt = line.receipt;
        }
    }
    let mut loss = Loss::default();
    for place in places.values().filter(|place| place.next <= place.newest) {
        loss.missing += (place.open - place.found).max(0).cast_unsigned();
        let after = loss.after.unwrap_or(i64::MAX).min(place.receipt);
        loss.after = Some(after);
    }
    Ok(loss)
}

/// The first number from this one on that can have been given.
fn given(number: i64, skipped: (i64, i64)) -> i64 {
    match skipped.0 < number && number <= skipped.1 {
        true => skipped.1 + 1,
        false => number,
    }
}

/// Each company: its number, up to where every sink that is told of it has got its changes, and how
/// many it has.
pub(super) const OPEN: &str = "SELECT m.id, min(ifnull(w.through, m.sequence)) AS through, m.sequence, m.skipped_after, m.skipped_to \
    FROM realm m LEFT JOIN route w ON w.realm = m.id GROUP BY m.id";
