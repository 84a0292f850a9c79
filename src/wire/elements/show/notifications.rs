//! Subscriptions, deliveries, settings.

use super::events::events_text;
use super::{ShownEvent, date, json, topic};
use crate::model::InstanceId;
use crate::wire::elements::notifications::{CHANNEL, FAILURE_POLICY};
use crate::wire::elements::{DeliveryStatus, ELEMENT, FailurePolicy};
use serde::Serialize;
use std::collections::BTreeMap;

/// A callback as a subscription.
#[derive(Clone, Copy, Debug)]
pub struct ShownSubscription<'a> {
    /// Whose; also the number of the subscription.
    pub instance: InstanceId,
    /// The callback.
    pub url: &'a str,
    /// Whether anything leaves.
    pub active: bool,
}

/// Subscriptions.
pub fn subscriptions(list: &[ShownSubscription<'_>]) -> Vec<u8> {
    json(&list.iter().map(Subscription::new).collect::<Vec<_>>())
}

/// One subscription.
pub fn subscription(shown: &ShownSubscription<'_>) -> Vec<u8> {
    json(&Subscription::new(shown))
}

/// Deliveries, each with its subscription.
pub fn deliveries(list: &[(ShownEvent<'_>, ShownSubscription<'_>)]) -> Vec<u8> {
    let each = list.iter().map(|(event, subscription)| Delivery {
        notification_id: event.notification,
        subscription_id: subscription.instance.as_u32(),
        status: event.status.as_str(),
        created_date: date(event.change.received_at),
        updated_date: date(event.change.received_at),
        notification: Notification::new(event),
        subscription: Subscription::new(subscription),
    });
    json(&each.collect::<Vec<_>>())
}

/// The settings of the account.
pub fn settings(policy: FailurePolicy) -> Vec<u8> {
    json(&BTreeMap::from([(FAILURE_POLICY, policy.as_str())]))
}

#[derive(Serialize)]
struct Subscription<'a> {
    id: u32,
    channel: &'static str,
    topics: [String; 1],
    config: Config<'a>,
    active: bool,
}

#[derive(Serialize)]
struct Config<'a> {
    url: &'a str,
}

impl<'a> Subscription<'a> {
    fn new(shown: &ShownSubscription<'a>) -> Self {
        Self {
            id: shown.instance.as_u32(),
            channel: CHANNEL,
            topics: [topic(shown.instance)],
            config: Config { url: shown.url },
            active: shown.active,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivery<'a> {
    notification_id: u64,
    subscription_id: u32,
    status: &'static str,
    created_date: String,
    updated_date: String,
    notification: Notification,
    subscription: Subscription<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    id: u64,
    from: &'static str,
    topic: String,
    severity: &'static str,
    message: String,
    created_date: String,
    active: bool,
    acknowledged: bool,
}

impl Notification {
    fn new(event: &ShownEvent<'_>) -> Self {
        let is_taken =
            [DeliveryStatus::Delivered, DeliveryStatus::Notified].contains(&event.status);
        Self {
            id: event.notification,
            from: ELEMENT,
            topic: topic(event.instance),
            severity: "medium",
            message: events_text(event.change),
            created_date: date(event.change.received_at),
            active: true,
            acknowledged: is_taken,
        }
    }
}
