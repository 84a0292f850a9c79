//! The process's signals as events: TERM, INT and QUIT stop it, HUP reloads, the others do nothing.
//!
//! Not here: what stopping and reloading mean (the roof). Promises: from the moment of
//! [`Signals::install`] on, no signal ends the process by itself that somebody sends from outside and
//! that can be caught, and none of the four is lost. Left alone are those that the process causes
//! itself by a fault (ABRT among them, by which systemd's watchdog ends it), those that suspend it, and
//! those that do nothing anyhow.

use std::future::poll_fn;
use std::task::{Context, Poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What somebody asked the process to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// End, after draining.
    Stop,
    /// Read certificates, secrets and log level again.
    Reload,
}

/// Signals that nothing is done for, and that would end a process that does not listen to them: by
/// their numbers on Linux, where those of the boards agree.
const WITHOUT_MEANING: [(&str, i32); 9] = [
    ("USR1", 10),
    ("USR2", 12),
    ("ALRM", 14),
    ("STKFLT", 16),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("IO", 29),
];

/// The same, whose numbers tell nothing: power failure, and the real-time signals that the C library
/// does not use itself.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;
const POWER: i32 = 30;

/// Lines about such signals at most: anybody with the right to send one could fill the log.
const TOLD_MAX: u32 = 20;

/// The signals, listened to.
#[derive(Debug)]
pub struct Signals {
    stopping: [Signal; 3],
    hangup: Signal,
    others: Vec<(String, Signal)>,
    told: u32,
}

impl Signals {
    /// Starts listening. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn install() -> std::io::Result<Self> {
        let named = WITHOUT_MEANING.map(|(name, number)| (format!("SIG{name}"), number));
        let numbered = REAL_TIME
            .chain([POWER])
            .map(|number| (format!("signal {number}"), number));
        // What the system does not have cannot be sent.
        let others = named
            .into_iter()
            .chain(numbered)
            .filter_map(|(name, number)| {
                let listened = signal(SignalKind::from_raw(number)).ok()?;
                Some((name, listened))
            });
        Ok(Self {
            others: others.collect(),
            stopping: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::quit())?,
            ],
            hangup: signal(SignalKind::hangup())?,
            told: 0,
        })
    }

    /// Waits for the next request. A stop comes before a reload that waits with it.
    pub async fn next(&mut self) -> Request {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Request> {
        for stop in &mut self.stopping {
            if stop.poll_recv(context).is_ready() {
                return Poll::Ready(Request::Stop);
            }
        }
        if self.hangup.poll_recv(context).is_ready() {
            return Poll::Ready(Request::Reload);
        }
        for (name, other) in &mut self.others {
            while let Poll::Ready(Some(())) = other.poll_recv(context) {
                self.told = self.told.saturating_add(1);
                if self.told <= TOLD_MAX {
                    tracing::warn!("{name} was sent, which means nothing here");
                }
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[tokio::test]
    async fn signals_ask_for_a_reload_or_a_stop_or_do_nothing() {
        let mut signals = Signals::install().unwrap();
        for number in [
            Number::USR1,
            Number::USR2,
            Number::ALARM,
            Number::VTALARM,
            Number::PROF,
            Number::IO,
            Number::XCPU,
            Number::XFSZ,
            Number::STKFLT,
            Number::POWER,
        ] {
            kill_process(getpid(), number).unwrap();
        }
        for (number, request) in [
            (Number::HUP, Request::Reload),
            (Number::TERM, Request::Stop),
            (Number::INT, Request::Stop),
            (Number::QUIT, Request::Stop),
        ] {
            kill_process(getpid(), number).unwrap();
            assert_eq!(signals.next().await, request);
        }
        assert_eq!(signals.others.len(), 9 + 1 + 31);
    }
}
