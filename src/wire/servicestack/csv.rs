//! CSV into a [`Value`]: a header line, then rows.
//!
//! Three shapes are read, by their header: one column `eventNotifications` that holds JSV; one row a
//! company (`realmId`, `dataChangeEvent` as JSV), which is what ServiceStack's serializer makes of the
//! request; and one row an entity (`realmId`, `name`, `id`, `operation`, `lastUpdated`, `deletedId`),
//! which is what people make in a spreadsheet. Cells of other columns are passed over one by one, so that
//! a row of a million of them takes no memory.

use super::Malformed;
use super::dto::too_many;
use super::jsv;
use super::tree::{Bounds, Budget, Exceeded, Value};
use csv_core::{ReadFieldResult, Reader};
use std::borrow::Cow;

/// The request that the rows are.
///
/// # Errors
/// A header that is none of the three, a cell that is not JSV, or beyond the bounds; by line and
/// column.
pub fn read(text: &str, bounds: Bounds) -> Result<Value<'static>, Malformed> {
    let mut budget = bounds.budget();
    let mut rows = Rows::of(text);
    let shape = rows.shape()?;
    let (mut notifications, mut count) = (Vec::new(), 0);
    while rows.next() {
        if rows.is_blank {
            continue;
        }
        match shape {
            Shape::Requests => match rows.nested(REQUESTS, &mut budget)? {
                Value::List(values) => notifications.extend(values),
                value => notifications.push(value),
            },
            Shape::Notifications => {
                let event = rows.nested(EVENT, &mut budget)?;
                notifications.push(Value::Map(vec![rows.field(REALM), (EVENT.into(), event)]));
            }
            Shape::Entities => notifications.push(rows.entity(&mut budget)?),
        }
        count += 1;
        if count > bounds.entities_max {
            return Err(Malformed {
                at: format!("line {}", rows.line),
                why: too_many(bounds.entities_max),
            });
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

/// Bytes of a column's name that are looked at; no known one is so long.
const NAME_MAX: usize = 64;

/// The rows one after the other: of each, the cells that count.
struct Rows<'t> {
    reader: Reader,
    text: &'t [u8],
    /// The known columns, and the place of each.
    columns: Vec<(&'static str, usize)>,
    /// The cells of these columns in the present row.
    cells: Vec<String>,
    /// The line in which the present row begins.
    line: u64,
    /// It has nothing but space in it.
    is_blank: bool,
}

impl<'t> Rows<'t> {
    fn of(text: &'t str) -> Self {
        let mut rows = Self {
            reader: Reader::new(),
            text: text.as_bytes(),
            columns: Vec::new(),
            cells: Vec::new(),
            line: 1,
            is_blank: true,
        };
        let (mut place, mut name) = (0, Vec::new());
        while let Some(is_last) = rows.cell(&mut |part| {
            let room = NAME_MAX.saturating_sub(name.len());
            name.extend_from_slice(part.get(..room).unwrap_or(part));
        }) {
            let known = [REQUESTS, EVENT, REALM].into_iter().chain(ENTITY);
            let is_new = |known: &str| rows.columns.iter().all(|(name, _)| *name != known);
            let mut found = known.filter(|known| {
                known.as_bytes().eq_ignore_ascii_case(name.trim_ascii()) && is_new(known)
            });
            if let Some(known) = found.next() {
                rows.columns.push((known, place));
            }
            place += 1;
            name.clear();
            if is_last {
                break;
            }
        }
        rows.cells = vec![String::new(); rows.columns.len()];
        rows
    }

    /// Goes to the next row; `false` at the end.
    fn next(&mut self) -> bool {
        let mut cells = vec![Vec::new(); self.cells.len()];
        let (mut place, mut is_blank) = (0, true);
        self.line = self.reader.line();
        loop {
            let wanted = self.columns.iter().position(|(_, at)| *at == place);
            let mut cell = wanted.and_then(|at| cells.get_mut(at));
            let end = self.cell(&mut |part| {
                is_blank &= part.trim_ascii().is_empty();
                if let Some(cell) = &mut cell {
                    cell.extend_from_slice(part);
                }
            });
            match end {
                Some(true) => break,
                Some(false) => place += 1,
                None => return false,
            }
        }
        self.is_blank = is_blank;
        // The text was UTF-8, and a cell's end is no part of a letter.
        let text = |cell| String::from_utf8(cell).unwrap_or_default();
        self.cells = cells.into_iter().map(text).collect();
        true
    }

    /// Hands over the next cell in parts. Whether it is the last one of its row; `None` where there is
    /// none left.
    fn cell(&mut self, take: &mut dyn FnMut(&[u8])) -> Option<bool> {
        let mut part = [0; 1024];
        loop {
            let (result, read, written) = self.reader.read_field(self.text, &mut part);
            self.text = self.text.get(read..).unwrap_or_default();
            take(part.get(..written).unwrap_or_default());
            match result {
                // With nothing left, the reader is told so by nothing.
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => return Some(record_end),
                ReadFieldResult::End => return None,
            }
        }
    }

    fn at(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(known, _)| *known == name)
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

    fn text(&self, name: &str) -> &str {
        let cell = self.at(name).and_then(|at| self.cells.get(at));
        cell.map_or("", String::as_str)
    }

    fn field(&self, name: &'static str) -> (Cow<'static, str>, Value<'static>) {
        let value = match self.text(name).trim_ascii() {
            "" => Value::Null,
            text => Value::Text(Cow::Owned(text.to_owned())),
        };
        (name.into(), value)
    }

    fn nested(&self, name: &str, budget: &mut Budget) -> Result<Value<'static>, Malformed> {
        let value = jsv::read_within(self.text(name), budget).map_err(|error| Malformed {
            at: format!("line {} column {name}", self.line),
            why: format!("{}: {}", error.at, error.why),
        })?;
        Ok(value.into_owned())
    }

    fn entity(&self, budget: &mut Budget) -> Result<Value<'static>, Malformed> {
        let present = ENTITY.into_iter().filter(|name| self.at(name).is_some());
        let fields = present.map(|name| {
            let taken = budget.take(0).map(|()| self.field(name));
            taken.map_err(|Exceeded(why)| Malformed {
                at: format!("line {}", self.line),
                why: why.into(),
            })
        });
        let fields = Value::Map(fields.collect::<Result<_, _>>()?);
        let entities = ("entities".into(), Value::List(vec![fields]));
        let event = (EVENT.into(), Value::Map(vec![entities]));
        Ok(Value::Map(vec![self.field(REALM), event]))
    }
}
