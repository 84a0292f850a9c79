//! The house rules that a compiler does not check. Each violation is named with file and line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;

/// The floor of each room directly under `src/`.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("wire", 1),
    ("rules", 1),
    ("files", 1),
    ("clock", 2),
    ("journal", 2),
    ("sink", 2),
    ("tls", 2),
    ("qbo", 2),
    ("vault", 2),
    ("board", 2),
    ("signals", 2),
    ("systemd", 2),
    ("connect", 3),
    ("instances", 3),
    ("server", 3),
    ("worker", 3),
    ("cli", 4),
    ("command", 4),
    ("config", 4),
    ("demo", 4),
    ("logging", 4),
    ("run", 4),
    ("simulate", 4),
    ("terminal", 4),
    ("exit", 4),
    ("main", 4),
    ("lib", 4),
];

struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_under(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    files_under(&src, ".rs")
        .into_iter()
        .map(|path| {
            let first = path
                .strip_prefix(&src)
                .unwrap()
                .components()
                .next()
                .unwrap();
            let room = first
                .as_os_str()
                .to_string_lossy()
                .trim_end_matches(".rs")
                .to_owned();
            let text = fs::read_to_string(&path).unwrap();
            Source { path, room, text }
        })
        .collect()
}

/// The lines of a file that make the product: neither comments nor its test module.
fn product_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let is_test_file = source
        .path
        .file_name()
        .is_some_and(|name| name == "tests.rs");
    source
        .text
        .lines()
        .enumerate()
        .take_while(move |(_, line)| !is_test_file && line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
}

#[track_caller]
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// Every `crate::room` that a line names.
fn rooms_named(line: &str) -> Vec<&str> {
    line.match_indices("crate::")
        .filter_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
                .filter(|room| !room.is_empty())
        })
        .collect()
}

#[test]
fn every_room_is_on_a_floor_and_imports_only_from_below() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut violations = Vec::new();
    for source in sources() {
        let Some(floor) = floors.get(source.room.as_str()) else {
            violations.push(format!(
                "{}: the room `{}` is on no floor",
                source.path.display(),
                source.room
            ));
            continue;
        };
        for (number, line) in product_lines(&source) {
            for named in rooms_named(line) {
                let allowed = match floors.get(named) {
                    Some(other) => other < floor || named == source.room || *floor == 4,
                    None => *floor == 4,
                };
                if !allowed {
                    violations.push(format!(
                        "{}:{number}: {} may not import {named}",
                        source.path.display(),
                        source.room
                    ));
                }
            }
            if line.contains("use crate::{") && *floor < 4 {
                violations.push(format!(
                    "{}:{number}: one `use` a room, so that floors can be seen",
                    source.path.display()
                ));
            }
        }
    }
    none(&violations);
}

#[test]
fn a_file_has_a_head_comment_and_can_be_read_in_one_sitting() {
    let mut violations = Vec::new();
    let tests = files_under(&root().join("tests"), ".rs");
    let paths = sources().into_iter().map(|source| source.path).chain(tests);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            violations.push(format!("{}: no head comment", path.display()));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            violations.push(format!(
                "{}: {lines} lines, more than {LINES_MAX}",
                path.display()
            ));
        }
    }
    none(&violations);
}

#[test]
fn clocks_chance_and_environment_are_asked_in_their_own_rooms_only() {
    let rules: [(&str, &[&str]); 4] = [
        ("SystemTime::now", &["clock.rs"]),
        ("Timestamp::now", &["clock.rs"]),
        (
            "SystemRandom::new",
            // The vault's nonces must never be given from outside: one used twice breaks the seal.
            &["worker/jitter.rs", "vault", "run", "command", "demo"],
        ),
        ("std::env::", &["cli.rs", "run", "command", "terminal.rs"]),
    ];
    let mut violations = Vec::new();
    for source in sources() {
        let place = source
            .path
            .strip_prefix(root().join("src"))
            .unwrap()
            .to_string_lossy()
            .into_owned();
        for (number, line) in product_lines(&source) {
            for (pattern, rooms) in rules {
                if line.contains(pattern) && !rooms.iter().any(|room| place.starts_with(room)) {
                    violations.push(format!("{place}:{number}: {pattern} outside {rooms:?}"));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn pure_floors_are_synchronous_and_do_nothing() {
    let mut violations = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| ["model", "wire", "rules"].contains(&source.room.as_str()))
    {
        for (number, line) in product_lines(source) {
            for pattern in [
                "async ",
                "tokio::",
                "std::fs",
                "std::net",
                "std::thread",
                "Instant::now",
                "rusqlite",
                "hyper",
            ] {
                if line.contains(pattern) {
                    violations.push(format!(
                        "{}:{number}: {pattern} on a pure floor",
                        source.path.display()
                    ));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn queues_are_bounded_and_tasks_are_started_where_somebody_waits_for_their_end() {
    let starters = [
        "run", "demo", "simulate", "command", "server/", "worker/", "journal/",
    ];
    let mut violations = Vec::new();
    for source in sources() {
        let place = source
            .path
            .strip_prefix(root().join("src"))
            .unwrap()
            .to_string_lossy()
            .into_owned();
        for (number, line) in product_lines(&source) {
            // An XML schema says `maxOccurs="unbounded"`.
            let unbounded = line.contains("unbounded") && !line.contains("maxOccurs");
            if unbounded || line.contains("std::sync::mpsc::channel") {
                violations.push(format!("{place}:{number}: an unbounded channel"));
            }
            let starts = line.contains("spawn(") && !line.contains("spawn_blocking(");
            if starts && !starters.iter().any(|room| place.starts_with(room)) {
                violations.push(format!("{place}:{number}: a task is started here"));
            }
        }
    }
    none(&violations);
}

#[test]
fn sqlite_is_known_to_the_journal_only_and_the_provider_is_named_once() {
    let mut violations = Vec::new();
    for source in sources() {
        for (number, line) in product_lines(&source) {
            if line.contains("rusqlite") && source.room != "journal" {
                violations.push(format!(
                    "{}:{number}: rusqlite outside the journal",
                    source.path.display()
                ));
            }
            if line.contains("crypto::ring") && source.room != "tls" {
                violations.push(format!(
                    "{}:{number}: the crypto provider is named outside tls",
                    source.path.display()
                ));
            }
            if line.contains("install_default") {
                violations.push(format!(
                    "{}:{number}: a process-wide crypto provider",
                    source.path.display()
                ));
            }
        }
    }
    none(&violations);
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_switched_off() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("#[ig", "nore"),
        concat!("unimpl", "emented!"),
    ];
    let mut violations = Vec::new();
    for folder in ["src", "tests"] {
        for path in files_under(&root().join(folder), ".rs") {
            let text = fs::read_to_string(&path).unwrap();
            for (index, line) in text.lines().enumerate() {
                if words.iter().any(|word| line.contains(word)) {
                    violations.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn the_top_level_is_the_agreed_one() {
    let agreed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "board",
        "systemd",
        "cross.toml",
        "tests",
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "target",
    ];
    let mut violations = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !agreed.contains(&name.as_str())
            && !name.starts_with('.')
            && !name.starts_with("LICENSE")
        {
            violations.push(format!("{name}: not one of {agreed:?}"));
        }
    }
    none(&violations);
}
