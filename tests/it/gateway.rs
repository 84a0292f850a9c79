//! The main job by the real binary: configured by a file, driven by `simulate`, stopped by signals.

use crate::support::relay::{
    Gateway, eventually, qbo_relay, read_json_lines, read_torn_json_lines, simulate,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const FILE_SINK: &str = r#"
[[sink]]
name = "lines"
kind = "file"
path = "out.jsonl"
"#;

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap()
}

/// Each company's sequence begins at 1 and has neither gap nor repeat, in order of arrival.
#[track_caller]
fn in_order_and_once(events: &[Value]) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events {
        let sequence: u64 = text(event, "sequence").parse().unwrap();
        let before = last.insert(text(event, "realmid"), sequence).unwrap_or(0);
        assert_eq!(sequence, before + 1, "{event}");
    }
}

#[test]
fn every_acknowledged_change_reaches_the_sink_in_order_and_once() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    let sent = gateway.simulate(&[
        "--count",
        "60",
        "--events-per-post",
        "5",
        "--realms",
        "4",
        "--format",
        "mixed",
        "--repeat",
        "20",
        "--forge",
        "10",
        "--malform",
        "10",
        "--disorder",
    ]);
    assert!(sent.status.success(), "{}", stdout(&sent));
    let acknowledged: usize = stdout(&sent)
        .split(", ")
        .find_map(|part| part.strip_suffix(" changes acknowledged"))
        .unwrap()
        .parse()
        .unwrap();
    let events = eventually("everything acknowledged is in the file", || {
        let events = gateway.json_lines("out.jsonl");
        (events.len() >= acknowledged).then_some(events)
    });
    assert_eq!(gateway.end_by("TERM"), Some(0));
    assert_eq!(gateway.json_lines("out.jsonl").len(), acknowledged);
    in_order_and_once(&events);
    let ids: BTreeSet<&str> = events.iter().map(|event| text(event, "id")).collect();
    assert_eq!(ids.len(), acknowledged);
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_the_restart_and_reaches_the_sink() {
    let mut gateway = Gateway::new(FILE_SINK);
    let ledger = gateway.path("ledger.jsonl");
    let out = gateway.path("out.jsonl");
    let rounds = 5_usize;
    for round in 0..rounds {
        gateway.start();
        let (folder, url, seed) = (
            gateway.folder.path().to_owned(),
            gateway.url(),
            round.to_string(),
        );
        let acknowledged = ledger.to_string_lossy().into_owned();
        let arrived = read_torn_json_lines(&out, round).len();
        let sending = std::thread::spawn(move || {
            // Several times what is sent until the kill; the rest is refused, post by post.
            let load = ["--count", "4000", "--connections", "8", "--realms", "3"];
            simulate(
                &folder,
                &url,
                &[&load[..], &["--seed", &seed, "--ledger", &acknowledged]].concat(),
            )
        });
        // A moment within the load that is another one in each round.
        eventually("the load is under way", || {
            let now_arrived = read_torn_json_lines(&out, round).len();
            (now_arrived > arrived + 20 + 70 * round).then_some(())
        });
        assert_eq!(gateway.end_by("KILL"), None);
        let sent = sending.join().unwrap();
        assert_eq!(
            sent.status.code(),
            Some(1),
            "the kill came too late to show anything"
        );
    }
    gateway.start();
    let acknowledged: BTreeSet<String> = read_json_lines(&ledger)
        .iter()
        .map(|body| text(&body[0], "id").to_owned())
        .collect();
    assert!(acknowledged.len() > 500);
    eventually("everything acknowledged has arrived", || {
        let events = read_torn_json_lines(&out, rounds);
        let arrived: BTreeSet<&str> = events
            .iter()
            .map(|event| text(&event["data"], "notificationId"))
            .collect();
        acknowledged
            .iter()
            .all(|id| arrived.contains(id.as_str()))
            .then_some(())
    });
    assert_eq!(gateway.end_by("TERM"), Some(0));
    let verified = gateway.command(&["journal", "verify"]);
    assert!(verified.status.success(), "{}", stdout(&verified));
}

#[test]
fn status_tells_how_it_is_and_its_exit_status_says_so_too() {
    let mut gateway = Gateway::new(FILE_SINK);
    let absent = gateway.command(&["status"]);
    assert_eq!(absent.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("not running"));

    gateway.start();
    assert!(gateway.simulate(&["--count", "3"]).status.success());
    eventually("the changes are delivered", || {
        (gateway.json_lines("out.jsonl").len() == 3).then_some(())
    });
    let told = eventually("nothing waits", || {
        let status = gateway.command(&["status", "--json"]);
        let value: Value = serde_json::from_slice(&status.stdout).unwrap();
        (value["waiting"] == 0 && value["last_notification_at"].is_string())
            .then_some((status.status.code(), value))
    });
    assert_eq!(told.0, Some(0));
    assert_eq!(told.1["condition"], "delivered");
    assert!(text(&told.1, "sentence").starts_with("serving"));
    let people = gateway.command(&["status"]);
    assert!(
        stdout(&people).contains("companies       1"),
        "{}",
        stdout(&people)
    );
}

#[test]
fn the_journal_can_be_read_while_the_relay_runs_and_after() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    assert!(
        gateway
            .simulate(&["--count", "4", "--events-per-post", "3", "--repeat", "0"])
            .status
            .success()
    );
    eventually("the changes are delivered", || {
        (gateway.json_lines("out.jsonl").len() == 12).then_some(())
    });
    for running in [true, false] {
        if !running {
            assert_eq!(gateway.end_by("TERM"), Some(0));
        }
        let list = gateway.command(&["journal", "list", "--json"]);
        let rows: Vec<Value> = stdout(&list)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 4, "running: {running}");
        let seq = rows[0]["seq"].to_string();
        let show = gateway.command(&["journal", "show", &seq, "--json"]);
        let receipt: Value = serde_json::from_slice(&show.stdout).unwrap();
        assert_eq!(receipt["changes"].as_array().unwrap().len(), 3);
        assert_eq!(receipt["verifier"], "test");
        assert!(gateway.command(&["journal", "verify"]).status.success());
        let export = gateway.command(&["journal", "export"]);
        assert_eq!(stdout(&export).lines().count(), 4);
    }
}

#[test]
fn a_replay_sends_again_under_the_same_id_and_says_so() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    assert!(gateway.simulate(&["--count", "2"]).status.success());
    let first = eventually("the changes are delivered", || {
        Some(gateway.json_lines("out.jsonl")).filter(|events| events.len() == 2)
    });
    gateway.until_settled();
    let id = text(&first[0], "id").to_owned();

    let dry = gateway.command(&["replay", "--event", &id, "--dry-run"]);
    assert!(
        dry.status.success() && stdout(&dry).contains(&id) && stdout(&dry).contains("lines"),
        "{}",
        stdout(&dry)
    );
    assert_eq!(gateway.json_lines("out.jsonl").len(), 2);

    assert!(
        gateway
            .command(&["replay", "--event", &id])
            .status
            .success()
    );
    let again = eventually("the replay is delivered", || {
        gateway.json_lines("out.jsonl").get(2).cloned()
    });
    assert_eq!(text(&again, "id"), id);
    assert_eq!(again["replay"], true);
    assert_eq!(again["sequence"], first[0]["sequence"]);

    // Not running: it is written down and leaves at the next start.
    assert_eq!(gateway.end_by("TERM"), Some(0));
    assert!(
        gateway
            .command(&["replay", "--event", &id])
            .status
            .success()
    );
    gateway.start();
    eventually("the second replay is delivered", || {
        gateway.json_lines("out.jsonl").get(3).cloned()
    });
}

#[test]
fn a_hangup_takes_new_secrets_without_a_restart() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    assert!(gateway.simulate(&["--count", "1"]).status.success());
    gateway.write("verifier", "another-token");
    assert!(
        !gateway
            .simulate(&["--count", "1", "--seed", "2"])
            .status
            .success(),
        "not reloaded yet: refused"
    );
    gateway.signal("HUP");
    gateway.wait_for_line("reloaded");
    assert!(
        gateway
            .simulate(&["--count", "1", "--seed", "3"])
            .status
            .success()
    );

    gateway.write("verifier", "");
    gateway.signal("HUP");
    gateway.wait_for_line("not reloaded");
    gateway.write("verifier", "another-token");
    assert!(
        gateway
            .simulate(&["--count", "1", "--seed", "4"])
            .status
            .success(),
        "a bad file leaves the old secret in force"
    );
}

#[test]
fn no_secret_is_in_any_log_or_file_of_the_state_folder() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let bearer = "bearer-5f1c0a77d1";
    let tables = format!(
        r#"
[log]
level = "trace"
[[sink]]
name = "nowhere"
kind = "http"
url = "https://127.0.0.1:9/hooks"
signing_secret = "{secret}"
bearer_token = "{bearer}"
{FILE_SINK}"#
    );
    let mut gateway = Gateway::new(&tables);
    gateway.start();
    let sent = gateway.simulate(&[
        "--count",
        "20",
        "--forge",
        "30",
        "--malform",
        "20",
        "--repeat",
        "20",
    ]);
    assert!(sent.status.success(), "{}", stdout(&sent));
    eventually("a delivery failed", || {
        let status = gateway.command(&["status", "--json"]);
        stdout(&status).contains("nowhere").then_some(())
    });
    let mut told = stdout(&gateway.command(&["status", "--json"]));
    told += &stdout(&gateway.command(&["journal", "export"]));
    told += &stdout(&gateway.command(&["check"]));
    assert_eq!(gateway.end_by("TERM"), Some(0));
    told += &gateway.lines.join("\n");
    for entry in std::fs::read_dir(gateway.path("state")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        told += &String::from_utf8_lossy(&bytes);
    }
    assert!(
        told.contains("qbo."),
        "the control: what is looked through does hold the deliveries"
    );
    for secret in [
        crate::support::relay::TOKEN,
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        bearer,
    ] {
        assert!(!told.contains(secret), "{secret} leaked");
    }
}

#[test]
fn the_state_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    assert!(gateway.simulate(&["--count", "1"]).status.success());
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&gateway.path("state")), 0o700);
    for entry in std::fs::read_dir(gateway.path("state")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_damaged_journal_is_set_aside_and_everybody_is_told() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    assert!(gateway.simulate(&["--count", "5"]).status.success());
    assert_eq!(gateway.end_by("TERM"), Some(0));
    assert_eq!(
        gateway.command(&["journal", "verify"]).status.code(),
        Some(0)
    );
    let file = gateway.path("state/journal.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..100].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();

    gateway.start();
    assert!(
        gateway
            .lines
            .iter()
            .any(|line| line.contains("ERROR") && line.contains("journal.db.broken-"))
    );
    assert!(
        gateway
            .simulate(&["--count", "1", "--seed", "2"])
            .status
            .success(),
        "it serves on"
    );
    let status = gateway.command(&["status", "--json"]);
    let told: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status.status.code(), Some(1));
    assert_eq!(told["condition"], "attention");
    assert!(text(&told, "sentence").contains("a damaged journal was set aside"));
    assert_eq!(gateway.end_by("TERM"), Some(0));

    for entry in std::fs::read_dir(gateway.path("state")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains(".broken-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    gateway.start();
    assert_eq!(
        gateway.command(&["status"]).status.code(),
        Some(0),
        "taken away: all is well"
    );
}

#[test]
fn a_sink_that_hangs_does_not_make_a_restart_long() {
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hanging.local_addr().unwrap();
    let mut gateway = Gateway::new(&format!(
        "[[sink]]\nname = \"hanging\"\nkind = \"http\"\nurl = \"http://{address}/\"\ntimeout = \"50 s\"\n"
    ));
    gateway.start();
    assert!(gateway.simulate(&["--count", "1"]).status.success());
    // The attempt is under way once the sink has the connection.
    let _held = hanging.accept().unwrap();
    let began = std::time::Instant::now();
    assert_eq!(gateway.end_by("TERM"), Some(0));
    assert!(
        began.elapsed() < std::time::Duration::from_secs(40),
        "it waited for the sink"
    );
}

/// Whether the relay, with its `when`-th thread refused by the kernel, serves or ends.
fn serves_or_ends(when: u32) -> (bool, u64) {
    let mut gateway = Gateway::new(FILE_SINK);
    let trace = gateway.path("trace");
    let inject = format!("inject=clone,clone3:error=EAGAIN:when={when}");
    let trace_file = trace.to_string_lossy().into_owned();
    gateway.start_under(&[
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=clone,clone3",
        "-e",
        &inject,
        "-o",
        &trace_file,
    ]);
    let served = gateway.https.is_some() && gateway.simulate(&["--count", "1"]).status.success();
    let injected = std::fs::read_to_string(&trace)
        .unwrap()
        .matches("INJECTED")
        .count() as u64;
    let status = if served {
        gateway.end_by("TERM")
    } else {
        gateway.wait_for_end()
    };
    assert!(served || status != Some(0), "it neither served nor said so");
    (served, injected)
}

#[test]
fn a_thread_that_cannot_be_started_ends_the_process_or_is_not_needed() {
    if !crate::support::relay::has_strace() {
        return;
    }
    let outcomes: Vec<(bool, u64)> = (1..=8).map(serves_or_ends).collect();
    assert!(outcomes[0].1 > 0, "the control: a thread was refused");
    assert!(
        outcomes.iter().any(|(served, _)| !served),
        "the control: some thread is needed"
    );
}

#[test]
fn help_is_complete_and_shows_examples() {
    for command in ["run", "check", "demo", "simulate", "status", "replay"] {
        let help = qbo_relay(&[command, "--help"]);
        assert!(help.status.success());
        assert!(stdout(&help).contains("Example"), "{command}");
    }
    assert_eq!(qbo_relay(&[]).status.code(), Some(2));
}
