//! Drafts of instances and changes of several kinds, for the journal's tests.

use super::support::*;
use qbo_relay::journal::{Inspection, Journal, Settings};
use qbo_relay::model::{
    EntityRef, Instance, InstanceDraft, InstanceId, Interest, Item, Lane, LaneView, Notification,
    Outcome, Polling, Receipt, Settlement, Timestamp,
};
use std::path::Path;
use std::time::Duration;

/// The answer of a callback that does not work.
pub(super) const REFUSED: Outcome = Outcome::Refused {
    status: 500,
    retry_after: None,
};

fn draft(realm_name: &str, events: Option<Interest>) -> InstanceDraft {
    InstanceDraft {
        realm: realm(realm_name),
        name: format!("the books of {realm_name}"),
        tags: vec!["two words".into(), "\"quoted\"".into()],
        token_digest: [7; 32],
        sealed: b"sealed configuration".to_vec(),
        events,
    }
}

/// One that is told of whatever changes.
pub(super) fn webhook(realm_name: &str) -> InstanceDraft {
    let interest = Interest {
        webhook: true,
        polling: None,
        calls_back: true,
    };
    draft(realm_name, Some(interest))
}

/// One that is told of these kinds.
pub(super) fn polled(realm_name: &str, kinds: &[&str]) -> InstanceDraft {
    let interest = Interest {
        webhook: false,
        polling: Some(Polling {
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            interval: Duration::from_mins(15),
        }),
        calls_back: true,
    };
    draft(realm_name, Some(interest))
}

/// One whose events are off.
pub(super) fn silent(realm_name: &str) -> InstanceDraft {
    draft(realm_name, None)
}

/// One without a callback.
pub(super) fn listed(realm_name: &str) -> InstanceDraft {
    let interest = Interest {
        webhook: true,
        polling: None,
        calls_back: false,
    };
    draft(realm_name, Some(interest))
}

pub(super) async fn create(journal: &Journal, draft: &InstanceDraft) -> InstanceId {
    let created = journal.create_instance(draft.clone(), None, START);
    created.await.unwrap()
}

/// The only one there is.
pub(super) async fn only(journal: &Journal) -> Instance {
    let mut instances = journal.instances().await.unwrap();
    assert_eq!(instances.len(), 1);
    instances.remove(0)
}

/// A journal without a configured sink.
pub(super) fn without_sinks(directory: &Path) -> Journal {
    let settings = Settings {
        sinks: Vec::new(),
        ..settings(directory)
    };
    Journal::open(settings, START).unwrap()
}

pub(super) fn lane_of(id: InstanceId, realm_name: &str) -> Lane {
    Lane {
        sink: id.sink(),
        realm: realm(realm_name),
    }
}

/// A receipt with one notification of a record of this kind.
pub(super) fn of_kind(realm_name: &str, number: u64, kind: &str) -> Receipt {
    let entity = EntityRef {
        kind: kind.into(),
        id: number.to_string(),
    };
    receipt(vec![Item::Notification(Notification {
        entity,
        ..notification(realm_name, number)
    })])
}

/// The callback takes what the lane has at its head.
pub(super) async fn deliver(journal: &Journal, lane: &Lane, view: &LaneView) {
    let (said, accepted) = (delivery(lane, view), attempt(Outcome::Accepted));
    let settled = journal.settle(&said, &accepted, &Settlement::Delivered);
    settled.await.unwrap();
}

pub(super) async fn waiting(journal: &Journal) -> u64 {
    journal.snapshot().await.unwrap().waiting
}

/// A newer receipt of another company, so that the clock is not behind what is stored.
pub(super) async fn newest(journal: &Journal, at: Timestamp) {
    let kept = Receipt {
        received_at: at,
        ..single("9", 999_999)
    };
    journal.append(kept).await.unwrap();
}

pub(super) async fn tidy_all(journal: &Journal, now: Timestamp) {
    while journal.tidy(now).await.unwrap().more {}
}

/// Closes the journal and checks it.
pub(super) async fn sound(journal: Journal, directory: &Path) {
    journal.close().await.unwrap();
    let inspection = Inspection::open(&settings(directory).path).unwrap();
    assert_eq!(inspection.verify().unwrap().findings, [""; 0]);
}
