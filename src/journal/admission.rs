//! Which companies are taken in: every name that a delivery mentions would otherwise be a row for
//! ever, and anybody who may deliver could make up names.
//!
//! A company that is known is taken; a signed notification may name a new one while there are fewer
//! than allowed; a client that does not sign only as far as the configuration lets it. What is
//! refused is kept as "not understood", with the reason. Asked by the writer for each notification.

use super::incoming::Incoming;
use super::{events, realms};
use crate::model::{Authenticity, Identity, Item, Origin, RealmId, SourceScope, Unreadable};
use crate::wire::identity::of_refused;
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Companies that are remembered as vouched for: some hundred bytes each.
const VOUCHED_MAX: usize = 10_000;

/// What each source may speak of; one that is not in it, of nothing new.
#[derive(Debug, Default)]
pub(super) struct Scopes(Mutex<Arc<BTreeMap<String, SourceScope>>>);

/// Why a company is not taken in.
#[derive(Debug)]
pub(super) struct Refusal {
    /// In one sentence, with what to do.
    pub(super) why: String,
    /// It is one more than there may be.
    pub(super) is_over_limit: bool,
}

/// How many companies there are, counted when that is asked for first in a batch.
#[derive(Debug)]
pub(super) struct Admission {
    companies_max: u64,
    scopes: Arc<Scopes>,
    companies: Option<u64>,
    of_source: HashMap<String, u64>,
    /// Companies that have a row and are vouched for; without it every delivery would ask the table.
    vouched: HashSet<RealmId>,
}

/// What is known of a company.
struct Known {
    /// The source by whose word alone it is known; `None`: it is signed for.
    source: Option<String>,
    /// Retention has not taken its row away.
    has_row: bool,
}

impl Scopes {
    pub(super) fn set(&self, scopes: BTreeMap<String, SourceScope>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(scopes);
    }

    /// What this source may do.
    pub(super) fn of(&self, source: &str) -> SourceScope {
        self.all().get(source).cloned().unwrap_or_default()
    }

    fn all(&self) -> Arc<BTreeMap<String, SourceScope>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Admission {
    pub(super) fn new(companies_max: u64, scopes: Arc<Scopes>) -> Self {
        Self {
            companies_max,
            scopes,
            companies: None,
            of_source: HashMap::new(),
            vouched: HashSet::new(),
        }
    }

    /// A new batch begins; the one before may have been rolled back.
    pub(super) fn begin(&mut self) {
        self.companies = None;
        self.of_source.clear();
    }

    /// Rows of companies are deleted, or nothing that was asked in this transaction holds any more.
    pub(super) fn ask_again(&mut self) {
        self.begin();
        self.vouched.clear();
    }

    /// The companies of a receipt that are refused.
    pub(super) fn refused<'a>(
        &mut self,
        connection: &Connection,
        incoming: &'a Incoming,
    ) -> rusqlite::Result<BTreeMap<&'a RealmId, Refusal>> {
        let receipt = &incoming.receipt;
        let mut refused = BTreeMap::new();
        if receipt.origin != Origin::Webhook {
            return Ok(refused);
        }
        let scopes = self.scopes.all();
        let unknown = SourceScope::default();
        let scope = match receipt.authenticity {
            Authenticity::Signed | Authenticity::Fetched => None,
            Authenticity::Credential | Authenticity::Address => {
                Some(scopes.get(&receipt.source).unwrap_or(&unknown))
            }
        };
        let mut judged = BTreeSet::new();
        for item in &receipt.items {
            if let Item::Notification(notification) = item
                && judged.insert(&notification.realm)
                && let Some(refusal) =
                    self.judge(connection, &receipt.source, scope, &notification.realm)?
            {
                refused.insert(&notification.realm, refusal);
            }
        }
        Ok(refused)
    }

    /// `scope` is what a client that does not sign may speak of.
    fn judge(
        &mut self,
        connection: &Connection,
        source: &str,
        scope: Option<&SourceScope>,
        realm: &RealmId,
    ) -> rusqlite::Result<Option<Refusal>> {
        if self.vouched.contains(realm) {
            return Ok(None);
        }
        let known = known(connection, realm)?;
        let is_vouched = scope.is_none() || known.as_ref().is_some_and(|it| it.source.is_none());
        let is_listed = scope.is_some_and(|scope| scope.listed.contains(realm));
        if !is_vouched && !is_listed && !scope.is_some_and(|scope| scope.any) {
            return refusal(format!(
                "company {realm} is none that source \"{source}\" may speak of: it is not connected, no \
                 signed notification has named it, and `companies` of the [[source]] does not list it"
            ));
        }
        if let Some(known) = known.filter(|it| it.has_row) {
            if known.source.is_none() && self.vouched.len() < VOUCHED_MAX {
                self.vouched.insert(realm.clone());
            }
            return Ok(None);
        }
        if let Some(scope) = scope.filter(|_| !is_vouched && !is_listed) {
            let count = match self.of_source.get(source) {
                Some(count) => *count,
                None => count(
                    connection,
                    "SELECT count(*) FROM realm WHERE source = ?1",
                    [source],
                )?,
            };
            if count >= scope.companies_max {
                return refusal(format!(
                    "company {realm} is one more than the {count} that source \"{source}\" may name: \
                     list it in `companies` of the [[source]], or raise its companies_max"
                ));
            }
            self.of_source.insert(source.to_owned(), count + 1);
        }
        let count = match self.companies {
            Some(count) => count,
            None => count(connection, "SELECT count(*) FROM realm", [])?,
        };
        if count >= self.companies_max {
            let max = self.companies_max;
            return Ok(Some(Refusal {
                why: format!(
                    "company {realm} is one more than the {max} that there may be: raise companies_max \
                     of [journal], or forget companies that are not needed"
                ),
                is_over_limit: true,
            }));
        }
        self.companies = Some(count + 1);
        if events::counted(connection, "over_limit")? > 0 {
            events::set(connection, "over_limit", 0)?;
        }
        Ok(None)
    }
}

fn refusal(why: String) -> rusqlite::Result<Option<Refusal>> {
    Ok(Some(Refusal {
        why,
        is_over_limit: false,
    }))
}

/// What is known of a company, those included that retention has forgotten.
fn known(connection: &Connection, realm: &RealmId) -> rusqlite::Result<Option<Known>> {
    let found: Option<Option<String>> = connection
        .prepare_cached("SELECT source FROM realm WHERE name = ?1")?
        .query_row([realm.as_str()], |row| row.get(0))
        .optional()?;
    if let Some(source) = found {
        return Ok(Some(Known {
            source,
            has_row: true,
        }));
    }
    let before = realms::forgotten(connection, realm)?;
    Ok(before.map(|before| Known {
        source: before.source,
        has_row: false,
    }))
}

fn count<P: rusqlite::Params>(connection: &Connection, sql: &str, of: P) -> rusqlite::Result<u64> {
    let count: i64 = connection
        .prepare_cached(sql)?
        .query_row(of, |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

impl Refusal {
    /// The entry as it is kept, under an identity of its own: what is let in later is no repeat of it.
    pub(super) fn unreadable(&self, ordinal: usize, identity: Identity) -> Unreadable {
        Unreadable {
            at: format!("[{ordinal}]"),
            why: self.why.clone(),
            identity: of_refused(identity),
        }
    }
}
