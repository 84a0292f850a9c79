//! A device without a clock that runs while it is off: the relay receives from the first second,
//! whatever the date says, and waits with what needs the time.

use crate::support::changes::NOW;
use crate::support::house::{House, to};
use crate::support::receiver::{Answer, Receiver};
use crate::support::relay::{Gateway, eventually};
use qbo_relay::model::{ClockTrust, Device, Timestamp};
use qbo_relay::sink::Format;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn deliveries_over_the_network_wait_for_a_clock_that_can_be_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200)).await;
    let waiting = Device {
        clock: ClockTrust::Waiting,
        ..Device::default()
    };
    let device = watch::Sender::new(waiting);
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open_with(directory.path(), sinks, |worker| {
        worker.device = device.subscribe();
    })
    .await;
    house.arrive("310687", 1).await;
    house.until(|health| health.waiting == 1).await;
    // Many ticks of the lanes.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.requests().len(), 0);
    device.send_replace(Device::default());
    house.until_delivered(1).await;
    house.close().await;
}

#[tokio::test]
async fn jumps_of_the_clock_in_both_directions_neither_lose_nor_hold_back_anything() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|number, _| match number % 2 {
        0 => Answer::Status(500),
        _ => Answer::Status(200),
    })
    .await;
    let sinks = vec![to(&receiver, "erp", Format::CloudEvents)];
    let house = House::open(directory.path(), sinks).await;
    let times = [
        NOW.plus(400 * DAY),
        Timestamp::from_ms(0),
        NOW,
        NOW.plus(30 * DAY),
        NOW.minus(365 * DAY),
    ];
    for (number, at) in (1_u8..).zip(times) {
        // It fails once at this time, and is tried again after the jump to the next.
        house.clock.set(at);
        house.arrive("310687", number).await;
        let so_far = usize::from(number);
        receiver.wait_for(2 * so_far - 1).await;
        house.clock.set(at.minus(1000 * DAY));
        house.run_until(&receiver, 2 * so_far).await;
        house.until_delivered(u64::from(number)).await;
    }
    house.close().await;
}

/// The library that shows a program another time, where it is installed; says so when not.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let found = folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists());
    if found.is_none() {
        crate::support::skip("faketime is not installed");
    }
    found
}

/// A file sink, which needs no clock, and one over the network (to a port that nobody serves).
const TABLES: &str = r#"
[clock]
wait = "1 h"
synchronized_file = "timesync/synchronized"
[[sink]]
name = "lines"
kind = "file"
path = "out.jsonl"
[[sink]]
name = "erp"
kind = "http"
url = "http://127.0.0.1:9/hook"
retry_delays = ["100 ms"]
retry_every = "100 ms"
"#;

/// Shows the relay another time from now on. The file is replaced in one step, because the library reads
/// it at each call, and takes an empty one for no offset at all.
fn set_clock(gateway: &Gateway, offset: &str) {
    gateway.write("offset-next", offset);
    fs::rename(gateway.path("offset-next"), gateway.path("offset")).unwrap();
}

fn send(gateway: &Gateway, seed: &str) {
    let sent = gateway.simulate(&["--count", "2", "--seed", seed]);
    assert!(sent.status.success(), "{sent:?}");
}

fn status(gateway: &Gateway) -> Value {
    let output = gateway.command(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn in_file(gateway: &Gateway, count: usize) {
    eventually("the file has them", || {
        (gateway.json_lines("out.jsonl").len() == count).then_some(())
    });
}

#[test]
fn a_relay_that_starts_in_1970_receives_at_once_and_delivers_when_the_clock_is_set() {
    let Some(library) = faketime() else { return };
    let mut gateway = Gateway::new(TABLES);
    fs::create_dir(gateway.path("timesync")).unwrap();
    // 2026 less 55 years and a half.
    set_clock(&gateway, "-20300d");
    let words = [
        "env".to_owned(),
        format!("LD_PRELOAD={}", library.display()),
        format!(
            "FAKETIME_TIMESTAMP_FILE={}",
            gateway.path("offset").display()
        ),
        "FAKETIME_NO_CACHE=1".into(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".into(),
    ];
    gateway.start_under(&words.each_ref().map(String::as_str));
    assert!(gateway.https.is_some(), "{:?}", gateway.lines);
    send(&gateway, "1");
    in_file(&gateway, 2);
    let seen = status(&gateway);
    assert!(seen["at"].as_str().unwrap().starts_with("197"), "{seen}");
    assert_eq!(seen["clock"], "waiting");
    assert_eq!(seen["condition"], "starting");
    assert!(seen["certificate_seconds_left"].is_null());
    assert_eq!(seen["sinks_in_trouble"].as_array().unwrap().len(), 0);

    // The network is up: the clock is set, and what waited goes out.
    set_clock(&gateway, "+0d");
    gateway.write("timesync/synchronized", "");
    eventually("the sink is tried", || {
        let seen = status(&gateway);
        (seen["clock"] == "trusted" && seen["condition"] == "blocked").then_some(())
    });
    assert!(status(&gateway)["at"].as_str().unwrap().starts_with("20"));

    for (seed, offset) in [("2", "+100d"), ("3", "-20300d"), ("4", "+0d")] {
        set_clock(&gateway, offset);
        send(&gateway, seed);
        in_file(&gateway, 2 * seed.parse::<usize>().unwrap());
        gateway.wait_for_line("the clock jumped by ");
    }
    eventually("the clock is trusted again", || {
        (status(&gateway)["clock"] == "trusted").then_some(())
    });
    assert_eq!(gateway.end_by("TERM"), Some(0));
    let journal = gateway.path("state/journal.db");
    let events = qbo_relay::journal::Inspection::open(&journal).unwrap();
    let clock: Vec<String> = events
        .events(50)
        .unwrap()
        .into_iter()
        .filter(|event| event.kind == "clock")
        .map(|event| event.text)
        .collect();
    assert!(
        clock.iter().any(|text| text == "the clock can be trusted"),
        "{clock:?}"
    );
    assert!(
        clock
            .iter()
            .any(|text| text.contains("the clock jumped by -")),
        "{clock:?}"
    );
}
