//! Answers: words into the JSON that the interface is documented with.
//!
//! Ids are numbers, but for those of events; values of a configuration are text; secrets are stars;
//! times are RFC 3339 in UTC and whole seconds.

mod events;
mod instance;
mod notifications;

pub use events::{Counted, CountedSpan, ShownEvent, analytics, dispositions, event, events};
pub use instance::{Shown, configuration, configuration_item, instance, instances};
pub use notifications::{ShownSubscription, deliveries, settings, subscription, subscriptions};

use super::{ELEMENT, Wrong};
use crate::model::{InstanceId, Timestamp};
use crate::wire::outgoing::open_connectors;
use serde::Serialize;

/// Where to send a person for consent.
pub fn oauth_url(url: &str) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        oauth_url: &'a str,
        element: &'static str,
    }
    json(&Answer {
        oauth_url: url,
        element: ELEMENT,
    })
}

/// That there is nothing to tell.
pub fn nothing() -> Vec<u8> {
    b"{}".to_vec()
}

/// A refusal; `request` is the id under which it is found in the log, 24 hexadecimal digits.
pub fn wrong(wrong: &Wrong, request: &str) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        request_id: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_message: Option<&'a str>,
    }
    json(&Answer {
        request_id: request,
        message: &wrong.message,
        provider_message: wrong.provider_message.as_deref(),
    })
}

/// The topic of an instance's events.
fn topic(instance: InstanceId) -> String {
    format!("instance-{instance}-{ELEMENT}-events")
}

/// A time; the epoch for one that cannot be written.
fn date(at: Timestamp) -> String {
    open_connectors::date(at).unwrap_or_else(|| "1970-01-01T00:00:00Z".into())
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("text and numbers can be written as JSON")
}

#[cfg(test)]
mod tests;
