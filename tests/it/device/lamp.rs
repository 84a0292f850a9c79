//! The lamp of a running relay: a folder that looks like one of /sys/class/leds is watched, as a person
//! would watch the lamp.

use crate::support::relay::{Gateway, eventually, qbo_relay};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A sink that nobody answers for: the discard port.
const DEAF: &str = r#"
[[sink]]
name = "erp"
kind = "http"
url = "http://127.0.0.1:9/hook"
retry_delays = ["100 ms"]
retry_every = "1 s"
"#;

/// A folder with the files of a kernel lamp, and the table that names it.
pub(super) fn lamp_in(folder: &Path) -> (PathBuf, String) {
    let led = folder.join("ACT");
    fs::create_dir(&led).unwrap();
    for (name, text) in [
        ("brightness", "0"),
        ("max_brightness", "255\n"),
        ("trigger", "none [mmc0] timer"),
    ] {
        fs::write(led.join(name), text).unwrap();
    }
    let table = format!("[led]\nled_class = \"{}\"\n", led.display());
    (led, table)
}

fn is_lit(led: &Path) -> bool {
    loop {
        // Between the truncation and the write of a plain file there is nothing; a kernel's has no
        // such moment.
        match fs::read_to_string(led.join("brightness")).unwrap().as_str() {
            "" => {}
            "0" => return false,
            level => {
                assert_eq!(level, "255");
                return true;
            }
        }
    }
}

/// When the lamp went on, in milliseconds, while somebody looked for this long.
pub(super) fn flashes(led: &Path, span: Duration) -> Vec<u128> {
    let (began, mut was, mut starts) = (Instant::now(), is_lit(led), Vec::new());
    while began.elapsed() < span {
        let lit = is_lit(led);
        if lit && !was {
            starts.push(began.elapsed().as_millis());
        }
        was = lit;
        std::thread::sleep(Duration::from_millis(3));
    }
    starts
}

/// Waits until the lamp shows so many flashes in each group, the groups that far apart.
pub(super) fn wait_for_pattern(led: &Path, count: usize, period_ms: u128) {
    eventually(&format!("{count} flashes every {period_ms} ms"), || {
        let starts = flashes(
            led,
            Duration::from_millis(2_200)
                + Duration::from_millis(2) * u32::try_from(period_ms).unwrap(),
        );
        let pauses: Vec<u128> = starts.windows(2).map(|two| two[1] - two[0]).collect();
        let long = period_ms - 400 * (u128::try_from(count).unwrap() - 1);
        let near = |pause: u128, expected: u128| pause.abs_diff(expected) < 150;
        let long_at: Vec<usize> = (0..pauses.len())
            .filter(|at| near(pauses[*at], long))
            .collect();
        let short = pauses
            .iter()
            .all(|pause| near(*pause, long) || near(*pause, 400));
        let grouped = long_at.windows(2).all(|two| two[1] - two[0] == count);
        (short && grouped && long_at.len() >= 2).then_some(())
    });
}

#[test]
fn the_lamp_shows_how_the_relay_is_and_stands_still_when_it_is_killed() {
    let mut gateway = Gateway::new("");
    let (led, table) = lamp_in(gateway.folder.path());
    gateway.configure(&format!("{table}{DEAF}"));
    gateway.start();
    wait_for_pattern(&led, 1, 2_000);
    assert_eq!(fs::read_to_string(led.join("trigger")).unwrap(), "none");

    let sent = gateway.simulate(&["--count", "1"]);
    assert!(sent.status.success());
    wait_for_pattern(&led, 3, 3_000);

    assert_eq!(gateway.end_by("KILL"), None);
    assert_eq!(flashes(&led, Duration::from_secs(5)), [] as [u128; 0]);
    assert!(
        qbo_relay(&["led", "stopped", "--config", &gateway.config()])
            .status
            .success()
    );
    assert!(is_lit(&led));
}

#[test]
fn a_relay_that_stands_still_has_a_lamp_that_stands_still() {
    let mut gateway = Gateway::new("");
    let (led, table) = lamp_in(gateway.folder.path());
    gateway.configure(&table);
    gateway.start();
    wait_for_pattern(&led, 1, 2_000);
    gateway.signal("STOP");
    assert_eq!(flashes(&led, Duration::from_secs(5)), [] as [u128; 0]);
    gateway.signal("CONT");
    wait_for_pattern(&led, 1, 2_000);
    assert_eq!(gateway.end_by("TERM"), Some(0));
}

#[test]
fn a_lamp_that_is_missing_is_a_warning_and_the_relay_serves() {
    for (table, why) in [
        (
            "[led]\nled_class = \"/nowhere/lamp\"\n",
            "has no lamp /nowhere/lamp",
        ),
        (
            "[led]\nline = \"NOLINE17\"\n",
            "no GPIO line is called NOLINE17",
        ),
        (
            "[led]\nboard = \"raspberry-pi-4\"\nled_class = \"/nowhere/lamp\"\n",
            "has no lamp",
        ),
    ] {
        let mut gateway = Gateway::new(table);
        gateway.start();
        let line = gateway.line("no lamp: ");
        assert!(line.contains("WARN") && line.contains(why), "{line}");
        assert!(gateway.simulate(&["--count", "1"]).status.success());
        let status = eventually("the status says so", || {
            let output = gateway.command(&["status", "--json"]);
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            status["lamp_trouble"].is_string().then_some(status)
        });
        assert!(status["lamp_trouble"].as_str().unwrap().contains(why));
        assert_eq!(status["condition"], "delivered");
        let check = gateway.command(&["check"]);
        assert_eq!(check.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&check.stdout).contains(why));
    }
}

#[test]
fn a_lamp_that_comes_late_is_found() {
    let mut gateway = Gateway::new("");
    let led = gateway.path("ACT");
    gateway.configure(&format!("[led]\nled_class = \"{}\"\n", led.display()));
    gateway.start();
    gateway.line("no lamp: ");
    lamp_in(gateway.folder.path());
    wait_for_pattern(&led, 1, 2_000);
}

#[test]
fn every_pattern_can_be_shown_by_hand_when_no_relay_drives_the_lamp() {
    let mut gateway = Gateway::new("");
    let (led, table) = lamp_in(gateway.folder.path());
    gateway.configure(&table);
    let shown = gateway.command(&["led", "test", "--seconds", "1"]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    for line in [
        "1 short flash every 2 s       serving; everything delivered",
        "2 short flashes every 2 s     serving; a backlog is being worked off",
        "even blink, 0.5 Hz            starting, or the clock is not trusted yet",
        "3 short flashes every 3 s     serving and storing, but a sink refuses or cannot be reached",
        "4 short flashes every 4 s     a person is needed",
        "even blink, 2.5 Hz            not accepting: the journal is full or broken",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(is_lit(&led));
    gateway.start();
    let refused = gateway.command(&["led", "test", "--seconds", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("systemctl stop qbo-relay"));
}

#[test]
fn after_a_configuration_that_cannot_be_used_the_lamp_calls_for_a_person_before_it_stands_still() {
    let gateway = Gateway::new("");
    let (led, table) = lamp_in(gateway.folder.path());
    gateway.configure(&format!("{table}\nnonsense = 1\n"));
    let stopped = |result: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qbo-relay"));
        command
            .args(["led", "stopped", "--config", &gateway.config()])
            .env("SERVICE_RESULT", result);
        command
    };
    let began = Instant::now();
    let mut child = stopped("exit-code").spawn().unwrap();
    let starts = flashes(&led, Duration::from_secs(7));
    assert_eq!(starts.len(), 8, "{starts:?}");
    assert!(child.wait().unwrap().success());
    assert!(is_lit(&led));
    assert!(began.elapsed() < Duration::from_secs(18));
    // A stop that somebody asked for is over at once.
    let began = Instant::now();
    assert!(stopped("success").status().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(5));
    // Without a lamp, or without a configuration, it is no failure either.
    assert!(
        qbo_relay(&["led", "stopped", "--config", "/nowhere"])
            .status
            .success()
    );
}
