//! An outage of a sink: who may try while it lasts, and how it ends.
//!
//! A refusal is a matter of one delivery, so its lane waits by its own schedule. No connection, no
//! answer, 429, 502, 503 and 504 are matters of the sink, so all its lanes learn from each other's
//! attempts. Two lanes that fail without an answer in between, or a `Retry-After`, make an outage:
//! then one delivery at a time probes the sink, by the schedule of the first failures and at least
//! each [`Schedule::probe_every`], however long the lanes would wait; a `Retry-After` lengthens that.
//! The first answer ends it, and everything that waited because of it is due, spread over a moment.
//! One lane that fails alone holds nobody up, and is tried again as often as the sink would be.
//!
//! Called by the lanes' tasks before and after each attempt; it lives as long as the process, because
//! whether a sink is out has to be found again after a restart. Promises: of the lanes that are due
//! or wait for the sink, one may go at least every [`Schedule::probe_every`] unless the sink asked for
//! more patience, whatever the clock does; and no lane goes earlier than its schedule more often.

use super::pause::Pause;
use super::retry::{RETRY_AFTER_MAX, Schedule};
use crate::model::{Outcome, RealmId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After an outage each lane gets so much of a moment for itself, up to the longest.
const SPREAD: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// How long a lane that was chosen to try may take until it does.
const CHOSEN: Duration = Duration::from_secs(2);

/// What is known of one sink.
#[derive(Debug)]
pub struct Outage {
    delays: Vec<Duration>,
    probe_every: Duration,
    /// Lanes whose last attempt failed, or that were found waiting.
    marks: BTreeMap<RealmId, Mark>,
    /// Lanes that failed because of the sink since it last answered.
    failing: BTreeSet<RealmId>,
    /// Lanes that were told to wait since then.
    held: BTreeSet<RealmId>,
    /// Failures one after the other since it last answered.
    streak: u32,
    /// When the last of them began and ended, and the pause that followed it.
    last: Option<Probe>,
    /// A `Retry-After` came since it last answered.
    is_asked: bool,
    /// The lane that tries now.
    probing: Option<RealmId>,
    /// The lane that is looked at for that, and since when: it may have nothing to send.
    chosen: Option<(RealmId, Timestamp)>,
    /// The end of the last outage.
    back: Option<Back>,
}

#[derive(Debug)]
struct Mark {
    failed_at: Timestamp,
    /// It was refused: its own matter.
    is_own: bool,
    /// When the end of an outage last made it due before its time.
    woken_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Probe {
    began: Timestamp,
    ended: Timestamp,
    pace: Duration,
    wish: Option<Duration>,
}

#[derive(Debug)]
struct Back {
    at: Timestamp,
    /// Over which the lanes are spread.
    within: Duration,
    /// The lane that brought the answer, which goes on at once.
    by: RealmId,
}

/// Whether a lane may make an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// Now.
    Go,
    /// Not before that instant.
    NotBefore(Timestamp),
    /// Not before its own schedule says so.
    AsPlanned,
}

/// Whether an outcome tells of the sink rather than of the delivery.
pub const fn is_of_the_sink(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Busy { .. } | Outcome::Failed { .. } => true,
        Outcome::Accepted | Outcome::Refused { .. } | Outcome::Gone => false,
    }
}

impl Outage {
    /// For a sink with this schedule; `None` where nothing may be tried before its time.
    pub fn new(schedule: &Schedule) -> Option<Self> {
        Some(Self {
            delays: schedule.delays.clone(),
            probe_every: schedule.probe_every?,
            marks: BTreeMap::new(),
            failing: BTreeSet::new(),
            held: BTreeSet::new(),
            streak: 0,
            last: None,
            is_asked: false,
            probing: None,
            chosen: None,
            back: None,
        })
    }

    /// Whether this lane may make an attempt, for which it is due by its own schedule or not.
    pub fn leave(&mut self, now: Timestamp, lane: &RealmId, is_due: bool) -> Leave {
        let is_own = self.marks.get(lane).is_some_and(|mark| mark.is_own);
        if is_own && !is_due {
            return Leave::AsPlanned;
        }
        let wait = match (self.is_out(), is_due) {
            (true, _) => self.until_probe(now, lane),
            (false, true) => self.until_spread(now, lane),
            (false, false) => self.until_early(now, lane),
        };
        if let Some(at) = wait {
            self.held.insert(lane.clone());
            return Leave::NotBefore(at);
        }
        if self.is_out() {
            self.probing = Some(lane.clone());
        }
        if let Some(mark) = self.marks.get_mut(lane).filter(|_| !is_due) {
            mark.woken_at = Some(now);
        }
        Leave::Go
    }

    /// When a lane is to be looked at that waits until `wait` by its own schedule, or is due; `None`:
    /// now. While the sink is out, one lane at a time, so that not all of them are looked at for
    /// nothing whenever one may go.
    pub fn look_at(
        &mut self,
        now: Timestamp,
        lane: &RealmId,
        wait: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let is_own = self.marks.get(lane).is_some_and(|mark| mark.is_own);
        if is_own && wait.is_some() {
            return wait;
        }
        let sooner = match (self.is_out(), wait) {
            (true, _) => self.until_chosen(now, lane),
            (false, None) => self.until_spread(now, lane),
            (false, Some(_)) => self.until_early(now, lane),
        };
        sooner.map(|at| wait.map_or(at, |wait| wait.min(at)))
    }

    fn until_chosen(&mut self, now: Timestamp, lane: &RealmId) -> Option<Timestamp> {
        let probe = self.until_probe(now, lane);
        if probe.is_some() {
            return probe;
        }
        let other = self.chosen.as_ref().filter(|(other, _)| other != lane);
        let other = other.and_then(|(_, at)| Pause::new(*at, CHOSEN).left(now));
        if other.is_none() {
            self.chosen = Some((lane.clone(), now));
        }
        other
    }

    /// Takes notice of what an attempt of this lane came to. True when lanes that wait may go now.
    pub fn came(
        &mut self,
        lane: &RealmId,
        began: Timestamp,
        now: Timestamp,
        outcome: &Outcome,
    ) -> bool {
        if self.probing.as_ref() == Some(lane) {
            self.probing = None;
        }
        match outcome {
            Outcome::Accepted => {
                self.marks.remove(lane);
                self.answered(lane, now)
            }
            Outcome::Refused { .. } | Outcome::Gone => {
                self.mark(lane, now, true);
                self.answered(lane, now)
            }
            Outcome::Busy { retry_after, .. } => self.failed(lane, began, now, *retry_after),
            Outcome::Failed { .. } => self.failed(lane, began, now, None),
        }
    }

    /// Whether the sink itself is out, as far as is known.
    pub fn is_out(&self) -> bool {
        self.is_asked || self.failing.len() >= 2
    }

    fn answered(&mut self, lane: &RealmId, now: Timestamp) -> bool {
        if self.failing.is_empty() {
            return false;
        }
        // One lane that fails alone has kept nobody waiting.
        let spread = if self.is_out() {
            SPREAD.0
        } else {
            Duration::ZERO
        };
        self.held.append(&mut self.failing);
        let lanes = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        self.held.clear();
        self.back = Some(Back {
            at: now,
            within: spread.saturating_mul(lanes).min(SPREAD.1),
            by: lane.clone(),
        });
        (self.streak, self.last) = (0, None);
        (self.is_asked, self.probing) = (false, None);
        true
    }

    fn failed(
        &mut self,
        lane: &RealmId,
        began: Timestamp,
        now: Timestamp,
        wish: Option<Duration>,
    ) -> bool {
        self.mark(lane, now, false);
        self.failing.insert(lane.clone());
        self.is_asked |= wish.is_some();
        // Attempts that were on their way together have found out one thing.
        let is_news = self.last.as_ref().is_none_or(|last| began >= last.ended);
        if is_news {
            self.streak = self.streak.saturating_add(1);
        }
        // A later failure does not take back what an earlier answer asked for.
        let rest = |last: &Probe| Some(last.ended.plus(last.wish?).since(now));
        let wish = wish.max(self.last.as_ref().and_then(rest));
        let at = usize::try_from(self.streak.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self.delays.get(at).copied().unwrap_or(self.probe_every);
        self.last = Some(Probe {
            began,
            ended: now,
            pace: delay.min(self.probe_every),
            wish: wish.map(|wish| wish.min(RETRY_AFTER_MAX)),
        });
        false
    }

    fn mark(&mut self, lane: &RealmId, now: Timestamp, is_own: bool) {
        let before = self.marks.get(lane);
        let woken_at = before.and_then(|mark| mark.woken_at);
        let mark = Mark {
            failed_at: now,
            is_own,
            woken_at,
        };
        self.marks.insert(lane.clone(), mark);
    }

    /// While the sink is out: one at a time, the lane first that has waited longest, so that each one
    /// comes to the attempts of its own schedule, and a delivery at which a sink breaks down does not
    /// keep the others from showing that it is up.
    fn until_probe(&self, now: Timestamp, lane: &RealmId) -> Option<Timestamp> {
        if self.probing.as_ref().is_some_and(|other| other != lane) {
            return Some(now.plus(self.probe_every));
        }
        let last = self.last.as_ref()?;
        let turn = (last.pace / 5).mul_f64(self.rank(lane));
        let own = last.pace - last.pace / 5 + turn;
        let by_pace = Pause::new(last.began, own).left(now);
        let wish = last.wish.map(|wish| wish.saturating_add(turn));
        let by_wish = wish.and_then(|wish| Pause::new(last.ended, wish).left(now));
        by_pace.max(by_wish)
    }

    /// The place of a lane among those that have failed, from the one that has waited longest to
    /// less than 1. Who has not failed yet knows nothing yet, and goes first;
    /// where nobody else waits, nobody is made way for.
    fn rank(&self, lane: &RealmId) -> f64 {
        let failed = |lane: &RealmId| self.marks.get(lane).map(|mark| mark.failed_at);
        let is_alone = self.failing.len() < 2 && self.held.iter().all(|other| other == lane);
        if is_alone || !self.failing.contains(lane) {
            return 0.0;
        }
        let own = (failed(lane), lane);
        let before = self
            .failing
            .iter()
            .filter(|other| (failed(other), *other) < own);
        let count = |number: usize| u32::try_from(number).map_or(f64::from(u32::MAX), f64::from);
        count(before.count() + 1) / count(self.failing.len() + 1)
    }

    /// A lane that is due goes at once, but for the moment after an outage.
    fn until_spread(&self, now: Timestamp, lane: &RealmId) -> Option<Timestamp> {
        let back = self.back.as_ref().filter(|back| back.by != *lane)?;
        Pause::new(back.at, back.within.mul_f64(place(lane))).left(now)
    }

    /// A lane that waits because of the sink: when the sink has answered meanwhile, and else at the
    /// pace of probes.
    fn until_early(&mut self, now: Timestamp, lane: &RealmId) -> Option<Timestamp> {
        if !self.marks.contains_key(lane) {
            // Waiting since before this process began: why, nobody knows any more.
            self.mark(lane, now, false);
        }
        let mark = self.marks.get(lane)?;
        let usual = Pause::new(mark.failed_at, self.probe_every).left(now)?;
        let is_back = self
            .back
            .as_ref()
            .is_some_and(|back| back.at >= mark.failed_at);
        if !is_back {
            return Some(usual);
        }
        // Woken a moment ago and failed again: perhaps the sink comes and goes, perhaps it breaks
        // down at this very delivery.
        let woken = mark.woken_at.map(|at| Pause::new(at, self.probe_every));
        let woken = woken.and_then(|pause| pause.left(now));
        self.until_spread(now, lane)
            .max(woken)
            .map(|at| at.min(usual))
    }
}

/// The place of a lane among all, from 0 to 1.
fn place(lane: &RealmId) -> f64 {
    let hash = lane.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    f64::from(hash) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
