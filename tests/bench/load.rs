//! The load: distinct signed bodies over kept-alive TLS connections, and the time of each answer.

use crate::Mishap;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use qbo_relay::model::{Secret, Timestamp};
use qbo_relay::simulate::company::{Companies, PayloadForm};
use qbo_relay::wire::signature;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// The verifier token of every benchmark.
pub(crate) const TOKEN: &str = "d691402a-9b97-4836-9989-938628cc2927";

/// A body with its signature, made before the clock runs.
#[derive(Clone)]
pub(crate) struct Signed {
    body: Bytes,
    signature: String,
}

/// What a load came to.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) half: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) posts: usize,
}

/// So many distinct bodies of so many events; the seed keeps loads apart from each other.
pub(crate) fn bodies(count: usize, events: usize, seed: u64) -> Vec<Signed> {
    let token = Secret::new(TOKEN);
    let start =
        Timestamp::from_ms(1_790_000_000_000 + i64::try_from(seed).unwrap_or(0) * 10_000_000);
    let mut companies = Companies::new(10, seed, start);
    let sign = |body: Vec<u8>| Signed {
        signature: signature::sign(&token, &body),
        body: Bytes::from(body),
    };
    (0..count)
        .map(|_| {
            sign(
                companies
                    .next_payload(PayloadForm::Cloudevents, events)
                    .body,
            )
        })
        .collect()
}

/// Sends the bodies over so many connections, each as fast as its answers come.
pub(crate) async fn run(
    address: SocketAddr,
    connections: usize,
    bodies: Vec<Signed>,
) -> Result<Figures, Mishap> {
    let share = bodies.len().div_ceil(connections);
    let mut open = Vec::new();
    for part in bodies.chunks(share) {
        open.push((Line::open(address).await?, part.to_vec()));
    }
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for (line, part) in open {
        senders.spawn(line.send(part));
    }
    let mut times = Vec::with_capacity(bodies.len());
    while let Some(part) = senders.join_next().await {
        times.extend(part??);
    }
    let took = began.elapsed();
    times.sort_unstable();
    let at = |thousandths: usize| {
        times
            .get((times.len() - 1) * thousandths / 1000)
            .copied()
            .unwrap_or_default()
    };
    Ok(Figures {
        rate: times.len() as f64 / took.as_secs_f64(),
        half: at(500),
        p99: at(990),
        p999: at(999),
        posts: times.len(),
    })
}

/// One kept-alive connection.
pub(crate) struct Line(SendRequest<Full<Bytes>>);

impl Line {
    /// Connects, whatever certificate is shown.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Mishap> {
        let tls = TlsConnector::from(Arc::new(qbo_relay::simulate::insecure_client()));
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let stream = tls
            .connect(ServerName::try_from("localhost")?, socket)
            .await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Posts one body; how long the acknowledgement took.
    pub(crate) async fn post(
        &mut self,
        Signed { body, signature }: Signed,
    ) -> Result<Duration, Mishap> {
        let request = Request::post("/qbowebhook")
            .header("host", "localhost")
            .header(
                "content-type",
                "application/cloudevents-batch+json; charset=utf-8",
            )
            .header("intuit-signature", signature)
            .body(Full::new(body))?;
        // The answer before may have been read a moment before the connection is ready for the next.
        self.0.ready().await?;
        let began = Instant::now();
        let response = self.0.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status != 200 {
            return Err(format!("answered {status}").into());
        }
        Ok(began.elapsed())
    }

    async fn send(mut self, part: Vec<Signed>) -> Result<Vec<Duration>, Mishap> {
        let mut times = Vec::with_capacity(part.len());
        for signed in part {
            times.push(self.post(signed).await?);
        }
        Ok(times)
    }
}
