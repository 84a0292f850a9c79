//! Who answers questions and takes orders while the relay runs.

use crate::clock::Clock;
use crate::command::replay::form::Form;
use crate::journal::Journal;
use crate::model::{Health, SinkName};
use crate::rules;
use crate::server::admin::{Control, Observe, Refused, Report};
use crate::wire::servicestack::metadata::Metadata;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

/// Knows the health, and holds the journal for what is to be replayed.
pub(super) struct Office {
    pub(super) health: watch::Receiver<Health>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: Journal,
    /// `None` where the original listener's face is switched off.
    pub(super) metadata: Option<Metadata>,
}

impl Observe for Office {
    async fn observe(&self) -> Report {
        let at = self.clock.now();
        let health = self.health.borrow().clone();
        let condition = rules::health::condition(&health);
        Report {
            at,
            condition,
            lamp: rules::led::pattern(condition).describe(),
            sentence: rules::health::sentence(&health, at),
            health,
        }
    }

    fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }
}

impl Control for Office {
    async fn replay(&self, request: Value) -> Result<Value, Refused> {
        let refused = |why: String| Refused {
            status: StatusCode::BAD_REQUEST,
            why,
        };
        let form: Form =
            serde_json::from_value(request).map_err(|error| refused(error.to_string()))?;
        form.carry_out(&self.journal, self.clock.now())
            .await
            .map_err(refused)
    }

    async fn enable(&self, sink: SinkName) -> Result<Value, Refused> {
        self.journal
            .enable_sink(&sink)
            .await
            .map_err(|error| Refused {
                status: StatusCode::NOT_FOUND,
                why: error.to_string(),
            })?;
        Ok(json!({ "sink": sink.as_str(), "enabled": true }))
    }
}
