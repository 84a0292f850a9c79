//! Telling the relay what happened: signed posts, with loss, repeats, delay and disorder as asked.
//!
//! Not here: signing and posting (`sender`). Promises: every change is accounted for: told and
//! acknowledged, lost on purpose, given up after the last attempt, or still waiting; a repeat is the
//! same body with the same event ids.

use super::options::Notify;
use crate::simulate::books::{Happening, Teller, pacific};
use crate::simulate::company::{Chance, PayloadForm};
use crate::simulate::sender::{RETRY_PAUSES, Sender};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Changes that may wait to be told.
const WAITING_MAX: usize = 100_000;

/// How long a change is held back at least, when it is to come out of order.
const HELD_BACK: Duration = Duration::from_millis(500);

/// What became of the changes so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct Notices {
    /// Changes that were to be told.
    pub happened: u64,
    /// Of these: lost on purpose.
    pub lost: u64,
    /// Of these: in a post that was answered 200.
    pub acknowledged: u64,
    /// Of these: in a post that was never answered 200.
    pub given_up: u64,
    /// Posts, repeats and repeated attempts included.
    pub posts: u64,
    /// Posts that were sent once more after they had been answered 200.
    pub repeated: u64,
    /// Posts that were not answered 200.
    pub refused: u64,
    /// The status of the last of them; `None`: no answer.
    pub refused_with: Option<u16>,
}

impl Notices {
    /// Changes whose fate is still open.
    pub const fn waiting(&self) -> u64 {
        self.happened - self.lost - self.acknowledged - self.given_up
    }
}

/// Puts what happened into the queue.
#[derive(Clone, Debug)]
pub(super) struct Herald {
    queue: mpsc::Sender<Happening>,
    notices: watch::Sender<Notices>,
}

impl Teller for Herald {
    fn tell(&self, happening: &Happening) {
        let is_full = self.queue.try_send(happening.clone()).is_err();
        self.notices.send_modify(|notices| {
            notices.happened += 1;
            notices.lost += u64::from(is_full);
        });
    }
}

/// A herald, and the task that does the telling.
pub(super) fn herald(
    notify: Notify,
    seed: u64,
) -> (
    Herald,
    watch::Receiver<Notices>,
    impl Future<Output = ()> + Send,
) {
    let (queue, happened) = mpsc::channel(WAITING_MAX);
    let (notices, seen) = watch::channel(Notices::default());
    let post = Post {
        sender: Sender::new(notify.url.clone(), notify.trust.clone()),
        notify,
        chance: Chance::new(seed ^ 0x7e11),
        notices: notices.clone(),
        waiting: BTreeMap::new(),
        number: 0,
    };
    (Herald { queue, notices }, seen, post.tell_all(happened))
}

/// The post office.
struct Post {
    sender: Sender,
    notify: Notify,
    chance: Chance,
    notices: watch::Sender<Notices>,
    /// By when they are due, and by number where that is the same.
    waiting: BTreeMap<(Instant, u64), Happening>,
    number: u64,
}

impl Post {
    async fn tell_all(mut self, mut happened: mpsc::Receiver<Happening>) {
        loop {
            let due = self.waiting.keys().next().map(|(due, _)| *due);
            tokio::select! {
                // What has happened is taken first, so that a burst becomes one post.
                biased;
                next = happened.recv() => match next {
                    Some(happening) => self.put(happening),
                    None => return,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let batch = self.take_due();
                    self.deliver(&batch).await;
                }
            }
        }
    }

    fn happens(&mut self, percent: u8) -> bool {
        self.chance.below(100) < u64::from(percent)
    }

    fn put(&mut self, happening: Happening) {
        if self.happens(self.notify.lose) {
            self.notices.send_modify(|notices| notices.lost += 1);
            return;
        }
        let delay_ms = u64::try_from(self.notify.delay.as_millis()).unwrap_or(u64::MAX);
        let mut delay = Duration::from_millis(self.chance.below(delay_ms.saturating_add(1)));
        if self.happens(self.notify.disorder) {
            delay += self.notify.delay.max(HELD_BACK);
        }
        self.number += 1;
        self.waiting
            .insert((Instant::now() + delay, self.number), happening);
    }

    /// What is due by now, as much as fits into a post. A legacy post is about one company.
    fn take_due(&mut self) -> Vec<Happening> {
        let now = Instant::now();
        let mut batch: Vec<Happening> = Vec::new();
        while batch.len() < self.notify.batch_max.max(1)
            && let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= now
        {
            let is_other = batch
                .first()
                .is_some_and(|first| first.realm != entry.get().realm);
            if is_other && self.notify.form != PayloadForm::Cloudevents {
                break;
            }
            batch.push(entry.remove());
        }
        batch
    }

    /// Posts until it is acknowledged or given up. What comes later waits, as at Intuit.
    async fn deliver(&mut self, batch: &[Happening]) {
        let form = match self.notify.form {
            PayloadForm::Mixed if self.notices.borrow().posts.is_multiple_of(2) => {
                PayloadForm::Legacy
            }
            PayloadForm::Mixed => PayloadForm::Cloudevents,
            form => form,
        };
        let body = payload(form, batch);
        let last = RETRY_PAUSES.last().copied().unwrap_or_default();
        let pauses = RETRY_PAUSES.into_iter().chain(std::iter::repeat(last));
        let mut pauses = pauses.take(usize::from(self.notify.retries));
        let count = batch.len() as u64;
        while !self.post(&body).await {
            let Some(pause) = pauses.next() else {
                self.notices
                    .send_modify(|notices| notices.given_up += count);
                return;
            };
            sleep(pause / self.notify.hurry.max(1)).await;
        }
        self.notices
            .send_modify(|notices| notices.acknowledged += count);
        if self.happens(self.notify.repeat) {
            self.post(&body).await;
            self.notices.send_modify(|notices| notices.repeated += 1);
        }
    }

    async fn post(&self, body: &[u8]) -> bool {
        let answer = self.sender.post(body, &self.notify.token).await;
        let is_success = answer.is_success();
        self.notices.send_modify(|notices| {
            notices.posts += 1;
            if !is_success {
                notices.refused += 1;
                notices.refused_with = answer.status.map(|status| status.as_u16());
            }
        });
        is_success
    }
}

/// The body of a notification about these, compact JSON as on the wire. A mixed form is the newer
/// one.
pub fn payload(form: PayloadForm, happenings: &[Happening]) -> Vec<u8> {
    match form {
        PayloadForm::Legacy => legacy(happenings),
        PayloadForm::Cloudevents | PayloadForm::Mixed => {
            let events: Vec<String> = happenings.iter().map(cloud_event).collect();
            format!("[{}]", events.join(","))
        }
    }
    .into_bytes()
}

/// An object whose keys are in this order, as Intuit writes them.
fn object(fields: &[(&str, Value)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn cloud_event(happening: &Happening) -> String {
    let (segment, verb) = (
        happening.kind.to_ascii_lowercase(),
        happening.deed.words().1,
    );
    let data = match &happening.deleted_id {
        Some(deleted) => json!({"deletedid": deleted}),
        None => json!({}),
    };
    let source = "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=";
    object(&[
        ("specversion", "1.0".into()),
        ("id", happening.event_id.as_str().into()),
        ("source", source.into()),
        ("type", format!("qbo.{segment}.{verb}.v1").into()),
        ("datacontenttype", "application/json".into()),
        ("time", event_time(happening).into()),
        ("intuitentityid", happening.id.as_str().into()),
        ("intuitaccountid", happening.realm.as_str().into()),
        ("data", data),
    ])
}

/// With 0, 2, 3 or 9 digits of the second, as seen; always the same for an event.
fn event_time(happening: &Happening) -> String {
    let text = happening.at.to_string();
    let (whole, digits) = text
        .strip_suffix('Z')
        .and_then(|text| text.split_once('.'))
        .unwrap_or((&text, "000"));
    match happening.event_id.bytes().next().unwrap_or_default() % 4 {
        0 => format!("{whole}Z"),
        1 => format!("{whole}.{}Z", digits.get(..2).unwrap_or("00")),
        2 => format!("{whole}.{digits}Z"),
        _ => format!("{whole}.{digits}851517Z"),
    }
}

fn legacy(happenings: &[Happening]) -> String {
    let mut companies: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for happening in happenings {
        let updated = match happening.event_id.bytes().next().unwrap_or_default() % 2 {
            0 => happening.at.to_string(),
            _ => pacific::without_colon(happening.at),
        };
        let mut entity = vec![
            ("name", happening.kind.into()),
            ("id", happening.id.as_str().into()),
            ("operation", happening.deed.words().0.into()),
            ("lastUpdated", updated.into()),
        ];
        if let Some(deleted) = &happening.deleted_id {
            entity.push(("deletedId", deleted.as_str().into()));
        }
        companies
            .entry(&happening.realm)
            .or_default()
            .push(object(&entity));
    }
    let notifications: Vec<String> = companies
        .into_iter()
        .map(|(realm, entities)| {
            let entities = entities.join(",");
            format!(r#"{{"realmId":"{realm}","dataChangeEvent":{{"entities":[{entities}]}}}}"#)
        })
        .collect();
    format!(r#"{{"eventNotifications":[{}]}}"#, notifications.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Item, Notification, Operation, Timestamp};
    use crate::simulate::books::{Change, Deed, Ledger, find, kinds};
    use crate::wire;

    fn happenings() -> Vec<Happening> {
        let now = Timestamp::from_ms(1_790_000_000_120);
        let mut ledger = Ledger::new("310687", 3, now);
        let mut chance = Chance::new(11);
        ledger.fill("Vendor", 2, now);
        let mut merge = Change::new("Vendor", Deed::Merge, Some("1"));
        merge.deleted_id = Some("2".into());
        let mut happenings = vec![ledger.apply(now, &merge).unwrap()];
        happenings.extend((0..400).map(|_| {
            let change = ledger.possible(&mut chance);
            ledger.apply(now, &change).unwrap()
        }));
        happenings
    }

    fn understood(form: PayloadForm, happenings: &[Happening]) -> Vec<Notification> {
        let decoded = wire::decode(&payload(form, happenings), 10_000);
        let notification = |item| match item {
            Item::Notification(notification) => notification,
            other @ Item::Unreadable(_) => panic!("{other:?}"),
        };
        decoded.items.into_iter().map(notification).collect()
    }

    #[test]
    fn what_is_told_is_understood_in_both_forms() {
        let happenings = happenings();
        for form in [PayloadForm::Cloudevents, PayloadForm::Legacy] {
            let notifications = understood(form, &happenings);
            assert_eq!(notifications.len(), happenings.len());
            for (notification, happening) in notifications.iter().zip(&happenings) {
                assert_eq!(notification.realm.as_str(), happening.realm);
                assert_eq!(notification.entity.kind, happening.kind);
                assert_eq!(notification.entity.id, happening.id);
                assert_eq!(notification.deleted_id, happening.deleted_id);
                let second = notification.happened.at.unwrap().as_seconds();
                assert_eq!(second, happening.at.as_seconds());
                let expected = match happening.deed {
                    Deed::Create => Operation::Create,
                    Deed::Update | Deed::Touch | Deed::Deactivate => Operation::Update,
                    Deed::Void => Operation::Void,
                    Deed::Delete => Operation::Delete,
                    Deed::Merge => Operation::Merge,
                    Deed::Email => Operation::Emailed,
                };
                assert_eq!(notification.operation, expected);
            }
        }
    }

    #[test]
    fn keys_are_in_the_order_of_intuits_samples() {
        let happening = &happenings()[..1];
        let text = |form| String::from_utf8(payload(form, happening)).unwrap();
        let places = |text: &str, keys: &[&str]| {
            let places = keys
                .iter()
                .map(|key| text.find(&format!("\"{key}\":")).unwrap());
            places.collect::<Vec<_>>()
        };
        let events = text(PayloadForm::Cloudevents);
        let event_keys = [
            "specversion",
            "id",
            "source",
            "type",
            "datacontenttype",
            "time",
            "intuitentityid",
            "intuitaccountid",
            "data",
            "deletedid",
        ];
        assert!(places(&events, &event_keys).is_sorted(), "{events}");
        let legacy = text(PayloadForm::Legacy);
        let legacy_keys = [
            "eventNotifications",
            "realmId",
            "dataChangeEvent",
            "entities",
            "name",
            "id",
            "operation",
            "lastUpdated",
            "deletedId",
        ];
        assert!(places(&legacy, &legacy_keys).is_sorted(), "{legacy}");
    }

    #[test]
    fn the_time_has_each_number_of_digits_that_was_seen() {
        let mut lengths: Vec<usize> = happenings()
            .iter()
            .map(|happening| event_time(happening).len())
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        assert_eq!(lengths, [20, 23, 24, 30]);
    }

    #[test]
    fn every_notified_kind_has_a_segment_that_the_relay_knows() {
        for facts in kinds().iter().filter(|facts| facts.notified) {
            let segment = facts.kind.to_ascii_lowercase();
            assert_eq!(wire::entity::kind(&segment), facts.kind);
            assert!(find(facts.kind).is_some());
        }
    }
}
