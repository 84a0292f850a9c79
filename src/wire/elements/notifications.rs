//! Subscriptions, the queue of what could not be delivered, and what becomes of it.

use super::Paging;

/// What happens when a callback fails (`notification.webhook.failure.policy`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum FailurePolicy {
    /// It is tried again, and paused when the tries are used up.
    #[default]
    Retry,
    /// It is paused at once, and what comes waits in the queue.
    Queue,
}

/// How a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryStatus {
    /// It waits for its first attempt.
    Created,
    /// It was taken.
    Delivered,
    /// The same, in other words.
    Notified,
    /// An attempt failed, and the next will come.
    Retry,
    /// Its subscription is paused.
    Queued,
}

/// Which deliveries are meant: `where=channel='webhook' and status='queued' and config.url='…'`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Filter {
    /// `status`.
    pub status: Option<DeliveryStatus>,
    /// `config.url`: the callback.
    pub url: Option<String>,
    /// `subscriptionId`: the instance.
    pub subscription: Option<u32>,
    /// Which part of them.
    pub paging: Paging,
}

impl FailurePolicy {
    /// The word of the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Queue => "queue",
        }
    }

    /// The policy that the word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Retry, Self::Queue]
            .into_iter()
            .find(|policy| policy.as_str() == word)
    }
}

impl DeliveryStatus {
    /// The word of the interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Delivered => "delivered",
            Self::Notified => "notified",
            Self::Retry => "retry",
            Self::Queued => "queued",
        }
    }
}
