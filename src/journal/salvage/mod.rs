//! Taking over what can be read of a damaged file that was set aside.
//!
//! Called once by `Journal::open` on the empty journal that serves in its place, before anybody is
//! served. One transaction: a crash on the way begins anew. Taken are the receipts that were not
//! finished, under their old numbers, so that ids and order stay; how far each sink is; companies with
//! their sealed tokens, and element instances; what was told and read before, so that it is not told again. Finished receipts
//! stay in the damaged file. What is missing nobody was told of: the companies are read again since
//! then (a gap), and of what is gone it is forgotten that it was ever known, so that it is news.

mod damaged;
mod loss;
mod memory;
mod sense;
mod undelivered;

use super::gaps::{self, Opening};
use super::shares;
use super::touched::Touched;
use super::{aside, events};
use crate::model::{SinkName, Timestamp};
use damaged::{Damaged, Table};
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// How far back is read where nobody knows since when something is missing: nearly as far as Change
/// Data Capture looks.
const FAR: Duration = Duration::from_hours(29 * 24);

/// What came of a salvage.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Salvaged {
    /// Whether anything could be read: without its list of tables a file says nothing.
    pub is_readable: bool,
    /// Changes that were taken over because some sink had not got them.
    pub changes: u64,
    /// Changes that are known to be missing: they had numbers.
    pub missing: u64,
    /// Companies that stay connected.
    pub companies: u64,
    /// Places at which the file could not be read.
    pub holes: u64,
}

/// Takes over what can be read of the damaged file; `None` when that was done before, or when the
/// journal has been written to already.
pub(super) fn salvage(
    connection: &mut Connection,
    aside: &Path,
    sinks: &[SinkName],
    now: Timestamp,
) -> rusqlite::Result<Option<Salvaged>> {
    let mark = mark(aside);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_over: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM tally WHERE name = ?1) \
         OR EXISTS (SELECT 1 FROM realm) OR EXISTS (SELECT 1 FROM receipt)",
        [&mark],
        |row| row.get(0),
    )?;
    if is_over {
        return Ok(None);
    }
    let salvaged = match Damaged::open(aside) {
        Some(damaged) => take_over(&transaction, &damaged, sinks, now)?,
        None => Salvaged::default(),
    };
    events::insert(&transaction, now, "salvage", &salvaged.sentence())?;
    transaction.execute("INSERT INTO tally (name, value) VALUES (?1, 1)", [&mark])?;
    transaction.commit()?;
    Ok(Some(salvaged))
}

/// Takes nothing over from the damaged files beside this path, now and later.
pub(super) fn pass_over(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for file in aside::damaged(path) {
        transaction.execute(
            "INSERT OR IGNORE INTO tally (name, value) VALUES (?1, 1)",
            [mark(&file)],
        )?;
    }
    events::insert(
        &transaction,
        now,
        "salvage",
        &Salvaged::default().sentence(),
    )?;
    transaction.commit()
}

impl Salvaged {
    /// What a person should know.
    pub fn sentence(&self) -> String {
        let Self {
            changes,
            missing,
            companies,
            holes,
            ..
        } = self;
        if !self.is_readable {
            return "nothing of the damaged journal can be read: what was not delivered is lost, and \
                    companies have to be connected again"
                .into();
        }
        format!(
            "of the damaged journal, {changes} undelivered changes and {companies} companies were \
             taken over; {missing} changes are missing, {holes} places could not be read"
        )
    }
}

fn mark(aside: &Path) -> String {
    let name = aside.file_name().unwrap_or_default();
    format!("salvaged {}", name.to_string_lossy())
}

fn take_over(
    to: &Connection,
    from: &Damaged,
    sinks: &[SinkName],
    now: Timestamp,
) -> rusqlite::Result<Salvaged> {
    let rescue = Rescue { from, to };
    rescue.copy(REALM, sense::is_company)?;
    rescue.copy(GAP, |_| true)?;
    rescue.copy(GAP_COMPANY, |_| true)?;
    // What these would have said of the end of the journal nobody else says.
    let is_end_known = from.skipped() == 0;
    rescue.sinks(sinks, now)?;
    let lines = rescue.undelivered(now)?;
    let loss = loss::find(to, &lines)?;
    for table in [
        COMPANY, FORGOTTEN, WATERMARK, SPENT, EVENT, INSTANCE, SETTING, EPOCH,
    ] {
        rescue.copy(table, |_| true)?;
    }
    rescue.drop_what_cannot_be_read()?;
    let whole = rescue.whole_receipts(&lines)?;
    let since = rescue.memory(&lines, &whole, &loss, now)?;
    rescue.accounts()?;
    rescue.take_in_again(&whole, &loss, now)?;
    if loss.after.is_some() || !is_end_known {
        let since = since.unwrap_or(now.minus(FAR));
        let opening = Opening {
            since,
            until: now.max(since),
            cause: "salvage".into(),
            now,
        };
        gaps::open(to, &mut Touched::new(now), &opening)?;
    }
    let undelivered = format!(
        "SELECT count(*) FROM change c JOIN ({}) o ON o.id = c.realm AND c.sequence > o.through",
        loss::OPEN
    );
    Ok(Salvaged {
        is_readable: true,
        changes: count(to, &undelivered)?,
        missing: loss.missing,
        companies: count(
            to,
            "SELECT count(*) FROM company WHERE standing = 'connected'",
        )?,
        holes: from.skipped(),
    })
}

fn count(connection: &Connection, question: &str) -> rusqlite::Result<u64> {
    let count: i64 = connection.query_row(question, (), |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

const SINK: Table = Table::Numbered("sink", "id");
const REALM: Table = Table::Numbered("realm", "id");
const LANE: Table = Table::Keyed("lane", "sink, realm");
const DEAD: Table = Table::Keyed("dead", "change, sink");
const REPLAY: Table = Table::Numbered("replay", "id");
const CHANGE: Table = Table::Numbered("change", "seq");
const RECEIPT: Table = Table::Numbered("receipt", "seq");
const PROVENANCE: Table = Table::Numbered("provenance", "receipt");
const REPETITION: Table = Table::Numbered("repetition", "receipt");
const REPEATED: Table = Table::Keyed("repeated", "receipt, ordinal");
const FORGOTTEN: Table = Table::Keyed("forgotten", "name");
const UNREADABLE: Table = Table::Keyed("unreadable", "receipt, ordinal");
const FETCHED: Table = Table::Numbered("fetched", "change");
const COMPANY: Table = Table::Numbered("company", "realm");
const WATERMARK: Table = Table::Keyed("watermark", "realm, kind");
const GAP: Table = Table::Numbered("gap", "id");
const GAP_COMPANY: Table = Table::Keyed("gap_company", "gap, realm");
const SPENT: Table = Table::Keyed("spent", "app, month");
const EVENT: Table = Table::Numbered("event", "id");
const INSTANCE: Table = Table::Numbered("instance", "id");
const EPOCH: Table = Table::Numbered("epoch", "number");
const TALLY: Table = Table::Keyed("tally", "name");
const SETTING: Table = Table::Keyed("setting", "name");
const SEEN: Table = Table::Numbered("seen", "row");
const RECORD: Table = Table::Keyed("record", "realm, kind, id");

/// From where to where.
struct Rescue<'a> {
    from: &'a Damaged,
    to: &'a Connection,
}

/// A row by the names of its columns.
struct Fields<'a> {
    columns: &'a [String],
    values: &'a [Value],
}

impl Fields<'_> {
    /// The number in this column; -1 where there is none.
    fn number(&self, column: &str) -> i64 {
        let at = self.columns.iter().position(|name| name == column);
        match at.and_then(|at| self.values.get(at)) {
            Some(Value::Integer(number)) => *number,
            _ => -1,
        }
    }

    /// The text in this column; empty where there is none.
    fn text(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name == column);
        match at.and_then(|at| self.values.get(at)) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }
}

impl Rescue<'_> {
    /// Copies the rows of a table that are wanted, as they are.
    fn copy(
        &self,
        table: Table,
        mut wanted: impl FnMut(&Fields<'_>) -> bool,
    ) -> rusqlite::Result<()> {
        let name = table.name();
        let columns: Vec<String> = self
            .to
            .prepare("SELECT name FROM pragma_table_info(?1)")?
            .query_map([name], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        // An older format has fewer.
        let there = self.from.columns(name);
        let columns: Vec<String> = columns
            .into_iter()
            .filter(|column| there.contains(column))
            .collect();
        if columns.is_empty() {
            return Ok(());
        }
        let (names, marks) = (columns.join(", "), vec!["?"; columns.len()].join(", "));
        let mut insert = self.to.prepare(&format!(
            "INSERT OR IGNORE INTO {name} ({names}) VALUES ({marks})"
        ))?;
        self.from.each(table, &names, |values| {
            let fields = Fields {
                columns: &columns,
                values: &values,
            };
            if !wanted(&fields) {
                return Ok(());
            }
            match insert.execute(rusqlite::params_from_iter(values)) {
                // A row that cannot have been written by the relay.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    self.from.skip();
                    Ok(())
                }
                other => other.map(drop),
            }
        })
    }

    /// The sinks, under their old numbers. One that is configured and whose row is lost gets all that
    /// is taken over, since nobody knows how far it was.
    fn sinks(&self, configured: &[SinkName], now: Timestamp) -> rusqlite::Result<()> {
        self.to
            .execute_batch("DELETE FROM lane; DELETE FROM sink")?;
        let before = self.from.skipped();
        self.copy(SINK, sense::is_sink)?;
        let is_whole = self.from.skipped() == before;
        self.copy(LANE, sense::is_lane)?;
        if is_whole {
            return Ok(());
        }
        for name in configured {
            self.to.execute(
                "INSERT OR IGNORE INTO sink (name, configured, added_at) VALUES (?1, 1, ?2)",
                (name.as_str(), now.as_ms()),
            )?;
        }
        Ok(())
    }

    /// The counts that have to add up, and the numbers that are used up.
    fn accounts(&self) -> rusqlite::Result<()> {
        for (table, newest) in [
            (
                "receipt",
                "SELECT max(ifnull(max(receipt), 0), (SELECT ifnull(max(seq), 0) FROM receipt)) FROM seen",
            ),
            ("change", "SELECT ifnull(max(seq), 0) FROM change"),
            ("instance", "SELECT ifnull(max(id), 0) FROM instance"),
        ] {
            let newest: i64 = self.to.query_row(newest, (), |row| row.get(0))?;
            let used = newest.max(self.used(table)?);
            self.to
                .execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
            self.to.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                (table, used),
            )?;
        }
        // Without it the file beside the journal says that an epoch begins.
        self.from.each(TALLY, "name, value", |values| {
            match &values[..] {
                [Value::Text(name), Value::Integer(value)] if name == "generation" => {
                    self.to.execute(
                        "UPDATE tally SET value = ?1 WHERE name = 'generation'",
                        [value],
                    )
                }
                _ => Ok(0),
            }
            .map(drop)
        })?;
        shares::count_again(self.to)?;
        self.to.execute_batch(
            "UPDATE realm SET pruned = sequence - \
             (SELECT count(*) FROM change WHERE realm = realm.id); \
             UPDATE sink SET dead = (SELECT count(*) FROM dead d WHERE d.sink = sink.id \
             AND d.replayed_at IS NULL AND d.discarded_at IS NULL); \
             UPDATE tally SET value = (SELECT count(*) FROM unreadable WHERE discarded_at IS NULL) \
             WHERE name = 'unreadable'; \
             UPDATE tally SET value = (SELECT seq FROM sqlite_sequence WHERE name = 'receipt') \
             - (SELECT count(*) FROM receipt) WHERE name = 'receipts_pruned'",
        )
    }

    /// The newest number that the damaged file had given.
    fn used(&self, table: &str) -> rusqlite::Result<i64> {
        let mut used = 0;
        let sequences = Table::Keyed("sqlite_sequence", "rowid");
        self.from.each(sequences, "name, seq", |values| {
            if let [Value::Text(name), Value::Integer(seq)] = &values[..]
                && name == table
            {
                used = used.max(*seq);
            }
            Ok::<_, rusqlite::Error>(())
        })?;
        Ok(used)
    }
}
