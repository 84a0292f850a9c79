//! The pages for programs: the service, its operation and its types as data.

use super::super::OPERATION;
use super::super::format::Format;
use super::types::Wanted;
use super::{FORMATS, JSON, Metadata, NAME, Page, types};
use serde_json::{Map, Value, json};

impl Metadata {
    /// The index of operations.
    pub fn index(&self) -> Page {
        page(&json!({
            "operations": [{
                "name": OPERATION,
                "verbs": ["POST"],
                "routes": self.paths,
                "returns": "string",
            }],
        }))
    }

    /// The types and operations that are asked for.
    pub(super) fn description(&self, wanted: &Wanted) -> Page {
        let mut described = self.described();
        for (list, name) in [("types", "/name"), ("operations", "/request/name")] {
            if let Some(list) = described.get_mut(list).and_then(Value::as_array_mut) {
                let name_of = |one: &Value| one.pointer(name)?.as_str().map(str::to_owned);
                list.retain(|one| name_of(one).is_some_and(|name| wanted.has(&name)));
            }
        }
        page(&described)
    }

    /// What the service is: its name, its formats, its types and operations.
    pub(super) fn app(&self) -> Page {
        let entry = |format: Format| (format.as_str().to_owned(), json!(format.media_type()));
        let formats: Map<String, Value> = FORMATS.into_iter().map(entry).collect();
        page(&json!({
            "app": {"serviceName": NAME},
            "contentTypeFormats": formats,
            "api": self.described(),
        }))
    }

    fn described(&self) -> Value {
        let property = |name: &str, kind: &str| json!({"name": name, "type": kind});
        let list =
            |name: &str, of: &str| json!({"name": name, "type": "List`1", "genericArgs": [of]});
        let numbers = self.numbers.entries();
        let (names, values): (Vec<_>, Vec<_>) = numbers
            .map(|(name, number)| (name, number.to_string()))
            .unzip();
        json!({
            "types": [
                {"name": "QBOEntityName", "namespace": types::NAMESPACE, "isEnum": true, "enumNames": names, "enumValues": values},
                {"name": "QBOOperation", "namespace": types::NAMESPACE, "isEnum": true, "enumNames": types::OPERATIONS},
                {"name": "QBOEntity", "namespace": types::NAMESPACE, "properties": [
                    property("name", "QBOEntityName"),
                    property("id", "String"),
                    property("operation", "QBOOperation"),
                    property("lastUpdated", "DateTime"),
                    property("deletedId", "String"),
                ]},
                {"name": "QBODataChangeEvent", "namespace": types::NAMESPACE, "properties": [list("entities", "QBOEntity")]},
                {"name": "QBOEventNotification", "namespace": types::NAMESPACE, "properties": [
                    property("realmId", "String"),
                    property("dataChangeEvent", "QBODataChangeEvent"),
                ]},
            ],
            "operations": [{
                "request": {
                    "name": OPERATION,
                    "namespace": types::NAMESPACE,
                    "properties": [list("eventNotifications", "QBOEventNotification")],
                },
                "returnType": {"name": "String"},
                "actions": ["POST"],
                "routes": self.paths.iter().map(|path| json!({"path": path, "verbs": "POST"})).collect::<Vec<_>>(),
            }],
        })
    }
}

fn page(data: &Value) -> Page {
    Page {
        content_type: JSON,
        text: data.to_string(),
    }
}
