//! What a company's task tells people: its entry of the roster, and a line in the log when something
//! has changed.

use super::super::lane::pointless;
use super::roster::Roster;
use crate::journal::{Error, Event, Journal};
use crate::model::{
    CompanyHealth, CompanyView, HindranceKind, Purpose, Reading, RealmId, Record, Timestamp,
    TokenEnd, TokenWarning,
};
use crate::qbo::Skipped;
use crate::rules::budget::Spent;
use crate::rules::company::Course;
use crate::rules::token;
use std::collections::BTreeMap;

/// What was told of one company.
pub(super) struct Report {
    roster: Roster,
    realm: RealmId,
    answered_at: Option<Timestamp>,
    warned_of: Option<(TokenEnd, u32)>,
    hindrance: Option<HindranceKind>,
    /// Records that could not be read when they were read last, by kind and id, and how that was
    /// said.
    skipped: BTreeMap<(String, Option<String>), String>,
}

/// Records that are remembered, and so said once only; the names in one event.
const SKIPPED_MAX: usize = 100;
const NAMED_MAX: usize = 10;

impl Report {
    pub(super) fn new(roster: Roster, realm: RealmId) -> Self {
        Self {
            answered_at: roster.last_success_at(&realm),
            roster,
            realm,
            warned_of: None,
            hindrance: None,
            skipped: BTreeMap::new(),
        }
    }

    /// QuickBooks answered.
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.answered_at = Some(now);
    }

    /// How the company is.
    pub(super) fn tell(
        &mut self,
        now: Timestamp,
        view: &CompanyView,
        spent: Spent,
        course: &Course,
        polling_stopped: &Option<(Timestamp, String)>,
    ) {
        let (company, realm) = (&view.company, &self.realm);
        let warning = token::warning(now, company);
        let warned_of = warning.map(|warning| (warning.end, warning.days));
        if let Some(TokenWarning { at, .. }) = warning.filter(|_| self.warned_of != warned_of) {
            tracing::warn!(%realm, "company {realm} has to be connected again before {at}");
        }
        self.warned_of = warned_of;
        let hindrance = course.hindrance.clone();
        let kind = hindrance.as_ref().map(|hindrance| hindrance.kind);
        if kind != self.hindrance {
            match &hindrance {
                Some(hindrance) => {
                    let why = &hindrance.why;
                    tracing::warn!(%realm, "company {realm} is not read for now: {why}");
                }
                None => tracing::info!(%realm, "company {realm} is read again"),
            }
            self.hindrance = kind;
        }
        self.roster.put(CompanyHealth {
            realm: realm.clone(),
            app: company.app.clone(),
            environment: company.environment,
            standing: company.standing.clone(),
            last_success_at: self.answered_at,
            hindrance,
            budget_percent: spent.percent(),
            soonest_end: token::soonest_end(company),
            warning,
            unreadable_kinds: course.refused_kinds().into_iter().collect(),
            skipped_records: self.skipped.values().cloned().collect(),
            polling_stopped: polling_stopped.clone(),
            unreconciled: u64::try_from(view.notified.len()).unwrap_or(u64::MAX),
        });
    }

    /// New tokens are there and cannot be stored.
    pub(super) fn unstored(&self, why: &str, now: Timestamp) {
        let realm = &self.realm;
        let why = format!("the new tokens cannot be stored, so they are not used: {why}");
        tracing::error!(%realm, "company {realm}: {why}");
        self.roster.stuck(realm, &why, now);
    }

    /// Records that could not be read: they are passed by, and that is said before the watermark
    /// moves, once for each state of a record.
    pub(super) async fn skipped(
        &mut self,
        journal: &Journal,
        reading: &Reading,
        skipped: Vec<Skipped>,
    ) -> Result<(), Error> {
        if !self.skipped.is_empty() {
            for Record { entity, .. } in &reading.records {
                let read = (entity.kind.clone(), Some(entity.id.clone()));
                self.skipped.remove(&read);
            }
        }
        let mut news = Vec::new();
        for Skipped {
            kind,
            id,
            updated,
            why,
        } in skipped
        {
            let name = id.as_deref().unwrap_or("without a readable id");
            let changed = updated.map_or(String::new(), |at| format!(", changed {at}"));
            let said = format!("{kind} {name}{changed}: {why}");
            let known = self.skipped.get(&(kind.clone(), id.clone()));
            if known != Some(&said) {
                news.push(said.clone());
            }
            if self.skipped.len() < SKIPPED_MAX || known.is_some() {
                self.skipped.insert((kind, id), said);
            }
        }
        if news.is_empty() {
            return Ok(());
        }
        let (realm, count) = (&self.realm, news.len());
        let named: Vec<&str> = news.iter().take(NAMED_MAX).map(String::as_str).collect();
        let more = match count.saturating_sub(named.len()) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let text = format!(
            "company {realm}: {count} records cannot be read as QuickBooks gives them, and are passed \
             by until they change: {}{more}",
            named.join("; ")
        );
        tracing::warn!(%realm, "{text}");
        let event = Event {
            at: reading.at,
            kind: "skipped".into(),
            text,
        };
        journal.note(event).await.or_else(pointless)
    }

    /// What is known to be out of reach. A gap's reading says that itself.
    pub(super) async fn missing(&self, journal: &Journal, reading: &Reading) -> Result<(), Error> {
        if reading.missing == 0 || matches!(reading.purpose, Purpose::Gap { .. }) {
            return Ok(());
        }
        let (realm, kinds) = (&self.realm, reading.missing);
        let text = format!(
            "company {realm}: records of {kinds} kinds may have been deleted without the relay \
             getting to know, because QuickBooks does not tell so many or so old deletions"
        );
        tracing::warn!(%realm, "{text}");
        let event = Event {
            at: reading.at,
            kind: "missing".into(),
            text,
        };
        journal.note(event).await.or_else(pointless)
    }
}
