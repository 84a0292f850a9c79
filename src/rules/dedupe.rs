//! Which notified change is new, which is a repeat, and which comes late.
//!
//! The journal asks, item by item and in order of arrival, and acts on the answer in the transaction
//! that stores the receipt. Nothing is ever dropped for being old: a late change is marked.

use crate::model::Timestamp;

/// What an item is, given what was seen before under its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Its identity was not seen before.
    Fresh,
    /// The same was seen before, content and all.
    Repeat,
    /// Its identity was seen before with other content: both are kept, and it is said aloud.
    Conflict,
}

/// Judges an item by the content that was seen under its identity, if any was, and its own.
pub fn judge(seen_content: Option<u64>, content: u64) -> Verdict {
    match seen_content {
        None => Verdict::Fresh,
        Some(seen) if seen == content => Verdict::Repeat,
        Some(_) => Verdict::Conflict,
    }
}

/// Whether a change comes after one of the same record that happened later. Of two that happened at
/// the same instant neither is late, and one whose time cannot be read never is.
pub fn is_late(happened: Option<Timestamp>, newest: Option<Timestamp>) -> bool {
    matches!((happened, newest), (Some(happened), Some(newest)) if happened < newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn an_identity_is_fresh_then_a_repeat_and_a_conflict_with_other_content() {
        assert_eq!(judge(None, 7), Verdict::Fresh);
        assert_eq!(judge(Some(7), 7), Verdict::Repeat);
        assert_eq!(judge(Some(8), 7), Verdict::Conflict);
    }

    #[test]
    fn only_a_change_known_to_be_older_is_late() {
        let at = |ms| Some(Timestamp::from_ms(ms));
        for (happened, newest, late) in [
            (at(1), at(2), true),
            (at(2), at(2), false),
            (at(3), at(2), false),
            (at(1), None, false),
            (None, at(2), false),
            (None, None, false),
        ] {
            assert_eq!(is_late(happened, newest), late, "{happened:?} {newest:?}");
        }
    }

    proptest! {
        #[test]
        fn judging_twice_says_the_same_and_only_the_unseen_is_fresh(seen: Option<u64>, content: u64) {
            let verdict = judge(seen, content);
            assert_eq!(verdict, judge(seen, content));
            assert_eq!(verdict == Verdict::Fresh, seen.is_none());
        }

        #[test]
        fn of_two_changes_at_most_one_is_late(first in any::<i64>(), second in any::<i64>()) {
            let (first, second) = (Some(Timestamp::from_ms(first)), Some(Timestamp::from_ms(second)));
            assert!(!(is_late(first, second) && is_late(second, first)));
        }
    }
}
