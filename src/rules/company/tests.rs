//! Tables for what comes first, and properties that hold for any view.

use super::*;
use crate::model::{
    AppName, Company, EntityRef, Environment, EventTime, Gap, Operation, RealmId, Watermark,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// 2026-11-18, 10:26:40 UTC: the sweep of the day is over.
pub(super) const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn ago(span: Duration) -> Timestamp {
    NOW.minus(span)
}

pub(super) fn view() -> CompanyView {
    CompanyView {
        company: Company {
            realm: RealmId::new("310687").unwrap(),
            app: AppName::new("books").unwrap(),
            environment: Environment::Production,
            connected_at: ago(HOUR * 24 * 9),
            standing: Standing::Connected,
            standing_since: ago(HOUR * 24 * 9),
            access_expires_at: Some(NOW.plus(MINUTE * 30)),
            refresh_expires_at: Some(NOW.plus(HOUR * 2400)),
            hard_expires_at: None,
        },
        told_from: ago(HOUR * 24 * 9),
        notified: Vec::new(),
        newest: 40,
        reconciled: 40,
        watermarks: BTreeMap::new(),
        swept_at: Some(ago(MINUTE)),
        gap: None,
    }
}

fn plan() -> Plan {
    Plan {
        polls: [
            ("Invoice".to_owned(), MINUTE * 15),
            ("TaxCode".to_owned(), HOUR),
        ]
        .into(),
        ..Plan::default()
    }
}

fn notified(sequence: u64, received_at: Timestamp) -> Notified {
    Notified {
        sequence,
        entity: EntityRef {
            kind: "Invoice".into(),
            id: sequence.to_string(),
        },
        operation: Operation::Update,
        happened: EventTime {
            text: String::new(),
            at: None,
        },
        received_at,
    }
}

pub(super) fn polled_at(view: &mut CompanyView, kind: &str, polled_at: Timestamp) {
    let watermark = Watermark {
        at: polled_at,
        polled_at: Some(polled_at),
    };
    view.watermarks.insert(kind.into(), watermark);
}

fn quiet() -> CompanyView {
    let mut quiet = view();
    polled_at(&mut quiet, "Invoice", ago(MINUTE));
    polled_at(&mut quiet, "TaxCode", ago(MINUTE * 2));
    quiet
}

fn gap(until: Timestamp) -> Option<Gap> {
    Some(Gap {
        id: 3,
        since: until.minus(HOUR),
        until,
        cause: "offline".into(),
    })
}

/// `rest N s`, `refresh`, or why it is read.
fn outline(step: Step) -> String {
    match step {
        Step::Rest { until } => format!("rest {} s", until.since(NOW).as_secs()),
        Step::Refresh => "refresh".into(),
        Step::Read(class) => format!("{class:?}"),
    }
}

fn check(edit: impl FnOnce(&mut CompanyView, &mut Course), expected: &str) {
    let (mut view, mut course) = (quiet(), Course::default());
    edit(&mut view, &mut course);
    let step = step(NOW, &view, &plan(), Spent::default(), &mut course);
    assert_eq!(outline(step), expected, "{view:?}");
}

#[test]
fn the_most_urgent_of_what_is_due_comes_first() {
    check(|_, _| {}, "rest 840 s");
    check(
        |view, _| view.notified = vec![notified(41, ago(SECOND * 2))],
        "Notified",
    );
    check(
        |view, _| view.notified = vec![notified(41, ago(SECOND))],
        "rest 1 s",
    );
    check(|view, _| view.gap = gap(ago(MINUTE * 2)), "Gap");
    check(|view, _| view.gap = gap(ago(MINUTE)), "rest 60 s");
    check(
        |view, _| polled_at(view, "Invoice", ago(MINUTE * 15)),
        "Poll",
    );
    check(|view, _| polled_at(view, "TaxCode", ago(HOUR)), "Poll");
    check(|view, _| view.swept_at = None, "Sweep");
    check(|view, _| view.swept_at = Some(ago(HOUR * 24)), "Sweep");
    let all = |view: &mut CompanyView, _: &mut Course| {
        view.notified = vec![notified(41, ago(MINUTE))];
        view.gap = gap(ago(HOUR));
        view.watermarks.clear();
        view.swept_at = None;
    };
    check(all, "Notified");
    check(
        |view, course| {
            all(view, course);
            view.notified.clear();
        },
        "Gap",
    );
    check(
        |view, course| {
            all(view, course);
            view.notified.clear();
            view.gap = None;
        },
        "Poll",
    );
}

#[test]
fn a_burst_is_read_a_moment_after_its_first_change() {
    check(
        |view, _| view.notified = vec![notified(41, ago(SECOND * 2)), notified(42, NOW)],
        "Notified",
    );
    let mut view = quiet();
    view.notified = vec![notified(41, ago(SECOND * 2)), notified(42, NOW)];
    assert_eq!(open(NOW, &view, &Course::default()).len(), 2);
}

#[test]
fn a_reading_that_has_begun_goes_on() {
    check(
        |_, course| course.under_way = [Class::Sweep].into(),
        "Sweep",
    );
    check(
        |view, course| {
            course.under_way = [Class::Sweep].into();
            view.notified = vec![notified(41, ago(MINUTE))];
        },
        "Notified",
    );
}

#[test]
fn tokens_are_renewed_when_there_is_something_to_call_for_or_once_a_day() {
    check(
        |view, _| view.company.access_expires_at = Some(NOW),
        "rest 840 s",
    );
    check(
        |view, _| {
            view.company.access_expires_at = Some(NOW.plus(MINUTE * 4));
            view.gap = gap(ago(HOUR));
        },
        "refresh",
    );
    check(
        |view, course| {
            course.unauthorized(NOW, "the access token is not accepted");
            view.gap = gap(ago(HOUR));
        },
        "refresh",
    );
    check(
        |view, _| view.company.access_expires_at = Some(ago(HOUR * 23)),
        "refresh",
    );
    check(|view, _| view.company.access_expires_at = None, "refresh");
    // Tokens that live for seconds only are not renewed over and over.
    check(
        |view, course| {
            view.company.access_expires_at = None;
            course.renewed(ago(SECOND * 59));
        },
        "rest 1 s",
    );
    check(
        |view, course| {
            view.company.access_expires_at = Some(NOW.plus(SECOND * 9));
            view.gap = gap(ago(HOUR));
            course.renewed(ago(SECOND * 59));
        },
        "Gap",
    );
}

#[test]
fn a_company_that_may_not_be_read_rests() {
    let standings = [
        Standing::Disconnected,
        Standing::NeedsAuthorization {
            why: "invalid_grant".into(),
        },
    ];
    for standing in standings {
        check(
            |view, _| {
                view.company.standing = standing;
                view.notified = vec![notified(41, ago(MINUTE))];
            },
            "rest 3600 s",
        );
    }
}

#[test]
fn a_pause_holds_everything_up_until_it_is_over_or_the_clock_was_put_back() {
    let due = |view: &mut CompanyView| view.notified = vec![notified(41, ago(MINUTE))];
    let paused = |at: Timestamp, left: &'static str| {
        check(
            |view, course| {
                due(view);
                course.throttled(at, MINUTE, 0.0, "too many requests");
            },
            left,
        );
    };
    paused(NOW, "rest 60 s");
    paused(ago(SECOND * 50), "rest 10 s");
    paused(ago(MINUTE), "Notified");
    paused(NOW.plus(HOUR * 24 * 365), "Notified");
    check(
        |view, course| {
            due(view);
            course.throttled(NOW, MINUTE, 0.0, "too many requests");
            course.connected();
        },
        "Notified",
    );
}

#[test]
fn times_from_a_clock_that_was_put_back_are_due_at_once() {
    let year = HOUR * 24 * 365;
    check(
        |view, _| view.notified = vec![notified(41, NOW.plus(year))],
        "Notified",
    );
    check(|view, _| view.gap = gap(NOW.plus(year)), "Gap");
    check(|view, _| polled_at(view, "Invoice", NOW.plus(year)), "Poll");
    check(|view, _| view.swept_at = Some(NOW.plus(year)), "Sweep");
}

#[test]
fn the_budget_leaves_out_what_can_wait() {
    let check = |calls: u64, expected: &str| {
        let mut view = quiet();
        view.watermarks.clear();
        view.swept_at = None;
        view.gap = gap(ago(HOUR));
        let spent = Spent {
            calls,
            calls_max: Some(100),
        };
        let mut seen = Vec::new();
        // What comes when what was due has been done.
        for _ in 0..3 {
            let step = step(NOW, &view, &plan(), spent, &mut Course::default());
            seen.push(outline(step));
            match step {
                Step::Read(Class::Gap) => view.gap = None,
                Step::Read(Class::Poll) => view.watermarks = quiet().watermarks,
                _ => {}
            }
        }
        assert_eq!(seen.join(", "), expected, "{calls}");
    };
    check(89, "Gap, Poll, Sweep");
    check(90, "Gap, rest 3600 s, rest 3600 s");
    check(95, "rest 3600 s, rest 3600 s, rest 3600 s");
}

#[test]
fn what_has_just_failed_lets_others_go_first_once() {
    check(
        |view, course| {
            view.notified = vec![notified(41, ago(MINUTE))];
            view.swept_at = None;
            course.unreachable(ago(HOUR), Some(Class::Notified), 0.0, "500");
        },
        "Sweep",
    );
    check(
        |view, course| {
            view.notified = vec![notified(41, ago(MINUTE))];
            course.unreachable(ago(HOUR), Some(Class::Notified), 0.0, "500");
        },
        "Notified",
    );
}

#[test]
fn polls_that_are_nearly_due_share_the_call() {
    let plan = Plan {
        polls: [("Bill", 15), ("Invoice", 15), ("Item", 15), ("Term", 60)]
            .map(|(kind, minutes)| (kind.to_owned(), MINUTE * minutes))
            .into(),
        ..Plan::default()
    };
    let (mut view, mut course) = (view(), Course::default());
    polled_at(&mut view, "Bill", ago(MINUTE * 15));
    polled_at(&mut view, "Invoice", ago(MINUTE * 12));
    polled_at(&mut view, "Item", ago(MINUTE * 11));
    polled_at(&mut view, "Term", ago(MINUTE * 45));
    assert_eq!(
        polled(NOW, &view, &plan, &course),
        ["Bill", "Invoice", "Term"]
    );
    course.kind_refused(NOW, "Bill", Refusal::Lasting);
    assert_eq!(polled(NOW, &view, &plan, &course), ["Invoice", "Term"]);
    course.kind_read("Bill");
    assert_eq!(
        polled(NOW, &view, &plan, &course),
        ["Bill", "Invoice", "Term"]
    );
}

#[test]
fn a_record_that_is_not_shown_is_looked_for_a_few_times_and_then_let_go() {
    let mut course = Course::default();
    let mut now = NOW;
    let mut view = quiet();
    view.notified = vec![notified(41, ago(MINUTE)), notified(43, ago(MINUTE))];
    let outcome = |asked: Vec<(u64, bool)>| Outcome {
        held: vec![41, 43],
        through: 44,
        asked,
    };
    // The second was shown; the first holds the mark back.
    let through = course.settle(now, &outcome(vec![(41, false), (43, true)]));
    assert_eq!(through, None);
    for (wait, expected) in [(5, None), (20, None), (60, Some(44))] {
        assert!(open(now, &view, &course).is_empty());
        now = now.plus(SECOND * wait);
        let sequences: Vec<u64> = open(now, &view, &course)
            .iter()
            .map(|one| one.sequence)
            .collect();
        assert_eq!(sequences, [41]);
        let through = course.settle(now, &outcome(vec![(41, false)]));
        assert_eq!(through, expected);
    }
    // The other way round, the mark goes as far as it can.
    let mut course = Course::default();
    let through = course.settle(NOW, &outcome(vec![(41, true), (43, false)]));
    assert_eq!(through, Some(42));
}

fn any_span() -> impl Strategy<Value = i64> {
    prop_oneof![
        -200_000..200_000_i64,
        -1_000_000_000..1_000_000_000_i64,
        -100_000_000_000..100_000_000_000_i64
    ]
}

fn any_view() -> impl Strategy<Value = CompanyView> {
    let at = || any_span().prop_map(|ms| Timestamp::from_ms(NOW.as_ms() + ms));
    (
        proptest::option::of(at()),
        proptest::collection::vec(at(), 0..4),
        proptest::option::of(at()),
        proptest::option::of(at()),
        proptest::option::of(at()),
        0..3_usize,
    )
        .prop_map(
            |(access, received, polled, swept_at, gap_until, standing)| {
                let mut view = view();
                view.company.access_expires_at = access;
                view.notified = (41..)
                    .zip(received)
                    .map(|(n, at)| notified(n, at))
                    .collect();
                if let Some(at) = polled {
                    polled_at(&mut view, "Invoice", at);
                }
                view.swept_at = swept_at;
                view.gap = gap_until.and_then(gap);
                if standing == 0 {
                    view.company.standing = Standing::Disconnected;
                }
                view
            },
        )
}

proptest! {
    #[test]
    fn every_view_has_a_step_and_a_rest_is_a_rest(
        mut view in any_view(), calls in 0..120_u64, paused in proptest::option::of(any_span()),
    ) {
        let spent = Spent { calls, calls_max: Some(100) };
        let mut course = Course::default();
        if let Some(ms) = paused {
            course.throttled(Timestamp::from_ms(NOW.as_ms() + ms), MINUTE, 1.0, "");
        }
        // Doing what the step says leads to a rest soon: no work is found where there is none.
        for _ in 0..6 {
            match step(NOW, &view, &plan(), spent, &mut course) {
                Step::Rest { until } => {
                    prop_assert!(until > NOW && until.since(NOW) <= HOUR);
                    return Ok(());
                }
                Step::Refresh => {
                    view.company.access_expires_at = Some(NOW.plus(HOUR));
                    course.renewed(NOW);
                }
                Step::Read(class) => {
                    prop_assert!(spent.allows(class));
                    prop_assert_eq!(&view.company.standing, &Standing::Connected);
                    match class {
                        Class::Notified => {
                            let open = open(NOW, &view, &course);
                            prop_assert!(!open.is_empty());
                            let asked = open.iter().map(|one| (one.sequence, true)).collect();
                            let held = view.notified.iter().map(|one| one.sequence).collect();
                            let outcome = Outcome { held, through: 50, asked };
                            view.reconciled = course.settle(NOW, &outcome).unwrap();
                            view.notified.retain(|one| one.sequence > view.reconciled);
                        }
                        Class::Gap => view.gap = None,
                        Class::Poll => {
                            let kinds = polled(NOW, &view, &plan(), &course);
                            prop_assert!(!kinds.is_empty());
                            for kind in kinds {
                                polled_at(&mut view, &kind, NOW);
                            }
                        }
                        Class::Sweep => view.swept_at = Some(NOW),
                    }
                }
            }
        }
        prop_assert!(false, "no rest");
    }

    #[test]
    fn nothing_that_is_due_is_passed_over_for_ever(
        failing in proptest::collection::vec(any::<bool>(), 60),
    ) {
        let (mut view, mut course) = (quiet(), Course::default());
        view.notified = vec![notified(41, ago(MINUTE))];
        view.gap = gap(ago(HOUR));
        view.watermarks.clear();
        view.swept_at = None;
        let mut last = BTreeMap::new();
        for (index, fails) in failing.into_iter().enumerate() {
            let Step::Read(class) = step(NOW, &view, &plan(), Spent::default(), &mut course) else {
                return Err(TestCaseError::fail("no reading"));
            };
            last.insert(class, index);
            if fails {
                course.unreachable(ago(HOUR), Some(class), 0.0, "");
            } else {
                course.answered();
            }
            for class in Class::ALL {
                let since = last.get(&class).map_or(index + 1, |at| index - at);
                prop_assert!(since < 14, "{class:?} has waited for {since} steps");
            }
        }
    }
}
