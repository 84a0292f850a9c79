//! Element instances of the Open Connectors interface: a QuickBooks company with a callback of its
//! own, made by whoever has the secrets of the interface.

use super::{EntityRef, RealmId, SinkName, Timestamp};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Number of an instance: 1 to 2^31 - 1, because clients read it into 32 bits with a sign. It is
/// never given twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct InstanceId(u32);

/// What every sink of an instance is named by; no configured sink may begin like this.
pub const INSTANCE_SINK: &str = "instance-";

impl InstanceId {
    /// The number, where it can be one.
    pub const fn new(number: u32) -> Option<Self> {
        match number {
            1..=0x7fff_ffff => Some(Self(number)),
            _ => None,
        }
    }

    /// As a number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The sink by which its events leave: `instance-12345`.
    pub fn sink(self) -> SinkName {
        SinkName::new(format!("{INSTANCE_SINK}{self}")).expect("letters, a hyphen and digits")
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instance as the journal keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// Its number.
    pub id: InstanceId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner changed it last; later each time.
    pub updated_at: Timestamp,
    /// Since when its owner has switched it off; nothing leaves for it then, and nothing is kept
    /// for it.
    pub disabled_at: Option<Timestamp>,
    /// Since when its polls rest because too many failed in a row, and why.
    pub polling_stopped: Option<(Timestamp, String)>,
    /// All that its owner says of it.
    pub draft: InstanceDraft,
}

/// What its owner says of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstanceDraft {
    /// The QuickBooks company.
    pub realm: RealmId,
    /// Its name, for people.
    pub name: String,
    /// Words by which it is found.
    pub tags: Vec<String>,
    /// SHA-256 of its element token, by which a caller is recognized.
    pub token_digest: [u8; 32],
    /// The element token and the whole configuration, sealed by the vault: keys and secrets are
    /// among them.
    pub sealed: Vec<u8>,
    /// What leaves for it; `None` while its events are off.
    pub events: Option<Interest>,
}

/// How many instances there are, and how they stand.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct InstanceCounts {
    /// All of them.
    pub made: u64,
    /// Those that their owner has switched off.
    pub switched_off: u64,
    /// Those whose subscription is paused, because a callback failed for the last time.
    pub paused: u64,
    /// Those whose polls rest, because too many failed in a row.
    pub polls_stopped: u64,
}

/// Which changes of its company an instance is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interest {
    /// Whatever changes, as it is notified (`event.vendor.type` is `webhook` or `webhooks`).
    pub webhook: bool,
    /// What is polled for it (`polling`). Alone, the instance is told of these kinds only, and each
    /// change waits until its record has been read.
    pub polling: Option<Polling>,
    /// Whether there is somewhere to post to. Without it nothing leaves, and its events are only
    /// listed.
    pub calls_back: bool,
}

/// What is polled, and how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Polling {
    /// Kinds as the API spells them (`Invoice`); at least one.
    pub kinds: BTreeSet<String>,
    /// From one poll to the next; at least a minute.
    pub interval: Duration,
}

impl Interest {
    /// The kinds that it is told of; `None`: all.
    pub fn kinds(&self) -> Option<&BTreeSet<String>> {
        match &self.polling {
            Some(polling) if !self.webhook => Some(&polling.kinds),
            _ => None,
        }
    }

    /// Whether it is told of changes of this record.
    pub fn covers(&self, entity: &EntityRef) -> bool {
        let is_kind = |kind: &String| kind.eq_ignore_ascii_case(&entity.kind);
        self.kinds().is_none_or(|kinds| kinds.iter().any(is_kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_a_number_of_31_bits_and_a_sink_of_its_own() {
        assert_eq!(InstanceId::new(0), None);
        assert_eq!(InstanceId::new(1 << 31), None);
        let id = InstanceId::new((1 << 31) - 1).unwrap();
        assert_eq!(id.sink().as_str(), "instance-2147483647");
    }

    #[test]
    fn only_who_is_polled_alone_is_told_of_some_kinds() {
        let polling = Some(Polling {
            kinds: ["Invoice".to_owned()].into(),
            interval: Duration::from_mins(15),
        });
        let interest = |webhook, polling| Interest {
            webhook,
            polling,
            calls_back: true,
        };
        let entity = |kind: &str| EntityRef {
            kind: kind.into(),
            id: "2".into(),
        };
        let polled = interest(false, polling.clone());
        assert!(polled.covers(&entity("invoice")) && !polled.covers(&entity("Bill")));
        for all in [interest(true, polling), interest(true, None)] {
            assert!(all.covers(&entity("Bill")));
        }
    }
}
