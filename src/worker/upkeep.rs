//! Upkeep: asks the journal to tidy up, one small step at a time, so that retention never stands in
//! the way of a receipt.
//!
//! What is removed is the journal's decision. Called by `run`.

use super::lane::{pointless, stopped};
use crate::clock::Clock;
use crate::journal::{Error, Journal};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Time between two steps while there is more to do, and until it is asked again afterwards.
const STEP: Duration = Duration::from_millis(50);
const IDLE: Duration = Duration::from_secs(60);

/// Tidies until `stop` is true.
///
/// # Errors
/// Those of the journal after which going on is pointless.
pub async fn run(
    journal: Journal,
    clock: Arc<dyn Clock>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    while !*stop.borrow() {
        let pause = match journal.tidy(clock.now()).await {
            Ok(tidied) if tidied.more => STEP,
            Ok(_) => IDLE,
            Err(error) => pointless(error).map(|()| IDLE)?,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stopped(&mut stop) => {}
        }
    }
    Ok(())
}
