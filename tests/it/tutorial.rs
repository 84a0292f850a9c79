//! The walk of the README, run as it stands there.

use crate::support::relay::PATIENCE;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// The ports that the text names.
const PORTS: [&str; 4] = ["8443", "8081", "8090", "9000"];

/// The shell commands below a heading, up to the next one.
fn commands(readme: &str, heading: &str) -> String {
    let (_, section) = readme.split_once(&format!("\n{heading}\n")).unwrap();
    let mut commands = String::new();
    let mut is_shell = false;
    for line in section.lines() {
        match line {
            "```sh" => is_shell = true,
            "```" => is_shell = false,
            line if is_shell => {
                commands.push_str(line);
                commands.push('\n');
            }
            line if line.starts_with('#') => break,
            _ => {}
        }
    }
    commands
}

/// The same with ports that are free.
fn moved(commands: &str) -> String {
    let taken = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let free = taken.map(|listener| listener.local_addr().unwrap().port());
    let places = PORTS.iter().zip(free);
    places.fold(commands.to_owned(), |text, (port, free)| {
        assert!(text.contains(port), "the walk does not name {port}");
        text.replace(port, &free.to_string())
    })
}

#[test]
fn the_walk_of_the_readme_works_as_it_is_written() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let walk = moved(&commands(
        &fs::read_to_string(readme).unwrap(),
        "### A walk",
    ));
    let folder = tempfile::tempdir().unwrap();
    let script = format!("set -eu -o pipefail\ntrap 'kill $(jobs -p) || true' EXIT\n{walk}");
    fs::write(folder.path().join("walk.sh"), script).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_qbo-relay")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let limit = PATIENCE.as_secs().to_string();
    let done = Command::new("timeout")
        .args(["--kill-after=10", &limit, "bash", "walk.sh"])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let (out, errors) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    let all = format!(
        "{out}\n{errors}\n{}\n{}\n{}",
        told("events.txt"),
        told("relay.log"),
        told("polling.json")
    );
    assert!(done.status.success(), "{:?}\n{all}", done.status);
    assert_eq!(out.trim_end().lines().last(), Some("401"), "{all}");
    let events = told("events.txt");
    let mut events: Vec<&str> = events.lines().collect();
    events.sort_unstable();
    assert_eq!(
        events,
        [
            "CREATED customers 21",
            "CREATED customers 21|0",
            "CREATED invoices 21",
            "CREATED invoices 21|0",
        ]
    );
}
