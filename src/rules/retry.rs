//! What becomes of an attempt: done, again at some time, given up, or switched off.
//!
//! Called by the worker after every attempt; the journal records the answer, so the schedule survives
//! a restart. Promises: every wait is at most [`Schedule::longest`], and the number of attempts at
//! one delivery is finite.

use super::span;
use crate::model::{LaneState, Outcome, Settlement, Stage, Timestamp};
use std::time::Duration;

/// The longest wait that a `Retry-After` is taken for.
pub(super) const RETRY_AFTER_MAX: Duration = hours(6);

/// How far jitter moves a wait to either side.
const JITTER: f64 = 0.2;

/// When a failed delivery is tried again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Waits after the first, second, third failure and so on.
    pub delays: Vec<Duration>,
    /// Every wait after those.
    pub then_every: Duration,
    /// While the sink itself is out, one delivery is tried at least so often, however long the waits
    /// are; `None` where nothing is tried before its time.
    pub probe_every: Option<Duration>,
    /// Time since the first attempt after which a failure is the last one.
    pub give_up_after: Duration,
    /// What happens then, and whether it happens earlier.
    pub exhausted: Exhausted,
}

/// What becomes of a delivery that failed for the last time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exhausted {
    /// A dead letter, and the lane goes on with the next. After [`Schedule::give_up_after`].
    DeadLetter,
    /// The sink is switched off, and everything waits in order until it is enabled. After the last
    /// of [`Schedule::delays`]: at the first failure where there are none.
    Pause,
}

impl Default for Schedule {
    /// 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, then every 6 h, for 7 days.
    fn default() -> Self {
        Self {
            delays: vec![
                Duration::from_secs(5),
                Duration::from_secs(30),
                Duration::from_mins(2),
                Duration::from_mins(10),
                Duration::from_mins(30),
                hours(1),
                hours(2),
                hours(4),
            ],
            then_every: hours(6),
            probe_every: Some(Duration::from_mins(1)),
            give_up_after: hours(7 * 24),
            exhausted: Exhausted::DeadLetter,
        }
    }
}

impl Schedule {
    /// As many attempts more as there are `delays`, then a pause until the sink is enabled. None is
    /// made before its time: whoever is called back so counts on it.
    pub fn pausing(delays: Vec<Duration>) -> Self {
        Self {
            then_every: delays.last().copied().unwrap_or_default(),
            delays,
            probe_every: None,
            exhausted: Exhausted::Pause,
            ..Self::default()
        }
    }

    /// The longest wait that [`settle`] ever decides on, jitter and `Retry-After` included.
    pub fn longest(&self) -> Duration {
        let own = self
            .delays
            .iter()
            .copied()
            .fold(self.then_every, Duration::max);
        scaled(own, 1.0).max(RETRY_AFTER_MAX)
    }

    /// Whether the delays are used up after this many earlier failures.
    fn has_no_delay(&self, failures: u32) -> bool {
        usize::try_from(failures).is_ok_and(|failures| failures >= self.delays.len())
    }

    /// The wait after this many earlier failures.
    fn delay(&self, failures: u32) -> Duration {
        let at = usize::try_from(failures).unwrap_or(usize::MAX);
        self.delays.get(at).copied().unwrap_or(self.then_every)
    }

    /// The time from the first attempt to the one after this many failures, in the ordinary course.
    fn usual_span(&self, failures: u32) -> Duration {
        let listed = usize::try_from(failures).unwrap_or(usize::MAX);
        let own = self.delays.iter().take(listed).sum::<Duration>();
        let more = u32::try_from(listed.saturating_sub(self.delays.len())).unwrap_or(u32::MAX);
        own.saturating_add(self.then_every.saturating_mul(more))
    }

    /// Attempts that are made before giving up, whatever the clock says: as many as the slowest
    /// sequence of waits has. On a board without a battery clock the time can jump by years between
    /// two attempts, and a gateway can be off for a week; neither may kill a delivery that was hardly
    /// tried.
    fn attempts_min(&self) -> u128 {
        self.give_up_after.as_millis() / self.longest().as_millis()
    }
}

/// What the journal records after an attempt that ended at `now`.
///
/// `state` is the lane's before this attempt. `jitter` is chance from -1 to 1 and moves a wait by up
/// to 20 % either way. A sink that asks for patience gets the next longer wait; a `Retry-After`
/// makes either one longer, up to 6 h.
pub fn settle(
    now: Timestamp,
    jitter: f64,
    state: &LaneState,
    schedule: &Schedule,
    outcome: &Outcome,
) -> Settlement {
    let failures = state.attempts;
    let (own, wish) = match outcome {
        Outcome::Accepted => return Settlement::Delivered,
        Outcome::Gone => return Settlement::Disabled,
        Outcome::Busy { retry_after, .. } => {
            (schedule.delay(failures.saturating_add(1)), *retry_after)
        }
        Outcome::Refused { retry_after, .. } => (schedule.delay(failures), *retry_after),
        Outcome::Failed { .. } => (schedule.delay(failures), None),
    };
    let wait = lengthened(scaled(own, jitter), wish, RETRY_AFTER_MAX);
    let attempts = failures.saturating_add(1);
    let tried_for = match state.first_attempt_at {
        Some(first) if first <= now => now.since(first),
        // The clock has been put back since; the count of attempts tells the time.
        Some(_) => schedule.usual_span(failures),
        None => Duration::ZERO,
    };
    let is_given_up =
        tried_for >= schedule.give_up_after && u128::from(attempts) >= schedule.attempts_min();
    match schedule.exhausted {
        Exhausted::Pause if schedule.has_no_delay(failures) => Settlement::Disabled,
        Exhausted::DeadLetter if is_given_up => Settlement::Dead {
            reason: format!(
                "given up after {attempts} attempts in {}; at the last one the sink {}",
                span::text(tried_for),
                describe(outcome)
            ),
        },
        Exhausted::Pause | Exhausted::DeadLetter => Settlement::Retry { at: now.plus(wait) },
    }
}

/// The pause before the other side is asked again: the relay's own, which a wish of the other side
/// (`Retry-After`) makes longer, up to `most`, and never shorter.
pub fn lengthened(own: Duration, wish: Option<Duration>, most: Duration) -> Duration {
    own.max(wish.unwrap_or_default().min(most))
}

/// What an attempt came to, as the rest of a sentence that begins with the sink: `refuses: HTTP 500`.
pub fn describe(outcome: &Outcome) -> String {
    let after = |retry_after: &Option<Duration>| {
        retry_after.map_or_else(String::new, |wait| {
            format!(", Retry-After {}", span::text(wait))
        })
    };
    match outcome {
        Outcome::Accepted => "accepts".into(),
        Outcome::Busy {
            status,
            retry_after,
        } => format!("asks for patience: HTTP {status}{}", after(retry_after)),
        Outcome::Refused {
            status,
            retry_after,
        } => format!("refuses: HTTP {status}{}", after(retry_after)),
        Outcome::Gone => "wants nothing any more: HTTP 410".into(),
        Outcome::Failed { stage, detail } => {
            let what = match stage {
                Stage::Resolve => "has a name that cannot be resolved",
                Stage::Forbidden => "has an address that is not allowed",
                Stage::Connect => "cannot be reached",
                Stage::Tls => "has no TLS that can be trusted",
                Stage::Answer => "does not answer",
                Stage::File => "cannot be written",
            };
            format!("{what}: {detail}")
        }
    }
}

fn scaled(delay: Duration, jitter: f64) -> Duration {
    let jitter = if jitter.is_nan() {
        0.0
    } else {
        jitter.clamp(-1.0, 1.0)
    };
    let seconds = delay.as_secs_f64() * (1.0 + JITTER * jitter);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const REFUSED: Outcome = Outcome::Refused {
        status: 500,
        retry_after: None,
    };

    fn failed(attempts: u32, first: Timestamp) -> LaneState {
        LaneState {
            attempts,
            first_attempt_at: (attempts > 0).then_some(first),
            ..LaneState::default()
        }
    }

    /// Seconds until the next attempt after this many failures.
    fn wait_s(attempts: u32, jitter: f64, outcome: &Outcome) -> f64 {
        let state = failed(attempts, NOW);
        match settle(NOW, jitter, &state, &Schedule::default(), outcome) {
            Settlement::Retry { at } => at.since(NOW).as_secs_f64(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_default_schedule_is_the_promised_one() {
        let waits: Vec<f64> = (0..11).map(|n| wait_s(n, 0.0, &REFUSED)).collect();
        let expected = [
            5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 21_600.0, 21_600.0,
            21_600.0,
        ];
        assert_eq!(waits, expected);
        assert_eq!(wait_s(u32::MAX, 0.0, &REFUSED), 21_600.0);
    }

    #[test]
    fn jitter_moves_a_wait_by_a_fifth_at_most() {
        let table = [
            (-1.0, 4.0),
            (0.5, 5.5),
            (1.0, 6.0),
            (9.0, 6.0),
            (f64::NAN, 5.0),
            (f64::NEG_INFINITY, 4.0),
        ];
        for (jitter, expected) in table {
            assert_eq!(wait_s(0, jitter, &REFUSED), expected, "{jitter}");
        }
    }

    #[test]
    fn retry_after_makes_a_wait_longer_and_never_shorter() {
        for (seconds, first, later) in [
            (0, 6.0, 14_400.0),
            (1, 6.0, 14_400.0),
            (90, 90.0, 14_400.0),
            (14_401, 14_401.0, 14_401.0),
            (86_400, 21_600.0, 21_600.0),
            (u64::MAX, 21_600.0, 21_600.0),
        ] {
            let retry_after = Some(Duration::from_secs(seconds));
            let busy = Outcome::Busy {
                status: 503,
                retry_after,
            };
            let refused = Outcome::Refused {
                status: 500,
                retry_after,
            };
            assert_eq!(wait_s(0, 1.0, &refused), first);
            assert_eq!(wait_s(7, 0.0, &refused), later);
            // As if it had failed once more.
            assert_eq!(wait_s(0, 1.0, &busy), first.max(36.0));
        }
    }

    #[test]
    fn a_busy_sink_gets_the_next_longer_wait() {
        let busy = Outcome::Busy {
            status: 429,
            retry_after: None,
        };
        let waits: Vec<f64> = (0..3).map(|n| wait_s(n, 0.0, &busy)).collect();
        assert_eq!(waits, [30.0, 120.0, 600.0]);
    }

    #[test]
    fn acceptance_delivers_and_gone_switches_off() {
        let state = failed(40, Timestamp::from_ms(0));
        let judge = |outcome| settle(NOW, 0.0, &state, &Schedule::default(), &outcome);
        assert_eq!(judge(Outcome::Accepted), Settlement::Delivered);
        assert_eq!(judge(Outcome::Gone), Settlement::Disabled);
    }

    #[test]
    fn after_a_week_of_failures_a_delivery_is_given_up_with_its_cause() {
        let week = hours(7 * 24);
        let state = failed(33, NOW.minus(week));
        let settled = settle(NOW, 0.0, &state, &Schedule::default(), &REFUSED);
        let reason =
            "given up after 34 attempts in 7 days; at the last one the sink refuses: HTTP 500";
        let dead = Settlement::Dead {
            reason: reason.into(),
        };
        assert_eq!(settled, dead);
        let a_little_earlier = failed(33, NOW.minus(week).plus(Duration::from_millis(1)));
        let settled = settle(NOW, 0.0, &a_little_earlier, &Schedule::default(), &REFUSED);
        assert!(matches!(settled, Settlement::Retry { .. }));
    }

    #[test]
    fn neither_a_clock_that_jumps_nor_a_week_without_power_kills_a_delivery() {
        let jumped = failed(1, Timestamp::from_ms(0));
        let settled = settle(NOW, 0.0, &jumped, &Schedule::default(), &REFUSED);
        assert!(matches!(settled, Settlement::Retry { .. }));
    }

    #[test]
    fn a_clock_that_was_put_back_by_years_does_not_keep_a_delivery_alive() {
        let years_ahead = NOW.plus(hours(50_000));
        let judge = |attempts| {
            let state = failed(attempts, years_ahead);
            settle(NOW, 0.0, &state, &Schedule::default(), &REFUSED)
        };
        assert!(matches!(judge(34), Settlement::Retry { .. }));
        assert!(matches!(judge(35), Settlement::Dead { .. }));
    }

    #[test]
    fn a_short_schedule_gives_up_soon() {
        let schedule = Schedule {
            delays: Vec::new(),
            then_every: Duration::from_millis(10),
            probe_every: None,
            give_up_after: Duration::from_secs(1),
            exhausted: Exhausted::DeadLetter,
        };
        let state = failed(1, NOW.minus(Duration::from_secs(1)));
        let settled = settle(NOW, 0.0, &state, &schedule, &REFUSED);
        assert!(matches!(settled, Settlement::Dead { .. }));
    }

    #[test]
    fn a_pausing_schedule_makes_as_many_attempts_more_as_it_has_delays_and_gives_nothing_up() {
        let spans = [8, 56, 448].map(Duration::from_secs).to_vec();
        for delays in [Vec::new(), spans] {
            let schedule = Schedule::pausing(delays.clone());
            let (mut now, mut state) = (NOW, LaneState::default());
            for delay in &delays {
                let settled = settle(now, 0.0, &state, &schedule, &REFUSED);
                let at = now.plus(*delay);
                assert_eq!(settled, Settlement::Retry { at });
                state.first_attempt_at = state.first_attempt_at.or(Some(now));
                state.attempts += 1;
                now = at;
            }
            let settled = settle(now, 0.0, &state, &schedule, &REFUSED);
            assert_eq!(settled, Settlement::Disabled);
            let accepted = settle(now, 0.0, &state, &schedule, &Outcome::Accepted);
            assert_eq!(accepted, Settlement::Delivered);
        }
    }

    #[test]
    fn every_outcome_has_its_words() {
        let failed = |stage| Outcome::Failed {
            stage,
            detail: "why".into(),
        };
        let busy = Outcome::Busy {
            status: 429,
            retry_after: Some(Duration::from_secs(30)),
        };
        let table = [
            (Outcome::Accepted, "accepts"),
            (busy, "asks for patience: HTTP 429, Retry-After 30 s"),
            (REFUSED, "refuses: HTTP 500"),
            (Outcome::Gone, "wants nothing any more: HTTP 410"),
            (
                failed(Stage::Resolve),
                "has a name that cannot be resolved: why",
            ),
            (
                failed(Stage::Forbidden),
                "has an address that is not allowed: why",
            ),
            (failed(Stage::Connect), "cannot be reached: why"),
            (failed(Stage::Tls), "has no TLS that can be trusted: why"),
            (failed(Stage::Answer), "does not answer: why"),
            (failed(Stage::File), "cannot be written: why"),
        ];
        for (outcome, expected) in table {
            assert_eq!(describe(&outcome), expected);
        }
    }

    fn failure() -> impl Strategy<Value = Outcome> {
        let retry_after = proptest::option::of((0_u64..200_000).prop_map(Duration::from_secs));
        prop_oneof![
            (100_u16..600, retry_after.clone()).prop_map(|(status, retry_after)| {
                Outcome::Refused {
                    status,
                    retry_after,
                }
            }),
            retry_after.prop_map(|retry_after| Outcome::Busy {
                status: 503,
                retry_after,
            }),
            Just(Outcome::Failed {
                stage: Stage::Connect,
                detail: "refused".into(),
            }),
        ]
    }

    fn schedule() -> impl Strategy<Value = Schedule> {
        let delay = || (0_u64..100_000).prop_map(Duration::from_secs);
        let own = (
            proptest::collection::vec(delay(), 0..9),
            delay(),
            (0_u64..1_000_000).prop_map(Duration::from_secs),
        )
            .prop_map(|(delays, then_every, give_up_after)| Schedule {
                delays,
                then_every,
                probe_every: None,
                give_up_after,
                exhausted: Exhausted::DeadLetter,
            });
        prop_oneof![Just(Schedule::default()), own]
    }

    proptest! {
        #[test]
        fn a_wait_is_within_bounds(
            schedule in schedule(),
            jitter in any::<f64>(),
            attempts in any::<u32>(),
            now in any::<i64>(),
            first in any::<i64>(),
            outcome in failure(),
        ) {
            let now = Timestamp::from_ms(now);
            let state = failed(attempts, Timestamp::from_ms(first));
            if let Settlement::Retry { at } = settle(now, jitter, &state, &schedule, &outcome) {
                prop_assert!(at >= now && at.since(now) <= schedule.longest());
            }
        }

        #[test]
        fn attempts_end_within_a_week_and_one_wait(
            failures in proptest::collection::vec((failure(), -1.0..1.0_f64), 1..20),
        ) {
            let schedule = Schedule::default();
            let end = NOW.plus(schedule.give_up_after).plus(schedule.longest());
            let (mut now, mut state) = (NOW, LaneState::default());
            for (outcome, jitter) in failures.iter().cycle() {
                match settle(now, *jitter, &state, &schedule, outcome) {
                    Settlement::Retry { at } => {
                        prop_assert!(at > now && at <= end);
                        state.first_attempt_at = state.first_attempt_at.or(Some(now));
                        state.attempts += 1;
                        now = at;
                    }
                    Settlement::Dead { .. } => break,
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
