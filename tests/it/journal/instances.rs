//! The life of element instances, and that they and the configured sinks leave each other alone.

use super::instance_support::*;
use super::readings::*;
use super::support::*;
use qbo_relay::journal::{Error, Inspection, Journal, ReplayRequest, Selection, Settings};
use qbo_relay::model::{ChangeSeq, Instance, InstanceId, Lane, Outcome, Settlement};
use tokio::sync::watch;

/// Whether it was woken since the last time; whoever is, is before the next command is answered.
async fn was_woken(journal: &Journal, told: &mut watch::Receiver<u64>) -> bool {
    journal.ping().await.unwrap();
    let woken = told.has_changed().unwrap();
    told.mark_unchanged();
    woken
}

#[tokio::test]
async fn an_instance_is_read_back_as_it_was_written_and_after_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let drafts = [
        webhook("1"),
        polled("2", &["Invoice", "CreditMemo"]),
        silent("1"),
        listed("2"),
    ];
    for draft in &drafts {
        create(&journal, draft).await;
    }
    let before = journal.instances().await.unwrap();
    let said: Vec<_> = before
        .iter()
        .map(|instance| instance.draft.clone())
        .collect();
    assert_eq!(said, drafts);
    assert!(
        before
            .iter()
            .all(|one| one.created_at == START && one.updated_at == START)
    );
    journal
        .set_setting("failure policy", "queue")
        .await
        .unwrap();
    journal
        .set_setting("failure policy", "retry")
        .await
        .unwrap();
    let lanes = journal.lanes().await.unwrap();
    journal.close().await.unwrap();
    let journal = open(directory.path());
    assert_eq!(journal.instances().await.unwrap(), before);
    assert_eq!(journal.lanes().await.unwrap(), lanes);
    let set = journal.setting("failure policy").await.unwrap();
    assert_eq!(set.as_deref(), Some("retry"));
    assert_eq!(journal.setting("other").await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_kept_for_an_instance_that_is_switched_off() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &webhook("1")).await;
    let ours = lane_of(id, "1");
    journal.append(single("1", 1)).await.unwrap();
    journal.switch_instance(id, false, after(1)).await.unwrap();
    journal.append(single("1", 2)).await.unwrap();
    assert_eq!(waiting(&journal).await, 0);
    assert_eq!(only(&journal).await.disabled_at, Some(after(1)));
    let view = journal.lane_view(&ours, MANY).await;
    assert!(matches!(view, Err(Error::UnknownSink(_))), "{view:?}");
    let before = only(&journal).await;
    journal.switch_instance(id, false, after(2)).await.unwrap();
    assert_eq!(only(&journal).await, before);
    // A clock that was put back makes no two states look the same.
    let update = journal.update_instance(id, webhook("1"), None, START);
    update.await.unwrap();
    assert!(only(&journal).await.updated_at > before.updated_at);
    assert_eq!(only(&journal).await.disabled_at, Some(after(1)));
    journal.switch_instance(id, true, after(3)).await.unwrap();
    assert_eq!(only(&journal).await.disabled_at, None);
    journal.append(single("1", 3)).await.unwrap();
    assert_eq!(drain(&journal, &ours).await, [3]);
    // The same holds for its events, and for its callback.
    for off in [silent("1"), listed("1")] {
        journal
            .update_instance(id, off, None, after(4))
            .await
            .unwrap();
        journal.append(single("1", 10)).await.unwrap();
        journal.append(single("1", 11)).await.unwrap();
        assert_eq!(waiting(&journal).await, 0);
        journal
            .update_instance(id, webhook("1"), None, after(5))
            .await
            .unwrap();
        assert_eq!(waiting(&journal).await, 0);
    }
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn an_instance_that_moves_to_another_company_begins_there_with_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &webhook("1")).await;
    journal.append(single("1", 1)).await.unwrap();
    journal.append(single("2", 2)).await.unwrap();
    let connected = Some((company("2"), b"tokens".to_vec()));
    journal
        .update_instance(id, webhook("2"), connected, after(1))
        .await
        .unwrap();
    journal.append(single("1", 3)).await.unwrap();
    journal.append(single("2", 4)).await.unwrap();
    assert_eq!(waiting(&journal).await, 1);
    assert_eq!(drain(&journal, &lane_of(id, "2")).await, [2]);
    let tokens = journal.sealed_tokens(&realm("2")).await.unwrap();
    assert_eq!(tokens.as_deref(), Some(&b"tokens"[..]));
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn a_deleted_instance_leaves_nothing_behind_and_its_number_is_not_given_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let keeps = create(&journal, &webhook("1")).await;
    let goes = create(&journal, &webhook("1")).await;
    journal.append(several("1", 1..=3)).await.unwrap();
    let ours = lane_of(goes, "1");
    let one = journal.lane_view(&ours, ONE).await.unwrap();
    let failed = attempt(REFUSED);
    let dead = Settlement::Dead {
        reason: "given up".into(),
    };
    journal
        .settle(&delivery(&ours, &one), &failed, &dead)
        .await
        .unwrap();
    drain(&journal, &ours).await;
    let everything = ReplayRequest {
        selection: Selection::Range {
            from: ChangeSeq(2),
            to: ChangeSeq(3),
        },
        sinks: Some(vec![goes.sink()]),
    };
    let plan = journal.replay(everything, false, START).await.unwrap();
    assert_eq!(plan.planned.len(), 2);
    let in_flight = journal.lane_view(&ours, MANY).await.unwrap();
    journal.delete_instance(goes, after(1)).await.unwrap();

    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!(
        (snapshot.dead_letters, snapshot.replays, snapshot.waiting),
        (0, 0, 6)
    );
    let said = replay_delivery(&ours, &in_flight);
    let accepted = attempt(Outcome::Accepted);
    let settled = journal
        .settle(&said, &accepted, &Settlement::Delivered)
        .await;
    assert_eq!(settled, Err(Error::UnknownSink(goes.sink().to_string())));
    let unknown = Err(Error::NoInstance(goes.as_u32()));
    assert_eq!(journal.delete_instance(goes, after(2)).await, unknown);
    assert_eq!(journal.switch_instance(goes, true, after(2)).await, unknown);
    let updated = journal
        .update_instance(goes, webhook("1"), None, after(2))
        .await;
    assert_eq!(updated, unknown);
    assert_eq!(drain(&journal, &lane_of(keeps, "1")).await, [1, 2, 3]);
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [1, 2, 3]);
    let next = create(&journal, &webhook("1")).await;
    assert_eq!(next.as_u32(), goes.as_u32() + 1);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn a_paused_subscription_queues_in_order_until_it_is_enabled() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &webhook("1")).await;
    let other = create(&journal, &webhook("1")).await;
    let ours = lane_of(id, "1");
    journal.append(single("1", 1)).await.unwrap();
    let view = journal.lane_view(&ours, MANY).await.unwrap();
    journal
        .settle(
            &delivery(&ours, &view),
            &attempt(REFUSED),
            &Settlement::Disabled,
        )
        .await
        .unwrap();
    journal.append(several("1", 2..=3)).await.unwrap();
    assert!(journal.lane_view(&ours, MANY).await.unwrap().disabled);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!(
        (snapshot.troubles.len(), snapshot.troubles[0].waiting),
        (1, 3)
    );
    assert_eq!(drain(&journal, &lane_of(other, "1")).await, [1, 2, 3]);
    journal.close().await.unwrap();
    let journal = without_sinks(directory.path());
    journal.enable_sink(&id.sink()).await.unwrap();
    let view = journal.lane_view(&ours, MANY).await.unwrap();
    assert!(!view.disabled && view.state.attempts == 0);
    assert_eq!(drain(&journal, &ours).await, [1, 2, 3]);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn polls_that_were_stopped_are_remembered_until_the_instance_is_switched_on() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let polls = create(&journal, &polled("1", &["Bill"])).await;
    create(&journal, &webhook("1")).await;
    create(&journal, &polled("2", &["Bill"])).await;
    let mut told = journal.subscribe_instances();
    let stopped = realm("1");
    let first = "100 polls failed";
    journal
        .stop_polling(&stopped, first, after(1))
        .await
        .unwrap();
    assert!(was_woken(&journal, &mut told).await);
    let second = "more failed";
    journal
        .stop_polling(&stopped, second, after(2))
        .await
        .unwrap();
    assert!(!was_woken(&journal, &mut told).await);
    let rests = |instances: Vec<Instance>| -> Vec<_> {
        instances
            .into_iter()
            .map(|one| one.polling_stopped)
            .collect()
    };
    let expected = Some((after(1), "100 polls failed".to_owned()));
    let found = rests(journal.instances().await.unwrap());
    assert_eq!(found, [expected, None, None]);
    let events = journal.snapshot().await.unwrap().events;
    let said = "the polls of company 1 for its instances were stopped: 100 polls failed";
    assert_eq!(events[0].text, said);
    journal
        .switch_instance(polls, true, after(3))
        .await
        .unwrap();
    let found = rests(journal.instances().await.unwrap());
    assert_eq!(found, [None, None, None]);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn whoever_waits_for_instances_is_woken_by_each_change_of_one() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let mut told = journal.subscribe_instances();
    let mut companies = journal.subscribe_companies();
    let mut woken = async || {
        let told = was_woken(&journal, &mut told).await;
        told && was_woken(&journal, &mut companies).await
    };
    let id = create(&journal, &webhook("1")).await;
    assert!(woken().await);
    let update = journal.update_instance(id, silent("1"), None, after(1));
    update.await.unwrap();
    assert!(woken().await);
    journal.switch_instance(id, false, after(2)).await.unwrap();
    assert!(woken().await);
    journal.append(single("1", 1)).await.unwrap();
    assert!(!woken().await);
    journal.delete_instance(id, after(3)).await.unwrap();
    assert!(woken().await);
}

#[tokio::test]
async fn configured_sinks_come_and_go_and_instances_stay() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let id = create(&journal, &webhook("1")).await;
    journal.append(several("1", 1..=2)).await.unwrap();
    drain(&journal, &lane("erp", "1")).await;
    journal.close().await.unwrap();
    let sinks = |names: &[&str]| Settings {
        sinks: names.iter().map(|name| sink(name)).collect(),
        ..settings(directory.path())
    };
    for names in [&["crm", "erp"][..], &[], &["crm"]] {
        let journal = Journal::open(sinks(names), START).unwrap();
        let mut there: Vec<String> = journal
            .lanes()
            .await
            .unwrap()
            .into_iter()
            .map(|lane| lane.sink.to_string())
            .collect();
        there.retain(|name| *name != id.sink().as_str());
        assert_eq!(there, names);
        assert_eq!(waiting(&journal).await, 2);
        journal.close().await.unwrap();
    }
    let journal = Journal::open(sinks(&["erp"]), START).unwrap();
    assert_eq!(drain(&journal, &lane_of(id, "1")).await, [1, 2]);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn while_the_interface_is_off_instances_hold_nothing_back_and_afterwards_they_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let id = create(&journal, &webhook("1")).await;
    let quiet = create(&journal, &silent("1")).await;
    let off = create(&journal, &webhook("1")).await;
    journal.switch_instance(off, false, START).await.unwrap();
    journal.append(several("1", 1..=2)).await.unwrap();
    journal.close().await.unwrap();

    let without = Settings {
        instances: false,
        sinks: Vec::new(),
        ..settings(directory.path())
    };
    let journal = Journal::open(without, START).unwrap();
    assert_eq!(journal.lanes().await.unwrap(), []);
    assert_eq!(waiting(&journal).await, 0);
    assert_eq!(journal.instances().await.unwrap().len(), 3);
    journal.close().await.unwrap();

    let journal = open(directory.path());
    let sinks = journal.lanes().await.unwrap();
    let own = |lane: &&Lane| [id, quiet, off].iter().any(|id| id.sink() == lane.sink);
    let own: Vec<_> = sinks
        .iter()
        .filter(own)
        .map(|lane| lane.sink.clone())
        .collect();
    assert_eq!(own, [id.sink()]);
    assert_eq!(drain(&journal, &lane_of(id, "1")).await, [1, 2]);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn without_room_nothing_of_an_instance_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let tight = Settings {
        bytes_max: 1 << 20,
        ..settings(directory.path())
    };
    let journal = Journal::open(tight, START).unwrap();
    // First in large steps, then until not one more fits.
    let mut number = 0;
    for step in [20, 1] {
        while journal
            .append(several("1", number..number + step))
            .await
            .is_ok()
        {
            number += step;
        }
    }
    let connected = Some((company("2"), b"tokens".to_vec()));
    let refused = journal
        .create_instance(webhook("2"), connected, START)
        .await;
    assert_eq!(refused, Err(Error::Full));
    assert_eq!(journal.instances().await.unwrap(), []);
    assert_eq!(journal.companies().await.unwrap(), []);
}

#[tokio::test]
async fn a_check_finds_an_instance_without_its_lane() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let id: InstanceId = create(&journal, &webhook("1")).await;
    journal.close().await.unwrap();
    let path = settings(directory.path()).path;
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("DELETE FROM lane", ()).unwrap();
    drop(connection);
    let found = Inspection::open(&path).unwrap().verify().unwrap().findings;
    assert_eq!(
        found,
        [format!("instance {id} has no lane of a company of its own")]
    );
}
