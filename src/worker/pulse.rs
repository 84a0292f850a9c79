//! The pulse: how the relay is, put together anew whenever an attempt was settled and at least once
//! a second, and published for the lamp, the status page, the metrics and the watchdog.
//!
//! Those read the same [`Health`], so they cannot disagree. The pulse influences nothing (invariant
//! I10). Called by `run`.

use super::company::Roster;
use super::lane::stopped;
use super::liveness::{Beat, answering};
use crate::clock::Clock;
use crate::journal::{Event, Journal, LaneTrouble, Snapshot};
use crate::model::{
    ClockTrust, Device, Health, InstanceCounts, JournalHealth, Misdirected, MisdirectedPosts,
    Refusals, SinkName, Timestamp, Trouble,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// Time between two looks when nothing happens, and when much does.
const SLOW: Duration = Duration::from_secs(1);
const FAST: Duration = Duration::from_millis(100);

/// How long somebody who asks waits for a look.
const PATIENCE: Duration = Duration::from_secs(1);

/// By which somebody who is asked how the relay is has the pulse look first.
#[derive(Clone, Debug)]
pub struct Glance {
    asked: Arc<Notify>,
    /// Looks that were begun.
    begun: Arc<AtomicU64>,
    /// The last look that has ended, by its number.
    ended: watch::Sender<u64>,
}

impl Default for Glance {
    fn default() -> Self {
        Self {
            asked: Arc::default(),
            begun: Arc::default(),
            ended: watch::Sender::new(0),
        }
    }
}

impl Glance {
    /// Waits until what is published is not older than this call; not for long, when the journal does
    /// not let itself be read.
    pub async fn refresh(&self) {
        let before = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.subscribe();
        self.asked.notify_one();
        // What was known stays the best that is known.
        let _ = timeout(PATIENCE, ended.wait_for(|look| *look > before)).await;
    }
}

/// What the pulse looks at.
pub struct Pulse {
    /// The journal.
    pub journal: Journal,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Time left until the server certificate ends, at this instant; `None` when it is not known.
    pub certificate_left: Box<dyn Fn(Timestamp) -> Option<Duration> + Send + Sync>,
    /// True when everything has been started.
    pub started: watch::Receiver<bool>,
    /// The same as the [`Worker`](super::Worker)'s.
    pub news: Arc<Notify>,
    /// How the companies are that are read; they are nobody's where no app is configured.
    pub books: Roster,
    /// Signed posts that went to a path that is not configured.
    pub misdirected: Arc<MisdirectedPosts>,
    /// The device.
    pub device: watch::Receiver<Device>,
    /// By which it is asked whether it makes progress.
    pub beat: Beat,
    /// By which it is asked to look.
    pub glance: Glance,
}

impl Pulse {
    /// Looks once, and publishes what it sees; the result changes when something has.
    pub async fn begin(&self) -> watch::Sender<Health> {
        let unknown = Health {
            started: false,
            journal: self.journal.health(),
            companies: 0,
            waiting: 0,
            dead_letters: 0,
            dead_by_sink: Vec::new(),
            parked: Vec::new(),
            unreadable: 0,
            refused: Refusals::default(),
            last_receipt_at: None,
            journals_set_aside: 0,
            notices: Vec::new(),
            troubles: Vec::new(),
            certificate_left: None,
            books: Vec::new(),
            instances: InstanceCounts::default(),
            misdirected: Vec::new(),
            device: Device::default(),
        };
        let health = watch::Sender::new(unknown);
        self.look(&health).await;
        health
    }

    /// Goes on looking until `stop` is true.
    pub async fn run(mut self, health: watch::Sender<Health>, mut stop: watch::Receiver<bool>) {
        let mut beat = std::mem::replace(&mut self.beat, Beat::solo());
        while !*stop.borrow() {
            self.look(&health).await;
            let pause = async {
                sleep(FAST).await;
                // Either way it is time to look.
                let _ = timeout(SLOW.saturating_sub(FAST), self.news.notified()).await;
            };
            let pause = async {
                tokio::select! {
                    () = pause => {}
                    () = self.glance.asked.notified() => {}
                    () = stopped(&mut stop) => {}
                }
            };
            answering(&mut beat, pause).await;
        }
    }

    /// Remembers, beyond a restart, that posts have begun to go astray, or go elsewhere now.
    async fn remember(&self, before: &[Misdirected], now: &[Misdirected]) {
        let is_known = |posts: &Misdirected| {
            let same = |known: &Misdirected| {
                (&known.verifier, &known.path) == (&posts.verifier, &posts.path)
            };
            before.iter().any(same)
        };
        for posts in now.iter().filter(|posts| !is_known(posts)) {
            let (verifier, path) = (&posts.verifier, &posts.path);
            let event = Event {
                at: self.clock.now(),
                kind: "misdirected".into(),
                text: format!(
                    "Intuit posts to {path}, which is not configured (verifier {verifier})"
                ),
            };
            // That a journal is in trouble is told by its own word.
            let _ = timeout(SLOW, self.journal.note(event)).await;
        }
    }

    async fn look(&self, health: &watch::Sender<Health>) {
        let before = health.borrow().misdirected.clone();
        self.publish(health).await;
        let seen = health.borrow().misdirected.clone();
        self.remember(&before, &seen).await;
    }

    async fn publish(&self, health: &watch::Sender<Health>) {
        let number = self.glance.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let snapshot = self.journal.snapshot().await.ok();
        let now = self.clock.now();
        health.send_if_modified(|health| {
            let mut seen = match snapshot {
                Some(snapshot) => facts(snapshot),
                // What was known stays the best that is known; that the journal is in trouble is
                // told by its own word.
                None => health.clone(),
            };
            seen.started = *self.started.borrow();
            seen.journal = self.journal.health();
            seen.journals_set_aside =
                u64::try_from(self.journal.damaged().len()).unwrap_or(u64::MAX);
            seen.misdirected = self.misdirected.snapshot();
            seen.notices = self.journal.notices().to_vec();
            seen.books = self.books.snapshot();
            seen.device = self.device.borrow().clone();
            seen.certificate_left = match seen.device.clock {
                ClockTrust::Trusted => (self.certificate_left)(now),
                // Nobody knows how long that is from now.
                ClockTrust::Waiting | ClockTrust::Wrong => None,
            };
            let changed = seen != *health;
            *health = seen;
            changed
        });
        self.glance.ended.send_replace(number);
    }
}

/// What the journal knows; the rest is put in by the caller.
fn facts(snapshot: Snapshot) -> Health {
    Health {
        started: false,
        journal: JournalHealth::Working,
        companies: snapshot.companies,
        waiting: snapshot.waiting.saturating_add(snapshot.replays),
        dead_letters: snapshot.dead_letters,
        dead_by_sink: snapshot.dead_by_sink,
        parked: snapshot.parked,
        unreadable: snapshot.unreadable,
        refused: snapshot.refused,
        journals_set_aside: 0,
        notices: Vec::new(),
        last_receipt_at: snapshot.last_receipt_at,
        troubles: troubles(snapshot.troubles),
        certificate_left: None,
        books: Vec::new(),
        instances: snapshot.instances,
        misdirected: Vec::new(),
        device: Device::default(),
    }
}

/// One trouble for each sink that has any.
fn troubles(lanes: Vec<LaneTrouble>) -> Vec<Trouble> {
    let mut troubles: BTreeMap<SinkName, Trouble> = BTreeMap::new();
    for LaneTrouble {
        lane,
        state,
        disabled_at,
        waiting,
    } in lanes
    {
        let trouble = Trouble {
            sink: lane.sink.clone(),
            disabled: disabled_at.is_some(),
            since: state.first_attempt_at.or(disabled_at),
            failure: state.last_failure.unwrap_or_default(),
            waiting,
            next_attempt_at: state.next_attempt_at,
        };
        match troubles.get_mut(&lane.sink) {
            Some(known) => join(known, trouble),
            None => {
                troubles.insert(lane.sink, trouble);
            }
        }
    }
    troubles.into_values().collect()
}

/// Two lanes of one sink as one trouble: since the earlier, tried again with the earlier, and the
/// words of the one that has failed for longer.
fn join(known: &mut Trouble, other: Trouble) {
    let earlier = |one: Option<Timestamp>, two: Option<Timestamp>| match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    };
    let longer = other
        .since
        .is_some_and(|since| known.since.is_none_or(|known| since < known));
    let silent = known.failure.is_empty();
    if silent || (longer && !other.failure.is_empty()) {
        known.failure = other.failure;
    }
    known.since = earlier(known.since, other.since);
    known.next_attempt_at = earlier(known.next_attempt_at, other.next_attempt_at);
    known.waiting = known.waiting.saturating_add(other.waiting);
    known.disabled |= other.disabled;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Lane, LaneState, RealmId};

    fn trouble(sink: &str, realm: &str, since: i64, failure: &str) -> LaneTrouble {
        LaneTrouble {
            lane: Lane {
                sink: SinkName::new(sink).unwrap(),
                realm: RealmId::new(realm).unwrap(),
            },
            state: LaneState {
                attempts: 1,
                first_attempt_at: Some(Timestamp::from_ms(since)),
                next_attempt_at: Some(Timestamp::from_ms(since + 100)),
                last_failure: Some(failure.into()),
            },
            disabled_at: None,
            waiting: 2,
        }
    }

    #[test]
    fn lanes_in_trouble_are_told_as_one_trouble_of_their_sink() {
        let told = troubles(vec![
            trouble("erp", "1", 50, "newer"),
            trouble("crm", "1", 70, "other"),
            trouble("erp", "2", 40, "older"),
            trouble("erp", "3", 60, "newest"),
        ]);
        let [crm, erp] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!(crm.failure, "other");
        assert_eq!(erp.failure, "older");
        assert_eq!(erp.since, Some(Timestamp::from_ms(40)));
        assert_eq!(erp.next_attempt_at, Some(Timestamp::from_ms(140)));
        assert_eq!(erp.waiting, 6);
        assert!(!erp.disabled);
    }

    #[test]
    fn a_sink_that_is_switched_off_says_so_whichever_lane_knows() {
        let mut off = trouble("erp", "2", 50, "gone");
        off.state = LaneState::default();
        off.disabled_at = Some(Timestamp::from_ms(30));
        let told = troubles(vec![trouble("erp", "1", 50, "refuses"), off]);
        let [erp] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert!(erp.disabled);
        assert_eq!(erp.failure, "refuses");
        assert_eq!(erp.since, Some(Timestamp::from_ms(30)));
    }
}
