//! Looks whether the wall clock can be trusted, and tells when it jumped.
//!
//! What is judged by is in `rules::clock`; who waits for it reads [`Device::clock`]. Called by `run`.

use super::lane::stopped;
use crate::clock::{Clock, MADE, word};
use crate::journal::{Event, Journal};
use crate::model::{ClockTrust, Device, Timestamp};
use crate::rules::clock::{Patience, judge, jump};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Time between two looks while it is waited for, and afterwards.
const FAST: Duration = Duration::from_secs(1);
const SLOW: Duration = Duration::from_secs(5);

/// Jumps of one run that are remembered over a reboot; each is a write to the disk.
const JUMPS_NOTED_MAX: u32 = 20;

/// The task.
pub struct Trust {
    /// What time it is said to be.
    pub clock: Arc<dyn Clock>,
    /// The file that is there when the time service has set the clock.
    pub synchronized_file: PathBuf,
    /// How long is waited for that at most.
    pub wait: Duration,
    /// Where the judgement is told.
    pub device: Arc<watch::Sender<Device>>,
    /// Where a change is remembered.
    pub journal: Journal,
}

impl Trust {
    /// Judges once, so that nothing begins with a clock that nobody looked at.
    pub fn begin(&self) {
        self.look(Duration::ZERO, ClockTrust::Waiting);
    }

    /// Goes on looking until `stop` is true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let began = Instant::now();
        let (mut seen, mut seen_at, mut jumps) = (self.clock.now(), Instant::now(), 0);
        let mut before = self.device.borrow().clock;
        if before == ClockTrust::Waiting {
            tracing::warn!("the clock cannot be trusted yet; what needs the time waits");
        }
        while !*stop.borrow() {
            let now = self.clock.now();
            if let Some(ms) = jump(seen, now, seen_at.elapsed())
                && jumps < JUMPS_NOTED_MAX
            {
                jumps += 1;
                self.note(
                    now,
                    format!("the clock jumped by {} s, from {seen}", ms / 1000),
                )
                .await;
            }
            (seen, seen_at) = (now, Instant::now());
            let trust = self.look(began.elapsed(), before);
            if trust != before {
                let text = match trust {
                    ClockTrust::Trusted => "the clock can be trusted",
                    ClockTrust::Waiting => {
                        "the clock stands before this program was made; what needs the time waits"
                    }
                    ClockTrust::Wrong => {
                        "the clock stands before this program was made, and nobody has set it; deliveries are tried all the same"
                    }
                };
                self.note(now, text.into()).await;
                before = trust;
            }
            let pause = if trust == ClockTrust::Trusted {
                SLOW
            } else {
                FAST
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut stop) => {}
            }
        }
    }

    fn look(&self, waited: Duration, before: ClockTrust) -> ClockTrust {
        let patience = Patience {
            waited,
            most: self.wait,
        };
        let word = word(&self.synchronized_file);
        let trust = judge(before, self.clock.now(), MADE, word, patience);
        self.device.send_if_modified(|device| {
            let changed = device.clock != trust;
            device.clock = trust;
            changed
        });
        trust
    }

    async fn note(&self, at: Timestamp, text: String) {
        tracing::warn!("{text}");
        let event = Event {
            at,
            kind: "clock".into(),
            text,
        };
        // A journal that cannot take it says so for itself.
        _ = self.journal.note(event).await;
    }
}
