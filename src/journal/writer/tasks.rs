//! What the writer does for one member of a batch, in the transaction of the batch.

use super::{INSTANCE_BYTES, Writer};
use crate::journal::company::{self, Order};
use crate::journal::error::Failure;
use crate::journal::incoming::Incoming;
use crate::journal::instance::{self, Said};
use crate::journal::retention::{self, Tidied};
use crate::journal::{Error, append, reconcile, replay, route, settle};
use crate::model::{
    Attempt, ChangeSeq, Delivery, InstanceId, Kept, Reading, Reconciled, Settlement, SinkName,
    Timestamp,
};

impl Writer {
    pub(super) fn append(&mut self, incoming: &Incoming) -> Result<Kept, Failure> {
        if !self.room.take(incoming.bytes()) {
            return Err(Error::Full.into());
        }
        Ok(append::append(
            &self.connection,
            &mut self.known,
            &mut self.numbers,
            &mut self.touched,
            incoming,
        )?)
    }

    pub(super) fn settle(
        &mut self,
        settling: &(Delivery, Attempt, Settlement),
    ) -> Result<(), Failure> {
        let (delivery, attempt, settlement) = settling;
        settle::settle(
            &self.connection,
            &mut self.touched,
            delivery,
            attempt,
            settlement,
        )
    }

    pub(super) fn create(&mut self, said: &Said) -> Result<InstanceId, Failure> {
        if !self.room.take(INSTANCE_BYTES) {
            return Err(Error::Full.into());
        }
        instance::create(&self.connection, &mut self.touched, said)
    }

    pub(super) fn replay(
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

    pub(super) fn enable(&mut self, name: &SinkName) -> Result<(), Failure> {
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

    pub(super) fn carry_out(&mut self, order: &Order) -> Result<(), Failure> {
        company::carry_out(&self.connection, &mut self.touched, order)
    }

    pub(super) fn reconcile(&mut self, reading: &Reading) -> Result<Reconciled, Failure> {
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

    pub(super) fn tidy(&mut self, now: Option<Timestamp>) -> Result<Tidied, Failure> {
        if let Some(now) = now {
            self.touched.at(now);
            self.lineage.age(now);
            if self.lineage.is_due(self.log.commits()) {
                self.lineage.step(&self.connection)?;
            }
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
