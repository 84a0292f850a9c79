//! What a lane does next: rest, or make an attempt.
//!
//! Called by the lane's task with what the journal sees. Promises: changes of a lane go in order
//! (invariant I6); while the head fails it is tried alone, so that one poison event is found out and
//! not its neighbours; a failing replay never holds the live head back.

use super::retry::Schedule;
use crate::model::{Delivery, Lane, LaneState, LaneView, Manner, Timestamp};
use std::time::Duration;

/// The next thing a lane does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing until that instant, or until the journal wakes the lane; `None`: only the latter.
    Rest {
        /// When something is due.
        until: Option<Timestamp>,
    },
    /// An attempt.
    Deliver {
        /// What goes.
        delivery: Box<Delivery>,
        /// How it fared so far: what [`settle`](super::retry::settle) asks for after the attempt.
        state: LaneState,
    },
}

/// Decides it. A due replay goes first, one change at a time; then the live head when it is due. A
/// sink that was switched off rests. `hold` is how long a change that is not reconciled is held back.
pub fn step(
    now: Timestamp,
    lane: &Lane,
    view: &LaneView,
    schedule: &Schedule,
    hold: Option<Duration>,
) -> Step {
    if view.disabled {
        return Step::Rest { until: None };
    }
    let due = |state: &LaneState| is_due(now, state.next_attempt_at, schedule);
    if let Some(replay) = view.replay.as_ref().filter(|replay| due(&replay.state)) {
        return deliver(
            Delivery {
                lane: lane.clone(),
                manner: Manner::Replay(replay.id),
                attempt: replay.state.attempts.saturating_add(1),
                changes: vec![replay.change.clone()],
                body: replay.body.clone(),
            },
            &replay.state,
        );
    }
    if due(&view.state) && !view.head.is_empty() {
        let count = if view.state.attempts == 0 {
            view.head.len()
        } else {
            1
        };
        return deliver(
            Delivery {
                lane: lane.clone(),
                manner: Manner::Live,
                attempt: view.state.attempts.saturating_add(1),
                changes: view.head.iter().take(count).cloned().collect(),
                body: view.body.clone(),
            },
            &view.state,
        );
    }
    let live = (!view.head.is_empty()).then_some(&view.state);
    let states = live
        .into_iter()
        .chain(view.replay.as_ref().map(|replay| &replay.state));
    // Past its hold, a change is no longer held back; the head that is due or failing goes before it.
    let held = view
        .held_since
        .zip(hold)
        .map(|(since, hold)| since.plus(hold));
    let attempts = states.filter_map(|state| state.next_attempt_at);
    Step::Rest {
        until: attempts.chain(held).min(),
    }
}

fn deliver(delivery: Delivery, state: &LaneState) -> Step {
    Step::Deliver {
        delivery: Box::new(delivery),
        state: state.clone(),
    }
}

/// Whether the time has come. A time further away than any wait the schedule knows was set by a
/// clock that has been put back since, and would mean waiting for nothing.
pub fn is_due(now: Timestamp, not_before: Option<Timestamp>, schedule: &Schedule) -> bool {
    not_before.is_none_or(|at| at <= now || at.since(now) > schedule.longest())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Authenticity, Change, ChangeId, ChangeSeq, EntityRef, EventTime, Identity, Notification,
        Operation, Origin, RealmId, ReplayHead, Seq, SinkName,
    };
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const HOLD: Option<Duration> = Some(Duration::from_secs(30));

    fn lane() -> Lane {
        Lane {
            sink: SinkName::new("erp").unwrap(),
            realm: RealmId::new("310687").unwrap(),
        }
    }

    fn change(seq: i64) -> Change {
        Change {
            seq: ChangeSeq(seq),
            id: ChangeId(format!("{seq:032x}")),
            receipt: Seq(seq),
            sequence: 1,
            origin: Origin::Webhook,
            authenticity: Authenticity::Signed,
            received_at: NOW,
            late: false,
            conflicting: false,
            epoch: 0,
            confirms: None,
            notification: Notification {
                realm: lane().realm,
                entity: EntityRef {
                    kind: "Bill".into(),
                    id: "9".into(),
                },
                operation: Operation::Update,
                happened: EventTime {
                    text: String::new(),
                    at: None,
                },
                deleted_id: None,
                event_type: "qbo.bill.updated.v1".into(),
                sender_id: None,
                data: None,
                identity: Identity([0; 16]),
                content: 0,
            },
            record: None,
        }
    }

    fn state(attempts: u32, next: Option<Timestamp>) -> LaneState {
        LaneState {
            attempts,
            first_attempt_at: None,
            next_attempt_at: next,
            last_failure: None,
        }
    }

    fn view(head: &[i64], live: LaneState, replay: Option<LaneState>) -> LaneView {
        LaneView {
            disabled: false,
            state: live,
            head: head.iter().copied().map(change).collect(),
            held_since: None,
            body: Some("live".into()),
            replay: replay.map(|state| ReplayHead {
                id: 7,
                state,
                change: change(3),
                body: Some("old".into()),
            }),
        }
    }

    /// `rest`, `rest for N s`, or what goes.
    fn outline(view: &LaneView) -> String {
        match step(NOW, &lane(), view, &Schedule::default(), HOLD) {
            Step::Rest { until: None } => "rest".into(),
            Step::Rest { until: Some(at) } => format!("rest for {} s", at.since(NOW).as_secs()),
            Step::Deliver { delivery, state } => {
                let seqs: Vec<i64> = delivery.changes.iter().map(|change| change.seq.0).collect();
                assert_eq!(delivery.attempt, state.attempts + 1);
                assert_eq!(delivery.lane, lane());
                let body = delivery.body.unwrap();
                format!("{:?} {seqs:?} {}", delivery.manner, body.escape_ascii())
            }
        }
    }

    #[test]
    fn the_next_step_follows_from_the_view() {
        let fresh = || state(0, None);
        let in_a_minute = || state(2, Some(NOW.plus(MINUTE)));
        let in_two = || state(1, Some(NOW.plus(MINUTE * 2)));
        let due = || state(2, Some(NOW));
        let table = [
            (view(&[], fresh(), None), "rest"),
            (view(&[4, 5, 6], fresh(), None), "Live [4, 5, 6] live"),
            (view(&[4, 5, 6], due(), None), "Live [4] live"),
            (view(&[4, 5], in_a_minute(), None), "rest for 60 s"),
            (view(&[], in_a_minute(), None), "rest"),
            (view(&[4, 5], fresh(), Some(fresh())), "Replay(7) [3] old"),
            (view(&[], fresh(), Some(due())), "Replay(7) [3] old"),
            (
                view(&[4, 5], in_a_minute(), Some(due())),
                "Replay(7) [3] old",
            ),
            (
                view(&[4, 5], fresh(), Some(in_a_minute())),
                "Live [4, 5] live",
            ),
            (view(&[4], in_a_minute(), Some(in_two())), "rest for 60 s"),
            (view(&[4], in_two(), Some(in_a_minute())), "rest for 60 s"),
            (view(&[], fresh(), Some(in_two())), "rest for 120 s"),
        ];
        for (view, expected) in table {
            assert_eq!(outline(&view), expected, "{view:?}");
        }
    }

    #[test]
    fn a_change_that_is_held_back_is_waited_for_and_holds_nothing_else_up() {
        let held = |head: &[i64]| LaneView {
            held_since: Some(NOW.minus(Duration::from_secs(10))),
            ..view(head, state(0, None), None)
        };
        assert_eq!(outline(&held(&[])), "rest for 20 s");
        assert_eq!(outline(&held(&[4])), "Live [4] live");
    }

    #[test]
    fn a_sink_that_was_switched_off_rests() {
        let mut off = view(&[4], state(0, None), Some(state(0, None)));
        off.disabled = true;
        assert_eq!(outline(&off), "rest");
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_make_a_lane_wait_for_it() {
        let longest = Schedule::default().longest();
        let within = state(3, Some(NOW.plus(longest)));
        let beyond = state(3, Some(NOW.plus(longest + Duration::from_millis(1))));
        assert_eq!(
            outline(&view(&[4], within, None)),
            format!("rest for {} s", longest.as_secs())
        );
        assert_eq!(outline(&view(&[4], beyond, None)), "Live [4] live");
    }

    proptest! {
        #[test]
        fn what_goes_is_always_the_beginning_of_the_head_or_the_replay(
            count in 0..5_i64,
            live in (0..3_u32, proptest::option::of(any::<i64>())),
            replay in proptest::option::of((0..3_u32, proptest::option::of(any::<i64>()))),
            disabled in any::<bool>(),
            now in any::<i64>(),
        ) {
            let state = |(attempts, at): (u32, Option<i64>)| {
                state(attempts, at.map(Timestamp::from_ms))
            };
            let head: Vec<i64> = (4..4 + count).collect();
            let mut view = view(&head, state(live), replay.map(state));
            view.disabled = disabled;
            let now = Timestamp::from_ms(now);
            let schedule = Schedule::default();
            match step(now, &lane(), &view, &schedule, HOLD) {
                Step::Deliver { delivery, .. } => {
                    prop_assert!(!disabled && !delivery.changes.is_empty());
                    match delivery.manner {
                        Manner::Live => prop_assert!(view.head.starts_with(&delivery.changes)),
                        Manner::Replay(id) => {
                            prop_assert_eq!((id, delivery.changes), (7, vec![change(3)]));
                        }
                    }
                }
                Step::Rest { until: Some(at) } => {
                    prop_assert!(at > now && at.since(now) <= schedule.longest());
                }
                Step::Rest { until: None } => {
                    prop_assert!(disabled || (view.head.is_empty() && view.replay.is_none()));
                }
            }
        }
    }
}
