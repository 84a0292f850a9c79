//! Outages as they happen: a sink that goes and comes back, and lanes that follow the rules.

use super::*;
use crate::model::{LaneState, Settlement, Stage};
use crate::rules::retry::settle;
use proptest::prelude::*;

const NOON: Timestamp = Timestamp::from_ms(1_795_000_000_000);

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn lane(number: usize) -> RealmId {
    RealmId::new(format!("93414558415801{number:02}")).unwrap()
}

fn refused_connection() -> Outcome {
    Outcome::Failed {
        stage: Stage::Connect,
        detail: "connection refused".into(),
    }
}

fn busy(seconds: Option<u64>) -> Outcome {
    Outcome::Busy {
        status: 503,
        retry_after: seconds.map(Duration::from_secs),
    }
}

const REFUSED: Outcome = Outcome::Refused {
    status: 500,
    retry_after: None,
};

/// Lanes with work that is never done, a second at a time, and the attempts that they make.
struct Office {
    schedule: Schedule,
    outage: Outage,
    now: Timestamp,
    states: Vec<LaneState>,
    delivered: Vec<usize>,
    /// When, which lane, and what came.
    attempts: Vec<(u64, usize, Outcome)>,
}

impl Office {
    fn new(lanes: usize) -> Self {
        let schedule = Schedule::default();
        Self {
            outage: Outage::new(&schedule).unwrap(),
            schedule,
            now: NOON,
            states: vec![LaneState::default(); lanes],
            delivered: vec![0; lanes],
            attempts: Vec::new(),
        }
    }

    /// Lets so much time pass, in which the sink answers lanes so.
    fn pass(&mut self, span: u64, answer: impl Fn(usize) -> Outcome) {
        for _ in 0..span {
            for lane in 0..self.states.len() {
                self.turn(lane, &answer);
            }
            self.now = self.now.plus(seconds(1));
        }
    }

    fn turn(&mut self, number: usize, answer: &impl Fn(usize) -> Outcome) {
        let (now, name) = (self.now, lane(number));
        let state = &mut self.states[number];
        let is_due = state.next_attempt_at.is_none_or(|at| at <= now);
        if self.outage.leave(now, &name, is_due) != Leave::Go {
            return;
        }
        let outcome = answer(number);
        let at = now.since(NOON).as_secs();
        self.outage.came(&name, now, now, &outcome);
        if is_due || !is_of_the_sink(&outcome) {
            match settle(now, 0.0, state, &self.schedule, &outcome) {
                Settlement::Retry { at } => {
                    state.attempts += 1;
                    state.first_attempt_at.get_or_insert(now);
                    state.next_attempt_at = Some(at);
                }
                Settlement::Delivered => {
                    *state = LaneState::default();
                    self.delivered[number] += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        self.attempts.push((at, number, outcome));
    }

    /// The longest time without an attempt between two instants.
    fn longest_silence(&self, from: u64, to: u64) -> u64 {
        let times = self.attempts.iter().map(|(at, ..)| *at);
        let mut times: Vec<u64> = times.filter(|at| (from..to).contains(at)).collect();
        times.insert(0, from);
        times.push(to);
        times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap()
    }
}

#[test]
fn an_outage_of_a_night_ends_within_a_minute_of_its_cause() {
    let mut office = Office::new(20);
    office.pass(10, |_| Outcome::Accepted);
    let before = office.attempts.len();
    office.pass(12 * 3_600, |_| refused_connection());
    let during = office.attempts.len() - before;
    assert!(office.longest_silence(60, 12 * 3_600) <= 60);
    assert!(
        during <= 12 * 75 + 40,
        "{during} attempts at a sink that is out"
    );
    let delivered = office.delivered.clone();
    office.pass(62, |_| Outcome::Accepted);
    for (number, before) in delivered.iter().enumerate() {
        assert!(
            office.delivered[number] > *before,
            "lane {number} still waits"
        );
    }
}

#[test]
fn a_sink_that_comes_and_goes_is_used_whenever_it_is_there() {
    let mut office = Office::new(3);
    for _ in 0..20 {
        office.pass(180, |_| refused_connection());
        let delivered = office.delivered.clone();
        office.pass(180, |_| Outcome::Accepted);
        for (number, before) in delivered.iter().enumerate() {
            // Most of the three minutes, and never none of them.
            assert!(office.delivered[number] > before + 100, "lane {number}");
        }
    }
}

#[test]
fn one_company_alone_is_tried_as_often_as_a_sink_would_be() {
    let mut office = Office::new(1);
    office.pass(86_400, |_| refused_connection());
    assert!(office.longest_silence(0, 86_400) <= 61);
    office.pass(61, |_| Outcome::Accepted);
    assert!(office.delivered[0] > 0);
}

#[test]
fn a_refusal_is_a_matter_of_its_own_lane() {
    let mut office = Office::new(4);
    let answer = |number: usize| match number {
        0 | 1 => REFUSED,
        _ => Outcome::Accepted,
    };
    office.pass(3_600, answer);
    assert_eq!(office.delivered[2..], [3_600, 3_600]);
    let of = |number| {
        office
            .attempts
            .iter()
            .filter(move |(_, lane, _)| *lane == number)
    };
    // 0 s, 5 s, 35 s, 155 s, 755 s, 2555 s: as its own schedule says.
    assert_eq!((of(0).count(), of(1).count()), (6, 6));
}

#[test]
fn a_delivery_at_which_the_sink_breaks_down_holds_no_other_company_up() {
    let mut office = Office::new(4);
    let answer = |number: usize| match number {
        0 => refused_connection(),
        _ => Outcome::Accepted,
    };
    office.pass(3_600, answer);
    assert!(office.delivered[1..].iter().all(|count| *count >= 3_590));
    let of_the_first = office.attempts.iter().filter(|(_, lane, _)| *lane == 0);
    assert!(of_the_first.count() <= 70);
}

#[test]
fn patience_that_a_sink_asks_for_is_had_by_all_its_lanes() {
    for (asked, granted) in [(600, 600), (86_400, 6 * 3_600)] {
        let mut office = Office::new(5);
        office.pass(1, |_| busy(Some(asked)));
        assert_eq!(office.attempts.len(), 1, "the others heard it, too");
        office.pass(granted + 61, |_| busy(None));
        let next = office.attempts[1].0;
        assert!((granted..=granted + 1).contains(&next), "{next}");
    }
    // None, zero or less than the pause of its own makes no difference.
    for asked in [None, Some(0), Some(1)] {
        let mut office = Office::new(5);
        office.pass(3_600, |_| busy(asked));
        assert!(office.longest_silence(0, 3_600) <= 60);
        assert!(office.attempts.len() < 90, "{}", office.attempts.len());
    }
}

#[test]
fn what_waits_since_before_a_restart_is_tried_within_a_minute() {
    let mut office = Office::new(3);
    for state in &mut office.states {
        state.attempts = 9;
        state.first_attempt_at = Some(NOON.minus(seconds(40_000)));
        state.next_attempt_at = Some(NOON.plus(seconds(6 * 3_600)));
    }
    office.pass(59, |_| Outcome::Accepted);
    assert_eq!(office.attempts, []);
    office.pass(3, |_| Outcome::Accepted);
    assert!(office.delivered.iter().all(|count| *count > 0));
}

#[test]
fn what_fails_before_its_time_is_no_attempt_of_its_schedule() {
    let mut office = Office::new(1);
    office.pass(3_600, |_| refused_connection());
    assert!(office.attempts.len() > 50);
    let state = &office.states[0];
    assert_eq!(state.attempts, 6);
    assert_eq!(
        state.next_attempt_at,
        Some(NOON.plus(seconds(2_555 + 3_600)))
    );
}

#[test]
fn each_lane_of_a_sink_that_is_out_comes_to_its_own_attempts() {
    for lanes in [2, 4, 20] {
        let mut office = Office::new(lanes);
        office.pass(86_400, |_| refused_connection());
        for (number, state) in office.states.iter().enumerate() {
            // 1 + 8 of the list in its first 8 hours, then one each 6 hours.
            assert!(state.attempts >= 10, "lane {number} of {lanes}: {state:?}");
        }
    }
}

#[test]
fn a_schedule_that_is_documented_to_others_is_kept_as_it_is() {
    assert!(Outage::new(&Schedule::pausing(vec![seconds(8)])).is_none());
}

#[test]
fn a_clock_that_is_put_back_keeps_nobody_waiting() {
    let mut office = Office::new(3);
    office.pass(3_600, |_| busy(Some(3_000)));
    office.now = NOON.minus(seconds(400_000_000));
    let before = office.attempts.len();
    office.pass(1, |_| Outcome::Accepted);
    assert!(office.attempts.len() > before);
}

proptest! {
    #[test]
    fn whatever_a_sink_does_its_return_is_noticed_within_a_minute_and_by_all_lanes(
        lanes in 1_usize..7,
        phases in proptest::collection::vec((0_u8..4, 1_u64..900), 1..12),
    ) {
        let mut office = Office::new(lanes);
        for (kind, span) in phases {
            office.pass(span, |_| match kind {
                0 => Outcome::Accepted,
                1 => refused_connection(),
                2 => busy(None),
                _ => busy(Some(20)),
            });
        }
        // No attempt of a lane is lost or made twice at once: each is counted or changed nothing.
        let delivered = office.delivered.clone();
        office.pass(60 + 12 + 2, |_| Outcome::Accepted);
        for (number, before) in delivered.iter().enumerate() {
            prop_assert!(office.delivered[number] > *before, "lane {} of {}", number, lanes);
        }
    }
}
