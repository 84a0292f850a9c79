//! A reload that is refused fails, is said until it is mended, and changes nothing.

use crate::support::relay::{Gateway, eventually};
use serde_json::Value;
use std::process::Output;

fn status(gateway: &Gateway) -> (Option<i32>, Value) {
    let output = gateway.command(&["status", "--json"]);
    let value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), value)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until the status says that the last reload was refused, or was not.
fn until_refused(gateway: &Gateway, refused: bool) -> (Option<i32>, Value) {
    eventually("the status says so", || {
        let (code, status) = status(gateway);
        (status["reload_refused"].is_string() == refused).then_some((code, status))
    })
}

/// A relay with a certificate from files.
fn with_files() -> Gateway {
    let mut gateway = Gateway::new("");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    gateway.write("cert.pem", &made.cert.pem());
    gateway.write("key.pem", &made.signing_key.serialize_pem());
    let text = std::fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
    let files = "certificate = \"cert.pem\"\nkey = \"key.pem\"";
    gateway.write("qbo-relay.toml", &text.replace("self_signed = true", files));
    gateway.start();
    gateway
}

#[test]
fn a_refused_reload_is_a_failure_and_a_condition_until_one_succeeds() {
    let gateway = with_files();
    assert!(gateway.command(&["reload"]).status.success());
    let good = std::fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
    let certificate = std::fs::read_to_string(gateway.path("cert.pem")).unwrap();
    for (file, broken, sound, part) in [
        ("cert.pem", "nonsense".to_owned(), &certificate, "cert.pem"),
        (
            "verifier",
            "two\nlines\n".to_owned(),
            &crate::support::relay::TOKEN.to_owned(),
            "verifier",
        ),
        (
            "qbo-relay.toml",
            format!("{good}[log]\nlevel = \"lout\"\n"),
            &good,
            "[log] level",
        ),
    ] {
        gateway.write(file, &broken);
        let refused = gateway.command(&["reload"]);
        assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
        let said = stderr(&refused);
        assert!(
            said.contains("not reloaded") && said.contains(part),
            "{said}"
        );
        let (code, told) = until_refused(&gateway, true);
        assert_eq!(code, Some(1));
        assert_eq!(told["condition"], "attention");
        assert!(
            told["reload_refused"].as_str().unwrap().contains(part),
            "{told}"
        );
        assert!(
            told["lamp"]
                .as_str()
                .unwrap()
                .starts_with("4 short flashes"),
            "{told}"
        );
        gateway.write(file, sound);
        // What was before still serves.
        assert!(gateway.simulate(&["--count", "1"]).status.success());
        assert!(gateway.command(&["reload"]).status.success());
        let (_, told) = until_refused(&gateway, false);
        assert_eq!(told["reload_refused"], Value::Null);
    }
}

#[test]
fn a_hangup_that_is_refused_is_said_too_and_so_is_a_file_that_nothing_can_be_read_from() {
    let mut gateway = with_files();
    let good = std::fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
    gateway.write("key.pem", "nonsense");
    gateway.signal("HUP");
    gateway.wait_for_line("not reloaded");
    until_refused(&gateway, true);
    assert!(
        !gateway
            .lines
            .iter()
            .any(|line| line.contains("reloaded certificates"))
    );

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    gateway.write("cert.pem", &made.cert.pem());
    gateway.write("key.pem", &made.signing_key.serialize_pem());
    gateway.signal("HUP");
    gateway.wait_for_line("reloaded certificates");
    until_refused(&gateway, false);

    // As the unit runs it: the command cannot know where the socket is, and tells the process.
    gateway.write("qbo-relay.toml", "nonsense");
    let pid = gateway.pid().to_string();
    let refused = gateway.command(&["reload", "--pid", &pid]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    gateway.wait_for_line("not reloaded");
    gateway.write("qbo-relay.toml", &good);
    until_refused(&gateway, true);
    assert!(gateway.command(&["reload"]).status.success());
    until_refused(&gateway, false);
    assert_eq!(gateway.end_by("TERM"), Some(0));
    let ended = gateway.command(&["reload"]);
    assert_eq!(ended.status.code(), Some(3));
}
