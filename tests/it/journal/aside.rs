//! What a person puts aside calls for nobody any more, and nothing of it is lost.

use super::support::*;
use qbo_relay::journal::{
    ChangeFilter, DeadFilter, Inspection, Journal, Place, ReplayFilter, ReplayRequest, Selection,
    UnreadableFilter,
};
use qbo_relay::model::{Outcome, Seq, Settlement, SinkName};
use std::path::Path;
use std::time::Duration;

const REFUSED: Outcome = Outcome::Refused {
    status: 500,
    retry_after: None,
};

/// A journal with sinks of these names.
fn open_with(directory: &Path, sinks: &[&str]) -> Journal {
    let mut settings = settings(directory);
    settings.sinks = sinks.iter().map(|name| sink(name)).collect();
    Journal::open(settings, START).unwrap()
}

/// Gives up so many changes at the head of a lane.
async fn give_up(journal: &Journal, sink_name: &str, company: &str, count: usize) {
    let ours = lane(sink_name, company);
    for _ in 0..count {
        let view = journal.lane_view(&ours, ONE).await.unwrap();
        let dead = Settlement::Dead {
            reason: "no answer for a week".into(),
        };
        journal
            .settle(&delivery(&ours, &view), &attempt(REFUSED), &dead)
            .await
            .unwrap();
    }
}

async fn dead_by_sink(journal: &Journal) -> Vec<(String, bool, u64)> {
    let snapshot = journal.snapshot().await.unwrap();
    let sinks = snapshot.dead_by_sink.into_iter();
    let sinks: Vec<_> = sinks
        .map(|one| (one.sink.to_string(), one.is_configured, one.count))
        .collect();
    assert_eq!(
        snapshot.dead_letters,
        sinks.iter().map(|(.., count)| count).sum::<u64>()
    );
    sinks
}

fn of(sinks: &[&str], company: Option<&str>) -> DeadFilter {
    let sinks: Vec<SinkName> = sinks.iter().map(|name| sink(name)).collect();
    DeadFilter {
        sinks: (!sinks.is_empty()).then_some(sinks),
        realm: company.map(realm),
        ..DeadFilter::default()
    }
}

async fn sound(journal: Journal, directory: &Path) {
    journal.close().await.unwrap();
    let inspection = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn dead_letters_are_counted_and_put_aside_by_sink_and_company() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open_with(directory.path(), &["crm", "erp"]);
    journal.append(several("1", 1..=3)).await.unwrap();
    journal.append(several("2", 11..=12)).await.unwrap();
    give_up(&journal, "crm", "1", 2).await;
    give_up(&journal, "erp", "1", 3).await;
    give_up(&journal, "erp", "2", 2).await;
    let counts = |crm: u64, erp: u64| {
        let all = [("crm", crm), ("erp", erp)].into_iter();
        let some = all.filter(|(_, count)| *count > 0);
        some.map(|(name, count)| (name.to_owned(), true, count))
            .collect::<Vec<_>>()
    };
    assert_eq!(dead_by_sink(&journal).await, counts(2, 5));
    let dry = journal.discard_dead(of(&["erp"], Some("2")), true, START);
    assert_eq!(dry.await.unwrap(), 2);
    assert_eq!(dead_by_sink(&journal).await, counts(2, 5));
    let done = journal.discard_dead(of(&["erp"], Some("2")), false, START);
    assert_eq!(done.await.unwrap(), 2);
    assert_eq!(dead_by_sink(&journal).await, counts(2, 3));
    // Once is enough.
    let again = journal.discard_dead(of(&["erp"], Some("2")), false, START);
    assert_eq!(again.await.unwrap(), 0);

    // What was put aside is not sent with the others, and can be sent by itself.
    let dead = ReplayRequest {
        selection: Selection::DeadLetters(DeadFilter::default()),
        sinks: None,
    };
    let plan = journal.replay(dead, true, START).await.unwrap();
    assert_eq!(plan.planned.len(), 5);
    let second = ReplayRequest {
        selection: Selection::Filter(ChangeFilter {
            realm: Some(realm("2")),
            ..ChangeFilter::default()
        }),
        sinks: Some(vec![sink("erp")]),
    };
    let plan = journal.replay(second, true, START).await.unwrap();
    assert_eq!(plan.planned.len(), 2);
    let done = journal.discard_dead(of(&[], None), false, START).await;
    assert_eq!(done.unwrap(), 5);
    assert_eq!(dead_by_sink(&journal).await, counts(0, 0));
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn the_dead_letters_of_a_removed_sink_are_told_and_can_be_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open_with(directory.path(), &["crm", "erp"]);
    journal.append(several("1", 1..=5)).await.unwrap();
    give_up(&journal, "erp", "1", 2).await;
    journal.close().await.unwrap();

    let journal = open_with(directory.path(), &["crm"]);
    assert_eq!(dead_by_sink(&journal).await, [("erp".into(), false, 2)]);
    let parked = journal.snapshot().await.unwrap().parked;
    assert_eq!((parked[0].sink.as_str(), parked[0].count), ("erp", 3));
    // What comes afterwards is not parked for it.
    journal.append(several("1", 6..=9)).await.unwrap();
    assert_eq!(journal.snapshot().await.unwrap().parked[0].count, 3);
    let request = ReplayRequest {
        selection: Selection::DeadLetters(DeadFilter::default()),
        sinks: None,
    };
    let plan = journal.replay(request, false, START).await.unwrap();
    assert_eq!((plan.planned.len(), plan.unconfigured), (0, 2));
    assert_eq!(dead_by_sink(&journal).await, [("erp".into(), false, 2)]);
    let done = journal.discard_dead(of(&["erp"], None), false, START).await;
    assert_eq!(done.unwrap(), 2);
    assert_eq!(journal.snapshot().await.unwrap().dead_letters, 0);
    journal.close().await.unwrap();

    // Configured again, it gets what was parked, and what came since.
    let journal = open_with(directory.path(), &["crm", "erp"]);
    assert_eq!(journal.snapshot().await.unwrap().parked, []);
    let told = drain(&journal, &lane("erp", "1")).await;
    assert_eq!(told, [3, 4, 5, 6, 7, 8, 9]);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn a_cancelled_replay_is_not_sent_and_its_dead_letters_are_dead_letters_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open_with(directory.path(), &["crm", "erp"]);
    journal.append(several("1", 1..=4)).await.unwrap();
    give_up(&journal, "erp", "1", 1).await;
    drain(&journal, &lane("erp", "1")).await;
    drain(&journal, &lane("crm", "1")).await;
    let everything = || ReplayRequest {
        selection: Selection::Filter(ChangeFilter::default()),
        sinks: None,
    };
    journal.replay(everything(), false, START).await.unwrap();
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.replays, snapshot.dead_letters), (8, 0));

    // One is under way when the others are cancelled.
    let ours = lane("erp", "1");
    let under_way = journal.lane_view(&ours, ONE).await.unwrap();
    let to_crm = ReplayFilter {
        sinks: Some(vec![sink("crm")]),
        realm: None,
    };
    let later = START.plus(Duration::from_secs(5));
    assert_eq!(journal.cancel_replays(to_crm, later).await.unwrap(), 4);
    let rest = journal.cancel_replays(ReplayFilter::default(), later).await;
    assert_eq!(rest.unwrap(), 4);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.replays, snapshot.dead_letters), (0, 1));
    assert_eq!(journal.lane_view(&ours, ONE).await.unwrap().replay, None);
    let unknown = ReplayFilter {
        sinks: Some(vec![sink("nobody")]),
        realm: None,
    };
    assert!(journal.cancel_replays(unknown, later).await.is_err());

    // It arrives all the same, and was a dead letter.
    journal
        .settle(
            &replay_delivery(&ours, &under_way),
            &attempt(Outcome::Accepted),
            &Settlement::Delivered,
        )
        .await
        .unwrap();
    assert_eq!(journal.snapshot().await.unwrap().dead_letters, 0);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn what_was_not_understood_can_be_acknowledged_and_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    for number in 50..53 {
        let broken = vec![unreadable(number), unreadable(number + 100)];
        journal.append(receipt(broken)).await.unwrap();
    }
    let count = async || journal.snapshot().await.unwrap().unreadable;
    assert_eq!(count().await, 6);
    let second = || UnreadableFilter {
        receipts: Some(vec![Seq(2)]),
        ..UnreadableFilter::default()
    };
    let dry = journal.acknowledge_unreadable(second(), true, START).await;
    assert_eq!((dry.unwrap(), count().await), (1, 6));
    let done = journal.acknowledge_unreadable(second(), false, START).await;
    assert_eq!((done.unwrap(), count().await), (2, 4));
    let rest = UnreadableFilter::default;
    let done = journal.acknowledge_unreadable(rest(), false, START).await;
    assert_eq!((done.unwrap(), count().await), (4, 0));
    journal.close().await.unwrap();
    let inspection = Inspection::open(&settings(directory.path()).path).unwrap();
    assert_eq!(inspection.unreadable(&rest()).unwrap(), []);
    let shown = inspection.show(Seq(2)).unwrap().unwrap();
    let entries = shown.listed.unreadable.iter();
    assert!(entries.clone().count() == 2 && entries.clone().all(|one| one.discarded_at.is_some()));
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn dead_letters_beyond_one_step_are_all_found() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(several("1", 1..=4_100)).await.unwrap();
    let ours = lane("erp", "1");
    let mut view = journal.lane_view(&ours, MANY).await.unwrap();
    while !view.head.is_empty() {
        let dead = Settlement::Dead {
            reason: "gone".into(),
        };
        let said = delivery(&ours, &view);
        journal
            .settle(&said, &attempt(REFUSED), &dead)
            .await
            .unwrap();
        view = journal.lane_view(&ours, MANY).await.unwrap();
    }
    let letters = ReplayRequest {
        selection: Selection::DeadLetters(DeadFilter::default()),
        sinks: None,
    };
    let plan = journal.replay_after(letters, Place::default(), true, START);
    assert_eq!(plan.await.unwrap().planned.len(), 4_100);
    let done = journal.discard_dead(DeadFilter::default(), false, START);
    assert_eq!(done.await.unwrap(), 4_100);
    sound(journal, directory.path()).await;
}
