//! The server role: the public listener as the relay has it, with the journal behind it or nothing.

use crate::load::TOKEN;
use crate::{Mishap, raw};
use arc_swap::ArcSwap;
use qbo_relay::clock::System;
use qbo_relay::model::{Kept, Limits, Receipt, Secret, Seq, Tally};
use qbo_relay::server::consent::Nobody;
use qbo_relay::server::face::Face;
use qbo_relay::server::public;
use qbo_relay::server::webhook::{Door, Keep, Unkept};
use qbo_relay::tls;
use qbo_relay::wire;
use qbo_relay::wire::signature::Verifier;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// In the journal's place: keeps nothing and says that it did. The ceiling of what a journal can
/// reach behind this server.
struct Nothing;

impl Keep for Nothing {
    async fn keep(&self, receipt: Receipt) -> Result<Kept, Unkept> {
        let changes = u32::try_from(receipt.items.len()).unwrap_or(u32::MAX);
        Ok(Kept::New {
            seq: Seq(1),
            changes,
        })
    }
}

/// Serves until stdin is closed; says its address on stdout.
pub(crate) fn serve(journal: Option<&Path>) -> Result<(), Mishap> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match journal {
        None => runtime.block_on(until_closed(Nothing)),
        Some(path) => {
            let journal = raw::open(path)?;
            runtime.block_on(async {
                until_closed(journal.clone()).await?;
                journal.close().await?;
                Ok(())
            })
        }
    }
}

async fn until_closed<K: Keep>(keep: K) -> Result<(), Mishap> {
    let resolver = Arc::new(tls::Resolver::from_self_signed(&["localhost".to_owned()])?);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let door = Door {
        paths: vec!["/qbowebhook".to_owned()],
        verifiers: ArcSwap::from_pointee(vec![Verifier {
            name: "bench".to_owned(),
            token: Secret::new(TOKEN),
        }]),
        keep,
        face: Face::default(),
        decode: wire::decode,
        clock: Arc::new(System),
        tally: Arc::new(Tally::default()),
        misdirected: Arc::default(),
    };
    let closed = async {
        // A thread of its own, because a read of stdin cannot be called off.
        let (closed, waiting) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            _ = std::io::stdin().read_to_end(&mut Vec::new());
            _ = closed.send(());
        });
        _ = waiting.await;
    };
    public::serve(
        listener,
        tls::server_config(resolver)?,
        Arc::new(door),
        None::<Arc<Nobody>>,
        &Limits::default(),
        closed,
    )
    .await;
    Ok(())
}
