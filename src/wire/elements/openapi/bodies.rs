//! What is sent: instances, items of a configuration, settings.

use super::keys::{KEYS, Key};
use super::named;
use serde_json::{Map, Value, json};

/// An address with a host, or nothing. Wider than what is taken, because a pattern cannot say all of
/// it; whatever is taken is in it.
pub(super) const ADDRESS: &str = concat!(
    r"^([Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9!$&'()*+,;=~_.%:\[\]-]+",
    r"([/?][^\\#\s]*)?)?$"
);

/// The key of the element in any case, or its number.
const ELEMENT_NAME: &str = "^([Qq][Uu][Ii][Cc][Kk][Bb][Oo][Oo][Kk][Ss]|39)$";

/// The topic of an instance's events.
const TOPIC: &str = "^instance-0*[1-9][0-9]{0,9}-quickbooks-events$";

/// What an instance is to be.
pub(super) fn instances() -> Value {
    json!({
        "Draft": draft(&["element"]),
        "DraftOfElement": draft(&[]),
        "Amendment": draft(&[]),
        "ElementName": {
            "type": "object",
            "properties": {
                "key": { "type": "string", "nullable": true, "pattern": ELEMENT_NAME },
                "id": {
                    "anyOf": [
                        { "type": "integer", "enum": [39] },
                        { "type": "string", "pattern": ELEMENT_NAME },
                    ],
                    "nullable": true,
                },
            },
            "anyOf": [{ "required": ["key"] }, { "required": ["id"] }],
        },
        "ProviderData": {
            "type": "object",
            "nullable": true,
            "properties": {
                "code": {
                    "type": "string",
                    "nullable": true,
                    "maxLength": 1024,
                    "description": "What the redirect from Intuit's consent page had; good for one exchange.",
                },
                "realmId": {
                    "anyOf": [
                        { "type": "string", "pattern": "^[0-9]{0,64}$" },
                        { "type": "integer", "minimum": 0 },
                    ],
                    "nullable": true,
                    "description": "The QuickBooks company, as the redirect had it.",
                },
            },
        },
        "Configuration": configuration(),
    })
}

/// What else is sent.
pub(super) fn others() -> Value {
    json!({
        "Setting": {
            "type": "object",
            "required": ["propertyValue"],
            "properties": {
                "propertyValue": {
                    "anyOf": [
                        { "type": "string" },
                        { "type": "boolean" },
                        { "type": "number" },
                        { "type": "array", "items": {} },
                        { "type": "object" },
                    ],
                },
            },
        },
        "Settings": {
            "type": "object",
            "required": ["notification.webhook.failure.policy"],
            "properties": {
                "notification.webhook.failure.policy": {
                    "type": "string",
                    "enum": ["retry", "queue"],
                    "description": "retry: a callback that fails is tried again, and its subscription \
                                    paused when the tries are used up; queue: it is paused at once. \
                                    What comes while it is paused waits for a re-send.",
                },
            },
        },
        "SubscriptionDraft": {
            "type": "object",
            "required": ["config"],
            "properties": {
                "channel": { "type": "string", "nullable": true, "enum": ["webhook", null] },
                "topics": {
                    "type": "array",
                    "nullable": true,
                    "minItems": 1,
                    "maxItems": 1,
                    "items": { "type": "string", "pattern": TOPIC },
                    "description": "The instance whose events it has; without any, the one of the token.",
                },
                "config": {
                    "type": "object",
                    "required": ["url"],
                    "properties": {
                        "url": {
                            "type": "string",
                            "minLength": 1,
                            "pattern": ADDRESS,
                            "description": "Becomes event.notification.callback.url of the instance.",
                        },
                    },
                },
                "active": { "type": "boolean", "nullable": true, "enum": [true, null] },
            },
        },
        "OauthQuestion": {
            "type": "object",
            "required": ["apiKey", "callbackUrl"],
            "properties": {
                "apiKey": { "type": "string", "minLength": 1, "description": "Client id of the app." },
                "apiSecret": { "type": "string", "nullable": true },
                "callbackUrl": {
                    "type": "string",
                    "minLength": 1,
                    "pattern": ADDRESS,
                    "description": "Redirect address of the app.",
                },
                "scope": { "type": "string", "nullable": true },
                "state": { "type": "string", "nullable": true },
            },
        },
    })
}

fn draft(required: &[&str]) -> Value {
    let element = match required.contains(&"element") {
        true => named("ElementName"),
        false => json!({ "nullable": true, "allOf": [named("ElementName")] }),
    };
    let mut schema = json!({
        "type": "object",
        "properties": {
            "element": element,
            "name": { "type": "string", "nullable": true, "maxLength": 255 },
            "tags": {
                "type": "array",
                "nullable": true,
                "maxItems": 64,
                "items": { "type": "string", "maxLength": 255 },
            },
            "providerData": named("ProviderData"),
            "configuration": named("Configuration"),
            "externalAuthentication": {
                "type": "string",
                "nullable": true,
                "enum": ["none", "initial", null],
                "description": "initial: the owner exchanged the code, and gives oauth.user.token \
                                and oauth.user.refresh_token.",
            },
        },
    });
    if let (Some(object), false) = (schema.as_object_mut(), required.is_empty()) {
        object.insert("required".into(), json!(required));
    }
    schema
}

/// Every key with what it means. Values of any type are taken as text, and what is checked of the text
/// a schema cannot say: lists have many separators, and white space counts for nothing.
fn configuration() -> Value {
    let property = |known: &Key| {
        let schema = json!({ "description": known.description });
        (known.key.to_owned(), schema)
    };
    json!({
        "type": "object",
        "nullable": true,
        "maxProperties": 256,
        "properties": KEYS.iter().map(property).collect::<Map<_, _>>(),
    })
}
