//! `event.poller.urls`: which resources are polled, in all the forms in which lists of them were
//! written.
//!
//! The original had `|` between the names, its console line breaks; the published pages lost the
//! separators, so that the names stand there as one word; an older form has a line of fields with `|`
//! between them for each resource. No name begins with another one, so that a word of several can be
//! taken apart in one way only.

use super::{Wrong, syntax};
use crate::model::Zone;
use crate::wire::entity;
use crate::wire::json;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The resource that one page says for customers.
const CUSTOMERS_SLIP: &str = "tax-customers";

/// What the pages call all the resources together.
const ALL: &str = "events";

/// The resources that the pages list: what [`ALL`] stands for.
pub(super) const LISTED: [&str; 22] = [
    "bill-payments",
    "bills",
    "classes",
    "credit-memos",
    "credit-terms",
    "currencies",
    "customers",
    "employees",
    "invoices",
    "journal-entries",
    "ledger-accounts",
    "payment-methods",
    "payments",
    "products",
    "purchase-orders",
    "refund-receipts",
    "sales-receipts",
    "tax-codes",
    "tax-rates",
    "time-activities",
    "vendor-credits",
    "vendors",
];

/// The other kinds of records that can be read.
const OTHERS: [&str; 9] = [
    "budgets",
    "departments",
    "deposits",
    "estimates",
    "journal-codes",
    "preferences",
    "purchases",
    "tax-agencies",
    "transfers",
];

/// What was found in a list so far.
#[derive(Default)]
struct Found {
    kinds: BTreeSet<String>,
    warnings: BTreeSet<&'static str>,
    zones: BTreeMap<String, Zone>,
    bad_zone: Option<Wrong>,
}

/// What a key names.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Named {
    /// Kinds as the API spells them (`Invoice`).
    pub kinds: BTreeSet<String>,
    /// What was not read as it stands.
    pub warnings: Vec<String>,
    /// The time zones of kinds.
    pub zones: BTreeMap<String, Zone>,
    /// A name that is no time zone. What was kept from before that was looked at goes on without it.
    pub bad_zone: Option<Wrong>,
}

/// How deep a time zone may stand in the configuration of a resource.
const DEPTH_MAX: usize = 8;

/// The kinds of the resources that the text names, as the API spells them (`Invoice`), and warnings
/// about what was not read as it stands.
///
/// # Errors
/// 400 that names `key` and the word that is no resource.
pub fn kinds(key: &str, text: &str) -> Result<Named, Wrong> {
    let mut found = Found::default();
    if text.trim_ascii_start().starts_with('[') {
        syntax::check(text).map_err(|wrong| Wrong::at(key, wrong.message))?;
        let read = serde_json::from_str::<Vec<String>>(text);
        for word in read.map_err(|_| Wrong::at(key, "expected an array of strings"))? {
            found.add(key, &word)?;
        }
    } else {
        for line in text.lines() {
            found.add_line(key, line.trim())?;
        }
    }
    Ok(found.named(key))
}

/// The kinds of the resources that an `event.poller.configuration` has, the same way.
///
/// # Errors
/// 400 that names `key` and the resource that there is not, or where the text is no JSON.
pub(super) fn configured(key: &str, text: &str) -> Result<Named, Wrong> {
    let mut found = Found::default();
    if !text.trim_ascii().is_empty() {
        let wrong = |why: String| Wrong::at(key, why);
        syntax::check(text).map_err(|error| wrong(error.message))?;
        let entries = json::entries(text, LISTED.len() * 4);
        let entries = entries.map_err(|error| wrong(json::complaint(&error)))?;
        let mut of_all = Zones::default();
        let mut zones = Vec::new();
        for (name, value) in entries.ok_or_else(|| wrong("too many resources".into()))? {
            let value = serde_json::from_str(value.get()).unwrap_or(Value::Null);
            if is_zone(&name) {
                of_all.look(&name, &name, &value, 0);
                continue;
            }
            let before = std::mem::take(&mut found.kinds);
            found.add(key, &name)?;
            let mut own = Zones::default();
            own.look(&name, "", &value, 0);
            zones.push((found.kinds.clone(), own));
            found.kinds.extend(before);
        }
        for kind in &found.kinds {
            found
                .zones
                .extend(of_all.best().map(|zone| (kind.clone(), zone)));
        }
        for (kinds, own) in &zones {
            let zone = own.best();
            let each = kinds
                .iter()
                .filter_map(|kind| Some((kind.clone(), zone.clone()?)));
            found.zones.extend(each);
        }
        let all = zones.into_iter().map(|(_, own)| own).chain([of_all]);
        let bad = all.filter_map(|zones| zones.bad).next();
        found.bad_zone = bad.map(|why| Wrong::at(key, why));
    }
    Ok(found.named(key))
}

impl Found {
    fn named(self, key: &str) -> Named {
        let warnings = self.warnings.into_iter();
        Named {
            kinds: self.kinds,
            warnings: warnings.map(|why| format!("{key}: {why}")).collect(),
            zones: self.zones,
            bad_zone: self.bad_zone,
        }
    }

    fn add_line(&mut self, key: &str, line: &str) -> Result<(), Wrong> {
        let mut fields = line.split('|');
        let name = fields.next().unwrap_or_default();
        let url = fields.next().unwrap_or_default().trim();
        if url.starts_with('/') || url.starts_with("http") {
            self.warnings.insert(
                "of a line with several fields only the name of the resource and the time zones count",
            );
            let before = std::mem::take(&mut self.kinds);
            self.add(key, name)?;
            let mut zones = Zones::default();
            for (rank, zone) in [(0, fields.nth(3)), (2, fields.nth(2))] {
                zones.add(rank, name, zone.unwrap_or_default());
            }
            let zone = zones.best();
            let each = self.kinds.iter();
            self.zones
                .extend(each.filter_map(|kind| Some((kind.clone(), zone.clone()?))));
            self.kinds.extend(before);
            let bad = zones.bad.map(|why| Wrong::at(key, why));
            self.bad_zone = self.bad_zone.take().or(bad);
            return Ok(());
        }
        let separates = |c: char| "|,;".contains(c) || c.is_whitespace();
        line.split(separates)
            .filter(|word| !word.is_empty())
            .try_for_each(|word| self.add(key, word))
    }

    /// One name, or several without anything between them.
    fn add(&mut self, key: &str, word: &str) -> Result<(), Wrong> {
        let word = word.trim().to_ascii_lowercase();
        if word == ALL {
            LISTED.into_iter().for_each(|name| self.insert(name));
            return Ok(());
        }
        let mut rest = &*word;
        while !rest.is_empty() {
            let Some(name) = names().find(|name| rest.starts_with(name)) else {
                return Err(Wrong::at(key, unknown(&word, rest)));
            };
            self.insert(name);
            rest = rest.get(name.len()..).unwrap_or_default();
        }
        Ok(())
    }

    fn insert(&mut self, name: &str) {
        let name = if name == CUSTOMERS_SLIP {
            self.warnings.insert("tax-customers was read as customers");
            "customers"
        } else {
            name
        };
        let kind = entity::kind_of_resource(name);
        self.kinds.extend(kind.map(str::to_owned));
    }
}

/// The name of every resource that can be polled, and the slip.
fn names() -> impl Iterator<Item = &'static str> {
    LISTED.into_iter().chain(OTHERS).chain([CUSTOMERS_SLIP])
}

/// The time zones that the configuration of a resource names; the better ones have the lower rank.
#[derive(Default)]
struct Zones {
    found: Vec<(u8, Zone)>,
    bad: Option<String>,
}

impl Zones {
    /// Looks through a value for keys that are called like a time zone, and for placeholders of dates in
    /// one.
    fn look(&mut self, place: &str, key: &str, value: &Value, depth: usize) {
        match value {
            Value::Object(members) if depth < DEPTH_MAX => {
                for (key, value) in members {
                    self.look(&format!("{place}.{key}"), key, value, depth + 1);
                }
            }
            Value::String(text) if is_zone(key) => {
                let is_updated = key.to_ascii_lowercase().starts_with("updated");
                self.add(if is_updated { 0 } else { 2 }, place, text);
            }
            Value::String(text) => {
                for part in text.split("${").skip(1) {
                    let placeholder = part.split('}').next().unwrap_or_default();
                    let zone = ["dateTimeZone:", "nowTimeZone:"]
                        .iter()
                        .find_map(|word| placeholder.strip_prefix(word));
                    // A zone may have a colon of its own: GMT-08:00.
                    let zone = zone.map(|rest| match rest.match_indices(':').nth(1) {
                        Some((at, _)) if Zone::named(&rest[..at]).is_ok() => &rest[..at],
                        _ => rest.split(':').next().unwrap_or_default(),
                    });
                    self.add(1, place, zone.unwrap_or_default());
                }
            }
            Value::Null => {}
            _ if is_zone(key) => {
                self.complain(format!("{place}: expected the name of a time zone"))
            }
            _ => {}
        }
    }

    fn add(&mut self, rank: u8, place: &str, name: &str) {
        if name.trim().is_empty() {
            return;
        }
        match Zone::named(name) {
            Ok(zone) => self.found.push((rank, zone)),
            Err(bad) => self.complain(format!("{}: {bad}", place.trim())),
        }
    }

    fn complain(&mut self, why: String) {
        self.bad.get_or_insert(why);
    }

    fn best(&self) -> Option<Zone> {
        let best = self.found.iter().min_by_key(|(rank, _)| *rank);
        best.map(|(_, zone)| zone.clone())
    }
}

/// `updatedDateTimezone`, `createdDateTimezone`, `timeZone` and their like.
fn is_zone(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("timezone") || key.ends_with("time_zone")
}

fn unknown(word: &str, rest: &str) -> String {
    let short: String = word.chars().take(60).collect();
    let within = if word.len() == rest.len() {
        String::new()
    } else {
        let rest: String = rest.chars().take(60).collect();
        format!(" (at {rest:?})")
    };
    format!(
        "{short:?}{within} is no resource that can be polled; those are {}",
        [&LISTED[..], &OTHERS].concat().join(", ")
    )
}

#[cfg(test)]
mod tests;
