//! How much each client that does not sign may deliver in a minute.
//!
//! A bucket of entries for each source, which may be overdrawn by one delivery, because how many
//! entries it has is known only when it has been read; the next one waits until that is made up for.
//! Called by `webhook` before a body is read and when its entries are counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The buckets, by the name of the source.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<HashMap<String, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Entries that may still come; below zero what was overdrawn.
    level: f64,
    at: Instant,
}

impl Meter {
    /// Whether a source that may deliver so many entries a minute may deliver now.
    ///
    /// # Errors
    /// After how long it may.
    pub(super) fn admit(&self, source: &str, per_minute: u32) -> Result<(), Duration> {
        let level = self.with(source, per_minute, |bucket| bucket.level);
        if level > 0.0 {
            return Ok(());
        }
        let per_second = f64::from(per_minute.max(1)) / 60.0;
        Err(Duration::from_secs_f64((1.0 - level) / per_second))
    }

    /// So many entries came.
    pub(super) fn charge(&self, source: &str, per_minute: u32, entries: usize) {
        let entries = f64::from(u32::try_from(entries).unwrap_or(u32::MAX));
        self.with(source, per_minute, |bucket| bucket.level -= entries);
    }

    fn with<T>(&self, source: &str, per_minute: u32, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let most = f64::from(per_minute.max(1));
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Names come from the configuration, so they are few.
        let bucket = buckets.entry(source.to_owned()).or_insert(Bucket {
            level: most,
            at: now,
        });
        let gained = now.duration_since(bucket.at).as_secs_f64() * most / 60.0;
        bucket.level = (bucket.level + gained).min(most);
        bucket.at = now;
        act(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_source_delivers_at_its_rate_and_one_delivery_may_overdraw_it() {
        let meter = Meter::default();
        for _ in 0..59 {
            meter.charge("till", 60, 1);
            assert_eq!(meter.admit("till", 60), Ok(()));
        }
        meter.charge("till", 60, 31);
        // Thirty are to be made up for, and one more is to be there.
        assert_eq!(meter.admit("till", 60), Err(Duration::from_secs(31)));
        assert_eq!(meter.admit("other", 60), Ok(()));
        advance(Duration::from_secs(30)).await;
        assert_eq!(meter.admit("till", 60), Err(Duration::from_secs(1)));
        advance(Duration::from_secs(1)).await;
        assert_eq!(meter.admit("till", 60), Ok(()));
        // Nothing is saved up beyond a minute's.
        advance(Duration::from_secs(3_600)).await;
        meter.charge("till", 60, 60);
        assert!(meter.admit("till", 60).is_err());
    }
}
