//! Counters since the start of the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Default, Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// This many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! tally {
    ($($(#[doc = $help:literal])+ $name:ident,)+) => {
        /// What happened so far; shared by everything that counts, read by the metrics page.
        #[derive(Default, Debug)]
        pub struct Tally { $($(#[doc = $help])+ pub $name: Counter,)+ }

        impl Tally {
            /// Every counter: its name, what it counts, and its value.
            pub fn entries(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($help),+).trim_ascii(), self.$name.value()),)+]
            }
        }
    };
}

tally! {
    /// Connections accepted on the public listener.
    connections,
    /// Connections closed to make room for newer ones.
    connections_displaced,
    /// Errors of accept that the listener survived.
    accept_errors,
    /// TLS handshakes that failed or took too long.
    handshakes_failed,
    /// Connections closed for silence, slowness or broken protocol.
    connections_faulted,
    /// Requests on the public listener.
    requests,
    /// Deliveries stored and acknowledged.
    deliveries_kept,
    /// Deliveries known already and acknowledged.
    deliveries_repeated,
    /// Deliveries refused for a missing, malformed or wrong signature.
    deliveries_forged,
    /// Deliveries of clients that do not sign, taken from a configured source.
    deliveries_unsigned,
    /// Deliveries without a signature refused for their credential or their address.
    deliveries_unauthorized,
    /// Deliveries of clients that do not sign refused because they delivered too much in a minute.
    deliveries_throttled,
    /// Deliveries of clients that do not sign refused because they could not be read.
    deliveries_malformed,
    /// Deliveries refused as too large.
    deliveries_oversized,
    /// Deliveries whose body did not arrive in time or whole.
    deliveries_broken_off,
    /// Deliveries refused because they could not be kept.
    deliveries_unkept,
    /// Signed deliveries to a path that is not configured.
    deliveries_misdirected,
    /// Entries that were authentic and not understood.
    items_unreadable,
    /// Entries that say that they have yet to happen, by more than clocks differ.
    items_dated_ahead,
    /// Panics of a decoder that were caught.
    decoder_panics,
    /// Requests of the Open Connectors interface.
    elements_requests,
    /// Requests of the Open Connectors interface refused for missing or wrong secrets.
    elements_unauthorized,
    /// Attempts made at sinks.
    attempts,
    /// Attempts that failed.
    attempts_failed,
    /// Changes that a sink accepted.
    changes_delivered,
    /// Changes given up as dead letters.
    changes_dead,
    /// Calls to QuickBooks.
    quickbooks_calls,
    /// Calls to QuickBooks that failed.
    quickbooks_calls_failed,
    /// Token sets renewed.
    tokens_renewed,
    /// Changes that no notification told and that reading QuickBooks found.
    changes_found,
    /// Records of notified changes that reading QuickBooks brought.
    records_attached,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_name_and_its_sentence() {
        let tally = Tally::default();
        tally.deliveries_kept.add(3);
        let entries = tally.entries();
        assert!(entries.contains(&("deliveries_kept", "Deliveries stored and acknowledged.", 3)));
        assert!(entries.iter().all(|(_, help, _)| help.ends_with('.')));
    }
}
