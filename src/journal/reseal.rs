//! Sealing everything anew that lies sealed in a journal, while no relay uses it: all of it or nothing.

use super::error::Failure;
use super::{Error, Journal, Settings, open};
use crate::model::Timestamp;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, MAIN_DB, TransactionBehavior};
use std::time::Duration;

/// How long a reader of the journal is waited for: commands that look are done much sooner.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a sealed value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sealed {
    /// The tokens of a company.
    Tokens,
    /// What is kept secret of an element instance.
    Instance,
}

/// What was sealed anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resealed {
    /// How many values.
    pub count: u64,
    /// Whether the old ones are gone. Otherwise they stay in the log, because somebody read the journal
    /// for longer than was waited; sealing all of it anew once more tries again.
    pub old_are_gone: bool,
}

/// Where sealed values lie: what they are, and a question for number, company and value.
const PLACES: [(Sealed, &str, &str); 2] = [
    (
        Sealed::Tokens,
        "SELECT c.realm, m.name, c.tokens FROM company c JOIN realm m ON m.id = c.realm \
         WHERE c.tokens IS NOT NULL",
        "UPDATE company SET tokens = ?2 WHERE realm = ?1",
    ),
    (
        Sealed::Instance,
        "SELECT i.id, m.name, i.sealed FROM instance i JOIN sink s ON s.id = i.sink \
         JOIN realm m ON m.id = s.realm",
        "UPDATE instance SET sealed = ?2 WHERE id = ?1",
    ),
];

impl Journal {
    /// Replaces every sealed value by what `again` makes of it, in one transaction, and leaves nothing
    /// of the old ones in its files, unless another process keeps reading them. No relay may run
    /// meanwhile.
    ///
    /// # Errors
    /// Those of [`Journal::open`], or what `again` returned; then nothing was changed.
    pub fn reseal<E: From<Error>>(
        settings: &Settings,
        now: Timestamp,
        again: impl FnMut(Sealed, &str, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Resealed, E> {
        if !settings.path.is_file() {
            let why = format!("there is no file {}", settings.path.display());
            return Err(Error::Unusable(why).into());
        }
        let mut opened = open::open(&settings.path, now)?;
        let unusable = |error: rusqlite::Error| E::from(Failure::from(error).into());
        let connection = &mut opened.connection;
        let count = replace_all(connection, again, unusable)?;
        // The log holds the old values, too.
        connection.busy_timeout(PATIENCE).map_err(unusable)?;
        let emptied = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE);
        let old_are_gone = match emptied {
            Ok(_) => true,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => false,
            Err(error) => return Err(unusable(error)),
        };
        Ok(Resealed {
            count,
            old_are_gone,
        })
    }
}

fn replace_all<E>(
    connection: &mut Connection,
    mut again: impl FnMut(Sealed, &str, &[u8]) -> Result<Vec<u8>, E>,
    unusable: impl Fn(rusqlite::Error) -> E,
) -> Result<u64, E> {
    connection
        .pragma_update(None, "secure_delete", 1)
        .map_err(&unusable)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&unusable)?;
    let mut count = 0;
    for (what, question, answer) in PLACES {
        let rows: Vec<(i64, String, Vec<u8>)> = transaction
            .prepare(question)
            .and_then(|mut question| {
                question
                    .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                    .collect()
            })
            .map_err(&unusable)?;
        for (number, company, sealed) in rows {
            let sealed = again(what, &company, &sealed)?;
            transaction
                .execute(answer, (number, sealed))
                .map_err(&unusable)?;
            count += 1;
        }
    }
    transaction.commit().map_err(&unusable)?;
    Ok(count)
}
