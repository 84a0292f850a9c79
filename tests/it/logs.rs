//! The log: one line for what came and one for what left, one for what is fatal, and nobody else's.

use crate::support::relay::{Gateway, eventually, qbo_relay, simulate};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const FILE_SINK: &str = "[[sink]]\nname = \"lines\"\nkind = \"file\"\npath = \"out.jsonl\"\n";

#[test]
fn a_notification_and_an_event_have_a_line_each() {
    let mut gateway = Gateway::new(&format!("{FILE_SINK}[log]\nlevel = \"debug\"\n"));
    gateway.start();
    assert!(gateway.simulate(&["--count", "1"]).status.success());
    let kept = gateway.line("notification kept");
    for part in ["INFO", "receipt=1", "status=200", "took=", "changes=1"] {
        assert!(kept.contains(part), "{kept}");
    }
    let delivered = gateway.line("event delivered");
    let id = gateway.json_lines("out.jsonl")[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for part in ["INFO", "receipt=1", &id, "sink=lines", "status=", "took="] {
        assert!(delivered.contains(part), "{delivered}");
    }
    // Many of them are summed.
    let posts = ["--count", "300", "--connections", "8"];
    assert!(gateway.simulate(&posts).status.success());
    gateway.line("notifications kept or repeated, too many");
    let kept = gateway
        .lines
        .iter()
        .filter(|line| line.contains("notification kept"));
    assert!(kept.count() < 300);
    assert_eq!(gateway.end_by("TERM"), Some(0));
    for foreign in ["h2::", "hyper", "rustls", "Connection{", "received frame"] {
        let line = gateway.lines.iter().find(|line| line.contains(foreign));
        assert_eq!(line, None, "debug is of the relay only");
    }
}

#[test]
fn what_is_fatal_is_said_once_and_a_warning_is_called_one_once() {
    let gateway = Gateway::new("");
    let text = std::fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
    let foreign = "https = \"192.0.2.1:8443\"";
    gateway.write(
        "qbo-relay.toml",
        &text.replace("https = \"127.0.0.1:0\"", foreign),
    );
    let run = gateway.command(&["run"]);
    assert_eq!(run.status.code(), Some(4));
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(
        said.matches("cannot listen on 192.0.2.1:8443").count(),
        1,
        "{said}"
    );
    let warnings = said.lines().filter(|line| line.contains("self_signed"));
    let warnings: Vec<&str> = warnings.collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert!(!warnings[0].to_lowercase().contains("warning:"), "{said}");
}

#[test]
fn each_run_of_simulate_has_a_seed_of_its_own_that_repeats_it() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    let seed = |arguments: &[&str]| {
        let arguments = [&["--count", "3"], arguments].concat();
        let sent = simulate(gateway.folder.path(), &gateway.url(), &arguments);
        assert!(sent.status.success());
        let said = String::from_utf8(sent.stdout).unwrap();
        let rest = said
            .lines()
            .find_map(|line| line.strip_prefix("seed "))
            .unwrap();
        rest.split(';').next().unwrap().to_owned()
    };
    let (first, second) = (seed(&[]), seed(&[]));
    assert_ne!(first, second);
    eventually("all of them are changes of their own", || {
        (gateway.json_lines("out.jsonl").len() == 6).then_some(())
    });
    let events = gateway.command(&["journal", "events"]);
    assert!(!String::from_utf8_lossy(&events.stdout).contains("conflict"));
    assert_eq!(seed(&["--seed", &first]), first);
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_simulated_company_says_that_its_notifications_are_refused_and_where_browsers_come_back() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let url = gateway.url();
    let port = gateway.https.unwrap().port();
    gateway.write("other", "11111111-2222-4333-8444-555555555555");
    let token = gateway.path("other").to_string_lossy().into_owned();
    let mut child = Command::new(env!("CARGO_BIN_EXE_qbo-relay"))
        .args([
            "simulate",
            "--company",
            "--notify",
            &url,
            "--token-file",
            &token,
        ])
        .args(["--insecure", "--rate", "50", "--listen", "127.0.0.1:0"])
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _ended = Ended(child);
    let mut redirect = String::new();
    let refused = lines.map_while(Result::ok).find(|line| {
        if line.starts_with("redirect_uri") {
            redirect.clone_from(line);
        }
        line.contains("were not acknowledged")
    });
    let refused = refused.unwrap();
    assert!(
        refused.contains("403") && refused.contains("--token-file"),
        "{refused}"
    );
    assert!(
        redirect.contains(&format!("https://localhost:{port}/oauth/callback")),
        "{redirect}"
    );
    assert!(qbo_relay(&["--version"]).status.success());
}
