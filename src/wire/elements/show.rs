//! Answers.

use super::notifications::DeliveryStatus;
use super::{Configuration, ExternalAuthentication, FailurePolicy, Wrong};
use crate::model::{Change, Instance, InstanceId, Timestamp};

/// An instance and what is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// As the journal has it.
    pub instance: &'a Instance,
    /// Its element token.
    pub token: &'a str,
    /// Its configuration; secrets are masked here.
    pub configuration: &'a Configuration,
    /// Who got its tokens.
    pub external_authentication: ExternalAuthentication,
    /// Whether its owner asked for a trace.
    pub trace_logging: bool,
    /// Whether its company can be read.
    pub valid: bool,
    /// The user that it belongs to.
    pub user_id: u32,
}

/// An event of an instance.
#[derive(Clone, Copy, Debug)]
pub struct ShownEvent<'a> {
    /// Whose.
    pub instance: InstanceId,
    /// The 20 characters.
    pub id: &'a str,
    /// What changed.
    pub change: &'a Change,
    /// What the vendor posted, where it is still kept.
    pub body: Option<&'a [u8]>,
    /// How it stands.
    pub status: DeliveryStatus,
    /// The last failure, or why it was given up.
    pub failure: Option<&'a str>,
}

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

/// What happened to the events of one account or instance.
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

/// One instance.
pub fn instance(shown: &Shown<'_>) -> Vec<u8> {
    todo!("{shown:?}")
}

/// A list of instances; without element and configuration unless `hydrate`.
pub fn instances(list: &[Shown<'_>], hydrate: bool) -> Vec<u8> {
    todo!("{list:?} {hydrate}")
}

/// All items of a configuration.
pub fn configuration(configuration: &Configuration) -> Vec<u8> {
    todo!("{configuration:?}")
}

/// One item; `None` where there is none with this number.
pub fn configuration_item(configuration: &Configuration, item: u32) -> Option<Vec<u8>> {
    todo!("{configuration:?} {item}")
}

/// Events, newest first.
pub fn events(list: &[ShownEvent<'_>]) -> Vec<u8> {
    todo!("{list:?}")
}

/// One event.
pub fn event(shown: &ShownEvent<'_>) -> Vec<u8> {
    todo!("{shown:?}")
}

/// What became of events.
pub fn dispositions(list: &[ShownEvent<'_>]) -> Vec<u8> {
    todo!("{list:?}")
}

/// Events of each span of time: its begin, and how many.
pub fn series(list: &[(Timestamp, u64)]) -> Vec<u8> {
    todo!("{list:?}")
}

/// Events of each account (`accountId`) or each instance (`instanceId`).
pub fn analytics(by: super::By, list: &[Counted]) -> Vec<u8> {
    todo!("{by:?} {list:?}")
}

/// Subscriptions.
pub fn subscriptions(list: &[ShownSubscription<'_>]) -> Vec<u8> {
    todo!("{list:?}")
}

/// One subscription.
pub fn subscription(shown: &ShownSubscription<'_>) -> Vec<u8> {
    todo!("{shown:?}")
}

/// Deliveries, each with its subscription.
pub fn deliveries(list: &[(ShownEvent<'_>, ShownSubscription<'_>)]) -> Vec<u8> {
    todo!("{list:?}")
}

/// The settings of the account.
pub fn settings(policy: FailurePolicy) -> Vec<u8> {
    todo!("{policy:?}")
}

/// Where to send a person for consent.
pub fn oauth_url(url: &str) -> Vec<u8> {
    todo!("{url}")
}

/// That there is nothing to tell.
pub fn nothing() -> Vec<u8> {
    b"{}".to_vec()
}

/// A refusal; `request` is 24 hexadecimal digits.
pub fn wrong(wrong: &Wrong, request: &str) -> Vec<u8> {
    todo!("{wrong:?} {request}")
}
