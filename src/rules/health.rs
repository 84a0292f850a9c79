//! From the facts to one condition, and to one sentence that a person understands.
//!
//! The lamp, `systemctl status`, the status page and `status` all say the same, because all ask here.

use super::{books, span};
use crate::model::{
    ClockTrust, Condition, Health, INSTANCE_SINK, JournalHealth, Timestamp, Trouble,
};
use std::time::Duration;

/// A certificate with less time left than this needs a person.
pub const CERTIFICATE_NEAR: Duration = Duration::from_secs(14 * 86_400);

/// How the relay is: the gravest condition that holds.
pub fn condition(health: &Health) -> Condition {
    let switched_off = health.troubles.iter().any(|trouble| trouble.disabled);
    let holds = |condition| match condition {
        Condition::Delivered => true,
        Condition::Backlog => health.waiting > 0,
        Condition::Starting => !health.started || health.device.clock == ClockTrust::Waiting,
        Condition::Blocked => !health.troubles.is_empty(),
        Condition::Attention => {
            let lost = health.journals_set_aside > 0
                || !health.notices.is_empty()
                || health.dead_letters > 0;
            let device = &health.device;
            let refused = device.import_refused || device.reload_refused.is_some();
            let odd = refused || device.clock == ClockTrust::Wrong;
            let call = books::is_calling(&health.books)
                || !health.misdirected.is_empty()
                || health.refused.over_limit.is_some();
            switched_off || lost || odd || call || certificate_near(health).is_some()
        }
        Condition::Refusing => {
            health.journal != JournalHealth::Working || !health.device.stalled.is_empty()
        }
    };
    let gravest = Condition::ALL.into_iter().rev().find(|c| holds(*c));
    gravest.unwrap_or(Condition::Delivered)
}

/// All of it in one sentence, the worst first:
/// `serving - 3 companies - last notification 12 s ago - 0 waiting - certificate 61 days`.
pub fn sentence(health: &Health, now: Timestamp) -> String {
    let last = match health.last_receipt_at {
        Some(at) => format!("last notification {} ago", span::text(now.since(at))),
        None => "no notification yet".into(),
    };
    let companies = match health.companies {
        1 => "1 company".into(),
        count => format!("{count} companies"),
    };
    let dead = match health.dead_letters {
        0 => None,
        1 => Some("1 dead letter".into()),
        count => Some(format!("{count} dead letters")),
    };
    let unreadable = match health.unreadable {
        0 => None,
        count => Some(format!("{count} not understood")),
    };
    let certificate = health.certificate_left.map(|left| match left {
        Duration::ZERO => "certificate ended".into(),
        left => format!("certificate {}", span::text(left)),
    });
    let parts = [
        Some(headline(health, now)),
        Some(companies),
        Some(last),
        Some(format!("{} waiting", health.waiting)),
        dead,
        unreadable,
        books::remark(&health.books, now),
        certificate,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" - ")
}

fn headline(health: &Health, now: Timestamp) -> String {
    match condition(health) {
        Condition::Delivered | Condition::Backlog => "serving".into(),
        Condition::Starting if health.started => {
            "receiving, but nobody has set the clock yet; what needs the time waits".into()
        }
        Condition::Starting => "starting".into(),
        Condition::Blocked => blocked(health, now),
        Condition::Attention => attention(health, now),
        Condition::Refusing => match (health.device.stalled.as_slice(), health.journal.trouble()) {
            ([], Some(trouble)) => format!("not accepting: {trouble}"),
            // A part that stands still ends in a restart, and comes before what it has caused.
            (stalled, _) => format!("stalled: no progress of {}", stalled.join(", ")),
        },
    }
}

/// What a person is needed for, the most pressing first.
fn attention(health: &Health, now: Timestamp) -> String {
    match certificate_near(health) {
        Some(Duration::ZERO) => return "serving, but the certificate has ended".into(),
        Some(left) => return format!("serving, but the certificate ends in {}", span::text(left)),
        None => {}
    }
    if health.device.clock == ClockTrust::Wrong {
        return "serving, but the clock is wrong: set it, or let the machine reach a time server"
            .into();
    }
    if health.device.import_refused {
        return "serving, but the configuration on the boot partition was refused; qbo-relay-result.txt there says why".into();
    }
    if health.device.reload_refused.is_some() {
        return "serving, but the last reload was refused: what was before stays; `qbo-relay check` says why".into();
    }
    if let Some(posts) = health.misdirected.first() {
        let path = &posts.path;
        return format!(
            "serving, but Intuit posts to {path}, which is not configured: add it to [listen] paths, or correct the address at Intuit"
        );
    }
    if let Some(call) = books::call(&health.books, now) {
        return format!("serving, but {call}");
    }
    if let Some(notice) = health.notices.last() {
        return format!("serving, but {notice}");
    }
    if let Some(max) = health.refused.over_limit {
        return format!(
            "serving, but new companies are refused: there are {max} already; raise companies_max of [journal], or forget some"
        );
    }
    if health.journals_set_aside > 0 {
        return "serving, but a damaged journal was set aside".into();
    }
    if health.troubles.is_empty() {
        return given_up(health);
    }
    blocked(health, now)
}

/// What was given up, by the sink that has most of it.
fn given_up(health: &Health) -> String {
    let Some(most) = health.dead_by_sink.iter().max_by_key(|sink| sink.count) else {
        return "serving, but changes were given up".into();
    };
    let away = match most.is_configured {
        true => "",
        false => ", which is not configured any more,",
    };
    let others = match health.dead_by_sink.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    format!(
        "serving, but {} changes for {}{away}{others} were given up; see `qbo-relay dead-letter list`",
        most.count, most.sink
    )
}

/// The worst trouble of a sink: one that waits for a person first, then the oldest.
fn blocked(health: &Health, now: Timestamp) -> String {
    let gravity = |trouble: &&Trouble| (!trouble.disabled, trouble.since.is_none(), trouble.since);
    let Some(worst) = health.troubles.iter().min_by_key(gravity) else {
        return "serving".into();
    };
    let since = worst
        .since
        .map_or_else(String::new, |at| format!(" since {} UTC", clock(at, now)));
    let name = worst.sink.as_str();
    let instance = name.strip_prefix(INSTANCE_SINK);
    let who = instance.map_or_else(|| name.to_owned(), |number| format!("instance {number}"));
    let next = match (worst.disabled, worst.next_attempt_at) {
        (true, _) if instance.is_some() => ", paused until it is sent again".into(),
        (true, _) => ", switched off until it is enabled".into(),
        (false, Some(at)) => format!(", next try {}", clock(at, now)),
        (false, None) => String::new(),
    };
    let others = match health.troubles.len() {
        0 | 1 => String::new(),
        count => format!(", and {} more in trouble", count - 1),
    };
    format!(
        "storing, but {who} {}{since}, {} waiting{next}{others}",
        worst.failure, worst.waiting
    )
}

/// The time left of a certificate that needs a person.
fn certificate_near(health: &Health) -> Option<Duration> {
    health
        .certificate_left
        .filter(|left| *left < CERTIFICATE_NEAR)
}

/// Hours and minutes in UTC; with the date when it is more than half a day from now.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let far = at.since(now).max(now.since(at)) > Duration::from_secs(12 * 3_600);
    let form = if far { "%Y-%m-%d %H:%M" } else { "%H:%M" };
    match jiff::Timestamp::from_millisecond(at.as_ms()) {
        Ok(instant) => instant.strftime(form).to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Device, InstanceCounts, Refusals, SinkName};
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// 2026-11-21T09:14:00Z
    const NOW: Timestamp = Timestamp::from_ms(1_795_252_440_000);

    fn healthy() -> Health {
        Health {
            started: true,
            journal: JournalHealth::Working,
            companies: 3,
            waiting: 0,
            dead_letters: 0,
            dead_by_sink: Vec::new(),
            parked: Vec::new(),
            unreadable: 0,
            refused: Refusals::default(),
            journals_set_aside: 0,
            notices: Vec::new(),
            last_receipt_at: Some(NOW.minus(Duration::from_secs(12))),
            troubles: Vec::new(),
            certificate_left: Some(DAY * 61),
            books: Vec::new(),
            instances: InstanceCounts::default(),
            misdirected: Vec::new(),
            device: Device::default(),
        }
    }

    fn trouble(sink: &str, since_s: u64) -> Trouble {
        Trouble {
            sink: SinkName::new(sink).unwrap(),
            disabled: false,
            since: Some(NOW.minus(Duration::from_secs(since_s))),
            failure: "refuses: HTTP 500".into(),
            waiting: 44,
            next_attempt_at: Some(NOW.plus(Duration::from_secs(360))),
        }
    }

    #[test]
    fn a_healthy_relay_says_so_in_one_line() {
        assert_eq!(condition(&healthy()), Condition::Delivered);
        let expected =
            "serving - 3 companies - last notification 12 s ago - 0 waiting - certificate 61 days";
        assert_eq!(sentence(&healthy(), NOW), expected);
    }

    fn troubled(troubles: &[Trouble]) -> Health {
        Health {
            troubles: troubles.to_vec(),
            waiting: 44,
            ..healthy()
        }
    }

    fn assert_first(table: &[(Health, Condition, &str)]) {
        for (health, expected, words) in table {
            assert_eq!(condition(health), *expected, "{words}");
            let said = sentence(health, NOW);
            let (first, _) = said.split_once(" - ").unwrap();
            assert_eq!(first, *words);
        }
    }

    #[test]
    fn of_several_sinks_in_trouble_the_worst_is_named() {
        let off = Trouble {
            disabled: true,
            failure: "wants nothing any more: HTTP 410".into(),
            ..trouble("crm", 60)
        };
        let vague = Trouble {
            since: None,
            next_attempt_at: None,
            ..trouble("crm", 0)
        };
        assert_first(&[
            (
                troubled(&[trouble("erp", 120)]),
                Condition::Blocked,
                "storing, but erp refuses: HTTP 500 since 09:12 UTC, 44 waiting, next try 09:20",
            ),
            (
                troubled(&[trouble("erp", 120), trouble("crm", 7 * 86_400)]),
                Condition::Blocked,
                "storing, but crm refuses: HTTP 500 since 2026-11-14 09:14 UTC, 44 waiting, next try 09:20, and 1 more in trouble",
            ),
            (
                troubled(&[vague]),
                Condition::Blocked,
                "storing, but crm refuses: HTTP 500, 44 waiting",
            ),
            (
                troubled(&[trouble("erp", 120), off]),
                Condition::Attention,
                "storing, but crm wants nothing any more: HTTP 410 since 09:13 UTC, 44 waiting, switched off until it is enabled, and 1 more in trouble",
            ),
        ]);
    }

    #[test]
    fn the_worst_comes_first() {
        let ends_in = |left| Health {
            certificate_left: Some(left),
            ..troubled(&[trouble("erp", 120)])
        };
        let journal = |journal| Health {
            journal,
            ..ends_in(DAY)
        };
        let starting = Health {
            started: false,
            waiting: 1,
            ..healthy()
        };
        let backlog = Health {
            waiting: 5,
            ..healthy()
        };
        assert_first(&[
            (backlog, Condition::Backlog, "serving"),
            (starting, Condition::Starting, "starting"),
            (
                ends_in(DAY * 14),
                Condition::Blocked,
                "storing, but erp refuses: HTTP 500 since 09:12 UTC, 44 waiting, next try 09:20",
            ),
            (
                ends_in(DAY * 13),
                Condition::Attention,
                "serving, but the certificate ends in 13 days",
            ),
            (
                ends_in(Duration::ZERO),
                Condition::Attention,
                "serving, but the certificate has ended",
            ),
            (
                journal(JournalHealth::Full),
                Condition::Refusing,
                "not accepting: the journal is full",
            ),
            (
                journal(JournalHealth::Broken),
                Condition::Refusing,
                "not accepting: the journal is broken",
            ),
        ]);
    }

    #[test]
    fn a_paused_subscription_is_told_as_its_instance_and_needs_a_person() {
        let failing = trouble("instance-3", 120);
        let paused = Trouble {
            disabled: true,
            next_attempt_at: None,
            ..failing.clone()
        };
        assert_first(&[
            (
                troubled(&[failing]),
                Condition::Blocked,
                "storing, but instance 3 refuses: HTTP 500 since 09:12 UTC, 44 waiting, next try 09:20",
            ),
            (
                troubled(&[paused]),
                Condition::Attention,
                "storing, but instance 3 refuses: HTTP 500 since 09:12 UTC, 44 waiting, paused until it is sent again",
            ),
        ]);
    }

    #[test]
    fn losses_and_oddities_are_not_kept_quiet() {
        let odd = Health {
            companies: 1,
            dead_letters: 1,
            dead_by_sink: Vec::new(),
            parked: Vec::new(),
            unreadable: 2,
            last_receipt_at: None,
            certificate_left: None,
            ..healthy()
        };
        assert_eq!(condition(&odd), Condition::Attention);
        assert_eq!(
            sentence(&odd, NOW),
            "serving, but changes were given up - 1 company - no notification yet - 0 waiting - 1 dead letter - 2 not understood"
        );
        let aside = Health {
            journals_set_aside: 1,
            ..healthy()
        };
        assert_eq!(condition(&aside), Condition::Attention);
        assert!(
            sentence(&aside, NOW).starts_with("serving, but a damaged journal was set aside - ")
        );
    }

    #[test]
    fn the_device_is_told_too() {
        let with = |turn: fn(&mut Health)| {
            let mut health = healthy();
            turn(&mut health);
            health
        };
        assert_first(&[
            (
                with(|health| health.device.clock = ClockTrust::Waiting),
                Condition::Starting,
                "receiving, but nobody has set the clock yet; what needs the time waits",
            ),
            (
                with(|health| health.device.clock = ClockTrust::Wrong),
                Condition::Attention,
                "serving, but the clock is wrong: set it, or let the machine reach a time server",
            ),
            (
                with(|health| health.device.stalled = vec!["the worker", "the upkeep"]),
                Condition::Refusing,
                "stalled: no progress of the worker, the upkeep",
            ),
            (
                with(|health| {
                    health.journal = JournalHealth::Slow;
                    health.device.stalled = vec!["the journal's writer"];
                }),
                Condition::Refusing,
                "stalled: no progress of the journal's writer",
            ),
        ]);
        let refused = with(|health| health.device.import_refused = true);
        assert_eq!(condition(&refused), Condition::Attention);
        assert!(sentence(&refused, NOW).contains("qbo-relay-result.txt"));
        let dark = with(|health| health.device.lamp_trouble = Some("no such lamp".into()));
        assert_eq!(condition(&dark), Condition::Delivered);
    }

    fn any_health() -> impl Strategy<Value = Health> {
        let trouble =
            (any::<bool>(), proptest::option::of(any::<i64>())).prop_map(|(off, at)| Trouble {
                disabled: off,
                since: at.map(Timestamp::from_ms),
                next_attempt_at: at.map(Timestamp::from_ms),
                ..trouble("erp", 0)
            });
        let journal = prop_oneof![
            Just(JournalHealth::Working),
            Just(JournalHealth::Full),
            Just(JournalHealth::Broken)
        ];
        let left = proptest::option::of((0..u64::MAX).prop_map(Duration::from_secs));
        let troubles = proptest::collection::vec(trouble, 0..3);
        (any::<bool>(), journal, any::<u64>(), troubles, left).prop_map(
            |(started, journal, waiting, troubles, certificate_left)| Health {
                started,
                journal,
                waiting,
                troubles,
                certificate_left,
                ..healthy()
            },
        )
    }

    proptest! {
        #[test]
        fn a_trouble_more_never_makes_it_better(health in any_health(), now in any::<i64>()) {
            let mut worse = health.clone();
            worse.troubles.push(trouble("crm", 1));
            prop_assert!(condition(&worse) >= condition(&health));
            let said = sentence(&health, Timestamp::from_ms(now));
            prop_assert!(!said.contains('\n') && said.len() < 400);
        }
    }
}
