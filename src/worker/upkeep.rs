//! Upkeep: asks the journal to tidy up, one small step at a time, so that retention never stands in
//! the way of a receipt.
//!
//! What is removed is the journal's decision. Called by `run`.

use super::lane::{pointless, stopped};
use super::liveness::{Beat, answering};
use crate::clock::Clock;
use crate::journal::{Error, Journal};
use crate::model::{ClockTrust, Device};
use crate::rules::clock::Ages;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Time between two steps while there is more to do, and until it is asked again afterwards.
const STEP: Duration = Duration::from_millis(50);
const IDLE: Duration = Duration::from_secs(60);

/// Tidies until `stop` is true. While the clock of `device` cannot be trusted, nothing is too old; and
/// nothing becomes too old by a jump of the clock before it has stood by it for a day.
///
/// # Errors
/// Those of the journal after which going on is pointless.
pub async fn run(
    journal: Journal,
    clock: Arc<dyn Clock>,
    device: watch::Receiver<Device>,
    mut beat: Beat,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let (mut ages, mut looked_at) = (Ages::new(journal.last_aged()), Instant::now());
    while !*stop.borrow() {
        let trusted = device.borrow().clock == ClockTrust::Trusted;
        let span = std::mem::replace(&mut looked_at, Instant::now()).elapsed();
        let tidied = match trusted {
            true => journal.tidy(ages.at(clock.now(), span)).await,
            false => journal.tidy_for_room().await,
        };
        let pause = match tidied {
            Ok(tidied) if tidied.more => STEP,
            Ok(_) => IDLE,
            Err(error) => pointless(error).map(|()| IDLE)?,
        };
        let pause = async {
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut stop) => {}
            }
        };
        answering(&mut beat, pause).await;
    }
    Ok(())
}
