//! What systemd is told, heard by a socket that the test holds.

use super::lamp::{flashes, lamp_in, wait_for_pattern};
use crate::support::relay::{Gateway, PATIENCE, eventually, has_strace};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A notification socket, and what has come in.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    /// A socket in the gateway's folder, and the words that start a relay under it.
    fn at(gateway: &Gateway, watchdog_s: u64) -> (Self, [String; 3]) {
        let path = gateway.path("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let words = [
            "env".to_owned(),
            format!("NOTIFY_SOCKET={}", path.display()),
            format!("WATCHDOG_USEC={}", watchdog_s * 1_000_000),
        ];
        let heard = Vec::new();
        (Self { socket, heard }, words)
    }

    /// Waits for a message in which a line begins so; the line.
    fn wait_for(&mut self, beginning: &str) -> String {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let mut bytes = [0; 4096];
            let Ok(count) = self.socket.recv(&mut bytes) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            self.heard.push(text.clone());
            if let Some(line) = text.lines().find(|line| line.starts_with(beginning)) {
                return line.to_owned();
            }
        }
        panic!("never heard {beginning:?}; heard {:?}", self.heard);
    }

    /// How often it was told so within this time.
    fn count(&mut self, word: &str, span: Duration) -> usize {
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < span {
            let mut bytes = [0; 4096];
            if let Ok(length) = self.socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                count += text.lines().filter(|line| *line == word).count();
            }
        }
        count
    }
}

#[test]
fn systemd_hears_ready_the_sentence_the_watchdog_reloads_and_the_end() {
    let mut gateway =
        Gateway::new("[[sink]]\nname = \"erp\"\nkind = \"http\"\nurl = \"http://127.0.0.1:9/\"\n");
    let (mut manager, words) = Manager::at(&gateway, 3);
    gateway.start_under(&words.each_ref().map(String::as_str));
    manager.wait_for("READY=1");
    let status = manager.wait_for("STATUS=serving - ");
    assert!(
        status.contains("0 companies - no notification yet"),
        "{status}"
    );
    assert!(manager.count("WATCHDOG=1", Duration::from_secs(4)) >= 3);

    assert!(gateway.simulate(&["--count", "1"]).status.success());
    manager.wait_for("STATUS=storing, but erp cannot be reached");

    gateway.signal("HUP");
    manager.wait_for("RELOADING=1");
    let reloading = manager.heard.last().unwrap();
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.wait_for("READY=1");

    // What cannot be reloaded is refused, and the relay is ready all the same.
    gateway.write("qbo-relay.toml", "nonsense");
    gateway.signal("HUP");
    manager.wait_for("RELOADING=1");
    manager.wait_for("READY=1");

    gateway.signal("TERM");
    manager.wait_for("STOPPING=1");
    assert_eq!(gateway.wait_for_end(), Some(0));
}

/// Ends before the relay that it holds, which could not be waited for otherwise.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn a_writer_that_hangs_in_a_sync_stops_the_watchdogs_word_and_the_lamp_and_is_named() {
    if !has_strace() {
        return;
    }
    let mut gateway = Gateway::new("");
    let (led, table) = lamp_in(gateway.folder.path());
    gateway.configure(&table);
    let (mut manager, words) = Manager::at(&gateway, 30);
    gateway.start_under(&words.each_ref().map(String::as_str));
    manager.wait_for("READY=1");
    wait_for_pattern(&led, 1, 2_000);
    // Every sync from now on takes an hour.
    let pid = gateway.pid().to_string();
    let inject = "inject=fdatasync,fsync:delay_enter=3600s";
    let _tracer = Tracer(
        Command::new("strace")
            .args([
                "-f",
                "-o",
                "/dev/null",
                "-p",
                &pid,
                "-e",
                "trace=fdatasync,fsync",
                "-e",
                inject,
            ])
            .spawn()
            .unwrap(),
    );
    eventually("it is traced", || {
        let mut threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let traced = |thread: &fs::DirEntry| {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            !status.contains("TracerPid:\t0")
        };
        threads.all(|thread| traced(&thread)).then_some(())
    });
    // This one hangs; nobody gets an answer, and nobody is promised anything.
    let sent = gateway.simulate(&["--count", "1"]);
    assert!(!sent.status.success());
    let line = gateway.wait_for_line("no progress of ");
    assert!(line.contains("the journal's writer"), "{line}");
    manager.wait_for("STATUS=stalled: no progress of the journal's writer");
    assert_eq!(manager.count("WATCHDOG=1", Duration::from_secs(11)), 0);
    assert_eq!(flashes(&led, Duration::from_secs(5)), [] as [u128; 0]);
}

#[test]
fn starts_and_ends_are_remembered_with_how_the_last_run_ended() {
    let mut gateway = Gateway::new("");
    gateway.start();
    assert_eq!(gateway.end_by("TERM"), Some(0));
    gateway.start();
    gateway.signal("HUP");
    gateway.wait_for_line("reloaded");
    assert_eq!(gateway.end_by("KILL"), None);
    gateway.start();
    assert_eq!(gateway.end_by("TERM"), Some(0));
    let output = gateway.command(&["journal", "events", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let told: Vec<(String, String)> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| {
            let word = |name: &str| event[name].as_str().unwrap().to_owned();
            (word("kind"), word("text"))
        })
        .filter(|(kind, _)| ["start", "stop", "reload"].contains(&kind.as_str()))
        .map(|(kind, text)| (kind, text.split("; ").last().unwrap().to_owned()))
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(k, t)| (k.as_str(), t.as_str())).collect();
    assert_eq!(
        told,
        [
            ("start", "the first run, or the first that is known of"),
            ("stop", "as it was told to"),
            ("start", "the last run ended: as it was told to"),
            ("reload", "other changes need a restart"),
            (
                "start",
                "the last run was cut off: a power cut, a crash, or a kill"
            ),
            ("stop", "as it was told to"),
        ]
    );
}
