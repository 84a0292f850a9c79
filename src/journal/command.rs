//! What the writer is asked to do, and how it answers: only when the batch has met its fate.

use super::company::Order;
use super::erase::Erased;
use super::error::Failure;
use super::gaps::Opening;
use super::incoming::Incoming;
use super::instance;
use super::put_aside;
use super::retention::Tidied;
use super::{Error, events};
use crate::model::{
    Attempt, ChangeSeq, Delivery, InstanceId, Kept, Reading, RealmId, Reconciled, Settlement,
    SinkName, Timestamp,
};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// What the writer is asked to do.
pub(super) enum Task {
    /// Keep a receipt.
    Append(Box<Incoming>, Answer<Kept>),
    /// Record what became of a delivery.
    Settle(Box<(Delivery, Attempt, Settlement)>, Answer<()>),
    /// File replays.
    Replay(Vec<(ChangeSeq, SinkName)>, Timestamp, Answer<u64>),
    /// Put something aside for a person.
    PutAside(Box<put_aside::Order>, Answer<u64>),
    /// Switch a sink on again.
    Enable(SinkName, Answer<()>),
    /// Remember an event.
    Note(events::Event, Answer<()>),
    /// Change what is known of a company, or count its calls.
    Company(Box<Order>, Answer<()>),
    /// Make an element instance.
    Create(Box<instance::Said>, Answer<InstanceId>),
    /// Change what is known of element instances.
    Instance(Box<instance::Order>, Answer<()>),
    /// Take in what a look at a company brought.
    Reconcile(Box<Reading>, Answer<Reconciled>),
    /// Open a gap.
    Gap(Opening, Answer<Option<i64>>),
    /// One step of retention; without a time, for want of room only.
    Tidy(Option<Timestamp>, Answer<Tidied>),
    /// One step of erasing a company: receipts that name it, and when. Says whether it was the last.
    Erase(Box<(RealmId, Vec<i64>, Timestamp)>, Answer<(Erased, bool)>),
    /// Give back free pages, and after this batch write the file anew, where it is small enough, and
    /// empty the log. How many free pages are left, and whether it is small enough.
    Purge(Answer<(i64, bool)>),
    /// Answer, and do nothing.
    Ping(Answer<()>),
    /// Everything before this was asked; close the file.
    Close(Answer<()>),
}

/// A task and the place that it takes in the queue.
pub(super) struct Command {
    /// What to do.
    pub task: Task,
    /// When it was asked for.
    pub asked_at: Instant,
    /// Given back when the task is taken out of the queue.
    pub place: OwnedSemaphorePermit,
}

/// What is to be said to a caller once the batch is committed, or was not.
pub(super) type Promise = Box<dyn FnOnce(Result<(), Error>)>;

/// Turns a result into what will be said, and into what it means for the batch.
pub(super) fn promise<T: 'static>(
    answer: Answer<T>,
    result: Result<T, Failure>,
) -> (Promise, Result<(), Failure>) {
    let (said, meaning) = match result {
        Ok(value) => (Ok(value), Ok(())),
        Err(Failure::Refused(error)) => (Err(error.clone()), Err(Failure::Refused(error))),
        Err(Failure::Sqlite(error)) => (
            Err(Error::Broken(error.to_string())),
            Err(Failure::Sqlite(error)),
        ),
    };
    // A caller that no longer waits has no need of the answer.
    (
        Box::new(move |fate| drop(answer.send(fate.and(said)))),
        meaning,
    )
}

/// A promise that can only be kept by saying why not.
pub(super) fn refusal(task: Task) -> Promise {
    fn of<T: 'static>(answer: Answer<T>) -> Promise {
        promise(answer, Err(Failure::Refused(Error::Closed))).0
    }
    match task {
        Task::Append(_, answer) => of(answer),
        Task::Settle(_, answer) | Task::Enable(_, answer) | Task::Note(_, answer) => of(answer),
        Task::Close(answer) | Task::Ping(answer) | Task::Company(_, answer) => of(answer),
        Task::Reconcile(_, answer) => of(answer),
        Task::Create(_, answer) => of(answer),
        Task::Instance(_, answer) => of(answer),
        Task::Gap(_, answer) => of(answer),
        Task::Replay(_, _, answer) | Task::PutAside(_, answer) => of(answer),
        Task::Tidy(_, answer) => of(answer),
        Task::Erase(_, answer) => of(answer),
        Task::Purge(answer) => of(answer),
    }
}
