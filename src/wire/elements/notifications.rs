//! Subscriptions, the queue of what could not be delivered, and what becomes of it.

use super::query::Query;
use super::terms::read_address;
use super::{Amendment, Configuration, ELEMENT, Paging, Whose, Wrong, body, keys};
use crate::model::InstanceId;
use crate::wire::url::Url;

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

/// The one setting there is.
pub(super) const FAILURE_POLICY: &str = "notification.webhook.failure.policy";

/// The one channel there is.
pub(super) const CHANNEL: &str = "webhook";

/// A subscription that is to be made: a callback of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriptionDraft {
    /// `topics`: the instance whose events it has; without any, the one of the token.
    pub whose: Whose,
    /// `config.url`: where its events go.
    pub url: Url,
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

impl FailurePolicy {
    /// Reads a body that was found to be an object.
    pub(super) fn read(object: &str) -> Result<Self, Wrong> {
        // The name of the setting has dots in it, so that it is not a path.
        let settings = Configuration::read(object)?;
        let word = settings.get(FAILURE_POLICY);
        let word =
            word.ok_or_else(|| Wrong::at(FAILURE_POLICY, "missing; there is no other setting"))?;
        let why = || Wrong::at(FAILURE_POLICY, "expected \"retry\" or \"queue\"");
        Self::parse(word).ok_or_else(why)
    }
}

impl SubscriptionDraft {
    /// Reads a body that was found to be an object. What a subscription can have and is not looked
    /// at, such as its `id`, is passed over.
    pub(super) fn read(object: &str) -> Result<Self, Wrong> {
        let [channel, topics, config, active] =
            body::fields(object, ["channel", "topics", "config", "active"])?;
        let channel_is_other = channel.string()?.is_some_and(|channel| channel != CHANNEL);
        if channel_is_other {
            return Err(Wrong::at(
                "channel",
                format!("expected {CHANNEL:?}; there is no other"),
            ));
        }
        if active.boolean()? == Some(false) {
            let why = "expected true; a subscription begins active, and DELETE ends it";
            return Err(Wrong::at("active", why));
        }
        let whose = topics.strings(1)?.map_or(Ok(Whose::Token), |topics| {
            let of = topics.first().and_then(|topic| instance_of(topic));
            let form = format!("expected one, such as \"instance-7-{ELEMENT}-events\"");
            of.map(Whose::Id).ok_or_else(|| Wrong::at("topics", form))
        });
        let [url] = body::fields(config.object()?.unwrap_or("{}"), ["config.url"])?;
        let missing = || Wrong::at("config.url", "missing: it says where events go");
        let text = url.string()?.filter(|text| !text.trim().is_empty());
        let url = read_address(text.ok_or_else(missing)?.trim());
        Ok(Self {
            whose: whose?,
            url: url.map_err(|why| Wrong::at("config.url", why))?,
        })
    }

    /// What makes the subscription: a callback, and events that are on.
    pub fn amendment(&self) -> Amendment {
        subscribed(self.url.as_str(), true)
    }
}

/// What ends a subscription: no callback, and events that are off, since without a callback they
/// would have nowhere to go.
pub fn unsubscribed() -> Amendment {
    subscribed("", false)
}

fn subscribed(url: &str, enabled: bool) -> Amendment {
    let mut configuration = Configuration::default();
    configuration.set(keys::CALLBACK_URL, url);
    configuration.set(keys::ENABLED, enabled.to_string());
    Amendment {
        configuration,
        ..Amendment::default()
    }
}

/// The instance that a topic is about.
fn instance_of(topic: &str) -> Option<InstanceId> {
    let topic = topic.strip_prefix("instance-")?.strip_suffix("-events")?;
    let (id, element) = topic.split_once('-')?;
    let digits = Some(id).filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
    let id = digits?.parse().ok().and_then(InstanceId::new)?;
    (element == ELEMENT).then_some(id)
}

impl DeliveryStatus {
    const ALL: [Self; 5] = [
        Self::Created,
        Self::Delivered,
        Self::Notified,
        Self::Retry,
        Self::Queued,
    ];

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

impl Filter {
    pub(super) fn read(query: Option<&str>) -> Result<Self, Wrong> {
        let mut filter = Self {
            paging: Paging::read(query)?,
            ..Self::default()
        };
        let name = "where";
        let condition = Query(query).one(name)?;
        for (place, condition) in conditions(condition.as_deref().unwrap_or_default()).enumerate() {
            let form = "expected conditions like channel='webhook' and status='queued'";
            let (field, value) = condition.ok_or_else(|| Wrong::at(name, form))?;
            if place == CONDITIONS_MAX {
                return Err(Wrong::at(name, "too many conditions"));
            }
            filter
                .narrow(field, value)
                .map_err(|why| Wrong::at(name, why))?;
        }
        Ok(filter)
    }

    fn narrow(&mut self, field: &str, value: String) -> Result<(), String> {
        match field {
            "channel" if value.eq_ignore_ascii_case(CHANNEL) => {}
            "channel" => return Err("channel: 'webhook' is the only one there is".into()),
            "status" => {
                let mut all = DeliveryStatus::ALL.into_iter();
                let status = all.find(|status| status.as_str() == value);
                let words = DeliveryStatus::ALL.map(DeliveryStatus::as_str).join(", ");
                let status = status.ok_or_else(|| format!("status: expected one of {words}"))?;
                self.status = Some(status);
            }
            "config.url" => self.url = Some(value),
            "subscriptionId" => {
                let number = value
                    .parse()
                    .map_err(|_| "subscriptionId: expected a number")?;
                self.subscription = Some(number);
            }
            _ => {
                return Err("expected channel, status, config.url or subscriptionId".into());
            }
        }
        Ok(())
    }

    /// Whether a delivery is meant.
    pub fn admits(&self, subscription: u32, url: &str, status: DeliveryStatus) -> bool {
        self.subscription
            .is_none_or(|wanted| wanted == subscription)
            && self.url.as_deref().is_none_or(|wanted| wanted == url)
            && self.status.is_none_or(|wanted| wanted == status)
    }
}

/// Conditions of one filter.
const CONDITIONS_MAX: usize = 16;

/// `name = 'value' and name = 'value' …`; `None` for what is no condition, which is the last then.
/// Two quotes in a value stand for one.
fn conditions(text: &str) -> impl Iterator<Item = Option<(&str, String)>> {
    let mut rest = text.trim();
    let mut is_first = true;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let found = condition(rest, std::mem::take(&mut is_first));
        rest = found
            .as_ref()
            .map_or("", |(_, _, after)| after.trim_start());
        Some(found.map(|(name, value, _)| (name, value)))
    })
}

fn condition(text: &str, is_first: bool) -> Option<(&str, String, &str)> {
    let text = if is_first { text } else { after_and(text)? };
    let (name, rest) = text.split_once('=')?;
    let mut rest = rest.trim_start().strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some((name.trim(), value, after)),
        }
    }
}

fn after_and(text: &str) -> Option<&str> {
    let (word, rest) = text.split_at_checked(3)?;
    let is_and = word.eq_ignore_ascii_case("and") && rest.starts_with(char::is_whitespace);
    is_and.then(|| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(condition: &str) -> Result<Filter, String> {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("where", condition)
            .finish();
        Filter::read(Some(&query)).map_err(|wrong| wrong.message)
    }

    #[test]
    fn the_documented_conditions_are_understood() {
        assert_eq!(read(""), Ok(Filter::default()));
        assert_eq!(Filter::read(None), Ok(Filter::default()));
        let queued = read("channel='webhook' and status='queued'").unwrap();
        assert_eq!(queued.status, Some(DeliveryStatus::Queued));
        let one = read(
            "channel = 'webhook' AND status='retry'  and config.url='https://a.example/o''b?x=1' and subscriptionId='7'",
        );
        let one = one.unwrap();
        assert_eq!(one.url.as_deref(), Some("https://a.example/o'b?x=1"));
        let url = one.url.clone().unwrap();
        assert!(one.admits(7, &url, DeliveryStatus::Retry));
        assert!(!one.admits(8, &url, DeliveryStatus::Retry));
        assert!(!one.admits(7, "https://a.example/", DeliveryStatus::Retry));
        assert!(!one.admits(7, &url, DeliveryStatus::Queued));
    }

    #[test]
    fn a_condition_that_is_none_is_told() {
        let form = "where: expected conditions like channel='webhook' and status='queued'";
        for (condition, why) in [
            ("status", form),
            ("status=queued", form),
            ("status='queued", form),
            ("status='queued' or status='retry'", form),
            ("status='queued' and", form),
            ("channel='webhook' andstatus='queued'", form),
            (
                "channel='email'",
                "where: channel: 'webhook' is the only one there is",
            ),
            (
                "status='QUEUED'",
                "where: status: expected one of created, delivered, notified, retry, queued",
            ),
            (
                "subscriptionId='x'",
                "where: subscriptionId: expected a number",
            ),
            (
                "id='1'",
                "where: expected channel, status, config.url or subscriptionId",
            ),
            (
                &vec!["channel='webhook'"; 17].join(" and "),
                "where: too many conditions",
            ),
        ] {
            assert_eq!(read(condition), Err(why.to_owned()), "{condition}");
        }
    }

    #[test]
    fn the_failure_policy_is_the_one_setting() {
        let read = |body| FailurePolicy::read(body).map_err(|wrong| wrong.message);
        let body = r#"{"notification.webhook.failure.policy":"queue","other":1}"#;
        assert_eq!(read(body), Ok(FailurePolicy::Queue));
        assert!(read("{}").unwrap_err().contains("missing"));
        let wrong = read(r#"{"notification.webhook.failure.policy":"drop"}"#);
        assert!(
            wrong
                .unwrap_err()
                .ends_with("expected \"retry\" or \"queue\"")
        );
    }
}
