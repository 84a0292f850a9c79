//! The keys that a configuration can have: their numbers, defaults and meaning.
//!
//! Sources: the pages on QuickBooks Online Events and on authenticating with QuickBooks Online, and
//! the element's configuration as its API showed it.

use crate::wire::digest::{first, sha256};

/// A key and what there is to know about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// Its number as a configuration item; never another one, because clients keep it.
    pub(super) id: u32,
    /// As it stands in a configuration.
    pub(super) key: &'static str,
    /// Its name for people.
    pub(super) name: &'static str,
    /// What it does, or that it does nothing here.
    pub(super) description: &'static str,
    /// What a form would show it as.
    pub(super) kind: &'static str,
    /// What it means when it is missing or empty; itself perhaps empty.
    pub(super) default: &'static str,
    /// Whether it has an effect.
    pub(super) has_effect: bool,
    /// Whether it has to be there before a company can be authorized.
    pub(super) is_required: bool,
}

const TEXT: &str = "TEXTFIELD_1000";
const SHORT: &str = "TEXTFIELD_128";
const AREA: &str = "TEXTAREA";
const BOOLEAN: &str = "BOOLEAN";
const PASSWORD: &str = "PASSWORD";

/// What a number begins with whose key is not in [`KEYS`].
const FOREIGN: u32 = 1 << 30;

/// All that is known, by number.
pub(super) const KEYS: [Key; 28] = [
    key(
        1,
        "authentication.type",
        "Authentication type",
        SHORT,
        "oauth2",
    )
    .says("oauth2; QuickBooks Online has nothing else"),
    key(2, "oauth.api.key", "API key", PASSWORD, "")
        .is_required()
        .says("Client id of the app at Intuit"),
    key(3, "oauth.api.secret", "API secret", PASSWORD, "")
        .is_required()
        .says("Client secret of the app at Intuit"),
    key(4, "oauth.callback.url", "Callback URL", TEXT, "")
        .is_required()
        .says("Redirect address of the app, exactly as Intuit has it"),
    key(
        5,
        "scope",
        "Scope",
        TEXT,
        "com.intuit.quickbooks.accounting",
    )
    .says("What a person is asked to consent to"),
    key(6, "oauth.user.token", "Access token", PASSWORD, "")
        .says("Access token of an owner who exchanged the code (externalAuthentication: initial)"),
    key(7, "oauth.user.refresh_token", "Refresh token", PASSWORD, "")
        .says("Refresh token of an owner who exchanged the code"),
    key(
        8,
        "oauth.user.refresh_interval",
        "Refresh interval",
        SHORT,
        "3600",
    )
    .says("Seconds that the access token lives; it is renewed at once, and then they are known"),
    key(9, "oauth.user.refresh_time", "Refresh time", SHORT, "").does_nothing(),
    key(10, "quickbooks.realm.id", "Company id", SHORT, "")
        .says("The QuickBooks company, where providerData.realmId does not name it"),
    key(11, "quickbooks.datasource", "Data source", SHORT, "QBO").does_nothing(),
    key(12, "quickbooks.minorversion", "Minor version", SHORT, "").does_nothing(),
    key(13, "use_sandbox", "Use sandbox", BOOLEAN, "false")
        .says("Whether the keys and the company are for development"),
    key(
        14,
        "filter.response.nulls",
        "Filter null values",
        BOOLEAN,
        "true",
    )
    .does_nothing(),
    key(
        15,
        "event.notification.enabled",
        "Events enabled",
        BOOLEAN,
        "false",
    )
    .says("Whether events leave for the instance"),
    key(
        16,
        "event.vendor.type",
        "Vendor event type",
        SHORT,
        "webhook",
    )
    .says("polling, webhook (also webhooks), or both with a comma between them"),
    key(
        17,
        CALLBACK_URL,
        "Event notification callback URL",
        TEXT,
        "",
    )
    .says("Where events are posted; without it they are only listed"),
    key(
        18,
        SIGNATURE_KEY,
        "Callback notification signature key",
        SHORT,
        "",
    )
    .says("Key of Elements-Webhook-Signature"),
    key(
        19,
        "event.notification.basic.username",
        "Event notification basic user name",
        SHORT,
        "",
    )
    .says("User name for Basic at the callback"),
    key(
        20,
        "event.notification.basic.password",
        "Event notification basic password",
        PASSWORD,
        "",
    )
    .says("Password for Basic at the callback"),
    key(
        21,
        CALLBACK_HEADERS,
        "Event notification callback headers",
        TEXT,
        "",
    )
    .says("Further header fields of a callback: a JSON object, or `name: value` in lines"),
    key(
        22,
        "event.notification.subscription.id",
        "Subscription id",
        SHORT,
        "",
    )
    .does_nothing(),
    key(
        23,
        "event.notification.instance.finder",
        "Instance finder",
        TEXT,
        FINDER,
    )
    .says("Does nothing here: notifications are told apart by the company's id"),
    key(
        24,
        REFRESH_INTERVAL,
        "Event poller refresh interval (mins)",
        SHORT,
        "15",
    )
    .says("Minutes from one poll to the next, 1 to 10080"),
    key(25, POLLER_URLS, "Objects to poll", AREA, "")
        .says("Resources that are polled, with |, commas or line breaks between them"),
    key(26, POLLER_CONFIGURATION, "Configure polling", AREA, "")
        .says("A JSON object; the names of its resources count where there are no objects to poll, and their time zones always"),
    key(27, OBJECTS, "Objects to monitor", AREA, "")
        .says("Resources that are polled, where neither of the two before names any"),
    key(28, "event.metadata", "Event metadata", AREA, "").does_nothing(),
];

pub(super) const ENABLED: &str = "event.notification.enabled";
pub(super) const CALLBACK_URL: &str = "event.notification.callback.url";
pub(super) const SIGNATURE_KEY: &str = "event.notification.signature.key";
pub(super) const CALLBACK_HEADERS: &str = "event.notification.callback.headers";
pub(super) const REFRESH_INTERVAL: &str = "event.poller.refresh_interval";
pub(super) const POLLER_URLS: &str = "event.poller.urls";
pub(super) const POLLER_CONFIGURATION: &str = "event.poller.configuration";
pub(super) const OBJECTS: &str = "event.objects";
const FINDER: &str = "quickbooks.realm.id|eventNotifications[*].realmId";

const fn key(
    id: u32,
    key: &'static str,
    name: &'static str,
    kind: &'static str,
    default: &'static str,
) -> Key {
    Key {
        id,
        key,
        name,
        description: "",
        kind,
        default,
        has_effect: true,
        is_required: false,
    }
}

impl Key {
    const fn says(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    const fn does_nothing(mut self) -> Self {
        self.description = "Kept and shown; does nothing here";
        self.has_effect = false;
        self
    }

    const fn is_required(mut self) -> Self {
        self.is_required = true;
        self
    }
}

/// What there is to know about a key.
pub(super) fn find(key: &str) -> Option<&'static Key> {
    KEYS.iter().find(|known| known.key == key)
}

/// The number of a key as a configuration item; for one that nobody knows, a number of its name.
pub(super) fn id(key: &str) -> u32 {
    match find(key) {
        Some(known) => known.id,
        None => {
            let digest = sha256("qbo-relay configuration item", &[key.as_bytes()]);
            FOREIGN | (u32::from_be_bytes(first(&digest)) >> 2)
        }
    }
}

/// Whether the value of a key must not be shown: it is among the known ones, or called like one.
pub(super) fn is_secret(key: &str) -> bool {
    let known = [
        "oauth.api.key",
        "oauth.api.secret",
        "oauth.user.token",
        "oauth.user.refresh_token",
        SIGNATURE_KEY,
        CALLBACK_HEADERS,
    ];
    let key = key.to_ascii_lowercase();
    let word = |word| key.contains(word);
    known.contains(&&*key) || word("password") || word("secret") || key.ends_with("token")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_has_a_number_of_its_own_and_words_for_people() {
        for (place, known) in (1..).zip(KEYS) {
            assert_eq!((id(known.key), known.id), (place, place), "{}", known.key);
            assert!(!known.name.is_empty() && !known.description.is_empty());
        }
        let foreign: BTreeSet<u32> = ["a", "b", ""].map(id).into();
        assert_eq!(foreign.len(), 3);
        let range = FOREIGN..=0x7fff_ffff;
        assert!(foreign.iter().all(|id| range.contains(id)));
    }

    #[test]
    fn secrets_are_known_and_guessed() {
        for secret in [
            "oauth.api.key",
            "oauth.api.secret",
            "password",
            "event.notification.basic.password",
            "event.notification.signature.key",
            "oauth.user.refresh_token",
            "My.Secret",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in [
            "scope",
            "oauth.callback.url",
            "oauth.user.refresh_interval",
            "username",
        ] {
            assert!(!is_secret(plain), "{plain}");
        }
    }
}
