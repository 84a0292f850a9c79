//! `replay`, `dead-letter` and `journal discard` as an operator uses them: by the numbers and ids that
//! the journal's commands print.

use crate::support::relay::{Gateway, eventually};
use serde_json::Value;
use std::process::Output;

const FILE_SINK: &str = "[[sink]]\nname = \"lines\"\nkind = \"file\"\npath = \"out.jsonl\"\n";

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The word after `before` in a line.
fn after<'a>(line: &'a str, before: &str) -> &'a str {
    let (_, rest) = line
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before:?}: {line}"));
    rest.split([' ', ','])
        .find(|word| !word.is_empty())
        .unwrap()
}

/// A relay that has delivered two posts of each of two companies.
fn delivered() -> Gateway {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    let posts = ["--count", "4", "--realms", "2", "--events-per-post", "2"];
    assert!(gateway.simulate(&posts).status.success());
    eventually("the changes are delivered", || {
        (gateway.json_lines("out.jsonl").len() == 8).then_some(())
    });
    gateway.until_settled();
    gateway
}

#[test]
fn what_the_list_prints_is_what_replay_takes() {
    let mut gateway = delivered();
    for running in [true, false] {
        if !running {
            assert_eq!(gateway.end_by("TERM"), Some(0));
        }
        let list = stdout(&gateway.command(&["journal", "list"]));
        let line = list.lines().last().unwrap();
        let receipt = line.split_whitespace().next().unwrap();
        let company = after(line, "of company ");
        let number = after(line, "no. ");
        let event = after(line, "event ");
        for (words, count) in [
            (vec!["--receipt", receipt], 2),
            (vec!["--event", event], 1),
            (
                vec!["--company", company, "--from", number, "--to", number],
                1,
            ),
        ] {
            let words = [&["replay", "--dry-run", "--json"], &words[..]].concat();
            let plan = gateway.command(&words);
            assert!(plan.status.success(), "{words:?}: {}", stderr(&plan));
            let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
            let planned = plan["planned"].as_array().unwrap();
            assert_eq!(planned.len(), count, "{words:?}");
            // One post may speak of both companies.
            if words.contains(&"--receipt") {
                let number: i64 = receipt.parse().unwrap();
                assert!(planned.iter().all(|one| one["receipt"] == number));
            } else {
                assert_eq!(planned[0]["company"], company);
            }
            if count == 1 {
                assert_eq!(planned[0]["event"], event);
            }
        }
        let shown = stdout(&gateway.command(&["journal", "show", receipt]));
        assert!(shown.contains(&format!("event {event}")), "{shown}");
        assert!(shown.contains(&format!("no. {number}")), "{shown}");
    }
}

#[test]
fn what_is_unknown_is_an_error_that_says_so() {
    let mut gateway = delivered();
    for running in [true, false] {
        if !running {
            assert_eq!(gateway.end_by("TERM"), Some(0));
        }
        for (words, part) in [
            (vec!["--receipt", "40641"], "no receipt 40641"),
            (vec!["--receipt", "-1"], ""),
            (
                vec!["--event", "00000000000000000000000000000000"],
                "no event with the id",
            ),
            (vec!["--event", "nonsense"], "no event with the id nonsense"),
            (vec!["--company", "12345"], "knows no company 12345"),
            (vec!["--entity", "Unicorn"], "no change that fits"),
            (vec!["--sink", "nobody", "--entity", "Invoice"], "nobody"),
            (vec!["--dead-letters", "--sink", "nobody"], "nobody"),
            (vec!["--dead-letters", "--company", "12345"], "12345"),
            (vec!["--cancel", "--sink", "nobody"], "nobody"),
            (
                vec!["--since", "2999-01-01T00:00:00Z"],
                "no change that fits",
            ),
            (vec!["--from", "3"], "--company"),
            (vec![], "choose in one way"),
        ] {
            let words = [&["replay"], &words[..]].concat();
            let done = gateway.command(&words);
            assert!(!done.status.success(), "{words:?}: {}", stdout(&done));
            assert!(stderr(&done).contains(part), "{words:?}: {}", stderr(&done));
        }
        let none = gateway.command(&["replay", "--dead-letters"]);
        assert!(none.status.success(), "{}", stderr(&none));
        assert!(stdout(&none).contains("nothing"), "{}", stdout(&none));
        assert_eq!(gateway.json_lines("out.jsonl").len(), 8);
    }
}

#[test]
fn many_are_asked_about_first() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    let posts = ["--count", "3", "--realms", "1", "--events-per-post", "40"];
    assert!(gateway.simulate(&posts).status.success());
    eventually("the changes are delivered", || {
        (gateway.json_lines("out.jsonl").len() == 120).then_some(())
    });
    gateway.until_settled();
    let all = [
        "replay",
        "--entity",
        "Invoice",
        "--since",
        "2020-01-01T00:00:00Z",
    ];
    let invoices = gateway.command(&[&all[..], &["--dry-run", "--json"]].concat());
    let plan: Value = serde_json::from_slice(&invoices.stdout).unwrap();
    assert!(plan["planned"].as_array().unwrap().len() <= 100);

    let all = ["replay", "--since", "2020-01-01T00:00:00Z"];
    let refused = gateway.command(&all);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    assert!(said.contains("120 ") && said.contains("--yes"), "{said}");
    let yes = gateway.command(&[&all[..], &["--yes"]].concat());
    assert!(yes.status.success(), "{}", stderr(&yes));
    eventually("they are delivered again", || {
        (gateway.json_lines("out.jsonl").len() == 240).then_some(())
    });
}

#[test]
fn a_replay_that_waits_can_be_cancelled() {
    let mut gateway = delivered();
    assert_eq!(gateway.end_by("TERM"), Some(0));
    let asked = gateway.command(&["replay", "--since", "2020-01-01T00:00:00Z"]);
    assert!(asked.status.success(), "{}", stderr(&asked));
    let ended = gateway.command(&["replay", "--cancel"]);
    assert!(
        ended.status.success() && stdout(&ended).contains("8 "),
        "{}",
        stdout(&ended)
    );
    let again = gateway.command(&["replay", "--cancel", "--json"]);
    assert_eq!(stdout(&again).trim(), "{\"cancelled\":0}");
    gateway.start();
    assert!(
        gateway
            .simulate(&["--count", "1", "--realms", "1"])
            .status
            .success()
    );
    eventually("only what is new is delivered", || {
        (gateway.json_lines("out.jsonl").len() == 9).then_some(())
    });
    let shown = stdout(&gateway.command(&["journal", "show", "1"]));
    assert!(shown.contains("cancelled at"), "{shown}");
}
