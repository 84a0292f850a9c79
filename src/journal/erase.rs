//! Erasing a company: everything that the journal holds of it, in small steps, and no trace of it in
//! the file.
//!
//! A receipt that told of this company only goes as a whole. One that told of others, too, is cut: its
//! body loses what is the company's, and the rows of those changes stay as empty ones, because the
//! numbers of a receipt's changes are a span. What stays are digests, from which nothing can be read
//! back, until retention forgets them. The handle's half is in [`forgetting`](super::forgetting).

use super::error::Failure;
use super::incoming::digest;
use super::retention;
use super::rows::number;
use super::touched::Touched;
use super::{gaps, instance, shares};
use crate::model::{InstanceId, RealmId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Receipts that one step erases.
const STEP: usize = 64;

/// The tables whose rows belong to one company, by their column `realm`.
pub(super) const OF_ONE_COMPANY: [&str; 6] = [
    "lane",
    "replay",
    "company",
    "watermark",
    "record",
    "gap_company",
];

/// What was erased of a company, or would be.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Erased {
    /// The company had a row.
    pub was_known: bool,
    /// Receipts deleted as a whole.
    pub receipts: u64,
    /// Receipts of other companies, too, that were cut.
    pub cut: u64,
    /// Changes.
    pub changes: u64,
    /// Last states of records that were read.
    pub records: u64,
    /// Entries of the event log.
    pub events: u64,
    /// Element instances.
    pub instances: u64,
}

impl Erased {
    /// Whether nothing at all was kept of it.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.was_known |= other.was_known;
        self.receipts += other.receipts;
        self.cut += other.cut;
        self.changes += other.changes;
        self.records += other.records;
        self.events += other.events;
        self.instances += other.instances;
    }
}

/// Whether the id of a company stands in a text, and not as a part of a longer word.
pub(super) fn names(text: &[u8], realm: &RealmId) -> bool {
    let id = realm.as_str().as_bytes();
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let mut from = 0;
    while let Some(at) = text
        .get(from..)
        .and_then(|rest| rest.windows(id.len()).position(|part| part == id))
    {
        let at = from + at;
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        if is_edge(before) && is_edge(text.get(at + id.len())) {
            return true;
        }
        from = at + 1;
    }
    false
}

/// Receipts after this one that hold something beside changes and name the company; and the last one
/// that was looked at, `None` at the end.
pub(super) fn mentions(
    connection: &Connection,
    realm: &RealmId,
    after: i64,
) -> rusqlite::Result<(Vec<i64>, Option<i64>)> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, body FROM receipt WHERE seq > ?1 AND (unreadable > 0 OR changes < items) \
         ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query((after, number(STEP)))?;
    let (mut found, mut last, mut count) = (Vec::new(), None, 0);
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        if names(row.get_ref(1)?.as_bytes().unwrap_or_default(), realm) {
            found.push(seq);
        }
        (last, count) = (Some(seq), count + 1);
    }
    Ok((found, last.filter(|_| count == STEP)))
}

/// What would be erased, beside the receipts that only mention it.
pub(super) fn plan(connection: &Connection, realm: &RealmId) -> rusqlite::Result<Erased> {
    let count = |sql: &str| -> rusqlite::Result<u64> {
        let count: i64 = connection
            .prepare_cached(sql)?
            .query_row([realm.as_str()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let all = "SELECT count(DISTINCT c.receipt) FROM change c JOIN realm m ON m.id = c.realm \
        WHERE m.name = ?1";
    let shared = "SELECT count(*) FROM receipt r WHERE r.seq IN (SELECT c.receipt FROM change c \
        JOIN realm m ON m.id = c.realm WHERE m.name = ?1) AND EXISTS (SELECT 1 FROM change o \
        WHERE o.seq BETWEEN r.first_change AND r.first_change + r.changes - 1 \
        AND o.realm NOT IN (SELECT 0 UNION SELECT id FROM realm WHERE name = ?1))";
    let cut = count(shared)?;
    let known = "SELECT (SELECT count(*) FROM realm WHERE name = ?1) \
        + (SELECT count(*) FROM forgotten WHERE name = ?1)";
    Ok(Erased {
        was_known: count(known)? > 0,
        receipts: count(all)? - cut,
        cut,
        changes: count(
            "SELECT count(*) FROM change c JOIN realm m ON m.id = c.realm WHERE m.name = ?1",
        )?,
        records: count(
            "SELECT count(*) FROM record c JOIN realm m ON m.id = c.realm WHERE m.name = ?1",
        )?,
        events: number_of(told(connection, realm)?.len()),
        instances: count(
            "SELECT count(*) FROM instance i JOIN sink s ON s.id = i.sink \
             JOIN realm m ON m.id = s.realm WHERE m.name = ?1",
        )?,
    })
}

/// One step; true when it was the last. `mentions` are receipts that name it without a change of it.
pub(super) fn step(
    connection: &Connection,
    touched: &mut Touched,
    realm: &RealmId,
    mentions: &[i64],
    now: Timestamp,
) -> Result<(Erased, bool), Failure> {
    touched.at(now);
    let mut erased = Erased::default();
    let id = id(connection, realm)?;
    let mut receipts = mentions.to_vec();
    if let Some(id) = id {
        let with_changes: Vec<i64> = connection
            .prepare_cached("SELECT DISTINCT receipt FROM change WHERE realm = ?1 LIMIT ?2")?
            .query_map((id, number(STEP)), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        receipts.extend(with_changes);
    }
    let is_last = receipts.is_empty();
    for seq in receipts {
        receipt(connection, (realm, id.unwrap_or(-1)), seq, &mut erased)?;
    }
    if is_last {
        rest(connection, touched, (realm, id), now, &mut erased)?;
    }
    Ok((erased, is_last))
}

fn id(connection: &Connection, realm: &RealmId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM realm WHERE name = ?1")?
        .query_row([realm.as_str()], |row| row.get(0))
        .optional()
}

/// One receipt: as a whole, or cut where it told of others, too.
fn receipt(
    connection: &Connection,
    (realm, id): (&RealmId, i64),
    seq: i64,
    erased: &mut Erased,
) -> rusqlite::Result<()> {
    let Some(old) = retention::old(connection, seq)? else {
        return Ok(());
    };
    let (ours, others): (i64, i64) = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE realm = ?3), \
             count(*) FILTER (WHERE realm <> ?3 AND realm <> 0) \
             FROM change WHERE seq BETWEEN ?1 AND ?2",
        )?
        .query_row((old.first, old.last, id), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    erased.changes += ours.cast_unsigned();
    if others == 0 {
        retention::delete(connection, &old)?;
        erased.receipts += 1;
        return Ok(());
    }
    erased.cut += 1;
    empty_changes(connection, id, &old)?;
    let unreadable: Vec<(i64, String, String)> = connection
        .prepare_cached("SELECT ordinal, place, why FROM unreadable WHERE receipt = ?1")?
        .query_map([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (ordinal, place, why) in unreadable {
        if names(place.as_bytes(), realm) || names(why.as_bytes(), realm) {
            connection
                .prepare_cached(
                    "UPDATE unreadable SET place = '', why = 'of a company that was forgotten' \
                     WHERE receipt = ?1 AND ordinal = ?2",
                )?
                .execute((seq, ordinal))?;
        }
    }
    let body: Vec<u8> = connection
        .prepare_cached("SELECT body FROM receipt WHERE seq = ?1")?
        .query_row([seq], |row| row.get(0))?;
    let body = without(&body, realm);
    shares::subtract(connection, seq)?;
    connection
        .prepare_cached("UPDATE receipt SET body = ?2, digest = ?3 WHERE seq = ?1")?
        .execute(params![seq, body, digest(&body)])?;
    shares::add(connection, seq)
}

/// The rows of a company's changes in a receipt of others, too: they stay, with nothing in them.
fn empty_changes(
    connection: &Connection,
    realm: i64,
    old: &retention::Old,
) -> rusqlite::Result<()> {
    let span = (old.first, old.last, realm);
    let ours = "IN (SELECT seq FROM change WHERE seq BETWEEN ?1 AND ?2 AND realm = ?3)";
    for table in ["dead", "replay", "fetched"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE change {ours}"))?
            .execute(span)?;
    }
    connection
        .prepare_cached(
            "UPDATE change SET realm = 0, sequence = seq, kind = '', entity = '', operation = '', \
             happened = '', happened_at = NULL, deleted_id = NULL, event_type = '', \
             sender_id = NULL, data = NULL, identity = zeroblob(16), content = 0, confirms = NULL, \
             seal = NULL \
             WHERE seq BETWEEN ?1 AND ?2 AND realm = ?3",
        )?
        .execute(span)?;
    Ok(())
}

/// A body without the entries that name the company; nothing of it where that cannot be told.
fn without(body: &[u8], realm: &RealmId) -> Vec<u8> {
    let keep = |entries: Vec<Box<RawValue>>| {
        let kept = entries.into_iter().map(|entry| entry.get().to_owned());
        let kept: Vec<String> = kept
            .filter(|entry| !names(entry.as_bytes(), realm))
            .collect();
        format!("[{}]", kept.join(","))
    };
    let cut = if let Ok(entries) = serde_json::from_slice::<Vec<Box<RawValue>>>(body) {
        Some(keep(entries))
    } else {
        let object = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(body);
        let cut_one = |(key, value): (String, Box<RawValue>)| {
            let entries = serde_json::from_str::<Vec<Box<RawValue>>>(value.get());
            let value = entries.map_or_else(|_| value.get().to_owned(), keep);
            format!("{}:{value}", serde_json::Value::String(key))
        };
        let parts = object.map(|object| object.into_iter().map(cut_one).collect::<Vec<_>>());
        parts.ok().map(|parts| format!("{{{}}}", parts.join(",")))
    };
    let cut = cut.unwrap_or_default().into_bytes();
    if names(&cut, realm) { Vec::new() } else { cut }
}

/// What is left when no receipt tells of it any more.
fn rest(
    connection: &Connection,
    touched: &mut Touched,
    (realm, id): (&RealmId, Option<i64>),
    now: Timestamp,
    erased: &mut Erased,
) -> Result<(), Failure> {
    if let Some(id) = id {
        erased.was_known = true;
        let instances: Vec<u32> = connection
            .prepare_cached(
                "SELECT i.id FROM instance i JOIN sink s ON s.id = i.sink WHERE s.realm = ?1",
            )?
            .query_map([id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for instance in instances.into_iter().filter_map(InstanceId::new) {
            instance::delete(connection, touched, instance, now)?;
            erased.instances += 1;
        }
        for table in OF_ONE_COMPANY {
            let gone = connection
                .prepare_cached(&format!("DELETE FROM {table} WHERE realm = ?1"))?
                .execute([id])?;
            if table == "record" {
                erased.records += number_of(gone);
            }
        }
        connection
            .prepare_cached("DELETE FROM realm WHERE id = ?1")?
            .execute([id])?;
        gaps::close(connection, now)?;
    }
    let was_forgotten = connection
        .prepare_cached("DELETE FROM forgotten WHERE name = ?1")?
        .execute([realm.as_str()])?;
    erased.was_known |= was_forgotten > 0;
    for event in told(connection, realm)? {
        connection
            .prepare_cached("DELETE FROM event WHERE id = ?1")?
            .execute([event])?;
        erased.events += 1;
    }
    touched.changed(realm, true);
    Ok(())
}

/// The entries of the event log that name it.
fn told(connection: &Connection, realm: &RealmId) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT id, text FROM event ORDER BY id")?;
    let mut rows = statement.query(())?;
    let mut told = Vec::new();
    while let Some(row) = rows.next()? {
        if names(row.get_ref(1)?.as_bytes().unwrap_or_default(), realm) {
            told.push(row.get(0)?);
        }
    }
    Ok(told)
}

fn number_of(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_company_is_named_by_a_whole_word_only() {
        let realm = RealmId::new("12").unwrap();
        for (text, is_named) in [
            ("12", true),
            ("company 12 was", true),
            ("{\"realmId\":\"12\"}", true),
            ("/qbo/12", true),
            ("112 and 12", true),
            ("112", false),
            ("121", false),
            ("a12", false),
            ("1 2", false),
            ("", false),
        ] {
            assert_eq!(names(text.as_bytes(), &realm), is_named, "{text}");
        }
    }

    #[test]
    fn a_body_keeps_what_is_of_others_byte_for_byte() {
        let realm = RealmId::new("12").unwrap();
        for (body, cut) in [
            (
                r#"[{"c":"12"}, {"c":"13","n":1005.00}]"#,
                r#"[{"c":"13","n":1005.00}]"#,
            ),
            (
                r#"{"eventNotifications":[{"realmId":"12"},{"realmId":"13"}],"a":1.0}"#,
                r#"{"a":1.0,"eventNotifications":[{"realmId":"13"}]}"#,
            ),
            ("<a>12</a><b>13</b>", ""),
            (r#"{"realmId":"12"}"#, ""),
        ] {
            let left = without(body.as_bytes(), &realm);
            assert_eq!(String::from_utf8(left).unwrap(), cut, "{body}");
        }
    }
}
