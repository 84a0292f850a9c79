//! Tells systemd how the relay is: ready once it is, alive while every part is, and one sentence.
//!
//! The sentence is the one of the status page. Called by `run`; without systemd nothing happens.

use super::lane::stopped;
use super::liveness::Verdict;
use crate::clock::Clock;
use crate::model::Health;
use crate::rules::health::{condition, sentence};
use crate::systemd::notify;
use std::sync::Arc;
use tokio::sync::watch;

/// The task.
pub struct Herald {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How the relay is.
    pub health: watch::Receiver<Health>,
    /// Whether its parts make progress.
    pub verdict: watch::Receiver<Verdict>,
    /// True when everything has been started.
    pub started: watch::Receiver<bool>,
}

impl Herald {
    /// Tells until `stop` is true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (mut told, mut told_condition) = (String::new(), None);
        tokio::select! {
            Ok(_) = self.started.wait_for(|started| *started) => notify::ready(),
            () = stopped(&mut stop) => {}
        }
        while !*stop.borrow() {
            let judged = self.verdict.has_changed().unwrap_or(false);
            if judged && self.verdict.borrow_and_update().fine {
                notify::alive();
            }
            let health = self.health.borrow_and_update().clone();
            let condition = condition(&health);
            // "12 s ago" is new every second; told with every round, and at once when it matters.
            if judged || told_condition != Some(condition) {
                let says = sentence(&health, self.clock.now());
                if says != told {
                    notify::status(&says);
                    told = says;
                }
                told_condition = Some(condition);
            }
            tokio::select! {
                Ok(()) = self.health.changed() => {}
                Ok(()) = self.verdict.changed() => self.verdict.mark_changed(),
                () = stopped(&mut stop) => {}
            }
        }
    }
}
