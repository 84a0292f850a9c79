//! What the keys of a configuration mean.

use super::{Configuration, Wrong, keys, pollers};
use crate::model::{Interest, Polling, RealmId, Secret, Zone};
use crate::wire::url::Url;
use http::{HeaderName, HeaderValue};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What an owner wants by a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// What leaves for the instance; `None`: its events are off.
    pub events: Option<Interest>,
    /// `event.notification.callback.url`: an address with `http` or `https`.
    pub callback: Option<Url>,
    /// `event.notification.signature.key`.
    pub signature_key: Option<Secret>,
    /// `event.notification.basic.username` and `.password`.
    pub basic: Option<(String, Secret)>,
    /// `event.notification.callback.headers`.
    pub headers: Vec<(String, Secret)>,
    /// How Intuit is asked.
    pub oauth: Oauth,
    /// `quickbooks.realm.id` as given; see [`company`](super::draft::company).
    pub realm: Option<RealmId>,
    /// The time zones of kinds that are polled.
    pub zones: BTreeMap<String, Zone>,
    /// What is refused of a configuration that is new. What was kept before it was looked at is no
    /// reason to stop the instance, and goes on without it.
    pub refused: Option<Wrong>,
    /// What has no effect, or was not read as it stands.
    pub warnings: Vec<String>,
}

/// The keys of an app, and what a person's consent gave.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Oauth {
    /// `oauth.api.key`: the client id.
    pub key: Option<String>,
    /// `oauth.api.secret`: the client secret.
    pub secret: Option<Secret>,
    /// `oauth.callback.url`: the redirect address that the app has at Intuit.
    pub callback_url: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `use_sandbox`.
    pub sandbox: bool,
    /// `oauth.user.token`: the access token of an owner who exchanged the code.
    pub user_token: Option<Secret>,
    /// `oauth.user.refresh_token`.
    pub refresh_token: Option<Secret>,
}

impl Oauth {
    /// By which Intuit knows the app.
    pub fn keys(&self) -> (Option<&str>, Option<&Secret>, bool) {
        (self.key.as_deref(), self.secret.as_ref(), self.sandbox)
    }
}

/// Characters of an address (`TEXTFIELD_1000`) and of a signature key (`TEXTFIELD_128`).
const ADDRESS_CHARACTERS_MAX: usize = 1000;
const SHORT_CHARACTERS_MAX: usize = 128;

/// Minutes from one poll to the next: QuickBooks tells of changes of 30 days only, and who wants to
/// know of them wants it within a week.
const INTERVAL_MINUTES: RangeInclusive<u64> = 1..=7 * 24 * 60;

/// Seconds that an access token may live: an hour at Intuit.
const TOKEN_SECONDS: RangeInclusive<u64> = 1..=24 * 60 * 60;

/// Further header fields of a callback.
const HEADERS_MAX: usize = 32;

impl Configuration {
    /// What its owner wants by it. All that is set is checked, whether it has an effect now or not.
    ///
    /// # Errors
    /// 400 that names the key.
    pub fn terms(&self) -> Result<Terms, Wrong> {
        let reading = Reading(self);
        reading.check_authentication()?;
        let mut warnings = reading.warnings();
        let callback = reading.address(keys::CALLBACK_URL)?;
        let mut polled = reading.polled(&mut warnings)?;
        Ok(Terms {
            zones: std::mem::take(&mut polled.zones),
            refused: polled.bad_zone.take(),
            events: reading.events(polled, callback.is_some())?,
            callback,
            signature_key: reading.short(keys::SIGNATURE_KEY)?.map(Secret::new),
            basic: reading.basic()?,
            headers: reading.headers()?,
            oauth: reading.oauth()?,
            realm: reading.realm()?,
            warnings,
        })
    }
}

/// What is polled, and whether the keys that only a polling instance has said so.
struct Polled {
    polling: Option<Polling>,
    is_meant: bool,
    zones: BTreeMap<String, Zone>,
    bad_zone: Option<Wrong>,
}

struct Reading<'a>(&'a Configuration);

impl<'a> Reading<'a> {
    /// The value of a key, where there is one.
    fn text(&self, key: &str) -> Option<&'a str> {
        let value = self.0.get(key).map(str::trim);
        value.filter(|value| !value.is_empty())
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        self.text(key).map(Secret::new)
    }

    /// Text of at most [`SHORT_CHARACTERS_MAX`], with the white space that it has around it.
    fn short(&self, key: &str) -> Result<Option<&'a str>, Wrong> {
        let value = self.0.get(key).filter(|value| !value.is_empty());
        match value {
            Some(value) if value.chars().nth(SHORT_CHARACTERS_MAX).is_some() => {
                let why = format!("longer than {SHORT_CHARACTERS_MAX} characters");
                Err(Wrong::at(key, why))
            }
            value => Ok(value),
        }
    }

    fn boolean(&self, key: &str) -> Result<bool, Wrong> {
        match self.text(key) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(other) => Err(Wrong::at(key, expected("true or false", other))),
        }
    }

    fn number(&self, key: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Wrong> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        // No sign, no fraction, no exponent.
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse().ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let (least, most) = range.into_inner();
                let what = format!("a whole number from {least} to {most}");
                Err(Wrong::at(key, expected(&what, text)))
            }
        }
    }

    fn address(&self, key: &str) -> Result<Option<Url>, Wrong> {
        let read = self.text(key).map(read_address).transpose();
        read.map_err(|why| Wrong::at(key, why))
    }

    fn check_authentication(&self) -> Result<(), Wrong> {
        let key = "authentication.type";
        match self.text(key) {
            Some(other) if !other.eq_ignore_ascii_case("oauth2") => {
                let what = "oauth2 (QuickBooks Online has nothing else)";
                Err(Wrong::at(key, expected(what, other)))
            }
            _ => Ok(()),
        }
    }

    /// Keys that say something and do nothing.
    fn warnings(&self) -> Vec<String> {
        let set = self.0.iter().filter(|(_, value)| !value.trim().is_empty());
        set.filter_map(|(key, value)| match keys::find(key) {
            Some(known) if known.has_effect || value == known.default => None,
            Some(_) => Some(format!("{key}: it does nothing here")),
            None => Some(format!("{key}: there is no such key; it does nothing")),
        })
        .collect()
    }

    /// `event.poller.*`: the resources of the first key that names any.
    fn polled(&self, warnings: &mut Vec<String>) -> Result<Polled, Wrong> {
        let of = |key| pollers::kinds(key, self.text(key).unwrap_or_default());
        let named = [
            of(keys::POLLER_URLS)?,
            pollers::configured(
                keys::POLLER_CONFIGURATION,
                self.text(keys::POLLER_CONFIGURATION).unwrap_or_default(),
            )?,
            of(keys::OBJECTS)?,
        ];
        let minutes = self.number(keys::REFRESH_INTERVAL, INTERVAL_MINUTES)?;
        // Bodies without a vendor type were published: there the keys of a poller tell.
        let is_meant = named.iter().take(2).any(|named| !named.kinds.is_empty());
        let (mut kinds, mut zones, mut bad_zone) = (BTreeSet::new(), BTreeMap::new(), None);
        for found in named {
            warnings.extend(found.warnings);
            let bad = found
                .bad_zone
                .inspect(|bad| warnings.push(bad.message.clone()));
            bad_zone = bad_zone.or(bad);
            for (kind, zone) in found.zones {
                zones.entry(kind).or_insert(zone);
            }
            if kinds.is_empty() {
                kinds = found.kinds;
            }
        }
        zones.retain(|kind, _| kinds.contains(kind));
        let interval = Duration::from_secs(60 * minutes.unwrap_or(15));
        let polling = (!kinds.is_empty()).then_some(Polling { kinds, interval });
        Ok(Polled {
            polling,
            is_meant,
            zones,
            bad_zone,
        })
    }

    fn events(&self, polled: Polled, calls_back: bool) -> Result<Option<Interest>, Wrong> {
        let key = "event.vendor.type";
        let separates = |c: char| "|,;".contains(c) || c.is_whitespace();
        let (mut polling, mut webhook) = (false, false);
        let types = self.text(key).unwrap_or_default();
        for word in types.split(separates).filter(|word| !word.is_empty()) {
            match word.to_ascii_lowercase().as_str() {
                "polling" => polling = true,
                "webhook" | "webhooks" => webhook = true,
                _ => {
                    let what = "polling, webhook, or both with a comma between them";
                    return Err(Wrong::at(key, expected(what, word)));
                }
            }
        }
        if !polling && !webhook {
            (polling, webhook) = (polled.is_meant, !polled.is_meant);
        }
        if !self.boolean("event.notification.enabled")? {
            return Ok(None);
        }
        if polling && polled.polling.is_none() {
            let why = "names no resource; with polling it has to, for example invoices|customers";
            return Err(Wrong::at(keys::POLLER_URLS, why));
        }
        Ok(Some(Interest {
            webhook,
            polling: polled.polling.filter(|_| polling),
            calls_back,
        }))
    }

    fn basic(&self) -> Result<Option<(String, Secret)>, Wrong> {
        let user_key = "event.notification.basic.username";
        let password_key = "event.notification.basic.password";
        let (user, password) = (self.short(user_key)?, self.short(password_key)?);
        match (user, password) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Wrong::at(user_key, "missing beside the password")),
            (Some(user), _) if user.contains(':') || user.contains(char::is_control) => {
                let why = "a user name for Basic has neither colons nor control characters";
                Err(Wrong::at(user_key, why))
            }
            (Some(user), password) => {
                let password = Secret::new(password.unwrap_or_default());
                Ok(Some((user.to_owned(), password)))
            }
        }
    }

    /// A JSON object of text, or `name: value` in lines.
    fn headers(&self) -> Result<Vec<(String, Secret)>, Wrong> {
        let key = keys::CALLBACK_HEADERS;
        let wrong = |why: &str| Wrong::at(key, why);
        let text = self.text(key).unwrap_or_default();
        let pairs = if text.starts_with('{') {
            let read = serde_json::from_str::<BTreeMap<String, String>>(text);
            // The error of serde_json may quote a value.
            let why = |_| wrong("expected a JSON object of names and texts");
            read.map_err(why)?.into_iter().collect()
        } else {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let pair = |line: &str| {
                let (name, value) = line.split_once(':')?;
                Some((name.trim().to_owned(), value.trim().to_owned()))
            };
            let pairs: Option<Vec<_>> = lines.map(pair).collect();
            pairs.ok_or_else(|| wrong("expected lines of `name: value`, or a JSON object"))?
        };
        if pairs.len() > HEADERS_MAX {
            return Err(wrong(&format!("more than {HEADERS_MAX} header fields")));
        }
        for (place, (name, value)) in (1..).zip(&pairs) {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(wrong(&format!(
                    "field {place} has no name that a header can have"
                )));
            }
            if HeaderValue::from_str(value).is_err() {
                return Err(wrong(&format!(
                    "{name} has a value that a header cannot have"
                )));
            }
        }
        let pairs = pairs.into_iter();
        Ok(pairs
            .map(|(name, value)| (name, Secret::new(value)))
            .collect())
    }

    fn oauth(&self) -> Result<Oauth, Wrong> {
        let redirect = "oauth.callback.url";
        self.number("oauth.user.refresh_interval", TOKEN_SECONDS)?;
        Ok(Oauth {
            key: self.text("oauth.api.key").map(str::to_owned),
            secret: self.secret("oauth.api.secret"),
            // Sent to Intuit letter by letter as it is registered there.
            callback_url: (self.address(redirect)?.and(self.text(redirect))).map(str::to_owned),
            scope: self.text("scope").map(str::to_owned),
            sandbox: self.boolean("use_sandbox")?,
            user_token: self.secret("oauth.user.token"),
            refresh_token: self.secret("oauth.user.refresh_token"),
        })
    }

    fn realm(&self) -> Result<Option<RealmId>, Wrong> {
        let key = "quickbooks.realm.id";
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let realm = RealmId::new(text);
        let why = || Wrong::at(key, expected("the number of a company", text));
        realm.map(Some).ok_or_else(why)
    }
}

/// An address that something can be posted to, or a browser be sent to.
pub(super) fn read_address(text: &str) -> Result<Url, String> {
    if text.chars().nth(ADDRESS_CHARACTERS_MAX).is_some() {
        return Err(format!("longer than {ADDRESS_CHARACTERS_MAX} characters"));
    }
    let scheme = text.split("//").next().unwrap_or_default();
    if matches!(scheme, "http;" | "https;") {
        return Err(format!(
            "{scheme}// has a semicolon where a colon has to be, as in https://erp.example/hook"
        ));
    }
    Url::parse(text).map_err(|bad| bad.to_string())
}

/// Says what was there instead, shortly.
fn expected(what: &str, found: &str) -> String {
    let short: String = found.chars().take(40).collect();
    let more = if short.len() < found.len() { "…" } else { "" };
    format!("expected {what}, found {short:?}{more}")
}
