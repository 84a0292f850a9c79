//! The whole line by the real binary: from Intuit's socket to the receiver, and what it weighs.

use crate::load;
use crate::relay::Relay;
use crate::{Mishap, machine};
use http::Response;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Posts that are followed one by one.
const FOLLOWED: usize = 500;

/// Prints the times from socket to receiver and the memory of the process.
pub(crate) async fn measure(folder: &Path, posts: usize) -> Result<(), Mishap> {
    let (arrived, mut arrivals) = mpsc::channel(1 << 16);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let receiver = listener.local_addr()?;
    tokio::spawn(receive(listener, arrived));
    let (relay, address) = Relay::start(
        Path::new(env!("CARGO_BIN_EXE_qbo-relay")),
        folder,
        Some(receiver),
    )?;
    let pid = relay.id();
    let idle = machine::resident_kib(pid);

    let mut times = Vec::with_capacity(FOLLOWED);
    let mut one = load::Line::open(address).await?;
    for body in load::bodies(FOLLOWED, 1, 0x11e) {
        let began = Instant::now();
        one.post(body).await?;
        let at = arrivals.recv().await.ok_or("the receiver ended")?;
        times.push(at.saturating_duration_since(began));
    }
    times.sort_unstable();
    let at = |thousandths: usize| {
        times
            .get((times.len() - 1) * thousandths / 1000)
            .copied()
            .unwrap_or_default()
    };
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    println!(
        "\nfrom Intuit's socket to the receiver: half within {:.2} ms, 99 % within {:.2} ms ({FOLLOWED} posts, one after the other)",
        ms(at(500)),
        ms(at(990))
    );
    load::run(address, 16, load::bodies(posts, 1, 0x11f)).await?;
    let loaded = machine::resident_kib(pid);
    println!(
        "resident memory of `qbo-relay run`: {idle} KiB idle, {loaded} KiB under the load of 16 connections"
    );
    Ok(())
}

/// Accepts everything and tells when it came.
pub(crate) async fn receive(listener: TcpListener, arrived: mpsc::Sender<Instant>) {
    while let Ok((socket, _)) = listener.accept().await {
        let arrived = arrived.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let arrived = arrived.clone();
                async move {
                    request.into_body().collect().await?;
                    _ = arrived.try_send(Instant::now());
                    Ok::<_, hyper::Error>(Response::new(Empty::<Bytes>::new()))
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
