//! Segments of paths, and parameters of queries.

use super::bodies::ADDRESS;
use serde_json::{Map, Value, json};

/// Conditions on deliveries.
const CONDITION: &str = "(channel='webhook'|status='(created|delivered|notified|retry|queued)'\
                         |subscriptionId='[1-9][0-9]{0,7}')";

/// References to parameters by their names.
pub(super) fn references(names: &[&str]) -> Value {
    let reference = |name: &&str| json!({ "$ref": format!("#/components/parameters/{name}") });
    names.iter().map(reference).collect()
}

/// All parameters by their names, which is `tags` for `tags[]`.
pub(super) fn parameters() -> Value {
    let mut parameters = Map::new();
    for (name, schema) in segments() {
        let parameter = json!({ "name": name, "in": "path", "required": true, "schema": schema });
        parameters.insert(name.into(), parameter);
    }
    for (name, description, schema) in paging().into_iter().chain(consent()) {
        let is_required = ["apiKey", "callbackUrl"].contains(&name);
        let spelled = if name == "tags" { "tags[]" } else { name };
        let parameter = json!({
            "name": spelled,
            "in": "query",
            "required": is_required,
            "description": description,
            "schema": schema,
        });
        parameters.insert(name.into(), parameter);
    }
    Value::Object(parameters)
}

fn segments() -> [(&'static str, Value); 5] {
    let integer =
        |least: u32, most: u32| json!({ "type": "integer", "minimum": least, "maximum": most });
    [
        ("id", integer(1, i32::MAX.unsigned_abs())),
        ("item", integer(0, i32::MAX.unsigned_abs())),
        ("account", integer(0, u32::MAX)),
        (
            "element",
            json!({ "type": "string", "enum": ["quickbooks", "39"] }),
        ),
        (
            "event",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{20}$" }),
        ),
    ]
}

fn paging() -> [(&'static str, &'static str, Value); 9] {
    let text = || json!({ "type": "string" });
    let time = || json!({ "type": "string", "format": "date-time" });
    let intervals = [
        "year", "quarter", "month", "week", "day", "hour", "minute", "second",
    ];
    let conditions = format!("^({CONDITION}( and {CONDITION}){{0,3}})?$");
    [
        (
            "searchText",
            "Text in the name or a tag, in any case",
            text(),
        ),
        (
            "tags",
            "Tags that an instance has, all of them",
            json!({ "type": "array", "maxItems": 64, "items": text() }),
        ),
        (
            "hydrate",
            "With configuration and all of the element",
            json!({ "type": "boolean", "default": true }),
        ),
        (
            "pageSize",
            "Entries of a page",
            json!({ "type": "integer", "minimum": 1, "maximum": 2000, "default": 200 }),
        ),
        (
            "nextPage",
            "What the page before had in elements-next-page-token",
            json!({ "type": "string", "pattern": "^[0-9]{1,9}$" }),
        ),
        ("from", "First instant", time()),
        (
            "to",
            "Instant after the last; for analytics, the last",
            time(),
        ),
        (
            "interval",
            "Length of a span, of which there may be 1500",
            json!({ "type": "string", "enum": intervals, "default": "hour" }),
        ),
        (
            "where",
            "Conditions on channel, status, config.url and subscriptionId, with `and` between them",
            json!({ "type": "string", "pattern": conditions }),
        ),
    ]
}

fn consent() -> [(&'static str, &'static str, Value); 6] {
    let text = || json!({ "type": "string" });
    [
        (
            "apiKey",
            "Client id of the app",
            json!({ "type": "string", "minLength": 1 }),
        ),
        ("apiSecret", "Client secret of the app; not needed", text()),
        (
            "callbackUrl",
            "Redirect address of the app",
            json!({ "type": "string", "minLength": 1, "pattern": ADDRESS }),
        ),
        ("scope", "What consent is asked for", text()),
        ("state", "Comes back with the code", text()),
        (
            "authentication.type",
            "There is nothing else",
            json!({ "type": "string", "enum": ["oauth2"] }),
        ),
    ]
}
