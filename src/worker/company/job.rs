//! The parts of a reading: what each of them asks next, and into what it is taken apart when it
//! cannot be asked as it is.
//!
//! Called by `errand`, which keeps them in order and takes in what they bring.

use super::errand::Ask;
use crate::model::{Record, Timestamp};
use crate::qbo::{Page, Question};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often a list is read anew that changed while it was read.
const RESTARTS_MAX: u32 = 3;

/// Ids of a list that is compared at most; a longer one would not fit into a small machine's memory.
const LIST_MAX: usize = 200_000;

/// A part of a reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Job {
    /// By Change Data Capture.
    Capture(Capture),
    /// Page by page.
    Pages(Pages),
    /// Some records by their ids.
    Ids { kind: String, ids: Vec<String> },
    /// The one record of its kind.
    Whole { kind: String },
    /// The complete list of a kind's ids.
    Compare(Compare),
    /// Whether QuickBooks answers at all: what it brings is not looked at.
    Probe,
}

/// Kinds that are captured with one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Capture {
    pub(super) kinds: BTreeSet<String>,
    /// Since when it is asked.
    pub(super) since: Timestamp,
    /// Since when the kinds have been read when it is done, by what was read before it.
    pub(super) from: Timestamp,
    /// The time of the first answer.
    pub(super) began: Option<Option<Timestamp>>,
    /// What is live was or will be read by pages.
    pub(super) is_paged: bool,
}

/// What was changed of a kind, in order of change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pages {
    pub(super) question: Question,
    pub(super) from: Timestamp,
    pub(super) began: Option<Option<Timestamp>>,
    /// Whether the watermark moves with it; else a capture behind it does that.
    pub(super) moves: bool,
}

/// A list of ids on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Compare {
    question: Question,
    list: List,
    restarts: u32,
}

/// A complete list of ids.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct List {
    pub(super) records: Vec<Record>,
    /// Calls that it took.
    pub(super) calls: u32,
}

/// What a page of a list comes to.
pub(super) enum Listed {
    Complete(List),
    More(Compare),
    /// It changes too fast, is too long, or has something in it that cannot be read.
    Unsteady,
}

/// What takes the place of a job that cannot be asked as it is.
pub(super) enum Apart {
    /// These.
    Jobs(Vec<Job>),
    /// These, by which not everything is found that was deleted.
    Lossy(Vec<Job>),
    /// Nothing: this kind is not read.
    Refused(String),
}

impl Job {
    pub(super) fn ask(&self) -> Ask {
        Ask::Query(match self {
            Self::Capture(capture) => {
                return Ask::Capture {
                    kinds: capture.kinds.iter().cloned().collect(),
                    // Nobody says whether changes of that very second are told.
                    since: capture.since.minus(Duration::from_secs(1)),
                };
            }
            Self::Pages(pages) => pages.question.clone(),
            Self::Compare(compare) => compare.question.clone(),
            Self::Whole { kind } => question(kind),
            Self::Probe => question("CompanyInfo"),
            Self::Ids { kind, ids } => Question {
                ids: ids.clone(),
                ..question(kind)
            },
        })
    }

    /// The kind that it is about, where it is about one.
    pub(super) fn kind(&self) -> Option<&str> {
        match self {
            Self::Capture(capture) => {
                let mut kinds = capture.kinds.iter();
                let first = kinds.next().map(String::as_str);
                first.filter(|_| kinds.next().is_none())
            }
            Self::Pages(pages) => Some(&pages.question.kind),
            Self::Ids { kind, .. } | Self::Whole { kind } => Some(kind),
            Self::Compare(compare) => Some(compare.kind()),
            Self::Probe => None,
        }
    }

    /// What of it is about other kinds than these, and each of these by itself.
    pub(super) fn without(self, kinds: &BTreeSet<String>) -> (Option<Self>, Vec<Self>) {
        match self {
            Self::Capture(mut capture) => {
                let apart: BTreeSet<String> = capture.kinds.intersection(kinds).cloned().collect();
                capture.kinds.retain(|kind| !apart.contains(kind));
                let singles = apart.iter().map(|kind| capture.of(kind)).collect();
                let is_empty = capture.kinds.is_empty();
                (Some(Self::Capture(capture)).filter(|_| !is_empty), singles)
            }
            job if job.kind().is_some_and(|kind| kinds.contains(kind)) => (None, vec![job]),
            job => (Some(job), Vec::new()),
        }
    }

    /// How far back it looks, where it is a capture.
    pub(super) fn reach(&self, now: Timestamp) -> Duration {
        match self {
            Self::Capture(capture) => now.since(capture.since),
            _ => Duration::ZERO,
        }
    }

    /// In smaller parts, since the answer is too long.
    pub(super) fn smaller(self) -> Apart {
        match self {
            Self::Pages(mut pages) if pages.question.max > 1 => {
                pages.question.max /= 2;
                Apart::Jobs(vec![Self::Pages(pages)])
            }
            Self::Capture(capture) if capture.kinds.len() == 1 => {
                let pages = capture.pages(true);
                Apart::Lossy(pages.map(Self::Pages).collect())
            }
            other => other.apart(),
        }
    }

    /// One by one, since one of the things it asks for may be to blame.
    pub(super) fn apart(self) -> Apart {
        match self {
            Self::Capture(capture) if capture.kinds.len() > 1 => Apart::Jobs(capture.singles()),
            Self::Ids { kind, mut ids } => {
                let other = ids.split_off(ids.len() / 2);
                // A single id that cannot be asked for is let go.
                let halves = [ids, other].into_iter().filter(|half| !half.is_empty());
                let halves: Vec<Self> = halves
                    .map(|ids| Self::Ids {
                        kind: kind.clone(),
                        ids,
                    })
                    .collect();
                Apart::Jobs(if halves.len() > 1 { halves } else { Vec::new() })
            }
            Self::Capture(capture) => {
                let kind = capture.kinds.into_iter().next();
                kind.map_or(Apart::Jobs(Vec::new()), Apart::Refused)
            }
            Self::Pages(pages) => Apart::Refused(pages.question.kind),
            Self::Compare(compare) => Apart::Refused(compare.question.kind),
            Self::Whole { kind } => Apart::Refused(kind),
            Self::Probe => Apart::Jobs(Vec::new()),
        }
    }
}

impl Capture {
    pub(super) fn new(kinds: BTreeSet<String>, since: Timestamp) -> Self {
        Self {
            kinds,
            since,
            from: since,
            began: None,
            is_paged: false,
        }
    }

    /// Each kind by itself.
    fn singles(self) -> Vec<Job> {
        self.kinds.iter().map(|kind| self.of(kind)).collect()
    }

    /// The same for one kind.
    pub(super) fn of(&self, kind: &str) -> Job {
        Job::Capture(Self {
            kinds: [kind.to_owned()].into(),
            ..self.clone()
        })
    }

    /// What is live of its kinds, by pages.
    fn pages(&self, moves: bool) -> impl Iterator<Item = Pages> {
        self.kinds.iter().map(move |kind| Pages {
            began: self.began,
            ..Pages::new(kind, self.from, moves)
        })
    }

    /// The answer was as long as it may be, and `newest` the newest record in it: kind by kind; one
    /// kind by itself page by page, and what was deleted by a capture since then, because the oldest
    /// come first in every recorded answer.
    pub(super) fn saturated(self, newest: Option<Timestamp>) -> Apart {
        if self.kinds.len() > 1 {
            return Apart::Jobs(self.singles());
        }
        let next = newest.filter(|newest| newest.as_seconds() > self.since.as_seconds());
        let pages = |moves| {
            let pages = self.pages(moves).filter(|_| !self.is_paged);
            pages.map(Job::Pages).collect::<Vec<_>>()
        };
        match next {
            Some(since) => {
                let mut jobs = pages(false);
                jobs.push(Job::Capture(Self {
                    since,
                    is_paged: true,
                    ..self.clone()
                }));
                Apart::Jobs(jobs)
            }
            None => Apart::Lossy(pages(true)),
        }
    }

    /// Asked since `since` only, and pages for what is live of what lies before.
    pub(super) fn reaching(self, since: Timestamp) -> Vec<Job> {
        let pages = self.pages(false).filter(|_| !self.is_paged);
        let mut jobs: Vec<Job> = pages.map(Job::Pages).collect();
        jobs.push(Job::Capture(Self {
            since,
            is_paged: true,
            ..self
        }));
        jobs
    }
}

impl Pages {
    pub(super) fn new(kind: &str, from: Timestamp, moves: bool) -> Self {
        Self {
            question: Question {
                since: Some(from),
                ..question(kind)
            },
            from,
            began: None,
            moves,
        }
    }
}

impl Compare {
    pub(super) fn new(kind: &str) -> Self {
        Self {
            question: Question {
                ids_only: true,
                ..question(kind)
            },
            list: List::default(),
            restarts: 0,
        }
    }

    pub(super) fn kind(&self) -> &str {
        &self.question.kind
    }

    /// Takes in a page. Each page begins with the record with which the one before ended: where it
    /// does not, something was taken out or put in meanwhile, one record may have slipped through
    /// between the pages, and the list is read anew.
    pub(super) fn take(mut self, page: Page) -> Listed {
        self.list.calls = self.list.calls.saturating_add(1);
        if !page.skipped.is_empty() {
            // What is missing from the list would be taken for deleted.
            return Listed::Unsteady;
        }
        let mut records = page.records.into_iter();
        let end = self.list.records.last().map(|record| &record.entity.id);
        if end.is_some() && end != records.next().as_ref().map(|record| &record.entity.id) {
            if self.restarts >= RESTARTS_MAX {
                return Listed::Unsteady;
            }
            self.restarts += 1;
            self.question.start = 1;
            self.list.records.clear();
            return Listed::More(self);
        }
        let bare = |record| Record {
            body: String::new(),
            ..record
        };
        self.list.records.extend(records.map(bare));
        match page.full {
            false => Listed::Complete(self.list),
            true if self.list.records.len() >= LIST_MAX => Listed::Unsteady,
            true => {
                let read = self.list.records.len();
                self.question.start = u32::try_from(read).unwrap_or(u32::MAX);
                Listed::More(self)
            }
        }
    }
}

/// Everything of a kind, from the first record on, as many as there may be.
fn question(kind: &str) -> Question {
    Question {
        kind: kind.to_owned(),
        since: None,
        ids: Vec::new(),
        ids_only: false,
        start: 1,
        max: Question::PAGE_MAX,
        zone: None,
    }
}
