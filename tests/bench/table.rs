//! The table: which roles run with which loads, and what is printed of it.

use crate::child::Role;
use crate::load::{self, Figures};
use crate::{Mishap, against, books, line, machine};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Connections and events a delivery; posts are as many as take some seconds here.
const LOADS: [(usize, usize, usize); 6] = [
    (1, 1, 2_000),
    (16, 1, 20_000),
    (64, 1, 40_000),
    (1, 20, 1_000),
    (16, 20, 6_000),
    (64, 20, 8_000),
];
const FULL: usize = 1_000_000;

/// Measures the whole line only.
pub(crate) fn line() -> Result<(), Mishap> {
    let folder = tempfile::Builder::new()
        .prefix("qbo-relay-bench-")
        .tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(line::measure(folder.path(), 20_000))
}

/// Compares this build with another one.
pub(crate) fn against(other: &Path, pairs: usize) -> Result<(), Mishap> {
    let folder = tempfile::Builder::new()
        .prefix("qbo-relay-bench-")
        .tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(against::measure(folder.path(), other, pairs))
}

/// Prints what reading companies costs.
pub(crate) fn books() -> Result<(), Mishap> {
    let folder = tempfile::Builder::new()
        .prefix("qbo-relay-bench-")
        .tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(books::measure(folder.path()))
}

/// Measures everything and prints the table; `quick` does a tenth, to see that it works.
pub(crate) fn print(quick: bool) -> Result<(), Mishap> {
    let folder = tempfile::Builder::new()
        .prefix("qbo-relay-bench-")
        .tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let share = if quick { 10 } else { 1 };
    println!("machine: {}", machine::description(folder.path()));
    let commit = raw(&folder)?;
    println!(
        "\n| journal | connections | events | acknowledged/s | p50 | p99 | p99.9 | of the ceiling | KiB written | flushes | KiB idle | KiB loaded |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut seed = 0;
    let empty = folder.path().join("empty.db");
    let mut at_16 = Duration::ZERO;
    for (connections, events, posts) in LOADS {
        seed += 2;
        let posts = (posts / share).max(connections);
        let ceiling = runtime.block_on(measure(
            &["serve", "nothing"],
            connections,
            load::bodies(posts, events, seed),
        ))?;
        row("none (ceiling)", connections, events, &ceiling, None);
        let words = serving(&empty)?;
        let journaled = runtime.block_on(measure(
            &words,
            connections,
            load::bodies(posts, events, seed + 1),
        ))?;
        row(
            "empty at first",
            connections,
            events,
            &journaled,
            Some(&ceiling),
        );
        if (connections, events) == (16, 1) {
            at_16 = journaled.figures.p99;
        }
    }
    println!(
        "\np99 at 16 connections: {:.1} lone commits",
        at_16.as_secs_f64() / commit.as_secs_f64()
    );
    full(&folder, &runtime, share, seed)?;
    runtime.block_on(line::measure(folder.path(), 20_000 / share))
}

/// The same load on a journal with few and on one with a million receipts, in turn.
fn full(
    folder: &TempDir,
    runtime: &tokio::runtime::Runtime,
    share: usize,
    mut seed: u64,
) -> Result<(), Mishap> {
    let (few, many) = (folder.path().join("few.db"), folder.path().join("many.db"));
    Role::start(&["fill", utf8(&many)?, &(FULL / share).to_string()])?.finish()?;
    println!(
        "\n| receipts stored | connections | events | acknowledged/s | p50 | p99 | p99.9 | of the other | KiB written | flushes | KiB idle | KiB loaded |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (connections, posts) in [(1, 2_000), (16, 20_000), (64, 40_000)] {
        seed += 2;
        let posts = (posts / share).max(connections);
        let at_few = runtime.block_on(measure(
            &serving(&few)?,
            connections,
            load::bodies(posts, 1, seed),
        ))?;
        row("0 at first", connections, 1, &at_few, None);
        let at_many = runtime.block_on(measure(
            &serving(&many)?,
            connections,
            load::bodies(posts, 1, seed + 1),
        ))?;
        row(
            &format!("{}", FULL / share),
            connections,
            1,
            &at_many,
            Some(&at_few),
        );
    }
    Ok(())
}

fn utf8(path: &Path) -> Result<&str, Mishap> {
    path.to_str()
        .ok_or_else(|| "the temporary folder's path is not UTF-8".into())
}

fn serving(path: &Path) -> Result<Vec<&str>, Mishap> {
    Ok(vec!["serve", "journal", utf8(path)?])
}

struct Measured {
    figures: Figures,
    idle_kib: u64,
    loaded_kib: u64,
    written_kib: f64,
    flushes: f64,
}

async fn measure(
    words: &[&str],
    connections: usize,
    bodies: Vec<load::Signed>,
) -> Result<Measured, Mishap> {
    let mut server = Role::start(words)?;
    let address = server.address()?;
    let idle_kib = server.resident_kib();
    let (written, flushes) = (server.written_bytes(), machine::flushes());
    let figures = load::run(address, connections, bodies).await?;
    let each = |total: u64| total as f64 / figures.posts as f64;
    let measured = Measured {
        idle_kib,
        loaded_kib: server.resident_kib(),
        written_kib: each(server.written_bytes() - written) / 1024.0,
        flushes: each(machine::flushes() - flushes),
        figures,
    };
    server.finish()?;
    Ok(measured)
}

fn row(
    journal: &str,
    connections: usize,
    events: usize,
    measured: &Measured,
    against: Option<&Measured>,
) {
    let ms = |span: Duration| format!("{:.2} ms", span.as_secs_f64() * 1e3);
    let figures = &measured.figures;
    let ratio = against.map_or_else(
        || "-".to_owned(),
        |other| format!("{:.2}", figures.rate / other.figures.rate),
    );
    println!(
        "| {journal} | {connections} | {events} | {:.0} | {} | {} | {} | {ratio} | {:.1} | {:.2} | {} | {} |",
        figures.rate,
        ms(figures.half),
        ms(figures.p99),
        ms(figures.p999),
        measured.written_kib,
        measured.flushes,
        measured.idle_kib,
        measured.loaded_kib,
    );
}

/// Group commit without HTTP; the mean of a lone commit.
fn raw(folder: &TempDir) -> Result<Duration, Mishap> {
    let path = folder.path().join("raw.db");
    let mut role = Role::start(&["raw", utf8(&path)?])?;
    let lone: f64 = role.line()?.parse()?;
    let grouped = role.line()?;
    role.finish()?;
    println!(
        "raw group commit: a lone commit takes {lone:.0} µs; {grouped} receipts/s with 64 waiting"
    );
    Ok(Duration::from_secs_f64(lone / 1e6))
}
