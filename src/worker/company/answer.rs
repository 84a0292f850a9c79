//! What each answer, and each failure, comes to in a reading.
//!
//! The other half of `errand`: it takes a part out, and puts in its place what is still to be asked.

use super::errand::{Errand, Step};
use super::job::{Apart, Compare, Job, List, Listed, Pages};
use crate::model::Timestamp;
use crate::qbo::{Captured, Failure, Page};
use crate::rules::company::Class;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failures of one call, with successes of others in between, after which it is the call's fault.
const STUMBLES_MAX: u32 = 3;

impl Errand {
    /// Takes in what Capture told.
    pub(super) fn captured(&mut self, captured: Captured, now: Timestamp) -> Step {
        let Some(Job::Capture(mut capture)) = self.jobs.pop_front().map(|queued| queued.job) else {
            return self.step(captured.records, now);
        };
        let began = *capture.began.get_or_insert(captured.at);
        let refused: BTreeMap<String, String> = captured
            .failed_kinds
            .into_iter()
            .map(|(kind, failure)| (kind, failure.to_string()))
            .collect();
        capture.kinds.retain(|kind| !refused.contains_key(kind));
        if captured.saturated {
            let times = captured.records.iter().filter_map(|one| one.updated.at);
            let _ = self.replace(capture.saturated(times.max()));
        } else {
            for kind in &capture.kinds {
                self.reach(kind, capture.from, began);
            }
        }
        let step = self.step(captured.records, now);
        self.refuse(refused, step)
    }

    /// Takes in a page.
    pub(super) fn page(&mut self, page: Page, now: Timestamp) -> Step {
        match self.jobs.pop_front().map(|queued| queued.job) {
            Some(Job::Pages(pages)) => self.page_of(pages, page, now),
            Some(Job::Whole { kind }) => {
                self.reach(&kind, self.floor(&kind), page.at);
                self.step(page.records, now)
            }
            Some(Job::Compare(compare)) => self.list_of(compare, page, now),
            Some(Job::Ids { .. }) => self.step(page.records, now),
            Some(Job::Probe | Job::Capture(_)) | None => self.step(Vec::new(), now),
        }
    }

    fn page_of(&mut self, mut pages: Pages, page: Page, now: Timestamp) -> Step {
        let began = *pages.began.get_or_insert(page.at);
        let (kind, from, moves) = (pages.question.kind.clone(), pages.from, pages.moves);
        let mut until = began;
        if page.full {
            let times = page.records.iter().filter_map(|one| one.updated.at);
            until = times.max().into_iter().chain(began).min();
            pages.question = pages.question.after(&page.records);
            self.first(vec![Job::Pages(pages)]);
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
                self.first(vec![Job::Compare(more)]);
                self.step(Vec::new(), now)
            }
            Listed::Complete(List { records, calls }) => {
                let mut step = self.step(records, now);
                step.reading.complete = vec![kind.clone()];
                step.compared = Some((kind, calls));
                step
            }
            Listed::Unsteady => {
                let why = "its complete list changes too fast, or is too long, to be compared";
                let step = self.step(Vec::new(), now);
                self.refuse([(kind, why.to_owned())], step)
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
                self.jobs.pop_front()?.job.apart()
            }
            Failure::Unavailable { .. } | Failure::NotUnderstood { .. } => {
                self.stumble(answers)?.apart()
            }
            Failure::Unauthorized
            | Failure::Forbidden { .. }
            | Failure::InvalidGrant { .. }
            | Failure::InvalidClient { .. }
            | Failure::Throttled { .. }
            | Failure::CapReached
            | Failure::Lapsed => return None,
        };
        let refused = self.replace(apart);
        let refused = refused.map(|kind| (kind, failure.to_string()));
        let step = self.step(Vec::new(), now);
        Some(self.refuse(refused, step))
    }

    /// The first part failed, and QuickBooks may be down. Only when it answered others meanwhile, or
    /// now answers a question that cannot fail, the part itself is to blame, and given back.
    fn stumble(&mut self, answers: u64) -> Option<Job> {
        let mut queued = self.jobs.pop_front()?;
        if queued.job == Job::Probe {
            return None;
        }
        if queued.stumbles == 0 {
            queued.answers_then = answers;
        }
        queued.stumbles = queued.stumbles.saturating_add(1);
        if queued.stumbles < STUMBLES_MAX {
            self.jobs.push_back(queued);
            return None;
        }
        if queued.answers_then == answers {
            self.jobs.push_front(queued);
            self.first(vec![Job::Probe]);
            return None;
        }
        Some(queued.job)
    }

    /// Puts something in the place of a part; the kind that is given up instead.
    fn replace(&mut self, apart: Apart) -> Option<String> {
        match apart {
            Apart::Jobs(jobs) => self.first(jobs),
            Apart::Lossy(jobs) => {
                self.missing += 1;
                self.first(jobs);
            }
            Apart::Refused(kind) => return Some(kind),
        }
        None
    }

    /// Notes kinds that are given up; what a gap's reading does not read is out of its reach.
    fn refuse(
        &mut self,
        refused: impl IntoIterator<Item = (String, String)>,
        mut step: Step,
    ) -> Step {
        step.refused = refused.into_iter().collect();
        let kinds = step.refused.iter().map(|(kind, _)| kind.clone());
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
