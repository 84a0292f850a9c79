//! The simulator's own addresses, under `/simulate/`: what goes wrong, what is changed, what was
//! asked. Not Intuit's.

use super::answer::Answer;
use super::desk::{Desk, Question};
use super::faults::Rule;
use super::options::Pace;
use crate::simulate::books::{Books, Change, Happening, State};
use crate::simulate::company::Chance;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The whole switchboard: what is not named is as it should be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switches {
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    skew_ms: i64,
    #[serde(default)]
    lag_ms: u64,
    #[serde(default = "yes")]
    limits: bool,
}

const fn yes() -> bool {
    true
}

/// What is to happen in a company.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wishes {
    /// The first company when not given.
    #[serde(default)]
    realm: Option<String>,
    #[serde(default)]
    changes: Vec<Change>,
    /// So many more by chance.
    #[serde(default)]
    random: u32,
    /// The same seed chooses the same in the same books.
    #[serde(default)]
    seed: u64,
    /// Whether nobody is told.
    #[serde(default)]
    quietly: bool,
}

/// How many changes one request may ask for.
const CHANGES_MAX: usize = 100_000;

impl Desk {
    /// Answers a request to one of these addresses.
    pub(super) fn control(&self, question: &Question) -> Answer {
        let answer = match (question.method.as_str(), question.path.as_str()) {
            ("POST", "/simulate/faults") => self.switch(&question.body),
            ("DELETE", "/simulate/faults") => {
                self.faults.clear();
                Ok(json!({"fired": self.faults.fired()}))
            }
            ("POST", "/simulate/changes") => self.do_wishes(&question.body),
            ("GET", "/simulate/calls") => Ok(self.calls().to_json()),
            ("GET", "/simulate/companies") => Ok(self.census()),
            _ => return Answer::json(404, &json!({"error": "no such address or method"})),
        };
        match answer {
            Ok(body) => Answer::json(200, &body),
            Err(why) => Answer::json(400, &json!({"error": why})),
        }
    }

    fn switch(&self, body: &[u8]) -> Result<Value, String> {
        let switches: Switches = read(body)?;
        self.faults.set(switches.rules);
        self.faults.set_skew_ms(switches.skew_ms);
        self.faults.set_lag(Duration::from_millis(switches.lag_ms));
        self.pacing().set(switches.limits.then(Pace::default));
        Ok(json!({"fired": self.faults.fired()}))
    }

    fn do_wishes(&self, body: &[u8]) -> Result<Value, String> {
        let wishes: Wishes = read(body)?;
        let random = usize::try_from(wishes.random).unwrap_or(usize::MAX);
        if wishes.changes.len().saturating_add(random) > CHANGES_MAX {
            return Err(format!("at most {CHANGES_MAX} changes at a time"));
        }
        let books = self.books_of(wishes.realm.as_deref())?;
        let books = if wishes.quietly {
            books.quietly()
        } else {
            books
        };
        let mut happened = Vec::new();
        for change in &wishes.changes {
            let happening = books
                .change(change)
                .map_err(|mistake| mistake.to_string())?;
            happened.push(told(&happening));
        }
        let mut chance = Chance::new(wishes.seed);
        for _ in 0..random {
            let happening = books
                .random(&mut chance)
                .map_err(|mistake| mistake.to_string())?;
            happened.push(told(&happening));
        }
        Ok(json!({"happened": happened}))
    }

    fn books_of(&self, realm: Option<&str>) -> Result<Books, String> {
        let company = match realm {
            Some(realm) => self.companies.get(realm),
            None => self.companies.values().next(),
        };
        let company = company.ok_or_else(|| "there is no such company".to_owned())?;
        Ok(company.books.clone())
    }

    /// How many records of each kind there are, by what they are.
    fn census(&self) -> Value {
        let mut companies = BTreeMap::new();
        for (realm, company) in &self.companies {
            let mut counts: BTreeMap<String, BTreeMap<&str, u64>> = BTreeMap::new();
            for ((kind, _), seen) in company.books.seen() {
                let word = match seen.state {
                    State::Live => "live",
                    State::Inactive => "inactive",
                    State::Voided => "voided",
                    State::Deleted => "deleted",
                };
                *counts.entry(kind).or_default().entry(word).or_default() += 1;
            }
            companies.insert(
                realm,
                json!({"environment": company.environment.as_str(), "records": counts}),
            );
        }
        json!(companies)
    }
}

fn told(happening: &Happening) -> Value {
    json!({
        "realm": happening.realm,
        "kind": happening.kind,
        "id": happening.id,
        "operation": happening.deed.words().0,
        "at": happening.at.to_string(),
        "deleted_id": happening.deleted_id,
        "event_id": happening.event_id,
    })
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
