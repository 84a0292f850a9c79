//! The request for a replay as it travels over the control socket, and its answer.
//!
//! The command line writes the request, the running relay (or, when none runs, the command itself)
//! carries it out; both through this one form.

use crate::journal::{Journal, ReplayRequest, Selection};
use crate::model::{ChangeId, ChangeSeq, RealmId, SinkName, Timestamp};
use crate::wire::instant;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is asked for; exactly one way of choosing is given.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Form {
    pub(crate) dry_run: bool,
    pub(crate) dead_letters: bool,
    /// A change's id, or its number in the journal.
    pub(crate) change: Option<String>,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    pub(crate) realm: Option<String>,
    /// `Invoice`, or `Invoice/130`.
    pub(crate) entity: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) sinks: Vec<String>,
}

impl Form {
    /// Carries it out.
    ///
    /// # Errors
    /// One sentence that says which part of it cannot be meant, or what the journal said.
    pub(crate) async fn carry_out(
        &self,
        journal: &Journal,
        now: Timestamp,
    ) -> Result<Value, String> {
        let request = self.request()?;
        let plan = journal
            .replay(request, self.dry_run, now)
            .await
            .map_err(|error| error.to_string())?;
        let planned: Vec<Value> = plan
            .planned
            .iter()
            .map(|planned| {
                let change = &planned.change;
                json!({
                    "id": change.id.0,
                    "change": change.seq.0,
                    "company": change.notification.realm.as_str(),
                    "sequence": change.sequence,
                    "entity": change.notification.entity.to_string(),
                    "type": change.notification.event_type,
                    "received_at": change.received_at.to_string(),
                    "sink": planned.sink.as_str(),
                })
            })
            .collect();
        Ok(json!({
            "dry_run": self.dry_run,
            "planned": planned,
            "waiting": plan.waiting,
            "under_way": plan.under_way,
            "more_from": plan.more.map(|seq| seq.0),
        }))
    }

    fn request(&self) -> Result<ReplayRequest, String> {
        let name = |sink: &String| {
            SinkName::new(sink.clone()).ok_or_else(|| format!("no sink can be named \"{sink}\""))
        };
        let sinks: Vec<SinkName> = self.sinks.iter().map(name).collect::<Result<_, _>>()?;
        Ok(ReplayRequest {
            selection: self.selection()?,
            sinks: (!sinks.is_empty()).then_some(sinks),
        })
    }

    fn selection(&self) -> Result<Selection, String> {
        let is_range = self.from.is_some() || self.to.is_some();
        let is_filter = [&self.realm, &self.entity, &self.since, &self.until]
            .into_iter()
            .any(Option::is_some);
        let ways = [
            self.dead_letters,
            self.change.is_some(),
            is_range,
            is_filter,
        ];
        if ways.into_iter().filter(|way| *way).count() != 1 {
            return Err(
                "choose in one way: a change, a range, a filter, or the dead letters".into(),
            );
        }
        if self.dead_letters {
            return Ok(Selection::DeadLetters);
        }
        if let Some(change) = &self.change {
            return Ok(match change.parse() {
                // An id has 32 digits, all of which may be decimal; a number has at most 19.
                Ok(seq) if change.len() < 20 => Selection::Change(ChangeSeq(seq)),
                _ => Selection::Id(ChangeId(change.to_ascii_lowercase())),
            });
        }
        if is_range {
            return Ok(Selection::Range {
                from: ChangeSeq(self.from.unwrap_or(1)),
                to: ChangeSeq(self.to.unwrap_or(i64::MAX)),
            });
        }
        let (kind, id) = entity(self.entity.as_ref());
        Ok(Selection::Filter {
            realm: realm(self.realm.as_ref())?,
            kind,
            id,
            since: time(self.since.as_ref())?,
            until: time(self.until.as_ref())?,
        })
    }
}

/// A kind of record and, after a slash, the id of one, as filters.
pub(crate) fn entity(text: Option<&String>) -> (Option<String>, Option<String>) {
    match text.map(|text| text.split_once('/')) {
        Some(Some((kind, id))) => (Some(kind.to_owned()), Some(id.to_owned())),
        _ => (text.cloned(), None),
    }
}

/// A company's id as a filter.
pub(crate) fn realm(text: Option<&String>) -> Result<Option<RealmId>, String> {
    text.map(|text| {
        RealmId::new(text.clone()).ok_or_else(|| format!("no company can have the id \"{text}\""))
    })
    .transpose()
}

/// A time as a filter.
pub(crate) fn time(text: Option<&String>) -> Result<Option<Timestamp>, String> {
    text.map(|text| {
        instant::parse(text)
            .ok_or_else(|| format!("\"{text}\" is not a time; write it like 2026-11-20T00:00:00Z"))
    })
    .transpose()
}
