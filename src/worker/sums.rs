//! What the log is told in sums, because there was too much of it for a line each.

use super::lane::stopped;
use super::outlet::DELIVERED;
use crate::clock::Clock;
use crate::model::Sampler;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Tells, once a second, how many got no line, until `stop` is true. `kept` counts the notifications.
pub async fn run(clock: Arc<dyn Clock>, kept: &Sampler, mut stop: watch::Receiver<bool>) {
    loop {
        let ended = tokio::select! {
            () = sleep(Duration::from_secs(1)) => false,
            () = stopped(&mut stop) => true,
        };
        let second = clock.now().as_seconds().cast_unsigned();
        match kept.untold(second) {
            0 => {}
            more => tracing::info!(
                more,
                "notifications kept or repeated, too many for a line each"
            ),
        }
        match DELIVERED.untold(second) {
            0 => {}
            more => tracing::info!(more, "events delivered, too many for a line each"),
        }
        if ended {
            return;
        }
    }
}
