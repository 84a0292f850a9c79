//! What the operator asks for again goes again, once, under its own id.

use super::support::*;
use qbo_relay::journal::{
    ChangeFilter, DeadFilter, Error, Journal, ReplayPlan, ReplayRequest, Selection,
};
use qbo_relay::model::{ChangeSeq, Outcome, Seq, Settlement};
use std::time::Duration;

async fn delivered(directory: &std::path::Path, count: u64) -> Journal {
    let journal = open(directory);
    for number in 1..=count {
        let company = if number % 2 == 0 { "2" } else { "1" };
        journal.append(single(company, number)).await.unwrap();
    }
    for company in ["1", "2"] {
        drain(&journal, &lane("erp", company)).await;
    }
    journal
}

fn request(selection: Selection) -> ReplayRequest {
    ReplayRequest {
        selection,
        sinks: None,
    }
}

fn everything() -> Selection {
    Selection::Filter(ChangeFilter::default())
}

fn numbers(plan: &ReplayPlan) -> Vec<i64> {
    plan.planned
        .iter()
        .map(|planned| planned.change.seq.0)
        .collect()
}

#[tokio::test]
async fn a_dry_run_says_what_would_go_where_and_files_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let journal = delivered(directory.path(), 4).await;
    let plan = journal
        .replay(request(everything()), true, START)
        .await
        .unwrap();
    assert_eq!(numbers(&plan), [1, 2, 3, 4]);
    assert!(
        plan.planned
            .iter()
            .all(|planned| planned.sink == sink("erp"))
    );
    let view = journal.lane_view(&lane("erp", "1"), MANY).await.unwrap();
    assert_eq!(view.replay, None);
    assert_eq!(journal.snapshot().await.unwrap().replays, 0);
}

#[tokio::test]
async fn every_selection_chooses_what_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let journal = delivered(directory.path(), 6).await;
    let id = qbo_relay::model::ChangeId(identity(3).to_hex());
    let filter = |realm_name: Option<&str>, id: Option<&str>, since: Option<u64>| {
        Selection::Filter(ChangeFilter {
            realm: realm_name.map(realm),
            kind: Some("invoice".into()),
            id: id.map(str::to_owned),
            since: since.map(|seconds| START.plus(Duration::from_secs(seconds))),
            ..ChangeFilter::default()
        })
    };
    let numbered = |company: &str, from: u64, to: u64| {
        Selection::Filter(ChangeFilter {
            realm: Some(realm(company)),
            from: Some(from),
            to: Some(to),
            ..ChangeFilter::default()
        })
    };
    for (selection, expected) in [
        (Selection::Change(ChangeSeq(2)), vec![2]),
        (Selection::Change(ChangeSeq(99)), vec![]),
        (Selection::Id(id), vec![3]),
        (
            Selection::Id(qbo_relay::model::ChangeId("x".into())),
            vec![],
        ),
        (
            Selection::Range {
                from: ChangeSeq(2),
                to: ChangeSeq(4),
            },
            vec![2, 3, 4],
        ),
        (
            Selection::Range {
                from: ChangeSeq(5),
                to: ChangeSeq(i64::MAX),
            },
            vec![5, 6],
        ),
        (filter(Some("2"), None, None), vec![2, 4, 6]),
        (filter(None, Some("5"), None), vec![5]),
        (filter(None, None, Some(1)), vec![]),
        (numbered("2", 2, 3), vec![4, 6]),
        (numbered("1", 1, 1), vec![1]),
        (numbered("1", 4, 9), vec![]),
        (numbered("3", 1, 9), vec![]),
        (Selection::Receipt(Seq(5)), vec![5]),
        (Selection::Receipt(Seq(7)), vec![]),
        (Selection::DeadLetters(DeadFilter::default()), vec![]),
    ] {
        let plan = journal
            .replay(request(selection.clone()), true, START)
            .await
            .unwrap();
        assert_eq!(numbers(&plan), expected, "{selection:?}");
        assert_eq!(plan.more, None);
    }
}

#[tokio::test]
async fn a_replay_goes_once_keeps_its_id_and_leaves_the_live_lane_alone() {
    let directory = tempfile::tempdir().unwrap();
    let journal = delivered(directory.path(), 2).await;
    let ours = lane("erp", "1");
    let mut woken = journal.subscribe(&realm("1"));
    let one = || request(Selection::Change(ChangeSeq(1)));
    journal.replay(one(), false, START).await.unwrap();
    woken.changed().await.unwrap();
    let again = journal.replay(one(), false, START).await.unwrap();
    assert_eq!((again.planned.len(), again.under_way), (0, 1));

    journal.append(single("1", 11)).await.unwrap();
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    let replay = view.replay.clone().unwrap();
    assert_eq!(replay.change.id.0, identity(1).to_hex());
    assert_eq!(replay.body, Some(single("1", 1).body));
    let failed = attempt(Outcome::Refused {
        status: 500,
        retry_after: None,
    });
    let retry = Settlement::Retry {
        at: START.plus(Duration::from_secs(5)),
    };
    journal
        .settle(&replay_delivery(&ours, &view), &failed, &retry)
        .await
        .unwrap();
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    assert_eq!(view.state.attempts, 0);
    assert_eq!(view.replay.as_ref().unwrap().state.attempts, 1);
    let accepted = attempt(Outcome::Accepted);
    journal
        .settle(
            &replay_delivery(&ours, &view),
            &accepted,
            &Settlement::Delivered,
        )
        .await
        .unwrap();
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    assert_eq!(view.replay, None);
    assert_eq!(view.head[0].sequence, 2);
}

#[tokio::test]
async fn what_still_waits_in_the_ordinary_course_is_not_sent_twice() {
    let directory = tempfile::tempdir().unwrap();
    let journal = delivered(directory.path(), 2).await;
    journal.append(single("1", 11)).await.unwrap();
    let plan = journal
        .replay(request(everything()), false, START)
        .await
        .unwrap();
    assert_eq!((numbers(&plan), plan.waiting), (vec![1, 2], 1));
}

#[tokio::test]
async fn a_dead_letter_is_replayed_once_and_dies_again_if_it_must() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    let ours = lane("erp", "1");
    let dead = Settlement::Dead {
        reason: "no answer for a week".into(),
    };
    let failed = attempt(Outcome::Refused {
        status: 500,
        retry_after: None,
    });
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    journal
        .settle(&delivery(&ours, &view), &failed, &dead)
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(journal.snapshot().await.unwrap().dead_letters, 1);
        let letters = || request(Selection::DeadLetters(DeadFilter::default()));
        let plan = journal.replay(letters(), false, START).await.unwrap();
        assert_eq!(numbers(&plan), [1]);
        assert_eq!(journal.snapshot().await.unwrap().dead_letters, 0);
        let plan = journal.replay(letters(), false, START).await.unwrap();
        assert_eq!(numbers(&plan), [0; 0]);
        let view = journal.lane_view(&ours, ONE).await.unwrap();
        journal
            .settle(&replay_delivery(&ours, &view), &failed, &dead)
            .await
            .unwrap();
        assert_eq!(journal.lane_view(&ours, ONE).await.unwrap().replay, None);
    }
}

#[tokio::test]
async fn the_replay_that_is_due_first_stands_at_the_head() {
    let directory = tempfile::tempdir().unwrap();
    let journal = delivered(directory.path(), 5).await;
    let ours = lane("erp", "1");
    journal
        .replay(request(everything()), false, START)
        .await
        .unwrap();
    let failed = attempt(Outcome::Refused {
        status: 500,
        retry_after: None,
    });
    for (seconds, expected) in [(30, 1), (20, 3), (10, 5)] {
        let view = journal.lane_view(&ours, ONE).await.unwrap();
        assert_eq!(view.replay.as_ref().unwrap().change.seq.0, expected);
        let retry = Settlement::Retry {
            at: START.plus(Duration::from_secs(seconds)),
        };
        journal
            .settle(&replay_delivery(&ours, &view), &failed, &retry)
            .await
            .unwrap();
    }
    let view = journal.lane_view(&ours, ONE).await.unwrap();
    assert_eq!(view.replay.unwrap().change.seq.0, 5);
}

#[tokio::test]
async fn a_sink_that_is_not_configured_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let journal = delivered(directory.path(), 1).await;
    let asked = ReplayRequest {
        selection: everything(),
        sinks: Some(vec![sink("nobody")]),
    };
    let refused = journal.replay(asked, true, START).await;
    assert_eq!(refused, Err(Error::UnknownSink("nobody".into())));
}

#[tokio::test]
async fn many_are_chosen_in_short_steps_and_the_rest_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let count = ReplayPlan::MAX + 5_000;
    for batch in (0..u64::try_from(count).unwrap())
        .collect::<Vec<_>>()
        .chunks(1000)
    {
        journal
            .append(several("1", batch.iter().copied()))
            .await
            .unwrap();
    }
    drain(&journal, &lane("erp", "1")).await;
    let plan = journal
        .replay(request(everything()), true, START)
        .await
        .unwrap();
    assert!(plan.planned.len() >= ReplayPlan::MAX);
    let rest = journal
        .replay_after(request(everything()), plan.more.unwrap(), true, START)
        .await
        .unwrap();
    assert_eq!(plan.planned.len() + rest.planned.len(), count);
    assert_eq!(rest.more, None);
}
