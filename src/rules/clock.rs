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
