//! The receipts that were not finished, with their changes.
//!
//! A change stands by itself: where its receipt cannot be read, an empty one takes its place. Where
//! the changes of a receipt cannot be read, its body is decoded again, and what comes of it has the
//! same ids. A change whose content has not its digest any more is none.

use super::super::admission::Admission;
use super::loss::{Loss, OPEN};
use super::{
    CHANGE, DEAD, FETCHED, PROVENANCE, RECEIPT, REPEATED, REPETITION, REPLAY, Rescue, UNREADABLE,
    sense,
};
use crate::journal::append::{self, Numbers};
use crate::journal::incoming::{Incoming, digest};
use crate::journal::known::Known;
use crate::journal::rows::{self, CHANGE as COLUMNS, CHANGE_JOINED};
use crate::journal::touched::Touched;
use crate::model::{Authenticity, Encoding, Form, Identity, Item, Origin, Receipt, Timestamp};
use crate::wire::{self, identity::content};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Entries of a body, more than any has.
const ITEMS_MAX: usize = 100_000;

/// A change that can be read, delivered or not.
pub(super) struct Line {
    seq: i64,
    pub(super) receipt: i64,
    pub(super) realm: i64,
    pub(super) sequence: i64,
    pub(super) identity: Identity,
}

impl Rescue<'_> {
    /// Takes them over. Returns all changes that can be read, in order.
    pub(super) fn undelivered(&self, now: Timestamp) -> rusqlite::Result<Vec<Line>> {
        let mut lines = self.lines()?;
        self.learn_companies(&lines)?;
        self.copy(DEAD, |dead| {
            dead.number("replayed_at") < 0 && dead.number("discarded_at") < 0
        })?;
        self.copy(REPLAY, |replay| {
            replay.number("done_at") < 0 && sense::has_attempts(replay)
        })?;
        let asked: BTreeSet<i64> = numbers(
            self.to,
            "SELECT change FROM dead UNION SELECT change FROM replay",
        )?;
        let through = through(self.to)?;
        let is_open = |line: &&Line| {
            let through = through.get(&line.realm);
            through.is_some_and(|through| line.sequence > *through) || asked.contains(&line.seq)
        };
        let receipts: BTreeSet<i64> = lines
            .iter()
            .filter(is_open)
            .map(|one| one.receipt)
            .collect();
        self.copy(CHANGE, |change| {
            receipts.contains(&change.number("receipt"))
                && through.contains_key(&change.number("realm"))
        })?;
        self.copy(RECEIPT, |row| {
            receipts.contains(&row.number("seq")) && sense::is_receipt(row)
        })?;
        for table in [PROVENANCE, REPETITION, REPEATED, UNREADABLE] {
            self.copy(table, |row| receipts.contains(&row.number("receipt")))?;
        }
        self.replace_receipts(now)?;
        let wrong = self.wrong()?;
        lines.retain(|line| !wrong.contains(&line.seq));
        let changes: BTreeSet<i64> = numbers(self.to, "SELECT seq FROM change")?;
        self.copy(FETCHED, |row| {
            changes.contains(&row.number("change")) && sense::is_record(row)
        })?;
        for table in ["dead", "replay"] {
            let orphans =
                format!("DELETE FROM {table} WHERE change NOT IN (SELECT seq FROM change)");
            self.to.execute(&orphans, ())?;
        }
        Ok(lines)
    }

    fn lines(&self) -> rusqlite::Result<Vec<Line>> {
        let mut lines = Vec::new();
        let columns = "seq, receipt, realm, sequence, identity";
        self.from.each(CHANGE, columns, |values| {
            if let [
                Value::Integer(seq),
                Value::Integer(receipt),
                Value::Integer(realm),
                Value::Integer(sequence),
                Value::Blob(identity),
            ] = &values[..]
                && let Ok(identity) = <[u8; 16]>::try_from(&identity[..])
            {
                lines.push(Line {
                    seq: *seq,
                    receipt: *receipt,
                    realm: *realm,
                    sequence: *sequence,
                    identity: Identity(identity),
                });
            }
            Ok::<_, rusqlite::Error>(())
        })?;
        Ok(lines)
    }

    /// A company whose name cannot be read is called by it in the bodies of its notifications.
    fn learn_companies(&self, lines: &[Line]) -> rusqlite::Result<()> {
        let named: BTreeSet<i64> = numbers(self.to, "SELECT id FROM realm")?;
        let nameless: Vec<&Line> = lines
            .iter()
            .filter(|line| !named.contains(&line.realm))
            .collect();
        let by_identity: HashMap<Identity, i64> = nameless
            .iter()
            .map(|line| (line.identity, line.realm))
            .collect();
        let receipts: HashSet<i64> = nameless.iter().map(|line| line.receipt).collect();
        let mut names: BTreeMap<i64, String> = BTreeMap::new();
        self.from.each(RECEIPT, "seq, digest, body", |values| {
            if let [Value::Integer(seq), Value::Blob(kept), Value::Blob(body)] = &values[..]
                && receipts.contains(seq)
                && digest(body)[..] == kept[..]
            {
                for item in wire::decode(body, ITEMS_MAX).items {
                    if let Item::Notification(told) = item
                        && let Some(realm) = by_identity.get(&told.identity)
                    {
                        names.insert(*realm, told.realm.to_string());
                    }
                }
            }
            Ok::<_, rusqlite::Error>(())
        })?;
        for (realm, name) in names {
            let of_it = nameless.iter().filter(|line| line.realm == realm);
            let newest = of_it.map(|line| line.sequence).max();
            self.to.execute(
                "INSERT OR IGNORE INTO realm (id, name, sequence) VALUES (?1, ?2, ?3)",
                (realm, name, newest),
            )?;
        }
        Ok(())
    }

    /// Empty receipts for changes whose own cannot be read.
    fn replace_receipts(&self, now: Timestamp) -> rusqlite::Result<()> {
        self.to.execute(
            "INSERT INTO receipt (seq, received_at, verifier, items, first_change, changes, \
             unreadable, headers, digest, body) SELECT receipt, ?1, 'salvage', count(*), min(seq), \
             count(*), 0, '[]', ?2, x'' FROM change \
             WHERE receipt NOT IN (SELECT seq FROM receipt) GROUP BY receipt",
            (now.as_ms(), digest(&[])),
        )?;
        // What was read from QuickBooks says so in a row of its own.
        self.to.execute(
            "INSERT INTO provenance (receipt, authenticity, encoding) \
             SELECT DISTINCT receipt, 'fetched', 'json' FROM change WHERE origin <> 'webhook' \
             ON CONFLICT (receipt) DO UPDATE SET authenticity = 'fetched'",
            (),
        )?;
        Ok(())
    }

    /// Takes changes out again that are not what was written.
    fn wrong(&self) -> rusqlite::Result<HashSet<i64>> {
        let mut wrong = HashSet::new();
        let question = format!("SELECT {COLUMNS} FROM change c {CHANGE_JOINED}");
        let mut statement = self.to.prepare(&question)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let is_right = rows::change(row).is_ok_and(|change| {
                let told = &change.notification;
                told.content == content(told)
            });
            if !is_right {
                wrong.insert(row.get(0)?);
                self.from.skip();
            }
        }
        for seq in &wrong {
            self.to
                .execute("DELETE FROM change WHERE seq = ?1", [seq])?;
        }
        Ok(wrong)
    }

    /// The receipts that can be read with all their changes.
    pub(super) fn whole_receipts(&self, lines: &[Line]) -> rusqlite::Result<HashSet<i64>> {
        let mut counts: HashMap<i64, i64> = HashMap::new();
        for line in lines {
            *counts.entry(line.receipt).or_default() += 1;
        }
        let mut whole = HashSet::new();
        self.from.each(RECEIPT, "seq, changes", |values| {
            if let [Value::Integer(seq), Value::Integer(changes)] = values[..]
                && counts.get(&seq).copied().unwrap_or(0) == changes
            {
                whole.insert(seq);
            }
            Ok::<_, rusqlite::Error>(())
        })?;
        Ok(whole)
    }

    /// Decodes bodies again whose changes cannot all be read, and takes them in like a delivery that
    /// comes again: what is known of them is known, the rest is new under its old id.
    pub(super) fn take_in_again(
        &self,
        whole: &HashSet<i64>,
        loss: &Loss,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let Some(after) = loss.after else {
            return Ok(());
        };
        let mut known = Known::load(self.to)?;
        let fetched: HashSet<i64> = self.provenances()?;
        let columns = "seq, received_at, verifier, form, headers, digest, body";
        self.from.each(RECEIPT, columns, |values| {
            let [
                Value::Integer(seq),
                Value::Integer(received_at),
                Value::Text(verifier),
                Value::Text(form),
                Value::Text(headers),
                Value::Blob(kept),
                Value::Blob(body),
            ] = &values[..]
            else {
                return Ok(());
            };
            // What is not what came would be told under ids that nobody gave.
            if digest(body)[..] != kept[..] {
                return Ok(());
            }
            if *seq <= after || whole.contains(seq) || fetched.contains(seq) {
                return Ok(());
            }
            let decoded = wire::decode(body, ITEMS_MAX);
            let receipt = Receipt {
                received_at: Timestamp::from_ms(*received_at),
                source: verifier.clone(),
                authenticity: Authenticity::Signed,
                origin: Origin::Webhook,
                encoding: Encoding::Json,
                form: Form::parse(form),
                headers: serde_json::from_str(headers).unwrap_or_default(),
                body: body.clone().into(),
                items: decoded.items,
            };
            let mut numbers = Numbers::load(self.to)?;
            let (mut touched, incoming) = (Touched::new(now), Incoming::new(receipt));
            // What was taken in before is let in again.
            let mut admission = Admission::new(u64::MAX, Arc::default());
            append::append(
                self.to,
                &mut known,
                &mut numbers,
                &mut touched,
                &mut admission,
                &incoming,
            )?;
            known.committed();
            Ok(())
        })
    }

    /// Receipts that are not signed JSON, and so cannot be decoded here.
    fn provenances(&self) -> rusqlite::Result<HashSet<i64>> {
        let mut receipts = HashSet::new();
        self.from.each(PROVENANCE, "receipt", |values| {
            if let [Value::Integer(receipt)] = values[..] {
                receipts.insert(receipt);
            }
            Ok::<_, rusqlite::Error>(())
        })?;
        Ok(receipts)
    }
}

/// Up to where every configured sink has got the changes of each company.
fn through(to: &Connection) -> rusqlite::Result<HashMap<i64, i64>> {
    let mut statement = to.prepare(OPEN)?;
    statement
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn numbers(connection: &Connection, question: &str) -> rusqlite::Result<BTreeSet<i64>> {
    let mut statement = connection.prepare(question)?;
    statement.query_map((), |row| row.get(0))?.collect()
}
