//! Receipts, journals and lanes for the journal's tests.

use bytes::Bytes;
use qbo_relay::journal::{Ask, Journal, Settings};
use qbo_relay::model::{
    Attempt, Authenticity, Delivery, Encoding, EntityRef, EventTime, Form, Identity, Item, Kept,
    Lane, LaneView, Limits, Manner, Notification, Operation, Origin, Outcome, RealmId, Receipt,
    Settlement, SinkName, Timestamp, Unreadable,
};
use qbo_relay::wire::identity::content;
use std::path::Path;
use std::time::Duration;

/// When the tests begin: 2026-11-21.
pub(super) const START: Timestamp = Timestamp::from_ms(1_795_237_475_000);

/// One change in one body at a time, with the body.
pub(super) const ONE: Ask = Ask {
    max: 1,
    one_receipt: true,
    body: true,
    record: false,
    reconciled_only: None,
};

/// Several changes, without a body.
pub(super) const MANY: Ask = Ask {
    max: 1000,
    one_receipt: false,
    body: false,
    record: true,
    reconciled_only: None,
};

pub(super) fn settings(directory: &Path) -> Settings {
    Settings {
        path: directory.join("state").join("journal.db"),
        bytes_max: 256 << 20,
        keep: Duration::from_secs(30 * 86_400),
        sinks: vec![sink("erp")],
        instances: true,
        keep_records: true,
        limits: Limits::default(),
    }
}

pub(super) fn open(directory: &Path) -> Journal {
    Journal::open(settings(directory), START).unwrap()
}

pub(super) fn sink(name: &str) -> SinkName {
    SinkName::new(name).unwrap()
}

pub(super) fn realm(name: &str) -> RealmId {
    RealmId::new(name).unwrap()
}

pub(super) fn lane(sink_name: &str, realm_name: &str) -> Lane {
    Lane {
        sink: sink(sink_name),
        realm: realm(realm_name),
    }
}

/// A digest-like identity from a number.
pub(super) fn identity(number: u64) -> Identity {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(mixed ^ (mixed >> 29)).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Identity(bytes)
}

/// Notification number `number` of a company: an invoice of its own.
pub(super) fn notification(realm_name: &str, number: u64) -> Notification {
    let mut notification = Notification {
        realm: realm(realm_name),
        entity: EntityRef {
            kind: "Invoice".into(),
            id: number.to_string(),
        },
        operation: Operation::Update,
        happened: EventTime {
            text: "2026-11-21T05:04:35Z".into(),
            at: Some(START),
        },
        deleted_id: None,
        event_type: "qbo.invoice.updated.v1".into(),
        sender_id: Some(format!("event-{number}")),
        data: None,
        identity: identity(number),
        content: 0,
    };
    notification.content = content(&notification);
    notification
}

/// A receipt with these items; the content of notifications is what they say.
pub(super) fn receipt(mut items: Vec<Item>) -> Receipt {
    for item in &mut items {
        if let Item::Notification(notification) = item {
            notification.content = content(notification);
        }
    }
    let body = format!(
        "[{}]",
        "{\"an\":\"event of ordinary size\"},".repeat(items.len() * 20)
    );
    Receipt {
        received_at: START,
        source: "production".into(),
        authenticity: Authenticity::Signed,
        origin: Origin::Webhook,
        encoding: Encoding::Json,
        form: Some(Form::CloudEvents),
        headers: vec![("intuit-t-id".into(), "t-1".into())],
        body: Bytes::from(body),
        items,
    }
}

/// A receipt with one notification.
pub(super) fn single(realm_name: &str, number: u64) -> Receipt {
    receipt(vec![Item::Notification(notification(realm_name, number))])
}

/// A receipt with these notifications of one company.
pub(super) fn several(realm_name: &str, numbers: impl IntoIterator<Item = u64>) -> Receipt {
    receipt(
        numbers
            .into_iter()
            .map(|number| Item::Notification(notification(realm_name, number)))
            .collect(),
    )
}

pub(super) fn unreadable(number: u64) -> Item {
    Item::Unreadable(Unreadable {
        at: "body".into(),
        why: "expected an object".into(),
        identity: identity(number),
    })
}

/// The number under which a receipt was stored; panics on a repeat.
pub(super) fn new_seq(kept: Kept) -> i64 {
    match kept {
        Kept::New { seq, .. } => seq.0,
        Kept::Repeat { of } => panic!("a repeat of {of}"),
    }
}

/// A delivery of what the lane has at its head.
pub(super) fn delivery(lane: &Lane, view: &LaneView) -> Delivery {
    Delivery {
        lane: lane.clone(),
        manner: Manner::Live,
        attempt: view.state.attempts + 1,
        changes: view.head.clone(),
        body: view.body.clone(),
    }
}

/// A delivery of the lane's open replay.
pub(super) fn replay_delivery(lane: &Lane, view: &LaneView) -> Delivery {
    let replay = view.replay.clone().unwrap();
    Delivery {
        lane: lane.clone(),
        manner: Manner::Replay(replay.id),
        attempt: replay.state.attempts + 1,
        changes: vec![replay.change],
        body: replay.body,
    }
}

pub(super) fn attempt(outcome: Outcome) -> Attempt {
    Attempt {
        at: START,
        took: Duration::from_millis(20),
        outcome,
    }
}

/// Delivers everything that waits in a lane; returns the sequence numbers in order.
pub(super) async fn drain(journal: &Journal, lane: &Lane) -> Vec<u64> {
    let mut sequences = Vec::new();
    loop {
        let view = journal.lane_view(lane, MANY).await.unwrap();
        if view.head.is_empty() {
            return sequences;
        }
        sequences.extend(view.head.iter().map(|change| change.sequence));
        journal
            .settle(
                &delivery(lane, &view),
                &attempt(Outcome::Accepted),
                &Settlement::Delivered,
            )
            .await
            .unwrap();
    }
}
