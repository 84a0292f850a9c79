//! What was told and read before, so that it is not told again.
//!
//! Of what is missing it is forgotten that it was ever known: its repeat is taken in, and its record
//! is news to the next reading.

use super::loss::Loss;
use super::undelivered::Line;
use super::{CHANGE, Fields, PROVENANCE, RECORD, Rescue, SEEN};
use crate::journal::incoming::key;
use crate::model::{Authenticity, EntityRef, Identity, RealmId, Timestamp};
use rusqlite::types::Value;
use std::collections::{HashMap, HashSet};

impl Rescue<'_> {
    /// Takes it over. Returns when the last thing was received before something is missing.
    pub(super) fn memory(
        &self,
        lines: &[Line],
        whole: &HashSet<i64>,
        loss: &Loss,
        now: Timestamp,
    ) -> rusqlite::Result<Option<Timestamp>> {
        let after = loss.after.unwrap_or(i64::MAX);
        let there: HashSet<Identity> = lines
            .iter()
            .filter(|line| line.receipt > after)
            .map(|line| line.identity)
            .collect();
        let before = self.from.skipped();
        let mut since = None;
        let mut told: HashMap<i64, i64> = HashMap::new();
        self.copy(SEEN, |seen| {
            if seen.identity().is_none() {
                return false;
            }
            let receipt = seen.number("receipt");
            if receipt <= after {
                since = since.max(Some(seen.number("at")));
            }
            let stands = receipt <= after || whole.contains(&receipt) || {
                let identity = seen.identity();
                identity.is_some_and(|identity| there.contains(&identity))
            };
            if stands {
                let newest = told.entry(seen.number("record")).or_insert(i64::MIN);
                *newest = seen.number("newest_at").max(*newest);
            }
            stands
        })?;
        if self.from.skipped() > before {
            self.remember_changes(&mut told, now)?;
        }
        let since = since.filter(|_| loss.after.is_some());
        let companies = self.companies()?;
        let begin = since.unwrap_or(i64::MIN);
        self.copy(RECORD, |record| {
            let Some(realm) = companies.get(&record.number("realm")) else {
                return false;
            };
            let at = record.number("updated_at").max(record.number("deleted_at"));
            if loss.after.is_none() || at < begin {
                return true;
            }
            let entity = EntityRef {
                kind: record.text("kind").to_owned(),
                id: record.text("id").to_owned(),
            };
            // Whatever told its state has to be there; times of records are whole seconds.
            let newest = told.get(&key(realm, &entity));
            newest.is_some_and(|newest| newest.div_euclid(1000) >= at.div_euclid(1000))
        })?;
        Ok(since.map(Timestamp::from_ms))
    }

    /// Where the table of what was told has holes, changes that can be read fill them.
    fn remember_changes(
        &self,
        told: &mut HashMap<i64, i64>,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let mut seen: HashSet<[u8; 16]> = HashSet::new();
        let mut statement = self.to.prepare("SELECT identity FROM seen")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            seen.insert(row.get(0)?);
        }
        let companies = self.names()?;
        let unsigned = self.unsigned_receipts()?;
        let mut insert = self.to.prepare(
            "INSERT INTO seen (at, receipt, content, identity, record, newest_at, unsigned) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let columns = "receipt, content, identity, realm, kind, entity, happened_at";
        self.from.each(CHANGE, columns, |values| {
            let [
                Value::Integer(receipt),
                Value::Integer(content),
                Value::Blob(identity),
                Value::Integer(realm),
                Value::Text(kind),
                Value::Text(id),
                happened_at,
            ] = &values[..]
            else {
                return Ok(());
            };
            let (Some(realm), Ok(identity)) =
                (companies.get(realm), <[u8; 16]>::try_from(&identity[..]))
            else {
                return Ok(());
            };
            if !seen.insert(identity) {
                return Ok(());
            }
            let (kind, id) = (kind.clone(), id.clone());
            let is_unsigned = unsigned.contains(receipt);
            let record = match happened_at {
                Value::Integer(at) if !is_unsigned => {
                    let record = key(realm, &EntityRef { kind, id });
                    let newest = told.entry(record).or_insert(i64::MIN);
                    *newest = (*at).max(*newest);
                    Some((record, *newest))
                }
                _ => None,
            };
            insert.execute(rusqlite::params![
                now.as_ms(),
                receipt,
                content,
                identity,
                record.map(|(record, _)| record),
                record.map(|(_, newest)| newest),
                is_unsigned.then_some(1),
            ])?;
            Ok(())
        })
    }

    /// Receipts for which nobody but their own sender speaks.
    fn unsigned_receipts(&self) -> rusqlite::Result<HashSet<i64>> {
        let mut unsigned = HashSet::new();
        self.from
            .each(PROVENANCE, "receipt, authenticity", |values| {
                if let [Value::Integer(receipt), Value::Text(word)] = &values[..]
                    && Authenticity::parse(word).is_some_and(Authenticity::is_unsigned)
                {
                    unsigned.insert(*receipt);
                }
                Ok::<_, rusqlite::Error>(())
            })?;
        Ok(unsigned)
    }

    /// Those that are or were connected.
    fn companies(&self) -> rusqlite::Result<HashMap<i64, RealmId>> {
        let mut companies = self.names()?;
        let mut statement = self.to.prepare("SELECT realm FROM company")?;
        let connected: HashSet<i64> = statement
            .query_map((), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        companies.retain(|realm, _| connected.contains(realm));
        Ok(companies)
    }

    fn names(&self) -> rusqlite::Result<HashMap<i64, RealmId>> {
        let mut statement = self.to.prepare("SELECT id, name FROM realm")?;
        let rows = statement.query_map((), |row| {
            let name: String = row.get(1)?;
            Ok((row.get(0)?, RealmId::new(name)))
        })?;
        let mut companies = HashMap::new();
        for row in rows {
            let (id, name) = row?;
            companies.extend(name.map(|name| (id, name)));
        }
        Ok(companies)
    }
}

impl Fields<'_> {
    fn identity(&self) -> Option<Identity> {
        let at = self.columns.iter().position(|name| name == "identity")?;
        match self.values.get(at)? {
            Value::Blob(bytes) => Some(Identity(bytes[..].try_into().ok()?)),
            _ => None,
        }
    }
}
