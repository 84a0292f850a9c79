//! One reading of a company: which calls it takes, one after the other, and what each answer comes to.
//!
//! Change Data Capture looks back 30 days, gives at most 1000 objects over all kinds asked for, has
//! no pages and lacks some kinds; Query has pages and no deletions (Intuit, "Change data capture",
//! "Data queries"). From that follow the ways round, and all of them are here: kind by kind, then
//! page by page, then as far back as it goes. Synchronous and without a clock; it does not call and
//! does not store. Called by a company's task. Promises: a watermark moves only over what was read;
//! a reading ends whatever the answers are; what is known to be out of reach is counted; a kind that
//! failed by itself spoils no call for others.

use super::job::{Capture, Compare, Job, Pages};
use crate::model::{
    CompanyView, EntityRef, Gap, Notified, Operation, Purpose, Reading, RealmId, Record,
    RecordState, Timestamp,
};
use crate::qbo::{Question, Skipped};
use crate::rules::company::{Class, Outcome};
use crate::wire::quickbooks::{Means, facts, kinds};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How far Capture is asked to look back: Intuit's 30 days less the clocks' differences.
pub(super) const LOOK_BACK: Duration = Duration::from_hours(30 * 24 - 12);

/// How much older than a notification a record may be that is taken for what it meant.
const SLACK_SECONDS: i64 = 2;

/// Kinds whose watermarks are further apart are not captured together: one that cannot be read for
/// weeks would make the answers about all others long.
const TOGETHER: Duration = Duration::from_hours(36);

/// A call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// What was changed since then of these kinds.
    Capture {
        kinds: Vec<String>,
        since: Timestamp,
    },
    /// A page.
    Query(Question),
}

impl Ask {
    /// The kinds that it is about.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        let kinds = match self {
            Self::Capture { kinds, .. } => kinds.as_slice(),
            Self::Query(question) => std::slice::from_ref(&question.kind),
        };
        kinds.iter().map(String::as_str)
    }
}

/// What an answer came to.
pub(super) struct Step {
    /// What was read, for the journal.
    pub(super) reading: Reading,
    /// Kinds of which nothing could be read.
    pub(super) refused: Vec<Refused>,
    /// Records that could not be read; the watermarks pass them by.
    pub(super) skipped: Vec<Skipped>,
    /// Kinds whose complete list was read, and the calls that it took.
    pub(super) compared: Option<(String, u32)>,
}

/// A kind of which nothing could be read.
pub(super) struct Refused {
    pub(super) kind: String,
    pub(super) why: String,
    /// Whether another try may well bring it: QuickBooks did not refuse, it failed.
    pub(super) passes: bool,
}

/// A reading under way.
pub(super) struct Errand {
    pub(super) class: Class,
    /// The gap that it goes through.
    pub(super) gap: Option<Gap>,
    realm: RealmId,
    overlap: Duration,
    told_from: Timestamp,
    reconciled: u64,
    pub(super) jobs: VecDeque<Queued>,
    /// How far each kind was read before.
    floors: BTreeMap<String, Timestamp>,
    /// How far each kind has been read by it.
    reached: BTreeMap<String, Timestamp>,
    notified: Vec<Notified>,
    /// The second up to which each notified record was shown, or the end of time for a deleted one.
    shown: BTreeMap<EntityRef, i64>,
    held: Vec<u64>,
    through: u64,
    pub(super) missing: u64,
    pub(super) refused: BTreeSet<String>,
    /// The calls of the company that had been answered when a suspect was blamed last.
    pub(super) blamed_at: Option<u64>,
}

/// A part of it that is to come.
pub(super) struct Queued {
    pub(super) job: Job,
    /// How often it failed.
    pub(super) stumbles: u32,
    /// The calls of the company that had been answered when it failed first.
    pub(super) answers_then: u64,
    /// It, or what it was a part of, failed while QuickBooks answered others: when it fails again,
    /// it is to blame.
    pub(super) is_suspect: bool,
}

impl From<Job> for Queued {
    fn from(job: Job) -> Self {
        Self {
            job,
            stumbles: 0,
            answers_then: 0,
            is_suspect: false,
        }
    }
}

impl Errand {
    fn new(class: Class, view: &CompanyView, overlap: Duration) -> Self {
        let floors = view
            .watermarks
            .iter()
            .map(|(kind, mark)| (kind.clone(), mark.at));
        let held: Vec<u64> = view.notified.iter().map(|one| one.sequence).collect();
        let is_whole = held.len() < CompanyView::NOTIFIED_MAX;
        Self {
            class,
            gap: None,
            realm: view.company.realm.clone(),
            overlap,
            told_from: view.told_from,
            reconciled: view.reconciled,
            jobs: VecDeque::new(),
            floors: floors.collect(),
            reached: BTreeMap::new(),
            notified: Vec::new(),
            shown: BTreeMap::new(),
            through: held
                .last()
                .filter(|_| !is_whole)
                .map_or(view.newest, |last| *last),
            held,
            missing: 0,
            refused: BTreeSet::new(),
            blamed_at: None,
        }
    }

    /// Keeps kinds that failed by themselves out of the calls for others: each is asked for alone,
    /// after all others. For notified changes they are not asked for at all, because what was
    /// notified after them would wait for the answer.
    pub(super) fn keep_apart(&mut self, failed: &BTreeSet<String>) {
        let mut last = Vec::new();
        for Queued { job, .. } in std::mem::take(&mut self.jobs) {
            let (others, apart) = job.without(failed);
            self.jobs.extend(others.map(Queued::from));
            last.extend(apart);
        }
        if self.class == Class::Notified {
            let kinds = last.iter().filter_map(Job::kind).map(str::to_owned);
            self.refused.extend(kinds);
            return;
        }
        last.into_iter().for_each(|job| self.suspect(job));
    }

    /// Asks for something after all others that failed once already.
    pub(super) fn suspect(&mut self, job: Job) {
        self.jobs.push_back(Queued {
            is_suspect: true,
            ..job.into()
        });
    }

    /// Whether the next call is about something that failed before.
    pub(super) fn is_suspicious(&self) -> bool {
        self.jobs.front().is_some_and(|queued| queued.is_suspect)
    }

    /// Reads the records of these notified changes: by one capture since the oldest watermark of
    /// their kinds, and by their ids where a capture would not show them.
    pub(super) fn of_notified(
        now: Timestamp,
        view: &CompanyView,
        open: &[&Notified],
        overlap: Duration,
        capture: bool,
    ) -> Self {
        let mut errand = Self::new(Class::Notified, view, overlap);
        errand.notified = open.iter().map(|one| (*one).clone()).collect();
        if !capture {
            errand.notified.iter().for_each(|one| {
                errand.shown.insert(one.entity.clone(), i64::MAX);
            });
            return errand;
        }
        let means = |one: &Notified| facts(&one.entity.kind).map(|facts| facts.means);
        let wanted = || errand.notified.iter().filter(|one| needs_record(one));
        let kinds = |is_meant: &dyn Fn(&Notified) -> bool| -> BTreeSet<String> {
            let meant = wanted().filter(|one| is_meant(one));
            meant.map(|one| one.entity.kind.clone()).collect()
        };
        let floor = |one: &Notified| errand.floor(&one.entity.kind);
        let newest = wanted().map(floor).max();
        // What happened before the watermark was read already, and a capture would not show it; a
        // kind whose watermark is far behind the others' is left to the next sweep. In whole seconds,
        // which is all that some notifications give.
        let is_not_read = |one: &Notified| {
            one.happened.at.map(Timestamp::as_seconds) >= Some(floor(one).as_seconds())
        };
        let is_captured = |one: &Notified| {
            means(one) == Some(Means::Capture)
                && (one.happened.at.is_none() || is_not_read(one))
                && newest.is_none_or(|newest| newest.since(floor(one)) <= TOGETHER)
        };
        let is_single = |one: &Notified| means(one) == Some(Means::Singleton);
        let mut jobs = Vec::new();
        let captured = kinds(&is_captured);
        if let Some(since) = captured.iter().map(|kind| errand.floor(kind)).min() {
            // A hole between the watermark and what Capture reaches is left to the next sweep.
            let since = since.max(now.minus(LOOK_BACK));
            jobs.push(Job::Capture(Capture::new(captured, since)));
        }
        jobs.extend(
            kinds(&is_single)
                .into_iter()
                .map(|kind| Job::Whole { kind }),
        );
        jobs.extend(errand.by_id(|one| !is_captured(one) && !is_single(one)));
        errand.jobs.extend(jobs.into_iter().map(Queued::from));
        errand
    }

    /// Reads everything that was changed since the begin of the gap.
    pub(super) fn of_gap(view: &CompanyView, gap: &Gap, overlap: Duration) -> Self {
        let mut errand = Self::new(Class::Gap, view, overlap);
        errand.gap = Some(gap.clone());
        let since = gap.since.minus(overlap);
        let all = kinds().iter().map(|facts| facts.kind.to_owned());
        errand.plan(all, |_| true, |_| since);
        errand
    }

    /// Reads what was changed of these kinds since they were read last; `compares` says of which of
    /// them the complete list is read where only that shows a deletion.
    pub(super) fn of_poll(
        view: &CompanyView,
        kinds: Vec<String>,
        compares: impl Fn(&str) -> bool,
        overlap: Duration,
    ) -> Self {
        let mut errand = Self::new(Class::Poll, view, overlap);
        errand.plan(kinds, compares, |floor| floor);
        errand
    }

    /// Reads everything that was changed since the sweep before, once more: QuickBooks may have
    /// shown some of it too late.
    pub(super) fn of_sweep(view: &CompanyView, overlap: Duration) -> Self {
        let mut errand = Self::new(Class::Sweep, view, overlap);
        let before = view.swept_at.map(|at| at.minus(overlap));
        let all = kinds().iter().map(|facts| facts.kind.to_owned());
        errand.plan(
            all,
            |_| true,
            |floor| before.map_or(floor, |before| before.min(floor)),
        );
        errand
    }

    fn plan(
        &mut self,
        kinds: impl IntoIterator<Item = String>,
        compares: impl Fn(&str) -> bool,
        since: impl Fn(Timestamp) -> Timestamp,
    ) {
        let (mut captured, mut others) = (Vec::new(), Vec::new());
        for kind in kinds {
            let from = since(self.floor(&kind));
            let pages = || Job::Pages(Pages::new(&kind, from, true));
            match facts(&kind).map(|facts| facts.means) {
                Some(Means::Capture) => captured.push((from, kind)),
                Some(Means::Query) => others.push(pages()),
                Some(Means::QueryWithIds) => {
                    others.push(pages());
                    if compares(&kind) {
                        others.push(Job::Compare(Compare::new(&kind)));
                    }
                }
                Some(Means::Singleton) => others.push(Job::Whole { kind }),
                // Looked after all the same, so that it is not due again at once.
                None => self.reach(&kind, from, None),
            }
        }
        let jobs = captures(captured).into_iter().chain(others);
        self.jobs.extend(jobs.map(Queued::from));
    }

    /// The next call; `None` when there is none left, and [`close`](Self::close) is due.
    pub(super) fn ask(&mut self, now: Timestamp) -> Option<Ask> {
        if self.front_reach(now) > LOOK_BACK {
            self.reach_back(now, LOOK_BACK);
        }
        self.jobs.front().map(|queued| queued.job.ask())
    }

    pub(super) fn front_reach(&self, now: Timestamp) -> Duration {
        let front = self.jobs.front();
        front.map_or(Duration::ZERO, |queued| queued.job.reach(now))
    }

    /// Capture does not look back so far: what is live by pages, what was deleted as far back as it
    /// goes. The records of notified changes by their ids instead.
    pub(super) fn reach_back(&mut self, now: Timestamp, reach: Duration) {
        let Some(Job::Capture(capture)) = self.jobs.pop_front().map(|queued| queued.job) else {
            return;
        };
        if self.class == Class::Notified {
            let by_id = self.by_id(|one| capture.kinds.contains(&one.entity.kind));
            self.first(by_id, false);
            return;
        }
        if !capture.is_paged {
            self.missing += u64::try_from(capture.kinds.len()).unwrap_or(u64::MAX);
        }
        self.first(capture.reaching(now.minus(reach)), false);
    }

    /// The reading that ends it, when there is nothing to call for.
    pub(super) fn close(&mut self, now: Timestamp) -> Step {
        self.step(Vec::new(), now)
    }

    /// Kinds that were read without trouble.
    pub(super) fn kinds_read(&self) -> impl Iterator<Item = &str> {
        let read = self
            .reached
            .keys()
            .filter(|kind| !self.refused.contains(*kind));
        read.map(String::as_str)
    }

    /// What came of the notified changes that it asked for. Those of kinds that cannot be read are let
    /// go as they are.
    pub(super) fn outcome(&self) -> Outcome {
        let shown = |one: &Notified| {
            let second = self.shown.get(&one.entity).copied();
            let wanted = one.happened.at.map_or(i64::MIN, Timestamp::as_seconds);
            !needs_record(one)
                || self.refused.contains(&one.entity.kind)
                || second.is_some_and(|second| second.saturating_add(SLACK_SECONDS) >= wanted)
        };
        let asked = self.notified.iter().map(|one| (one.sequence, shown(one)));
        Outcome {
            held: self.held.clone(),
            through: self.through,
            asked: asked.collect(),
        }
    }

    pub(super) fn step(&mut self, records: Vec<Record>, now: Timestamp) -> Step {
        for record in &records {
            let second = match (record.state, record.updated.at) {
                (RecordState::Deleted, _) => i64::MAX,
                (_, at) => at.map_or(i64::MIN, Timestamp::as_seconds),
            };
            self.show(&record.entity, second);
        }
        Step {
            reading: Reading {
                realm: self.realm.clone(),
                purpose: match (self.class, &self.gap) {
                    (Class::Gap, Some(gap)) => Purpose::Gap { gap: gap.id },
                    (Class::Notified, _) => Purpose::Notified {
                        through: self.reconciled,
                    },
                    (Class::Sweep, _) => Purpose::Sweep,
                    (Class::Poll | Class::Gap, _) => Purpose::Poll,
                },
                at: now,
                records,
                complete: Vec::new(),
                watermarks: self.reached.clone().into_iter().collect(),
                finished: self.jobs.is_empty(),
                missing: if self.jobs.is_empty() {
                    self.missing
                } else {
                    0
                },
            },
            refused: Vec::new(),
            skipped: Vec::new(),
            compared: None,
        }
    }

    /// Takes in which records could not be read: there is no use in asking for them again.
    pub(super) fn pass_by(&mut self, skipped: &[Skipped]) {
        for one in skipped {
            if let Some(id) = one.id.clone() {
                let kind = one.kind.clone();
                self.show(&EntityRef { kind, id }, i64::MAX);
            }
        }
    }

    /// A notified record was shown as it was in that second.
    pub(super) fn show(&mut self, entity: &EntityRef, second: i64) {
        if self.notified.iter().any(|one| one.entity == *entity) {
            let shown = self.shown.entry(entity.clone()).or_insert(i64::MIN);
            *shown = second.max(*shown);
        }
    }

    /// These go before all others, in their order.
    pub(super) fn first(&mut self, jobs: Vec<Job>, is_suspect: bool) {
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(Queued {
                is_suspect,
                ..job.into()
            });
        }
    }

    pub(super) fn floor(&self, kind: &str) -> Timestamp {
        let floor = self.floors.get(kind).copied();
        floor.unwrap_or(self.told_from)
    }

    /// A kind was read from `from` until `at` by QuickBooks's clock. Where it was read from later
    /// than it had been read to, or nobody knows until when, it stays where it was.
    pub(super) fn reach(&mut self, kind: &str, from: Timestamp, at: Option<Timestamp>) {
        let floor = self.reached.get(kind).copied().unwrap_or(self.floor(kind));
        let until = at.map(|at| at.minus(self.overlap));
        let until = until.filter(|_| from <= floor).unwrap_or(floor);
        self.reached.insert(kind.to_owned(), until.max(floor));
    }

    /// Questions for the notified records of some kinds by their ids.
    fn by_id(&self, of: impl Fn(&Notified) -> bool) -> Vec<Job> {
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for one in self
            .notified
            .iter()
            .filter(|one| needs_record(one) && of(one))
        {
            let EntityRef { kind, id } = one.entity.clone();
            ids.entry(kind).or_default().insert(id);
        }
        let mut jobs = Vec::new();
        for (kind, ids) in ids {
            let ids: Vec<String> = ids.into_iter().collect();
            let some = ids.chunks(Question::IDS_MAX);
            jobs.extend(some.map(|ids| Job::Ids {
                kind: kind.clone(),
                ids: ids.to_vec(),
            }));
        }
        jobs
    }
}

/// One capture for all kinds that were read to about the same time, and one for each of the rest.
fn captures(kinds: Vec<(Timestamp, String)>) -> Vec<Job> {
    let newest = kinds.iter().map(|(from, _)| *from).max();
    let is_together = |from: Timestamp| newest.is_some_and(|newest| newest.since(from) <= TOGETHER);
    let (together, apart): (Vec<_>, Vec<_>) =
        kinds.into_iter().partition(|(from, _)| is_together(*from));
    let since = together.iter().map(|(from, _)| *from).min();
    let together = since.map(|since| {
        let kinds = together.into_iter().map(|(_, kind)| kind);
        Capture::new(kinds.collect(), since)
    });
    let apart = apart
        .into_iter()
        .map(|(from, kind)| Capture::new([kind].into(), from));
    together
        .into_iter()
        .chain(apart)
        .map(Job::Capture)
        .collect()
}

/// Whether there is a record to be read for it: not of what is gone, nor of a kind that cannot be
/// read.
fn needs_record(notified: &Notified) -> bool {
    notified.operation != Operation::Delete && facts(&notified.entity.kind).is_some()
}

#[cfg(test)]
mod tests;
