//! What an element instance is told of, and what it costs that others are told of more.

use super::instance_support::*;
use super::readings::*;
use super::support::*;
use qbo_relay::journal::inspect::{Fate, Filter, State};
use qbo_relay::journal::{Ask, Error, Inspection, Journal, ReplayRequest, Selection, Settings};
use qbo_relay::model::{ChangeSeq, Operation, Settlement};
use std::time::Duration;

#[tokio::test]
async fn an_instance_is_told_of_what_comes_after_it_was_made_and_of_no_other_company() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(several("1", 1..=3)).await.unwrap();
    let id = create(&journal, &webhook("1")).await;
    for number in 4..=5 {
        journal.append(single("1", number)).await.unwrap();
        journal.append(single("2", 100 + number)).await.unwrap();
    }
    assert_eq!(waiting(&journal).await, 5 + 2 + 2);
    assert_eq!(drain(&journal, &lane_of(id, "1")).await, [4, 5]);
    let other = journal.lane_view(&lane_of(id, "2"), MANY).await;
    assert_eq!(other, Err(Error::UnknownSink(id.sink().to_string())));
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [1, 2, 3, 4, 5]);
    assert_eq!(drain(&journal, &lane("erp", "2")).await, [1, 2]);
    assert_eq!(waiting(&journal).await, 0);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn who_is_polled_is_told_of_the_chosen_kinds_only_and_only_they_count_as_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &polled("1", &["Bill", "Customer"])).await;
    // Every tenth is one, and the spelling of a sender's kind is the sender's.
    for number in 1..=40 {
        let kind = match number {
            10 | 30 => "Bill",
            20 | 40 => "CUSTOMER",
            _ => "Invoice",
        };
        journal.append(of_kind("1", number, kind)).await.unwrap();
        assert_eq!(waiting(&journal).await, number / 10);
    }
    let ours = lane_of(id, "1");
    let two = Ask { max: 2, ..MANY };
    let view = journal.lane_view(&ours, two).await.unwrap();
    let head: Vec<u64> = view.head.iter().map(|change| change.sequence).collect();
    assert_eq!(head, [10, 20]);
    deliver(&journal, &ours, &view).await;
    assert_eq!(waiting(&journal).await, 2);
    assert_eq!(drain(&journal, &ours).await, [30, 40]);
    assert_eq!(waiting(&journal).await, 0);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn what_is_excluded_costs_no_write_each_and_holds_up_no_retention() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &polled("1", &["Bill"])).await;
    let ours = lane_of(id, "1");
    for number in 1..=3_000 {
        journal.append(single("1", number)).await.unwrap();
        if number % 500 == 0 {
            assert!(
                journal
                    .lane_view(&ours, MANY)
                    .await
                    .unwrap()
                    .head
                    .is_empty()
            );
        }
    }
    journal.append(of_kind("1", 3_001, "Bill")).await.unwrap();
    journal.append(several("1", 3_002..=3_010)).await.unwrap();
    let through = || -> i64 {
        let connection = rusqlite::Connection::open(settings(directory.path()).path).unwrap();
        let through = "SELECT through FROM lane";
        connection.query_row(through, (), |row| row.get(0)).unwrap()
    };
    assert_eq!(through(), 0);
    assert_eq!(waiting(&journal).await, 1);
    assert!(journal.snapshot().await.unwrap().troubles.is_empty());

    let later = START.plus(Duration::from_secs(40 * 86_400));
    newest(&journal, later).await;
    tidy_all(&journal, later).await;
    assert_eq!(through(), 3_000);
    // The bill, what came with the next receipt, and the newest.
    assert_eq!(journal.snapshot().await.unwrap().receipts, 3);
    assert_eq!(drain(&journal, &ours).await, [3_001]);
    tidy_all(&journal, later).await;
    assert_eq!(journal.snapshot().await.unwrap().receipts, 1);
    assert_eq!(through(), 3_010);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn other_kinds_hold_from_what_waits_on_and_bring_nothing_back() {
    let directory = tempfile::tempdir().unwrap();
    let journal = without_sinks(directory.path());
    let id = create(&journal, &polled("1", &["Bill"])).await;
    journal.append(several("1", 1..=3)).await.unwrap();
    let both = polled("1", &["Bill", "Invoice"]);
    journal
        .update_instance(id, both, None, after(1))
        .await
        .unwrap();
    assert_eq!(waiting(&journal).await, 0);
    journal.append(single("1", 4)).await.unwrap();
    journal.append(of_kind("1", 5, "Bill")).await.unwrap();
    let invoices = polled("1", &["Invoice"]);
    journal
        .update_instance(id, invoices, None, after(2))
        .await
        .unwrap();
    assert_eq!(waiting(&journal).await, 1);
    assert_eq!(drain(&journal, &lane_of(id, "1")).await, [4]);
    let instance = only(&journal).await;
    assert_eq!(
        (instance.created_at, instance.updated_at),
        (START, after(2))
    );
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn lists_and_replays_know_an_instance_where_it_is_told_of_something() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(of_kind("1", 1, "Bill")).await.unwrap();
    let id = create(&journal, &polled("1", &["Bill"])).await;
    journal.append(of_kind("1", 2, "Bill")).await.unwrap();
    journal.append(single("1", 3)).await.unwrap();
    journal.append(of_kind("2", 4, "Bill")).await.unwrap();
    for ours in journal.lanes().await.unwrap() {
        drain(&journal, &ours).await;
    }
    let all = Selection::Range {
        from: ChangeSeq(1),
        to: ChangeSeq(4),
    };
    let request = ReplayRequest {
        selection: all,
        sinks: None,
    };
    let plan = journal.replay(request, false, START).await.unwrap();
    let planned: Vec<(i64, &str)> = plan
        .planned
        .iter()
        .map(|planned| (planned.change.seq.0, planned.sink.as_str()))
        .collect();
    let ours = id.sink();
    let expected = [
        (1, "erp"),
        (2, "erp"),
        (2, ours.as_str()),
        (3, "erp"),
        (4, "erp"),
    ];
    assert_eq!(planned, expected);
    journal.append(of_kind("1", 5, "Bill")).await.unwrap();
    let view = journal.lane_view(&lane_of(id, "1"), MANY).await.unwrap();
    let retry = Settlement::Retry { at: after(60) };
    let failing = delivery(&lane_of(id, "1"), &view);
    journal
        .settle(&failing, &attempt(REFUSED), &retry)
        .await
        .unwrap();
    journal.close().await.unwrap();

    let inspection = Inspection::open(&settings(directory.path()).path).unwrap();
    let listed = inspection.list(&Filter::default()).unwrap();
    let sinks: Vec<usize> = listed
        .iter()
        .map(|one| one.changes[0].fates.len())
        .collect();
    assert_eq!(sinks, [1, 2, 1, 1, 2]);
    let waits = inspection.list(&Filter {
        state: Some(State::Pending),
        ..Filter::default()
    });
    assert_eq!(waits.unwrap().len(), 5, "replays and the last one");
    let head = &listed[4].changes[0].fates;
    let (_, fate) = head.iter().find(|(name, _)| *name == id.sink()).unwrap();
    let tried = matches!(fate, Fate::Waiting(Some(_)));
    assert!(tried, "{fate:?}");
    let mut lines = Vec::new();
    inspection.export(&Filter::default(), &mut lines).unwrap();
    let sinks_of = |line: &str| -> usize {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["changes"][0]["sinks"].as_array().unwrap().len()
    };
    let lines = String::from_utf8(lines).unwrap();
    let sinks: Vec<usize> = lines.lines().map(sinks_of).collect();
    assert_eq!(sinks, [1, 2, 1, 1, 2]);
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}

#[tokio::test]
async fn the_record_is_kept_for_who_is_polled_though_no_configured_sink_wants_it() {
    let directory = tempfile::tempdir().unwrap();
    let plain = Settings {
        keep_records: false,
        sinks: Vec::new(),
        ..settings(directory.path())
    };
    let journal = Journal::open(plain, START).unwrap();
    connect(&journal, "1").await;
    let id = create(&journal, &polled("1", &["Invoice"])).await;
    notify(&journal, 1, Operation::Update, 5).await;
    let ours = lane_of(id, "1");
    let held = Ask {
        reconciled_only: Some(START),
        ..MANY
    };
    let view = journal.lane_view(&ours, held).await.unwrap();
    assert!(view.head.is_empty() && view.held_since.is_some());
    assert_eq!(
        read(&journal, vec![invoice("130", 1, 5)]).await,
        counts(0, 1, 0)
    );
    let view = journal.lane_view(&ours, held).await.unwrap();
    assert!(view.head[0].record.is_some());
    assert_eq!(drain(&journal, &ours).await, [1]);
    sound(journal, directory.path()).await;
}

#[tokio::test]
async fn a_receipt_costs_the_same_however_many_instances_there_are() {
    let mut written = Vec::new();
    for instances in [0, 100] {
        let directory = tempfile::tempdir().unwrap();
        let journal = open(directory.path());
        journal.append(single("1", 1)).await.unwrap();
        for number in 0..instances {
            let draft = match number % 2 {
                0 => webhook("1"),
                _ => polled("1", &["Bill"]),
            };
            create(&journal, &draft).await;
        }
        journal.close().await.unwrap();
        let journal = open(directory.path());
        for number in 2..30 {
            journal.append(single("1", number)).await.unwrap();
        }
        let log = format!("{}-wal", settings(directory.path()).path.display());
        written.push(std::fs::metadata(log).unwrap().len());
    }
    assert_eq!(written[0], written[1]);
}
