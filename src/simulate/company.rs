//! Simulated companies: payloads as Intuit sends them, in both forms, from a seed.
//!
//! The shapes are those of Intuit's published samples; names, ids and times are made up. The same
//! seed gives the same payloads, so that a run can be repeated.

use crate::model::Timestamp;
use std::fmt::Write as _;
use std::time::Duration;

/// A payload form to generate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum PayloadForm {
    /// A JSON array of CloudEvents, as Intuit sends today.
    Cloudevents,
    /// `eventNotifications`, as Intuit sent until July 2026.
    Legacy,
    /// One and the other in turn.
    Mixed,
}

/// A request body and how many changes it notifies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload {
    /// The body, compact JSON as on the wire.
    pub body: Vec<u8>,
    /// Changes in it.
    pub events: usize,
}

/// Companies that change things.
#[derive(Debug)]
pub struct Companies {
    realms: u64,
    chance: Chance,
    posts: u64,
    events: u64,
    now: Timestamp,
}

/// Entities that are notified, with the CloudEvents segment: a cut of Intuit's table.
const ENTITIES: [(&str, &str); 8] = [
    ("Customer", "customer"),
    ("Invoice", "invoice"),
    ("Payment", "payment"),
    ("SalesReceipt", "salesreceipt"),
    ("Bill", "bill"),
    ("Vendor", "vendor"),
    ("JournalEntry", "journalentry"),
    ("Item", "item"),
];

/// Operations with their CloudEvents verb; an update is what mostly happens.
const OPERATIONS: [(&str, &str); 5] = [
    ("Create", "created"),
    ("Update", "updated"),
    ("Update", "updated"),
    ("Update", "updated"),
    ("Delete", "deleted"),
];

/// Realm ids begin here: 16 digits, as production companies have.
pub(super) const FIRST_REALM: u64 = 9_341_455_841_580_195;

impl Companies {
    /// So many companies, whose changes happen from `start` on.
    pub fn new(realms: u64, seed: u64, start: Timestamp) -> Self {
        Self {
            realms: realms.max(1),
            chance: Chance::new(seed),
            posts: 0,
            events: 0,
            now: start,
        }
    }

    /// The next payload with so many events; a legacy one speaks of one company, as Intuit's do.
    pub fn next_payload(&mut self, form: PayloadForm, events: usize) -> Payload {
        self.posts += 1;
        let legacy = match form {
            PayloadForm::Cloudevents => false,
            PayloadForm::Legacy => true,
            PayloadForm::Mixed => self.posts.is_multiple_of(2),
        };
        let body = if legacy {
            self.legacy(events)
        } else {
            self.cloud_events(events)
        };
        Payload {
            body: body.into_bytes(),
            events,
        }
    }

    fn legacy(&mut self, events: usize) -> String {
        let realm = self.realm();
        let mut body = format!(
            r#"{{"eventNotifications":[{{"realmId":"{realm}","dataChangeEvent":{{"entities":["#
        );
        for index in 0..events {
            let Happening {
                entity,
                operation,
                id,
                at,
            } = self.happen();
            let comma = if index == 0 { "" } else { "," };
            let (name, operation) = (entity.0, operation.0);
            _ = write!(
                body,
                r#"{comma}{{"name":"{name}","id":"{id}","operation":"{operation}","lastUpdated":"{at}"}}"#
            );
        }
        body.push_str("]}}]}");
        body
    }

    fn cloud_events(&mut self, events: usize) -> String {
        let mut body = String::from("[");
        for index in 0..events {
            let realm = self.realm();
            let uuid = self.chance.uuid();
            let Happening {
                entity,
                operation,
                id,
                at,
            } = self.happen();
            let comma = if index == 0 { "" } else { "," };
            let (kind, segment, verb) = (entity.0, entity.1, operation.1);
            _ = write!(
                body,
                r#"{comma}{{"specversion":"1.0","id":"{uuid}-{kind}-{id}","source":"intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=","type":"qbo.{segment}.{verb}.v1","datacontenttype":"application/json","time":"{at}","intuitentityid":"{id}","intuitaccountid":"{realm}","data":{{}}}}"#
            );
        }
        body.push(']');
        body
    }

    fn realm(&mut self) -> u64 {
        FIRST_REALM + self.chance.below(self.realms)
    }

    /// Something happens to one of a few hundred records, a moment after the last.
    fn happen(&mut self) -> Happening {
        self.events += 1;
        self.now = self.now.plus(Duration::from_millis(1));
        let pick = |chance: &mut Chance, count: usize| {
            usize::try_from(chance.below(count as u64)).unwrap_or(0)
        };
        let entity = ENTITIES.get(pick(&mut self.chance, ENTITIES.len()));
        let operation = OPERATIONS.get(pick(&mut self.chance, OPERATIONS.len()));
        Happening {
            entity: entity.copied().unwrap_or(("Customer", "customer")),
            operation: operation.copied().unwrap_or(("Update", "updated")),
            id: 1 + self.chance.below(400),
            at: self.now,
        }
    }
}

struct Happening {
    entity: (&'static str, &'static str),
    operation: (&'static str, &'static str),
    id: u64,
    at: Timestamp,
}

/// Chance from a seed (SplitMix64): not for secrets.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence that this seed gives.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound` (which is small, so that the skew of the remainder does not matter).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound.max(1)
    }

    /// Text in the shape of a random UUID.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.next_u64(), self.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Form, Item};
    use crate::wire;

    #[test]
    fn what_the_simulated_companies_send_is_understood_in_full() {
        for form in [PayloadForm::Cloudevents, PayloadForm::Legacy] {
            let mut companies = Companies::new(3, 7, Timestamp::from_ms(1_790_000_000_000));
            for events in [1, 20, 100] {
                let payload = companies.next_payload(form, events);
                let decoded = wire::decode(&payload.body, 10_000);
                let expected = match form {
                    PayloadForm::Legacy => Form::Legacy,
                    PayloadForm::Cloudevents | PayloadForm::Mixed => Form::CloudEvents,
                };
                assert_eq!(decoded.form, Some(expected));
                assert_eq!(decoded.items.len(), events);
                assert!(
                    decoded
                        .items
                        .iter()
                        .all(|item| matches!(item, Item::Notification(_)))
                );
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_payloads() {
        let start = Timestamp::from_ms(0);
        let take = |seed| Companies::new(2, seed, start).next_payload(PayloadForm::Mixed, 5);
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}
