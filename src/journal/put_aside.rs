//! What a person puts aside: dead letters, entries that were not understood, replays under way.
//!
//! Nothing of it is deleted. A dead letter whose replay is cancelled is a dead letter again.

use super::command::Task;
use super::dead::{self, DeadFilter, DeadLetter, Place};
use super::inspect::Inspection;
use super::rows::number;
use super::touched::Touched;
use super::{Error, Journal, events, sinks};
use crate::model::{RealmId, Seq, SinkCount, SinkName, Timestamp};
use rusqlite::{Connection, params};
use std::sync::Arc;

/// Rows that one transaction changes.
const STEP: usize = 1_000;

/// Which entries that were not understood are meant; what is `None` does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UnreadableFilter {
    /// Of one of these receipts.
    pub receipts: Option<Vec<Seq>>,
    /// Received at this instant or later.
    pub since: Option<Timestamp>,
    /// Received before this instant.
    pub until: Option<Timestamp>,
}

/// One step of putting aside.
pub(super) enum Order {
    /// These dead letters, by change and sink.
    Discard(Vec<(i64, i64)>, Timestamp),
    /// What was not understood of these receipts.
    Acknowledge(Vec<i64>, Timestamp),
    /// Replays that are not done, of these sinks and this company.
    Cancel(Arc<ReplayFilter>, Timestamp),
}

/// Which replays are meant; what is `None` does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReplayFilter {
    /// To one of these sinks.
    pub sinks: Option<Vec<SinkName>>,
    /// Of changes of this company.
    pub realm: Option<RealmId>,
}

/// Carries a step out; how many rows it concerned.
pub(super) fn carry_out(
    connection: &Connection,
    touched: &mut Touched,
    order: &Order,
) -> rusqlite::Result<u64> {
    let mut done = 0;
    match order {
        Order::Discard(letters, now) => {
            touched.at(*now);
            for letter in letters {
                done += connection
                    .prepare_cached(
                        "UPDATE dead SET discarded_at = ?3 WHERE change = ?1 AND sink = ?2 \
                         AND replayed_at IS NULL AND discarded_at IS NULL",
                    )?
                    .execute((letter.0, letter.1, now.as_ms()))?;
            }
            touched.settled();
        }
        Order::Acknowledge(receipts, now) => {
            touched.at(*now);
            for receipt in receipts {
                done += connection
                    .prepare_cached(
                        "UPDATE unreadable SET discarded_at = ?2 WHERE receipt = ?1 \
                         AND discarded_at IS NULL",
                    )?
                    .execute((receipt, now.as_ms()))?;
            }
            events::count(connection, "unreadable", -number(done))?;
        }
        Order::Cancel(filter, now) => {
            touched.at(*now);
            done = cancel(connection, filter, *now)?;
            touched.everyone();
            touched.settled();
        }
    }
    Ok(u64::try_from(done).unwrap_or(u64::MAX))
}

/// Cancels some replays. The dead letters that they were to revive are open again.
fn cancel(
    connection: &Connection,
    filter: &ReplayFilter,
    now: Timestamp,
) -> rusqlite::Result<usize> {
    let sinks = filter.sinks.as_ref().map(|sinks| {
        let names: Vec<&str> = sinks.iter().map(SinkName::as_str).collect();
        serde_json::Value::from(names).to_string()
    });
    let replays: Vec<i64> = connection
        .prepare_cached(
            "SELECT p.id FROM replay p JOIN sink s ON s.id = p.sink JOIN realm m ON m.id = p.realm \
             WHERE p.done_at IS NULL AND (?1 IS NULL OR instr(?1, '\"' || s.name || '\"') > 0) \
             AND (?2 IS NULL OR m.name = ?2) LIMIT ?3",
        )?
        .query_map(
            params![
                sinks,
                filter.realm.as_ref().map(RealmId::as_str),
                number(STEP)
            ],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    for id in &replays {
        connection
            .prepare_cached(
                "UPDATE dead SET replayed_at = NULL FROM replay p WHERE p.id = ?1 \
                 AND dead.change = p.change AND dead.sink = p.sink \
                 AND dead.replayed_at = p.requested_at",
            )?
            .execute([id])?;
        connection
            .prepare_cached("UPDATE replay SET done_at = ?2, cancelled_at = ?2 WHERE id = ?1")?
            .execute((id, now.as_ms()))?;
    }
    Ok(replays.len())
}

/// Receipts with something that was not understood and that nobody has acknowledged.
fn unreadable(connection: &Connection, filter: &UnreadableFilter) -> rusqlite::Result<Vec<i64>> {
    let among = filter.receipts.as_ref().map(|receipts| {
        let numbers: Vec<i64> = receipts.iter().map(|seq| seq.0).collect();
        serde_json::Value::from(numbers).to_string()
    });
    connection
        .prepare_cached(
            "SELECT DISTINCT u.receipt FROM unreadable u JOIN receipt r ON r.seq = u.receipt \
             WHERE u.discarded_at IS NULL \
             AND (?1 IS NULL OR u.receipt IN (SELECT value FROM json_each(?1))) \
             AND (?2 IS NULL OR r.received_at >= ?2) AND (?3 IS NULL OR r.received_at < ?3) \
             ORDER BY u.receipt",
        )?
        .query_map(
            params![
                among,
                filter.since.map(Timestamp::as_ms),
                filter.until.map(Timestamp::as_ms)
            ],
            |row| row.get(0),
        )?
        .collect()
}

impl Journal {
    /// Puts dead letters aside: they stay until their receipts are deleted, and call for nobody any
    /// more. How many; with `dry_run` how many it would be.
    ///
    /// # Errors
    /// As for [`replay`](Self::replay).
    pub async fn discard_dead(
        &self,
        filter: DeadFilter,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let filter = Arc::new(filter);
        let (mut count, mut after) = (0, Some(Place::default()));
        while let Some(place) = after {
            let asked = Arc::clone(&filter);
            let step = self
                .read(move |connection| dead::step(connection, &asked, place))
                .await?;
            after = step.next;
            let letters = step.found.iter();
            let letters: Vec<(i64, i64)> = letters
                .map(|found| (found.letter.change.seq.0, found.sink))
                .collect();
            count += match dry_run {
                true => u64::try_from(letters.len()).unwrap_or(u64::MAX),
                false => self.put_aside(Order::Discard(letters, now)).await?,
            };
        }
        Ok(count)
    }

    /// Acknowledges what was not understood: it stays, and is not counted any more. How many entries;
    /// with `dry_run` how many receipts it would concern.
    ///
    /// # Errors
    /// As for [`replay`](Self::replay).
    pub async fn acknowledge_unreadable(
        &self,
        filter: UnreadableFilter,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let receipts = self
            .read(move |connection| unreadable(connection, &filter))
            .await?;
        if dry_run {
            return Ok(u64::try_from(receipts.len()).unwrap_or(u64::MAX));
        }
        let mut count = 0;
        for some in receipts.chunks(STEP) {
            count += self
                .put_aside(Order::Acknowledge(some.to_vec(), now))
                .await?;
        }
        Ok(count)
    }

    /// Cancels replays that are not done. What they were to send stays as it was before them.
    ///
    /// # Errors
    /// [`Error::UnknownSink`]; as for [`settle`](Self::settle).
    pub async fn cancel_replays(&self, filter: ReplayFilter, now: Timestamp) -> Result<u64, Error> {
        self.chosen(filter.sinks.clone()).await?;
        let filter = Arc::new(filter);
        let mut count = 0;
        loop {
            let cancelled = self
                .put_aside(Order::Cancel(Arc::clone(&filter), now))
                .await?;
            count += cancelled;
            if usize::try_from(cancelled).is_ok_and(|cancelled| cancelled < STEP) {
                return Ok(count);
            }
        }
    }

    async fn put_aside(&self, order: Order) -> Result<u64, Error> {
        self.command(|answer| Task::PutAside(Box::new(order), answer))
            .await
    }
}

impl Inspection {
    /// The dead letters that still call for a person, in the order of the journal.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, Error> {
        let (mut letters, mut after) = (Vec::new(), Some(Place::default()));
        while let Some(place) = after {
            let step = self.view(|connection| dead::step(connection, filter, place))?;
            letters.extend(step.found.into_iter().map(|found| found.letter));
            after = step.next;
        }
        Ok(letters)
    }

    /// What each sink has yet to get that was ever configured, as far as it is still kept.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn undelivered_by_sink(&self) -> Result<Vec<SinkCount>, Error> {
        self.view(sinks::undelivered)
    }

    /// Which name or number of the filter the journal does not know at all, in a sentence.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn unknown(&self, filter: &DeadFilter) -> Result<Option<String>, Error> {
        self.view(|connection| filter.unknown(connection))
    }

    /// The receipts with something that was not understood and that nobody has acknowledged.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub fn unreadable(&self, filter: &UnreadableFilter) -> Result<Vec<Seq>, Error> {
        let receipts = self.view(|connection| unreadable(connection, filter))?;
        Ok(receipts.into_iter().map(Seq).collect())
    }
}
