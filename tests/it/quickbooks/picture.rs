//! What a receiver makes of the events that it got, compared with the companies as they are.

use super::world::World;
use qbo_relay::simulate::books::{Happening, Seen, State};
use qbo_relay::wire::quickbooks::{Means, facts};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A record: company, kind, id.
type Key = (String, String, String);

/// An event as far as it matters here.
#[derive(Clone, Debug)]
struct Event {
    id: String,
    sequence: u64,
    key: Key,
    operation: String,
    second: i64,
    deleted_id: Option<String>,
    late: bool,
    origin: String,
    record: Option<Value>,
}

/// What a receiver knows of a record.
#[derive(Clone, Copy, Debug)]
struct Known {
    is_gone: bool,
    second: i64,
}

/// A receiver's picture.
pub(super) struct Picture<'a> {
    world: &'a World,
    events: Vec<Event>,
    reconciled: Vec<Event>,
    wrong: Vec<String>,
}

impl<'a> Picture<'a> {
    pub(super) fn of(world: &'a World) -> Self {
        // A receiver remembers ids: what was sent again after a crash is the same event.
        let read = |sink: &str| {
            let mut seen = BTreeSet::new();
            let events = world.events(sink);
            let events = events.iter().map(event);
            events
                .filter(|event| seen.insert(event.id.clone()))
                .collect()
        };
        Self {
            world,
            events: read("at-once"),
            reconciled: read("reconciled"),
            wrong: Vec::new(),
        }
    }

    /// Everything that is wrong with it.
    pub(super) fn wrong(mut self) -> Vec<String> {
        self.is_in_order();
        self.has_all_that_was_delivered();
        self.has_nothing_twice();
        self.knows_what_is();
        self.has_fitting_records();
        self.wrong
    }

    /// The companies' numbers have no gap, and no record goes back in time without the mark.
    fn is_in_order(&mut self) {
        let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
        let mut newest: BTreeMap<&Key, i64> = BTreeMap::new();
        for event in &self.events {
            let number = numbers.entry(&event.key.0).or_default();
            *number += 1;
            if *number != event.sequence {
                self.wrong.push(format!("not number {number}: {event:?}"));
            }
            let before = newest.entry(&event.key).or_insert(event.second);
            if event.second < *before && !event.late {
                self.wrong.push(format!("goes back unmarked: {event:?}"));
            }
            *before = event.second.max(*before);
        }
        let ids = |events: &[Event]| events.iter().map(|event| event.id.clone()).collect();
        let (one, other): (BTreeSet<_>, BTreeSet<_>) = (ids(&self.events), ids(&self.reconciled));
        if one != other {
            self.wrong.push("the sinks got different events".into());
        }
    }

    /// Each change that was notified came, under its own id or as the change that was found before.
    fn has_all_that_was_delivered(&mut self) {
        for happening in &self.world.delivered {
            let (key, second) = (key(happening), happening.at.as_seconds());
            let class = class(happening.deed.words().0);
            let told = self.events.iter().any(|event| {
                let at = event.second == second || class == "delete";
                event.key == key && self::class(&event.operation) == class && at
            });
            if !told {
                self.wrong
                    .push(format!("notified and not told: {happening:?}"));
            }
        }
    }

    /// No more events of a record in a second than things that happened to it then.
    fn has_nothing_twice(&mut self) {
        type Slot = (Key, &'static str, i64);
        let slot = |key: Key, operation: &str, second: i64| -> Slot {
            let class = class(operation);
            (key, class, if class == "delete" { 0 } else { second })
        };
        let mut happened: BTreeMap<Slot, usize> = BTreeMap::new();
        for realm in self.world.realms() {
            for happening in self.world.intuit.books(realm).unwrap().history() {
                let (second, word) = (happening.at.as_seconds(), happening.deed.words().0);
                *happened
                    .entry(slot(key(&happening), word, second))
                    .or_default() += 1;
                // What Capture sees of them is a state.
                if let Some(loser) = &happening.deleted_id {
                    let loser = (key(&happening).0, key(&happening).1, loser.clone());
                    *happened.entry(slot(loser, "Update", second)).or_default() += 1;
                }
                if class(word) != "state" {
                    *happened
                        .entry(slot(key(&happening), "Update", second))
                        .or_default() += 1;
                }
            }
        }
        let mut told: BTreeMap<Slot, usize> = BTreeMap::new();
        for event in &self.events {
            let slot = slot(event.key.clone(), &event.operation, event.second);
            let count = told.entry(slot.clone()).or_default();
            *count += 1;
            if *count > happened.get(&slot).copied().unwrap_or(0) {
                self.wrong.push(format!("told once too often: {event:?}"));
            }
        }
    }

    /// Whoever applies the events in their order, all but the late ones, has every record that changed
    /// as it is: there or gone, and of which second.
    fn knows_what_is(&mut self) {
        let known = self.applied();
        for realm in self.world.realms() {
            for ((kind, id), seen) in self.world.intuit.books(realm).unwrap().seen() {
                let key = (realm.to_owned(), kind, id);
                let known = known.get(&key);
                if seen.updated >= self.world.began_at() && !fits(&key, &seen, known) {
                    let of_it = self.events.iter().filter(|event| event.key == key);
                    let told: Vec<&Event> = of_it.collect();
                    let line = format!("not known: {key:?} is {seen:?}, told as {told:?}");
                    self.wrong.push(line);
                }
            }
        }
    }

    fn applied(&self) -> BTreeMap<Key, Known> {
        let mut known = BTreeMap::new();
        for event in self.events.iter().filter(|event| !event.late) {
            let told = Known {
                is_gone: event.operation == "Delete",
                second: event.second,
            };
            known.insert(event.key.clone(), told);
            if let Some(merged) = &event.deleted_id {
                let key = (event.key.0.clone(), event.key.1.clone(), merged.clone());
                let second = event.second;
                known.insert(
                    key,
                    Known {
                        is_gone: true,
                        second,
                    },
                );
            }
        }
        known
    }

    /// A record that rides along is of its event, and not from before it.
    fn has_fitting_records(&mut self) {
        let mut count = 0;
        for event in &self.reconciled {
            let Some(record) = &event.record else {
                if event.origin != "webhook" && !is_absence(event) {
                    self.wrong
                        .push(format!("read, but without the record: {event:?}"));
                }
                continue;
            };
            count += 1;
            let updated = record["MetaData"]["LastUpdatedTime"].as_str();
            let updated: Option<jiff::Timestamp> = updated.map(|text| text.parse().unwrap());
            let is_old = updated.is_some_and(|at| at.as_second() + 2 < event.second);
            if record["Id"] != *event.key.2 || is_old {
                self.wrong
                    .push(format!("a record that does not fit: {event:?}"));
            }
        }
        if count == 0 {
            self.wrong.push("no record rode along".into());
        }
        if self.events.iter().any(|event| event.record.is_some()) {
            self.wrong
                .push("a record for the sink that wants none".into());
        }
    }
}

/// Whether a record is known as what it is.
fn fits(key: &Key, seen: &Seen, known: Option<&Known>) -> bool {
    let Some(facts) = facts(&key.1) else {
        // By notification only.
        return true;
    };
    match (seen.state, known) {
        // A record that was never seen to be there cannot be seen to be gone.
        (State::Deleted, None) => facts.means != Means::Capture,
        (State::Deleted, Some(known)) => {
            known.is_gone || !matches!(facts.means, Means::Capture | Means::QueryWithIds)
        }
        (_, None) => false,
        // A name is deleted by making it inactive.
        (State::Inactive, Some(known)) => known.second == seen.updated.as_seconds(),
        (State::Live | State::Voided, Some(known)) => {
            !known.is_gone && known.second == seen.updated.as_seconds()
        }
    }
}

/// Found to be gone because a complete list lacks it: there is no record to go with that.
fn is_absence(event: &Event) -> bool {
    let means = facts(&event.key.1).map(|facts| facts.means);
    event.operation == "Delete" && means == Some(Means::QueryWithIds)
}

fn key(happening: &Happening) -> Key {
    (
        happening.realm.clone(),
        happening.kind.to_owned(),
        happening.id.clone(),
    )
}

/// What two events of one second have to share to be the same change.
fn class(operation: &str) -> &'static str {
    match operation {
        "Create" | "Update" => "state",
        "Void" => "void",
        "Delete" => "delete",
        "Merge" => "merge",
        "Emailed" => "emailed",
        other => panic!("unknown operation {other}"),
    }
}

fn event(line: &Value) -> Event {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let data = &line["data"];
    let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    Event {
        id: word(&line["id"]),
        sequence: word(&line["sequence"]).parse().unwrap(),
        key: (
            word(&line["realmid"]),
            word(&data["entity"]),
            word(&data["entityId"]),
        ),
        operation: word(&data["operation"]),
        second: time.as_second(),
        deleted_id: data["deletedId"].as_str().map(str::to_owned),
        late: line["late"] == true,
        origin: word(&line["origin"]),
        record: data.get("record").cloned(),
    }
}
