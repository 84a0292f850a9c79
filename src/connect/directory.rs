//! Where Intuit's authorization server is, by its own word: looked up at the start and once a day.
//!
//! Called by `run`. Promises: what cannot be looked up stays as it was, the documented addresses at
//! first. Source: OpenID Connect Discovery 1.0, Intuit's page on the discovery document.

use crate::model::{ClockTrust, Device};
use crate::qbo::App;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Between two looks.
const DAY: Duration = Duration::from_secs(86_400);

/// After a look that came to nothing.
const AGAIN: Duration = Duration::from_secs(3_600);

/// Looks until `stop` is true. A certificate can be judged only by a clock that is right, so it waits
/// for that.
pub async fn keep(
    apps: Vec<App>,
    mut device: watch::Receiver<Device>,
    mut stop: watch::Receiver<bool>,
) {
    let looking = async {
        let _ = device
            .wait_for(|device| device.clock != ClockTrust::Waiting)
            .await;
        loop {
            let mut pause = DAY;
            for app in &apps {
                if let Err(failure) = app.discover().await {
                    tracing::debug!(app = %app.name(), %failure, "endpoints not looked up");
                    pause = AGAIN;
                }
            }
            sleep(pause).await;
        }
    };
    tokio::select! {
        () = looking => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
