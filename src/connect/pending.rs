//! Questions that were asked of Intuit and not answered yet, and for a while what came of them.
//!
//! Each is known by a `state` of 256 random bits, of which only the digest is kept: it is looked up
//! by the digest, so nothing about a wrong one can be learned from how long the look takes. Bounded:
//! the oldest makes room.

use super::Outcome;
use crate::model::{AppName, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::Duration;

/// Random bytes of a `state`.
pub(super) const STATE_BYTES: usize = 32;

/// How long a question is open, and how long its outcome is remembered.
pub(super) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Questions at a time: a person opens one, perhaps two.
const PENDING_MAX: usize = 32;

/// The name of a question for whoever asked it: says nothing about its `state`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ticket(String);

impl Ticket {
    /// A ticket as it was written down.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As text: 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The questions.
#[derive(Default)]
pub(super) struct Pending(Vec<Question>);

struct Question {
    ticket: Ticket,
    app: AppName,
    at: Timestamp,
    /// The redirect has come; it comes once.
    taken: bool,
    outcome: Outcome,
}

impl Pending {
    /// A new question; the text of its `state`, and its ticket.
    pub(super) fn begin(
        &mut self,
        app: AppName,
        state: [u8; STATE_BYTES],
        now: Timestamp,
    ) -> (String, Ticket) {
        self.forget(now);
        if self.0.len() >= PENDING_MAX {
            self.0.remove(0);
        }
        let text = URL_SAFE_NO_PAD.encode(state);
        let ticket = ticket(&text);
        self.0.push(Question {
            ticket: ticket.clone(),
            app,
            at: now,
            taken: false,
            outcome: Outcome::Waiting,
        });
        (text, ticket)
    }

    /// Uses a question up: its app and ticket, if it is open.
    pub(super) fn take(&mut self, state: &str, now: Timestamp) -> Option<(AppName, Ticket)> {
        self.forget(now);
        let ticket = ticket(state);
        let question = self
            .0
            .iter_mut()
            .find(|question| question.ticket == ticket)?;
        if question.taken {
            return None;
        }
        question.taken = true;
        Some((question.app.clone(), ticket))
    }

    /// Remembers what came of a question.
    pub(super) fn settle(&mut self, ticket: &Ticket, outcome: Outcome, now: Timestamp) {
        if let Some(question) = self
            .0
            .iter_mut()
            .find(|question| question.ticket == *ticket)
        {
            question.outcome = outcome;
            question.at = now;
        }
    }

    /// How a question stands.
    pub(super) fn outcome(&mut self, ticket: &Ticket, now: Timestamp) -> Option<Outcome> {
        self.forget(now);
        let question = self.0.iter().find(|question| question.ticket == *ticket)?;
        Some(question.outcome.clone())
    }

    /// A clock that was put back makes a question older, never younger.
    fn forget(&mut self, now: Timestamp) {
        self.0
            .retain(|question| question.at <= now && now.since(question.at) <= LIFETIME);
    }
}

fn ticket(state: &str) -> Ticket {
    let digest = Sha256::digest(state.as_bytes());
    let mut text = String::with_capacity(64);
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ticket(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RealmId;

    const NOW: Timestamp = Timestamp::from_ms(1_795_252_440_000);

    fn app() -> AppName {
        AppName::new("books").unwrap()
    }

    #[test]
    fn a_question_is_answered_once_and_only_by_its_own_state() {
        let mut pending = Pending::default();
        let (state, ticket) = pending.begin(app(), [7; STATE_BYTES], NOW);
        assert_eq!(state.len(), 43);
        assert_eq!(pending.outcome(&ticket, NOW), Some(Outcome::Waiting));
        assert_eq!(pending.take("", NOW), None);
        assert_eq!(pending.take(ticket.as_str(), NOW), None);
        assert_eq!(pending.take(&state, NOW), Some((app(), ticket.clone())));
        assert_eq!(pending.take(&state, NOW), None);
        let connected = Outcome::Connected(RealmId::new("310687").unwrap());
        pending.settle(&ticket, connected.clone(), NOW);
        assert_eq!(pending.outcome(&ticket, NOW), Some(connected));
    }

    #[test]
    fn a_question_is_open_for_ten_minutes() {
        let mut pending = Pending::default();
        let (state, ticket) = pending.begin(app(), [7; STATE_BYTES], NOW);
        let late = NOW.plus(LIFETIME + Duration::from_millis(1));
        assert_eq!(pending.take(&state, late), None);
        assert_eq!(pending.outcome(&ticket, late), None);
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_keep_a_question_open() {
        let mut pending = Pending::default();
        let (state, _) = pending.begin(app(), [7; STATE_BYTES], NOW);
        assert_eq!(pending.take(&state, NOW.minus(LIFETIME)), None);
    }

    #[test]
    fn the_oldest_question_makes_room() {
        let mut pending = Pending::default();
        let states: Vec<String> = (0..=PENDING_MAX)
            .map(|n| [u8::try_from(n).unwrap(); STATE_BYTES])
            .map(|bytes| pending.begin(app(), bytes, NOW).0)
            .collect();
        assert_eq!(pending.take(&states[0], NOW), None);
        assert!(pending.take(&states[1], NOW).is_some());
        assert!(pending.take(&states[PENDING_MAX], NOW).is_some());
    }
}
