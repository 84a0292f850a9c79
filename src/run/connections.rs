//! What the control socket and the public listener say of the desk where companies are connected.

use crate::connect::{Desk, Error, Outcome, Ticket};
use crate::journal::Journal;
use crate::model::{Company, RealmId, Standing, Timestamp};
use crate::server::admin::Refused;
use crate::server::consent::Consent;
use http::StatusCode;
use serde_json::{Value, json};

impl Consent for Desk {
    async fn redirected(&self, query: &str) -> Result<String, String> {
        match self.complete(query).await {
            Ok(realm) => Ok(format!("Company {realm} is connected.")),
            Err(error) => {
                tracing::warn!(%error, "no company was connected");
                Err(error.to_string())
            }
        }
    }
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
        Some(Outcome::Connected(realm)) => {
            json!({ "outcome": "connected", "realm": realm.as_str() })
        }
    })
}

pub(super) async fn paste(desk: &Desk, address: &str) -> Result<Value, Refused> {
    let realm = desk
        .complete(address)
        .await
        .map_err(|error| refused(&error))?;
    Ok(json!({ "outcome": "connected", "realm": realm.as_str() }))
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
        Standing::Connected | Standing::Disconnected => None,
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
        Error::NoRandomness | Error::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Exchange(_) | Error::Unproven { .. } => StatusCode::BAD_GATEWAY,
        _ => StatusCode::BAD_REQUEST,
    };
    let why = error.to_string();
    Refused { status, why }
}
