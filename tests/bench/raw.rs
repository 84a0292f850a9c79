//! The journal without a server: group commit of the same rows, and a journal filled to the brim.

use crate::Mishap;
use bytes::Bytes;
use qbo_relay::clock::{Clock, System};
use qbo_relay::journal::{Journal, Settings};
use qbo_relay::model::{Authenticity, Encoding, Limits, Origin, Receipt, SinkName};
use qbo_relay::simulate::company::{Companies, PayloadForm};
use qbo_relay::wire;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A journal with one sink, whose budget does not get in the way.
pub(crate) fn open(path: &Path) -> Result<Journal, Mishap> {
    let settings = Settings {
        path: path.to_owned(),
        bytes_max: 64 << 30,
        keep: Duration::from_secs(365 * 86_400),
        sinks: SinkName::new("bench").into_iter().collect(),
        instances: true,
        keep_records: false,
        limits: Limits::default(),
    };
    Ok(Journal::open(settings, System.now())?)
}

fn receipts(count: usize, seed: u64) -> impl Iterator<Item = Receipt> {
    let start = System.now();
    let mut companies = Companies::new(10, seed, start);
    (0..count).map(move |_| {
        let body = companies.next_payload(PayloadForm::Cloudevents, 1).body;
        let decoded = wire::decode(&body, 10_000);
        Receipt {
            received_at: start,
            source: "bench".to_owned(),
            authenticity: Authenticity::Signed,
            origin: Origin::Webhook,
            encoding: Encoding::Json,
            form: decoded.form,
            headers: Vec::new(),
            body: Bytes::from(body),
            items: decoded.items,
        }
    })
}

/// Appends so many receipts as fast as they go.
pub(crate) fn fill(path: &Path, count: usize) -> Result<(), Mishap> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let journal = open(path)?;
    runtime.block_on(async {
        append_all(&journal, receipts(count, 0xf111), 512).await?;
        journal.close().await?;
        Ok(())
    })
}

async fn append_all(
    journal: &Journal,
    receipts: impl Iterator<Item = Receipt>,
    at_a_time: usize,
) -> Result<usize, Mishap> {
    let mut waiting = JoinSet::new();
    let mut done = 0;
    for receipt in receipts {
        if waiting.len() >= at_a_time
            && let Some(kept) = waiting.join_next().await
        {
            kept??;
            done += 1;
        }
        let journal = journal.clone();
        waiting.spawn(async move { journal.append(receipt).await });
    }
    while let Some(kept) = waiting.join_next().await {
        kept??;
        done += 1;
    }
    Ok(done)
}

/// Says two figures on stdout: mean microseconds of a lone commit, and receipts a second when 64
/// wait at a time.
pub(crate) fn measure(path: &Path) -> Result<(), Mishap> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let journal = open(path)?;
    runtime.block_on(async {
        let lone = 500;
        let began = Instant::now();
        append_all(&journal, receipts(lone, 0x10e), 1).await?;
        println!("{:.0}", began.elapsed().as_secs_f64() * 1e6 / lone as f64);
        let prepared: Vec<Receipt> = receipts(20_000, 0x64).collect();
        let began = Instant::now();
        let done = append_all(&journal, prepared.into_iter(), 64).await?;
        println!("{:.0}", done as f64 / began.elapsed().as_secs_f64());
        journal.close().await?;
        Ok(())
    })
}
