//! The status page: one screen for whoever looks after the gateway, not only for engineers.
//!
//! Promises: it shows what others said as text only.

use super::super::html::{Page, escape};
use super::report::Report;
use crate::model::{Condition, InstanceCounts, JournalHealth, SinkCount, Timestamp};
use std::fmt::Write;
use std::time::Duration;

/// The page in HTML.
pub(super) fn render(report: &Report) -> String {
    let health = &report.health;
    let (class, headline) = headline(report.condition);
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        let value = escape(value);
        // Writing to a string cannot fail.
        let _ = writeln!(rows, "<tr><th>{name}</th><td>{value}</td></tr>");
    };
    row("In one sentence", &report.sentence);
    row("Last notification", &ago(report.at, health.last_receipt_at));
    row("Companies seen", &health.companies.to_string());
    row("Instances", &instances(health.instances));
    row(
        "Changes waiting to be passed on",
        &health.waiting.to_string(),
    );
    row(
        "Changes given up",
        &by_sink(health.dead_letters, &health.dead_by_sink),
    );
    if !health.parked.is_empty() {
        let all = health.parked.iter().map(|sink| sink.count).sum();
        row(
            "Parked for receivers that were removed",
            &by_sink(all, &health.parked),
        );
    }
    row("Entries not understood", &health.unreadable.to_string());
    row("Storage", storage(health.journal));
    let certificate = health.certificate_left.map(in_words);
    row(
        "Certificate valid for",
        certificate.as_deref().unwrap_or("not known"),
    );
    let troubles = troubles(report);
    let at = report.at;
    let version = env!("CARGO_PKG_VERSION");
    Page {
        title: headline,
        renewed_s: Some(10),
        body: &format!(
            "<h1 class=\"{class}\">{headline}</h1>\n<table>\n{rows}</table>\n{troubles}\
             <footer>qbo-relay {version}. As of {at}. The page renews itself every 10 seconds.\
             </footer>\n"
        ),
    }
    .render()
}

fn instances(counts: InstanceCounts) -> String {
    let states = [
        (counts.switched_off, "switched off"),
        (counts.paused, "paused until it is sent again"),
        (counts.polls_stopped, "no longer polled"),
    ];
    let told = states.iter().filter(|(count, _)| *count > 0);
    let told = told.map(|(count, state)| format!(", {count} {state}"));
    format!("{}{}", counts.made, told.collect::<String>())
}

/// `12: erp 10, crm (removed) 2`.
fn by_sink(all: u64, sinks: &[SinkCount]) -> String {
    if sinks.is_empty() {
        return all.to_string();
    }
    let one = |count: &SinkCount| {
        let away = if count.is_configured {
            ""
        } else {
            " (removed)"
        };
        format!("{}{away} {}", count.sink, count.count)
    };
    let sinks: Vec<String> = sinks.iter().map(one).collect();
    format!("{all}: {}", sinks.join(", "))
}

fn troubles(report: &Report) -> String {
    if report.health.troubles.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "<h2>Receivers in trouble</h2>\n<table>\n<tr><th>Receiver</th><th>What happened</th>\
         <th>Waiting</th><th>Next try</th></tr>\n",
    );
    for trouble in &report.health.troubles {
        let next = match (trouble.disabled, trouble.next_attempt_at) {
            (true, _) => "when somebody switches it on, or sends it again".to_owned(),
            (false, Some(at)) if report.at < at => format!("in {}", in_words(at.since(report.at))),
            (false, _) => "now".to_owned(),
        };
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(trouble.sink.as_str()),
            escape(&trouble.failure),
            trouble.waiting,
            escape(&next)
        );
    }
    text.push_str("</table>\n");
    text
}

fn headline(condition: Condition) -> (&'static str, &'static str) {
    match condition {
        Condition::Delivered => ("good", "All is well: everything has been passed on"),
        Condition::Backlog => ("good", "Working: some changes are still being passed on"),
        Condition::Starting => ("fair", "Starting"),
        Condition::Blocked => (
            "bad",
            "Notifications are kept, but a receiver cannot be reached",
        ),
        Condition::Attention => ("bad", "Somebody has to look after the gateway"),
        Condition::Refusing => ("bad", "No notifications can be taken at the moment"),
    }
}

fn storage(health: JournalHealth) -> &'static str {
    match health {
        JournalHealth::Working => "working",
        JournalHealth::Full => "full: QuickBooks is asked to come again later",
        JournalHealth::Held => "held by another program: QuickBooks is asked to come again later",
        JournalHealth::Slow => "too slow: QuickBooks is asked to come again later",
        JournalHealth::Broken => "broken: the gateway is about to start again",
    }
}

fn ago(now: Timestamp, at: Option<Timestamp>) -> String {
    at.map_or_else(
        || "none yet".to_owned(),
        |at| format!("{} ago", in_words(now.since(at))),
    )
}

/// A span in its largest sensible unit.
fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::troubled;
    use super::*;

    #[test]
    fn what_a_receiver_said_is_shown_as_text() {
        let page = render(&troubled());
        assert!(page.contains("it said &lt;b&gt;&quot;no&quot;&lt;/b&gt; &amp; hung up"));
        assert!(!page.contains("<b>"));
    }

    #[test]
    fn spans_are_told_in_their_largest_sensible_unit() {
        let told = [0, 119, 120, 7_199, 7_200, 172_799, 172_800]
            .map(|seconds| in_words(Duration::from_secs(seconds)));
        let expected = [
            "0 s",
            "119 s",
            "2 minutes",
            "119 minutes",
            "2 hours",
            "47 hours",
            "2 days",
        ];
        assert_eq!(told, expected);
    }
}
