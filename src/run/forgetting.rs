//! `company forget` of a running relay: disconnected first where that is wished, then erased.

use super::connections;
use crate::command::forget::{Need, may_be_forgotten, told};
use crate::connect::Desk;
use crate::journal::Journal;
use crate::model::{RealmId, Standing, Timestamp};
use crate::server::admin::Refused;
use http::StatusCode;
use serde_json::Value;

/// Carries out what the command line wishes.
pub(super) async fn forget(
    journal: &Journal,
    desk: Option<&Desk>,
    realm: &RealmId,
    wish: &Value,
    now: Timestamp,
) -> Result<Value, Refused> {
    let refused = |status| move |why: String| Refused { status, why };
    let need = may_be_forgotten(journal, realm, wish).await;
    let need = need.map_err(refused(StatusCode::CONFLICT))?;
    let mut warning = None;
    if need == Need::Disconnecting {
        warning = match desk {
            Some(desk) => {
                let gone = connections::disconnect(desk, realm).await?;
                let warning = gone.get("warning").and_then(Value::as_str);
                warning.map(str::to_owned)
            }
            // The app that could revoke its tokens is not configured any more.
            None => {
                let gone = journal.set_standing(realm, Standing::Disconnected, now);
                let unavailable = refused(StatusCode::SERVICE_UNAVAILABLE);
                gone.await.map_err(|error| unavailable(error.to_string()))?;
                Some("not revoked at Intuit; disconnect the app in QuickBooks too".to_owned())
            }
        };
    }
    let is_dry = wish
        .get("dry_run")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let done = journal.forget_company(realm, now, is_dry).await;
    let done = done.map_err(|error| Refused {
        status: StatusCode::SERVICE_UNAVAILABLE,
        why: error.to_string(),
    })?;
    if !is_dry {
        tracing::info!(%realm, "company forgotten");
    }
    told(realm, wish, &done, warning.as_deref()).map_err(refused(StatusCode::NOT_FOUND))
}
