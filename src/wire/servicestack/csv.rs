//! CSV into a [`Value`]: a header line, then rows.
//!
//! Three shapes are read, by their header: one column `eventNotifications` that holds JSV; one row a
//! company (`realmId`, `dataChangeEvent` as JSV), which is what ServiceStack's serializer makes of the
//! request; and one row an entity (`realmId`, `name`, `id`, `operation`, `lastUpdated`, `deletedId`),
//! which is what people make in a spreadsheet.

use super::Malformed;
use super::jsv;
use super::tree::{Bounds, Budget, Exceeded, Value};
use ::csv::{ReaderBuilder, StringRecord};
use std::borrow::Cow;

/// The request that the rows are.
///
/// # Errors
/// A header that is none of the three, a cell that is not JSV, or beyond the bounds; by line and
/// column.
pub fn read(text: &str, bounds: Bounds) -> Result<Value<'static>, Malformed> {
    let mut budget = bounds.budget();
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let columns = Columns::of(reader.headers().map_err(|error| broken(&error))?);
    let shape = Shape::of(&columns)?;
    let mut notifications = Vec::new();
    for row in reader.into_records() {
        let row = Row {
            columns: &columns,
            cells: row.map_err(|error| broken(&error))?,
        };
        if row.cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        match shape {
            Shape::Requests => match row.nested("eventNotifications", &mut budget)? {
                Value::List(values) => notifications.extend(values),
                value => notifications.push(value),
            },
            Shape::Notifications => notifications.push(Value::Map(vec![
                ("realmId".into(), row.text("realmId")),
                (
                    "dataChangeEvent".into(),
                    row.nested("dataChangeEvent", &mut budget)?,
                ),
            ])),
            Shape::Entities => notifications.push(row.entity(&mut budget)?),
        }
    }
    let notifications = ("eventNotifications".into(), Value::List(notifications));
    Ok(Value::Map(vec![notifications]))
}

#[derive(Clone, Copy)]
enum Shape {
    Requests,
    Notifications,
    Entities,
}

impl Shape {
    fn of(columns: &Columns) -> Result<Self, Malformed> {
        let has = |name| columns.find(name).is_some();
        if has("eventNotifications") {
            Ok(Self::Requests)
        } else if has("dataChangeEvent") {
            Ok(Self::Notifications)
        } else if has("realmId") && has("name") && has("id") {
            Ok(Self::Entities)
        } else {
            Err(Malformed {
                at: "line 1".into(),
                why: "expected the column eventNotifications, or realmId and dataChangeEvent, or realmId, name, id, operation and lastUpdated".into(),
            })
        }
    }
}

/// The names of the columns that are read.
const NAMES: [&str; 8] = [
    "eventNotifications",
    "dataChangeEvent",
    "realmId",
    "name",
    "id",
    "operation",
    "lastUpdated",
    "deletedId",
];

/// Where they are; looked up once, because a header can be as long as the body.
struct Columns([Option<usize>; NAMES.len()]);

impl Columns {
    fn of(header: &StringRecord) -> Self {
        Self(NAMES.map(|name| {
            let mut columns = header.iter();
            columns.position(|column| column.trim_ascii().eq_ignore_ascii_case(name))
        }))
    }

    fn find(&self, name: &str) -> Option<usize> {
        let (_, at) = NAMES
            .iter()
            .zip(self.0)
            .find(|(known, _)| **known == name)?;
        at
    }
}

struct Row<'c> {
    columns: &'c Columns,
    cells: StringRecord,
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Option<&str> {
        self.cells.get(self.columns.find(name)?)
    }

    fn text(&self, name: &str) -> Value<'static> {
        match self.cell(name).map(str::trim_ascii) {
            Some("") | None => Value::Null,
            Some(text) => Value::Text(Cow::Owned(text.to_owned())),
        }
    }

    fn nested(&self, name: &str, budget: &mut Budget) -> Result<Value<'static>, Malformed> {
        let text = self.cell(name).unwrap_or_default();
        let value = jsv::read_within(text, budget).map_err(|error| Malformed {
            at: format!("line {} column {name}", self.line()),
            why: format!("{}: {}", error.at, error.why),
        })?;
        Ok(value.into_owned())
    }

    fn entity(&self, budget: &mut Budget) -> Result<Value<'static>, Malformed> {
        let fields = ["name", "id", "operation", "lastUpdated", "deletedId"];
        for _ in 0..fields.len() {
            budget.take(0).map_err(|Exceeded(why)| Malformed {
                at: format!("line {}", self.line()),
                why: why.into(),
            })?;
        }
        let fields = fields.map(|name| (name.into(), self.text(name))).to_vec();
        let entities = ("entities".into(), Value::List(vec![Value::Map(fields)]));
        let event = Value::Map(vec![entities]);
        Ok(Value::Map(vec![
            ("realmId".into(), self.text("realmId")),
            ("dataChangeEvent".into(), event),
        ]))
    }

    fn line(&self) -> u64 {
        self.cells.position().map_or(0, ::csv::Position::line)
    }
}

fn broken(error: &::csv::Error) -> Malformed {
    let line = error.position().map_or(1, ::csv::Position::line);
    Malformed {
        at: format!("line {line}"),
        why: "not CSV".into(),
    }
}
