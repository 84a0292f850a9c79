//! What the writer's thread and the handles share: whether it works, and whom to wake.
//!
//! Waking carries no data: it says "look again", and what there is to do stands in the tables. A
//! wake-up that gets lost costs time, never a change.

use super::admission::Scopes;
use super::touched::Touched;
use super::{Error, watermarks};
use crate::model::{JournalHealth, RealmId, Timestamp, Watermark};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Companies by name that are remembered for the worker; beyond it, it looks at all of them.
const CHANGED_MAX: usize = 4096;

/// Stands for "no time" where a time is kept in an atomic number.
const NEVER: i64 = i64::MIN;

/// Companies whose lanes may have something to do.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Changed {
    /// These.
    pub realms: HashSet<RealmId>,
    /// All that there are.
    pub everyone: bool,
}

/// The last commit was made in time.
const FINE: u8 = 0;

/// Another program held the file.
const HELD: u8 = 1;

/// It took longer than anybody waits for it.
const SLOW: u8 = 2;

/// The shared state.
#[derive(Debug)]
pub(super) struct Shared {
    broken: watch::Sender<Option<Error>>,
    full: AtomicBool,
    /// What the last commit said: [`FINE`], [`HELD`] or [`SLOW`].
    last_commit: AtomicU8,
    /// Milliseconds from `born` to when the first of those whom the writer works for asked; 0 while it
    /// rests.
    works_since: AtomicU64,
    born: Instant,
    /// How long whoever asked waits for an answer.
    answer: Duration,
    bytes_used: AtomicU64,
    last_receipt_at: AtomicI64,
    /// Whoever waits for a company; entries that nobody waits for are taken out now and then.
    realms: Mutex<HashMap<RealmId, watch::Sender<u64>>>,
    /// What the worker has not asked for yet.
    changed: Mutex<Changed>,
    work: watch::Sender<u64>,
    companies: watch::Sender<u64>,
    instances: watch::Sender<u64>,
    /// Watermarks of this run: never behind what is written, and often ahead of it.
    ahead: Mutex<HashMap<RealmId, BTreeMap<String, Watermark>>>,
    scopes: Arc<Scopes>,
    /// Receipts of each source that spoke of a company that is refused.
    refused: Mutex<HashMap<String, u64>>,
}

/// Latches the journal as broken when it is dropped: the writer's thread ended by a panic.
pub(super) struct Ending(Option<Arc<Shared>>);

impl Shared {
    /// A working journal, whose last receipt arrived at `last_receipt_at` and whose callers wait so
    /// long for an answer.
    pub(super) fn new(last_receipt_at: Option<Timestamp>, answer: Duration) -> Self {
        Self {
            broken: watch::Sender::new(None),
            full: AtomicBool::new(false),
            last_commit: AtomicU8::new(FINE),
            works_since: AtomicU64::new(0),
            born: Instant::now(),
            answer,
            bytes_used: AtomicU64::new(0),
            last_receipt_at: AtomicI64::new(last_receipt_at.map_or(NEVER, Timestamp::as_ms)),
            realms: Mutex::new(HashMap::new()),
            changed: Mutex::default(),
            work: watch::Sender::new(0),
            companies: watch::Sender::new(0),
            instances: watch::Sender::new(0),
            ahead: Mutex::default(),
            scopes: Arc::default(),
            refused: Mutex::default(),
        }
    }

    /// Whether receipts are taken, by the last commit and by the one that is under way.
    pub(super) fn health(&self) -> JournalHealth {
        match self.verdict() {
            JournalHealth::Working if self.is_overdue() => JournalHealth::Slow,
            verdict => verdict,
        }
    }

    /// The same without what is under way.
    pub(super) fn verdict(&self) -> JournalHealth {
        if self.broken.borrow().is_some() {
            return JournalHealth::Broken;
        }
        match self.last_commit.load(Ordering::SeqCst) {
            HELD => JournalHealth::Held,
            _ if self.is_full() => JournalHealth::Full,
            SLOW => JournalHealth::Slow,
            _ => JournalHealth::Working,
        }
    }

    /// Whether somebody has been waiting for the writer for longer than anybody waits.
    fn is_overdue(&self) -> bool {
        let since = self.works_since.load(Ordering::SeqCst);
        since > 0
            && self
                .born
                .elapsed()
                .saturating_sub(Duration::from_millis(since))
                > self.answer
    }

    /// The writer works for somebody who asked then.
    pub(super) fn works_since(&self, at: Instant) {
        let since = at.saturating_duration_since(self.born).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX).max(1);
        self.works_since.store(since, Ordering::SeqCst);
    }

    /// The writer waits for work.
    pub(super) fn rests(&self) {
        self.works_since.store(0, Ordering::SeqCst);
    }

    /// What a batch came to: whether it wrote anything, and whether that was too late for those who had
    /// asked.
    pub(super) fn ended(&self, fate: &Result<(), Error>, wrote: bool, late: bool) {
        let before = self.last_commit.load(Ordering::SeqCst);
        let after = match fate {
            Err(Error::Busy) => HELD,
            Err(_) => before,
            Ok(()) if late => SLOW,
            // Whether the disk is in time again only a write can say.
            Ok(()) if before == SLOW && !wrote => SLOW,
            Ok(()) => FINE,
        };
        self.last_commit.store(after, Ordering::SeqCst);
        match (before, after) {
            (FINE, HELD) => {
                tracing::error!("another program holds the journal's file; nothing is taken in")
            }
            (FINE, SLOW) => {
                tracing::error!("the disk takes too long to write; nothing is taken in in time")
            }
            (HELD | SLOW, FINE) => tracing::info!("the journal takes receipts in again"),
            _ => {}
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    /// Why it is broken, if it is.
    pub(super) fn broken(&self) -> Option<Error> {
        self.broken.borrow().clone()
    }

    /// Tells when it breaks.
    pub(super) fn watch_broken(&self) -> watch::Receiver<Option<Error>> {
        self.broken.subscribe()
    }

    /// It is broken from now on; the first cause stays.
    pub(super) fn latch(&self, error: &Error) {
        self.broken.send_if_modified(|broken| {
            let first = broken.is_none();
            if first {
                *broken = Some(error.clone());
            }
            first
        });
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    pub(super) fn set_bytes_used(&self, bytes: u64) {
        self.bytes_used.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn bytes_used(&self) -> u64 {
        self.bytes_used.load(Ordering::Relaxed)
    }

    /// A receipt arrived, new or repeated.
    pub(super) fn arrived(&self, at: Timestamp) {
        self.last_receipt_at.store(at.as_ms(), Ordering::Relaxed);
    }

    pub(super) fn last_receipt_at(&self) -> Option<Timestamp> {
        let at = self.last_receipt_at.load(Ordering::Relaxed);
        (at != NEVER).then(|| Timestamp::from_ms(at))
    }

    /// A kind of record has been read further.
    pub(super) fn run_ahead(&self, realm: &RealmId, kind: String, to: Watermark) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = ahead.entry(realm.clone()).or_default();
        let known = kinds.entry(kind).or_insert(to);
        *known = watermarks::moved(*known, to);
    }

    /// Nothing is known of this company any more.
    pub(super) fn forget(&self, realm: &RealmId) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        ahead.remove(realm);
    }

    /// Brings what is written about a company to what is known.
    pub(super) fn catch_up(&self, realm: &RealmId, written: &mut BTreeMap<String, Watermark>) {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, to) in ahead.get(realm).into_iter().flatten() {
            let known = written.entry(kind.clone()).or_insert(*to);
            *known = watermarks::moved(*known, *to);
        }
    }

    pub(super) fn subscribe(&self, realm: &RealmId) -> watch::Receiver<u64> {
        let mut realms = self.realms.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the map would grow: so it costs little, and stays as small as what is waited for.
        if realms.len() == realms.capacity() {
            realms.retain(|_, waiting| waiting.receiver_count() > 0);
        }
        realms
            .entry(realm.clone())
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    pub(super) fn subscribe_work(&self) -> watch::Receiver<u64> {
        self.work.subscribe()
    }

    /// What may have something to do since it was asked last.
    pub(super) fn take_changed(&self) -> Changed {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *changed)
    }

    pub(super) fn subscribe_companies(&self) -> watch::Receiver<u64> {
        self.companies.subscribe()
    }

    pub(super) fn subscribe_instances(&self) -> watch::Receiver<u64> {
        self.instances.subscribe()
    }

    /// What the sources may speak of.
    pub(super) fn scopes(&self) -> Arc<Scopes> {
        Arc::clone(&self.scopes)
    }

    /// Tells the log who spoke of companies that are refused: the first few times, then of each
    /// hundredth receipt.
    pub(super) fn note_refused(&self, refused: &[(String, String, i64)]) {
        let mut so_far = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, why, changes) in refused {
            // Names come from the configuration, so they are few.
            let count = so_far.entry(source.clone()).or_default();
            *count += 1;
            if *count <= 10 || count.is_multiple_of(100) {
                let so_far = *count;
                tracing::warn!(source, changes, so_far, "not taken in: {why}");
            }
        }
    }

    /// Wakes those whom it concerns.
    pub(super) fn wake(&self, touched: &Touched) {
        let again = |count: &mut u64| *count = count.wrapping_add(1);
        if !touched.realms.is_empty() || touched.everyone {
            let waiting = self.realms.lock().unwrap_or_else(PoisonError::into_inner);
            if touched.everyone {
                waiting.values().for_each(|one| one.send_modify(again));
            } else {
                let woken = touched.realms.iter().filter_map(|realm| waiting.get(realm));
                woken.for_each(|one| one.send_modify(again));
            }
            drop(waiting);
            self.note_changed(touched);
            self.work.send_modify(again);
        }
        if touched.companies {
            self.companies.send_modify(again);
        }
        if touched.instances {
            self.instances.send_modify(again);
        }
    }

    fn note_changed(&self, touched: &Touched) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.everyone |= touched.everyone || changed.realms.len() > CHANGED_MAX;
        if changed.everyone {
            changed.realms = HashSet::new();
        } else {
            changed.realms.extend(touched.realms.iter().cloned());
        }
    }

    /// A guard for the writer's thread.
    pub(super) fn broken_unless_defused(self: &Arc<Self>) -> Ending {
        Ending(Some(Arc::clone(self)))
    }
}

impl Ending {
    /// The thread ends in order.
    pub(super) fn defuse(mut self) {
        self.0 = None;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.latch(&Error::Broken("the writer's thread ended".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_what_the_last_commit_said_and_a_slow_disk_is_in_time_again_only_by_a_write() {
        use JournalHealth::{Full, Held, Slow, Working};
        let shared = Shared::new(None, Duration::from_secs(2));
        let (fine, busy) = (Ok(()), Err(Error::Busy));
        for (fate, wrote, late, expected) in [
            (&fine, true, false, Working),
            (&busy, false, false, Held),
            (&fine, false, false, Working),
            (&fine, true, true, Slow),
            (&fine, false, false, Slow),
            (&fine, true, false, Working),
            (&fine, true, true, Slow),
            (&busy, false, true, Held),
            (&fine, false, false, Working),
        ] {
            shared.ended(fate, wrote, late);
            assert_eq!(shared.health(), expected, "{fate:?} {wrote} {late}");
        }
        shared.set_full(true);
        assert_eq!(shared.health(), Full);
        shared.ended(&busy, false, false);
        assert_eq!(shared.health(), Held);
    }

    #[test]
    fn who_waits_for_a_commit_under_way_for_longer_than_anybody_does_is_told_of_it() {
        let shared = Shared::new(None, Duration::ZERO);
        assert_eq!(shared.health(), JournalHealth::Working);
        shared.works_since(Instant::now());
        while shared.health() == JournalHealth::Working {
            std::thread::yield_now();
        }
        assert_eq!(shared.health(), JournalHealth::Slow);
        shared.rests();
        assert_eq!(shared.health(), JournalHealth::Working);
    }
}
