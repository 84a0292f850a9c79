//! Words to the service manager (sd_notify(3)): ready, reloading, stopping, alive, and one sentence.
//!
//! A word that does not get through is said to the log once in a while and changes nothing: the relay
//! serves all the same, and a watchdog that hears nothing restarts it.

use crate::model::printable::printable;
use sd_notify::NotifyState;
use std::time::Duration;

/// Everything is started. Also ends what [`reloading`] began.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again.
pub fn reloading() {
    let mut words = vec![NotifyState::Reloading];
    words.extend(NotifyState::monotonic_usec_now().ok());
    tell(&words);
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How it is, in one sentence, for `systemctl status`.
pub fn status(sentence: &str) {
    // A line end would begin another word to the service manager.
    tell(&[NotifyState::Status(&printable(sentence))]);
}

/// Every part is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How long the service manager waits for [`alive`] at most; `None` when it does not watch.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!("systemd was not told {words:?}: {error}");
    }
}
