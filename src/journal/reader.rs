//! Reading: one thread with a read-only connection, and the questions that the relay asks.
//!
//! Each question is one short read transaction with a deadline, so reading neither blocks the writer
//! nor keeps the log from being reused. Nothing here writes; the connection could not.

use super::incoming::digest;
use super::route::{self, Route, WINDOW};
use super::rows::{self, CHANGE, CHANGE_JOINED, number};
use super::sieve::Sieve;
use super::{Ask, Error, company, records};
use crate::model::{
    Change, Lane, LaneView, Origin, RealmId, ReplayHead, Seq, SinkName, Standing, Timestamp,
};
use bytes::Bytes;
use rusqlite::{Connection, InterruptHandle, OptionalExtension, params};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Questions that wait for the reader thread.
const QUEUE: usize = 64;

type Work = Box<dyn FnOnce(&Connection) + Send>;

/// Told when the file turns out to be damaged.
type Alarm = Box<dyn Fn(&rusqlite::Error) + Send + Sync>;

struct Question {
    number: u64,
    work: Work,
    _place: OwnedSemaphorePermit,
}

/// The way to the reader thread, which ends when this is dropped.
pub(super) struct Reader {
    queue: SyncSender<Question>,
    places: Arc<Semaphore>,
    interrupt: InterruptHandle,
    /// The question that is being answered.
    current: Arc<AtomicU64>,
    asked: AtomicU64,
    deadline: Duration,
    alarm: Alarm,
}

impl Reader {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        deadline: Duration,
        alarm: impl Fn(&rusqlite::Error) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (queue, questions) = sync_channel(QUEUE);
        let interrupt = connection.get_interrupt_handle();
        let current = Arc::new(AtomicU64::new(0));
        let running = Arc::clone(&current);
        std::thread::Builder::new()
            .name("journal-reader".into())
            .spawn(move || answer_all(&connection, &questions, &running))?;
        Ok(Self {
            queue,
            places: Arc::new(Semaphore::new(QUEUE)),
            interrupt,
            current,
            asked: AtomicU64::new(0),
            deadline,
            alarm: Box::new(alarm),
        })
    }

    /// Asks, and waits for the answer until the deadline.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let asked = async {
            let place = Arc::clone(&self.places)
                .acquire_owned()
                .await
                .map_err(|_| Error::Closed)?;
            let (answer, answered) = oneshot::channel();
            let work: Work = Box::new(move |connection| {
                // Nobody waits any more when the deadline has passed.
                let _ = answer.send(in_one_view(connection, question));
            });
            let question = Question {
                number,
                work,
                _place: place,
            };
            // Never full: there are as many places as there is room.
            self.queue.try_send(question).map_err(|_| Error::Closed)?;
            answered.await.map_err(|_| Error::Closed)?.map_err(|error| {
                if Error::is_damage(&error) {
                    (self.alarm)(&error);
                }
                Error::of_read(&error)
            })
        };
        if let Ok(answer) = tokio::time::timeout(self.deadline, asked).await {
            return answer;
        }
        if self.current.load(Ordering::SeqCst) == number {
            self.interrupt.interrupt();
        }
        Err(Error::Unread("it took too long".into()))
    }
}

fn answer_all(connection: &Connection, questions: &Receiver<Question>, current: &AtomicU64) {
    while let Ok(question) = questions.recv() {
        current.store(question.number, Ordering::SeqCst);
        (question.work)(connection);
        current.store(0, Ordering::SeqCst);
    }
}

/// Runs a question in a read transaction of its own, so that all it sees is of one moment.
pub(super) fn in_one_view<T>(
    connection: &Connection,
    question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let view = connection.unchecked_transaction()?;
    let answer = question(&view)?;
    view.commit()?;
    Ok(answer)
}

/// What a lane could do next; `None` when there is no such lane, or no longer.
pub(super) fn lane_view(
    connection: &Connection,
    sieve: &Sieve,
    lane: &Lane,
    ask: Ask,
) -> rusqlite::Result<Option<LaneView>> {
    let Some(route) = route::find(connection, lane)? else {
        // A company that nothing was notified of yet will have a lane.
        return Ok(route::awaits_companies(connection, &lane.sink)?.then(LaneView::default));
    };
    let mut head = head(connection, sieve, &route, ask.max)?;
    let held_since = match ask.reconciled_only {
        Some(limit) => hold_back(connection, &lane.realm, &mut head, limit)?,
        None => None,
    };
    let first = head.first().map(|change| change.receipt);
    if ask.one_receipt {
        head.retain(|change| Some(change.receipt) == first);
    }
    let body = match first {
        Some(receipt) if ask.body => body(connection, receipt)?,
        _ => None,
    };
    let mut replay = replay_head(connection, route.sink, route.realm, ask)?;
    if ask.record {
        let replayed = replay.iter_mut().map(|replay| &mut replay.change);
        records::fill(connection, head.iter_mut().chain(replayed))?;
    }
    Ok(Some(LaneView {
        disabled: route.is_off,
        state: route.state,
        head,
        held_since,
        body,
        replay,
    }))
}

/// The next changes that are for the lane.
fn head(
    connection: &Connection,
    sieve: &Sieve,
    route: &Route,
    max: usize,
) -> rusqlite::Result<Vec<Change>> {
    let sql = format!(
        "SELECT {CHANGE} FROM change c {CHANGE_JOINED} WHERE c.realm = ?1 AND c.sequence > ?2 \
         AND c.sequence <= ?3 AND {} ORDER BY c.sequence LIMIT ?5",
        route::covers("?4")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut passed = sieve.passed(route);
    loop {
        let end = match route.kinds {
            Some(_) => passed.saturating_add(WINDOW),
            None => i64::MAX,
        };
        let among = params![route.realm, passed, end, route.kinds, number(max)];
        let head: Vec<Change> = statement
            .query_map(among, rows::change)?
            .collect::<Result<_, _>>()?;
        let first = head.first().map(|change| change.sequence.cast_signed() - 1);
        passed = first.unwrap_or(end.min(route.newest));
        sieve.pass(route, passed);
        if first.is_some() || passed == route.newest {
            return Ok(head);
        }
    }
}

/// Cuts off the head what is not reconciled yet and was received after `limit`; when the first of
/// it was received.
fn hold_back(
    connection: &Connection,
    realm: &RealmId,
    head: &mut Vec<Change>,
    limit: Timestamp,
) -> rusqlite::Result<Option<Timestamp>> {
    let Some(company) = company::find(connection, realm)? else {
        return Ok(None);
    };
    // Who may not read a company does not wait for it.
    if company.company.standing != Standing::Connected {
        return Ok(None);
    }
    let reconciled = company.reconciled.cast_unsigned();
    let is_held = |change: &Change| {
        change.origin == Origin::Webhook
            && change.sequence > reconciled
            && change.received_at > limit
    };
    let held = head.iter().position(is_held);
    let since = held
        .and_then(|at| head.get(at))
        .map(|change| change.received_at);
    head.truncate(held.unwrap_or(head.len()));
    Ok(since)
}

fn replay_head(
    connection: &Connection,
    sink: i64,
    realm: i64,
    ask: Ask,
) -> rusqlite::Result<Option<ReplayHead>> {
    let sql = format!(
        "SELECT {CHANGE}, p.attempts, p.first_attempt_at, p.next_attempt_at, p.last_failure, p.id \
         FROM replay p JOIN change c ON c.seq = p.change {CHANGE_JOINED} \
         WHERE p.sink = ?1 AND p.realm = ?2 AND p.done_at IS NULL \
         ORDER BY ifnull(p.next_attempt_at, 0), p.id LIMIT 1"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row((sink, realm), |row| {
            let change = rows::change(row)?;
            Ok(ReplayHead {
                id: row.get(rows::CHANGE_COLUMNS + 4)?,
                state: rows::lane_state(row, rows::CHANGE_COLUMNS)?,
                change,
                body: None,
            })
        })
        .optional()?;
    match found {
        Some(head) if ask.body => {
            let body = body(connection, head.change.receipt)?;
            Ok(Some(ReplayHead { body, ..head }))
        }
        other => Ok(other),
    }
}

/// The body of a receipt, as it came.
pub(super) fn body(connection: &Connection, receipt: Seq) -> rusqlite::Result<Option<Bytes>> {
    let found: Option<(Vec<u8>, [u8; 16])> = connection
        .prepare_cached("SELECT body, digest FROM receipt WHERE seq = ?1")?
        .query_row([receipt.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((body, kept)) if digest(&body) != kept => Err(rows::strange(1, "digest")),
        found => Ok(found.map(|(body, _)| Bytes::from(body))),
    }
}

/// Every lane that there is.
pub(super) fn lanes(connection: &Connection) -> rusqlite::Result<Vec<Lane>> {
    connection
        .prepare_cached("SELECT sink_name, realm_name FROM route ORDER BY sink_name, realm")?
        .query_map((), lane)?
        .collect()
}

/// What stands for "it has something to do" of a row of the view `route`. A replay is looked at
/// whenever its turn comes.
const WITH_WORK: &str = "SELECT sink_name, realm_name, iif(replayed, NULL, next_attempt_at) FROM \
    (SELECT w.*, EXISTS (SELECT 1 FROM replay p WHERE p.sink = w.sink AND p.realm = w.realm \
    AND p.done_at IS NULL) AS replayed FROM route w WHERE w.disabled_at IS NULL) \
    WHERE (sequence > through OR replayed)";

/// The lanes that have something to do, of these companies or of all.
pub(super) fn lanes_with_work(
    connection: &Connection,
    realms: Option<&[RealmId]>,
) -> rusqlite::Result<Vec<(Lane, Option<Timestamp>)>> {
    let work = |row: &rusqlite::Row<'_>| {
        let not_before = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_ms);
        Ok((lane(row)?, not_before))
    };
    let Some(realms) = realms else {
        let mut all = connection.prepare_cached(WITH_WORK)?;
        return all.query_map((), work)?.collect();
    };
    let mut statement = connection.prepare_cached(&format!("{WITH_WORK} AND realm_name = ?1"))?;
    let mut lanes = Vec::new();
    for realm in realms {
        for found in statement.query_map([realm.as_str()], work)? {
            lanes.push(found?);
        }
    }
    Ok(lanes)
}

/// A lane from a row that begins with the names of its sink and its company.
pub(super) fn lane(row: &rusqlite::Row<'_>) -> rusqlite::Result<Lane> {
    let sink = SinkName::new(row.get::<_, String>(0)?).ok_or_else(|| rows::strange(0, "sink"))?;
    let realm =
        RealmId::new(row.get::<_, String>(1)?).ok_or_else(|| rows::strange(1, "company"))?;
    Ok(Lane { sink, realm })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_EVER: &str = "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more) \
                            SELECT max(n) FROM more";

    fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
        connection.query_row(sql, (), |row| row.get(0))
    }

    #[tokio::test]
    async fn a_question_without_end_is_stopped_at_the_deadline_and_the_next_is_answered() {
        let connection = Connection::open_in_memory().unwrap();
        let reader = Reader::start(connection, Duration::from_millis(100), |_| ()).unwrap();
        let late = Err(Error::Unread("it took too long".into()));
        assert_eq!(
            reader.ask(|connection| number(connection, FOR_EVER)).await,
            late
        );
        // The thread needs a moment to notice that it was stopped.
        let answered = async {
            while reader
                .ask(|connection| number(connection, "SELECT 7"))
                .await
                != Ok(7)
            {}
        };
        tokio::time::timeout(Duration::from_secs(10), answered)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_question_that_fails_says_why() {
        let connection = Connection::open_in_memory().unwrap();
        let reader = Reader::start(connection, Duration::from_secs(5), |_| ()).unwrap();
        let failed = reader
            .ask(|connection| number(connection, "SELECT nothing"))
            .await;
        assert!(matches!(failed, Err(Error::Unread(why)) if why.contains("nothing")));
    }
}
