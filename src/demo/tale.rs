//! The demo's story: what is sent, what is to be seen, and what it comes to.

use super::receiver::{Event, Received};
use super::samples::{MALFORMED, SAMPLES, Sample};
use super::stage::Stage;
use super::{Mishap, lamp};
use crate::clock::{Clock, System};
use crate::model::{Condition, Secret};
use crate::rules;
use crate::simulate::company::{Companies, PayloadForm};
use crate::simulate::sender::{Answer, Sender};
use crate::terminal::{Tint, say, tinted};
use http::StatusCode;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long the demo waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// The story so far.
pub(super) struct Tale<'a> {
    pub(super) stage: &'a Stage,
    sender: Sender,
    companies: Companies,
    pub(super) expected_events: usize,
    /// Whether the company was read as it should be.
    pub(super) are_books_good: bool,
    shown_events: usize,
    answers: Vec<Duration>,
    posts: usize,
    surprises: usize,
    first: Vec<u8>,
}

impl<'a> Tale<'a> {
    pub(super) fn new(stage: &'a Stage) -> Result<Self, Mishap> {
        Ok(Self {
            sender: stage.intuit()?,
            stage,
            companies: Companies::new(3, 2026, System.now()),
            expected_events: 0,
            are_books_good: false,
            shown_events: 0,
            answers: Vec::new(),
            posts: 0,
            surprises: 0,
            first: Vec::new(),
        })
    }

    /// Intuit's own samples, one change each.
    pub(super) async fn samples(&mut self) -> Result<(), Mishap> {
        say(tinted(Tint::Bold, "Intuit posts its published samples"));
        for Sample { title, body } in SAMPLES {
            self.post(title, body.as_bytes(), 1).await;
            self.show_arrivals().await?;
        }
        self.first = SAMPLES
            .first()
            .map(|sample| sample.body.as_bytes().to_vec())
            .unwrap_or_default();
        self.show_lamp(Condition::Delivered).await
    }

    /// Batches of several companies, in both forms.
    pub(super) async fn generated(&mut self) -> Result<(), Mishap> {
        say(tinted(
            Tint::Bold,
            "Batches: three simulated companies, both payload forms",
        ));
        for (title, form, events) in [
            (
                "CloudEvents: 20 changes of several companies",
                PayloadForm::Cloudevents,
                20,
            ),
            ("legacy: 5 changes of one company", PayloadForm::Legacy, 5),
            (
                "CloudEvents: 100 changes in one body",
                PayloadForm::Cloudevents,
                100,
            ),
        ] {
            let payload = self.companies.next_payload(form, events);
            self.post(title, &payload.body, events).await;
        }
        self.count_arrivals().await
    }

    /// What must not do harm: a repeat, a forgery, nonsense.
    pub(super) async fn trouble(&mut self) -> Result<(), Mishap> {
        say(tinted(Tint::Bold, "Trouble"));
        let first = self.first.clone();
        self.post(
            "the first sample once more: a repeat leaves once",
            &first,
            0,
        )
        .await;
        let forger = Secret::new(&b"not the verifier token"[..]);
        let answer = self.sender.post(&first, &forger).await;
        self.tell(
            "a forged signature is refused, nothing is stored",
            &first,
            &answer,
            StatusCode::FORBIDDEN,
        );
        self.post(MALFORMED.title, MALFORMED.body.as_bytes(), 0)
            .await;
        say(format_args!(
            "  {}",
            tinted(
                Tint::Dim,
                "kept, shown and acknowledged: a refusal would stop the feed"
            )
        ));
        say("");
        Ok(())
    }

    /// The receiver is away for a moment.
    pub(super) async fn outage(&mut self) -> Result<(), Mishap> {
        say(tinted(
            Tint::Bold,
            "The receiver goes down; Intuit does not notice",
        ));
        self.stage.receiver.switch(false);
        for _ in 0..3 {
            let payload = self.companies.next_payload(PayloadForm::Cloudevents, 2);
            self.post("CloudEvents: 2 changes", &payload.body, 2).await;
        }
        self.show_lamp(Condition::Blocked).await?;
        say(tinted(Tint::Bold, "The receiver is back"));
        self.stage.receiver.switch(true);
        self.count_arrivals().await?;
        self.show_lamp(Condition::Delivered).await
    }

    /// The account; whether it is good.
    pub(super) fn summary(&mut self) -> bool {
        let received = self.stage.receiver.received().borrow().clone();
        let order = Order::of(&received.events);
        self.answers.sort_unstable();
        let half = self
            .answers
            .get(self.answers.len() / 2)
            .copied()
            .unwrap_or_default();
        let longest = self.answers.last().copied().unwrap_or_default();
        let arrived = received.events.len();
        let good = self.surprises == 0
            && arrived == self.expected_events
            && received.unsigned == 0
            && order.gapless
            && self.are_books_good;
        say(tinted(Tint::Bold, "Summary"));
        say(format_args!(
            "  {} posts, every answer as expected: {}",
            self.posts,
            yes(self.surprises == 0)
        ));
        say(format_args!(
            "  acknowledged only when on disk: half within {}, longest {} (Intuit waits 3 s)",
            ms(half),
            ms(longest)
        ));
        say(format_args!(
            "  {arrived} of {} changes arrived, each signature verified by the receiver: {}",
            self.expected_events,
            yes(arrived == self.expected_events && received.unsigned == 0)
        ));
        say(format_args!(
            "  in order and without a gap for each of {} companies: {}",
            order.companies,
            yes(order.gapless)
        ));
        say(format_args!(
            "  every change of the company that is read came with its record, the lost one too: {}",
            yes(self.are_books_good)
        ));
        say(format_args!(
            "  while the receiver was down it turned away {} attempts; nothing was lost",
            received.turned_away
        ));
        good
    }

    /// A body that a person can post by hand.
    pub(super) fn sample(&self) -> &[u8] {
        &self.first
    }

    pub(super) async fn post(&mut self, title: &str, body: &[u8], events: usize) {
        let answer = self.sender.post(body, &self.stage.token).await;
        if answer.is_success() {
            self.answers.push(answer.took);
        }
        self.expected_events += events;
        self.tell(title, body, &answer, StatusCode::OK);
    }

    fn tell(&mut self, title: &str, body: &[u8], answer: &Answer, expected: StatusCode) {
        self.posts += 1;
        let as_expected = answer.status == Some(expected);
        if !as_expected {
            self.surprises += 1;
        }
        let status = answer.status.map_or_else(
            || answer.fault.clone().unwrap_or_default(),
            |status| status.as_u16().to_string(),
        );
        let tint = if as_expected { Tint::Green } else { Tint::Red };
        say(format_args!(
            "  → {title:<50} {:>6} B   {} in {}",
            body.len(),
            tinted(tint, status),
            ms(answer.took)
        ));
    }

    /// Waits for what was sent to arrive, and shows it one by one.
    pub(super) async fn show_arrivals(&mut self) -> Result<(), Mishap> {
        let received = self.arrivals().await?;
        for event in received.events.iter().skip(self.shown_events) {
            say(format_args!(
                "      ← {:<28} {:<18} company {:<17} no. {}  {}",
                event.kind,
                event.subject,
                event.realmid,
                event.sequence.trim_start_matches('0'),
                tinted(Tint::Green, "signature ok")
            ));
            if let Some(record) = &event.data.record {
                show_record(event, record);
            }
        }
        self.shown_events = received.events.len();
        Ok(())
    }

    /// Waits for what was sent to arrive, and counts it.
    async fn count_arrivals(&mut self) -> Result<(), Mishap> {
        let received = self.arrivals().await?;
        let mut companies: BTreeMap<&str, usize> = BTreeMap::new();
        for event in received.events.iter().skip(self.shown_events) {
            *companies.entry(event.realmid.as_str()).or_default() += 1;
        }
        for (company, count) in companies {
            say(format_args!(
                "      ← {count:>3} changes of company {company:<17} in order  {}",
                tinted(Tint::Green, "signatures ok")
            ));
        }
        self.shown_events = received.events.len();
        say("");
        Ok(())
    }

    async fn arrivals(&self) -> Result<Received, Mishap> {
        let mut received = self.stage.receiver.received();
        let all = received.wait_for(|received| received.events.len() >= self.expected_events);
        match tokio::time::timeout(PATIENCE, all).await {
            Ok(all) => Ok(all?.clone()),
            Err(_) => Err(format!(
                "not all of {} changes arrived within 30 s",
                self.expected_events
            )
            .into()),
        }
    }

    /// Waits until the relay is in this condition, and draws what its lamp shows then.
    async fn show_lamp(&self, condition: Condition) -> Result<(), Mishap> {
        let began = Instant::now();
        let mut health = self.stage.health();
        let reached = health.wait_for(|health| rules::health::condition(health) == condition);
        tokio::time::timeout(PATIENCE, reached)
            .await
            .map_err(|_| {
                format!(
                    "the lamp did not show {condition:?} within {} s",
                    began.elapsed().as_secs()
                )
            })??;
        let pattern = rules::led::pattern(condition);
        say(format_args!(
            "  lamp  {}  {}",
            tinted(Tint::Yellow, lamp::drawn(pattern)),
            pattern.describe()
        ));
        say("");
        Ok(())
    }
}

/// What was fetched for an event.
fn show_record(event: &Event, record: &str) {
    let fields: BTreeMap<&str, &RawValue> = serde_json::from_str(record).unwrap_or_default();
    let shown: Vec<String> = ["SyncToken", "TotalAmt"]
        .into_iter()
        .filter_map(|name| Some(format!("{name} {}", fields.get(name)?)))
        .collect();
    let how = match event.origin.as_str() {
        "webhook" => "its record, fetched",
        _ => "nobody had notified it; Capture found it",
    };
    say(format_args!("          {how}: {}", shown.join(", ")));
}

struct Order {
    companies: usize,
    gapless: bool,
}

impl Order {
    fn of(events: &[Event]) -> Self {
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        let mut gapless = true;
        for event in events {
            let number = event.sequence.parse().unwrap_or(0);
            let before = last.insert(&event.realmid, number).unwrap_or(0);
            gapless &= number == before + 1;
        }
        Self {
            companies: last.len(),
            gapless,
        }
    }
}

fn yes(good: bool) -> String {
    if good {
        tinted(Tint::Green, "yes")
    } else {
        tinted(Tint::Red, "NO")
    }
}

fn ms(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}
