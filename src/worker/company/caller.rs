//! One company's calls: not too many a minute, and in a place that the gate gives.
//!
//! Called by the company's task, one call after the other.

use super::super::lane::stopped;
use super::contract::Contract;
use super::errand::Ask;
use super::gate::Pace;
use super::{Common, QuickBooks};
use crate::journal::Error;
use crate::model::{RealmId, Secret, Zone};
use crate::qbo::{Captured, Failure, Page, Question, Since};
use crate::rules::throttle::Throttle;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A call that takes longer makes its company a slow one.
const SLOW: Duration = Duration::from_secs(10);

/// How long a call may take that is about a kind which failed before: what is notified meanwhile
/// waits for it. Longer ones are left to the sweep.
const SHORT: Duration = Duration::from_secs(15);

/// What a call brought.
pub(super) enum Answer {
    Captured(Captured),
    Page(Page),
}

/// Who calls.
pub(super) struct Caller {
    throttle: Throttle,
    began: Instant,
    pace: Pace,
}

impl Caller {
    /// Calls that come no more often than this in the long run.
    pub(super) fn every(interval: Duration) -> Self {
        Self {
            throttle: Throttle::every(interval),
            began: Instant::now(),
            pace: Pace::default(),
        }
    }

    /// One call, with its dates in a zone, when its turn has come; `None` when the relay is to stop
    /// before it is answered.
    pub(super) async fn call<Q: QuickBooks>(
        &mut self,
        common: &Common<Q>,
        contract: &Contract<Q>,
        realm: &RealmId,
        access: &Secret,
        ask: (&Ask, Option<&Zone>),
        is_short: bool,
    ) -> Result<Option<Result<Answer, Failure>>, Error> {
        while let Err(wait) = self.throttle.take(self.began.elapsed()) {
            sleep(wait).await;
        }
        let mut stop = common.stop.clone();
        let permit = tokio::select! {
            permit = common.gate.permit(self.pace) => permit,
            () = stopped(&mut stop) => return Ok(None),
        };
        common.tally.quickbooks_calls.add_one();
        contract.count_one(&common.journal).await?;
        let began = Instant::now();
        let answer = tokio::select! {
            answer = put(&contract.quickbooks, realm, access, ask) => answer,
            () = sleep(SHORT), if is_short => Err(Failure::Unavailable {
                why: format!("no answer within {} s, and it failed before", SHORT.as_secs()),
            }),
            () = stopped(&mut stop) => return Ok(None),
        };
        drop(permit);
        let failed = matches!(
            answer,
            Err(Failure::Unavailable { .. } | Failure::NotUnderstood { .. })
        );
        self.pace = match failed || began.elapsed() > SLOW {
            true => Pace::Slow,
            false => Pace::Swift,
        };
        Ok(Some(answer))
    }
}

async fn put<Q: QuickBooks>(
    quickbooks: &Q,
    realm: &RealmId,
    access: &Secret,
    (ask, zone): (&Ask, Option<&Zone>),
) -> Result<Answer, Failure> {
    match ask {
        Ask::Capture { kinds, since } => {
            let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
            let (at, zone) = (*since, zone.cloned());
            let since = Since { at, zone };
            let captured = quickbooks.capture(realm, access, &kinds, since).await;
            captured.map(Answer::Captured)
        }
        Ask::Query(question) => {
            let question = Question {
                zone: zone.cloned(),
                ..question.clone()
            };
            let page = quickbooks.query(realm, access, &question).await;
            page.map(Answer::Page)
        }
    }
}
