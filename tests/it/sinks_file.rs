//! The file sink: whole lines, on the disk, in order.

use crate::support::changes::{NOW, change, delivery};
use qbo_relay::model::{Manner, Outcome, SinkName, Stage};
use qbo_relay::sink::file::{FileSink, Settings};
use qbo_relay::sink::{Format, Sink};
use qbo_relay::wire::outgoing::open_connectors::OpenConnectors;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

struct Place {
    directory: TempDir,
    file: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("events.jsonl");
    Place { directory, file }
}

fn sink(path: &Path, turn: impl FnOnce(&mut Settings)) -> Sink {
    let mut settings = Settings {
        name: SinkName::new("archive").unwrap(),
        path: path.to_owned(),
        format: Format::CloudEvents,
        rotate_bytes: 16 << 20,
        keep: NonZeroU32::new(3).unwrap(),
        total: Duration::from_secs(20),
    };
    turn(&mut settings);
    Sink::File(FileSink::new(settings))
}

async fn deliver(sink: &Sink, numbers: impl IntoIterator<Item = u8>) -> Outcome {
    let changes = numbers.into_iter().map(change).collect();
    sink.deliver(&delivery(changes), NOW).await
}

/// The sequence numbers in a file of events.
fn sequences(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    events
        .map(|event: Value| event["sequence"].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn every_event_is_a_line_in_a_file_that_only_the_owner_reads() {
    let place = place();
    let sink = sink(&place.file, |_| ());
    assert_eq!(deliver(&sink, [1]).await, Outcome::Accepted);
    assert_eq!(deliver(&sink, [2, 3]).await, Outcome::Accepted);
    assert_eq!(sequences(&place.file), [1, 2, 3]);
    let mode = fs::metadata(&place.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_batch_and_an_envelope_are_one_line_each() {
    let place = place();
    let batch = sink(&place.file, |settings| {
        settings.format = Format::CloudEventsBatch;
    });
    let envelope = sink(&place.file, |settings| {
        settings.format = Format::OpenConnectors(OpenConnectors::default());
    });
    assert_eq!(deliver(&batch, [1, 2]).await, Outcome::Accepted);
    assert_eq!(deliver(&envelope, [3]).await, Outcome::Accepted);
    let text = fs::read_to_string(&place.file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].as_array().unwrap().len(), 2);
    assert_eq!(lines[1]["message"]["events"][0]["objectId"], "3");
}

#[tokio::test]
async fn a_replay_says_so() {
    let place = place();
    let mut again = delivery(vec![change(1)]);
    again.manner = Manner::Replay(1);
    sink(&place.file, |_| ()).deliver(&again, NOW).await;
    let text = fs::read_to_string(&place.file).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap()["replay"],
        true
    );
}

#[tokio::test]
async fn a_half_line_that_a_crash_left_stands_alone() {
    let place = place();
    let sink = sink(&place.file, |_| ());
    deliver(&sink, [1]).await;
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&place.file)
        .unwrap();
    file.write_all(b"{\"specversion\":\"1.0\",\"id").unwrap();
    assert_eq!(deliver(&sink, [2]).await, Outcome::Accepted);
    let text = fs::read_to_string(&place.file).unwrap();
    let readable: Vec<bool> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).is_ok())
        .collect();
    assert_eq!(readable, [true, false, true]);
}

#[tokio::test]
async fn a_full_file_moves_on_and_the_oldest_goes() {
    let place = place();
    let sink = sink(&place.file, |settings| {
        settings.rotate_bytes = 1;
        settings.keep = NonZeroU32::new(2).unwrap();
    });
    for number in 1..=4 {
        assert_eq!(deliver(&sink, [number]).await, Outcome::Accepted);
    }
    let numbered = |number: u32| {
        place
            .directory
            .path()
            .join(format!("events.jsonl.{number}"))
    };
    assert_eq!(sequences(&place.file), [4]);
    assert_eq!(sequences(&numbered(1)), [3]);
    assert_eq!(sequences(&numbered(2)), [2]);
    assert!(!numbered(3).exists());
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_begun_anew() {
    let place = place();
    let sink = sink(&place.file, |_| ());
    deliver(&sink, [1]).await;
    let moved = place.directory.path().join("taken");
    fs::rename(&place.file, &moved).unwrap();
    assert_eq!(deliver(&sink, [2]).await, Outcome::Accepted);
    assert_eq!(sequences(&moved), [1]);
    assert_eq!(sequences(&place.file), [2]);
}

#[tokio::test]
async fn deliveries_at_the_same_time_do_not_mix_their_lines() {
    let place = place();
    let sink = Arc::new(sink(&place.file, |settings| settings.rotate_bytes = 4096));
    let mut writes = tokio::task::JoinSet::new();
    for number in 1..=60 {
        let sink = Arc::clone(&sink);
        writes.spawn(async move { deliver(&sink, [number, number + 100]).await });
    }
    while let Some(outcome) = writes.join_next().await {
        assert_eq!(outcome.unwrap(), Outcome::Accepted);
    }
    let pairs = sequences(&place.file);
    assert!(!pairs.is_empty());
    for pair in pairs.chunks(2) {
        assert_eq!(pair[0] + 100, pair[1]);
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_a_failure_with_its_cause() {
    let place = place();
    let below = place.file.join("missing/events.jsonl");
    fs::write(&place.file, "").unwrap();
    for (path, cause) in [
        (below.as_path(), "not a directory"),
        (place.directory.path(), "is a directory"),
        (Path::new("/dev/null"), "is a device, not a file"),
    ] {
        let outcome = deliver(&sink(path, |_| ()), [1]).await;
        let Outcome::Failed {
            stage: Stage::File,
            detail,
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert!(detail.contains(cause), "{detail}");
    }
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_holds_nobody_up() {
    let place = place();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let pipe = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &place.file, pipe, mode, 0).unwrap();
    let outcome = deliver(&sink(&place.file, |_| ()), [1]).await;
    assert!(
        matches!(
            outcome,
            Outcome::Failed {
                stage: Stage::File,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_nothing_behind() {
    // The largest size that this file system allows stands in for a full disk: a line that begins
    // just below it is cut there.
    let place = place();
    let file = fs::File::create(&place.file).unwrap();
    let (mut fits, mut fails) = (0, i64::MAX.cast_unsigned());
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        match file.set_len(middle) {
            Ok(()) => fits = middle,
            Err(_) => fails = middle,
        }
    }
    let length = fits - 10;
    file.set_len(length).unwrap();
    let sink = sink(&place.file, |settings| settings.rotate_bytes = u64::MAX);
    let outcome = deliver(&sink, [1]).await;
    assert!(
        matches!(
            outcome,
            Outcome::Failed {
                stage: Stage::File,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(file.metadata().unwrap().len(), length);
}
