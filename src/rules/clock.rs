//! Whether the wall clock can be believed, and whether it jumped.
//!
//! Receiving needs no clock: neither the signature nor a TLS server does. What needs one (outgoing
//! TLS and signatures with a time in them, deleting by age, "expires in") waits until it can be
//! believed. `worker::trust` asks.

use crate::model::{ClockTrust, Timestamp};
use std::time::Duration;

/// What the machine's time service says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// The clock has been synchronized since the machine started.
    Synchronized,
    /// There is a service, and it has not synchronized the clock yet.
    NotYet,
    /// There is no service that says anything.
    Nobody,
}

/// How long somebody has been waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// Since the start.
    pub waited: Duration,
    /// Before going on without a word.
    pub most: Duration,
}

/// Whether `now` can be believed. It cannot be earlier than the day this program was `made`. `before`
/// is what was said of it last: once believed, a clock is so until it is impossible, because a time
/// service that loses its network sets nothing wrong.
pub fn judge(
    before: ClockTrust,
    now: Timestamp,
    made: Timestamp,
    word: Word,
    patience: Patience,
) -> ClockTrust {
    let possible = now >= made;
    let over = patience.waited >= patience.most;
    match word {
        _ if possible && before == ClockTrust::Trusted => ClockTrust::Trusted,
        Word::Synchronized | Word::Nobody if possible => ClockTrust::Trusted,
        _ if !over => ClockTrust::Waiting,
        _ if possible => ClockTrust::Trusted,
        _ => ClockTrust::Wrong,
    }
}

/// Smaller steps are a time service at its work.
const JUMP: Duration = Duration::from_secs(60);

/// By how many milliseconds the wall clock jumped while `span` went by, when that is worth telling.
pub fn jump(before: Timestamp, now: Timestamp, span: Duration) -> Option<i64> {
    let expected = before.plus(span);
    let far = expected.since(now).max(now.since(expected)) >= JUMP;
    far.then(|| now.as_ms().saturating_sub(expected.as_ms()))
}

/// What the clock may be ahead by without having jumped.
const AHEAD: Duration = Duration::from_secs(3_600);

/// How long a clock that jumped ahead has to stand by it before anything is too old by it.
const HELD: Duration = Duration::from_secs(86_400);

/// The time by which ages are counted, so that a clock that is wrong for a while deletes nothing: it
/// goes on as time goes by, follows the clock where that did not jump ahead, and follows a jump ahead
/// after a day in which the clock stood by it.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    now: Option<Timestamp>,
    held: Duration,
}

impl Ages {
    /// Begins where it was left; nowhere where nobody knows.
    pub fn new(last: Option<Timestamp>) -> Self {
        Self {
            now: last,
            held: Duration::ZERO,
        }
    }

    /// What time it is for ages, when the clock says `clock` and `span` went by since this was asked
    /// last.
    pub fn at(&mut self, clock: Timestamp, span: Duration) -> Timestamp {
        let expected = self.now.map_or(clock, |now| now.plus(span));
        let is_ahead = clock.since(expected) > AHEAD;
        self.held = if is_ahead {
            self.held.saturating_add(span)
        } else {
            Duration::ZERO
        };
        let now = if is_ahead && self.held < HELD {
            expected
        } else {
            self.held = Duration::ZERO;
            clock
        };
        self.now = Some(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const LATER: Timestamp = Timestamp::from_ms(1_796_000_000_000);
    const EPOCH: Timestamp = Timestamp::from_ms(0);
    const MOST: Duration = Duration::from_secs(600);

    #[test]
    fn a_clock_is_believed_when_it_is_possible_and_somebody_vouches_or_nobody_can() {
        use ClockTrust::{Trusted, Waiting, Wrong};
        let table = [
            (Waiting, LATER, Word::Synchronized, 0, Trusted),
            (Waiting, LATER, Word::Nobody, 0, Trusted),
            (Waiting, LATER, Word::NotYet, 0, Waiting),
            (Waiting, LATER, Word::NotYet, 599, Waiting),
            (Waiting, LATER, Word::NotYet, 600, Trusted),
            // Before the day it was made, whatever anybody says.
            (Waiting, EPOCH, Word::Synchronized, 0, Waiting),
            (Waiting, EPOCH, Word::Nobody, 599, Waiting),
            (Waiting, EPOCH, Word::Nobody, 600, Wrong),
            (Wrong, LATER, Word::Nobody, 700, Trusted),
            // Believed once, and put back to the beginning of time.
            (Trusted, LATER, Word::NotYet, 5, Trusted),
            (Trusted, EPOCH, Word::Synchronized, 5, Waiting),
            (Trusted, EPOCH, Word::Synchronized, 700, Wrong),
        ];
        for (before, now, word, waited, expected) in table {
            let patience = Patience {
                waited: Duration::from_secs(waited),
                most: MOST,
            };
            let judged = judge(before, now, MADE, word, patience);
            assert_eq!(judged, expected, "{before:?} {now} {word:?} {waited}");
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_clock_that_is_wrong_for_a_minute_makes_nothing_old() {
        let mut ages = Ages::new(Some(MADE));
        let mut now = MADE;
        for _ in 0..10 {
            now = now.plus(MINUTE);
            assert_eq!(ages.at(now, MINUTE), now);
        }
        let wrong = now.plus(DAY * 400);
        assert_eq!(ages.at(wrong, MINUTE), now.plus(MINUTE));
        now = now.plus(MINUTE * 2);
        assert_eq!(ages.at(now, MINUTE), now);
        // Put back it makes everything younger, at once.
        assert_eq!(ages.at(EPOCH, MINUTE), EPOCH);
        assert_eq!(ages.at(now, MINUTE), EPOCH.plus(MINUTE));
    }

    #[test]
    fn a_jump_is_followed_when_the_clock_has_stood_by_it_for_a_day() {
        let mut ages = Ages::new(Some(MADE));
        let mut clock = MADE.plus(DAY * 10);
        let mut followed = 0;
        while ages.at(clock, MINUTE) != clock {
            clock = clock.plus(MINUTE);
            followed += 1;
        }
        assert_eq!(followed, 24 * 60 - 1);
        // It does not add up over jumps that were taken back.
        let mut ages = Ages::new(Some(MADE));
        for _ in 0..100 {
            assert!(ages.at(MADE.plus(DAY * 10), DAY / 2) < MADE.plus(DAY * 2));
            assert_eq!(ages.at(MADE, DAY / 2), MADE);
        }
        assert_eq!(Ages::new(None).at(LATER, MINUTE), LATER);
    }

    #[test]
    fn a_jump_is_what_is_neither_time_going_by_nor_a_correction() {
        let span = Duration::from_secs(5);
        assert_eq!(jump(MADE, MADE.plus(span), span), None);
        assert_eq!(jump(MADE, MADE.plus(Duration::from_secs(64)), span), None);
        assert_eq!(
            jump(MADE, MADE.plus(Duration::from_secs(65)), span),
            Some(60_000)
        );
        assert_eq!(jump(LATER, MADE, span), Some(-1_000_005_000));
        let (first, last) = (Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX));
        assert!(jump(first, last, span).is_some() && jump(last, first, span).is_some());
    }
}
