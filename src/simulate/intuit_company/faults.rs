//! What goes wrong at the simulated Intuit, switched on and off while it runs.

use super::calls::Call;
use crate::simulate::books::BooksClock;
use crate::simulate::company::Chance;
use serde::Deserialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Something that goes wrong.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// Too many calls, said in one of the ways that were recorded.
    Throttled {
        /// The way.
        #[serde(default)]
        shape: Shape,
    },
    /// The month's calls are used up: 429 without a code.
    CapReached,
    /// Any status, as a server or a proxy on the way would give it: 500 is a JSON fault of code
    /// 10000, others are pages.
    Status {
        /// The status.
        status: u16,
    },
    /// It takes longer; other rules apply besides.
    Latency {
        /// So long.
        ms: u64,
    },
    /// The connection breaks in the middle of the answer.
    Cut,
    /// All is done as asked, but no answer comes: a rotation that the client never hears of.
    AnswerLost,
    /// The status is 200, but a fault stands in the answer to a capture: in place of this kind's
    /// block, or of everything.
    FaultInside {
        /// The kind; none: everything.
        #[serde(default)]
        kind: Option<String>,
    },
    /// The company's subscription has lapsed (400, code 6190).
    Lapsed,
    /// The capture goes back too far (400).
    TooOld,
    /// The access token is no good (401, code 3200); the answer repeats it.
    Unauthorized,
    /// The company may not be read (403, code 3100).
    Forbidden,
    /// The record is not there (400, code 610).
    NotFound,
    /// The token endpoint does not take the grant.
    InvalidGrant,
    /// The token endpoint does not know the client.
    InvalidClient,
}

/// How a throttle fault is said.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// 429, JSON of the accounting service.
    #[default]
    #[serde(rename = "json-429")]
    Json429,
    /// 429, JSON of the gateway: lower case.
    #[serde(rename = "gateway-429")]
    Gateway429,
    /// 429, XML.
    #[serde(rename = "xml-429")]
    Xml429,
    /// 403, XML.
    #[serde(rename = "xml-403")]
    Xml403,
}

/// When something goes wrong.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Rule {
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
    /// Only for requests of this sort.
    #[serde(default)]
    pub call: Option<Call>,
    /// Only for this company.
    #[serde(default)]
    pub realm: Option<String>,
    /// So many such requests are let through first.
    #[serde(default)]
    pub skip: u32,
    /// How often; none: until it is cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// Of 100 such requests, so many.
    #[serde(default = "always")]
    pub percent: u8,
}

const fn always() -> u8 {
    100
}

impl Rule {
    /// Always, for everything.
    pub const fn new(fault: Fault) -> Self {
        Self {
            fault,
            call: None,
            realm: None,
            skip: 0,
            times: None,
            percent: 100,
        }
    }

    /// Only for requests of this sort.
    #[must_use]
    pub const fn on(mut self, call: Call) -> Self {
        self.call = Some(call);
        self
    }

    /// Only for this company.
    #[must_use]
    pub fn of(mut self, realm: &str) -> Self {
        self.realm = Some(realm.to_owned());
        self
    }

    /// Only after so many such requests.
    #[must_use]
    pub const fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// So often and no more.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Of 100 such requests, so many.
    #[must_use]
    pub const fn percent(mut self, percent: u8) -> Self {
        self.percent = percent;
        self
    }

    fn is_about(&self, call: Call, realm: Option<&str>) -> bool {
        self.call.is_none_or(|named| named == call)
            && (self.realm.is_none() || self.realm.as_deref() == realm)
    }
}

/// The switchboard.
#[derive(Debug)]
pub struct Faults {
    board: Mutex<Board>,
    clock: BooksClock,
}

#[derive(Debug)]
struct Board {
    rules: Vec<Rule>,
    fired: u64,
    lag: Duration,
    chance: Chance,
}

impl Faults {
    pub(super) fn new(seed: u64, clock: BooksClock) -> Self {
        let board = Board {
            rules: Vec::new(),
            fired: 0,
            lag: Duration::ZERO,
            chance: Chance::new(seed ^ 0xfa17),
        };
        Self {
            board: Mutex::new(board),
            clock,
        }
    }

    /// These and no others.
    pub fn set(&self, rules: Vec<Rule>) {
        self.board().rules = rules;
    }

    /// One more; of several that apply, the first counts.
    pub fn add(&self, rule: Rule) {
        self.board().rules.push(rule);
    }

    /// No rule, no skew, no lag.
    pub fn clear(&self) {
        self.set(Vec::new());
        self.set_skew_ms(0);
        self.set_lag(Duration::ZERO);
    }

    /// How often something went wrong so far.
    pub fn fired(&self) -> u64 {
        self.board().fired
    }

    /// QuickBooks's clock runs ahead by so much: the times in its records and answers, not the
    /// lifetimes of tokens.
    pub fn set_skew_ms(&self, ms: i64) {
        self.clock.set_skew(ms);
    }

    /// A change can be read only so long after it happened.
    pub fn set_lag(&self, lag: Duration) {
        self.board().lag = lag;
    }

    pub(super) fn lag(&self) -> Duration {
        self.board().lag
    }

    /// What is to go wrong with this request: how long it takes, and what comes instead of the
    /// answer or happens to it.
    pub(super) fn due(&self, call: Call, realm: Option<&str>) -> (Duration, Option<Fault>) {
        let mut board = self.board();
        let Board {
            rules,
            fired,
            chance,
            ..
        } = &mut *board;
        let mut latency = Duration::ZERO;
        for rule in rules.iter_mut().filter(|rule| rule.is_about(call, realm)) {
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if rule.times == Some(0) || chance.below(100) >= u64::from(rule.percent) {
                continue;
            }
            rule.times = rule.times.map(|times| times - 1);
            *fired += 1;
            match &rule.fault {
                Fault::Latency { ms } => latency += Duration::from_millis(*ms),
                fault => return (latency, Some(fault.clone())),
            }
        }
        (latency, None)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::System;
    use std::sync::Arc;

    fn faults() -> Faults {
        Faults::new(1, BooksClock::new(Arc::new(System)))
    }

    fn status(status: u16) -> Fault {
        Fault::Status { status }
    }

    #[test]
    fn a_rule_fires_where_when_and_as_often_as_it_says() {
        let faults = faults();
        faults.add(
            Rule::new(status(503))
                .on(Call::Capture)
                .of("1")
                .after(1)
                .times(2),
        );
        let due = |call, realm| faults.due(call, realm).1;
        assert_eq!(due(Call::Query, Some("1")), None);
        assert_eq!(due(Call::Capture, Some("2")), None);
        assert_eq!(due(Call::Capture, None), None);
        let fired = [(); 4].map(|()| due(Call::Capture, Some("1")).is_some());
        assert_eq!(fired, [false, true, true, false]);
        assert_eq!(faults.fired(), 2);
    }

    #[test]
    fn latency_adds_up_and_the_first_other_rule_counts() {
        let faults = faults();
        faults.set(vec![
            Rule::new(Fault::Latency { ms: 20 }),
            Rule::new(Fault::Latency { ms: 30 }).on(Call::Refresh),
            Rule::new(Fault::Cut),
            Rule::new(status(500)),
        ]);
        assert_eq!(
            faults.due(Call::Refresh, None),
            (Duration::from_millis(50), Some(Fault::Cut))
        );
        faults.clear();
        assert_eq!(faults.due(Call::Refresh, None), (Duration::ZERO, None));
    }

    #[test]
    fn rules_are_read_from_json() {
        let read = |text: &str| serde_json::from_str::<Rule>(text).unwrap();
        assert_eq!(
            read(r#"{"fault":"throttled","shape":"xml-403","call":"capture","times":2}"#),
            Rule::new(Fault::Throttled {
                shape: Shape::Xml403
            })
            .on(Call::Capture)
            .times(2)
        );
        assert_eq!(
            read(r#"{"fault":"fault-inside","kind":"Invoice","percent":50,"realm":"1"}"#),
            Rule::new(Fault::FaultInside {
                kind: Some("Invoice".into())
            })
            .of("1")
            .percent(50)
        );
        assert_eq!(
            read(r#"{"fault":"answer-lost"}"#),
            Rule::new(Fault::AnswerLost)
        );
        assert!(serde_json::from_str::<Rule>(r#"{"fault":"earthquake"}"#).is_err());
    }
}
