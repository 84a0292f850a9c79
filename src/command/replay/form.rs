//! The request for a replay as it travels over the control socket, and its answer.
//!
//! The command line writes the request, the running relay (or, when none runs, the command itself)
//! carries it out; both through this one form.

use crate::journal::{
    ChangeFilter, DeadFilter, Journal, Place, ReplayPlan, ReplayRequest, Selection,
};
use crate::model::{ChangeId, RealmId, Seq, SinkName, Timestamp};
use crate::wire::instant;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is asked for; exactly one way of choosing is given.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Form {
    pub(crate) dry_run: bool,
    pub(crate) dead_letters: bool,
    /// The number of a receipt.
    pub(crate) receipt: Option<i64>,
    /// The id of an event.
    pub(crate) event: Option<String>,
    pub(crate) company: Option<String>,
    /// The company's own numbers.
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
    /// `Invoice`, or `Invoice/130`.
    pub(crate) entity: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) sinks: Vec<String>,
    /// Where an earlier answer ended, as it said in `next`.
    pub(crate) after: Option<(i64, i64)>,
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
        let selection = self.selection()?;
        let request = ReplayRequest {
            selection: selection.clone(),
            // Dead letters only ever go where they died, configured or not.
            sinks: sinks(&self.sinks)?.filter(|_| !self.dead_letters),
        };
        let after = self
            .after
            .map_or(Place::default(), |(change, sink)| Place { change, sink });
        let plan = journal
            .replay_after(request, after, self.dry_run, now)
            .await
            .map_err(|error| error.to_string())?;
        if let (None, Some(why)) = (self.after, self.nothing(&selection, &plan, journal).await?) {
            return Err(why);
        }
        Ok(self.answer(&plan))
    }

    /// Why nothing goes anywhere, where that is a mistake and not merely the way things stand.
    async fn nothing(
        &self,
        selection: &Selection,
        plan: &ReplayPlan,
        journal: &Journal,
    ) -> Result<Option<String>, String> {
        if plan.matched == 0 && plan.more.is_none() {
            let why = journal.explain_absence(selection.clone()).await;
            return why.map_err(|error| error.to_string());
        }
        let left = plan.waiting + plan.under_way;
        if !plan.planned.is_empty() || left > 0 || plan.more.is_some() {
            return Ok(None);
        }
        Ok(Some(if plan.unconfigured > 0 {
            format!(
                "{} dead letters are of sinks that are not configured any more; configure them again, \
                 or discard their letters: qbo-relay dead-letter discard --sink NAME",
                plan.unconfigured
            )
        } else {
            "no sink that is configured is told of these changes".into()
        }))
    }

    fn answer(&self, plan: &ReplayPlan) -> Value {
        let planned: Vec<Value> = plan
            .planned
            .iter()
            .map(|planned| {
                let change = &planned.change;
                json!({
                    "event": change.id.0,
                    "receipt": change.receipt.0,
                    "company": change.notification.realm.as_str(),
                    "sequence": change.sequence,
                    "entity": change.notification.entity.to_string(),
                    "type": change.notification.event_type,
                    "received_at": change.received_at.to_string(),
                    "sink": planned.sink.as_str(),
                })
            })
            .collect();
        json!({
            "dry_run": self.dry_run,
            "planned": planned,
            "waiting": plan.waiting,
            "under_way": plan.under_way,
            "unconfigured": plan.unconfigured,
            "next": plan.more.map(|place| (place.change, place.sink)),
        })
    }

    fn selection(&self) -> Result<Selection, String> {
        let has_filter = [&self.company, &self.entity, &self.since, &self.until]
            .into_iter()
            .any(Option::is_some);
        let single = [self.receipt.is_some(), self.event.is_some()];
        let ways = single
            .into_iter()
            .chain([self.dead_letters || has_filter])
            .filter(|way| *way)
            .count();
        if ways != 1 || (self.dead_letters && self.entity.is_some()) {
            return Err(
                "choose in one way: --receipt, --event, --company (with --from and --to), \
                        --entity, --since, --until, or --dead-letters"
                    .into(),
            );
        }
        if (self.from.is_some() || self.to.is_some()) && self.company.is_none() {
            return Err("--from and --to are numbers of one company; give --company, too".into());
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            return Err(format!("--from {from} is behind --to {to}"));
        }
        if let Some(receipt) = self.receipt {
            return Ok(Selection::Receipt(Seq(receipt)));
        }
        if let Some(event) = &self.event {
            return Ok(Selection::Id(ChangeId(event.to_ascii_lowercase())));
        }
        let (since, until) = (time(self.since.as_ref())?, time(self.until.as_ref())?);
        let realm = realm(self.company.as_ref())?;
        if self.dead_letters {
            return Ok(Selection::DeadLetters(DeadFilter {
                sinks: sinks(&self.sinks)?,
                realm,
                id: None,
                since,
                until,
            }));
        }
        let (kind, id) = entity(self.entity.as_ref());
        Ok(Selection::Filter(ChangeFilter {
            realm,
            from: self.from,
            to: self.to,
            kind,
            id,
            since,
            until,
        }))
    }
}

/// Names of sinks; `None`: none was given, so all are meant.
pub(crate) fn sinks(names: &[String]) -> Result<Option<Vec<SinkName>>, String> {
    let name = |sink: &String| {
        SinkName::new(sink.clone()).ok_or_else(|| format!("no sink can be named \"{sink}\""))
    };
    let sinks: Vec<SinkName> = names.iter().map(name).collect::<Result<_, _>>()?;
    Ok((!sinks.is_empty()).then_some(sinks))
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
