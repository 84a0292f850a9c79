//! Checking a journal: the file, every body, and that the accounts add up.
//!
//! Called by `inspect` in a process of its own. It only reads; every finding is a sentence. It reads in
//! short steps, so that a relay that writes meanwhile can go on using its log; what takes longer than a
//! step may last is then read row by row, and it is said which comparisons were left out.

use super::Error;
use super::incoming::digest;
use super::inspect::Inspection;
use super::rows::number;
use rusqlite::{Connection, ErrorCode};

/// Bodies that one step reads; each may have some megabytes.
const BODIES: usize = 4;

/// Rows that one step reads.
const STEP: usize = 512;

/// How often a comparison is tried that the relay's writing breaks off.
const TRIES: usize = 3;

/// Findings that are told; what goes beyond is cut off.
const FINDINGS: usize = 100;

/// Each question returns one sentence for each row that is wrong.
const QUESTIONS: [&str; 23] = [
    "SELECT format('receipt %d says it added %d changes, %d are there', r.seq, r.changes, count(c.seq)) \
     FROM receipt r LEFT JOIN change c ON c.receipt = r.seq \
     AND c.seq BETWEEN r.first_change AND r.first_change + r.changes - 1 \
     GROUP BY r.seq HAVING count(c.seq) <> r.changes",
    "SELECT format('change %d belongs to receipt %d, which is not there', seq, receipt) \
     FROM change WHERE receipt NOT IN (SELECT seq FROM receipt)",
    "SELECT format('company %s counts %d changes, %d are kept and %d were pruned', m.name, m.sequence, \
     count(c.seq), m.pruned) FROM realm m LEFT JOIN change c ON c.realm = m.id \
     GROUP BY m.id HAVING m.sequence <> m.pruned + count(c.seq) OR m.sequence < max(c.sequence)",
    "SELECT format('change %d has number %d of its company, but came before a lower one', seq, sequence) \
     FROM (SELECT seq, sequence, lead(seq) OVER (PARTITION BY realm ORDER BY sequence) AS next FROM change) \
     WHERE next <= seq",
    "SELECT format('sink %s is at %d of company %d, which has %s changes', s.name, l.through, l.realm, \
     ifnull(m.sequence, 'no')) FROM lane l JOIN sink s ON s.id = l.sink LEFT JOIN realm m ON m.id = l.realm \
     WHERE l.through < 0 OR l.through > ifnull(m.sequence, -1)",
    "SELECT format('a dead letter names change %d, which is not there', change) FROM dead \
     WHERE change NOT IN (SELECT seq FROM change)",
    "SELECT format('a replay names change %d, which is not there', change) FROM replay \
     WHERE change NOT IN (SELECT seq FROM change)",
    "SELECT format('sink %s counts %d dead letters, %d are there', s.name, s.dead, count(d.change)) \
     FROM sink s LEFT JOIN dead d ON d.sink = s.id AND d.replayed_at IS NULL \
     AND d.discarded_at IS NULL GROUP BY s.id HAVING s.dead <> count(d.change)",
    "SELECT format('%d entries are counted as not understood, %d are there', t.value, n) FROM tally t, \
     (SELECT count(*) AS n FROM unreadable WHERE discarded_at IS NULL) \
     WHERE t.name = 'unreadable' AND t.value <> n",
    "SELECT format('receipt %d counts %d entries that were not understood, %d are there', r.seq, \
     r.unreadable, count(u.ordinal)) FROM receipt r LEFT JOIN unreadable u ON u.receipt = r.seq \
     GROUP BY r.seq HAVING r.unreadable <> count(u.ordinal)",
    "SELECT format('%d receipts were taken in, %d are kept and %d were pruned', q.seq, n, t.value) \
     FROM sqlite_sequence q, tally t, (SELECT count(*) AS n FROM receipt) \
     WHERE q.name = 'receipt' AND t.name = 'receipts_pruned' AND q.seq <> n + t.value",
    "SELECT format('entry %d of receipt %d is told as a repeat, and the receipt is not there', ordinal, \
     receipt) FROM repeated WHERE receipt NOT IN (SELECT seq FROM receipt)",
    "SELECT format('company %s is forgotten and is there', name) FROM forgotten \
     WHERE name IN (SELECT name FROM realm)",
    "SELECT format('source %s is said to hold %d bytes and holds %d', h.source, h.bytes, n) FROM held h \
     LEFT JOIN (SELECT r.verifier AS source, sum(octet_length(r.body) + octet_length(r.headers) \
     + 512 * r.items + 256) AS n FROM receipt r JOIN provenance v ON v.receipt = r.seq \
     WHERE v.authenticity IN ('credential', 'address') GROUP BY r.verifier) AS c \
     ON c.source = h.source WHERE h.bytes <> ifnull(n, 0)",
    "SELECT format('the provenance of receipt %d is kept, which is not there', receipt) \
     FROM provenance WHERE receipt NOT IN (SELECT seq FROM receipt)",
    "SELECT format('a record rides along with change %d, which is not there', change) FROM fetched \
     WHERE change NOT IN (SELECT seq FROM change)",
    "SELECT format('change %d was read from QuickBooks and its receipt %d was not', c.seq, c.receipt) \
     FROM change c LEFT JOIN provenance p ON p.receipt = c.receipt \
     WHERE c.origin <> 'webhook' AND p.authenticity IS NOT 'fetched'",
    "SELECT format('company %s is reconciled up to %d of %d changes', m.name, c.reconciled, m.sequence) \
     FROM company c JOIN realm m ON m.id = c.realm WHERE c.reconciled NOT BETWEEN 0 AND m.sequence",
    "SELECT format('%d records are held of company %d, which was never connected', count(*), realm) \
     FROM record WHERE realm NOT IN (SELECT realm FROM company) GROUP BY realm",
    "SELECT format('company %d goes through gap %d, which is not there', realm, gap) FROM gap_company \
     WHERE gap NOT IN (SELECT id FROM gap)",
    "SELECT format('sink %s is told of company %d only, which is not there', name, realm) FROM sink \
     WHERE realm IS NOT NULL AND realm NOT IN (SELECT id FROM realm)",
    "SELECT format('sink %s is told of company %d only, and has a lane of company %d', s.name, s.realm, \
     l.realm) FROM lane l JOIN sink s ON s.id = l.sink WHERE l.realm <> s.realm",
    "SELECT format('instance %d has no lane of a company of its own', i.id) FROM instance i \
     LEFT JOIN sink s ON s.id = i.sink LEFT JOIN lane l ON l.sink = s.id AND l.realm = s.realm \
     WHERE l.sink IS NULL",
];

/// What a check saw.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// Receipts whose body was read and compared with its digest.
    pub receipts: u64,
    /// Bytes of those bodies.
    pub body_bytes: u64,
    /// Changes that are kept.
    pub changes: u64,
    /// What could not be compared because the relay wrote meanwhile; empty when everything was.
    pub left_out: Vec<String>,
    /// What is wrong, a sentence each; empty when the journal is sound. At most a hundred.
    pub findings: Vec<String>,
}

impl Inspection {
    /// Checks everything.
    ///
    /// # Errors
    /// [`Error::Unread`] when the file cannot be read so far that it could be checked.
    pub fn verify(&self) -> Result<Verification, Error> {
        let mut seen = Verification::default();
        self.structure(&mut seen)?;
        // What SQLite cannot read is not asked for its contents.
        if seen.findings.is_empty() {
            self.compare_digests(&mut seen)?;
            for question in QUESTIONS {
                match self.patiently(|connection| sentences(connection, question))? {
                    Some(found) => seen.findings.extend(found),
                    None => seen.left_out.push("an account".into()),
                }
            }
            let count = "SELECT count(*) FROM change";
            let count = |connection: &Connection| connection.query_row(count, (), |row| row.get(0));
            let count: i64 = self.patiently(count)?.unwrap_or(0);
            seen.changes = u64::try_from(count).unwrap_or(0);
        }
        seen.findings.truncate(FINDINGS);
        Ok(seen)
    }

    /// The database itself: all at once where that is possible, else table by table, else row by row.
    fn structure(&self, seen: &mut Verification) -> Result<(), Error> {
        let check = format!("PRAGMA integrity_check({FINDINGS})");
        if let Some(said) = self.patiently(|connection| sentences(connection, &check))? {
            seen.findings
                .extend(said.into_iter().filter(|word| word != "ok"));
            return Ok(());
        }
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        for table in self.view(|connection| sentences(connection, tables))? {
            let check = format!("PRAGMA integrity_check('{table}')");
            match self.patiently(|connection| sentences(connection, &check))? {
                Some(said) => seen
                    .findings
                    .extend(said.into_iter().filter(|word| word != "ok")),
                None => {
                    // Receipts are read with their bodies anyhow.
                    if table != "receipt" {
                        self.read_rows(&table)?;
                    }
                    seen.left_out.push(format!("the indexes of table {table}"));
                }
            }
        }
        Ok(())
    }

    /// Reads every row of a table that has numbers for keys, in steps; an error where one cannot be.
    fn read_rows(&self, table: &str) -> Result<(), Error> {
        let sql = format!("SELECT rowid, * FROM {table} WHERE rowid > ?1 ORDER BY rowid LIMIT ?2");
        let mut after = i64::MIN;
        loop {
            let last = self.view(|connection| {
                // A table with another key is short.
                let Ok(mut statement) = connection.prepare_cached(&sql) else {
                    return Ok(None);
                };
                let mut rows = statement.query((after, number(STEP)))?;
                let mut last = None;
                while let Some(row) = rows.next()? {
                    for column in 0..row.as_ref().column_count() {
                        row.get_ref(column)?;
                    }
                    last = Some(row.get(0)?);
                }
                Ok(last)
            })?;
            let Some(last) = last else { return Ok(()) };
            after = last;
        }
    }

    /// Asks a few times; `None` when the relay wrote each time before there was an answer.
    fn patiently<T>(
        &self,
        mut question: impl FnMut(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        for _ in 0..TRIES {
            match self.look(&mut question) {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {}
                other => return other.map(Some).map_err(|error| Error::of_read(&error)),
            }
        }
        Ok(None)
    }

    fn compare_digests(&self, seen: &mut Verification) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let bodies = self.view(|connection| bodies(connection, after))?;
            let Some((last, ..)) = bodies.last() else {
                return Ok(());
            };
            after = *last;
            for (seq, kept, body) in &bodies {
                seen.receipts += 1;
                seen.body_bytes += u64::try_from(body.len()).unwrap_or(0);
                if digest(body) != *kept {
                    seen.findings
                        .push(format!("the body of receipt {seq} is not what arrived"));
                }
            }
        }
    }
}

type Body = (i64, [u8; 16], Vec<u8>);

fn bodies(connection: &Connection, after: i64) -> rusqlite::Result<Vec<Body>> {
    connection
        .prepare_cached(
            "SELECT seq, digest, body FROM receipt WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?
        .query_map((after, number(BODIES)), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect()
}

fn sentences(connection: &Connection, question: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(question)?;
    let rows = statement.query_map((), |row| row.get(0))?;
    rows.take(FINDINGS).collect()
}
