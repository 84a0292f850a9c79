//! What a company's task remembers between its steps.
//!
//! All of it is lost with the process, and costs some calls then; nothing that was told or read hangs
//! on it. Bounded: by the notified changes of one view, by the kinds there are.

use super::{Class, PATIENCE};
use crate::model::{Hindrance, HindranceKind, Timestamp};
use crate::rules::budget;
use crate::rules::pause::{Pause, backoff, jittered};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Waits before a record is asked for again that QuickBooks did not show yet; then it is let go.
const LAG: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
];

/// How long it rests when a person is needed, or when a kind was refused for the first time.
const STILL: Duration = Duration::from_hours(1);

/// The longest time without asking for a kind that was refused.
const REFUSED_MAX: Duration = Duration::from_hours(24);

/// Throttled calls in a row, each after a minute or more, after which it is rather the month's calls
/// that are used up: Intuit's answers to the two look alike.
const THROTTLES_MAX: u32 = 60;

/// How long new tokens are not renewed again, however short their lives are.
const FRESH: Duration = Duration::from_mins(1);

/// Characters of an explanation that are kept.
const WHY_CHARS_MAX: usize = 300;

/// What happened since the start.
#[derive(Clone, Default, Debug)]
pub struct Course {
    /// Readings that have begun and are not done; set before each step.
    pub under_way: BTreeSet<Class>,
    /// No call before it is over.
    pub pause: Option<Pause>,
    /// What keeps the company from being read, for people.
    pub hindrance: Option<Hindrance>,
    /// Calls that were answered.
    pub answers: u64,
    needs_tokens: bool,
    renewed: Option<Pause>,
    failures: u32,
    throttles: u32,
    refusals: u32,
    yields: Option<Class>,
    passed: BTreeMap<Class, u32>,
    retries: BTreeMap<u64, (u32, Pause)>,
    done: BTreeSet<u64>,
    refused_kinds: BTreeMap<String, (u32, Pause)>,
    compared: BTreeMap<String, Pause>,
}

/// How a kind could not be read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Refusal {
    /// QuickBooks refuses it.
    Lasting,
    /// QuickBooks fails over it; chance from -1 to 1 moves the wait.
    Passing(f64),
}

/// What came of the notified changes that were asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// All that the view held, oldest first.
    pub held: Vec<u64>,
    /// The number through which everything is reconciled when nothing of it is open.
    pub through: u64,
    /// Those that were asked for, and whether QuickBooks showed them.
    pub asked: Vec<(u64, bool)>,
}

impl Course {
    /// A call was answered.
    pub fn answered(&mut self) {
        self.answers = self.answers.wrapping_add(1);
        self.begin_anew();
    }

    /// Forgets what went wrong.
    fn begin_anew(&mut self) {
        (self.failures, self.throttles, self.refusals) = (0, 0, 0);
        (self.pause, self.hindrance, self.yields) = (None, None, None);
    }

    /// New tokens are stored.
    pub fn renewed(&mut self, now: Timestamp) {
        self.needs_tokens = false;
        self.renewed = Some(Pause::new(now, FRESH));
    }

    /// A person has connected the company, with tokens of its own.
    pub fn connected(&mut self) {
        self.begin_anew();
        (self.needs_tokens, self.renewed) = (false, None);
    }

    /// Whether the access token was refused.
    pub(super) const fn needs_tokens(&self) -> bool {
        self.needs_tokens
    }

    /// Until when the tokens count as new, whatever their ends.
    pub(super) fn fresh_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.renewed?.left(now)
    }

    /// QuickBooks asks for patience.
    pub fn throttled(&mut self, now: Timestamp, wait: Duration, chance: f64, why: &str) {
        self.throttles = self.throttles.saturating_add(1);
        let wait = jittered(wait, chance.abs());
        if self.throttles > THROTTLES_MAX {
            let why = format!("{why}, and that for hours: the month's calls may be used up");
            self.hinder(now, HindranceKind::Budget, wait.max(STILL), &why);
        } else {
            self.hinder(now, HindranceKind::Throttled, wait, why);
        }
    }

    /// The month's calls are used up.
    pub fn cap_reached(&mut self, now: Timestamp, why: &str) {
        let span = budget::look_again_at(now).since(now);
        self.hinder(now, HindranceKind::Budget, span, why);
    }

    /// QuickBooks does not answer, or not sensibly. Something else that is due goes first next time,
    /// where it was about this class.
    pub fn unreachable(&mut self, now: Timestamp, class: Option<Class>, chance: f64, why: &str) {
        self.failures = self.failures.saturating_add(1);
        self.yields = class;
        let span = backoff(self.failures, chance);
        self.hinder(now, HindranceKind::Unreachable, span, why);
    }

    /// A person has to do something; it is looked again now and then whether it was done.
    pub fn refused(&mut self, now: Timestamp, why: &str) {
        self.hinder(now, HindranceKind::Refused, STILL, why);
    }

    /// The access token was refused: a new one first. If that one is refused too, another will not
    /// help for now.
    pub fn unauthorized(&mut self, now: Timestamp, why: &str) {
        self.needs_tokens = true;
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals > 1 {
            let why = format!("{why}, though it is new");
            self.refused(now, &why);
        }
    }

    /// A kind could not be read by itself: until it is, it is asked for alone, after a while that is
    /// longer each time.
    pub fn kind_refused(&mut self, now: Timestamp, kind: &str, refusal: Refusal) {
        let times = self.refused_kinds.get(kind).map_or(0, |(times, _)| *times);
        let span = match refusal {
            Refusal::Lasting => STILL.saturating_mul(1 << times.min(8)).min(REFUSED_MAX),
            Refusal::Passing(chance) => backoff(times.saturating_add(1), chance),
        };
        let refusal = (times.saturating_add(1), Pause::new(now, span));
        self.refused_kinds.insert(kind.to_owned(), refusal);
    }

    /// A kind was read.
    pub fn kind_read(&mut self, kind: &str) {
        self.refused_kinds.remove(kind);
    }

    /// Kinds that could not be read when it was tried last.
    pub fn refused_kinds(&self) -> BTreeSet<String> {
        self.refused_kinds.keys().cloned().collect()
    }

    /// A complete list of a kind's ids was read with so many calls.
    pub fn compared(&mut self, now: Timestamp, kind: &str, calls: u32, interval: Duration) {
        let span = interval.saturating_mul(calls);
        self.compared.insert(kind.to_owned(), Pause::new(now, span));
    }

    /// Whether a poll reads the complete list of a kind's ids: on the average it costs one call for
    /// each interval, however long the list is.
    pub fn compares(&self, now: Timestamp, kind: &str) -> bool {
        let pause = self.compared.get(kind);
        pause.is_none_or(|pause| pause.left(now).is_none())
    }

    /// Takes in what came of notified changes. Returns through which number all are reconciled now.
    /// One that QuickBooks does not show is looked for again a few times, then let go as it is.
    pub fn settle(&mut self, now: Timestamp, outcome: &Outcome) -> Option<u64> {
        for (sequence, shown) in &outcome.asked {
            let tries = self.retries.get(sequence).map_or(0, |(tries, _)| *tries);
            let wait = usize::try_from(tries).ok().and_then(|tries| LAG.get(tries));
            match wait.filter(|_| !shown) {
                Some(wait) => {
                    let retry = (tries.saturating_add(1), Pause::new(now, *wait));
                    self.retries.insert(*sequence, retry);
                }
                None => {
                    self.retries.remove(sequence);
                    self.done.insert(*sequence);
                }
            }
        }
        let open = outcome.held.iter().find(|one| !self.done.contains(one));
        match open {
            Some(first) if outcome.held.first() == Some(first) => None,
            Some(first) => Some(first.saturating_sub(1)),
            None => Some(outcome.through),
        }
    }

    pub(super) fn forget_through(&mut self, reconciled: u64) {
        let next = reconciled.saturating_add(1);
        self.done = self.done.split_off(&next);
        self.retries = self.retries.split_off(&next);
    }

    pub(super) fn is_done(&self, sequence: u64) -> bool {
        self.done.contains(&sequence)
    }

    pub(super) fn retry(&self, sequence: u64) -> Option<Pause> {
        self.retries.get(&sequence).map(|(_, pause)| *pause)
    }

    pub(super) fn refusal(&self, kind: &str) -> Option<Pause> {
        self.refused_kinds.get(kind).map(|(_, pause)| *pause)
    }

    pub(super) fn refusals(&self) -> impl Iterator<Item = (&String, Pause)> {
        let refused = self.refused_kinds.iter();
        refused.map(|(kind, (_, pause))| (kind, *pause))
    }

    /// Which of what is due goes first: what has waited for too long, then the most urgent but for
    /// what has just failed.
    pub(super) fn choose(&self, due: &[Class]) -> Option<Class> {
        let passed = |class: &Class| self.passed.get(class).copied().unwrap_or(0);
        let impatient = due.iter().rev().max_by_key(|class| passed(class));
        let impatient = impatient.filter(|class| passed(class) >= PATIENCE);
        let willing = due.iter().find(|class| self.yields != Some(**class));
        impatient.or(willing).or(due.first()).copied()
    }

    /// Notes who was passed over for this one.
    pub(super) fn pass(&mut self, chosen: Class, due: &[Class]) {
        self.passed
            .retain(|class, _| due.contains(class) && *class != chosen);
        for class in due.iter().filter(|class| **class != chosen) {
            let passed = self.passed.entry(*class).or_default();
            *passed = passed.saturating_add(1);
        }
    }

    fn hinder(&mut self, now: Timestamp, kind: HindranceKind, span: Duration, why: &str) {
        self.pause = Some(Pause::new(now, span));
        let same = self.hindrance.take().filter(|before| before.kind == kind);
        self.hindrance = Some(Hindrance {
            kind,
            since: same.map_or(now, |before| before.since),
            why: why.chars().take(WHY_CHARS_MAX).collect(),
            until: Some(now.plus(span)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_is_renewed_once_for_a_refusal_and_then_a_person_is_called() {
        let mut course = Course::default();
        course.unauthorized(NOW, "the access token is not accepted");
        assert!(course.needs_tokens() && course.hindrance.is_none());
        course.renewed(NOW);
        course.unauthorized(NOW, "the access token is not accepted");
        let hindrance = course.hindrance.clone().unwrap();
        assert_eq!(hindrance.kind, HindranceKind::Refused);
        assert_eq!(hindrance.until, Some(NOW.plus(HOUR)));
        assert!(course.needs_tokens());
        course.answered();
        assert_eq!(course.hindrance, None);
    }

    #[test]
    fn throttling_for_hours_is_taken_for_the_end_of_the_budget() {
        let mut course = Course::default();
        for _ in 0..60 {
            course.throttled(NOW, MINUTE, 0.5, "too many requests");
            let hindrance = course.hindrance.clone().unwrap();
            assert_eq!(hindrance.kind, HindranceKind::Throttled);
            assert!(hindrance.until >= Some(NOW.plus(MINUTE)));
        }
        course.throttled(NOW, MINUTE, 0.5, "too many requests");
        let hindrance = course.hindrance.clone().unwrap();
        assert_eq!(hindrance.kind, HindranceKind::Budget);
        assert_eq!(hindrance.until, Some(NOW.plus(HOUR)));
    }

    #[test]
    fn a_kind_that_stays_refused_is_asked_for_less_and_less() {
        let mut course = Course::default();
        let mut spans = Vec::new();
        for _ in 0..7 {
            course.kind_refused(NOW, "CompanyCurrency", Refusal::Lasting);
            let until = course
                .refusal("CompanyCurrency")
                .and_then(|pause| pause.left(NOW));
            spans.push(until.unwrap().since(NOW).as_secs() / 3600);
        }
        assert_eq!(spans, [1, 2, 4, 8, 16, 24, 24]);
    }

    #[test]
    fn a_long_list_is_compared_less_often() {
        let mut course = Course::default();
        assert!(course.compares(NOW, "TimeActivity"));
        course.compared(NOW, "TimeActivity", 5, MINUTE * 15);
        assert!(!course.compares(NOW.plus(MINUTE * 74), "TimeActivity"));
        assert!(course.compares(NOW.plus(MINUTE * 75), "TimeActivity"));
    }
}
