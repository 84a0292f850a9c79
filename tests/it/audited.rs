//! Whoever changes something by a command is written down, whether a relay runs or not.

use crate::support::relay::{Gateway, eventually};

const FILE_SINK: &str = "[[sink]]\nname = \"lines\"\nkind = \"file\"\npath = \"out.jsonl\"\n";

/// The audit entries, oldest first: what was asked for and what came of it.
fn entries(gateway: &Gateway) -> Vec<String> {
    let output = gateway.command(&["journal", "events"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let entries = told
        .lines()
        .filter_map(|line| line.split_once(" audit ").map(|(_, text)| text.trim()));
    entries.map(str::to_owned).collect()
}

/// Every command that changes something without a relay, and what its entry begins with. Those that
/// only look come between them.
const CHANGES: [(&[&str], Option<&str>); 12] = [
    (&["admin-secret"], Some("admin-secret: done;")),
    (&["replay", "--receipt", "1", "--dry-run"], None),
    (
        &["replay", "--receipt", "1", "--yes"],
        Some("replay {\"receipt\":1}: done;"),
    ),
    (&["replay", "--cancel"], Some("replay --cancel {}: done;")),
    (&["dead-letter", "list"], None),
    (
        &["dead-letter", "discard", "--sink", "lines"],
        Some("dead-letter discard {\"sinks\":[\"lines\"]}: done;"),
    ),
    (
        &["dead-letter", "discard", "--sink", "lines", "--dry-run"],
        None,
    ),
    (
        &["journal", "discard", "--since", "2020-01-01T00:00:00Z"],
        Some("journal discard {\"since\":\"2020-01-01T00:00:00Z\"}: done;"),
    ),
    (
        &["company", "forget", "9341455841589999", "--dry-run"],
        None,
    ),
    (
        &["company", "forget", "9341455841589999"],
        Some("company forget: nothing is kept of this company;"),
    ),
    (&["check"], None),
    (&["journal", "verify"], None),
];

#[test]
fn every_change_by_a_command_is_an_entry_with_and_without_a_relay() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    assert!(gateway.simulate(&["--count", "1"]).status.success());
    eventually("the change is delivered", || {
        (!gateway.json_lines("out.jsonl").is_empty()).then_some(())
    });
    gateway.until_settled();
    let mut before = entries(&gateway).len();
    for running in [true, false] {
        if !running {
            assert_eq!(gateway.end_by("TERM"), Some(0));
        }
        let without = if running {
            "control socket"
        } else {
            "without a relay"
        };
        for (words, expected) in CHANGES {
            let output = gateway.command(words);
            let now = entries(&gateway);
            let fresh = &now[before..];
            let is_right = match (fresh, expected) {
                ([], None) => true,
                ([entry], Some(expected)) => entry.starts_with(expected) && entry.contains(without),
                _ => false,
            };
            assert!(is_right, "{words:?}, {running}: {fresh:?} {output:?}");
            before = now.len();
        }
    }
    let output = gateway.command(&["vault", "rekey"]);
    assert!(output.status.success(), "{output:?}");
    let now = entries(&gateway);
    assert!(
        now[before..]
            .iter()
            .any(|entry| entry.starts_with("vault rekey: done;")),
        "{now:?}"
    );
    let refused = gateway.command(&["vault", "rekey", "--new-key-file", "x"]);
    assert!(!refused.status.success());
    let now = entries(&gateway);
    assert!(
        now[before + 1].starts_with("vault rekey: the key lies in a file"),
        "{now:?}"
    );
}

#[test]
fn where_there_is_no_journal_none_is_made_for_an_entry() {
    let gateway = Gateway::new("");
    assert!(gateway.command(&["admin-secret"]).status.success());
    assert!(!gateway.path("state/journal.db").exists());
}
