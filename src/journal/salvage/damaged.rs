//! Reading the tables of a damaged file, row by row, past what cannot be read.
//!
//! SQLite refuses a page that makes no sense and goes on to serve all others. So a table is read from
//! its beginning until a row cannot be had, and from the next one that can; what is skipped is
//! remembered. Only primary keys are followed, never an index, which would double the places that
//! can be damaged.

use super::super::open::{open_read_only, with_suffix};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

/// No table has so many rows.
const ROWS_MAX: i64 = 1 << 48;

/// A damaged file.
pub(super) struct Damaged {
    connection: Connection,
    path: PathBuf,
    skipped: Cell<u64>,
}

/// A table as it is read: its name and its primary key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    /// With this number for a key, from 1.
    Numbered(&'static str, &'static str),
    /// With these columns for a key.
    Keyed(&'static str, &'static str),
}

impl Table {
    /// What it is called.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Numbered(name, _) | Self::Keyed(name, _) => name,
        }
    }
}

impl Damaged {
    /// Opens the file; `None` when not even its list of tables can be read.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let connection = open_read_only(path).ok()?;
        let tables: rusqlite::Result<i64> =
            connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0));
        tables.ok()?;
        Some(Self {
            connection,
            path: path.to_owned(),
            skipped: Cell::new(0),
        })
    }

    /// The columns of a table, as its own format has them.
    pub(super) fn columns(&self, table: &str) -> Vec<String> {
        let names = || -> rusqlite::Result<Vec<String>> {
            let sql = "SELECT name FROM pragma_table_info(?1)";
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map([table], |row| row.get(0))?.collect()
        };
        names().unwrap_or_default()
    }

    /// Places at which rows were skipped so far.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.get()
    }

    /// Hands over what can be read of these columns of a table, row by row and perhaps twice.
    pub(super) fn each<E>(
        &self,
        table: Table,
        columns: &str,
        mut take: impl FnMut(Vec<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        match table {
            Table::Numbered(name, key) => self.each_numbered((name, key), columns, &mut take),
            Table::Keyed(name, key) => {
                let sql = |order: &str| {
                    let keys: Vec<String> = key
                        .split(", ")
                        .map(|one| format!("{one} {order}"))
                        .collect();
                    format!("SELECT {columns} FROM {name} ORDER BY {}", keys.join(", "))
                };
                // What lies between two places that cannot be read is not had this way; these tables
                // are short.
                if !self.run(&sql("ASC"), (), |row| values(row, 0), &mut take)? {
                    self.skip();
                    self.run(&sql("DESC"), (), |row| values(row, 0), &mut take)?;
                }
                Ok(())
            }
        }
    }

    fn each_numbered<E>(
        &self,
        (name, key): (&str, &str),
        columns: &str,
        take: &mut impl FnMut(Vec<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!("SELECT {key}, {columns} FROM {name} WHERE {key} >= ?1 ORDER BY {key}");
        let seek = format!("SELECT {key} FROM {name} WHERE {key} >= ?1 ORDER BY {key} LIMIT 1");
        let mut from = 1;
        loop {
            let next = Cell::new(from);
            let numbered = |row: &Row<'_>| {
                next.set(row.get::<_, i64>(0)?.saturating_add(1));
                values(row, 1)
            };
            if self.run(&sql, [from], numbered, take)? {
                return Ok(());
            }
            self.skip();
            match self.beyond(&seek, next.get()) {
                Some(found) => from = found,
                None => return Ok(()),
            }
        }
    }

    /// The first row that can be read again from this number on, to within an eighth of what is
    /// skipped.
    fn beyond(&self, seek: &str, broken: i64) -> Option<i64> {
        let mut at = broken;
        while at < ROWS_MAX {
            at += 1.max((at - broken) / 8);
            let found: rusqlite::Result<Option<i64>> = self
                .connection
                .prepare_cached(seek)
                .and_then(|mut seek| seek.query_row([at], |row| row.get(0)).optional());
            match found {
                Ok(found) => return found,
                Err(_) => continue,
            }
        }
        None
    }

    /// Runs a statement to its end; false when it broke off. A row whose values make no sense is
    /// skipped.
    fn run<E>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<Vec<Value>>,
        take: &mut impl FnMut(Vec<Value>) -> Result<(), E>,
    ) -> Result<bool, E> {
        // A table that an older format does not have has no rows.
        let Ok(mut statement) = self.connection.prepare(sql) else {
            return Ok(true);
        };
        let Ok(mut rows) = statement.query(parameters) else {
            return Ok(false);
        };
        loop {
            match rows.next() {
                Ok(Some(row)) => match read(row) {
                    Ok(values) => take(values)?,
                    Err(_) => self.skip(),
                },
                Ok(None) => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    }

    /// A row that could be read makes no sense.
    pub(super) fn skip(&self) {
        self.skipped.set(self.skipped.get() + 1);
    }
}

impl Drop for Damaged {
    fn drop(&mut self) {
        // Made by reading; who takes the damaged file away should find no third one.
        let _ = fs::remove_file(with_suffix(&self.path, "-shm"));
    }
}

fn values(row: &Row<'_>, first: usize) -> rusqlite::Result<Vec<Value>> {
    let value = |column| {
        Ok(match row.get_ref(column)? {
            ValueRef::Text(_) => Value::Text(row.get(column)?),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Null => Value::Null,
        })
    };
    (first..row.as_ref().column_count()).map(value).collect()
}
