//! What is kept, under which numbers, and what is known again.

use super::support::*;
use qbo_relay::journal::{Error, Found, Journal};
use qbo_relay::model::{Item, JournalHealth, Kept, Outcome, Seq, Settlement};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn a_receipt_is_there_after_a_restart_with_its_body_and_every_change() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    assert_eq!(*journal.found(), Found::Absent);
    let kept = journal.append(several("1234", 1..=3)).await.unwrap();
    assert_eq!(
        kept,
        Kept::New {
            seq: Seq(1),
            changes: 3
        }
    );
    journal.close().await.unwrap();

    let journal = open(directory.path());
    assert_eq!(*journal.found(), Found::Closed);
    let view = journal.lane_view(&lane("erp", "1234"), MANY).await.unwrap();
    assert_eq!(view.head.len(), 3);
    for (change, number) in view.head.iter().zip(1..) {
        assert_eq!(change.sequence, number);
        assert_eq!(change.notification, notification("1234", number));
        assert_eq!(change.id.0, change.notification.identity.to_hex());
    }
    let view = journal.lane_view(&lane("erp", "1234"), ONE).await.unwrap();
    assert_eq!(view.body, Some(several("1234", 1..=3).body));
}

#[tokio::test]
async fn a_settled_delivery_moves_its_lane_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = settings(directory.path());
    settings.sinks.push(sink("file"));
    let journal = Journal::open(settings, START).unwrap();
    journal.append(several("1", 1..=2)).await.unwrap();
    journal.append(single("2", 3)).await.unwrap();
    assert_eq!(journal.lanes().await.unwrap().len(), 4);
    assert_eq!(journal.snapshot().await.unwrap().waiting, 6);

    let ours = lane("erp", "1");
    let view = journal.lane_view(&ours, MANY).await.unwrap();
    let refused = attempt(Outcome::Refused {
        status: 500,
        retry_after: None,
    });
    let retry = Settlement::Retry {
        at: START.plus(std::time::Duration::from_secs(5)),
    };
    journal
        .settle(&delivery(&ours, &view), &refused, &retry)
        .await
        .unwrap();
    let view = journal.lane_view(&ours, MANY).await.unwrap();
    assert_eq!((view.state.attempts, view.head.len()), (1, 2));
    assert!(
        view.state
            .last_failure
            .is_some_and(|why| why.contains("500"))
    );
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.waiting, snapshot.troubles.len()), (6, 1));

    assert_eq!(drain(&journal, &ours).await, [1, 2]);
    let snapshot = journal.snapshot().await.unwrap();
    assert_eq!((snapshot.waiting, snapshot.troubles.len()), (4, 0));
    for other in [lane("file", "1"), lane("erp", "2"), lane("file", "2")] {
        assert!(
            !journal
                .lane_view(&other, MANY)
                .await
                .unwrap()
                .head
                .is_empty(),
            "{other:?}"
        );
    }
}

#[tokio::test]
async fn a_subscriber_is_woken_for_its_company_and_for_new_ones() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let mut companies = journal.subscribe_companies();
    let mut ours = journal.subscribe(&realm("1"));
    let other = journal.subscribe(&realm("2"));
    journal.append(single("1", 1)).await.unwrap();
    companies.changed().await.unwrap();
    ours.changed().await.unwrap();
    assert!(!other.has_changed().unwrap());
    journal.append(single("1", 2)).await.unwrap();
    ours.changed().await.unwrap();
    assert!(!companies.has_changed().unwrap());
}

#[tokio::test]
async fn a_repeat_is_counted_and_not_stored_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(several("1", 1..=2)).await.unwrap();
    let repeat = Kept::Repeat { of: Seq(1) };
    assert_eq!(journal.append(several("1", 1..=2)).await.unwrap(), repeat);
    journal.close().await.unwrap();

    let journal = open(directory.path());
    assert_eq!(journal.append(single("1", 2)).await.unwrap(), repeat);
    let half_new = journal.append(several("1", 2..=3)).await.unwrap();
    assert_eq!(
        half_new,
        Kept::New {
            seq: Seq(2),
            changes: 1
        }
    );
    assert_eq!(drain(&journal, &lane("erp", "1")).await, [1, 2, 3]);
    assert_eq!(journal.snapshot().await.unwrap().receipts, 2);
}

#[tokio::test]
async fn what_was_not_understood_is_kept_and_known_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let mixed = || {
        receipt(vec![
            unreadable(7),
            Item::Notification(notification("1", 1)),
        ])
    };
    assert_eq!(
        journal.append(mixed()).await.unwrap(),
        Kept::New {
            seq: Seq(1),
            changes: 1
        }
    );
    assert_eq!(
        journal.append(mixed()).await.unwrap(),
        Kept::Repeat { of: Seq(1) }
    );
    let alone = receipt(vec![unreadable(8)]);
    assert_eq!(
        journal.append(alone).await.unwrap(),
        Kept::New {
            seq: Seq(2),
            changes: 0
        }
    );
    assert_eq!(journal.snapshot().await.unwrap().unreadable, 2);
}

#[tokio::test]
async fn the_state_directory_and_its_files_are_for_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    journal.append(single("1", 1)).await.unwrap();
    let state = directory.path().join("state");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let files: Vec<_> = std::fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn a_second_writer_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let refused = Journal::open(settings(directory.path()), START)
        .err()
        .unwrap();
    assert!(matches!(&refused, Error::Locked(path) if path.ends_with("journal.db-lock")));
    assert!(refused.to_string().contains("journal.db-lock"));
    journal.close().await.unwrap();
    assert_eq!(open(directory.path()).health(), JournalHealth::Working);
}
