//! The request as its clients know it, whatever it was written in.
//!
//! The neutral form between the readers of the encodings and [`notices`](super::notices): names and
//! shape are checked, values are still as they were written. Names count in any case, unknown ones are
//! passed over, what is missing or nothing is left out: so does the framework.

use super::Malformed;
use super::tree::Value;
use serde_json::json;

/// `QboWebhooksRequest`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// `eventNotifications`: one for each company.
    pub event_notifications: Vec<EventNotification>,
}

/// `QBOEventNotification`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventNotification {
    /// `realmId`.
    pub realm_id: Option<String>,
    /// `dataChangeEvent.entities`.
    pub entities: Vec<Entity>,
}

/// `QBOEntity`, every field as it was written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entity {
    /// `name`: a name or a number of the enumeration.
    pub name: Option<String>,
    /// `id`.
    pub id: Option<String>,
    /// `operation`: a name or a number of the enumeration.
    pub operation: Option<String>,
    /// `lastUpdated`.
    pub last_updated: Option<String>,
    /// `deletedId`.
    pub deleted_id: Option<String>,
}

impl Request {
    /// One request of at most `entities_max` entities.
    ///
    /// # Errors
    /// Something of another shape than expected, by its path, or too many entities.
    pub fn one(value: &Value<'_>, entities_max: usize) -> Result<Self, Malformed> {
        Reader {
            entities_max,
            left: entities_max,
        }
        .request(value, "")
    }

    /// Several requests in a list, together of at most `entities_max` entities; a single one counts as
    /// a list of one.
    ///
    /// # Errors
    /// As for [`Self::one`].
    pub fn batch(value: &Value<'_>, entities_max: usize) -> Result<Vec<Self>, Malformed> {
        match value {
            Value::List(values) => {
                let mut reader = Reader {
                    entities_max,
                    left: entities_max,
                };
                let each = values.iter().enumerate();
                each.map(|(at, value)| reader.request(value, &format!("[{at}]")))
                    .collect()
            }
            value => Ok(vec![Self::one(value, entities_max)?]),
        }
    }

    /// It as its clients write it in JSON; what was not said is left out.
    pub(super) fn json(&self) -> serde_json::Value {
        let notifications = self.event_notifications.iter();
        json!({ "eventNotifications": notifications.map(EventNotification::json).collect::<Vec<_>>() })
    }

    /// Whether an entity does not say what happened to it.
    pub(super) fn lacks_an_operation(&self) -> bool {
        let mut notifications = self.event_notifications.iter();
        let is_without = |entity: &Entity| entity.operation.is_none();
        notifications.any(|notification| notification.entities.iter().any(is_without))
    }
}

/// Reads requests, and counts their entities before they are made.
struct Reader {
    entities_max: usize,
    left: usize,
}

impl Reader {
    fn request(&mut self, value: &Value<'_>, place: &str) -> Result<Request, Malformed> {
        object(value, if place.is_empty() { "body" } else { place })?;
        let place = join(place, "eventNotifications");
        let event_notifications = list(value.field("eventNotifications"), &place)?
            .iter()
            .enumerate()
            .map(|(at, value)| self.notification(value, &format!("{place}[{at}]")))
            .collect::<Result<_, _>>()?;
        Ok(Request {
            event_notifications,
        })
    }

    fn notification(
        &mut self,
        value: &Value<'_>,
        place: &str,
    ) -> Result<EventNotification, Malformed> {
        object(value, place)?;
        let event = value.field("dataChangeEvent").unwrap_or(&Value::Null);
        let at_event = join(place, "dataChangeEvent");
        object(event, &at_event)?;
        let at_entities = join(&at_event, "entities");
        let values = list(event.field("entities"), &at_entities)?;
        // One without entities is told, too.
        let taken = self.left.checked_sub(values.len().max(1));
        self.left = taken.ok_or_else(|| Malformed {
            at: format!("{at_entities}[{}]", self.left),
            why: too_many(self.entities_max),
        })?;
        let entities = values
            .iter()
            .enumerate()
            .map(|(at, value)| Entity::read(value, &format!("{at_entities}[{at}]")))
            .collect::<Result<_, _>>()?;
        Ok(EventNotification {
            realm_id: text(value, place, "realmId")?,
            entities,
        })
    }
}

/// What is said of a request of more entities than that.
pub(super) fn too_many(entities_max: usize) -> String {
    format!("more than {entities_max} entities in one request")
}

impl EventNotification {
    fn json(&self) -> serde_json::Value {
        let entities: Vec<_> = self.entities.iter().map(Entity::json).collect();
        json!({ "realmId": self.realm_id, "dataChangeEvent": { "entities": entities } })
    }
}

impl Entity {
    fn json(&self) -> serde_json::Value {
        let fields = [
            ("name", &self.name),
            ("id", &self.id),
            ("operation", &self.operation),
            ("lastUpdated", &self.last_updated),
            ("deletedId", &self.deleted_id),
        ];
        let said = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        said.collect()
    }

    fn read(value: &Value<'_>, place: &str) -> Result<Self, Malformed> {
        object(value, place)?;
        Ok(Self {
            name: text(value, place, "name")?,
            id: text(value, place, "id")?,
            operation: text(value, place, "operation")?,
            last_updated: text(value, place, "lastUpdated")?,
            deleted_id: text(value, place, "deletedId")?,
        })
    }
}

/// A path one step further.
pub(super) fn join(place: &str, name: &str) -> String {
    let dot = if place.is_empty() { "" } else { "." };
    format!("{place}{dot}{name}")
}

fn object(value: &Value<'_>, place: &str) -> Result<(), Malformed> {
    match value {
        Value::Null | Value::Map(_) => Ok(()),
        Value::Text(text) if text.trim_ascii().is_empty() => Ok(()),
        other => Err(unexpected("an object", other, place)),
    }
}

fn list<'v, 'a>(value: Option<&'v Value<'a>>, place: &str) -> Result<&'v [Value<'a>], Malformed> {
    match value {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Text(text)) if text.trim_ascii().is_empty() => Ok(&[]),
        Some(Value::List(values)) => Ok(values),
        Some(other) => Err(unexpected("a list", other, place)),
    }
}

fn text(value: &Value<'_>, place: &str, name: &str) -> Result<Option<String>, Malformed> {
    match value.field(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.clone().into_owned())),
        Some(other) => Err(unexpected("text", other, &join(place, name))),
    }
}

fn unexpected(expected: &str, found: &Value<'_>, place: &str) -> Malformed {
    Malformed {
        at: place.to_owned(),
        why: format!("expected {expected}, found {}", found.describe()),
    }
}
