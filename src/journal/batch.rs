//! What goes into one transaction: what waits, in its order, but what nobody signed behind the rest.
//!
//! So a client that delivers much without a signature makes no signed notification wait. One of its
//! receipts goes with every batch, so that it gets on as well. Called by the writer.

use super::command::{Command, Task};
use super::reconcile;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// Bytes of bodies in one transaction, so that a few huge ones do not make the log huge.
const BYTES_MAX: u64 = 4 << 20;

struct Batch {
    tasks: Vec<Task>,
    bytes: u64,
    tasks_max: usize,
    /// When the first of them was asked for.
    since: Option<Instant>,
}

impl Batch {
    /// Takes a command; its place in the queue is free again.
    fn push(&mut self, command: Command) {
        self.bytes += match &command.task {
            Task::Append(incoming, _) => incoming.bytes(),
            Task::Reconcile(reading, _) => reconcile::bytes(reading),
            _ => 0,
        };
        self.since = self.since.into_iter().chain([command.asked_at]).min();
        drop(command.place);
        self.tasks.push(command.task);
    }

    fn finish(self) -> (Vec<Task>, Instant) {
        (self.tasks, self.since.unwrap_or_else(Instant::now))
    }

    fn is_full(&self) -> bool {
        self.tasks.len() >= self.tasks_max || self.bytes >= BYTES_MAX
    }
}

/// The next batch, and since when the first of it waits: `first` and what else is in the queue, then what waits in `unsigned`, where what
/// does not go yet is left. Nothing goes behind the command to close, and everything before it.
pub(super) fn gather(
    first: Option<Command>,
    queue: &Receiver<Command>,
    unsigned: &mut VecDeque<Command>,
    tasks_max: usize,
) -> (Vec<Task>, Instant) {
    let mut batch = Batch {
        tasks: Vec::new(),
        bytes: 0,
        tasks_max,
        since: None,
    };
    if let Some(waiting) = unsigned.pop_front() {
        batch.push(waiting);
    }
    let mut next = first;
    while let Some(command) = next {
        if matches!(command.task, Task::Close(_)) {
            unsigned.drain(..).for_each(|waiting| batch.push(waiting));
            batch.push(command);
            return batch.finish();
        }
        if is_unsigned(&command.task) {
            unsigned.push_back(command);
        } else {
            batch.push(command);
        }
        next = if batch.is_full() {
            None
        } else {
            queue.try_recv().ok()
        };
    }
    while !batch.is_full()
        && let Some(waiting) = unsigned.pop_front()
    {
        batch.push(waiting);
    }
    batch.finish()
}

fn is_unsigned(task: &Task) -> bool {
    matches!(task, Task::Append(incoming, _) if incoming.receipt.authenticity.is_unsigned())
}

#[cfg(test)]
mod tests {
    use super::super::incoming::Incoming;
    use super::*;
    use crate::model::{Authenticity, Encoding, Origin, Receipt, Timestamp};
    use std::sync::Arc;
    use std::sync::mpsc::{SyncSender, sync_channel};
    use tokio::sync::{Semaphore, oneshot};

    fn command(task: Task) -> Command {
        let places = Arc::new(Semaphore::new(1));
        let place = places.try_acquire_owned().unwrap();
        Command {
            task,
            asked_at: Instant::now(),
            place,
        }
    }

    fn receipt(number: i64, authenticity: Authenticity) -> Command {
        let receipt = Receipt {
            received_at: Timestamp::from_ms(number),
            source: "till".into(),
            authenticity,
            origin: Origin::Webhook,
            encoding: Encoding::Json,
            form: None,
            headers: Vec::new(),
            body: "".into(),
            items: Vec::new(),
        };
        let incoming = Box::new(Incoming::new(receipt));
        command(Task::Append(incoming, oneshot::channel().0))
    }

    fn send(queue: &SyncSender<Command>, numbers: std::ops::Range<i64>, by: Authenticity) {
        for number in numbers {
            queue.try_send(receipt(number, by)).ok().unwrap();
        }
    }

    /// The numbers of the receipts in a batch; -1 for the command to close.
    fn numbers(tasks: &[Task]) -> Vec<i64> {
        let number = |task: &Task| match task {
            Task::Append(incoming, _) => incoming.receipt.received_at.as_ms(),
            _ => -1,
        };
        tasks.iter().map(number).collect()
    }

    #[test]
    fn what_is_signed_goes_first_and_nothing_is_left_behind_for_ever() {
        let (sender, queue) = sync_channel(100);
        let mut unsigned = VecDeque::new();
        send(&sender, 1..20, Authenticity::Address);
        send(&sender, 100..106, Authenticity::Signed);
        let mut next = || {
            let first = queue.try_recv().ok();
            numbers(&gather(first, &queue, &mut unsigned, 8).0)
        };
        assert_eq!(next(), [100, 101, 102, 103, 104, 105, 1, 2]);
        // Signed ones without end: one of the others goes with every batch.
        send(&sender, 110..124, Authenticity::Signed);
        assert_eq!(next(), [3, 110, 111, 112, 113, 114, 115, 116]);
        assert_eq!(next(), [4, 117, 118, 119, 120, 121, 122, 123]);
        assert_eq!(next(), [5, 6, 7, 8, 9, 10, 11, 12]);
        sender
            .try_send(command(Task::Close(oneshot::channel().0)))
            .ok()
            .unwrap();
        assert_eq!(next(), [13, 14, 15, 16, 17, 18, 19, -1]);
    }
}
