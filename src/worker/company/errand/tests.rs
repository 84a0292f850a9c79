//! Readings against books of a few lines, with a Capture that has room for few objects and pages that
//! are short.

mod apart;
mod books;

use super::*;
use crate::model::Watermark;
use crate::qbo::{Failure, Page};
use books::*;
use proptest::prelude::*;

#[test]
fn all_notified_kinds_are_read_by_one_capture() {
    let mut view = read(MINUTE * 30);
    view.notified = vec![
        notified(41, "Invoice", "1", MINUTE),
        notified(42, "Customer", "2", MINUTE),
        notified(43, "Invoice", "3", MINUTE),
    ];
    let open: Vec<&Notified> = view.notified.iter().collect();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    let mut books = Books::new(vec![
        record("Invoice", "1", NOW.minus(MINUTE), RecordState::Live),
        record(
            "Invoice",
            "3",
            NOW.minus(MINUTE + SECOND * 2),
            RecordState::Live,
        ),
        record("Customer", "2", NOW.minus(MINUTE * 3), RecordState::Live),
    ]);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!(books.asked, ["capture Customer,Invoice for 0 d"]);
    assert_eq!(brought.len(), 3);
    assert_eq!(watermark(&reading, "Invoice"), Some(NOW.minus(OVERLAP)));
    assert_eq!(watermark(&reading, "Bill"), None);
    // The customer is older than what was said of it.
    let outcome = errand.outcome();
    assert_eq!(outcome.asked, [(41, true), (42, false), (43, true)]);
    assert_eq!((outcome.held, outcome.through), (vec![41, 42, 43], 60));
}

#[test]
fn what_a_capture_does_not_show_is_asked_for_by_its_id() {
    let mut view = read(MINUTE * 30);
    view.notified = vec![
        notified(41, "TimeActivity", "7", MINUTE),
        notified(42, "TimeActivity", "8", MINUTE),
        // It is said late, after the watermark has passed it.
        notified(43, "Invoice", "3", MINUTE * 60),
        notified(44, "Invoice", "4", MINUTE),
        notified(45, "Preferences", "1", MINUTE),
        // Nothing is read for these.
        notified(46, "ChangeOrder", "1", MINUTE),
        Notified {
            operation: Operation::Delete,
            ..notified(47, "Bill", "1", MINUTE)
        },
    ];
    let open: Vec<&Notified> = view.notified.iter().collect();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    let mut books = Books::new(vec![record("Invoice", "4", NOW, RecordState::Deleted)]);
    books.serve(&mut errand);
    assert_eq!(
        books.asked,
        [
            "capture Invoice for 0 d",
            "query Preferences",
            "query Invoice 3",
            "query TimeActivity 7,8"
        ]
    );
    let shown: Vec<u64> = errand
        .outcome()
        .asked
        .into_iter()
        .filter_map(|(sequence, shown)| shown.then_some(sequence))
        .collect();
    assert_eq!(shown, [44, 46, 47]);
}

#[test]
fn a_notification_that_gives_whole_seconds_is_not_taken_for_older_than_the_watermark() {
    let mut view = read(MINUTE * 30 - Duration::from_millis(300));
    view.notified = vec![notified(41, "Invoice", "1", MINUTE * 30)];
    let open: Vec<&Notified> = view.notified.iter().collect();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    let mut books = Books::new(Vec::new());
    books.serve(&mut errand);
    assert_eq!(books.asked, ["capture Invoice for 0 d"]);
}

#[test]
fn without_capture_notified_changes_go_as_they_are() {
    let mut view = read(MINUTE);
    view.notified = vec![notified(41, "Invoice", "1", MINUTE)];
    let open: Vec<&Notified> = view.notified.iter().collect();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, false);
    let mut books = Books::new(Vec::new());
    books.serve(&mut errand);
    assert!(books.asked.is_empty());
    assert_eq!(errand.outcome().asked, [(41, true)]);
}

#[test]
fn polls_share_a_capture_and_only_lists_show_what_was_deleted_of_some() {
    let polled = ["Bill", "Invoice", "TaxCode", "TimeActivity", "Nonsense"];
    let polled: Vec<String> = polled.map(str::to_owned).to_vec();
    let mut errand = Errand::of_poll(&read(MINUTE), polled, |_| true, OVERLAP);
    let mut books = Books::new(vec![record("TimeActivity", "7", NOW, RecordState::Live)]);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!(
        books.asked,
        [
            "capture Bill,Invoice for 0 d",
            "query TaxCode",
            "query TimeActivity",
            "query TimeActivity list from 1"
        ]
    );
    assert_eq!(reading.complete, ["TimeActivity"]);
    // Once read, once listed.
    assert_eq!(brought.len(), 2);
    for kind in ["Bill", "Invoice", "TaxCode", "TimeActivity", "Nonsense"] {
        assert!(watermark(&reading, kind).is_some(), "{kind}");
    }
}

#[test]
fn a_kind_that_was_not_read_for_weeks_does_not_make_all_answers_long() {
    let mut view = read(MINUTE);
    let behind = Watermark {
        at: NOW.minus(DAY * 9),
        polled_at: None,
    };
    view.watermarks.insert("Budget".into(), behind);
    let mut books = Books::new(Vec::new());
    books.serve(&mut Errand::of_sweep(&view, OVERLAP));
    assert!(books.asked[0].starts_with("capture Account,Bill,BillPayment,Class,"));
    assert!(books.asked[0].ends_with(" for 0 d"));
    assert_eq!(books.asked[1], "capture Budget for 9 d");
}

#[test]
fn a_full_answer_is_asked_for_again_kind_by_kind_and_then_by_pages() {
    let mut books = Books::new(invoices(25, MINUTE * 10, RecordState::Live));
    books
        .records
        .extend(invoices(25, MINUTE * 20, RecordState::Deleted));
    (books.room, books.page) = (10, 10);
    let kinds = vec!["Bill".to_owned(), "Invoice".to_owned()];
    let mut errand = Errand::of_poll(&read(MINUTE * 30), kinds, |_| true, OVERLAP);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!(
        books.asked[..3],
        [
            "capture Bill,Invoice for 0 d",
            "capture Bill for 0 d",
            "capture Invoice for 0 d",
        ]
    );
    assert_eq!(books.asked[3], "query Invoice");
    let ids: BTreeSet<String> = brought.into_iter().map(|one| one.entity.id).collect();
    assert_eq!(ids.len(), 50);
    assert_eq!(reading.missing, 0);
    assert_eq!(watermark(&reading, "Invoice"), Some(NOW.minus(OVERLAP)));
}

#[test]
fn too_many_changes_within_one_second_are_counted_as_out_of_reach() {
    let at = NOW.minus(MINUTE);
    let many = (0..30).map(|n| record("Invoice", &format!("{n:02}"), at, RecordState::Live));
    let mut books = Books::new(many.collect());
    (books.room, books.page) = (10, 10);
    let mut view = read(MINUTE);
    let mark = Watermark {
        at: at.minus(SECOND),
        polled_at: None,
    };
    view.watermarks.insert("Invoice".into(), mark);
    let mut errand = Errand::of_poll(&view, vec!["Invoice".into()], |_| true, OVERLAP);
    let (brought, reading) = books.serve(&mut errand);
    let ids: BTreeSet<String> = brought.into_iter().map(|one| one.entity.id).collect();
    assert_eq!((ids.len(), reading.missing), (30, 1));
}

#[test]
fn what_is_older_than_capture_looks_back_is_read_by_pages() {
    let mut books = Books::new(vec![
        record("Invoice", "1", NOW.minus(DAY * 40), RecordState::Live),
        record("Invoice", "2", NOW.minus(DAY * 40), RecordState::Deleted),
        record("Invoice", "3", NOW.minus(DAY * 20), RecordState::Deleted),
    ]);
    let mut errand = Errand::of_poll(&read(DAY * 45), vec!["Invoice".into()], |_| true, OVERLAP);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!(books.asked, ["query Invoice", "capture Invoice for 29 d"]);
    let ids: Vec<&str> = brought.iter().map(|one| one.entity.id.as_str()).collect();
    assert_eq!((ids, reading.missing), (vec!["1", "3"], 1));
    assert_eq!(watermark(&reading, "Invoice"), Some(NOW.minus(OVERLAP)));
}

#[test]
fn a_capture_that_looks_back_less_than_documented_is_found_out() {
    let mut books = Books::new(vec![
        record("Invoice", "1", NOW.minus(DAY * 20), RecordState::Live),
        record("Invoice", "2", NOW.minus(DAY * 3), RecordState::Deleted),
    ]);
    books.look_back = DAY * 7;
    let mut errand = Errand::of_poll(&read(DAY * 25), vec!["Invoice".into()], |_| true, OVERLAP);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!((brought.len(), reading.missing), (2, 1));
    books.look_back = Duration::ZERO;
    books.asked.clear();
    let mut errand = Errand::of_poll(&read(DAY * 25), vec!["Invoice".into()], |_| true, OVERLAP);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!(brought.len(), 1, "{:?}", books.asked);
    assert_eq!(watermark(&reading, "Invoice"), None);
}

#[test]
fn a_notified_change_beyond_the_reach_of_capture_is_asked_for_by_its_id() {
    let mut view = read(DAY * 45);
    view.notified = vec![notified(41, "Invoice", "1", MINUTE)];
    let open: Vec<&Notified> = view.notified.iter().collect();
    let mut books = Books::new(vec![record("Invoice", "1", NOW, RecordState::Live)]);
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    let (_, reading) = books.serve(&mut errand);
    assert_eq!(books.asked, ["capture Invoice for 29 d"]);
    assert_eq!(watermark(&reading, "Invoice"), Some(NOW.minus(DAY * 45)));
    books.look_back = DAY * 7;
    books.asked.clear();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    books.serve(&mut errand);
    assert_eq!(books.asked, ["capture Invoice for 29 d", "query Invoice 1"]);
    assert_eq!(errand.outcome().asked, [(41, true)]);
}

#[test]
fn a_kind_that_is_refused_is_found_out_and_left_where_it_was() {
    let refusal = Failure::Refused {
        status: 400,
        code: Some("500".into()),
        why: "unsupported operation".into(),
    };
    let kinds = ["Bill", "Invoice", "TaxCode"].map(str::to_owned).to_vec();
    let mut errand = Errand::of_poll(&read(MINUTE), kinds, |_| true, OVERLAP);
    let mut books = Books::new(Vec::new());
    let mut refused = Vec::new();
    loop {
        let step = match errand.ask(NOW) {
            None => errand.close(NOW),
            Some(Ask::Capture { kinds, .. }) if kinds.iter().any(|kind| kind == "Bill") => {
                errand.failed(&refusal, 0, NOW).unwrap()
            }
            Some(Ask::Capture { kinds, since }) => {
                errand.captured(books.capture(&kinds, since).unwrap(), NOW)
            }
            Some(Ask::Query(_)) => errand.failed(&refusal, 0, NOW).unwrap(),
        };
        refused.extend(step.refused.into_iter().map(|one| one.kind));
        if step.reading.finished {
            assert_eq!(watermark(&step.reading, "Bill"), None);
            assert!(watermark(&step.reading, "Invoice").is_some());
            break;
        }
    }
    assert_eq!(refused, ["Bill", "TaxCode"]);
    assert_eq!(errand.kinds_read().collect::<Vec<_>>(), ["Invoice"]);
}

#[test]
fn a_fault_beside_good_data_leaves_its_kind_where_it_was() {
    let gap = Gap {
        id: 3,
        since: NOW.minus(MINUTE * 9),
        until: NOW.minus(MINUTE * 5),
        cause: "offline".into(),
    };
    let mut errand = Errand::of_gap(&read(MINUTE * 10), &gap, OVERLAP);
    let mut books = Books::new(Vec::new());
    let Some(Ask::Capture { kinds, since }) = errand.ask(NOW) else {
        panic!("no capture");
    };
    let mut captured = books.capture(&kinds, since).unwrap();
    let failure = Failure::NotUnderstood {
        why: "no block".into(),
    };
    captured.failed_kinds = vec![("Bill".into(), failure.clone())];
    let step = errand.captured(captured, NOW);
    assert_eq!(step.refused.len(), 0);
    assert_eq!(watermark(&step.reading, "Bill"), None);
    // By itself it comes, or does not; after all others, so that none waits for it.
    let mut refused = 0;
    let (_, reading) = books.serve_all(&mut errand, |books, ask| match ask {
        Ask::Capture { kinds, .. } if *kinds == ["Bill"] => {
            assert!(books.asked.last().unwrap().starts_with("query "));
            refused += 1;
            Some(failure.clone())
        }
        _ => None,
    });
    assert_eq!(refused, 1);
    assert_eq!(reading.purpose, Purpose::Gap { gap: 3 });
    assert_eq!((watermark(&reading, "Bill"), reading.missing), (None, 1));
    assert!(watermark(&reading, "Account").is_some());
}

#[test]
fn a_call_is_blamed_only_when_quickbooks_answers_others() {
    let down = Failure::Unavailable {
        why: "status 500".into(),
    };
    let kinds = vec!["Invoice".to_owned()];
    let mut errand = Errand::of_poll(&read(MINUTE), kinds, |_| true, OVERLAP);
    let is_probe = |ask: &Option<Ask>| matches!(ask, Some(Ask::Query(question)) if question.kind == "CompanyInfo");
    // Nothing answers: the call stays.
    for _ in 0..20 {
        assert!(errand.ask(NOW).is_some());
        assert!(errand.failed(&down, 5, NOW).is_none());
    }
    // A question that cannot fail is answered: the call is to blame.
    while !is_probe(&errand.ask(NOW)) {
        assert!(errand.failed(&down, 5, NOW).is_none());
    }
    let page = Page {
        records: vec![record("CompanyInfo", "1", NOW, RecordState::Live)],
        at: Some(NOW),
        full: false,
        count: 1,
        skipped: Vec::new(),
    };
    let step = errand.page(page, NOW);
    assert!(step.reading.records.is_empty() && !step.reading.finished);
    let step = errand.failed(&down, 6, NOW).unwrap();
    assert_eq!(step.refused.len(), 1);
    assert!(step.reading.finished);
}

#[test]
fn a_failing_part_lets_the_others_go_first() {
    let down = Failure::NotUnderstood {
        why: "a page of HTML".into(),
    };
    let kinds = ["Invoice", "TaxCode", "TaxRate"]
        .map(str::to_owned)
        .to_vec();
    let mut errand = Errand::of_poll(&read(MINUTE), kinds, |_| true, OVERLAP);
    let mut books = Books::new(Vec::new());
    errand.ask(NOW);
    assert!(errand.failed(&down, 0, NOW).is_none());
    books.serve(&mut errand);
    assert_eq!(
        books.asked,
        ["query TaxCode", "query TaxRate", "capture Invoice for 0 d"]
    );
}

#[test]
fn answers_that_are_too_long_are_asked_for_in_parts() {
    let long = Failure::TooLarge { bytes_max: 9 };
    let mut view = read(MINUTE);
    view.notified = (41..46)
        .map(|n| notified(n, "TimeActivity", &n.to_string(), MINUTE))
        .collect();
    let open: Vec<&Notified> = view.notified.iter().collect();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    let mut asked = Vec::new();
    let mut books = Books::new(Vec::new());
    while let Some(ask) = errand.ask(NOW) {
        let Ask::Query(question) = ask else { panic!() };
        asked.push(question.ids.join(","));
        if question.ids.contains(&"43".to_owned()) {
            assert!(errand.failed(&long, 0, NOW).is_some());
        } else {
            errand.page(books.query(&question), NOW);
        }
    }
    assert_eq!(
        asked,
        ["41,42,43,44,45", "41,42", "43,44,45", "43", "44,45"]
    );
    let mut errand = Errand::of_poll(&read(MINUTE), vec!["Invoice".into()], |_| true, OVERLAP);
    errand.ask(NOW);
    errand.failed(&long, 0, NOW).unwrap();
    let Some(Ask::Query(question)) = errand.ask(NOW) else {
        panic!("no pages");
    };
    assert_eq!(question.max, 1000);
    errand.failed(&long, 0, NOW).unwrap();
    let Some(Ask::Query(question)) = errand.ask(NOW) else {
        panic!("no pages");
    };
    assert_eq!(question.max, 500);
    let (_, reading) = books.serve(&mut errand);
    assert_eq!(reading.missing, 1);
}

#[test]
fn a_list_that_changes_while_it_is_read_is_read_anew() {
    let activity = |id: &str| record("TimeActivity", id, NOW.minus(DAY), RecordState::Live);
    let mut books = Books::new((10..35).map(|n| activity(&n.to_string())).collect());
    books.page = 10;
    let compare = || {
        let kinds = vec!["TimeActivity".to_owned()];
        Errand::of_poll(&read(MINUTE), kinds, |_| true, OVERLAP)
    };
    let list = |errand: &mut Errand| match errand.ask(NOW) {
        Some(Ask::Query(question)) => question,
        other => panic!("{other:?}"),
    };
    let mut errand = compare();
    let question = list(&mut errand);
    errand.page(books.query(&question), NOW);
    // One that the first page has shown goes before the second is read.
    let question = list(&mut errand);
    errand.page(books.query(&question), NOW);
    books.records.remove(3);
    let question = list(&mut errand);
    errand.page(books.query(&question), NOW);
    assert_eq!(list(&mut errand).start, 1);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!(reading.complete, ["TimeActivity"]);
    let ids: BTreeSet<&str> = brought.iter().map(|one| one.entity.id.as_str()).collect();
    assert_eq!((ids.len(), brought.len()), (24, 24));
    // Where it never stands still, nothing is said of what is gone.
    let mut errand = compare();
    let question = list(&mut errand);
    errand.page(books.query(&question), NOW);
    let mut refused = Vec::new();
    while let Some(Ask::Query(question)) = errand.ask(NOW) {
        let step = errand.page(books.query(&question), NOW);
        books.records.remove(0);
        assert!(step.reading.complete.is_empty());
        refused.extend(step.refused);
    }
    assert_eq!(refused.len(), 1);
}

fn any_books() -> impl Strategy<Value = Vec<(usize, u32, u32, bool)>> {
    proptest::collection::vec((0..4_usize, 0..12_u32, 0..5000_u32, any::<bool>()), 0..60)
}

proptest! {
    #[test]
    fn whatever_was_changed_is_found_and_watermarks_only_grow(
        books in any_books(), room in 2..30_usize, page in 2..30_usize, ago in 1..6000_u32,
        sweep in any::<bool>(),
    ) {
        let names = ["Invoice", "Customer", "TaxCode", "TimeActivity"];
        let mut records: BTreeMap<EntityRef, Record> = BTreeMap::new();
        for (kind, id, minutes, deleted) in books {
            let at = NOW.minus(MINUTE * minutes + SECOND * 300);
            let state = match deleted && kind != 2 {
                true => RecordState::Deleted,
                false => RecordState::Live,
            };
            let record = record(names[kind], &id.to_string(), at, state);
            records.insert(record.entity.clone(), record);
        }
        let view = read(MINUTE * ago);
        let since = NOW.minus(MINUTE * ago);
        let mut books = Books::new(records.into_values().collect());
        (books.room, books.page) = (room, page);
        let mut errand = match sweep {
            true => Errand::of_sweep(&view, OVERLAP),
            false => Errand::of_poll(&view, names.map(str::to_owned).to_vec(), |_| true, OVERLAP),
        };
        let (brought, reading) = books.serve(&mut errand);
        for one in books.sorted(|one| one.updated.at.unwrap() > since) {
            let is_told = one.entity.kind != "TimeActivity" || one.state != RecordState::Deleted;
            let is_lost = one.state == RecordState::Deleted && reading.missing > 0;
            prop_assert!(!is_told || is_lost || brought.contains(&one), "{:?}", one);
        }
        for kind in names {
            let mark = watermark(&reading, kind).unwrap();
            prop_assert!(mark >= since && mark <= NOW.minus(OVERLAP).max(since));
        }
        prop_assert_eq!(reading.complete, ["TimeActivity"]);
    }
}
