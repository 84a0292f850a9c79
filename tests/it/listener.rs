//! The listener against peers that are silent, slow, greedy or confused.

use crate::support::client::{Client, PATIENCE, read_answer, read_to_close, until, write_some};
use crate::support::gate::{BODY, Gate, Shelf, delivery, head, quick};
use crate::support::process::{Process, serve_if_child};
use qbo_relay::model::Limits;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

/// In which a connection that is to be cut after 0.4 s must be closed, on a busy machine too.
const SOON: Duration = Duration::from_secs(4);

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The preface of HTTP/2 and an empty SETTINGS frame.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_connection_silent_before_its_first_byte_is_closed() {
    let gate = Gate::open(&quick()).await;
    let mut before_tls = gate.client().connect_plain().await.unwrap();
    read_to_close(&mut before_tls, SOON).await;
    assert_eq!(gate.tally.handshakes_failed.value(), 1);
    for protocols in [&[][..], &["http/1.1"], &["h2"], &["h2", "http/1.1"]] {
        let mut after_tls = gate.client().speaking(protocols).connect().await;
        read_to_close(&mut after_tls, SOON).await;
    }
    let faulted = &gate.tally.connections_faulted;
    until("silence counted", || faulted.value() >= 2).await;
}

#[tokio::test]
async fn half_a_hello_half_a_head_and_half_a_preface_are_closed() {
    let gate = Gate::open(&quick()).await;
    let mut hello = gate.client().connect_plain().await.unwrap();
    hello.write_all(b"\x16\x03\x01\x02\0\x01\0").await.unwrap();
    let mut half_head = gate.client().connect().await;
    half_head.write_all(&delivery(BODY)[..40]).await.unwrap();
    let mut preface = gate.client().speaking(&["h2"]).connect().await;
    preface.write_all(&H2_PREFACE[..10]).await.unwrap();
    let mut no_request = gate.client().speaking(&["h2"]).connect().await;
    no_request.write_all(H2_PREFACE).await.unwrap();
    read_to_close(&mut hello, SOON).await;
    read_to_close(&mut half_head, SOON).await;
    read_to_close(&mut preface, SOON).await;
    read_to_close(&mut no_request, SOON).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_request_too() {
    let gate = Gate::open(&quick()).await;
    let mut stream = gate.client().connect().await;
    stream.write_all(&delivery(BODY)).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    read_to_close(&mut stream, SOON).await;
}

#[tokio::test]
async fn a_connection_ends_at_its_age_however_busy_it_is() {
    let limits = Limits {
        connection_age: Duration::from_millis(300),
        ..Limits::default()
    };
    let gate = Gate::open(&limits).await;
    let mut stream = gate.client().connect().await;
    // It ends between two requests, or with an answer that announces it.
    let busy = async {
        while stream.write_all(GET).await.is_ok() {
            if !matches!(stream.read(&mut [0; 1_024]).await, Ok(1..)) {
                break;
            }
        }
    };
    timeout(SOON, busy).await.expect("closed in time");
}

#[tokio::test]
async fn a_peer_that_never_reads_its_answers_is_cut() {
    let gate = Gate::open(&quick()).await;
    let mut stream = gate.client().with_little_room().connect().await;
    let many = GET.repeat(1_000);
    let flood = async { while stream.write_all(&many).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("cut in time");
    assert_eq!(gate.client().ask(&delivery(BODY)).await.status, 200);
}

#[tokio::test]
async fn plain_http_and_garbage_on_the_tls_port_are_closed_and_counted() {
    let gate = Gate::open(&Limits::default()).await;
    let wrong: [&[u8]; 4] = [GET, b"\0\0\0\0\0\0\0\0", H2_PREFACE, b"SSH-2.0-client\r\n"];
    for bytes in wrong {
        let mut stream = gate.client().connect_plain().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let rest = read_to_close(&mut stream, SOON).await;
        assert!(!rest.starts_with(b"HTTP"));
    }
    assert_eq!(gate.tally.handshakes_failed.value(), 4);
    assert_eq!(gate.client().ask(&delivery(BODY)).await.status, 200);
}

#[tokio::test]
async fn http_1_1_on_a_connection_that_agreed_on_h2_is_closed() {
    let gate = Gate::open(&Limits::default()).await;
    let mut stream = gate.client().speaking(&["h2"]).connect().await;
    stream.write_all(&delivery(BODY)).await.unwrap();
    let rest = read_to_close(&mut stream, SOON).await;
    assert!(!rest.windows(4).any(|bytes| bytes == b"HTTP"));
    assert_eq!(gate.tally.requests.value(), 0);
    assert!(gate.shelf.receipts().is_empty());
}

#[tokio::test]
async fn an_h2_preface_on_http_1_1_is_refused() {
    let gate = Gate::open(&Limits::default()).await;
    for protocols in [&[][..], &["http/1.1"]] {
        let mut stream = gate.client().speaking(protocols).connect().await;
        stream.write_all(H2_PREFACE).await.unwrap();
        let rest = read_to_close(&mut stream, SOON).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"));
    }
    let faulted = &gate.tally.connections_faulted;
    until("the confusion counted", || faulted.value() == 2).await;
}

#[tokio::test]
async fn a_head_too_large_is_refused_and_the_sender_reads_why() {
    let gate = Gate::open(&Limits::default()).await;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let fields: String = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    for request in [long, many] {
        let mut stream = gate.client().connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, 431);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        read_to_close(&mut stream, SOON).await;
    }
}

#[tokio::test]
async fn broken_framing_is_refused_and_closed() {
    let gate = Gate::open(&Limits::default()).await;
    let broken = [
        "POST /qbowebhook HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /qbowebhook HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /qbowebhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/3.7\r\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
    ];
    for request in broken {
        let mut stream = gate.client().connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let rest = read_to_close(&mut stream, SOON).await;
        let is_refusal = rest.is_empty() || rest.starts_with(b"HTTP/1.1 400");
        assert!(
            is_refusal,
            "{request:?}: {}",
            String::from_utf8_lossy(&rest)
        );
    }
}

/// A deadline long enough that only displacement can make room.
fn patient(connections_max: usize, connections_per_peer_max: usize) -> Limits {
    Limits {
        handshake: 6 * PATIENCE,
        head: 6 * PATIENCE,
        connections_max,
        connections_per_peer_max,
        ..Limits::default()
    }
}

async fn silent_crowd(client: &Client, count: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        crowd.push(client.connect_plain().await.unwrap());
    }
    crowd
}

#[tokio::test]
async fn a_crowd_of_silent_connections_keeps_nobody_out() {
    let gate = Gate::open(&patient(32, 16)).await;
    let mut neighbour = gate.client().from(2).connect().await;
    let mut crowd = silent_crowd(&gate.client(), 300).await;
    let begun = Instant::now();
    for number in 0..10 {
        let answer = gate
            .client()
            .ask(&delivery(format!("{number}").as_bytes()))
            .await;
        assert_eq!(answer.status, 200);
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(gate.tally.connections_displaced.value() >= 284);
    read_to_close(&mut crowd[0], SOON).await;
    // The crowd displaced its own.
    neighbour.write_all(&delivery(b"neighbour")).await.unwrap();
    assert_eq!(read_answer(&mut neighbour).await.status, 200);
}

#[tokio::test]
async fn a_crowd_from_many_addresses_keeps_nobody_out_either() {
    let gate = Gate::open(&patient(32, 16)).await;
    let mut known = gate.client().from(2).connect().await;
    known.write_all(&delivery(b"first")).await.unwrap();
    assert_eq!(read_answer(&mut known).await.status, 200);
    let mut crowds = Vec::new();
    for last in 10..40 {
        crowds.push(silent_crowd(&gate.client().from(last), 10).await);
    }
    assert_eq!(gate.client().ask(&delivery(BODY)).await.status, 200);
    // Who has brought an authentic delivery stays longest.
    known.write_all(&delivery(b"second")).await.unwrap();
    assert_eq!(read_answer(&mut known).await.status, 200);
}

#[tokio::test]
async fn a_stream_of_newcomers_cuts_off_nobody_who_has_just_begun() {
    let gate = Gate::open(&patient(16, 8)).await;
    let crowds = (0..4_u8).map(|number| {
        let client = gate.client();
        tokio::spawn(async move {
            let mut latest = VecDeque::new();
            for count in (0..=255).cycle() {
                let mut client = client.clone();
                // Each from a network of its own, and the last few stay open.
                client.from = SocketAddr::from(([127, 50 + number, count, 1], 0));
                if let Ok(stream) = client.connect_plain().await {
                    latest.push_back(stream);
                }
                if latest.len() > 8 {
                    latest.pop_front();
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let crowds: Vec<_> = crowds.collect();
    let connections = &gate.tally.connections;
    until("a crowd", || connections.value() > 100).await;
    for number in 0..40 {
        let body = format!("{number}");
        assert_eq!(
            gate.client().ask(&delivery(body.as_bytes())).await.status,
            200
        );
    }
    for crowd in crowds {
        crowd.abort();
    }
}

#[tokio::test]
async fn a_delivery_in_hand_is_never_displaced() {
    let limits = patient(4, 4);
    let gate = Gate::open_with(&limits, Shelf::closed(), qbo_relay::wire::decode).await;
    let mut stream = gate.client().connect().await;
    stream.write_all(&delivery(BODY)).await.unwrap();
    until("the request in hand", || gate.tally.requests.value() == 1).await;
    let _crowd = silent_crowd(&gate.client(), 50).await;
    until("the crowd displaced", || {
        gate.tally.connections_displaced.value() >= 46
    })
    .await;
    gate.shelf.let_in(1);
    assert_eq!(read_answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn an_accept_error_does_not_end_the_listener() {
    let limits = patient(512, 512);
    if serve_if_child(&limits).await {
        return;
    }
    let test = "listener::an_accept_error_does_not_end_the_listener";
    let process = Process::start(test, 48);
    let crowd = silent_crowd(&process.client, 150).await;
    assert_eq!(process.client.ask(&delivery(b"in need")).await.status, 200);
    drop(crowd);
    assert_eq!(process.client.ask(&delivery(b"after")).await.status, 200);
    assert!(process.accept_errors() > 0);
}

#[tokio::test]
async fn four_hundred_half_sent_bodies_fit_into_64_mib() {
    if serve_if_child(&Limits::default()).await {
        return;
    }
    let test = "listener::four_hundred_half_sent_bodies_fit_into_64_mib";
    let process = Process::start(test, 2_000);
    let mut half_sent: Vec<TlsStream<TcpStream>> = Vec::new();
    let half = [b'x'; 200_000];
    for number in 0..400_u16 {
        let from = 1 + u8::try_from(number % 4).unwrap();
        let mut stream = process.client.clone().from(from).connect().await;
        write_some(&mut stream, &head(400_000)).await;
        // Refused ones may be closed in the middle of it.
        let _ = timeout(SOON, write_some(&mut stream, &half)).await;
        half_sent.push(stream);
    }
    assert_eq!(process.client.ask(&delivery(BODY)).await.status, 200);
    let peak = process.memory_peak();
    assert!(peak < 64 << 20, "{peak} bytes resident");
}

#[tokio::test]
async fn shutdown_finishes_the_request_in_hand_and_takes_nobody_new() {
    let limits = Limits::default();
    let mut gate = Gate::open_with(&limits, Shelf::closed(), qbo_relay::wire::decode).await;
    let client = gate.client();
    let mut idle = client.connect().await;
    let mut silent = client.connect_plain().await.unwrap();
    let mut busy = client.connect().await;
    busy.write_all(&delivery(BODY)).await.unwrap();
    until("the request in hand", || gate.tally.requests.value() == 1).await;
    gate.stop();
    read_to_close(&mut idle, SOON).await;
    read_to_close(&mut silent, SOON).await;
    assert!(client.try_connect().await.is_err());
    assert!(!gate.served.is_finished());
    gate.shelf.let_in(1);
    let answer = read_answer(&mut busy).await;
    assert_eq!(answer.status, 200);
    read_to_close(&mut busy, SOON).await;
    timeout(SOON, &mut gate.served)
        .await
        .expect("ended in time")
        .unwrap();
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_body_that_never_comes() {
    let mut gate = Gate::open(&quick()).await;
    let mut stream = gate.client().connect().await;
    stream.write_all(&head(1_000)).await.unwrap();
    until("the request in hand", || gate.tally.requests.value() == 1).await;
    gate.stop();
    timeout(SOON, &mut gate.served)
        .await
        .expect("ended in time")
        .unwrap();
}
