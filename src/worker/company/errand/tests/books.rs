//! A company of a few lines, and a Capture and a Query over it as Intuit documents them.

use super::super::{Ask, Errand};
use crate::model::{
    AppName, Company, CompanyView, EntityRef, Environment, EventTime, Notified, Operation, Reading,
    RealmId, Record, RecordState, Standing, Timestamp, Watermark,
};
use crate::qbo::{Captured, Failure, Page, Question};
use crate::wire::quickbooks::kinds;
use std::collections::BTreeMap;
use std::time::Duration;

/// 2026-11-18T10:26:40Z
pub(super) const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const OVERLAP: Duration = Duration::from_secs(120);

pub(super) fn view() -> CompanyView {
    CompanyView {
        company: Company {
            realm: RealmId::new("310687").unwrap(),
            app: AppName::new("books").unwrap(),
            environment: Environment::Production,
            connected_at: NOW.minus(DAY * 200),
            standing: Standing::Connected,
            standing_since: NOW,
            access_expires_at: None,
            refresh_expires_at: None,
            hard_expires_at: None,
        },
        told_from: NOW.minus(DAY * 200),
        notified: Vec::new(),
        newest: 60,
        reconciled: 40,
        watermarks: BTreeMap::new(),
        swept_at: None,
        gap: None,
    }
}

/// All kinds read so long ago.
pub(super) fn read(ago: Duration) -> CompanyView {
    let mark = Watermark {
        at: NOW.minus(ago),
        polled_at: None,
    };
    let marks = kinds().iter().map(|facts| (facts.kind.to_owned(), mark));
    CompanyView {
        watermarks: marks.collect(),
        ..view()
    }
}

pub(super) fn notified(sequence: u64, kind: &str, id: &str, ago: Duration) -> Notified {
    Notified {
        sequence,
        entity: EntityRef {
            kind: kind.into(),
            id: id.into(),
        },
        operation: Operation::Update,
        happened: time(NOW.minus(ago)),
        received_at: NOW,
    }
}

pub(super) fn time(at: Timestamp) -> EventTime {
    EventTime {
        text: at.to_string(),
        at: Some(at),
    }
}

pub(super) fn record(kind: &str, id: &str, at: Timestamp, state: RecordState) -> Record {
    Record {
        entity: EntityRef {
            kind: kind.into(),
            id: id.into(),
        },
        sync_token: Some("1".into()),
        created_at: None,
        updated: time(Timestamp::from_ms(at.as_seconds() * 1000)),
        state,
        body: "{}".into(),
    }
}

/// What QuickBooks has, and how much it tells at a time.
pub(super) struct Books {
    pub(super) records: Vec<Record>,
    pub(super) room: usize,
    pub(super) page: usize,
    pub(super) look_back: Duration,
    pub(super) asked: Vec<String>,
}

impl Books {
    pub(super) fn new(records: Vec<Record>) -> Self {
        Self {
            records,
            room: 1000,
            page: 1000,
            look_back: DAY * 30,
            asked: Vec::new(),
        }
    }

    pub(super) fn sorted(&self, is_meant: impl Fn(&Record) -> bool) -> Vec<Record> {
        let meant = self.records.iter().filter(|one| is_meant(one));
        let mut meant: Vec<Record> = meant.cloned().collect();
        meant.sort_by_key(|one| (one.updated.at, one.entity.id.clone()));
        meant
    }

    pub(super) fn capture(
        &mut self,
        kinds: &[String],
        since: Timestamp,
    ) -> Result<Captured, Failure> {
        let days = NOW.since(since).as_secs() / 86_400;
        self.asked
            .push(format!("capture {} for {days} d", kinds.join(",")));
        if NOW.since(since) > self.look_back {
            return Err(Failure::TooOld);
        }
        // Room is used up in the order of the kinds, the oldest first; since is not included.
        let mut records = Vec::new();
        for kind in kinds {
            records.extend(
                self.sorted(|one| one.entity.kind == *kind && one.updated.at.unwrap() > since),
            );
        }
        records.truncate(self.room);
        records.sort_by_key(|one| one.updated.at);
        Ok(Captured {
            saturated: records.len() >= self.room,
            records,
            at: Some(NOW),
            failed_kinds: Vec::new(),
            skipped: Vec::new(),
        })
    }

    pub(super) fn query(&mut self, question: &Question) -> Page {
        let Question { kind, ids, .. } = question;
        let how = match question {
            Question { ids_only: true, .. } => format!(" list from {}", question.start),
            Question { ids, .. } if !ids.is_empty() => format!(" {}", ids.join(",")),
            _ => String::new(),
        };
        self.asked.push(format!("query {kind}{how}"));
        let since = question.since.map(Timestamp::as_seconds);
        let mut records = self.sorted(|one| {
            one.entity.kind == *kind
                && one.state != RecordState::Deleted
                && since.is_none_or(|since| one.updated.at.unwrap().as_seconds() >= since)
                && (ids.is_empty() || ids.contains(&one.entity.id))
        });
        if question.ids_only {
            records.sort_by_key(|one| one.entity.id.clone());
        }
        let start = usize::try_from(question.start).unwrap() - 1;
        let records: Vec<Record> = records.into_iter().skip(start).take(self.page).collect();
        Page {
            full: records.len() >= self.page,
            count: u32::try_from(records.len()).unwrap(),
            records,
            at: Some(NOW),
            skipped: Vec::new(),
        }
    }

    /// Makes all the calls of a reading; what it brought, and what it ended with.
    pub(super) fn serve(&mut self, errand: &mut Errand) -> (Vec<Record>, Reading) {
        self.serve_all(errand, |_, _| None)
    }

    /// The same, but for calls that fail.
    pub(super) fn serve_all(
        &mut self,
        errand: &mut Errand,
        mut fails: impl FnMut(&Self, &Ask) -> Option<Failure>,
    ) -> (Vec<Record>, Reading) {
        let mut brought = Vec::new();
        for _ in 0..20_000 {
            let ask = errand.ask(NOW);
            let failure = ask.as_ref().and_then(|ask| fails(self, ask));
            let step = match ask {
                _ if failure.is_some() => errand.failed(&failure.unwrap(), 0, NOW).unwrap(),
                None => errand.close(NOW),
                Some(Ask::Query(question)) => errand.page(self.query(&question), NOW),
                Some(Ask::Capture { kinds, since }) => match self.capture(&kinds, since) {
                    Ok(captured) => errand.captured(captured, NOW),
                    Err(failure) => errand.failed(&failure, 0, NOW).unwrap(),
                },
            };
            brought.extend(step.reading.records.clone());
            if step.reading.finished {
                return (brought, step.reading);
            }
        }
        panic!("the reading does not end: {:?}", &self.asked[..9]);
    }
}

pub(super) fn invoices(count: usize, from: Duration, state: RecordState) -> Vec<Record> {
    let prefix = if state == RecordState::Deleted {
        "d"
    } else {
        ""
    };
    (0..count)
        .map(|n| {
            let at = NOW.minus(from).plus(SECOND * u32::try_from(n).unwrap());
            record("Invoice", &format!("{prefix}{n:04}"), at, state)
        })
        .collect()
}

pub(super) fn watermark(reading: &Reading, kind: &str) -> Option<Timestamp> {
    let found = reading.watermarks.iter().find(|(name, _)| name == kind);
    found.map(|(_, at)| *at)
}
