//! One company's records and what happened to them; the time is an argument.
//!
//! Promises: `LastUpdatedTime` has whole seconds; a record is found by kind and id, by time of its
//! last change, and in full; the same seed and the same calls give the same books.

use super::record::{Row, State};
use super::{Change, Deed, Happening, KindFacts, Mistake, Seen, find, kinds};
use crate::model::Timestamp;
use crate::simulate::company::Chance;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

/// How many happenings are remembered.
const HISTORY_MAX: usize = 100_000;

/// Below so many live records of a kind, chance rather creates one.
const FEW: usize = 3;

/// The records of one company.
#[derive(Debug)]
pub struct Ledger {
    realm: String,
    shelves: BTreeMap<&'static str, Shelf>,
    history: VecDeque<Happening>,
    chance: Chance,
}

/// The records of one kind.
#[derive(Debug)]
struct Shelf {
    facts: &'static KindFacts,
    rows: BTreeMap<u64, Row>,
    by_update: BTreeSet<(i64, u64)>,
    live: BTreeSet<u64>,
}

impl Ledger {
    /// The books of a company that has nothing yet but its preferences, made at `start`.
    pub fn new(realm: &str, seed: u64, start: Timestamp) -> Self {
        let shelf = |facts: &'static KindFacts| (facts.kind, Shelf::new(facts));
        let mut ledger = Self {
            realm: realm.to_owned(),
            shelves: kinds().iter().map(shelf).collect(),
            history: VecDeque::new(),
            chance: Chance::new(seed),
        };
        for single in ["CompanyInfo", "Preferences"] {
            ledger.fill(single, 1, start);
        }
        ledger
    }

    /// The company.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Puts so many records there that were created at `at`, without telling anybody.
    pub fn fill(&mut self, kind: &str, count: u64, at: Timestamp) {
        if let Some(shelf) = self.shelves.get_mut(kind) {
            for _ in 0..count {
                shelf.create(at.as_seconds());
            }
        }
    }

    /// Does this to a record at `now`.
    ///
    /// # Errors
    /// When there is no such record, or QuickBooks has no such operation.
    pub fn apply(&mut self, now: Timestamp, change: &Change) -> Result<Happening, Mistake> {
        let facts = find(&change.kind).ok_or_else(|| Mistake::UnknownKind(change.kind.clone()))?;
        if !facts.allows(change.deed) {
            return Err(Mistake::NotPossible {
                kind: facts.kind,
                deed: change.deed,
            });
        }
        let shelf = self
            .shelves
            .get_mut(facts.kind)
            .ok_or_else(|| Mistake::UnknownKind(change.kind.clone()))?;
        let id = shelf.apply(now.as_seconds(), change)?;
        let happening = Happening {
            realm: self.realm.clone(),
            kind: facts.kind,
            deed: change.deed,
            at: now,
            deleted_id: change.deleted_id.clone(),
            event_id: format!("{}-{}-{id}", self.chance.uuid(), facts.kind),
            id: id.to_string(),
        };
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(happening.clone());
        Ok(happening)
    }

    /// Something possible, by chance: mostly updates, of kinds that are notified.
    pub fn possible(&self, chance: &mut Chance) -> Change {
        let notified: Vec<&Shelf> = self
            .shelves
            .values()
            .filter(|shelf| shelf.facts.notified)
            .collect();
        let Some(shelf) = pick(chance, &notified) else {
            return Change::new("Invoice", Deed::Create, None);
        };
        let facts = shelf.facts;
        let create = Change::new(facts.kind, Deed::Create, None);
        if shelf.live.len() < FEW && facts.allows(Deed::Create) {
            return create;
        }
        let deeds = [
            Deed::Create,
            Deed::Update,
            Deed::Update,
            Deed::Update,
            Deed::Touch,
            Deed::Void,
            Deed::Delete,
            Deed::Deactivate,
            Deed::Merge,
            Deed::Email,
        ];
        let allowed: Vec<Deed> = deeds
            .into_iter()
            .filter(|deed| facts.allows(*deed))
            .collect();
        let deed = pick(chance, &allowed).unwrap_or(Deed::Update);
        let Some(id) = shelf.live_near(chance.next_u64()) else {
            return create;
        };
        let mut change = Change::new(facts.kind, deed, Some(&id.to_string()));
        match deed {
            Deed::Create => change.id = None,
            Deed::Merge => {
                let other = shelf.live.range(..id).next_back();
                match other.or_else(|| shelf.live.range(id + 1..).next()) {
                    Some(other) => change.deleted_id = Some(other.to_string()),
                    None => change.deed = Deed::Update,
                }
            }
            _ => {}
        }
        change
    }

    /// The record of this kind and id.
    pub fn row(&self, kind: &str, id: u64) -> Option<&Row> {
        self.shelves.get(kind)?.rows.get(&id)
    }

    /// All records of a kind, tombstones too, by id.
    pub fn rows(&self, kind: &str) -> impl Iterator<Item = (u64, &Row)> {
        self.shelves
            .get(kind)
            .into_iter()
            .flat_map(|shelf| shelf.rows.iter().map(|(id, row)| (*id, row)))
    }

    /// Records of a kind that changed after that second, in order of their change.
    pub fn changed_after(&self, kind: &str, second: i64) -> impl Iterator<Item = (u64, &Row)> {
        let after = Bound::Excluded((second, u64::MAX));
        self.shelves.get(kind).into_iter().flat_map(move |shelf| {
            shelf
                .by_update
                .range((after, Bound::Unbounded))
                .filter_map(|(_, id)| Some((*id, shelf.rows.get(id)?)))
        })
    }

    /// What every record is: kind and id, and its state.
    pub fn seen(&self) -> BTreeMap<(String, String), Seen> {
        let all = self.shelves.values().flat_map(|shelf| {
            let kind = shelf.facts.kind;
            shelf
                .rows
                .iter()
                .map(move |(id, row)| ((kind.to_owned(), id.to_string()), row.seen()))
        });
        all.collect()
    }

    /// What happened, oldest first; the newest 100 000.
    pub fn history(&self) -> impl Iterator<Item = &Happening> {
        self.history.iter()
    }
}

impl Shelf {
    const fn new(facts: &'static KindFacts) -> Self {
        Self {
            facts,
            rows: BTreeMap::new(),
            by_update: BTreeSet::new(),
            live: BTreeSet::new(),
        }
    }

    fn create(&mut self, at_s: i64) -> u64 {
        let id = self.rows.last_key_value().map_or(0, |(id, _)| *id) + 1;
        self.rows.insert(id, Row::new(at_s));
        self.by_update.insert((at_s, id));
        self.live.insert(id);
        id
    }

    /// Does it, and says to which record.
    fn apply(&mut self, at_s: i64, change: &Change) -> Result<u64, Mistake> {
        let id = match change.deed {
            Deed::Create => self.create(at_s),
            Deed::Merge => {
                let (id, other) = (
                    self.in_use(change.id.as_deref())?,
                    self.in_use(change.deleted_id.as_deref())?,
                );
                if id == other {
                    return Err(self.missing(change.deleted_id.as_deref()));
                }
                self.alter(other, at_s, State::Inactive, 1);
                self.alter(id, at_s, State::Live, 1);
                id
            }
            // An update makes an inactive name active again.
            Deed::Update => {
                let id = self.there(change.id.as_deref())?;
                self.alter(id, at_s, State::Live, 1);
                id
            }
            Deed::Touch | Deed::Email | Deed::Void | Deed::Delete | Deed::Deactivate => {
                let id = self.in_use(change.id.as_deref())?;
                let state = match change.deed {
                    Deed::Void => State::Voided,
                    Deed::Delete if !self.facts.is_name() => State::Deleted,
                    Deed::Delete | Deed::Deactivate => State::Inactive,
                    _ => State::Live,
                };
                self.alter(id, at_s, state, u32::from(change.deed != Deed::Touch));
                id
            }
        };
        if !change.fields.is_empty()
            && let Some(row) = self.rows.get_mut(&id)
        {
            let fields = row.fields.get_or_insert_default();
            for (name, value) in &change.fields {
                fields.insert(name.clone(), value.to_string());
            }
        }
        Ok(id)
    }

    fn alter(&mut self, id: u64, at_s: i64, state: State, tokens: u32) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        self.by_update.remove(&(row.updated_s, id));
        self.by_update.insert((at_s, id));
        row.updated_s = at_s;
        row.sync_token += tokens;
        row.state = state;
        if state == State::Live {
            self.live.insert(id);
        } else {
            self.live.remove(&id);
        }
    }

    /// A record that is in use.
    fn in_use(&self, id: Option<&str>) -> Result<u64, Mistake> {
        let found = self.there(id)?;
        if self.live.contains(&found) {
            Ok(found)
        } else {
            Err(self.missing(id))
        }
    }

    /// A record that is in use or inactive.
    fn there(&self, id: Option<&str>) -> Result<u64, Mistake> {
        let number = id.and_then(|id| id.parse().ok());
        let state = number.and_then(|number| Some(self.rows.get(&number)?.state));
        match (number, state) {
            (Some(number), Some(State::Live | State::Inactive)) => Ok(number),
            _ => Err(self.missing(id)),
        }
    }

    fn missing(&self, id: Option<&str>) -> Mistake {
        Mistake::NoSuchRecord {
            kind: self.facts.kind,
            id: id.unwrap_or_default().to_owned(),
        }
    }

    /// A live record near the place that the number points to.
    fn live_near(&self, number: u64) -> Option<u64> {
        let last = *self.live.last()?;
        let from = number % (last + 1);
        self.live.range(from..).next().copied()
    }
}

fn pick<T: Copy>(chance: &mut Chance, choices: &[T]) -> Option<T> {
    let index = usize::try_from(chance.below(choices.len() as u64)).ok()?;
    choices.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_750);

    fn ledger() -> Ledger {
        Ledger::new("310687", 1, Timestamp::from_ms(0))
    }

    fn done(ledger: &mut Ledger, kind: &str, deed: Deed, id: Option<&str>) -> Happening {
        ledger.apply(NOW, &Change::new(kind, deed, id)).unwrap()
    }

    fn state(ledger: &Ledger, kind: &str, id: u64) -> (u32, State) {
        let row = ledger.row(kind, id).unwrap();
        (row.sync_token, row.state)
    }

    #[test]
    fn each_deed_leaves_what_quickbooks_would_leave() {
        let table = [
            ("Invoice", Deed::Update, 1, State::Live),
            ("Invoice", Deed::Touch, 0, State::Live),
            ("Invoice", Deed::Email, 1, State::Live),
            ("Invoice", Deed::Void, 1, State::Voided),
            ("Invoice", Deed::Delete, 1, State::Deleted),
            ("TimeActivity", Deed::Delete, 1, State::Deleted),
            ("Customer", Deed::Delete, 1, State::Inactive),
            ("Customer", Deed::Deactivate, 1, State::Inactive),
        ];
        for (kind, deed, sync_token, expected) in table {
            let mut ledger = ledger();
            let created = done(&mut ledger, kind, Deed::Create, None);
            assert_eq!(state(&ledger, kind, 1), (0, State::Live));
            done(&mut ledger, kind, deed, Some(&created.id));
            assert_eq!(state(&ledger, kind, 1), (sync_token, expected), "{deed:?}");
        }
    }

    #[test]
    fn a_merge_keeps_one_name_and_makes_the_other_inactive() {
        let mut ledger = ledger();
        ledger.fill("Vendor", 2, NOW);
        let mut change = Change::new("Vendor", Deed::Merge, Some("2"));
        change.deleted_id = Some("1".into());
        let merged = ledger.apply(NOW, &change).unwrap();
        assert_eq!(
            (merged.id.as_str(), merged.deleted_id.as_deref()),
            ("2", Some("1"))
        );
        assert_eq!(state(&ledger, "Vendor", 1), (1, State::Inactive));
        assert_eq!(state(&ledger, "Vendor", 2), (1, State::Live));
        change.id = Some("1".into());
        assert!(ledger.apply(NOW, &change).is_err());
    }

    #[test]
    fn what_is_not_there_or_not_possible_is_refused() {
        let mut ledger = ledger();
        let mut refused = |kind, deed, id| {
            ledger
                .apply(NOW, &Change::new(kind, deed, id))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused("Invoice", Deed::Update, Some("7")),
            "there is no Invoice 7 that this could be done to"
        );
        assert_eq!(
            refused("Bill", Deed::Void, Some("1")),
            "Void is nothing that can be done to Bill"
        );
        assert_eq!(
            refused("invoice", Deed::Create, None),
            "`invoice` is no kind of record here"
        );
        ledger.fill("Invoice", 1, NOW);
        done(&mut ledger, "Invoice", Deed::Delete, Some("1"));
        let again = Change::new("Invoice", Deed::Update, Some("1"));
        assert!(ledger.apply(NOW, &again).is_err());
    }

    #[test]
    fn changes_are_found_in_their_order_and_after_a_second() {
        let mut ledger = ledger();
        let at = |s: i64| Timestamp::from_ms(s * 1000);
        for s in [10, 20, 30] {
            ledger.fill("Bill", 1, at(s));
        }
        let update = Change::new("Bill", Deed::Update, Some("1"));
        ledger.apply(at(40), &update).unwrap();
        let after = |s| -> Vec<u64> { ledger.changed_after("Bill", s).map(|(id, _)| id).collect() };
        assert_eq!(after(9), [2, 3, 1]);
        assert_eq!(after(20), [3, 1]);
        assert_eq!(after(40), [0_u64; 0]);
    }

    #[test]
    fn chance_only_asks_for_what_can_be_done_and_is_the_same_for_a_seed() {
        let run = |seed| {
            let (mut ledger, mut chance) = (ledger(), Chance::new(seed));
            for _ in 0..3_000 {
                let change = ledger.possible(&mut chance);
                ledger.apply(NOW, &change).unwrap();
            }
            ledger.history().cloned().collect::<Vec<_>>()
        };
        let history = run(5);
        assert_eq!(history, run(5));
        assert_ne!(history, run(6));
        let deeds: BTreeSet<Deed> = history.iter().map(|happening| happening.deed).collect();
        assert_eq!(deeds.len(), 8, "{deeds:?}");
    }
}
