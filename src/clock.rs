//! The wall clock, as an argument: tasks ask it, floors below are told.
//!
//! Waiting is tokio's business (monotonic); this is only "what time is it".

use crate::model::Timestamp;
use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Something that tells the time.
pub trait Clock: Send + Sync + Debug {
    /// The wall clock's time; may jump in either direction.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Default, Debug)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        let ms = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => Timestamp::from_ms(ms(after)),
            Err(before) => Timestamp::from_ms(-ms(before.duration())),
        }
    }
}

/// A clock that stands where it is put, for tests.
#[derive(Default, Debug)]
pub struct Manual(AtomicI64);

impl Manual {
    /// A clock that shows `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_ms()))
    }

    /// Puts the clock to `at`, later or earlier.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_ms(), Ordering::SeqCst);
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}
