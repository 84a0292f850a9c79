//! This build against another one: both binaries in turn, under the same load, and the ratios.

use crate::relay::Relay;
use crate::{Mishap, line, load, machine};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const CONNECTIONS: usize = 64;
const POSTS: usize = 40_000;
/// Fewer, because each of them is also delivered.
const POSTS_RELAYED: usize = 20_000;

/// What one binary reached in one turn.
#[derive(Clone, Copy)]
struct Turn {
    acknowledged: f64,
    relayed: f64,
    resident_kib: u64,
}

/// Measures `pairs` turns of each and prints the ratios of this build to `other`.
pub(crate) async fn measure(folder: &Path, other: &Path, pairs: usize) -> Result<(), Mishap> {
    let this = PathBuf::from(env!("CARGO_BIN_EXE_qbo-relay"));
    println!(
        "| pair | acknowledged/s | of the other | ratio | relayed/s | of the other | ratio | resident KiB | of the other |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let (mut acknowledged, mut relayed) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        let seed = 0xa9a + 4 * u64::try_from(pair)?;
        // Each is first in every second pair, so that neither always finds the machine warmed up.
        let (here, there) = if pair % 2 == 0 {
            let here = turn(folder, &this, seed).await?;
            (here, turn(folder, other, seed).await?)
        } else {
            let there = turn(folder, other, seed).await?;
            (turn(folder, &this, seed).await?, there)
        };
        let ratios = (
            here.acknowledged / there.acknowledged,
            here.relayed / there.relayed,
        );
        println!(
            "| {} | {:.0} | {:.0} | {:.3} | {:.0} | {:.0} | {:.3} | {} | {} |",
            pair + 1,
            here.acknowledged,
            there.acknowledged,
            ratios.0,
            here.relayed,
            there.relayed,
            ratios.1,
            here.resident_kib,
            there.resident_kib,
        );
        acknowledged.push(ratios.0);
        relayed.push(ratios.1);
    }
    println!(
        "\nmedian of the ratios: {:.3} acknowledged, {:.3} relayed",
        median(acknowledged),
        median(relayed)
    );
    Ok(())
}

async fn turn(folder: &Path, binary: &Path, seed: u64) -> Result<Turn, Mishap> {
    let acknowledged = {
        let (_relay, address) = Relay::start(binary, folder, None)?;
        load::run(address, CONNECTIONS, load::bodies(POSTS, 1, seed))
            .await?
            .rate
    };
    let (arrived, mut arrivals) = mpsc::channel(POSTS_RELAYED);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let receiver = listener.local_addr()?;
    let receiving = tokio::spawn(line::receive(listener, arrived));
    let (relay, address) = Relay::start(binary, folder, Some(receiver))?;
    let bodies = load::bodies(POSTS_RELAYED, 1, seed + 1);
    let began = Instant::now();
    load::run(address, CONNECTIONS, bodies).await?;
    for _ in 0..POSTS_RELAYED {
        arrivals.recv().await.ok_or("the receiver ended")?;
    }
    let took = began.elapsed();
    let resident_kib = machine::resident_kib(relay.id());
    receiving.abort();
    Ok(Turn {
        acknowledged,
        relayed: POSTS_RELAYED as f64 / took.as_secs_f64(),
        resident_kib,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
