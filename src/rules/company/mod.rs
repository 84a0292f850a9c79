//! What a company's task does next: rest, renew the tokens, or read for one of four reasons.
//!
//! It decides what is due; which calls that takes is the task's business (`worker::company`). Called
//! with what the journal sees ([`CompanyView`]) and what happened since the start ([`Course`]).
//! Promises: notified changes before gaps before polls before sweeps, yet nothing that is due is
//! passed over for ever; a step that does nothing rests until later than now; what is due does not
//! hang on a clock that was put back.

mod course;
mod misses;
mod plan;

pub use course::{Course, Outcome, Refusal};
pub use misses::{MISSES_MAX, Misses};
pub use plan::{InstancePolls, Plan};

use super::budget::{self, Spent};
use super::pause::Pause;
use super::{timetable, token};
use crate::model::{CompanyView, Notified, Standing, Timestamp};
use std::time::Duration;

/// The longest rest.
const LOOK: Duration = Duration::from_hours(1);

/// Calls for which something that is due lets others go first.
const PATIENCE: u32 = 8;

/// Why a company is read, the most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// Changes were notified.
    Notified,
    /// Notifications may have been missed.
    Gap,
    /// Some kinds are polled.
    Poll,
    /// The daily look at everything.
    Sweep,
}

impl Class {
    /// Every class, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Notified, Self::Gap, Self::Poll, Self::Sweep];
}

/// The next thing a company's task does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing until that instant, or until the task is woken.
    Rest {
        /// Later than now.
        until: Timestamp,
    },
    /// Get the next tokens.
    Refresh,
    /// The next call for this reason.
    Read(Class),
}

/// When something is to be done.
enum Next {
    Now,
    At(Timestamp),
    Never,
}

/// Decides it.
pub fn step(
    now: Timestamp,
    view: &CompanyView,
    plan: &Plan,
    spent: Spent,
    course: &mut Course,
) -> Step {
    let look = now.plus(LOOK);
    if view.company.standing != Standing::Connected {
        return rest(now, look);
    }
    course.forget_through(view.reconciled);
    if let Some(until) = course.pause.and_then(|pause| pause.left(now)) {
        return rest(now, until);
    }
    let mut until = look;
    let mut due = Vec::new();
    for class in Class::ALL {
        match next(now, class, view, plan, course) {
            Next::Now if spent.allows(class) => due.push(class),
            Next::Now => until = until.min(budget::look_again_at(now)),
            Next::At(at) => until = until.min(at),
            Next::Never => {}
        }
    }
    let access_expires_at = view.company.access_expires_at;
    let fresh_until = course.fresh_until(now);
    let Some(class) = course.choose(&due) else {
        return match token::rests_until(now, access_expires_at).or(fresh_until) {
            Some(at) => rest(now, until.min(at)),
            None => Step::Refresh,
        };
    };
    let is_due = token::is_due(now, access_expires_at) && fresh_until.is_none();
    if course.needs_tokens() || is_due {
        return Step::Refresh;
    }
    course.pass(class, &due);
    Step::Read(class)
}

fn rest(now: Timestamp, until: Timestamp) -> Step {
    Step::Rest {
        until: until.max(now.plus(Duration::from_millis(1))),
    }
}

fn next(now: Timestamp, class: Class, view: &CompanyView, plan: &Plan, course: &Course) -> Next {
    if course.under_way.contains(&class) {
        return Next::Now;
    }
    let wait = match class {
        Class::Notified => match notified_wait(now, view, plan, course) {
            Some(wait) => wait,
            None => return Next::Never,
        },
        Class::Gap => match &view.gap {
            Some(gap) => Pause::new(gap.until, plan.gap_settle).left(now),
            None => return Next::Never,
        },
        Class::Poll => {
            let polls = plan.polls.iter();
            let well = polls.filter(|(kind, _)| course.refusal(kind).is_none());
            let waits = well.map(|(kind, interval)| poll_wait(now, view, kind, *interval));
            let tries = course.refusals().map(|(_, pause)| pause.left(now));
            // `None` is now, and comes first.
            match waits.chain(tries).min() {
                Some(wait) => wait,
                None => return Next::Never,
            }
        }
        Class::Sweep => match plan.sweep_at {
            Some(sweep_at) => {
                let share = timetable::spread(view.company.realm.as_str(), plan.sweep_spread);
                let at = sweep_at.saturating_add(share);
                timetable::daily(now, view.swept_at, at, plan.zone())
            }
            None => return Next::Never,
        },
    };
    wait.map_or(Next::Now, Next::At)
}

/// When the notified changes are due; the inner `None` is now, the outer one never.
fn notified_wait(
    now: Timestamp,
    view: &CompanyView,
    plan: &Plan,
    course: &Course,
) -> Option<Option<Timestamp>> {
    let settle = if plan.capture {
        plan.settle
    } else {
        Duration::ZERO
    };
    let open = view
        .notified
        .iter()
        .filter(|one| !course.is_done(one.sequence));
    open.map(|one| match course.retry(one.sequence) {
        Some(pause) => pause.left(now),
        None => Pause::new(one.received_at, settle).left(now),
    })
    .min()
}

fn poll_wait(
    now: Timestamp,
    view: &CompanyView,
    kind: &str,
    interval: Duration,
) -> Option<Timestamp> {
    let polled_at = view
        .watermarks
        .get(kind)
        .and_then(|watermark| watermark.polled_at);
    timetable::every(now, polled_at, interval)
}

/// The notified changes that are read now: those that came, and those that are to be looked for
/// again.
pub fn open<'a>(now: Timestamp, view: &'a CompanyView, course: &Course) -> Vec<&'a Notified> {
    let waits = |one: &Notified| course.retry(one.sequence).and_then(|pause| pause.left(now));
    view.notified
        .iter()
        .filter(|one| !course.is_done(one.sequence) && waits(one).is_none())
        .collect()
}

/// The kinds that are polled now: those that are due, and with them those that would be soon, so that
/// they share a call; and those that failed before, polled or not, when they are to be tried again.
pub fn polled(now: Timestamp, view: &CompanyView, plan: &Plan, course: &Course) -> Vec<String> {
    let soon = |interval: Duration| interval / 4;
    let is_due = |kind: &str, interval: Duration| {
        poll_wait(now, view, kind, interval).is_none_or(|at| at.since(now) <= soon(interval))
    };
    let well = plan
        .polls
        .iter()
        .filter(|(kind, interval)| course.refusal(kind).is_none() && is_due(kind, **interval));
    let tries = course
        .refusals()
        .filter(|(_, pause)| pause.left(now).is_none());
    let well = well.map(|(kind, _)| kind);
    well.chain(tries.map(|(kind, _)| kind)).cloned().collect()
}

#[cfg(test)]
mod tests;
