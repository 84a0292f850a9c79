//! Opens gaps: spans for which the companies are read again, because notifications may have been
//! missed in them.
//!
//! At the start the time since the journal was last written, then whatever the counters of refused
//! and of not understood deliveries tell. Called by `run`. Not here: reading the companies, which is
//! their workers' business, and what came of it, which the journal tells.

use super::lane::{pointless, stopped};
use crate::clock::Clock;
use crate::journal::{Error, Journal};
use crate::model::{ClockTrust, Device, Tally, Timestamp};
use crate::rules::lapse::{Lapse, Watch};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Time between two looks at the counters.
const LOOK: Duration = Duration::from_secs(5);

/// An absence that is no gap: nothing waits so short in Intuit's queue that it is lost, and what was
/// refused meanwhile comes again.
const BLINK: Duration = Duration::from_secs(10);

/// Watches until `stop` is true.
///
/// # Errors
/// Those of the journal after which going on is pointless.
pub async fn run(
    journal: Journal,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
    mut device: watch::Receiver<Device>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    tokio::select! {
        // An absence can be measured only by a clock that is right.
        _ = device.wait_for(|device| device.clock != ClockTrust::Waiting) => {}
        () = stopped(&mut stop) => return Ok(()),
    }
    let began = clock.now();
    let absence = journal.last_alive().map(|alive| Lapse {
        since: alive,
        until: began,
    });
    let absence = absence.filter(|gap| gap.since < gap.until && gap.until.since(gap.since) > BLINK);
    let mut found: Vec<(Lapse, &str)> = Vec::new();
    found.extend(absence.map(|lapse| (lapse, "offline")));
    let mut refused = Watch::new(tally.deliveries_unkept.value(), began);
    let mut quarantined = Watch::new(tally.items_unreadable.value(), began);
    while !*stop.borrow() {
        let now = clock.now();
        let over = refused.look(tally.deliveries_unkept.value(), now);
        found.extend(over.map(|lapse| (lapse, "refused")));
        let over = quarantined.look(tally.items_unreadable.value(), now);
        found.extend(over.map(|lapse| (lapse, "quarantined")));
        open(&journal, &mut found, now).await?;
        tokio::select! {
            () = sleep(LOOK) => {}
            () = stopped(&mut stop) => {}
        }
    }
    found.extend(refused.end().map(|lapse| (lapse, "refused")));
    found.extend(quarantined.end().map(|lapse| (lapse, "quarantined")));
    open(&journal, &mut found, clock.now()).await
}

/// Opens what was found; what the journal cannot take now is kept for the next look.
async fn open(
    journal: &Journal,
    found: &mut Vec<(Lapse, &str)>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut kept = Vec::new();
    for (lapse, cause) in found.drain(..) {
        let opened = journal.open_gap(lapse.since, lapse.until, cause, now).await;
        if let Err(error) = opened {
            pointless(error)?;
            kept.push((lapse, cause));
        }
    }
    *found = kept;
    Ok(())
}
