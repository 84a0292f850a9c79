//! The lamp's own thread: health to pattern to pin, again and again.
//!
//! A thread of its own, because the lamp of some boards is switched by asking the firmware, and nothing
//! that waits for a lamp may stand in the relay's way (invariant I10). It is fed by the verdict that
//! feeds the watchdog: when that is bad, or old, the lamp stands still. It also stands still when the
//! process dies, whatever kernel it runs on, because nothing but this thread makes it move.

use super::liveness::Verdict;
use crate::board::StatusLed;
use crate::model::{Device, Health};
use crate::rules::health::condition;
use crate::rules::lamp::Show;
use crate::rules::led::{Pattern, pattern};
use embedded_hal::digital::OutputPin;
use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A verdict older than this is none.
const STALE: Duration = Duration::from_secs(20);

/// Pause before a lamp that could not be had is tried again: its permissions may come late at boot.
const AGAIN: Duration = Duration::from_secs(10);

/// What the lamp shows, and where it comes from.
pub struct Lamp<T> {
    /// Takes the lamp; asked again while it says why not.
    pub take: T,
    /// How the relay is.
    pub health: watch::Receiver<Health>,
    /// Whether its parts make progress.
    pub verdict: watch::Receiver<Verdict>,
    /// Where a lamp that cannot be driven is told.
    pub device: Arc<watch::Sender<Device>>,
}

impl<T, P> Lamp<T>
where
    T: FnMut() -> Result<StatusLed<P>, String> + Send + 'static,
    P: OutputPin,
    P::Error: Display,
{
    /// Starts the thread; it ends when `stop` is true or gone, and leaves the lamp as it is.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(mut self, stop: watch::Receiver<bool>) -> io::Result<()> {
        let show = move || {
            let goes_on = || !*stop.borrow() && stop.has_changed().is_ok();
            let mut led = None;
            let (mut show, began) = (Show::default(), Instant::now());
            while goes_on() {
                let Some(taken) = &mut led else {
                    match (self.take)() {
                        Ok(taken) => led = Some(taken),
                        Err(why) => {
                            self.trouble(Some(why));
                            rest(AGAIN, goes_on);
                        }
                    }
                    continue;
                };
                let (lit, span) = show.at(began.elapsed(), self.wanted());
                self.trouble(taken.put(lit).err().map(|error| error.to_string()));
                thread::sleep(span);
            }
        };
        thread::Builder::new().name("lamp".into()).spawn(show)?;
        Ok(())
    }

    /// The pattern; none when nobody can say how the relay is.
    fn wanted(&self) -> Option<Pattern> {
        let verdict = *self.verdict.borrow();
        let known = verdict.fine && verdict.at.elapsed() < STALE;
        known.then(|| pattern(condition(&self.health.borrow())))
    }

    fn trouble(&self, trouble: Option<String>) {
        self.device.send_if_modified(|device| {
            if device.lamp_trouble == trouble {
                return false;
            }
            match &trouble {
                Some(why) => tracing::warn!("no lamp: {why}"),
                None => tracing::info!("the lamp can be driven again"),
            }
            device.lamp_trouble = trouble;
            true
        });
    }
}

/// Sleeps, in pieces, so that the end is not waited for.
fn rest(span: Duration, goes_on: impl Fn() -> bool) {
    let until = Instant::now() + span;
    while goes_on() && Instant::now() < until {
        thread::sleep(Duration::from_millis(500));
    }
}
