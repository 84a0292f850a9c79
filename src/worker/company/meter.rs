//! The month's calls of one app, counted over all of its companies.
//!
//! The journal is told of several at once, since each time is a write to the disk; what was not
//! written when the power goes is forgotten, a few calls.

use crate::journal::{Error, Journal};
use crate::model::{AppName, Timestamp};
use crate::rules::budget::{Spent, month};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Calls after which the journal is told.
const BATCH: u64 = 20;

/// The count.
pub(super) struct Meter {
    app: AppName,
    count: Mutex<Count>,
}

#[derive(Clone, Default)]
struct Count {
    /// Empty before the first look into the journal.
    month: String,
    /// Calls in the month, those included that are not written.
    calls: u64,
    unwritten: u64,
    warned: bool,
}

impl Meter {
    pub(super) fn new(app: AppName) -> Self {
        Self {
            app,
            count: Mutex::default(),
        }
    }

    /// What is used up of this month, of `calls_max` calls; asks the journal when the month is a new
    /// one.
    pub(super) async fn spent(
        &self,
        journal: &Journal,
        now: Timestamp,
        calls_max: Option<u64>,
    ) -> Result<Spent, Error> {
        let month = month(now);
        if self.count().month != month {
            self.write(journal).await?;
            let calls = journal.spent(&self.app, &month).await?;
            let mut count = self.count();
            if count.month != month {
                *count = Count {
                    month,
                    calls,
                    unwritten: 0,
                    warned: false,
                };
            }
        }
        let mut count = self.count();
        let spent = Spent {
            calls: count.calls,
            calls_max,
        };
        if spent.is_near() && !count.warned {
            count.warned = true;
            let (app, calls) = (&self.app, spent.calls);
            tracing::warn!(%app, "app {app} has made {calls} calls this month, most of its budget");
        }
        Ok(spent)
    }

    /// One call more; true when the journal should be told.
    pub(super) fn count_one(&self) -> bool {
        let mut count = self.count();
        count.calls = count.calls.saturating_add(1);
        count.unwritten = count.unwritten.saturating_add(1);
        count.unwritten >= BATCH
    }

    /// Tells the journal; what it does not take is told again later.
    pub(super) async fn write(&self, journal: &Journal) -> Result<(), Error> {
        let taken = {
            let mut count = self.count();
            let taken = count.clone();
            count.unwritten = 0;
            taken
        };
        if taken.unwritten == 0 {
            return Ok(());
        }
        let written = journal
            .spend(&self.app, &taken.month, taken.unwritten)
            .await;
        if written.is_err() {
            let mut count = self.count();
            if count.month == taken.month {
                count.unwritten = count.unwritten.saturating_add(taken.unwritten);
            }
        }
        written
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
