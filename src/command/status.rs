//! `status`: asks the running relay how it is and shows a screenful.

use super::{ask, block_on, journal_path};
use crate::cli::{ConfigArgs, Exit};
use crate::run::control_socket;
use crate::terminal::{Tint, complain, say, say_json, tinted};
use http::{Method, StatusCode};
use serde_json::Value;

/// Runs the command.
pub fn command(args: &ConfigArgs, json: bool) -> Exit {
    let socket = match journal_path(args) {
        Ok(journal) => control_socket(&journal),
        Err(exit) => return exit,
    };
    let answer = block_on(ask::ask(&socket, Method::GET, "/status", Vec::new()));
    let body = match answer {
        Ok(Ok((StatusCode::OK, body))) => body,
        Ok(Ok((status, _))) => {
            complain(format_args!("the relay answered {status}"));
            return Exit::Failure;
        }
        Ok(Err(error)) => {
            complain(error);
            return Exit::Journal;
        }
        Err(error) => {
            complain(error);
            return Exit::Failure;
        }
    };
    let Ok(status) = serde_json::from_slice::<Value>(&body) else {
        complain("the relay's answer is not JSON");
        return Exit::Failure;
    };
    if json {
        say_json(String::from_utf8_lossy(&body));
    } else {
        show(&status);
    }
    let healthy = matches!(
        word(&status, "condition"),
        "delivered" | "backlog" | "starting"
    );
    if healthy {
        Exit::Success
    } else {
        Exit::Failure
    }
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn show(status: &Value) {
    let condition = word(status, "condition");
    let tint = match condition {
        "delivered" | "backlog" => Tint::Green,
        "starting" | "blocked" => Tint::Yellow,
        _ => Tint::Red,
    };
    say(format_args!(
        "qbo-relay {}   {}",
        word(status, "version"),
        tinted(tint, condition)
    ));
    say(format_args!("  {}", word(status, "sentence")));
    device(status);
    say(format_args!(
        "  companies       {}",
        number(status, "companies")
    ));
    if let Some(instances) = status
        .get("instances")
        .filter(|all| number(all, "made") > 0)
    {
        say(format_args!(
            "  instances       {}, {} switched off, {} paused, {} no longer polled",
            number(instances, "made"),
            number(instances, "switched_off"),
            number(instances, "paused"),
            number(instances, "polls_stopped")
        ));
    }
    say(format_args!(
        "  last notification {}",
        word(status, "last_notification_at")
    ));
    say(format_args!(
        "  waiting         {}",
        number(status, "waiting")
    ));
    say(format_args!(
        "  dead letters    {}",
        number(status, "dead_letters")
    ));
    of_sinks(status);
    if number(status, "journals_set_aside") > 0 {
        say(format_args!(
            "  set aside       {} damaged journals",
            number(status, "journals_set_aside")
        ));
    }
    say(format_args!(
        "  not understood  {}",
        number(status, "unreadable")
    ));
    let misdirected = status.get("misdirected").and_then(Value::as_array);
    for posts in misdirected.into_iter().flatten() {
        say(format_args!(
            "  {} Intuit posts to {}, which is not configured: {} times since {} (verifier {})",
            tinted(Tint::Red, "astray"),
            word(posts, "path"),
            number(posts, "count"),
            word(posts, "since"),
            word(posts, "verifier"),
        ));
    }
    let books = status.get("companies_read").and_then(Value::as_array);
    for company in books.into_iter().flatten() {
        book(company);
    }
    troubles(status);
}

fn device(status: &Value) {
    say(format_args!("  lamp            {}", word(status, "lamp")));
    if let Some(trouble) = status.get("lamp_trouble").and_then(Value::as_str) {
        say(format_args!("                  not shown: {trouble}"));
    }
    if let Some(why) = status.get("reload_refused").and_then(Value::as_str) {
        say(format_args!("  reload refused  {why}"));
    }
    if word(status, "clock") != "trusted" {
        say(format_args!("  clock           {}", word(status, "clock")));
    }
    say(format_args!(
        "  journal         {}",
        word(status, "journal")
    ));
}

fn troubles(status: &Value) {
    let troubles = status.get("sinks_in_trouble").and_then(Value::as_array);
    for trouble in troubles.into_iter().flatten() {
        say(format_args!(
            "  {} {}: {}, {} waiting, next try {}",
            tinted(Tint::Red, "trouble"),
            word(trouble, "sink"),
            word(trouble, "failure"),
            number(trouble, "waiting"),
            word(trouble, "next_attempt_at"),
        ));
    }
}

/// What is given up or parked, by sink.
fn of_sinks(status: &Value) {
    for (key, tint, what) in [
        (
            "dead_letters_by_sink",
            Tint::Red,
            "dead letters; `qbo-relay dead-letter list` shows them",
        ),
        (
            "parked",
            Tint::Yellow,
            "changes that it had yet to get are parked until their receipts are deleted",
        ),
    ] {
        let sinks = status.get(key).and_then(Value::as_array);
        for sink in sinks.into_iter().flatten() {
            let away = match sink.get("configured").and_then(Value::as_bool) {
                Some(false) => ", not configured any more",
                _ => "",
            };
            say(format_args!(
                "                  {}{away}: {} {what}",
                tinted(tint, word(sink, "sink")),
                number(sink, "count")
            ));
        }
    }
}

/// A company that is read.
fn book(company: &Value) {
    let hindrance = company
        .get("hindrance")
        .filter(|hindrance| !hindrance.is_null());
    let (tint, how) = match (word(company, "standing"), hindrance) {
        ("connected", None) => (Tint::Green, "read".to_owned()),
        ("connected", Some(hindrance)) => (Tint::Yellow, word(hindrance, "why").to_owned()),
        (standing, _) => (Tint::Red, format!("{standing}: {}", word(company, "why"))),
    };
    say(format_args!(
        "  company {}  {}, last answer {}",
        word(company, "realm"),
        tinted(tint, how),
        word(company, "last_success_at")
    ));
}
