//! Who may come in: `User` with `Organization`, with `Element`, or with both.
//!
//! Promises: right secrets are let in however often wrong ones came before; which of the admin secrets
//! was wrong is not told.

use super::super::visit::Visit;
use super::Elements;
use super::lockout::Lockout;
use crate::clock::Clock;
use crate::model::InstanceId;
use crate::vault::admin_secrets::AdminSecrets;
use crate::wire::elements::{Authorization, Wrong, authorization};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use tokio::time::Instant;

/// Somebody who was let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Whether the organization's secret was shown, by which everything may be done.
    pub organization: bool,
    /// The instance whose element token was shown.
    pub instance: Option<InstanceId>,
}

/// Why a call is refused, and after how many seconds to come again.
pub(super) struct Refused {
    pub(super) wrong: Wrong,
    pub(super) retry_after: Option<u64>,
}

/// The guard of one listener.
pub(super) struct Guard {
    secrets: AdminSecrets,
    clock: Arc<dyn Clock>,
    lockout: Lockout,
}

impl Guard {
    pub(super) fn new(secrets: AdminSecrets, clock: Arc<dyn Clock>) -> Self {
        let lockout = Lockout::default();
        Self {
            secrets,
            clock,
            lockout,
        }
    }

    /// Who it is that shows these headers.
    pub(super) async fn admit<E: Elements>(
        &self,
        headers: &HeaderMap,
        visit: &Visit,
        elements: &Arc<E>,
    ) -> Result<Caller, Refused> {
        let shown = shown(headers)?;
        if let Some(caller) = self.recognize(&shown, elements).await? {
            self.lockout.right(visit.peer);
            return Ok(caller);
        }
        let Some(seconds) = self.lockout.wrong(visit.peer, Instant::now()) else {
            return Err(Wrong::unauthorized("the secrets are wrong").into());
        };
        let why = format!("the secrets are wrong, too often in a row; wait for {seconds} s");
        Err(Refused {
            wrong: Wrong::new(429, why),
            retry_after: Some(seconds),
        })
    }

    /// Whoever shows right secrets; nobody, where the admin secrets are wrong.
    async fn recognize<E: Elements>(
        &self,
        shown: &Authorization,
        elements: &Arc<E>,
    ) -> Result<Option<Caller>, Refused> {
        let (user, organization) = match (shown.user.as_ref(), shown.organization.as_ref()) {
            (Some(user), organization) if organization.or(shown.element.as_ref()).is_some() => {
                (user, organization)
            }
            _ => return Err(missing()),
        };
        let is_good = self.secrets.admits(user, organization, self.clock.now());
        let is_good = is_good.map_err(|error| {
            tracing::error!("nobody is let in: {error}");
            Refused::later("the admin secrets cannot be read; `qbo-relay check` says why")
        })?;
        if !is_good {
            return Ok(None);
        }
        let instance = match &shown.element {
            None => None,
            // Its instance may be gone. No guess: who shows it has a right secret.
            Some(token) => match elements.holder(token).await {
                Ok(None) => {
                    let why = "the element token is no instance's; was it deleted, or given another token?";
                    return Err(Wrong::unauthorized(why).into());
                }
                Ok(holder) => holder,
                Err(why) => return Err(Refused::later(&why)),
            },
        };
        Ok(Some(Caller {
            organization: organization.is_some(),
            instance,
        }))
    }
}

/// The one header. Twice is none: which of them somebody else looked at is unknown.
fn shown(headers: &HeaderMap) -> Result<Authorization, Refused> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => Ok(authorization::parse(field.as_bytes())?),
        (Some(_), Some(_)) => Err(Wrong::unauthorized("Authorization is there twice").into()),
        (None, _) => Err(missing()),
    }
}

pub(super) fn missing() -> Refused {
    let why = "secrets are missing; expected `Authorization: User <secret>, Organization <secret>` \
               or `User <secret>, Element <token>`";
    Wrong::unauthorized(why).into()
}

impl Refused {
    /// It cannot be done now, and can soon.
    pub(super) fn later(why: &str) -> Self {
        Self {
            wrong: Wrong::new(503, why),
            retry_after: Some(5),
        }
    }
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        let retry_after = (wrong.status == 503).then_some(5);
        Self { wrong, retry_after }
    }
}
