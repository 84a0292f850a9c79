//! Instances and their configurations.

use super::{date, json};
use crate::model::Instance;
use crate::wire::elements::configuration::mask;
use crate::wire::elements::keys::{self, CALLBACK_URL, KEYS, Key};
use crate::wire::elements::{Configuration, ELEMENT, ELEMENT_ID, ExternalAuthentication};
use serde::Serialize;
use std::collections::BTreeMap;

/// An instance and what is told of it.
#[derive(Clone, Debug)]
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
    /// The address of that user.
    pub user: &'a str,
    /// What of it does nothing, or should be otherwise.
    pub warnings: Vec<String>,
}

/// One instance.
pub fn instance(shown: &Shown<'_>) -> Vec<u8> {
    json(&Answer::new(shown, true))
}

/// A list of instances; without configuration, and with less of the element, unless `hydrate`.
pub fn instances(list: &[Shown<'_>], hydrate: bool) -> Vec<u8> {
    let list = list.iter().map(|shown| Answer::new(shown, hydrate));
    json(&list.collect::<Vec<_>>())
}

/// All items of a configuration: those that can be set, and those that are.
pub fn configuration(configuration: &Configuration) -> Vec<u8> {
    let known = KEYS.iter().map(|known| Item::known(known, configuration));
    let foreign = configuration
        .iter()
        .filter(|(key, _)| keys::find(key).is_none());
    let foreign = foreign.map(|(key, value)| Item::foreign(key, value));
    json(&known.chain(foreign).collect::<Vec<_>>())
}

/// One item; `None` where there is none with this number.
pub fn configuration_item(configuration: &Configuration, item: u32) -> Option<Vec<u8>> {
    let key = configuration.key_of(item)?;
    Some(json(&match keys::find(key) {
        Some(known) => Item::known(known, configuration),
        None => Item::foreign(key, configuration.get(key)?),
    }))
}

/// The keys of the documented answer in their order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    id: u32,
    name: &'a str,
    created_date: String,
    token: &'a str,
    element: Element,
    element_id: u32,
    tags: &'a [String],
    provision_interactions: [(); 0],
    valid: bool,
    disabled: bool,
    max_cache_size: u32,
    cache_time_to_live: u32,
    configuration: BTreeMap<&'a str, &'a str>,
    events_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    events_notification_callback_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    polling_disabled_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    polling_disabled_reason: Option<&'a str>,
    trace_logging_enabled: bool,
    caching_enabled: bool,
    external_authentication: &'static str,
    user: User<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    id: u32,
    email_address: &'a str,
    first_name: &'static str,
    last_name: &'static str,
}

impl<'a> Answer<'a> {
    fn new(shown: &Shown<'a>, hydrate: bool) -> Self {
        let Instance { id, draft, .. } = shown.instance;
        let configuration = shown.configuration;
        let stopped = shown.instance.polling_stopped.as_ref();
        let callback = configuration.get(CALLBACK_URL);
        Self {
            id: id.as_u32(),
            name: &draft.name,
            created_date: date(shown.instance.created_at),
            token: shown.token,
            element: Element::new(hydrate),
            element_id: ELEMENT_ID,
            tags: &draft.tags,
            provision_interactions: [],
            valid: shown.valid,
            disabled: shown.instance.disabled_at.is_some(),
            max_cache_size: 0,
            cache_time_to_live: 0,
            configuration: configuration.masked().filter(|_| hydrate).collect(),
            events_enabled: draft.events.is_some(),
            events_notification_callback_url: callback.filter(|url| !url.is_empty()),
            polling_disabled_date: stopped.map(|(since, _)| date(*since)),
            polling_disabled_reason: stopped.map(|(_, why)| &**why),
            trace_logging_enabled: shown.trace_logging,
            caching_enabled: false,
            external_authentication: shown.external_authentication.as_str(),
            user: User {
                id: shown.user_id,
                email_address: shown.user,
                first_name: "",
                last_name: "",
            },
            warnings: shown.warnings.clone(),
        }
    }
}

/// The one element there is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    id: u32,
    name: &'static str,
    hook_name: &'static str,
    key: &'static str,
    #[serde(flatten)]
    more: Option<ElementFacts>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ElementFacts {
    description: &'static str,
    image: &'static str,
    active: bool,
    deleted: bool,
    type_oauth: bool,
    trial_account: bool,
    config_description: &'static str,
    #[serde(rename = "signupURL")]
    signup_url: &'static str,
    default_transformations: [(); 0],
    object_metadata: [(); 0],
    transformations_enabled: bool,
    bulk_download_enabled: bool,
    bulk_upload_enabled: bool,
    cloneable: bool,
    extendable: bool,
    beta: bool,
    authentication: Authentication,
    extended: bool,
    hub: &'static str,
    protocol_type: &'static str,
    parameters: [(); 0],
    private: bool,
}

#[derive(Serialize)]
struct Authentication {
    r#type: &'static str,
}

impl Element {
    fn new(whole: bool) -> Self {
        let facts = || ElementFacts {
            description: "Events of a QuickBooks Online company, by webhook and by polling.",
            image: "elements/provider_quickbooks.png",
            active: true,
            deleted: false,
            type_oauth: true,
            trial_account: false,
            config_description: "Needs an app at Intuit and a person's consent for the company.",
            signup_url: "http://quickbooks.intuit.com/signup/",
            default_transformations: [],
            object_metadata: [],
            transformations_enabled: false,
            bulk_download_enabled: false,
            bulk_upload_enabled: false,
            cloneable: false,
            extendable: false,
            beta: false,
            authentication: Authentication { r#type: "oauth2" },
            extended: false,
            hub: "finance",
            protocol_type: "http",
            parameters: [],
            private: false,
        };
        Self {
            id: ELEMENT_ID,
            name: "QuickBooks Online",
            hook_name: "QuickBooksOnline",
            key: ELEMENT,
            more: whole.then(facts),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    id: u32,
    key: &'a str,
    name: &'a str,
    property_value: &'a str,
    r#type: &'static str,
    active: bool,
    required: bool,
    hide_from_console: bool,
    description: &'static str,
    default_value: &'static str,
}

impl<'a> Item<'a> {
    fn known(known: &'static Key, configuration: &'a Configuration) -> Self {
        let value = configuration.get(known.key).unwrap_or(known.default);
        Self {
            id: known.id,
            key: known.key,
            name: known.name,
            property_value: mask(known.key, value),
            r#type: known.kind,
            active: known.has_effect,
            required: known.is_required,
            hide_from_console: false,
            description: known.description,
            default_value: known.default,
        }
    }

    fn foreign(key: &'a str, value: &'a str) -> Self {
        Self {
            id: keys::id(key),
            key,
            name: key,
            property_value: mask(key, value),
            r#type: "TEXTFIELD_1000",
            active: false,
            required: false,
            hide_from_console: false,
            description: "Kept and shown; does nothing here",
            default_value: "",
        }
    }
}
