//! The sinks that are configured, as the tables know them.
//!
//! Called once by the handle when the file has been opened, on the writer's connection.

use super::Settings;
use super::rows::strange;
use crate::model::{SinkCount, SinkName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

/// What the tables say at the start.
pub(super) struct Prepared {
    /// When the last receipt arrived.
    pub last_receipt_at: Option<Timestamp>,
    /// The latest instant that the tables know of.
    pub last_alive: Option<Timestamp>,
}

/// The latest instant beside that of the last receipt: what was delivered, read and written down.
const LAST_ALIVE: &str = "SELECT max(at) FROM (SELECT max(at) AS at FROM event \
    UNION ALL SELECT max(delivered_at) FROM lane UNION ALL SELECT max(died_at) FROM dead \
    UNION ALL SELECT max(requested_at) FROM replay UNION ALL SELECT max(polled_at) FROM watermark \
    UNION ALL SELECT max(swept_at) FROM company UNION ALL SELECT max(done_at) FROM gap_company)";

/// Events of an instance leave while it is switched on, has events and somewhere to post them to, and
/// the interface is served (`?1`).
const SERVE_INSTANCES: &str = "UPDATE sink SET configured = w.leaves FROM \
    (SELECT sink, ?1 AND disabled_at IS NULL AND webhook IS NOT NULL AND calls_back AS leaves \
    FROM instance) w WHERE w.sink = sink.id AND sink.configured <> w.leaves";

/// What a sink that is not configured any more had yet to get is parked.
const PARK: &str = "INSERT INTO lane (sink, realm, through, parked) \
    SELECT s.id, m.id, 0, m.sequence FROM sink s, realm m WHERE s.name = ?1 \
    AND m.sequence > ifnull((SELECT through FROM lane WHERE sink = s.id AND realm = m.id), 0) \
    ON CONFLICT (sink, realm) DO UPDATE SET parked = excluded.parked";

/// Parked changes of a sink that are counted at most.
const PARKED_MAX: i64 = 10_000;

/// What is parked for each sink that is not configured any more, as far as it is still kept: it goes
/// when its receipts are deleted, or when the sink is configured again.
pub(super) fn parked(connection: &Connection) -> rusqlite::Result<Vec<SinkCount>> {
    connection
        .prepare_cached(
            "SELECT s.name, sum((SELECT count(*) FROM (SELECT 1 FROM change c \
             WHERE c.realm = l.realm AND c.sequence > l.through AND c.sequence <= l.parked \
             LIMIT ?1))) AS n FROM lane l JOIN sink s ON s.id = l.sink \
             WHERE l.parked IS NOT NULL GROUP BY s.id HAVING n > 0 ORDER BY s.name",
        )?
        .query_map([PARKED_MAX], |row| sink_count(row, false))?
        .collect()
}

/// The same, and what those have yet to get that are configured as the journal knows it.
pub(super) fn undelivered(connection: &Connection) -> rusqlite::Result<Vec<SinkCount>> {
    let mut counts = parked(connection)?;
    let waiting: Vec<SinkCount> = connection
        .prepare_cached(
            "SELECT sink_name, sum(sequence - through) AS n FROM route WHERE kinds IS NULL \
             AND sink NOT IN (SELECT sink FROM instance) GROUP BY sink HAVING n > 0",
        )?
        .query_map((), |row| sink_count(row, true))?
        .collect::<Result<_, _>>()?;
    counts.extend(waiting);
    Ok(counts)
}

/// The dead letters of each sink that still call for a person.
pub(super) fn dead(connection: &Connection) -> rusqlite::Result<Vec<SinkCount>> {
    connection
        .prepare_cached("SELECT name, dead, configured FROM sink WHERE dead > 0 ORDER BY name")?
        .query_map((), |row| sink_count(row, row.get(2)?))?
        .collect()
}

fn sink_count(row: &Row<'_>, is_configured: bool) -> rusqlite::Result<SinkCount> {
    let name: String = row.get(0)?;
    Ok(SinkCount {
        sink: SinkName::new(name).ok_or_else(|| strange(0, "sink"))?,
        is_configured,
        count: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
    })
}

/// Enters the configured sinks into their table, and those of instances as they are served; writes
/// nothing where nothing changed, so that a full disk does not keep a relay from starting. A new sink
/// stands behind everything there is; one that was away goes on where it stood, as far as the changes
/// are still kept.
pub(super) fn register(
    connection: &mut Connection,
    settings: &Settings,
    now: Timestamp,
) -> rusqlite::Result<Prepared> {
    let configured = &settings.sinks;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    for name in names(&transaction)? {
        if !configured.iter().any(|sink| sink.as_str() == name) {
            transaction.execute("UPDATE sink SET configured = 0 WHERE name = ?1", [&name])?;
            transaction.execute(PARK, [&name])?;
        }
    }
    for name in configured {
        let known: Option<(i64, i64)> = transaction
            .query_row(
                "SELECT id, configured FROM sink WHERE name = ?1",
                [name.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        match known {
            Some((_, 1)) => {}
            // Whatever else stands there, a value that nobody wrote included.
            Some((id, _)) => {
                transaction.execute("UPDATE sink SET configured = 1 WHERE id = ?1", [id])?;
                transaction.execute(
                    "UPDATE lane SET parked = NULL WHERE sink = ?1 AND parked IS NOT NULL",
                    [id],
                )?;
            }
            None => enter(&transaction, name, now)?,
        }
    }
    transaction.execute(SERVE_INSTANCES, [settings.instances])?;
    // What was pruned while a sink was away is not waiting for it.
    transaction.execute(
        "INSERT INTO lane (sink, realm, through) SELECT sink, realm, oldest - 1 FROM \
         (SELECT w.sink, w.realm, w.through, ifnull((SELECT min(c.sequence) FROM change c \
         WHERE c.realm = w.realm), w.sequence + 1) AS oldest FROM route w) \
         WHERE oldest - 1 > through \
         ON CONFLICT (sink, realm) DO UPDATE SET through = excluded.through",
        (),
    )?;
    let last: Option<i64> = transaction
        .query_row(
            "SELECT max(received_at, ifnull((SELECT max(last_at) FROM repetition), received_at)) \
         FROM receipt ORDER BY seq DESC LIMIT 1",
            (),
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    let last_alive: Option<i64> = transaction.query_row(LAST_ALIVE, (), |row| row.get(0))?;
    transaction.commit()?;
    Ok(Prepared {
        last_receipt_at: last.map(Timestamp::from_ms),
        last_alive: last_alive.max(last).map(Timestamp::from_ms),
    })
}

fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = connection.prepare(
        "SELECT name FROM sink WHERE configured <> 0 AND id NOT IN (SELECT sink FROM instance)",
    )?;
    names.query_map((), |row| row.get(0))?.collect()
}

fn enter(connection: &Connection, name: &SinkName, now: Timestamp) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO sink (name, configured, added_at) VALUES (?1, 1, ?2)",
        (name.as_str(), now.as_ms()),
    )?;
    let id = connection.last_insert_rowid();
    connection.execute(
        "INSERT INTO lane (sink, realm, through) SELECT ?1, id, sequence FROM realm",
        [id],
    )?;
    Ok(())
}
