//! What is asked for: method, path, query and body into a [`Call`].

use super::draft::is_element;
use super::query::{By, Listing, Paging};
use super::{
    Amendment, Analysis, Draft, FailurePolicy, Filter, OauthAsk, SubscriptionDraft, Wrong, body,
};
use crate::model::InstanceId;

/// A request, whose sender was authorized unless it needs no authorization.
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
    /// `PUT …/token`: [`instance`](super::show::instance) with another token, which is shown this once.
    RenewToken(Whose),
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
    /// `POST /notifications/subscriptions`: [`subscription`](super::show::subscription).
    Subscribe(SubscriptionDraft),
    /// `DELETE /notifications/subscriptions/{id}`: [`nothing`](super::show::nothing).
    Unsubscribe(u32),
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

impl Call {
    /// Whether it changes anything; otherwise it only looks.
    pub fn is_change(&self) -> bool {
        match self {
            Self::Create(_)
            | Self::Replace(..)
            | Self::Amend(..)
            | Self::Delete(_)
            | Self::Enable(_)
            | Self::Disable(_)
            | Self::SetConfigurationItem(..)
            | Self::TraceLogging(..)
            | Self::RenewToken(_)
            | Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::Resend(_)
            | Self::SetSettings(..) => true,
            Self::List(_)
            | Self::Read(_)
            | Self::Configuration(_)
            | Self::ConfigurationItem(..)
            | Self::Events(..)
            | Self::Event(..)
            | Self::Dispositions(..)
            | Self::Analytics(_)
            | Self::PollingDisabled
            | Self::OauthUrl(_)
            | Self::Subscriptions(_)
            | Self::Subscription(_)
            | Self::Deliveries(_)
            | Self::Settings(_)
            | Self::Description => false,
        }
    }
}

/// Where the description is.
const DESCRIPTION: &str = "/openapi.json";

/// Whether a request needs authorization: all but those for the description.
pub fn needs_authorization(path: &str) -> bool {
    path != DESCRIPTION
}

/// Reads a request. `HEAD` asks for the same as `GET`.
///
/// # Errors
/// 400 for what cannot be read, with line and column or the name of the field; 404 where nothing
/// is; 405 with the methods that there are; 415 for a body that is declared as other than JSON.
pub fn parse(request: &Request<'_>) -> Result<Call, Wrong> {
    let path = request.path.strip_suffix('/').unwrap_or(request.path);
    let segments: Vec<&str> = path.split('/').skip(1).take(SEGMENTS_MAX).collect();
    let method = match request.method {
        "HEAD" => "GET",
        method => method,
    };
    let ask = Ask { method, request };
    match *segments {
        ["openapi.json"] => match method {
            "GET" => Ok(Call::Description),
            _ => Err(not_allowed("GET, HEAD")),
        },
        ["instances", ref rest @ ..] => ask.instances(rest, true),
        ["elements", element, "instances", ref rest @ ..] => {
            is_element(element)?;
            ask.instances(rest, false)
        }
        ["elements", element, "oauth", "url"] => {
            is_element(element)?;
            match method {
                "GET" => OauthAsk::of_query(request.query).map(Call::OauthUrl),
                "POST" => OauthAsk::of_body(ask.body()?).map(Call::OauthUrl),
                _ => Err(not_allowed("GET, HEAD, POST")),
            }
        }
        ["elements", _, "oauth", "token"] => Err(Wrong::not_found(
            "QuickBooks Online has no OAuth 1 any more: POST /instances takes the code itself",
        )),
        ["jobs", "polling-disabled"] => ask.get(|| Ok(Call::PollingDisabled)),
        ["notifications", "subscriptions", ref rest @ ..] => ask.subscriptions(rest),
        ["accounts", "settings"] => ask.settings(None),
        ["accounts", account, "settings"] => {
            let account = number(account).ok_or_else(nothing_there)?;
            ask.settings(Some(account))
        }
        _ => Err(nothing_there()),
    }
}

/// More than any path has.
const SEGMENTS_MAX: usize = 8;

/// A request whose path is looked at.
#[derive(Clone, Copy)]
struct Ask<'a> {
    method: &'a str,
    request: &'a Request<'a>,
}

impl<'a> Ask<'a> {
    fn body(self) -> Result<&'a str, Wrong> {
        body::object(self.request.content_type, self.request.body)
    }

    fn get(self, call: impl FnOnce() -> Result<Call, Wrong>) -> Result<Call, Wrong> {
        match self.method {
            "GET" => call(),
            _ => Err(not_allowed("GET, HEAD")),
        }
    }

    /// `/instances` and what is below it. Only there the body has to name the element.
    fn instances(self, rest: &[&str], names_element: bool) -> Result<Call, Wrong> {
        let query = self.request.query;
        match *rest {
            [] => match self.method {
                "GET" => Listing::read(query).map(Call::List),
                "POST" => {
                    let draft = Draft::read(self.body()?, names_element)?;
                    Ok(Call::Create(Box::new(draft)))
                }
                _ => self.change(Whose::Token, "DELETE, GET, HEAD, PATCH, POST, PUT"),
            },
            ["polling-disabled"] => self.get(|| Ok(Call::PollingDisabled)),
            ["events", "dispositions"] => {
                self.get(|| Paging::read(query).map(|page| Call::Dispositions(None, page)))
            }
            ["events", "analytics", ref by @ ..] => {
                let by = match by {
                    [] => By::Time,
                    ["accounts"] => By::Account,
                    ["instances"] => By::Instance,
                    _ => return Err(nothing_there()),
                };
                self.get(|| Analysis::read(query, by).map(Call::Analytics))
            }
            [
                "enabled" | "token" | "configuration" | "trace-logging" | "events",
                ..,
            ] => self.instance(Whose::Token, rest),
            [id, ref rest @ ..] => {
                let id = number(id).and_then(InstanceId::new);
                let why = || Wrong::not_found("there is no instance with this id");
                self.instance(Whose::Id(id.ok_or_else(why)?), rest)
            }
        }
    }

    /// One instance and what is below it.
    fn instance(self, whose: Whose, rest: &[&str]) -> Result<Call, Wrong> {
        let query = self.request.query;
        match *rest {
            [] => match self.method {
                "GET" => Ok(Call::Read(whose)),
                _ => self.change(whose, "DELETE, GET, HEAD, PATCH, PUT"),
            },
            ["enabled"] => match self.method {
                "PUT" => Ok(Call::Enable(whose)),
                "DELETE" => Ok(Call::Disable(whose)),
                _ => Err(not_allowed("DELETE, PUT")),
            },
            ["trace-logging"] => match self.method {
                "PUT" => Ok(Call::TraceLogging(whose, true)),
                "DELETE" => Ok(Call::TraceLogging(whose, false)),
                _ => Err(not_allowed("DELETE, PUT")),
            },
            ["token"] => match self.method {
                "PUT" => Ok(Call::RenewToken(whose)),
                _ => Err(not_allowed("PUT")),
            },
            ["configuration"] => self.get(|| Ok(Call::Configuration(whose))),
            ["configuration", item] => {
                let why = || Wrong::not_found("there is no configuration item with this id");
                let item = number(item).ok_or_else(why)?;
                match self.method {
                    "GET" => Ok(Call::ConfigurationItem(whose, item)),
                    "PATCH" => {
                        let [value] = body::fields(self.body()?, ["propertyValue"])?;
                        let missing = || Wrong::at("propertyValue", "missing");
                        let value = value.any()?.ok_or_else(missing)?;
                        Ok(Call::SetConfigurationItem(whose, item, value))
                    }
                    _ => Err(not_allowed("GET, HEAD, PATCH")),
                }
            }
            ["events"] => self.get(|| Paging::read(query).map(|page| Call::Events(whose, page))),
            ["events", "dispositions"] => {
                self.get(|| Paging::read(query).map(|page| Call::Dispositions(Some(whose), page)))
            }
            ["events", event] => self.get(|| Ok(Call::Event(whose, event.to_owned()))),
            _ => Err(nothing_there()),
        }
    }

    fn change(self, whose: Whose, allow: &'static str) -> Result<Call, Wrong> {
        match self.method {
            "PUT" => {
                let draft = Draft::read(self.body()?, false)?;
                Ok(Call::Replace(whose, Box::new(draft)))
            }
            "PATCH" => {
                let amendment = Amendment::read(self.body()?)?;
                Ok(Call::Amend(whose, Box::new(amendment)))
            }
            "DELETE" => Ok(Call::Delete(whose)),
            _ => Err(not_allowed(allow)),
        }
    }

    fn subscriptions(self, rest: &[&str]) -> Result<Call, Wrong> {
        let query = self.request.query;
        match *rest {
            [] => match self.method {
                "GET" => Paging::read(query).map(Call::Subscriptions),
                "POST" => SubscriptionDraft::read(self.body()?).map(Call::Subscribe),
                _ => Err(not_allowed("GET, HEAD, POST")),
            },
            ["deliveries"] => match self.method {
                "GET" => Filter::read(query).map(Call::Deliveries),
                "PUT" => Filter::read(query).map(Call::Resend),
                _ => Err(not_allowed("GET, HEAD, PUT")),
            },
            [id] => {
                let why = || Wrong::not_found("there is no subscription with this id");
                let id = number(id).ok_or_else(why)?;
                match self.method {
                    "GET" => Ok(Call::Subscription(id)),
                    "DELETE" => Ok(Call::Unsubscribe(id)),
                    _ => Err(not_allowed("DELETE, GET, HEAD")),
                }
            }
            _ => Err(nothing_there()),
        }
    }

    fn settings(self, account: Option<u32>) -> Result<Call, Wrong> {
        match self.method {
            "GET" => Ok(Call::Settings(account)),
            "POST" | "PATCH" => {
                let policy = FailurePolicy::read(self.body()?)?;
                Ok(Call::SetSettings(account, policy))
            }
            _ => Err(not_allowed("GET, HEAD, PATCH, POST")),
        }
    }
}

fn number(segment: &str) -> Option<u32> {
    let digits = Some(segment).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok())
}

fn nothing_there() -> Wrong {
    Wrong::not_found(
        "nothing is at this path; /elements/api-v2/openapi.json describes what is there",
    )
}

fn not_allowed(allow: &'static str) -> Wrong {
    Wrong {
        allow: Some(allow),
        ..Wrong::new(405, format!("not with this method; there are {allow}"))
    }
}
