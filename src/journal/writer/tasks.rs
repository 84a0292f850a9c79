//! What the writer does for each command, within the transaction of its batch.

use super::super::append;
use super::super::command::{Promise, Task, promise, refusal};
use super::super::company::{self, Order};
use super::super::erase;
use super::super::error::Failure;
use super::super::events;
use super::super::gaps;
use super::super::incoming::Incoming;
use super::super::instance::{self, Said};
use super::super::put_aside;
use super::super::reconcile;
use super::super::replay;
use super::super::retention::{self, Tidied};
use super::super::route;
use super::super::settle;
use super::super::shares;
use super::{Error, INSTANCE_BYTES, Writer};
use crate::model::{
    Attempt, ChangeSeq, Delivery, InstanceId, Kept, Reading, Reconciled, Settlement, SinkName,
    Timestamp,
};

impl Writer {
    /// Does what is asked for, or not where the batch has failed already; what is said to the
    /// caller depends on the fate of the batch.
    pub(super) fn run_task(&mut self, task: Task, alive: bool) -> (Promise, Result<(), Failure>) {
        // Closing is asked for once and must not fail with others.
        if let Task::Close(answer) = task {
            self.closing = Some(answer);
            return (Box::new(|_| ()), Ok(()));
        }
        if !alive {
            return (refusal(task), Ok(()));
        }
        match task {
            Task::Append(incoming, answer) => promise(answer, self.append(&incoming)),
            Task::Settle(settling, answer) => promise(answer, self.settle(&settling)),
            Task::Replay(requests, now, answer) => promise(answer, self.replay(&requests, now)),
            Task::PutAside(order, answer) => {
                let done = put_aside::carry_out(&self.connection, &mut self.touched, &order);
                promise(answer, done.map_err(Failure::from))
            }
            Task::Enable(name, answer) => promise(answer, self.enable(&name)),
            Task::Note(event, answer) => {
                let noted = events::insert(&self.connection, event.at, &event.kind, &event.text);
                promise(answer, noted.map_err(Failure::from))
            }
            Task::Company(order, answer) => promise(answer, self.carry_out(&order)),
            Task::Create(said, answer) => promise(answer, self.create(&said)),
            Task::Instance(order, answer) => {
                let done = instance::carry_out(&self.connection, &mut self.touched, &order);
                promise(answer, done)
            }
            Task::Reconcile(reading, answer) => promise(answer, self.reconcile(&reading)),
            Task::Gap(opening, answer) => {
                let opened = gaps::open(&self.connection, &mut self.touched, &opening);
                promise(answer, opened.map_err(Failure::from))
            }
            Task::Tidy(now, answer) => promise(answer, self.tidy(now)),
            Task::Erase(wanted, answer) => {
                let (realm, mentions, now) = &*wanted;
                let (connection, touched) = (&self.connection, &mut self.touched);
                let step = erase::step(connection, touched, realm, mentions, *now);
                self.admission.ask_again();
                if step.is_ok() {
                    self.shared.forget(realm);
                }
                promise(answer, step)
            }
            Task::Purge(answer) => {
                self.purges = true;
                let is_small = self.is_rewritable();
                let left = retention::give_back_all(&self.connection);
                promise(
                    answer,
                    left.map(|left| (left, is_small)).map_err(Failure::from),
                )
            }
            Task::Ping(answer) => promise(answer, Ok(())),
            Task::Close(_) => (Box::new(|_| ()), Ok(())),
        }
    }

    fn append(&mut self, incoming: &Incoming) -> Result<Kept, Failure> {
        let fits = if incoming.receipt.authenticity.is_unsigned() {
            let (scopes, bytes_max) = (self.shared.scopes(), self.settings.bytes_max);
            let (connection, crowded) = (&self.connection, &mut self.crowded);
            shares::admit(connection, &scopes, incoming, bytes_max, crowded)?;
            self.room.take_unsigned(incoming.bytes())
        } else {
            self.room.take(incoming.bytes())
        };
        if !fits {
            return Err(Error::Full.into());
        }
        Ok(append::append(
            &self.connection,
            &mut self.known,
            &mut self.numbers,
            &mut self.touched,
            &mut self.admission,
            incoming,
        )?)
    }

    fn settle(&mut self, settling: &(Delivery, Attempt, Settlement)) -> Result<(), Failure> {
        let (delivery, attempt, settlement) = settling;
        settle::settle(
            &self.connection,
            &mut self.touched,
            delivery,
            attempt,
            settlement,
        )
    }

    fn create(&mut self, said: &Said) -> Result<InstanceId, Failure> {
        if !self.room.take(INSTANCE_BYTES) {
            return Err(Error::Full.into());
        }
        instance::create(&self.connection, &mut self.touched, said)
    }

    fn replay(
        &mut self,
        requests: &[(ChangeSeq, SinkName)],
        now: Timestamp,
    ) -> Result<u64, Failure> {
        Ok(replay::file(
            &self.connection,
            &mut self.touched,
            requests,
            now,
        )?)
    }

    fn enable(&mut self, name: &SinkName) -> Result<(), Failure> {
        let Some(sink) = route::sink(&self.connection, name)? else {
            return Err(Error::UnknownSink(name.to_string()).into());
        };
        Ok(settle::enable(
            &self.connection,
            &mut self.touched,
            sink,
            name,
        )?)
    }

    fn carry_out(&mut self, order: &Order) -> Result<(), Failure> {
        company::carry_out(&self.connection, &mut self.touched, order)
    }

    fn reconcile(&mut self, reading: &Reading) -> Result<Reconciled, Failure> {
        let desk = reconcile::Desk {
            connection: &self.connection,
            known: &mut self.known,
            numbers: &mut self.numbers,
            touched: &mut self.touched,
            room: &mut self.room,
            keep_records: self.settings.keep_records,
        };
        reconcile::reconcile(desk, reading)
    }

    fn tidy(&mut self, now: Option<Timestamp>) -> Result<Tidied, Failure> {
        self.admission.ask_again();
        if let Some(now) = now {
            self.touched.at(now);
            self.lineage.age(now);
            if self.lineage.is_due(self.log.commits()) {
                self.lineage.step(&self.connection)?;
            }
        }
        if let Some(crowded) = self.crowded.take() {
            let (connection, sweeps) = (&self.connection, &mut self.sweep.unsigned);
            let freed = shares::relieve(connection, sweeps, Some(&crowded.source), crowded.bytes)?;
            self.crowded = Some(crowded).filter(|crowded| freed > 0 && freed < crowded.bytes);
        }
        Ok(retention::step(
            &self.connection,
            &mut self.known,
            &mut self.sweep,
            &self.room,
            self.settings.keep,
            now,
        )?)
    }
}
