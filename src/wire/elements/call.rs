//! What is asked for: method, path, query and body into a [`Call`].

use super::{Amendment, Analysis, Draft, FailurePolicy, Filter, Listing, OauthAsk, Paging, Wrong};
use crate::model::InstanceId;

/// A request after its authorization.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path behind [`BASE`](super::BASE), such as `/instances/12`.
    pub path: &'a str,
    /// Its query, without the question mark.
    pub query: Option<&'a str>,
    /// Its `Content-Type`.
    pub content_type: Option<&'a str>,
    /// Its body, whole.
    pub body: &'a [u8],
}

/// Which instance is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The one with this number.
    Id(InstanceId),
    /// The one of the `Element` token.
    Token,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    /// `GET /instances`: [`instances`](super::show::instances). Without an `Organization`, with an
    /// `Element` token alone, it is the one instance of the token.
    List(Listing),
    /// `POST /instances`: [`instance`](super::show::instance).
    Create(Box<Draft>),
    /// `GET /instances/{id}`: [`instance`](super::show::instance).
    Read(Whose),
    /// `PUT /instances[/{id}]`: [`instance`](super::show::instance).
    Replace(Whose, Box<Draft>),
    /// `PATCH /instances[/{id}]`: [`instance`](super::show::instance).
    Amend(Whose, Box<Amendment>),
    /// `DELETE /instances[/{id}]`: [`nothing`](super::show::nothing).
    Delete(Whose),
    /// `PUT …/enabled`: [`instance`](super::show::instance).
    Enable(Whose),
    /// `DELETE …/enabled`: [`instance`](super::show::instance).
    Disable(Whose),
    /// `GET …/configuration`: [`configuration`](super::show::configuration).
    Configuration(Whose),
    /// `GET …/configuration/{id}`: [`configuration_item`](super::show::configuration_item).
    ConfigurationItem(Whose, u32),
    /// `PATCH …/configuration/{id}`: [`configuration_item`](super::show::configuration_item).
    SetConfigurationItem(Whose, u32, String),
    /// `PUT` (on) or `DELETE` (off) `…/trace-logging`: [`instance`](super::show::instance).
    TraceLogging(Whose, bool),
    /// `GET …/events`: [`events`](super::show::events).
    Events(Whose, Paging),
    /// `GET …/events/{eventId}`: [`event`](super::show::event).
    Event(Whose, String),
    /// `GET …/events/dispositions`: [`dispositions`](super::show::dispositions). `None`: of the
    /// token's instance, and without a token of all.
    Dispositions(Option<Whose>, Paging),
    /// `GET /instances/events/analytics[/…]`: [`series`](super::show::series) or
    /// [`analytics`](super::show::analytics).
    Analytics(Analysis),
    /// `GET /instances/polling-disabled`: [`instances`](super::show::instances).
    PollingDisabled,
    /// `GET` or `POST /elements/quickbooks/oauth/url`: [`oauth_url`](super::show::oauth_url).
    OauthUrl(OauthAsk),
    /// `GET /notifications/subscriptions`: [`subscriptions`](super::show::subscriptions).
    Subscriptions(Paging),
    /// `GET /notifications/subscriptions/{id}`: [`subscription`](super::show::subscription).
    Subscription(u32),
    /// `GET /notifications/subscriptions/deliveries`: [`deliveries`](super::show::deliveries).
    Deliveries(Filter),
    /// `PUT /notifications/subscriptions/deliveries`: switched on again, and sent again;
    /// [`deliveries`](super::show::deliveries).
    Resend(Filter),
    /// `GET /accounts[/{id}]/settings`: [`settings`](super::show::settings).
    Settings(Option<u32>),
    /// `POST` or `PATCH /accounts[/{id}]/settings`: [`settings`](super::show::settings).
    SetSettings(Option<u32>, FailurePolicy),
    /// `GET /openapi.json`: [`document`](super::openapi::document); the one call without
    /// authorization.
    Description,
}

/// Reads a request.
///
/// # Errors
/// 400 for what cannot be read, with line and column or the name of the field; 404 where nothing
/// is; 405 with the methods that there are; 415 for a body that is declared as other than JSON.
pub fn parse(request: &Request<'_>) -> Result<Call, Wrong> {
    todo!("{request:?}")
}
