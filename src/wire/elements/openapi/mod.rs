//! The OpenAPI description of the interface (OpenAPI 3.0.3), for people, generators and checkers.
//!
//! [`operations`] has what can be asked, [`parameters`] what it is asked with, [`bodies`] what is sent,
//! [`answers`] what comes back.

mod answers;
mod bodies;
mod operations;
mod parameters;

use super::{BASE, keys};
use serde_json::{Value, json};

/// The description as JSON. The address of the interface in it has no host, so that it is the one
/// that the description was asked of.
pub fn document() -> Vec<u8> {
    let document = json!({
        "openapi": "3.0.3",
        "info": {
            "title": "qbo-relay: instances of the Open Connectors interface",
            "description": "An instance is a QuickBooks company whose standardized events are \
                            posted to a callback: as Intuit notifies them, as polls find them, or \
                            both.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": BASE }],
        "security": [{ "secrets": [] }],
        "paths": operations::paths(),
        "components": {
            "securitySchemes": {
                "secrets": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`User <secret>, Organization <secret>` for everything; \
                                    `User <secret>, Element <token>` for the instance of the \
                                    token. The pairs may come in any order.",
                },
            },
            "schemas": schemas(),
            "parameters": parameters::parameters(),
            "headers": operations::headers(),
            "responses": operations::refusals(),
        },
    });
    serde_json::to_vec(&document).expect("values can be written as JSON")
}

fn schemas() -> Value {
    let groups = [
        answers::instances(),
        answers::events(),
        answers::notifications(),
        bodies::instances(),
        bodies::others(),
    ];
    let objects = groups.into_iter().filter_map(|group| match group {
        Value::Object(schemas) => Some(schemas),
        _ => None,
    });
    Value::Object(objects.flatten().collect())
}

/// The schema of this name.
fn named(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn array_of(schema: &str) -> Value {
    json!({ "type": "array", "items": named(schema) })
}

#[cfg(test)]
mod tests;
