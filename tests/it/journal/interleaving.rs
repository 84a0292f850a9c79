//! One record, its changes, its notifications in any order and number, and readings in between:
//! its last state is told, no state twice, and order goes backwards only with the mark.

use super::child::faults;
use super::readings::*;
use super::support::*;
use proptest::prelude::*;
use qbo_relay::journal::Journal;
use qbo_relay::model::{Change, Notification, Operation, Origin, Purpose, Record, RecordState};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Something happens to the record so many seconds after the last thing.
    Happen(Deed, i64),
    /// One of the notifications so far is delivered, for the first time or again.
    Deliver(usize),
    /// The record is read because of notifications.
    Read,
    /// The record is read by a sweep.
    Sweep,
    /// The relay is restarted.
    Restart,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Update,
    /// Another record that it is linked with changed: a new time, the same token.
    Touch,
    Void,
    Delete,
    /// It is sent, which changes it too: `EmailStatus` and `DeliveryInfo`.
    Email,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let deed = prop_oneof![
        6 => Just(Deed::Update),
        2 => Just(Deed::Touch),
        1 => Just(Deed::Void),
        1 => Just(Deed::Delete),
        1 => Just(Deed::Email),
    ];
    let step = prop_oneof![
        6 => (deed, 0..3_i64).prop_map(|(deed, later)| Step::Happen(deed, later)),
        6 => any::<usize>().prop_map(Step::Deliver),
        3 => Just(Step::Read),
        2 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..24)
}

/// The record in QuickBooks.
struct Truth {
    record: Record,
    second: i64,
    token: u64,
    said: Vec<Notification>,
    /// How much happened to the record itself in each second.
    deeds: BTreeMap<i64, usize>,
}

impl Truth {
    fn new() -> Self {
        Self {
            record: invoice("130", 0, -10),
            second: 10,
            token: 0,
            said: Vec::new(),
            deeds: BTreeMap::new(),
        }
    }

    fn happen(&mut self, deed: Deed, later: i64) {
        self.second += later;
        let state = self.record.state;
        let (operation, state) = match deed {
            // Nothing more happens to what is gone.
            _ if state == RecordState::Deleted => return,
            Deed::Void if state == RecordState::Voided => return,
            Deed::Update | Deed::Touch => (Operation::Update, state),
            Deed::Void => (Operation::Void, RecordState::Voided),
            Deed::Delete => (Operation::Delete, RecordState::Deleted),
            Deed::Email => (Operation::Emailed, state),
        };
        let number = 100 + u64::try_from(self.said.len()).unwrap();
        self.said.push(about(number, "130", operation, self.second));
        self.token += u64::from(deed != Deed::Touch);
        *self.deeds.entry(self.second).or_default() += 1;
        self.record = match state {
            RecordState::Deleted => tombstone("130", self.second),
            state => Record {
                state,
                ..invoice("130", self.token, self.second)
            },
        };
    }

    async fn live(&mut self, journal: &Journal, step: Step) {
        match step {
            Step::Happen(deed, later) => self.happen(deed, later),
            Step::Deliver(which) if !self.said.is_empty() => {
                let notification = self.said[which % self.said.len()].clone();
                let delivery = delivery_of(vec![notification], 1000);
                journal.append(delivery).await.unwrap();
            }
            Step::Read => drop(read(journal, vec![self.record.clone()]).await),
            Step::Sweep => {
                let sweep = reading(Purpose::Sweep, vec![self.record.clone()]);
                journal.reconcile(sweep).await.unwrap();
            }
            Step::Deliver(_) | Step::Restart => {}
        }
    }

    fn require(&self, told: &[Change]) {
        let second_of = |change: &Change| {
            let happened = change.notification.happened.at.unwrap();
            happened.as_seconds() - START.as_seconds()
        };
        let mut newest = i64::MIN;
        let mut told_at: BTreeSet<i64> = BTreeSet::new();
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for change in told {
            let second = second_of(change);
            assert!(
                second >= newest || change.late,
                "back to {second} from {newest}"
            );
            newest = newest.max(second);
            told_at.insert(second);
            // No reading can say this one, so it leaves beside what a reading said.
            if change.notification.operation != Operation::Emailed {
                *counts.entry(second).or_default() += 1;
            }
        }
        for (second, count) in &counts {
            let happened = self.deeds.get(second).copied().unwrap_or(0);
            assert!(
                *count <= happened,
                "{count} told of {happened} in second {second}"
            );
        }
        if let Some((last, _)) = self.deeds.last_key_value() {
            assert!(told_at.contains(last), "second {last} was not told");
        }
        let is_deletion = |change: &&Change| change.notification.operation == Operation::Delete;
        let deleted = usize::from(self.record.state == RecordState::Deleted);
        assert_eq!(
            told.iter().filter(is_deletion).count(),
            deleted,
            "deletions"
        );
        let ids: BTreeSet<&str> = told.iter().map(|change| change.id.0.as_str()).collect();
        assert_eq!(ids.len(), told.len(), "an id left twice");
    }
}

async fn all_told(steps: &[Step]) -> (Truth, Vec<Change>) {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = open(directory.path());
    connect(&journal, "1").await;
    let mut truth = Truth::new();
    for step in steps {
        if matches!(step, Step::Restart) {
            journal.close().await.unwrap();
            journal = open(directory.path());
        }
        truth.live(&journal, *step).await;
    }
    truth.live(&journal, Step::Sweep).await;
    let view = journal.lane_view(&lane("erp", "1"), MANY).await.unwrap();
    (truth, view.head)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(u32::try_from(faults(48)).unwrap()))]

    #[test]
    fn the_last_state_is_told_and_none_twice_in_whatever_order_it_comes(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (truth, told) = runtime.block_on(all_told(&steps));
        truth.require(&told);
    }
}

#[tokio::test]
async fn with_every_notification_in_order_nothing_is_left_for_readings_to_tell() {
    let mut steps = Vec::new();
    for (number, deed) in [
        Deed::Update,
        Deed::Email,
        Deed::Update,
        Deed::Void,
        Deed::Delete,
    ]
    .into_iter()
    .enumerate()
    {
        steps.push(Step::Happen(deed, i64::try_from(number % 2).unwrap()));
        steps.push(Step::Deliver(number));
        steps.push(Step::Read);
        steps.push(Step::Sweep);
    }
    let (truth, told) = all_told(&steps).await;
    assert_eq!(told.len(), truth.said.len());
    assert!(
        told.iter()
            .all(|change| change.origin == Origin::Webhook && !change.late)
    );
}
