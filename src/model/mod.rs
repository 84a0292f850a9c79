//! Floor 0, words: the types that every other floor speaks in.
//!
//! Nothing here does anything: no serialization, no clock, no I/O. A value of one of these types is
//! already valid, because `wire` (from bytes) and `journal` (from rows) are the only places that
//! make them from outside data.

pub mod access;
pub mod change;
pub mod company;
pub mod company_health;
pub mod delivery;
pub mod device;
pub mod health;
pub mod id;
pub mod instance;
pub mod limits;
pub mod misdirected;
pub mod notification;
pub mod printable;
pub mod receipt;
pub mod sampler;
pub mod scope;
pub mod secret;
pub mod tally;
pub mod time;
pub mod zone;

pub use change::Change;
pub use company::{
    AppName, Company, CompanyView, Ends, Environment, Gap, GapReport, Notified, Purpose, Reading,
    Reconciled, Record, RecordState, Standing, TokenSet, Watermark,
};
pub use company_health::{CompanyHealth, Hindrance, HindranceKind, TokenEnd, TokenWarning};
pub use delivery::{
    Attempt, Delivery, Lane, LaneState, LaneView, Manner, Outcome, ReplayHead, Settlement, Stage,
};
pub use device::{ClockTrust, Device};
pub use health::{Condition, Health, JournalHealth, Refusals, SinkCount, Trouble};
pub use id::{ChangeId, ChangeSeq, EntityRef, Identity, RealmId, Seq, SinkName};
pub use instance::{
    INSTANCE_SINK, Instance, InstanceCounts, InstanceDraft, InstanceId, Interest, Polling,
};
pub use limits::Limits;
pub use misdirected::{Misdirected, MisdirectedPosts};
pub use notification::{EventTime, Form, Notification, Operation, Origin};
pub use receipt::{Authenticity, Encoding, Item, Kept, Receipt, Unreadable};
pub use sampler::Sampler;
pub use scope::SourceScope;
pub use secret::Secret;
pub use tally::Tally;
pub use time::Timestamp;
pub use zone::{BadZone, Zone};
