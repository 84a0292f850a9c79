//! What the control socket and the public listener say of the desk where companies are connected.

use crate::clock::Clock;
use crate::connect::{Bringer, Completed, Connected, Desk, Error, Outcome, Ticket};
use crate::journal::{AuditedChange, Caller, Journal};
use crate::model::{Company, RealmId, Standing, Timestamp};
use crate::server::admin::Refused;
use crate::server::consent::{Came, Consent, Departure};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// Where browsers go to Intuit and come back from there.
pub(super) struct Reception {
    pub(super) desk: Arc<Desk>,
    pub(super) journal: Journal,
    pub(super) clock: Arc<dyn Clock>,
}

impl Consent for Reception {
    fn opened(&self, link: &str, came: &Came) -> Result<Departure, String> {
        let cookies: Vec<&str> = came.cookies.iter().map(String::as_str).collect();
        let opened = self.desk.open(link, &cookies);
        opened
            .map(|(url, cookie)| Departure { url, cookie })
            .map_err(|error| error.to_string())
    }

    async fn redirected(&self, came: Came) -> Result<String, String> {
        let cookies: Vec<&str> = came.cookies.iter().map(String::as_str).collect();
        let bringer = Bringer::Browser(&cookies);
        let completed = self.desk.complete(&came.query, bringer).await;
        let Completed { is_new, outcome } = completed.map_err(|error| {
            // Anybody can send these: they are no entry of their own.
            tracing::debug!(%error, peer = came.peer, "no answer to an open question");
            error.to_string()
        })?;
        let told = match &outcome {
            Ok(connected) => Ok(sentence(connected)),
            Err(error) => Err(error.to_string()),
        };
        if is_new {
            if let Err(error) = &outcome {
                tracing::warn!(%error, "no company was connected");
            }
            let (Ok(outcome) | Err(outcome)) = &told;
            let change = AuditedChange {
                peer: came.peer,
                caller: Caller::Browser,
                call: "consent".into(),
                outcome: outcome.clone(),
            };
            self.journal.audit(self.clock.now(), &change).await;
        }
        told
    }
}

/// What a person is told.
fn sentence(connected: &Connected) -> String {
    let realm = &connected.realm;
    match connected.awaits_approval {
        false => format!("Company {realm} is connected."),
        true => format!(
            "Company {realm} is connected. It is read once the operator has approved it: qbo-relay company approve {realm}"
        ),
    }
}

fn told(connected: &Connected) -> Value {
    json!({
        "outcome": "connected",
        "realm": connected.realm.as_str(),
        "awaits_approval": connected.awaits_approval,
    })
}

pub(super) fn begin(desk: &Desk, app: Option<&str>) -> Result<Value, Refused> {
    let begun = desk.begin(app).map_err(|error| refused(&error))?;
    Ok(json!({ "url": begun.url, "ticket": begun.ticket.as_str() }))
}

pub(super) fn outcome(desk: &Desk, ticket: String) -> Result<Value, Refused> {
    Ok(match desk.outcome(&Ticket::new(ticket)) {
        None => json!({ "outcome": "refused", "why": "nobody came back in time; begin again" }),
        Some(Outcome::Waiting) => json!({ "outcome": "waiting" }),
        Some(Outcome::Refused(why)) => json!({ "outcome": "refused", "why": why }),
        Some(Outcome::Connected(connected)) => told(&connected),
    })
}

pub(super) async fn paste(desk: &Desk, address: &str) -> Result<Value, Refused> {
    let completed = desk.complete(address, Bringer::Shell).await;
    let outcome = completed.and_then(|completed| completed.outcome);
    outcome
        .map(|connected| told(&connected))
        .map_err(|error| refused(&error))
}

pub(super) async fn approve(desk: &Desk, realm: &RealmId) -> Result<Value, Refused> {
    let approved = desk.approve(realm).await;
    approved.map_err(|error| refused(&error))?;
    Ok(json!({ "realm": realm.as_str() }))
}

pub(super) async fn companies(journal: &Journal) -> Result<Value, Refused> {
    let companies = journal.companies().await.map_err(|error| Refused {
        status: StatusCode::SERVICE_UNAVAILABLE,
        why: error.to_string(),
    })?;
    let companies: Vec<Value> = companies.iter().map(company).collect();
    Ok(json!({ "companies": companies }))
}

pub(super) async fn disconnect(desk: &Desk, realm: &RealmId) -> Result<Value, Refused> {
    let warning = desk
        .disconnect(realm)
        .await
        .map_err(|error| refused(&error))?;
    Ok(json!({ "realm": realm.as_str(), "warning": warning }))
}

/// A company as `company list --json` and `/status` tell it.
fn company(company: &Company) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let why = match &company.standing {
        Standing::NeedsAuthorization { why } => Some(why),
        Standing::Connected | Standing::AwaitsApproval | Standing::Disconnected => None,
    };
    json!({
        "realm": company.realm.as_str(),
        "app": company.app.as_str(),
        "environment": company.environment.as_str(),
        "connected_at": company.connected_at.to_string(),
        "standing": company.standing.as_str(),
        "standing_since": company.standing_since.to_string(),
        "why": why,
        "refresh_token_ends": time(company.refresh_expires_at),
        "refresh_token_ends_for_good": time(company.hard_expires_at),
    })
}

pub(super) fn refused(error: &Error) -> Refused {
    let status = match error {
        Error::UnknownApp(_) | Error::UnknownCompany(_) => StatusCode::NOT_FOUND,
        Error::NotAwaiting(..) => StatusCode::CONFLICT,
        Error::NoRandomness | Error::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Exchange(_) | Error::Unproven { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::BAD_REQUEST,
    };
    let why = error.to_string();
    Refused { status, why }
}
