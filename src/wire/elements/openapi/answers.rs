//! What comes back.

use super::{array_of, named};
use serde_json::{Map, Value, json};

/// Instances and small answers.
pub(super) fn instances() -> Value {
    json!({
        "Instance": instance(),
        "ConfigurationItem": object(&[
            ("id", integer()),
            ("key", string()),
            ("name", string()),
            ("propertyValue", string()),
            ("type", string()),
            ("active", boolean()),
            ("required", boolean()),
            ("hideFromConsole", boolean()),
            ("description", string()),
            ("defaultValue", string()),
        ], &[]),
        "OauthUrl": object(&[("oauthUrl", string()), ("element", string())], &[]),
        "Nothing": { "type": "object", "maxProperties": 0 },
        "Error": object(&[
            ("requestId", json!({ "type": "string", "pattern": "^[0-9a-f]{24}$" })),
            ("message", string()),
        ], &[("providerMessage", string())]),
    })
}

/// Events, what became of them, and how many there were.
pub(super) fn events() -> Value {
    json!({
        "StandardEvent": object(&[
            ("elementKey", string()),
            ("eventType", json!({
                "type": "string",
                "enum": ["CREATED", "UPDATED", "DELETED", "UNKNOWN"],
            })),
            ("hubKey", string()),
            ("objectId", string()),
            ("objectType", string()),
        ], &[("date", date()), ("pollDate", date())]),
        "Event": object(&[
            ("id", string()),
            ("eventDate", date()),
            ("status", json!({
                "type": "string",
                "enum": ["NEW", "RECEIVED", "DISPATCHED", "CONSUMED", "NOTIFIED"],
            })),
            ("providerData", string()),
            ("notifiedData", array_of("StandardEvent")),
            ("eventElementInstances", json!({
                "type": "array",
                "items": object(&[
                    ("eventId", string()),
                    ("elementInstanceId", integer()),
                    ("notificationId", integer()),
                    ("notifiedData", string()),
                    ("createdDate", date()),
                    ("updatedDate", date()),
                ], &[]),
            })),
        ], &[]),
        "Disposition": object(&[
            ("eventId", string()),
            ("elementInstanceId", integer()),
            ("notificationData", json!({
                "type": "array",
                "items": object(&[("message", string())], &[]),
            })),
        ], &[]),
        "Span": object(&span(), &[]),
        "SpanOfAccounts": records("accountId"),
        "SpanOfInstances": records("instanceId"),
    })
}

/// Subscriptions and deliveries.
pub(super) fn notifications() -> Value {
    json!({
        "Subscription": object(&[
            ("id", integer()),
            ("channel", json!({ "type": "string", "enum": ["webhook"] })),
            ("topics", strings()),
            ("config", object(&[("url", string())], &[])),
            ("active", boolean()),
        ], &[]),
        "Delivery": object(&[
            ("notificationId", integer()),
            ("subscriptionId", integer()),
            ("status", json!({
                "type": "string",
                "enum": ["created", "delivered", "notified", "retry", "queued"],
            })),
            ("createdDate", date()),
            ("updatedDate", date()),
            ("notification", named("Notification")),
            ("subscription", named("Subscription")),
        ], &[]),
        "Notification": object(&[
            ("id", integer()),
            ("from", string()),
            ("topic", string()),
            ("severity", json!({ "type": "string", "enum": ["low", "medium", "high"] })),
            ("message", string()),
            ("createdDate", date()),
            ("active", boolean()),
            ("acknowledged", boolean()),
        ], &[]),
    })
}

fn instance() -> Value {
    let element = object(
        &[
            ("id", integer()),
            ("name", string()),
            ("hookName", string()),
            ("key", string()),
        ],
        &[
            ("description", string()),
            ("image", string()),
            ("active", boolean()),
            ("deleted", boolean()),
            ("typeOauth", boolean()),
            ("trialAccount", boolean()),
            ("configDescription", string()),
            ("signupURL", string()),
            ("defaultTransformations", empty()),
            ("objectMetadata", empty()),
            ("transformationsEnabled", boolean()),
            ("bulkDownloadEnabled", boolean()),
            ("bulkUploadEnabled", boolean()),
            ("cloneable", boolean()),
            ("extendable", boolean()),
            ("beta", boolean()),
            ("authentication", object(&[("type", string())], &[])),
            ("extended", boolean()),
            ("hub", string()),
            ("protocolType", string()),
            ("parameters", empty()),
            ("private", boolean()),
        ],
    );
    let configuration = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let user = object(
        &[
            ("id", integer()),
            ("emailAddress", string()),
            ("firstName", string()),
            ("lastName", string()),
        ],
        &[],
    );
    let external = json!({ "type": "string", "enum": ["none", "initial"] });
    object(
        &[
            ("id", integer()),
            ("name", string()),
            ("createdDate", date()),
            (
                "token",
                json!({
                    "type": "string",
                    "description": "The element token, when it was just made and for the Organization; \
                                    ******** for others.",
                }),
            ),
            ("element", element),
            ("elementId", integer()),
            ("tags", strings()),
            ("provisionInteractions", empty()),
            ("valid", boolean()),
            ("disabled", boolean()),
            ("maxCacheSize", integer()),
            ("cacheTimeToLive", integer()),
            ("configuration", configuration),
            ("eventsEnabled", boolean()),
            ("traceLoggingEnabled", boolean()),
            ("cachingEnabled", boolean()),
            ("externalAuthentication", external),
            ("user", user),
        ],
        &[
            ("eventsNotificationCallbackUrl", string()),
            ("pollingDisabledDate", date()),
            ("pollingDisabledReason", string()),
            ("warnings", strings()),
        ],
    )
}

fn span() -> [(&'static str, Value); 3] {
    [
        ("timestamp", date()),
        ("count", integer()),
        ("total", integer()),
    ]
}

fn records(of: &'static str) -> Value {
    let record = object(
        &[
            ("count", integer()),
            ("success", integer()),
            ("failed", integer()),
            (of, integer()),
        ],
        &[],
    );
    let records = json!({ "type": "array", "items": record });
    let properties: Vec<_> = span().into_iter().chain([("records", records)]).collect();
    object(&properties, &[])
}

/// An object that has these properties, perhaps those, and no others.
fn object(always: &[(&str, Value)], perhaps: &[(&str, Value)]) -> Value {
    let properties = always.iter().chain(perhaps);
    let properties = properties.map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    let required: Vec<&str> = always.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "required": required,
        "properties": properties.collect::<Map<_, _>>(),
        "additionalProperties": false,
    })
}

fn string() -> Value {
    json!({ "type": "string" })
}

fn strings() -> Value {
    json!({ "type": "array", "items": string() })
}

fn date() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn integer() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0 })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}

fn empty() -> Value {
    json!({ "type": "array", "maxItems": 0, "items": {} })
}
