//! The handle's half for who operates the relay: what is sent again, what is switched on, what is
//! written down, how it all stands, and keeping house.
//!
//! Called by the roof, by `worker::pulse` and by `worker::upkeep`.

use super::command::Task;
use super::{
    Error, Event, Journal, Place, ReplayPlan, ReplayRequest, Selection, Snapshot, Tidied, replay,
    route,
};
use crate::model::{Refusals, SinkName, Timestamp};
use std::sync::Arc;

impl Journal {
    /// Sends old changes again; with `dry_run` only says which would go where. Nothing is filed
    /// for a sink that has yet to get the change in the ordinary course.
    ///
    /// # Errors
    /// [`Error::UnknownSink`]; [`Error::Unread`] and [`Error::Full`] after what was filed so far
    /// (asking again files the rest).
    pub async fn replay(
        &self,
        request: ReplayRequest,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<ReplayPlan, Error> {
        self.replay_after(request, Place::default(), dry_run, now)
            .await
    }

    /// The same from a place on where an earlier plan ended.
    ///
    /// # Errors
    /// As for [`replay`](Self::replay).
    pub async fn replay_after(
        &self,
        request: ReplayRequest,
        mut after: Place,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<ReplayPlan, Error> {
        let sinks = Arc::new(self.chosen(request.sinks).await?);
        let selection = Arc::new(request.selection);
        let mut plan = ReplayPlan::default();
        loop {
            let (asked, among) = (Arc::clone(&selection), Arc::clone(&sinks));
            let page = self
                .read(move |connection| replay::choose(connection, &asked, among.as_deref(), after))
                .await?;
            if !dry_run && !page.planned.is_empty() {
                let requests = page
                    .planned
                    .iter()
                    .map(|planned| (planned.change.seq, planned.sink.clone()))
                    .collect();
                self.command(|answer| Task::Replay(requests, now, answer))
                    .await?;
            }
            plan.planned.extend(page.planned);
            plan.waiting += page.waiting;
            plan.under_way += page.under_way;
            plan.unconfigured += page.unconfigured;
            plan.matched += page.matched;
            match page.next {
                Some(next) if plan.planned.len() < ReplayPlan::MAX => after = next,
                next => {
                    plan.more = next;
                    return Ok(plan);
                }
            }
        }
    }

    /// Why a selection fits nothing at all, in one sentence with what to do; `None` where that is no
    /// mistake.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn explain_absence(&self, selection: Selection) -> Result<Option<String>, Error> {
        self.read(move |connection| replay::absence(connection, &selection))
            .await
    }

    /// Switches a sink on that was switched off after an attempt, and lets its lanes try at once.
    ///
    /// # Errors
    /// [`Error::UnknownSink`], or as for [`settle`](Self::settle).
    pub async fn enable_sink(&self, name: &SinkName) -> Result<(), Error> {
        let name = name.clone();
        self.command(|answer| Task::Enable(name, answer)).await
    }

    /// Remembers something that a person may ask about after a reboot. Each is a write to the disk.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn note(&self, event: Event) -> Result<(), Error> {
        self.command(|answer| Task::Note(event, answer)).await
    }

    /// Counts, troubles and events at one moment: cheap while nothing is committed, however many
    /// companies there are.
    ///
    /// # Errors
    /// [`Error::Unread`].
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let (sieve, last) = (Arc::clone(&self.0.sieve), Arc::clone(&self.0.snapshot));
        let snapshot = self
            .read(move |connection| last.look(connection, &sieve))
            .await?;
        Ok(Snapshot {
            last_receipt_at: self.0.shared.last_receipt_at(),
            bytes_used: self.0.shared.bytes_used(),
            bytes_max: self.0.bytes_max,
            refused: Refusals {
                over_limit: snapshot
                    .refused
                    .over_limit
                    .map(|_| self.0.companies_max)
                    .filter(|max| snapshot.companies >= *max),
                ..snapshot.refused
            },
            ..snapshot
        })
    }

    /// One small step of retention; call again at once while it says that there is more.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn tidy(&self, now: Timestamp) -> Result<Tidied, Error> {
        self.command(|answer| Task::Tidy(Some(now), answer)).await
    }

    /// The same for want of room only, while nobody knows what time it is.
    ///
    /// # Errors
    /// As for [`settle`](Self::settle).
    pub async fn tidy_for_room(&self) -> Result<Tidied, Error> {
        self.command(|answer| Task::Tidy(None, answer)).await
    }

    /// The sinks that are meant, by number; `None`: all.
    pub(super) async fn chosen(
        &self,
        names: Option<Vec<SinkName>>,
    ) -> Result<Option<Vec<i64>>, Error> {
        let Some(names) = names else { return Ok(None) };
        let sinks = self.read(move |connection| {
            let one = |name: SinkName| Ok(route::sink(connection, &name)?.ok_or(name));
            names.into_iter().map(one).collect::<Result<Vec<_>, _>>()
        });
        let unknown = |name: SinkName| Error::UnknownSink(name.to_string());
        let sinks = sinks.await?.into_iter().map(|sink| sink.map_err(unknown));
        sinks.collect::<Result<_, _>>().map(Some)
    }
}
