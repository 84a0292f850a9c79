//! The whole line by the real binary: from Intuit's socket to the receiver, and what it weighs.

use crate::load::{self, TOKEN};
use crate::{Mishap, machine};
use http::Response;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Posts that are followed one by one.
const FOLLOWED: usize = 500;

struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Prints the times from socket to receiver and the memory of the process.
pub(crate) async fn measure(folder: &Path, posts: usize) -> Result<(), Mishap> {
    let (arrived, mut arrivals) = mpsc::channel(1 << 16);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let receiver = listener.local_addr()?;
    tokio::spawn(receive(listener, arrived));
    let (relay, address) = start(folder, receiver)?;
    let pid = relay.0.id();
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

fn start(folder: &Path, receiver: SocketAddr) -> Result<(Relay, SocketAddr), Mishap> {
    let config = folder.join("line.toml");
    let text = format!(
        r#"[listen]
https = "127.0.0.1:0"
[tls]
self_signed = true
[[verifier]]
name = "bench"
token = "{TOKEN}"
[journal]
path = "line/journal.db"
bytes_max = "4 GiB"
[[sink]]
name = "receiver"
kind = "http"
url = "http://{receiver}/"
signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[admin]
listen = "127.0.0.1:0"
"#
    );
    std::fs::write(&config, text)?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_qbo-relay"))
        .args(["run", "--config"])
        .arg(&config)
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = child.stderr.take().ok_or("no log")?;
    let relay = Relay(child);
    let mut lines = BufReader::new(stderr).lines();
    for line in lines.by_ref() {
        let line = line?;
        let address = line
            .split("https=")
            .nth(1)
            .and_then(|rest| rest.split(' ').next()?.parse().ok());
        if let Some(address) = address {
            // Read on, so that it never waits for us; what goes wrong is passed on.
            std::thread::spawn(move || {
                let wrong = |line: &String| line.contains("ERROR") || line.contains("WARN");
                lines
                    .map_while(Result::ok)
                    .filter(wrong)
                    .for_each(|line| eprintln!("{line}"));
            });
            return Ok((relay, address));
        }
    }
    Err("the relay did not start".into())
}

/// Accepts everything and tells when it came.
async fn receive(listener: TcpListener, arrived: mpsc::Sender<Instant>) {
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
