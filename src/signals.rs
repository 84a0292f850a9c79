//! The process's signals as events: TERM and INT stop it, HUP reloads.
//!
//! Not here: what stopping and reloading mean (the roof). Promises: from the moment of
//! [`Signals::install`] on, none of the three ends the process by itself, and none is lost.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What somebody asked the process to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// End, after draining.
    Stop,
    /// Read certificates, secrets and log level again.
    Reload,
}

/// The three signals, listened to.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Starts listening. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next request. A stop comes before a reload that waits with it.
    pub async fn next(&mut self) -> Request {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hangup.recv() => Request::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Signal as Number, getpid, kill_process};

    #[tokio::test]
    async fn hup_asks_for_a_reload_and_term_and_int_for_a_stop() {
        let mut signals = Signals::install().unwrap();
        for (number, request) in [
            (Number::HUP, Request::Reload),
            (Number::TERM, Request::Stop),
            (Number::INT, Request::Stop),
        ] {
            kill_process(getpid(), number).unwrap();
            assert_eq!(signals.next().await, request);
        }
    }
}
