//! Kinds that fail by themselves, and records that cannot be read: their neighbours are read as ever.

use super::super::*;
use super::books::*;
use crate::qbo::{Failure, Page};

#[test]
fn a_kind_that_failed_by_itself_is_asked_for_alone_and_last() {
    let failed: BTreeSet<String> = ["Bill", "TaxCode"].map(str::to_owned).into();
    let kinds = ["Bill", "Invoice", "TaxCode", "TaxRate", "Term"];
    let kinds = kinds.map(str::to_owned).to_vec();
    let mut books = Books::new(vec![record("Bill", "1", NOW, RecordState::Live)]);
    let mut errand = Errand::of_poll(&read(MINUTE), kinds, |_| true, OVERLAP);
    errand.keep_apart(&failed);
    let (brought, reading) = books.serve(&mut errand);
    assert_eq!(
        books.asked,
        [
            "capture Invoice,Term for 0 d",
            "query TaxRate",
            "capture Bill for 0 d",
            "query TaxCode"
        ]
    );
    assert_eq!(brought.len(), 1);
    assert!(watermark(&reading, "Bill").is_some());
    assert!(errand.kinds_read().any(|kind| kind == "Bill"));
}

#[test]
fn a_failing_kind_is_found_out_without_a_wait_and_its_neighbours_are_read() {
    let down = Failure::Unavailable {
        why: "status 500".into(),
    };
    let kinds = ["Bill", "Invoice", "Item", "Term"].map(str::to_owned);
    for failing in &kinds {
        let mut errand = Errand::of_poll(&read(MINUTE), kinds.to_vec(), |_| true, OVERLAP);
        let mut books = Books::new(Vec::new());
        let (mut answers, mut waits, mut refused) = (7, 0, Vec::new());
        let last = loop {
            let step = match errand.ask(NOW) {
                None => Some(errand.close(NOW)),
                Some(Ask::Capture { kinds, .. }) if kinds.contains(failing) => {
                    errand.failed(&down, answers, NOW)
                }
                Some(Ask::Capture { kinds, since }) => {
                    answers += 1;
                    Some(errand.captured(books.capture(&kinds, since).unwrap(), NOW))
                }
                Some(Ask::Query(question)) => {
                    answers += 1;
                    Some(errand.page(books.query(&question), NOW))
                }
            };
            let Some(step) = step else {
                waits += 1;
                continue;
            };
            refused.extend(step.refused.into_iter().map(|one| (one.kind, one.passes)));
            if step.reading.finished {
                break step.reading;
            }
        };
        assert_eq!(refused, [(failing.clone(), true)]);
        assert_eq!(waits, 2, "{failing}");
        for kind in &kinds {
            assert_eq!(watermark(&last, kind).is_none(), kind == failing, "{kind}");
        }
    }
}

#[test]
fn what_fails_while_quickbooks_is_down_is_not_blamed_one_after_the_other() {
    let down = Failure::Unavailable {
        why: "status 500".into(),
    };
    let failed: BTreeSet<String> = ["Bill", "Item", "Term"].map(str::to_owned).into();
    let kinds = failed.iter().cloned().collect();
    let mut errand = Errand::of_poll(&read(MINUTE), kinds, |_| true, OVERLAP);
    errand.keep_apart(&failed);
    assert_eq!(errand.failed(&down, 3, NOW).unwrap().refused.len(), 1);
    // The second asks whether QuickBooks answers at all, and that waits.
    assert_eq!(errand.failed(&down, 3, NOW).unwrap().refused.len(), 0);
    assert!(errand.failed(&down, 3, NOW).is_none());
    assert!(errand.ask(NOW).is_some());
}

#[test]
fn notified_changes_of_a_failing_kind_leave_as_they_are_and_hold_up_none() {
    let mut view = read(MINUTE * 30);
    view.notified = vec![
        notified(41, "Bill", "1", MINUTE),
        notified(42, "Invoice", "1", MINUTE),
        notified(43, "TimeActivity", "1", MINUTE),
    ];
    let open: Vec<&Notified> = view.notified.iter().collect();
    let failed: BTreeSet<String> = ["Bill", "TimeActivity"].map(str::to_owned).into();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    errand.keep_apart(&failed);
    let mut books = Books::new(vec![record("Invoice", "1", NOW, RecordState::Live)]);
    books.serve(&mut errand);
    assert_eq!(books.asked, ["capture Invoice for 0 d"]);
    let asked = errand.outcome().asked;
    assert_eq!(asked, [(41, true), (42, true), (43, true)]);
}

#[test]
fn a_record_that_cannot_be_read_is_passed_by_and_pages_go_on_behind_it() {
    let skipped = |kind: &str, id: &str| Skipped {
        kind: kind.into(),
        id: Some(id.into()),
        updated: None,
        why: "a string with half of a surrogate pair".into(),
    };
    let mut view = read(MINUTE * 30);
    view.notified = vec![notified(41, "Invoice", "1", MINUTE)];
    let open: Vec<&Notified> = view.notified.iter().collect();
    let mut errand = Errand::of_notified(NOW, &view, &open, OVERLAP, true);
    let mut captured = Books::new(Vec::new()).capture(&[], NOW).unwrap();
    captured.skipped = vec![skipped("Invoice", "1")];
    let step = errand.captured(captured, NOW);
    assert_eq!((step.skipped.len(), step.refused.len()), (1, 0));
    assert!(step.reading.finished);
    assert_eq!(
        watermark(&step.reading, "Invoice"),
        Some(NOW.minus(OVERLAP))
    );
    assert_eq!(errand.outcome().asked, [(41, true)]);
    // A page of nothing else, and a list that would show it as deleted.
    let kinds = vec!["TimeActivity".to_owned()];
    let mut errand = Errand::of_poll(&read(MINUTE), kinds, |_| true, OVERLAP);
    let page = |count: u32, full: bool| Page {
        records: Vec::new(),
        at: Some(NOW),
        full,
        count,
        skipped: vec![skipped("TimeActivity", "1")],
    };
    assert_eq!(errand.page(page(1000, true), NOW).skipped.len(), 1);
    let Some(Ask::Query(next)) = errand.ask(NOW) else {
        panic!()
    };
    assert_eq!(next.start, 1001);
    errand.page(page(1, false), NOW);
    let step = errand.page(page(1, false), NOW);
    assert!(step.reading.finished && step.reading.complete.is_empty());
    assert_eq!(step.refused.len(), 1);
}
