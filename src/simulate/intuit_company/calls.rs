//! What was asked of the simulated Intuit, counted and written down.

use std::collections::{BTreeMap, VecDeque};

/// What was asked.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// The authorization page.
    Authorize,
    /// A code for tokens.
    Exchange,
    /// A refresh token for tokens.
    Refresh,
    /// A token to be revoked.
    Revoke,
    /// A discovery document.
    Discovery,
    /// Change Data Capture.
    Capture,
    /// A query.
    Query,
    /// One record.
    Read,
    /// The company.
    CompanyInfo,
    /// Several questions in one.
    Batch,
}

impl Call {
    /// Whether it goes to the accounting API.
    pub const fn is_api(self) -> bool {
        matches!(
            self,
            Self::Capture | Self::Query | Self::Read | Self::CompanyInfo | Self::Batch
        )
    }
}

/// One request and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Asked {
    /// What.
    pub call: Call,
    /// Company, where it was about one.
    pub realm: Option<String>,
    /// Path, and query or body, without secrets: what a query or capture asked for.
    pub target: String,
    /// The status; `None` when the answer was withheld.
    pub status: Option<u16>,
}

/// How many requests are written down in full.
const LOG_MAX: usize = 1_000;

/// All requests so far.
#[derive(Clone, Default, Debug)]
pub struct Calls {
    counts: BTreeMap<(Option<String>, Call), u64>,
    /// The newest thousand, oldest first.
    pub log: VecDeque<Asked>,
}

impl Calls {
    /// How many of this sort were about this company.
    pub fn of(&self, realm: &str, call: Call) -> u64 {
        let key = (Some(realm.to_owned()), call);
        self.counts.get(&key).copied().unwrap_or(0)
    }

    /// How many of this sort there were in all.
    pub fn all(&self, call: Call) -> u64 {
        let of_sort = self
            .counts
            .iter()
            .filter(|((_, counted), _)| *counted == call);
        of_sort.map(|(_, count)| count).sum()
    }

    /// How many calls of the accounting API there were in all: those that Intuit meters.
    pub fn metered(&self) -> u64 {
        let metered = self.counts.iter().filter(|((_, call), _)| call.is_api());
        metered.map(|(_, count)| count).sum()
    }

    /// How many requests there were in all.
    pub(super) fn noted(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(super) fn note(&mut self, asked: Asked) {
        let key = (asked.realm.clone(), asked.call);
        *self.counts.entry(key).or_default() += 1;
        if self.log.len() == LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(asked);
    }

    /// For people and scripts: counts by company and sort, and the newest requests.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let mut realms: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
        for ((realm, call), count) in &self.counts {
            let name = serde_json::to_value(call).unwrap_or_default();
            let counts = realms.entry(realm.as_deref().unwrap_or("")).or_default();
            counts.insert(name.as_str().unwrap_or_default().to_owned(), *count);
        }
        serde_json::json!({"metered": self.metered(), "realms": realms, "log": self.log})
    }
}
