//! Whether the essential parts make progress: each is asked again and again, and answers from the very
//! loop in which it does its work.
//!
//! A [`Beat`] is a part's end of it: [`answering`] lets any wait of that part answer. The journal's
//! writer answers by way of its queue ([`writer`]). The verdict feeds the lamp and the watchdog of
//! systemd, so that neither can say "fine" for a relay that stands still. A part that has ended is
//! asked no more: that it ended is its starter's business.

use super::lane::{pointless, stopped};
use crate::journal::{Error, Journal};
use crate::model::Device;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// What is asked of everybody, and what was answered.
#[derive(Debug)]
pub struct Liveness {
    parts: Vec<Part>,
    round: Duration,
}

/// What the last round found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// When it was found.
    pub at: Instant,
    /// Every part is within its deadline.
    pub fine: bool,
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    deadline: Duration,
    asked: watch::Sender<u64>,
    asked_at: Instant,
    roll: Roll,
}

/// The last answer of each member of a part.
type Roll = Arc<Mutex<Vec<Weak<AtomicU64>>>>;

/// One member's end: it hears a question and answers it.
#[derive(Debug)]
pub struct Beat {
    asked: watch::Receiver<u64>,
    answered: Arc<AtomicU64>,
    roll: Roll,
}

impl Liveness {
    /// Nobody yet; every part will be asked once in `round`.
    pub fn new(round: Duration) -> Self {
        Self {
            parts: Vec::new(),
            round,
        }
    }

    /// A part that has to answer within `deadline`.
    pub fn part(&mut self, name: &'static str, deadline: Duration) -> Beat {
        let (asked, heard) = watch::channel(0);
        let roll = Roll::default();
        self.parts.push(Part {
            name,
            deadline,
            asked,
            asked_at: Instant::now(),
            roll: Arc::clone(&roll),
        });
        Beat::enrolled(heard, roll)
    }

    /// Asks and judges until `stop` is true. Parts that are late are named in `device`.
    pub async fn run(
        mut self,
        verdict: watch::Sender<Verdict>,
        device: Arc<watch::Sender<Device>>,
        mut stop: watch::Receiver<bool>,
    ) {
        while !*stop.borrow() {
            let late: Vec<&'static str> = self.parts.iter_mut().filter_map(Part::ask).collect();
            verdict.send_replace(Verdict {
                at: Instant::now(),
                fine: late.is_empty(),
            });
            device.send_if_modified(|device| {
                let changed = device.stalled != late;
                if changed && !late.is_empty() {
                    tracing::error!("no progress of {}", late.join(", "));
                }
                device.stalled = late;
                changed
            });
            tokio::select! {
                () = sleep(self.round) => {}
                () = stopped(&mut stop) => {}
            }
        }
    }
}

impl Part {
    /// Asks again when everybody has answered; the name when somebody is late.
    fn ask(&mut self) -> Option<&'static str> {
        let question = *self.asked.borrow();
        let mut roll = self.roll.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending = false;
        roll.retain(|member| {
            let member = member.upgrade();
            pending |= member
                .as_ref()
                .is_some_and(|answered| answered.load(Ordering::Acquire) != question);
            member.is_some()
        });
        if pending {
            return (self.asked_at.elapsed() > self.deadline).then_some(self.name);
        }
        drop(roll);
        self.asked.send_replace(question.wrapping_add(1));
        self.asked_at = Instant::now();
        None
    }
}

impl Beat {
    /// A member that nobody asks.
    pub fn solo() -> Self {
        Self::enrolled(watch::channel(0).1, Roll::default())
    }

    fn enrolled(asked: watch::Receiver<u64>, roll: Roll) -> Self {
        // Whatever was asked before it came is not its business; what is asked meanwhile is heard.
        let mut members = roll.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked = asked;
        let answered = Arc::new(AtomicU64::new(*asked.borrow_and_update()));
        members.push(Arc::downgrade(&answered));
        drop(members);
        Self {
            asked,
            answered,
            roll,
        }
    }

    /// Another member of the same part, to be asked as well.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::enrolled(self.asked.clone(), Arc::clone(&self.roll))
    }

    /// The next question. Never resolves when nobody is left to ask.
    async fn question(&mut self) -> u64 {
        if self.asked.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.asked.borrow_and_update()
    }

    fn answer(&self, question: u64) {
        self.answered.store(question, Ordering::Release);
    }
}

/// Does `work`, and answers questions while it waits.
pub async fn answering<T>(beat: &mut Beat, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            question = beat.question() => beat.answer(question),
        }
    }
}

/// Answers for the journal's writer until `stop` is true: each question goes through its queue.
///
/// # Errors
/// Those of the journal after which going on is pointless.
pub async fn writer(
    journal: Journal,
    mut beat: Beat,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    loop {
        let question = tokio::select! {
            question = beat.question() => question,
            () = stopped(&mut stop) => return Ok(()),
        };
        tokio::select! {
            // A refusal for want of room comes from the writer too.
            answered = journal.ping() => answered.or_else(pointless)?,
            () = stopped(&mut stop) => return Ok(()),
        }
        beat.answer(question);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(5);
    const DEADLINE: Duration = Duration::from_secs(12);

    struct House {
        verdict: watch::Receiver<Verdict>,
        device: Arc<watch::Sender<Device>>,
        _stop: watch::Sender<bool>,
    }

    fn watched(liveness: Liveness) -> House {
        let fine = Verdict {
            at: Instant::now(),
            fine: true,
        };
        let (told, verdict) = watch::channel(fine);
        let (stop, stopping) = watch::channel(false);
        let device = Arc::new(watch::Sender::new(Device::default()));
        tokio::spawn(liveness.run(told, Arc::clone(&device), stopping));
        House {
            verdict,
            device,
            _stop: stop,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_answers_is_fine_and_whoever_does_not_is_named_after_its_deadline() {
        let mut liveness = Liveness::new(ROUND);
        let mut quick = liveness.part("the quick one", DEADLINE);
        let mut lazy = liveness.part("the lazy one", DEADLINE);
        let house = watched(liveness);
        tokio::spawn(async move { answering(&mut quick, std::future::pending::<()>()).await });
        let minute = sleep(Duration::from_secs(60));
        answering(&mut lazy, minute).await;
        assert!(house.verdict.borrow().fine);
        sleep(Duration::from_secs(10)).await;
        assert!(house.verdict.borrow().fine);
        sleep(Duration::from_secs(15)).await;
        assert!(!house.verdict.borrow().fine);
        assert_eq!(house.device.borrow().stalled, ["the lazy one"]);
        // It comes to itself, and all is well.
        answering(&mut lazy, sleep(Duration::from_secs(6))).await;
        assert!(house.verdict.borrow().fine);
        assert!(house.device.borrow().stalled.is_empty());
        assert!(house.verdict.borrow().at.elapsed() <= ROUND);
    }

    #[tokio::test(start_paused = true)]
    async fn every_member_is_asked_and_one_that_has_ended_is_not() {
        let mut liveness = Liveness::new(ROUND);
        let mut first = liveness.part("the lanes", DEADLINE);
        let second = first.another();
        let house = watched(liveness);
        answering(&mut first, sleep(Duration::from_secs(60))).await;
        assert!(!house.verdict.borrow().fine);
        drop(second);
        answering(&mut first, sleep(Duration::from_secs(6))).await;
        assert!(house.verdict.borrow().fine);
    }
}
