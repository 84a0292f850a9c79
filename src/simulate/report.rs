//! What a run of `simulate` comes to.

use super::sender::Answer;
use super::{Manner, Post};
use crate::model::printable::printable;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Answers counted, times collected, surprises kept.
#[derive(Default, Debug)]
pub(super) struct Report {
    posts: u64,
    events: u64,
    retried: u64,
    answers: BTreeMap<String, u64>,
    times: Vec<Duration>,
    surprises: Vec<String>,
    surprise_count: u64,
    took: Duration,
}

/// How many surprises are told one by one.
const SURPRISES_MAX: usize = 10;

impl Report {
    /// Notes one attempt; `again` when it is going to be tried again.
    pub(super) fn note(&mut self, post: &Post, answer: &Answer, expected: bool, again: bool) {
        let word = match (&answer.status, &answer.fault) {
            (Some(status), _) => status.as_u16().to_string(),
            (None, fault) => fault.clone().unwrap_or_else(|| "no answer".into()),
        };
        *self.answers.entry(word.clone()).or_default() += 1;
        self.times.push(answer.took);
        if again {
            self.retried += 1;
            return;
        }
        self.posts += 1;
        if answer.is_success() && post.manner == Manner::Genuine {
            self.events += post.events as u64;
        }
        if !expected {
            self.surprise_count += 1;
            if self.surprises.len() < SURPRISES_MAX {
                self.surprises
                    .push(format!("{:?} post answered: {word}", post.manner));
            }
        }
    }

    /// Takes in what another sender noted.
    pub(super) fn merge(&mut self, other: Self) {
        self.posts += other.posts;
        self.events += other.events;
        self.retried += other.retried;
        self.surprise_count += other.surprise_count;
        self.times.extend(other.times);
        self.surprises.extend(other.surprises);
        self.surprises.truncate(SURPRISES_MAX);
        for (word, count) in other.answers {
            *self.answers.entry(word).or_default() += count;
        }
    }

    /// Closes the account.
    pub(super) fn finish(&mut self, took: Duration) {
        self.took = took;
        self.times.sort_unstable();
    }

    /// Whether every answer was the expected one, and there was one.
    pub(super) fn is_as_expected(&self) -> bool {
        self.surprise_count == 0 && self.posts > 0
    }

    fn percentile(&self, thousandths: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times
            .get(last * thousandths / 1000)
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1e3);
        writeln!(
            f,
            "{} posts in {:.1} s, {} changes acknowledged, {} attempts repeated",
            self.posts,
            self.took.as_secs_f64(),
            self.events,
            self.retried
        )?;
        let answers: Vec<String> = self
            .answers
            .iter()
            .map(|(word, count)| format!("{word}: {count}"))
            .collect();
        writeln!(f, "answers   {}", answers.join(", "))?;
        writeln!(
            f,
            "times     half within {}, 99 % within {}, longest {}",
            ms(self.percentile(500)),
            ms(self.percentile(990)),
            ms(self.percentile(1000))
        )?;
        for surprise in &self.surprises {
            writeln!(f, "unexpected {}", printable(surprise))?;
        }
        match self.surprise_count {
            0 => write!(f, "every answer was the expected one"),
            count => write!(f, "{count} answers were not the expected ones"),
        }
    }
}
