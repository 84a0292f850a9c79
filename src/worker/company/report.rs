//! What a company's task tells people: its entry of the roster, and a line in the log when something
//! has changed.

use super::super::lane::pointless;
use super::roster::Roster;
use crate::journal::{Error, Event, Journal};
use crate::model::{
    CompanyHealth, CompanyView, HindranceKind, Purpose, Reading, RealmId, Timestamp, TokenEnd,
    TokenWarning,
};
use crate::rules::budget::Spent;
use crate::rules::company::Course;
use crate::rules::token;

/// What was told of one company.
pub(super) struct Report {
    roster: Roster,
    realm: RealmId,
    answered_at: Option<Timestamp>,
    warned_of: Option<(TokenEnd, u32)>,
    hindrance: Option<HindranceKind>,
}

impl Report {
    pub(super) fn new(roster: Roster, realm: RealmId) -> Self {
        Self {
            answered_at: roster.last_success_at(&realm),
            roster,
            realm,
            warned_of: None,
            hindrance: None,
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
            unreadable_kinds: course.refused_kinds(),
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
