//! One lane: the changes of one company on their way to one sink.
//!
//! View, step, attempt, settlement, over and over; the decisions are in `rules::lane` and
//! `rules::retry`, the facts in the journal, so that a lane holds nothing that a restart would lose.
//! Called by the supervisor, one task a lane. It promises: one attempt at a time and in order
//! (invariant I6), nothing settled that was not attempted, and what a sink has accepted is not sent
//! again because the journal was busy.

use super::jitter::Jitter;
use super::liveness::{Beat, answering};
use super::outlet::{Outlet, tell_delivered};
use crate::clock::Clock;
use crate::journal::{Ask, Error, Journal};
use crate::model::{
    Attempt, ClockTrust, Delivery, Device, Lane, LaneState, Outcome, Settlement, Tally, Timestamp,
};
use crate::rules::lane::{Step, step};
use crate::rules::outage::{Leave, is_of_the_sink};
use crate::rules::retry::settle;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

/// Pause before the journal is asked again that had no time or room.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// What all lanes have in common.
pub(super) struct Common {
    pub(super) journal: Journal,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tally: Arc<Tally>,
    pub(super) jitter: Jitter,
    /// The longest sleep: after it the journal is asked whether or not anybody woke the lane.
    pub(super) tick: Duration,
    /// Told after every settlement.
    pub(super) news: Arc<Notify>,
    /// Told when the outage of a sink has ended.
    pub(super) back: Arc<Notify>,
    /// True when the lanes are to stop.
    pub(super) stop: watch::Receiver<bool>,
    /// Whose clock is waited for.
    pub(super) device: watch::Receiver<Device>,
}

/// One lane.
pub(super) struct Runner {
    pub(super) common: Arc<Common>,
    pub(super) outlet: Arc<Outlet>,
    pub(super) lane: Lane,
    /// At the first look, nothing waits for its next attempt.
    pub(super) is_impatient: bool,
    /// Answers while the lane waits for anything but its sink, which has a deadline of its own.
    pub(super) beat: Beat,
    /// Its place among the tasks of its sink.
    pub(super) place: OwnedSemaphorePermit,
}

/// A lane whose task has ended.
pub(super) struct Ended {
    pub(super) lane: Lane,
    pub(super) next: Next,
    /// Says whether something came after its last look.
    wake: watch::Receiver<u64>,
}

/// When an ended lane is to be looked at again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// As soon as there is a place: it has made way for others.
    Soon,
    /// At that time, or when it is woken.
    At(Timestamp),
    /// When it is woken.
    Idle,
    /// Another sink takes over, or there is no such lane any more.
    Over,
}

impl Ended {
    /// Whether it was woken after its last look.
    pub(super) fn is_woken(&self) -> bool {
        self.wake.has_changed().unwrap_or(false)
    }
}

/// Tells a lane when to end: the relay stops, or another sink has taken the place of its own.
struct End {
    stop: watch::Receiver<bool>,
    retired: watch::Receiver<bool>,
}

impl End {
    fn has_come(&self) -> bool {
        *self.stop.borrow() || *self.retired.borrow()
    }

    async fn comes(&mut self) {
        tokio::select! {
            () = stopped(&mut self.stop) => {}
            () = stopped(&mut self.retired) => {}
        }
    }
}

/// What a turn came to.
enum Turn {
    /// Something was done: look again at once.
    Done,
    /// Nothing to do before that instant, or before the lane is woken.
    Rest(Option<Timestamp>),
    /// The journal could not say.
    Unsure,
    /// There is no such lane any more.
    Over,
}

impl Runner {
    /// Works until there has been nothing to do for a while, another lane needs its place, it is
    /// told to end, or there is no such lane any more; an attempt in flight is finished and settled
    /// first.
    ///
    /// # Errors
    /// Those of the journal after which going on is pointless.
    pub(super) async fn run(mut self) -> Result<Ended, Error> {
        let mut wake = self.common.journal.subscribe(&self.lane.realm);
        let mut back = self.outlet.back();
        let mut end = End {
            stop: self.common.stop.clone(),
            retired: self.outlet.retired(),
        };
        let needs_clock = self.outlet.sink.needs_clock();
        let mut device = self.common.device.clone();
        let (mut next, mut is_quiet) = (Next::Over, false);
        while !end.has_come() {
            if needs_clock {
                // At once, unless the clock cannot be trusted; nobody left to say so counts as trust.
                let set = device.wait_for(|device| device.clock != ClockTrust::Waiting);
                let set = async {
                    tokio::select! {
                        _ = set => {}
                        () = end.comes() => {}
                    }
                };
                answering(&mut self.beat, set).await;
            }
            // Marked as seen before the look, so that what happens after it wakes the lane.
            wake.mark_unchanged();
            back.mark_unchanged();
            let outlet = Arc::clone(&self.outlet);
            let permit = answering(&mut self.beat, async {
                tokio::select! {
                    permit = outlet.permit() => permit,
                    () = end.comes() => None,
                }
            });
            let Some(permit) = permit.await else { break };
            let turn = self.turn().await?;
            drop(permit);
            let makes_way = self.outlet.places.are_wanted();
            let pause = match turn {
                Turn::Done if makes_way => {
                    next = Next::Soon;
                    break;
                }
                Turn::Done => {
                    is_quiet = false;
                    continue;
                }
                Turn::Over => break,
                Turn::Rest(until) if makes_way || is_quiet => {
                    next = until.map_or(Next::Idle, Next::At);
                    break;
                }
                Turn::Unsure => PAUSE,
                Turn::Rest(until) => self.until(until),
            };
            let pause = async {
                tokio::select! {
                    woken = rest(pause, &mut wake) => woken,
                    // Nobody is left to say so only when the lane has ended.
                    _ = back.changed() => true,
                    () = end.comes() => true,
                }
            };
            is_quiet = !answering(&mut self.beat, pause).await;
        }
        drop(self.place);
        let lane = self.lane;
        Ok(Ended { lane, next, wake })
    }

    async fn turn(&mut self) -> Result<Turn, Error> {
        let common = Arc::clone(&self.common);
        let now = common.clock.now();
        let (appetite, hold) = (self.outlet.sink.appetite(), self.outlet.hold);
        let ask = Ask {
            max: appetite.max,
            one_receipt: appetite.one_receipt,
            body: appetite.body,
            record: self.outlet.record,
            reconciled_only: hold.map(|hold| now.minus(hold)),
        };
        let mut view = match common.journal.lane_view(&self.lane, ask).await {
            Ok(view) => view,
            Err(Error::UnknownSink(_)) => return Ok(Turn::Over),
            Err(error) => return pointless(error).map(|()| Turn::Unsure),
        };
        if std::mem::take(&mut self.is_impatient) {
            view.wait_no_more();
        }
        let schedule = &self.outlet.schedule;
        let mut planned = step(now, &self.lane, &view, schedule, hold);
        let mut until = None;
        let is_due = match planned {
            Step::Deliver { .. } => true,
            Step::Rest { until: wait } => {
                until = wait;
                // Perhaps it waits for the sink, which may be back.
                view.wait_no_more();
                planned = step(now, &self.lane, &view, schedule, hold);
                false
            }
        };
        let Step::Deliver {
            mut delivery,
            state,
        } = planned
        else {
            return Ok(Turn::Rest(until));
        };
        match self.outlet.leave(now, &self.lane, is_due) {
            Leave::AsPlanned => return Ok(Turn::Rest(until)),
            Leave::NotBefore(at) if is_due => return Ok(Turn::Rest(Some(at))),
            Leave::NotBefore(at) => return Ok(Turn::Rest(until.min(Some(at)).or(Some(at)))),
            Leave::Go => {}
        }
        let fitting = self.outlet.sink.fitting(&delivery.changes);
        delivery.changes.truncate(fitting);
        self.attempt(&delivery, &state, is_due).await?;
        Ok(Turn::Done)
    }

    async fn attempt(
        &mut self,
        delivery: &Delivery,
        state: &LaneState,
        is_due: bool,
    ) -> Result<(), Error> {
        let common = Arc::clone(&self.common);
        let at = common.clock.now();
        let outcome = self.outlet.sink.deliver(delivery, at).await;
        let now = common.clock.now();
        if self.outlet.came(&self.lane, at, now, &outcome) {
            common.back.notify_one();
        }
        if !is_due && is_of_the_sink(&outcome) {
            // Nothing has changed: the lane waits for its time as before, and nothing is written.
            let wait = Settlement::Retry { at: now };
            self.count(delivery, &outcome, &wait);
            self.outlet.note(delivery, &outcome, &wait);
            return Ok(());
        }
        let chance = (common.jitter)();
        let settlement = settle(now, chance, state, &self.outlet.schedule, &outcome);
        self.count(delivery, &outcome, &settlement);
        self.outlet.note(delivery, &outcome, &settlement);
        let attempt = Attempt {
            at,
            took: now.since(at),
            outcome,
        };
        self.record(delivery, &attempt, &settlement).await?;
        tell_delivered(delivery, &attempt);
        common.news.notify_one();
        Ok(())
    }

    /// Settles, as often as it takes; the delivery itself is not repeated for it. When the relay
    /// stops meanwhile, the delivery is unsettled and goes once more after the restart.
    async fn record(
        &mut self,
        delivery: &Delivery,
        attempt: &Attempt,
        settlement: &Settlement,
    ) -> Result<(), Error> {
        let journal = self.common.journal.clone();
        let mut stop = self.common.stop.clone();
        loop {
            match journal.settle(delivery, attempt, settlement).await {
                // Nobody asks any more what became of it, where the lane is gone.
                Ok(()) | Err(Error::UnknownSink(_)) => return Ok(()),
                Err(error) => pointless(error)?,
            }
            let pause = async {
                tokio::select! {
                    () = sleep(PAUSE) => false,
                    () = stopped(&mut stop) => true,
                }
            };
            if answering(&mut self.beat, pause).await {
                return Ok(());
            }
        }
    }

    fn count(&self, delivery: &Delivery, outcome: &Outcome, settlement: &Settlement) {
        let tally = &self.common.tally;
        let changes = u64::try_from(delivery.changes.len()).unwrap_or(u64::MAX);
        tally.attempts.add_one();
        if *outcome != Outcome::Accepted {
            tally.attempts_failed.add_one();
        }
        match settlement {
            Settlement::Delivered => tally.changes_delivered.add(changes),
            Settlement::Dead { .. } => tally.changes_dead.add(changes),
            Settlement::Retry { .. } | Settlement::Disabled => {}
        }
    }

    /// Until what is due, and no longer than a tick, which is a little different each time so that
    /// the lanes do not all look at once.
    fn until(&self, until: Option<Timestamp>) -> Duration {
        let common = &self.common;
        let tick = common.tick.mul_f64(1.0 + (common.jitter)() / 5.0);
        until.map_or(tick, |until| until.since(common.clock.now()).min(tick))
    }
}

/// Waits until somebody calls or the time is over; true for the former. The call says nothing but
/// that; what is to be done is found by looking, so a call that is lost costs time and no work.
pub(super) async fn rest(span: Duration, wake: &mut watch::Receiver<u64>) -> bool {
    let woken = async {
        if wake.changed().await.is_err() {
            // Nobody is left to call; without this, the loop would run hot.
            std::future::pending::<()>().await;
        }
    };
    timeout(span, woken).await.is_ok()
}

/// Resolves when the relay is to stop, or when nobody is left to say so.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Passes on the errors after which asking again cannot help.
pub(super) fn pointless(error: Error) -> Result<(), Error> {
    match error {
        Error::Busy | Error::Full | Error::Share | Error::Unread(_) => Ok(()),
        Error::Broken(_)
        | Error::Locked(_)
        | Error::Newer { .. }
        | Error::Foreign(_)
        | Error::Unusable(_)
        | Error::UnknownSink(_)
        | Error::NotConnected(_)
        | Error::NoInstance(_)
        | Error::Closed => Err(error),
    }
}
