//! The facts that all pages are made of, and their JSON form.

use crate::model::{
    CompanyHealth, Condition, Health, JournalHealth, SinkCount, Standing, Tally, Timestamp, Trouble,
};
use crate::wire::servicestack::metadata::Metadata;
use serde_json::{Map, Value, json};
use std::future::Future;

/// How the relay is at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The moment, by the wall clock.
    pub at: Timestamp,
    /// The facts.
    pub health: Health,
    /// What they amount to.
    pub condition: Condition,
    /// What the lamp shows then.
    pub lamp: String,
    /// The same in a sentence for a person.
    pub sentence: String,
}

/// Something that knows how the relay is.
pub trait Observe: Send + Sync + 'static {
    /// How it is now.
    fn observe(&self) -> impl Future<Output = Report> + Send;

    /// What is told of the original listener's operation and its types; `None` where that face is
    /// switched off.
    fn metadata(&self) -> Option<&Metadata> {
        None
    }
}

/// The body of `/status`.
pub(super) fn encode(report: &Report, tally: &Tally) -> String {
    let health = &report.health;
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let trouble = |trouble: &Trouble| {
        json!({
            "sink": trouble.sink.as_str(),
            "disabled": trouble.disabled,
            "since": time(trouble.since),
            "failure": trouble.failure,
            "waiting": trouble.waiting,
            "next_attempt_at": time(trouble.next_attempt_at),
        })
    };
    let counters = tally.entries().into_iter();
    let counters = counters.map(|(name, _, value)| (name.to_owned(), Value::from(value)));
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "at": report.at.to_string(),
        "condition": report.condition.as_str(),
        "sentence": report.sentence,
        "lamp": report.lamp,
        "started": health.started,
        "journal": journal(health.journal),
        "companies": health.companies,
        "waiting": health.waiting,
        "dead_letters": health.dead_letters,
        "dead_letters_by_sink": health.dead_by_sink.iter().map(of_sink).collect::<Vec<_>>(),
        "parked": health.parked.iter().map(of_sink).collect::<Vec<_>>(),
        "unreadable": health.unreadable,
        "refused_changes": health.refused.changes,
        "companies_over_limit": health.refused.over_limit,
        "journals_set_aside": health.journals_set_aside,
        "notices": health.notices,
        "last_notification_at": time(health.last_receipt_at),
        "clock": health.device.clock.as_str(),
        "lamp_trouble": health.device.lamp_trouble,
        "stalled": health.device.stalled,
        "import_refused": health.device.import_refused,
        "reload_refused": health.device.reload_refused,
        "misdirected": health.misdirected.iter().map(|posts| json!({
            "verifier": posts.verifier,
            "path": posts.path,
            "count": posts.count,
            "since": posts.since.to_string(),
        })).collect::<Vec<_>>(),
        "certificate_seconds_left": health.certificate_left.map(|left| left.as_secs()),
        "companies_read": health.books.iter().map(company).collect::<Vec<_>>(),
        "instances": {
            "made": health.instances.made,
            "switched_off": health.instances.switched_off,
            "paused": health.instances.paused,
            "polls_stopped": health.instances.polls_stopped,
        },
        "sinks_in_trouble": health.troubles.iter().map(trouble).collect::<Vec<_>>(),
        "counters": counters.collect::<Map<_, _>>(),
    });
    format!("{status:#}\n")
}

/// A count that concerns a sink.
fn of_sink(count: &SinkCount) -> Value {
    json!({
        "sink": count.sink.as_str(),
        "configured": count.is_configured,
        "count": count.count,
    })
}

/// How the reading of a company goes.
fn company(company: &CompanyHealth) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let hindrance = company.hindrance.as_ref().map(|hindrance| {
        json!({
            "kind": hindrance.kind.as_str(),
            "since": hindrance.since.to_string(),
            "why": hindrance.why,
            "until": time(hindrance.until),
        })
    });
    let why = match &company.standing {
        Standing::NeedsAuthorization { why } => Some(why),
        Standing::Connected | Standing::AwaitsApproval | Standing::Disconnected => None,
    };
    json!({
        "realm": company.realm.as_str(),
        "app": company.app.as_str(),
        "environment": company.environment.as_str(),
        "standing": company.standing.as_str(),
        "why": why,
        "last_success_at": time(company.last_success_at),
        "hindrance": hindrance,
        "budget_percent": company.budget_percent,
        "authorization_ends": time(company.soonest_end.map(|(_, at)| at)),
        "kinds_refused": company.unreadable_kinds,
        "records_skipped": company.skipped_records,
        "polling_stopped": company.polling_stopped.as_ref().map(|(since, why)| json!({
            "since": since.to_string(),
            "why": why,
        })),
        "unreconciled": company.unreconciled,
    })
}

/// The word for the journal's state.
pub(super) fn journal(health: JournalHealth) -> &'static str {
    match health {
        JournalHealth::Working => "working",
        JournalHealth::Full => "full",
        JournalHealth::Held => "held",
        JournalHealth::Slow => "slow",
        JournalHealth::Broken => "broken",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{Device, InstanceCounts, Refusals, SinkName};
    use std::time::Duration;

    /// A relay with one sink in trouble, whose last answer was hostile.
    pub(in super::super) fn troubled() -> Report {
        let at = Timestamp::from_ms(1_795_237_475_120);
        Report {
            at,
            health: Health {
                started: true,
                journal: JournalHealth::Working,
                companies: 3,
                waiting: 12,
                dead_letters: 1,
                dead_by_sink: Vec::new(),
                parked: Vec::new(),
                unreadable: 2,
                refused: Refusals::default(),
                journals_set_aside: 0,
                notices: Vec::new(),
                last_receipt_at: Some(at.minus(Duration::from_secs(12))),
                troubles: vec![Trouble {
                    sink: SinkName::new("erp").unwrap(),
                    disabled: false,
                    since: Some(at.minus(Duration::from_secs(3_600))),
                    failure: "it said <b>\"no\"</b> & hung up".into(),
                    waiting: 12,
                    next_attempt_at: Some(at.plus(Duration::from_secs(60))),
                }],
                certificate_left: Some(Duration::from_secs(61 * 86_400)),
                books: Vec::new(),
                instances: InstanceCounts::default(),
                misdirected: Vec::new(),
                device: Device::default(),
            },
            condition: Condition::Blocked,
            lamp: "3 short flashes every 3 s".into(),
            sentence: "serving - cannot deliver to erp".into(),
        }
    }

    #[test]
    fn the_status_has_every_fact_and_every_counter() {
        let tally = Tally::default();
        tally.deliveries_kept.add(7);
        let status: Value = serde_json::from_str(&encode(&troubled(), &tally)).unwrap();
        assert_eq!(status["condition"], "blocked");
        assert_eq!(status["waiting"], 12);
        assert_eq!(status["journal"], "working");
        assert_eq!(status["last_notification_at"], "2026-11-21T05:04:23.120Z");
        assert_eq!(status["certificate_seconds_left"], 61 * 86_400);
        assert_eq!(status["sinks_in_trouble"][0]["sink"], "erp");
        assert_eq!(status["counters"]["deliveries_kept"], 7);
        let names = status["counters"].as_object().unwrap().len();
        assert_eq!(names, tally.entries().len());
    }
}
