//! The metrics page: Prometheus text format 0.0.4.

use super::report::Report;
use crate::model::{
    CompanyHealth, Condition, Health, InstanceCounts, JournalHealth, Standing, Tally,
};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page: every counter, then the state as gauges.
pub(super) fn encode(report: &Report, tally: &Tally) -> String {
    let mut page = Page(String::new());
    for (name, help, value) in tally.entries() {
        page.family(&format!("{name}_total"), "counter", help);
        page.sample(&format!("{name}_total"), &[], value);
    }
    let health = &report.health;
    page.gauge("companies", "Companies seen so far.", health.companies);
    page.gauge(
        "changes_waiting",
        "Changes that wait for some sink, each counted once for each sink.",
        health.waiting,
    );
    page.gauge(
        "dead_letters",
        "Changes given up that nobody has looked after.",
        health.dead_letters,
    );
    aside(&mut page, health);
    page.gauge(
        "unreadable_entries",
        "Entries kept that were authentic, not understood and not acknowledged.",
        health.unreadable,
    );
    refusals(&mut page, health);
    page.gauge(
        "started",
        "Whether everything has been started.",
        u8::from(health.started),
    );
    page.gauge(
        "accepting",
        "Whether the journal takes receipts.",
        u8::from(health.journal == JournalHealth::Working),
    );
    if let Some(at) = health.last_receipt_at {
        let help = "When the last authentic notification arrived, in seconds since 1970.";
        page.gauge("last_notification_timestamp_seconds", help, at.as_seconds());
    }
    if let Some(left) = health.certificate_left {
        let help = "Time until the server certificate ends.";
        page.gauge("certificate_left_seconds", help, left.as_secs());
    }
    page.family("condition", "gauge", "1 for the condition that holds.");
    for condition in Condition::ALL {
        let holds = u8::from(condition == report.condition);
        page.sample("condition", &[("condition", condition.as_str())], holds);
    }
    troubles(&mut page, health);
    instances(&mut page, health.instances);
    books(&mut page, &health.books);
    page.family("build_info", "gauge", "The version that runs.");
    page.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.0
}

/// The sinks that are in trouble.
fn troubles(page: &mut Page, health: &Health) {
    page.family(
        "sink_waiting",
        "gauge",
        "Changes that wait behind a sink in trouble.",
    );
    for trouble in &health.troubles {
        page.sample(
            "sink_waiting",
            &[("sink", trouble.sink.as_str())],
            trouble.waiting,
        );
    }
    page.family(
        "sink_disabled",
        "gauge",
        "1 for a sink that was switched off: by its 410, or as the subscription of an instance.",
    );
    for trouble in &health.troubles {
        let disabled = u8::from(trouble.disabled);
        page.sample(
            "sink_disabled",
            &[("sink", trouble.sink.as_str())],
            disabled,
        );
    }
}

/// What is given up or parked, by sink.
fn aside(page: &mut Page, health: &Health) {
    for (name, help, counts) in [
        (
            "sink_dead_letters",
            "The same of each sink that has any, configured or not.",
            &health.dead_by_sink,
        ),
        (
            "sink_parked",
            "Changes that a sink had yet to get that is not configured any more.",
            &health.parked,
        ),
    ] {
        page.family(name, "gauge", help);
        for count in counts {
            page.sample(name, &[("sink", count.sink.as_str())], count.count);
        }
    }
}

/// How the element instances stand.
fn refusals(page: &mut Page, health: &Health) {
    page.family(
        "changes_refused_total",
        "counter",
        "Changes of companies that are not let in.",
    );
    page.sample("changes_refused_total", &[], health.refused.changes);
    page.gauge(
        "companies_refused",
        "Whether new companies are refused because there are as many as there may be.",
        u8::from(health.refused.over_limit.is_some()),
    );
}

fn instances(page: &mut Page, counts: InstanceCounts) {
    let help = "Element instances: all, switched off, paused, and with polls that rest.";
    page.family("instances", "gauge", help);
    for (state, count) in [
        ("made", counts.made),
        ("switched_off", counts.switched_off),
        ("paused", counts.paused),
        ("polls_stopped", counts.polls_stopped),
    ] {
        page.sample("instances", &[("state", state)], count);
    }
}

/// How the reading of companies goes. A realm is digits, so it needs no escaping.
fn books(page: &mut Page, books: &[CompanyHealth]) {
    let help = "1 for a company that the relay may read.";
    page.family("company_connected", "gauge", help);
    for company in books {
        let labels = [
            ("realm", company.realm.as_str()),
            ("app", company.app.as_str()),
        ];
        let connected = u8::from(company.standing == Standing::Connected);
        page.sample("company_connected", &labels, connected);
    }
    let help = "1 for what keeps a company from being read.";
    page.family("company_hindered", "gauge", help);
    for company in books {
        if let Some(hindrance) = &company.hindrance {
            let labels = [
                ("realm", company.realm.as_str()),
                ("kind", hindrance.kind.as_str()),
            ];
            page.sample("company_hindered", &labels, 1);
        }
    }
    let help = "Notified changes that are not reconciled yet, counted up to 500.";
    page.family("company_unreconciled", "gauge", help);
    for company in books {
        let labels = [("realm", company.realm.as_str())];
        page.sample("company_unreconciled", &labels, company.unreconciled);
    }
    let help = "Percent of the month's API calls that an app has used.";
    page.family("app_budget_percent", "gauge", help);
    let used: BTreeMap<&str, u64> = books
        .iter()
        .filter_map(|company| Some((company.app.as_str(), company.budget_percent?)))
        .collect();
    for (app, percent) in used {
        page.sample("app_budget_percent", &[("app", app)], percent);
    }
}

struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP qbo_relay_{name} {help}"));
        self.line(format_args!("# TYPE qbo_relay_{name} {kind}"));
    }

    /// Label values are ours or of the alphabet of sink names: nothing in them needs escaping.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{text}\""))
            .collect();
        if labels.is_empty() {
            self.line(format_args!("qbo_relay_{name} {value}"));
        } else {
            let labels = labels.join(",");
            self.line(format_args!("qbo_relay_{name}{{{labels}}} {value}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::troubled;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_counter_is_a_family_of_its_own_and_every_line_is_well_formed() {
        let tally = Tally::default();
        tally.deliveries_forged.add(5);
        let page = encode(&troubled(), &tally);
        assert!(page.contains("\nqbo_relay_deliveries_forged_total 5\n"));
        assert!(page.contains("\nqbo_relay_condition{condition=\"blocked\"} 1\n"));
        assert!(page.contains("\nqbo_relay_sink_waiting{sink=\"erp\"} 12\n"));
        let mut families = HashSet::new();
        for line in page.lines() {
            if let Some(comment) = line.strip_prefix("# TYPE ") {
                let (name, _) = comment.split_once(' ').unwrap();
                assert!(families.insert(name.to_owned()), "{name} twice");
            } else if !line.starts_with("# HELP ") {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let name = sample.split('{').next().unwrap();
                assert!(families.contains(name), "{line}");
                value.parse::<f64>().unwrap();
            }
        }
        assert!(tally.entries().len() < families.len());
    }
}
