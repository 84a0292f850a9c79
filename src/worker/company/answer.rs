//! What each answer, and each failure, comes to in a reading.
//!
//! The other half of `errand`: it takes a part out, and puts in its place what is still to be asked.

use super::errand::{Errand, Refused, Step};
use super::job::{Apart, Compare, Job, List, Listed, Pages};
use crate::model::{EntityRef, Timestamp};
use crate::qbo::{Captured, Failure, Page};
use crate::rules::company::Class;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures of one call, with successes of others in between, after which it is the call's fault.
const STUMBLES_MAX: u32 = 2;

/// Whom a failure is laid to.
enum Blame {
    /// QuickBooks as a whole: the company waits.
    QuickBooks,
    /// Nobody yet: something else is asked first.
    Open,
    /// This part of the reading.
    Part(Job),
}

impl Refused {
    fn new(kind: String, failure: &Failure) -> Self {
        Self {
            kind,
            why: failure.to_string(),
            passes: passes(failure),
        }
    }
}

/// Whether it is no refusal, so that another try may bring it.
const fn passes(failure: &Failure) -> bool {
    !matches!(
        failure,
        Failure::TooOld
            | Failure::TooLarge { .. }
            | Failure::Unsupported { .. }
            | Failure::Refused { .. }
            | Failure::Forbidden { .. }
            | Failure::Lapsed
    )
}

impl Errand {
    /// Takes in what Capture told.
    pub(super) fn captured(&mut self, captured: Captured, now: Timestamp) -> Step {
        let Some(Job::Capture(mut capture)) = self.jobs.pop_front().map(|queued| queued.job) else {
            return self.step(captured.records, now);
        };
        let began = *capture.began.get_or_insert(captured.at);
        self.pass_by(&captured.skipped);
        let failed: BTreeMap<String, Failure> = captured.failed_kinds.into_iter().collect();
        let was_alone = capture.kinds.len() == 1;
        let mut refused = Vec::new();
        for (kind, failure) in failed {
            // What failed beside others may come by itself.
            let is_asked = capture.kinds.remove(&kind);
            if is_asked && !was_alone && passes(&failure) {
                self.suspect(capture.of(&kind));
            } else {
                refused.push(Refused::new(kind, &failure));
            }
        }
        if captured.saturated && !capture.kinds.is_empty() {
            let times = captured.records.iter().filter_map(|one| one.updated.at);
            let _ = self.replace(capture.saturated(times.max()), false);
        } else {
            for kind in &capture.kinds {
                self.reach(kind, capture.from, began);
            }
        }
        let mut step = self.step(captured.records, now);
        step.skipped = captured.skipped;
        self.refuse(refused, step)
    }

    /// Takes in a page.
    pub(super) fn page(&mut self, page: Page, now: Timestamp) -> Step {
        self.pass_by(&page.skipped);
        let skipped = page.skipped.clone();
        let mut step = match self.jobs.pop_front().map(|queued| queued.job) {
            Some(Job::Pages(pages)) => self.page_of(pages, page, now),
            Some(Job::Whole { kind }) => {
                self.reach(&kind, self.floor(&kind), page.at);
                self.step(page.records, now)
            }
            Some(Job::Compare(compare)) => self.list_of(compare, page, now),
            Some(Job::Ids { .. }) => self.step(page.records, now),
            Some(Job::Probe | Job::Capture(_)) | None => return self.step(Vec::new(), now),
        };
        step.skipped = skipped;
        step
    }

    fn page_of(&mut self, mut pages: Pages, page: Page, now: Timestamp) -> Step {
        let began = *pages.began.get_or_insert(page.at);
        let (kind, from, moves) = (pages.question.kind.clone(), pages.from, pages.moves);
        let mut until = began;
        if page.full {
            let times = page.records.iter().filter_map(|one| one.updated.at);
            until = times.max().into_iter().chain(began).min();
            pages.question = pages.question.after(&page.records, page.count);
            self.first(vec![Job::Pages(pages)], false);
        }
        if moves {
            self.reach(&kind, from, until);
        }
        self.step(page.records, now)
    }

    fn list_of(&mut self, compare: Compare, page: Page, now: Timestamp) -> Step {
        let kind = compare.kind().to_owned();
        match compare.take(page) {
            Listed::More(more) => {
                self.first(vec![Job::Compare(more)], false);
                self.step(Vec::new(), now)
            }
            Listed::Complete(List { records, calls }) => {
                let mut step = self.step(records, now);
                step.reading.complete = vec![kind.clone()];
                step.compared = Some((kind, calls));
                step
            }
            Listed::Unsteady => {
                let why = "its complete list cannot be compared: it changes too fast, is too long, \
                           or has entries that cannot be read";
                let step = self.step(Vec::new(), now);
                let refused = Refused {
                    kind,
                    why: why.to_owned(),
                    passes: false,
                };
                self.refuse([refused], step)
            }
        }
    }

    /// A call failed; `answers` counts the company's calls that did not. `None`: not for a reason
    /// that another call gets round, so the company waits, and then another part of it goes first.
    pub(super) fn failed(
        &mut self,
        failure: &Failure,
        answers: u64,
        now: Timestamp,
    ) -> Option<Step> {
        let reach = self.front_reach(now);
        let apart = match failure {
            Failure::TooOld if reach >= Duration::from_hours(24) => {
                self.reach_back(now, reach / 2);
                return Some(self.step(Vec::new(), now));
            }
            Failure::TooLarge { .. } => self.jobs.pop_front()?.job.smaller(),
            Failure::TooOld | Failure::Refused { .. } | Failure::Unsupported { .. } => {
                let job = self.jobs.pop_front()?.job;
                self.let_go(&job);
                job.apart()
            }
            Failure::Unavailable { .. } | Failure::NotUnderstood { .. } => {
                match self.stumble(answers) {
                    Blame::QuickBooks => return None,
                    Blame::Open => return Some(self.step(Vec::new(), now)),
                    Blame::Part(job) => {
                        self.let_go(&job);
                        job.apart()
                    }
                }
            }
            Failure::Unauthorized
            | Failure::Forbidden { .. }
            | Failure::InvalidGrant { .. }
            | Failure::InvalidClient { .. }
            | Failure::Throttled { .. }
            | Failure::CapReached
            | Failure::Lapsed => return None,
        };
        let refused = self.replace(apart, passes(failure));
        let refused = refused.map(|kind| Refused::new(kind, failure));
        let step = self.step(Vec::new(), now);
        Some(self.refuse(refused, step))
    }

    /// The first part failed, and QuickBooks may be down. Only when it answered others meanwhile, or
    /// now answers a question that cannot fail, the part itself is to blame, and given back.
    fn stumble(&mut self, answers: u64) -> Blame {
        let Some(mut queued) = self.jobs.pop_front() else {
            return Blame::QuickBooks;
        };
        if queued.job == Job::Probe {
            return Blame::QuickBooks;
        }
        if queued.is_suspect {
            // Two that fail one after the other may both be innocent.
            if self.blamed_at.replace(answers) != Some(answers) {
                return Blame::Part(queued.job);
            }
            self.jobs.push_front(queued);
            self.first(vec![Job::Probe], false);
            return Blame::Open;
        }
        if queued.stumbles == 0 {
            queued.answers_then = answers;
        }
        queued.stumbles = queued.stumbles.saturating_add(1);
        if queued.stumbles < STUMBLES_MAX {
            self.jobs.push_back(queued);
            return Blame::QuickBooks;
        }
        if queued.answers_then == answers {
            self.jobs.push_front(queued);
            self.first(vec![Job::Probe], false);
            return Blame::QuickBooks;
        }
        Blame::Part(queued.job)
    }

    /// A single record that cannot be asked for is not waited for.
    fn let_go(&mut self, job: &Job) {
        let Job::Ids { kind, ids } = job else {
            return;
        };
        if let [id] = ids.as_slice() {
            let (kind, id) = (kind.clone(), id.clone());
            self.show(&EntityRef { kind, id }, i64::MAX);
        }
    }

    /// Puts something in the place of a part; the kind that is given up instead.
    fn replace(&mut self, apart: Apart, is_suspect: bool) -> Option<String> {
        match apart {
            Apart::Jobs(jobs) => self.first(jobs, is_suspect),
            Apart::Lossy(jobs) => {
                self.missing += 1;
                self.first(jobs, is_suspect);
            }
            Apart::Refused(kind) => return Some(kind),
        }
        None
    }

    /// Notes kinds that are given up; what a gap's reading does not read is out of its reach.
    fn refuse(&mut self, refused: impl IntoIterator<Item = Refused>, mut step: Step) -> Step {
        step.refused = refused.into_iter().collect();
        let kinds = step.refused.iter().map(|one| one.kind.clone());
        self.refused.extend(kinds);
        if self.class == Class::Gap {
            let more = u64::try_from(step.refused.len()).unwrap_or(u64::MAX);
            self.missing += more;
            if step.reading.finished {
                step.reading.missing += more;
            }
        }
        step
    }
}
