//! Companies, notifications about a record, and readings of it, for the journal's tests.

use super::support::*;
use qbo_relay::journal::Journal;
use qbo_relay::model::{
    AppName, Company, EntityRef, Environment, EventTime, Item, Notification, Operation, Purpose,
    Reading, Receipt, Reconciled, Record, RecordState, Standing, Timestamp,
};
use std::time::Duration;

/// So many seconds after the tests begin.
pub(super) fn after(seconds: i64) -> Timestamp {
    Timestamp::from_ms(START.as_ms() + seconds * 1000)
}

/// A company that is connected to the app `books` from the start on.
pub(super) fn company(realm_name: &str) -> Company {
    Company {
        realm: realm(realm_name),
        app: AppName::new("books").unwrap(),
        environment: Environment::Sandbox,
        connected_at: START,
        standing: Standing::Connected,
        standing_since: START,
        access_expires_at: Some(after(3600)),
        refresh_expires_at: Some(START.plus(Duration::from_secs(100 * 86_400))),
        hard_expires_at: None,
    }
}

pub(super) async fn connect(journal: &Journal, realm_name: &str) {
    journal
        .connect_company(company(realm_name), b"sealed".to_vec(), START)
        .await
        .unwrap();
}

/// From that second on, a company stands like this.
pub(super) async fn stand(journal: &Journal, realm_name: &str, standing: Standing, seconds: i64) {
    journal
        .set_standing(&realm(realm_name), standing, after(seconds))
        .await
        .unwrap();
}

fn event_time(seconds: i64) -> EventTime {
    EventTime {
        text: after(seconds).to_string(),
        at: Some(after(seconds)),
    }
}

/// An invoice as it was read, last updated at that second.
pub(super) fn invoice(id: &str, token: u64, seconds: i64) -> Record {
    Record {
        entity: EntityRef {
            kind: "Invoice".into(),
            id: id.into(),
        },
        sync_token: Some(token.to_string()),
        created_at: Some(after(-1000)),
        updated: event_time(seconds),
        state: RecordState::Live,
        body: format!(r#"{{"Id":"{id}","SyncToken":"{token}","TotalAmt":100.00}}"#),
    }
}

/// The tombstone of an invoice.
pub(super) fn tombstone(id: &str, seconds: i64) -> Record {
    Record {
        sync_token: None,
        created_at: None,
        state: RecordState::Deleted,
        body: format!(r#"{{"Id":"{id}","status":"Deleted"}}"#),
        ..invoice(id, 0, seconds)
    }
}

/// A record of which only the id was asked.
pub(super) fn only_id(kind: &str, id: &str) -> Record {
    Record {
        entity: EntityRef {
            kind: kind.into(),
            id: id.into(),
        },
        sync_token: None,
        created_at: None,
        updated: EventTime {
            text: String::new(),
            at: None,
        },
        state: RecordState::Live,
        body: String::new(),
    }
}

/// A finished look at company 1, an hour after the start.
pub(super) fn reading(purpose: Purpose, records: Vec<Record>) -> Reading {
    Reading {
        realm: realm("1"),
        purpose,
        at: after(3600),
        records,
        complete: Vec::new(),
        watermarks: Vec::new(),
        finished: true,
        missing: 0,
    }
}

/// A notification about an invoice of company 1 that happened at that second and a bit.
pub(super) fn about(number: u64, id: &str, operation: Operation, seconds: i64) -> Notification {
    let happened = after(seconds).plus(Duration::from_millis(number % 1000));
    Notification {
        entity: EntityRef {
            kind: "Invoice".into(),
            id: id.into(),
        },
        event_type: format!("qbo.invoice.{}.v1", operation.verb()),
        operation,
        happened: EventTime {
            text: happened.to_string(),
            at: Some(happened),
        },
        ..notification("1", number)
    }
}

/// A delivery with these notifications, received at that second.
pub(super) fn delivery_of(notifications: Vec<Notification>, seconds: i64) -> Receipt {
    let items = notifications.into_iter().map(Item::Notification);
    Receipt {
        received_at: after(seconds),
        ..receipt(items.collect())
    }
}

pub(super) async fn notify(journal: &Journal, number: u64, operation: Operation, seconds: i64) {
    let notification = about(number, "130", operation, seconds);
    let delivery = delivery_of(vec![notification], seconds.max(0) + 1);
    journal.append(delivery).await.unwrap();
}

/// Reads company 1 after its newest notification, and reconciles it.
pub(super) async fn read(journal: &Journal, records: Vec<Record>) -> Reconciled {
    let view = journal.company_view(&realm("1")).await.unwrap().unwrap();
    let purpose = Purpose::Notified {
        through: view.newest,
    };
    journal.reconcile(reading(purpose, records)).await.unwrap()
}

pub(super) fn counts(found: u32, attached: u32, known: u32) -> Reconciled {
    Reconciled {
        found,
        attached,
        known,
    }
}

/// Everything that leaves for company 1 and has not left yet: `webhook Update 130 @5 late`.
pub(super) async fn told(journal: &Journal) -> Vec<String> {
    let ours = lane("erp", "1");
    let view = journal.lane_view(&ours, MANY).await.unwrap();
    drain(journal, &ours).await;
    let said = view.head.iter().map(|change| {
        let notification = &change.notification;
        let happened = notification.happened.at.unwrap();
        let seconds = happened.as_seconds() - START.as_seconds();
        let late = if change.late { " late" } else { "" };
        let operation = notification.operation.as_str();
        let id = &notification.entity.id;
        format!(
            "{} {operation} {id} @{seconds}{late}",
            change.origin.as_str()
        )
    });
    said.collect()
}
