//! Events of instances, what became of them, and how many there were.

use super::{date, json};
use crate::model::{Change, InstanceId, Timestamp};
use crate::wire::elements::{By, DeliveryStatus};
use crate::wire::outgoing::open_connectors;
use serde::Serialize;

/// An event of an instance.
#[derive(Clone, Copy, Debug)]
pub struct ShownEvent<'a> {
    /// Whose.
    pub instance: InstanceId,
    /// The 20 characters.
    pub id: &'a str,
    /// The number of its callback.
    pub notification: u64,
    /// What changed.
    pub change: &'a Change,
    /// What the vendor posted, where it did and it is still kept; only what is about the company is
    /// shown of it.
    pub body: Option<&'a [u8]>,
    /// How it stands.
    pub status: DeliveryStatus,
    /// The last failure, or why it was given up.
    pub failure: Option<&'a str>,
}

/// What happened to the events of one account or instance in one span of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    /// Which account or instance.
    pub of: u32,
    /// Events.
    pub count: u64,
    /// Delivered ones.
    pub success: u64,
    /// Given up or failing ones.
    pub failed: u64,
}

/// One span of time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountedSpan {
    /// Its begin.
    pub begin: Timestamp,
    /// Each account or instance that had events.
    pub counted: Vec<Counted>,
}

/// Events, newest first.
pub fn events(list: &[ShownEvent<'_>]) -> Vec<u8> {
    json(&list.iter().map(Event::new).collect::<Vec<_>>())
}

/// One event.
pub fn event(shown: &ShownEvent<'_>) -> Vec<u8> {
    json(&Event::new(shown))
}

/// What became of events.
pub fn dispositions(list: &[ShownEvent<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Disposition<'a> {
        event_id: &'a str,
        element_instance_id: u32,
        notification_data: Vec<Message>,
    }
    #[derive(Serialize)]
    struct Message {
        message: String,
    }
    let message = |shown: &ShownEvent<'_>| match (shown.status, shown.failure) {
        (DeliveryStatus::Created, _) => None,
        (DeliveryStatus::Delivered | DeliveryStatus::Notified, _) => {
            Some("Delivered event".to_owned())
        }
        (_, Some(why)) => Some(format!("Error delivering event: {why}")),
        (_, None) => Some("Error delivering event".to_owned()),
    };
    let each = list.iter().map(|shown| Disposition {
        event_id: shown.id,
        element_instance_id: shown.instance.as_u32(),
        notification_data: message(shown)
            .map(|message| Message { message })
            .into_iter()
            .collect(),
    });
    json(&each.collect::<Vec<_>>())
}

/// Events of each span of time, and of each account (`accountId`) or instance (`instanceId`) in it.
pub fn analytics(by: By, spans: &[CountedSpan]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Span {
        timestamp: String,
        count: u64,
        total: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        records: Option<Vec<Record>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        count: u64,
        success: u64,
        failed: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_id: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        instance_id: Option<u32>,
    }
    let record = |counted: &Counted| Record {
        count: counted.count,
        success: counted.success,
        failed: counted.failed,
        account_id: (by == By::Account).then_some(counted.of),
        instance_id: (by == By::Instance).then_some(counted.of),
    };
    let each = spans.iter().map(|span| {
        let total = span.counted.iter().map(|counted| counted.count).sum();
        Span {
            timestamp: date(span.begin),
            count: total,
            total,
            records: (by != By::Time).then(|| span.counted.iter().map(record).collect()),
        }
    });
    json(&each.collect::<Vec<_>>())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    id: &'a str,
    event_date: String,
    status: &'static str,
    provider_data: String,
    notified_data: Vec<open_connectors::Event<'a>>,
    event_element_instances: [EventInstance<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventInstance<'a> {
    event_id: &'a str,
    element_instance_id: u32,
    notification_id: u64,
    notified_data: String,
    created_date: String,
    updated_date: String,
}

impl<'a> Event<'a> {
    fn new(shown: &ShownEvent<'a>) -> Self {
        let is_notified = match shown.status {
            DeliveryStatus::Delivered | DeliveryStatus::Notified => true,
            DeliveryStatus::Created | DeliveryStatus::Retry | DeliveryStatus::Queued => false,
        };
        let change = shown.change;
        let received = date(change.received_at);
        let realm = &change.notification.realm;
        let posted = shown
            .body
            .and_then(|body| open_connectors::own_part(body, realm));
        let record = change.record.clone().unwrap_or_default();
        Self {
            id: shown.id,
            event_date: received.clone(),
            status: match shown.status {
                DeliveryStatus::Created => "RECEIVED",
                DeliveryStatus::Retry | DeliveryStatus::Queued => "DISPATCHED",
                DeliveryStatus::Delivered | DeliveryStatus::Notified => "NOTIFIED",
            },
            provider_data: posted.map_or(record, |posted| posted.get().to_owned()),
            notified_data: open_connectors::events(change)
                .filter(|_| is_notified)
                .collect(),
            event_element_instances: [EventInstance {
                event_id: shown.id,
                element_instance_id: shown.instance.as_u32(),
                notification_id: shown.notification,
                notified_data: events_text(change),
                created_date: received.clone(),
                updated_date: received,
            }],
        }
    }
}

/// The standardized events of a change as JSON text.
pub(super) fn events_text(change: &Change) -> String {
    let events: Vec<_> = open_connectors::events(change).collect();
    serde_json::to_string(&events).expect("text can be written as JSON")
}
