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
    let header = reader.headers().map_err(|error| broken(&error))?;
    let columns = Columns::of(header);
    let shape = columns.shape()?;
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
            Shape::Requests => match row.nested(REQUESTS, &mut budget)? {
                Value::List(values) => notifications.extend(values),
                value => notifications.push(value),
            },
            Shape::Notifications => {
                let event = row.nested(EVENT, &mut budget)?;
                notifications.push(Value::Map(vec![row.field(REALM), (EVENT.into(), event)]));
            }
            Shape::Entities => notifications.push(row.entity(&mut budget)?),
        }
    }
    let notifications = (REQUESTS.into(), Value::List(notifications));
    Ok(Value::Map(vec![notifications]))
}

const REQUESTS: &str = "eventNotifications";
const EVENT: &str = "dataChangeEvent";
const REALM: &str = "realmId";
const ENTITY: [&str; 5] = ["name", "id", "operation", "lastUpdated", "deletedId"];

#[derive(Clone, Copy)]
enum Shape {
    Requests,
    Notifications,
    Entities,
}

/// Where the columns are that count; looked up once, for there may be any number of others.
struct Columns(Vec<(&'static str, usize)>);

impl Columns {
    fn of(header: &StringRecord) -> Self {
        let known = [REQUESTS, EVENT, REALM].into_iter().chain(ENTITY);
        let place = |name: &'static str| {
            let mut columns = header.iter();
            let at = columns.position(|column| column.trim_ascii().eq_ignore_ascii_case(name))?;
            Some((name, at))
        };
        Self(known.filter_map(place).collect())
    }

    fn at(&self, name: &str) -> Option<usize> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, at)| *at)
    }

    fn shape(&self) -> Result<Shape, Malformed> {
        let has = |name| self.at(name).is_some();
        if has(REQUESTS) {
            Ok(Shape::Requests)
        } else if has(EVENT) {
            Ok(Shape::Notifications)
        } else if has(REALM) && has("name") && has("id") {
            Ok(Shape::Entities)
        } else {
            Err(Malformed {
                at: "line 1".into(),
                why: "expected the column eventNotifications, or realmId and dataChangeEvent, or realmId, name, id, operation and lastUpdated".into(),
            })
        }
    }
}

struct Row<'c> {
    columns: &'c Columns,
    cells: StringRecord,
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Option<&str> {
        self.cells.get(self.columns.at(name)?)
    }

    fn field(&self, name: &'static str) -> (Cow<'static, str>, Value<'static>) {
        let value = match self.cell(name).map(str::trim_ascii) {
            Some("") | None => Value::Null,
            Some(text) => Value::Text(Cow::Owned(text.to_owned())),
        };
        (name.into(), value)
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
        for _ in ENTITY {
            budget.take(0).map_err(|Exceeded(why)| Malformed {
                at: format!("line {}", self.line()),
                why: why.into(),
            })?;
        }
        let fields = ENTITY.map(|name| self.field(name)).to_vec();
        let entities = ("entities".into(), Value::List(vec![Value::Map(fields)]));
        let event = (EVENT.into(), Value::Map(vec![entities]));
        Ok(Value::Map(vec![self.field(REALM), event]))
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
