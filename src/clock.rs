//! The wall clock, as an argument: tasks ask it, floors below are told.
//!
//! Waiting is tokio's business (monotonic); this is only "what time is it".

use crate::model::Timestamp;
use crate::rules::clock::Word;
use std::fmt::Debug;
use std::path::Path;
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

/// The day this program was made, or an earlier one; a clock that stands before it is wrong. It is
/// `SOURCE_DATE_EPOCH` of the build, as packages set it, else the beginning of the year of the first
/// release: never the builder's clock, so that builds can be reproduced.
pub const MADE: Timestamp = Timestamp::from_ms(1000 * seconds(option_env!("SOURCE_DATE_EPOCH")));

/// 2026-01-01T00:00:00Z
const FIRST_RELEASE: i64 = 1_767_225_600;

/// A number of digits, or the default where there is none, or none that is sensible.
const fn seconds(text: Option<&str>) -> i64 {
    let Some(text) = text else {
        return FIRST_RELEASE;
    };
    match i64::from_str_radix(text, 10) {
        // Not later than the year 2100: a slip there would keep every delivery waiting.
        Ok(seconds) if seconds >= FIRST_RELEASE && seconds < 4_102_444_800 => seconds,
        _ => FIRST_RELEASE,
    }
}

/// What the machine's time service says. systemd-timesyncd makes its folder when it starts and this
/// file in it when it has set the clock (systemd-timesyncd.service(8)); others make neither.
pub fn word(synchronized_file: &Path) -> Word {
    let folder = synchronized_file.parent();
    match synchronized_file.exists() {
        true => Word::Synchronized,
        false if folder.is_some_and(Path::exists) => Word::NotYet,
        false => Word::Nobody,
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
