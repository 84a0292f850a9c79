//! Taking in what a look at a company brought: one transaction, all of it or nothing.
//!
//! Each record is judged by what stands in the journal at that moment, the records before it
//! included. What is news becomes a change in a receipt of its own making, whose body is the JSON
//! array of the records that were news, and leaves through the lanes like every other. Called by the
//! writer; what decides is in `rules::reconcile`.

use super::append::{self, Numbers};
use super::company::{self, Found};
use super::error::Failure;
use super::incoming::{self, Incoming};
use super::known::{self, Known, Newest, Seen};
use super::room::Room;
use super::sift::New;
use super::touched::Touched;
use super::{Error, gaps, instance, records, watermarks};
use crate::model::{
    Authenticity, ChangeSeq, Encoding, EntityRef, EventTime, Identity, Item, Notification,
    Operation, Purpose, Reading, Receipt, Reconciled, Record, Seq, Standing, Timestamp, Watermark,
};
use crate::rules::reconcile::{
    Deletion, Held, Past, Verdict, hold, is_absence_news, is_after, judge, rides_along,
};
use crate::wire::identity::{content, of_captured};
use rusqlite::Connection;
use std::collections::HashMap;

/// Records in one receipt, and bytes of its body; a single record may be larger.
const RECORDS: usize = 200;
const BODY_BYTES: usize = 256 << 10;

/// What the writer lends for it.
pub(super) struct Desk<'a> {
    pub(super) connection: &'a Connection,
    pub(super) known: &'a mut Known,
    pub(super) numbers: &'a mut Numbers,
    pub(super) touched: &'a mut Touched,
    pub(super) room: &'a mut Room,
    pub(super) keep_records: bool,
}

/// Bytes that it may take in the file, generously.
pub(super) fn bytes(reading: &Reading) -> u64 {
    let records = reading.records.iter();
    let bytes: usize = records
        .map(|record| match record.body.len() {
            0 => 128,
            length => length + 1024,
        })
        .sum();
    u64::try_from(bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(16 << 10)
}

/// Takes it in. What is refused is refused before anything is written: the transaction has other
/// members.
pub(super) fn reconcile(desk: Desk<'_>, reading: &Reading) -> Result<Reconciled, Failure> {
    let found = company::find(desk.connection, &reading.realm)?;
    let readable = |found: &Found| found.company.standing != Standing::Disconnected;
    let Some(company) = found.filter(readable) else {
        return Err(Error::NotConnected(reading.realm.to_string()).into());
    };
    if !desk.room.take(bytes(reading)) {
        return Err(Error::Full.into());
    }
    desk.touched.at(reading.at);
    let keep_records =
        desk.keep_records || instance::wants_records(desk.connection, company.realm)?;
    let mut taking = Taking {
        pending: pending(desk.connection, &company, reading)?,
        lists: lists(desk.connection, &company, reading)?,
        keep_records,
        desk,
        reading,
        company,
        news: Vec::new(),
        news_bytes: 0,
        done: Reconciled::default(),
    };
    for record in &reading.records {
        taking.take(record)?;
    }
    taking.miss()?;
    taking.flush()?;
    taking.finish()?;
    Ok(taking.done)
}

/// Notified changes of the records that were read, by the lower-case kind and the id.
type Pending = HashMap<(String, String), Vec<Waiting>>;

/// A notified change that waits to be reconciled.
struct Waiting {
    change: ChangeSeq,
    operation: Operation,
    /// By the sender's word.
    happened: Option<Timestamp>,
    /// As far as that can be.
    likely: Option<Timestamp>,
    is_signed: bool,
}

/// What is held of the kinds of which the reading has every record: by id.
type Lists<'a> = HashMap<&'a str, HashMap<String, Held>>;

/// A reading on its way in.
struct Taking<'a> {
    desk: Desk<'a>,
    reading: &'a Reading,
    company: Found,
    pending: Pending,
    lists: Lists<'a>,
    keep_records: bool,
    news: Vec<News<'a>>,
    news_bytes: usize,
    done: Reconciled,
}

/// What nobody had told, filed already in the index.
struct News<'a> {
    notification: Notification,
    body: &'a str,
    row: i64,
    record: known::Record,
    late: bool,
}

fn place(entity: &EntityRef) -> (String, String) {
    (entity.kind.to_ascii_lowercase(), entity.id.clone())
}

fn pending(
    connection: &Connection,
    company: &Found,
    reading: &Reading,
) -> rusqlite::Result<Pending> {
    let read = reading.records.iter();
    let mut pending: Pending = read
        .map(|record| (place(&record.entity), Vec::new()))
        .collect();
    let mut statement = connection.prepare_cached(
        "SELECT c.seq, c.kind, c.entity, c.operation, c.happened_at, \
         ifnull(v.authenticity, 'signed') = 'signed', r.received_at FROM change c \
         JOIN receipt r ON r.seq = c.receipt LEFT JOIN provenance v ON v.receipt = c.receipt \
         WHERE c.realm = ?1 AND c.sequence > ?2 AND c.origin = 'webhook' ORDER BY c.sequence",
    )?;
    let mut rows = statement.query((company.realm, company.reconciled))?;
    while let Some(row) = rows.next()? {
        let (kind, id): (String, String) = (row.get(1)?, row.get(2)?);
        if let Some(changes) = pending.get_mut(&place(&EntityRef { kind, id })) {
            let operation: String = row.get(3)?;
            let happened = EventTime {
                text: String::new(),
                at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_ms),
            };
            changes.push(Waiting {
                change: ChangeSeq(row.get(0)?),
                operation: Operation::parse(&operation),
                happened: happened.own(),
                likely: happened.likely(Timestamp::from_ms(row.get(6)?)),
                is_signed: row.get(5)?,
            });
        }
    }
    Ok(pending)
}

fn lists<'a>(
    connection: &Connection,
    company: &Found,
    reading: &'a Reading,
) -> rusqlite::Result<Lists<'a>> {
    let all_of = |kind: &'a String| {
        let held = records::all_of(connection, company.realm, kind)?;
        Ok((kind.as_str(), held.into_iter().collect()))
    };
    reading.complete.iter().map(all_of).collect()
}

impl<'a> Taking<'a> {
    /// One record.
    fn take(&mut self, record: &'a Record) -> rusqlite::Result<()> {
        let (connection, realm) = (self.desk.connection, self.company.realm);
        let entity = &record.entity;
        let list = self.lists.get_mut(entity.kind.as_str());
        let is_listed = list.is_some();
        let held = match list.and_then(|list| list.remove(&entity.id)) {
            Some(held) => Some(held),
            None => records::held(connection, realm, entity)?,
        };
        let key = incoming::key(&self.reading.realm, entity);
        let before = self.desk.known.newest(connection, key)?;
        let waiting = self.pending.get(&place(entity));
        // A notification that waits counts by its own time, however the clock stood when it came; one
        // that nobody signed does not count.
        let signed = || waiting.into_iter().flatten().filter(|it| it.is_signed);
        let notified = signed().filter(|it| rides_along(record, &it.operation, it.happened));
        let notified = notified.filter_map(|it| it.happened).max();
        let past = Past {
            held,
            newest_told: before.and_then(|before| before.at).max(notified),
            is_pending: signed().next().is_some(),
        };
        let verdict = judge(record, &past, self.company.told_from);
        let next = Held {
            listed: is_listed || past.held.as_ref().is_some_and(|held| held.listed),
            ..hold(record, &past, &verdict, self.reading.at)
        };
        if past.held.as_ref() != Some(&next) {
            records::hold(connection, realm, entity, &next)?;
        }
        let rides = self.attach(record)?;
        match verdict {
            Verdict::News(operation) => {
                let happened = match record.updated.at {
                    Some(_) => record.updated.clone(),
                    None => self.noticed(),
                };
                self.tell(entity, operation, happened, &record.body, before)?;
            }
            Verdict::Known | Verdict::Baseline => {
                self.done.known += u32::from(!rides);
            }
        }
        Ok(())
    }

    /// The record rides along with what was notified of it; false where nothing was.
    fn attach(&mut self, record: &Record) -> rusqlite::Result<bool> {
        let waiting = self.pending.get(&place(&record.entity));
        let mut rides = false;
        for waiting in waiting.into_iter().flatten() {
            if rides_along(record, &waiting.operation, waiting.likely) {
                rides = true;
                if self.keep_records {
                    records::attach(self.desk.connection, waiting.change, &record.body)?;
                }
            }
        }
        self.done.attached += u32::from(rides);
        Ok(rides)
    }

    /// Records that are held and that a complete list does not have.
    fn miss(&mut self) -> rusqlite::Result<()> {
        let reading = self.reading;
        for kind in &reading.complete {
            let mut missing: Vec<(String, Held)> = self
                .lists
                .remove(kind.as_str())
                .into_iter()
                .flatten()
                .filter(|(_, held)| is_absence_news(held))
                .collect();
            missing.sort_by(|(one, _), (other, _)| one.cmp(other));
            for (id, held) in missing {
                let kind = kind.clone();
                let entity = EntityRef { kind, id };
                let deletion = Some(Deletion {
                    at: reading.at,
                    is_absence: true,
                });
                let held = Held { deletion, ..held };
                records::hold(self.desk.connection, self.company.realm, &entity, &held)?;
                let key = incoming::key(&reading.realm, &entity);
                let before = self.desk.known.newest(self.desk.connection, key)?;
                let noticed = self.noticed();
                self.tell(&entity, Operation::Delete, noticed, records::ABSENT, before)?;
            }
        }
        Ok(())
    }

    /// The time of what has no time of its own.
    fn noticed(&self) -> EventTime {
        EventTime {
            text: self.reading.at.to_string(),
            at: Some(self.reading.at),
        }
    }

    /// Files what nobody had told.
    fn tell(
        &mut self,
        entity: &EntityRef,
        operation: Operation,
        happened: EventTime,
        body: &'a str,
        before: Option<Newest>,
    ) -> rusqlite::Result<()> {
        let identity = self.free_identity(entity, &operation, &happened)?;
        let kind = entity.kind.to_ascii_lowercase();
        let mut notification = Notification {
            realm: self.reading.realm.clone(),
            entity: entity.clone(),
            event_type: format!("qbo.{kind}.{}.v1", operation.verb()),
            operation,
            deleted_id: None,
            sender_id: None,
            data: None,
            identity,
            content: 0,
            happened,
        };
        notification.content = content(&notification);
        let at = notification.happened.at.unwrap_or(self.reading.at);
        let newest = before.and_then(|before| before.at);
        let record = known::Record {
            key: incoming::key(&self.reading.realm, entity),
            newest_at: newest.max(Some(at)),
            ordered_at: before.map_or(at, |before| before.ordered_at.max(at)),
        };
        let seen = Seen {
            content: notification.content,
            receipt: Seq(self.desk.numbers.receipt),
            at: self.reading.at,
            unsigned: false,
        };
        let row = self.desk.known.add(identity, seen, Some(record), before);
        self.news_bytes += body.len() + 1;
        self.news.push(News {
            late: is_after(newest, Some(at)),
            notification,
            body,
            row,
            record,
        });
        self.done.found += 1;
        if self.news.len() >= RECORDS || self.news_bytes >= BODY_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// The first identity under which nothing was told yet.
    fn free_identity(
        &self,
        entity: &EntityRef,
        operation: &Operation,
        happened: &EventTime,
    ) -> rusqlite::Result<Identity> {
        let second = happened.at.map(Timestamp::as_seconds);
        let mut nth = 0;
        loop {
            let identity = of_captured(&self.reading.realm, entity, operation, second, nth);
            let seen = self.desk.known.look_up(self.desk.connection, identity)?;
            if seen.is_none() {
                return Ok(identity);
            }
            nth += 1;
        }
    }

    /// Writes a receipt with the news gathered so far.
    fn flush(&mut self) -> rusqlite::Result<()> {
        if self.news.is_empty() {
            return Ok(());
        }
        self.news_bytes = 0;
        let news = std::mem::take(&mut self.news);
        let bodies: Vec<&str> = news.iter().map(|news| news.body).collect();
        let body = format!("[{}]", bodies.join(","));
        let (facts, items): (Vec<_>, Vec<_>) = news
            .into_iter()
            .map(|news| {
                let item = Item::Notification(news.notification);
                ((news.row, news.record, news.late), item)
            })
            .unzip();
        let incoming = Incoming::new(Receipt {
            received_at: self.reading.at,
            source: self.company.company.app.to_string(),
            authenticity: Authenticity::Fetched,
            origin: self.reading.purpose.origin(),
            encoding: Encoding::Json,
            form: None,
            headers: Vec::new(),
            body: body.into(),
            items,
        });
        let new: Vec<New<'_>> = incoming
            .receipt
            .items
            .iter()
            .zip(facts)
            .enumerate()
            .map(|(ordinal, (item, (row, record, late)))| New {
                ordinal,
                item,
                row,
                identity: item.identity(),
                filed_under: item.identity(),
                record: Some(record),
                conflicting: false,
                late,
                overtaken: late,
                confirms: None,
                refused: None,
            })
            .collect();
        let desk = &mut self.desk;
        append::store(desk.connection, desk.numbers, desk.touched, &incoming, &new)?;
        Ok(())
    }

    /// What the purpose asks for beside the records.
    fn finish(&mut self) -> rusqlite::Result<()> {
        let (connection, realm) = (self.desk.connection, self.company.realm);
        let (at, finished) = (self.reading.at, self.reading.finished);
        let mut reconciled = self.company.reconciled;
        match self.reading.purpose {
            Purpose::Notified { through } if finished => {
                let through = through.cast_signed().min(self.company.sequence);
                reconciled = reconciled.max(through);
            }
            Purpose::Sweep if finished => {
                connection
                    .prepare_cached("UPDATE company SET swept_at = ?2 WHERE realm = ?1")?
                    .execute((realm, at.as_ms()))?;
            }
            Purpose::Gap { gap } => {
                let counts = (self.done.found, self.reading.missing);
                let done_at = finished.then_some(at);
                gaps::went_through(connection, gap, realm, counts, done_at)?;
            }
            Purpose::Notified { .. } | Purpose::Poll | Purpose::Sweep => {}
        }
        company::reconciled(connection, &self.company, reconciled, self.desk.touched)?;
        for (kind, mark) in &self.reading.watermarks {
            let to = Watermark {
                at: *mark,
                polled_at: finished.then_some(at),
            };
            watermarks::advance(connection, realm, kind, to)?;
            let read = (self.reading.realm.clone(), kind.clone(), to);
            self.desk.touched.read.push(read);
        }
        Ok(())
    }
}
