//! The walk of the README, run as it stands there.

use crate::support::relay::PATIENCE;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// The ports that the text names.
const PORTS: [&str; 4] = ["8443", "8081", "8090", "9000"];

/// What stands in fenced blocks below a heading: the shell commands, and what they are said to print.
fn blocks(readme: &str, heading: &str) -> (String, String) {
    let (_, section) = readme.split_once(&format!("\n{heading}\n")).unwrap();
    let (mut commands, mut shown) = (String::new(), String::new());
    let mut fence = None;
    for line in section.lines() {
        match (fence, line) {
            (None, line) if line.starts_with("```") => fence = Some(line),
            (Some(_), "```") => fence = None,
            (Some("```sh"), line) => commands += &format!("{line}\n"),
            (Some(_), line) => shown += &format!("{line}\n"),
            (None, line) if line.starts_with('#') => break,
            (None, _) => {}
        }
    }
    (commands, shown)
}

/// The same with ports that are free, in one go: the digits of a free one are not looked at again.
fn moved(commands: &str) -> String {
    let free = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let free = free.map(|listener| listener.local_addr().unwrap().port().to_string());
    let mut moved = String::new();
    let mut rest = commands;
    let next = |text: &str| {
        let found = PORTS.iter().zip(&free);
        let found = found.filter_map(|(port, free)| Some((text.find(port)?, port.len(), free)));
        found
            .min()
            .map(|(at, length, free)| (at, length, free.clone()))
    };
    while let Some((at, length, free)) = next(rest) {
        moved += &rest[..at];
        moved += &free;
        rest = &rest[at + length..];
    }
    assert!(
        PORTS.iter().all(|port| commands.contains(port)),
        "a port is not named"
    );
    moved + rest
}

/// Without what differs from one walk to the next: tokens and times, which stand in quotes.
fn steady(printed: &str) -> String {
    let parts = printed.split('"').map(|part| match part.as_bytes() {
        [.., b'='] if part.len() == 44 => "(token)",
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T', .., b'Z'] => "(time)",
        _ => part,
    });
    parts.collect::<Vec<_>>().join("\"")
}

#[test]
fn the_walk_of_the_readme_works_and_prints_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (walk, shown) = blocks(&readme, "### A walk");
    let walk = moved(&walk);
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
    assert_eq!(steady(&out), steady(&shown), "{all}");
}
