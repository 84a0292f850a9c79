//! Retention: what goes, what never goes, and that the space comes back.

use super::support::*;
use qbo_relay::journal::{Inspection, Journal, ReplayRequest, Selection, Settings, Tidied};
use qbo_relay::model::{ChangeSeq, Kept, Outcome, Receipt, Seq, Settlement, Timestamp};
use std::path::Path;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// After the age limit of everything received at the start.
fn later() -> Timestamp {
    START.plus(31 * DAY)
}

async fn tidy_all(journal: &Journal, now: Timestamp) -> Tidied {
    let mut all = Tidied::default();
    loop {
        let step = journal.tidy(now).await.unwrap();
        all.receipts += step.receipts;
        all.identities += step.identities;
        all.pages += step.pages;
        if !step.more {
            return all;
        }
    }
}

/// A newer receipt of company 9, so that the clock is not behind what is stored.
async fn newest(journal: &Journal, at: Timestamp) {
    let kept = Receipt {
        received_at: at,
        ..single("9", 999_999)
    };
    journal.append(kept).await.unwrap();
}

fn big(company: &str, number: u64, bytes: usize) -> Receipt {
    Receipt {
        body: vec![b'x'; bytes].into(),
        ..single(company, number)
    }
}

fn sound(directory: &Path) {
    let seen = Inspection::open(&settings(directory).path)
        .unwrap()
        .verify()
        .unwrap();
    assert_eq!(seen.findings, [""; 0]);
}

#[tokio::test]
async fn only_finished_receipts_past_the_age_limit_go() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    for number in 0..300 {
        let company = if number % 3 == 0 { "waiting" } else { "done" };
        journal.append(single(company, number)).await.unwrap();
    }
    drain(&journal, &lane("erp", "done")).await;
    newest(&journal, later()).await;
    assert_eq!(
        tidy_all(&journal, START.plus(29 * DAY)).await,
        Tidied::default()
    );
    let tidied = tidy_all(&journal, later()).await;
    assert_eq!((tidied.receipts, tidied.identities), (200, 300));
    assert_eq!(journal.snapshot().await.unwrap().receipts, 101);
    sound(directory.path());
    let sequences = drain(&journal, &lane("erp", "waiting")).await;
    assert_eq!(sequences, (1..=100).collect::<Vec<_>>());
    journal.append(single("done", 400)).await.unwrap();
    assert_eq!(drain(&journal, &lane("erp", "done")).await, [201]);
    sound(directory.path());
}

#[tokio::test]
async fn a_receipt_of_two_companies_stays_until_both_have_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let mut both = several("1", [1]);
    both.items.extend(several("2", [2]).items);
    journal.append(both).await.unwrap();
    newest(&journal, later()).await;
    drain(&journal, &lane("erp", "1")).await;
    assert_eq!(tidy_all(&journal, later()).await.receipts, 0);
    drain(&journal, &lane("erp", "2")).await;
    assert_eq!(tidy_all(&journal, later()).await.receipts, 1);
}

#[tokio::test]
async fn an_open_replay_keeps_its_receipt() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    newest(&journal, later()).await;
    let ours = lane("erp", "1");
    drain(&journal, &ours).await;
    let one = ReplayRequest {
        selection: Selection::Change(ChangeSeq(1)),
        sinks: None,
    };
    journal.replay(one, false, START).await.unwrap();
    assert_eq!(tidy_all(&journal, later()).await.receipts, 0);
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    let accepted = attempt(Outcome::Accepted);
    journal
        .settle(
            &replay_delivery(&ours, &view),
            &accepted,
            &Settlement::Delivered,
        )
        .await
        .unwrap();
    assert_eq!(tidy_all(&journal, later()).await.receipts, 1);
    sound(directory.path());
}

#[tokio::test]
async fn a_sink_that_is_no_longer_configured_holds_nothing_back() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    newest(&journal, later()).await;
    journal.close().await.unwrap();
    let without = Settings {
        sinks: vec![],
        ..settings(directory.path())
    };
    let journal = Journal::open(without, START).unwrap();
    assert_eq!(tidy_all(&journal, later()).await.receipts, 1);
    journal.close().await.unwrap();
    // What was pruned meanwhile does not wait for it when it comes back.
    let journal = open(directory.path());
    assert_eq!(journal.snapshot().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn a_clock_behind_the_newest_receipt_deletes_nothing_by_age() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    drain(&journal, &lane("erp", "1")).await;
    newest(&journal, START.plus(100 * DAY)).await;
    assert_eq!(
        tidy_all(&journal, START.plus(99 * DAY)).await,
        Tidied::default()
    );
    assert_eq!(tidy_all(&journal, START.plus(100 * DAY)).await.receipts, 1);
}

#[tokio::test]
async fn a_full_budget_is_freed_oldest_first_and_the_file_shrinks_but_repeats_stay_known() {
    let directory = tempfile::tempdir().unwrap();
    let small = Settings {
        bytes_max: 16 << 20,
        ..settings(directory.path())
    };
    let journal = Journal::open(small, START).unwrap();
    // The first 400 never reach the sink; nothing of them may go.
    for number in 0..400 {
        journal
            .append(big("waiting", number, 10_000))
            .await
            .unwrap();
    }
    let mut stored = 400;
    for round in 1..=5 {
        for number in 0..400 {
            let kept = journal
                .append(big("done", round * 1000 + number, 10_000))
                .await
                .unwrap();
            stored = new_seq(kept).max(stored);
        }
        drain(&journal, &lane("erp", "done")).await;
    }
    assert_eq!(
        stored, 2400,
        "all were taken: retention made room between batches"
    );
    let snapshot = journal.snapshot().await.unwrap();
    assert!(snapshot.bytes_used <= 16 << 20, "{}", snapshot.bytes_used);
    assert!(snapshot.receipts < 1600, "{}", snapshot.receipts);
    sound(directory.path());
    let view = journal
        .lane_view(&lane("erp", "waiting"), ONE)
        .await
        .unwrap();
    assert_eq!(view.head[0].sequence, 1);
    // The receipt of this one is long gone.
    let repeat = journal.append(big("done", 1000, 10_000)).await.unwrap();
    assert_eq!(repeat, Kept::Repeat { of: Seq(401) });

    let size = || settings(directory.path()).path.metadata().unwrap().len();
    newest(&journal, later()).await;
    for company in ["waiting", "done"] {
        drain(&journal, &lane("erp", company)).await;
    }
    assert!(size() > 12 << 20);
    let tidied = tidy_all(&journal, later()).await;
    assert!(tidied.pages > 1000, "{tidied:?}");
    journal.close().await.unwrap();
    assert!(size() < 4 << 20, "{}", size());
}

#[tokio::test]
async fn dead_letters_wait_for_a_person_until_the_age_limit() {
    let directory = tempfile::tempdir().unwrap();
    let small = Settings {
        bytes_max: 8 << 20,
        ..settings(directory.path())
    };
    let journal = Journal::open(small, START).unwrap();
    let ours = lane("erp", "1");
    journal.append(big("1", 1, 100_000)).await.unwrap();
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    let failed = attempt(Outcome::Refused {
        status: 500,
        retry_after: None,
    });
    let dead = Settlement::Dead {
        reason: "given up".into(),
    };
    journal
        .settle(&delivery(&ours, &view), &failed, &dead)
        .await
        .unwrap();
    for number in 2..120 {
        journal.append(big("1", number, 100_000)).await.unwrap();
        drain(&journal, &ours).await;
    }
    let inspection = Inspection::open(&settings(directory.path()).path).unwrap();
    assert!(
        inspection.show(Seq(1)).unwrap().is_some(),
        "the dead letter is still there"
    );
    assert!(
        inspection.show(Seq(2)).unwrap().is_none(),
        "what came after it is gone"
    );
    newest(&journal, later()).await;
    tidy_all(&journal, later()).await;
    assert!(inspection.show(Seq(1)).unwrap().is_none());
    assert_eq!(journal.snapshot().await.unwrap().dead_letters, 0);
    sound(directory.path());
}
