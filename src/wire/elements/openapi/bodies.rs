//! What is sent: instances, items of a configuration, settings.

use super::keys::{self, KEYS, Key};
use super::named;
use serde_json::{Map, Value, json};

/// An address with a host, or nothing.
pub(super) const ADDRESS: &str =
    "^(https?://[a-z][a-z0-9.-]{0,60}(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~/-]{0,200})?)?$";

/// What an instance is to be.
pub(super) fn instances() -> Value {
    json!({
        "Draft": draft(&["element"]),
        "DraftOfElement": draft(&[]),
        "Amendment": draft(&[]),
        "ElementName": {
            "type": "object",
            "properties": {
                "key": { "type": "string", "enum": ["quickbooks"] },
                "id": { "type": "integer", "enum": [39] },
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
    let mut schema = json!({
        "type": "object",
        "properties": {
            "element": named("ElementName"),
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

/// Every key with what is checked of its value. Values are kept and shown as text, whatever they
/// are.
fn configuration() -> Value {
    let property = |known: &Key| {
        let mut schema = check(known.key, known.kind);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), json!(known.description));
            object.insert("nullable".into(), json!(true));
        }
        (known.key.to_owned(), schema)
    };
    json!({
        "type": "object",
        "nullable": true,
        "maxProperties": 256,
        "properties": KEYS.iter().map(property).collect::<Map<_, _>>(),
    })
}

fn check(key: &str, kind: &str) -> Value {
    match key {
        "authentication.type" => json!({ "type": "string", "enum": ["oauth2", "", null] }),
        "event.vendor.type" => json!({
            "type": "string",
            "enum": ["polling", "webhook", "webhooks", "webhook,polling", "polling,webhooks", "", null],
        }),
        "oauth.callback.url" | keys::CALLBACK_URL => json!({
            "type": "string",
            "maxLength": 1000,
            "pattern": ADDRESS,
        }),
        keys::SIGNATURE_KEY => json!({ "maxLength": 128 }),
        "event.notification.basic.username" => json!({
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{0,128}$",
        }),
        keys::REFRESH_INTERVAL => number("^([1-9][0-9]{0,3})?$", 1, 10_080),
        "oauth.user.refresh_interval" => number("^([1-9][0-9]{0,3})?$", 1, 86_400),
        keys::POLLER_URLS | keys::OBJECTS => json!({
            "type": "string",
            "pattern": "^((invoices|customers|bills|vendors|payments)([|,;\\n]|$)){0,5}$",
        }),
        keys::POLLER_CONFIGURATION => json!({
            "type": "object",
            "properties": { "invoices": { "type": "object" }, "customers": { "type": "object" } },
            "additionalProperties": false,
        }),
        keys::CALLBACK_HEADERS => json!({
            "type": "object",
            "properties": { "X-Name": { "type": "string", "pattern": "^[A-Za-z0-9]*$" } },
            "additionalProperties": false,
        }),
        "quickbooks.realm.id" => json!({
            "anyOf": [
                { "type": "string", "pattern": "^[0-9]{0,64}$" },
                { "type": "integer", "minimum": 0 },
            ],
        }),
        _ if kind == "BOOLEAN" && key != "filter.response.nulls" => json!({
            "anyOf": [
                { "type": "boolean" },
                { "type": "string", "enum": ["true", "false", ""] },
            ],
        }),
        _ => json!({}),
    }
}

fn number(pattern: &str, least: u32, most: u32) -> Value {
    json!({
        "anyOf": [
            { "type": "string", "pattern": pattern },
            { "type": "integer", "minimum": least, "maximum": most },
        ],
    })
}
