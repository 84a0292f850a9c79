//! On the way out: lanes, deliveries, attempts, and what becomes of them.

use super::{Change, ChangeSeq, RealmId, SinkName, Timestamp};
use bytes::Bytes;
use std::time::Duration;

/// One sink and one company: the unit of ordering. No lane waits for another.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Lane {
    /// The sink.
    pub sink: SinkName,
    /// The company.
    pub realm: RealmId,
}

/// What a sink is handed: consecutive changes of one company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Which way it goes.
    pub lane: Lane,
    /// Why it goes.
    pub manner: Manner,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The changes in order; at least one, and more than one only where the format batches.
    pub changes: Vec<Change>,
    /// The body of the receipt that all the changes came with; only where the format carries it.
    pub body: Option<Bytes>,
}

/// Why a delivery goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// In the ordinary course.
    Live,
    /// Because the operator asked for it again; the row of that request.
    Replay(i64),
}

/// Where a lane stands with its head: how often it was tried and when it may be again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LaneState {
    /// Failed attempts at the head so far.
    pub attempts: u32,
    /// When the first of them was made.
    pub first_attempt_at: Option<Timestamp>,
    /// Not before this.
    pub next_attempt_at: Option<Timestamp>,
    /// The last failure in one sentence.
    pub last_failure: Option<String>,
}

/// One try, as the journal remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What came back.
    pub outcome: Outcome,
}

/// What came back from a sink.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The sink has it.
    Accepted,
    /// The sink asks for patience: HTTP 429, 502, 503 or 504.
    Busy {
        /// The HTTP status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The sink said no: any other HTTP status outside 2xx, a redirect included.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The sink wants nothing any more: HTTP 410.
    Gone,
    /// No answer was had.
    Failed {
        /// How far it came.
        stage: Stage,
        /// What happened, in a few words; no secret, no payload.
        detail: String,
    },
}

/// How far an attempt came that ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// The name was not resolved.
    Resolve,
    /// The address is not allowed, or is the relay itself.
    Forbidden,
    /// No connection.
    Connect,
    /// No TLS session.
    Tls,
    /// No answer in time.
    Answer,
    /// The local file could not be written.
    File,
}

/// What the journal records after an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// Done.
    Delivered,
    /// Again, not before this.
    Retry {
        /// The instant.
        at: Timestamp,
    },
    /// Given up; kept as a dead letter that can be replayed.
    Dead {
        /// The cause in one sentence.
        reason: String,
    },
    /// The sink is switched off until it is enabled; its work stays. After a 410, or after the last
    /// failure where the schedule says so.
    Disabled,
}

impl Delivery {
    /// Number of the last change in it: how far the lane is once it is settled.
    pub fn through(&self) -> Option<ChangeSeq> {
        self.changes.last().map(|change| change.seq)
    }
}

/// What a lane could do next: its live head and the oldest open replay, as the journal sees them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LaneView {
    /// The sink was switched off.
    pub disabled: bool,
    /// How the live head fared so far.
    pub state: LaneState,
    /// The next undelivered changes in order; empty when everything is delivered, or when the next
    /// one is held back.
    pub head: Vec<Change>,
    /// When the change behind `head` was received, where it is held back because it is not
    /// reconciled yet.
    pub held_since: Option<Timestamp>,
    /// The body of the receipt of `head`, where it was asked for.
    pub body: Option<Bytes>,
    /// A replay that was asked for and is not done.
    pub replay: Option<ReplayHead>,
}

impl LaneView {
    /// Whatever is there may go now.
    pub fn wait_no_more(&mut self) {
        self.state.next_attempt_at = None;
        if let Some(replay) = &mut self.replay {
            replay.state.next_attempt_at = None;
        }
    }
}

/// The oldest open replay of a lane that is due, or else the one that is due first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayHead {
    /// The row of the request.
    pub id: i64,
    /// How it fared so far.
    pub state: LaneState,
    /// The change to send again.
    pub change: Change,
    /// The body of its receipt, where it was asked for and is still kept.
    pub body: Option<Bytes>,
}
