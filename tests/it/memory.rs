//! Every state in which strangers can leave their connections, driven to its bound on both listeners,
//! in a control group of the unit's `MemoryMax`, while honest notifications come.

use crate::support::certificate::Files;
use crate::support::cgroup::Cgroup;
use crate::support::client::{Client, read_answer, write_some};
use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, TINY_FIELD,
    UNKNOWN, WINDOW_UPDATE, block, frame, preface,
};
use crate::support::gate::signed_by;
use crate::support::relay::{Gateway, TOKEN};
use crate::support::{memory_peak, skip};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use qbo_relay::model::Limits;
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// In which Intuit wants its answer.
const SOON: Duration = Duration::from_secs(3);

/// What one stranger may take to get where it is to stay.
const AWHILE: Duration = Duration::from_secs(2);

/// A state in which a connection is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Accepted, and not a byte.
    Silent,
    /// A hello that does not end.
    Handshake,
    /// Agreed, and not a byte.
    Agreed(&'static str),
    /// A head that does not end, of the largest size.
    Head,
    /// A whole head of as many fields as are taken, and a body that does not come.
    Fields,
    /// A body of which half comes, by its length.
    Body,
    /// The same in chunks, each with an extension.
    Chunks,
    /// Questions, and their answers unread.
    Unread,
    /// Streams with lists of tiny fields, bodies that do not come.
    TinyFields,
    /// Streams whose paths, in the table of the connection, keep whole buffers alive.
    Table,
    /// A head that goes on in further frames, and does not end.
    Continuation,
    /// Streams with bodies of which half comes.
    Streams,
    /// Questions by a peer that takes no answer.
    NoWindow,
    /// Streams that are taken back.
    Resets,
    /// Frames of this kind without end, and their acknowledgements unread.
    Frames(u8),
}

const STATES: &[State] = &[
    State::Silent,
    State::Handshake,
    State::Agreed("http/1.1"),
    State::Agreed("h2"),
    State::Head,
    State::Fields,
    State::Body,
    State::Chunks,
    State::Unread,
    State::TinyFields,
    State::Table,
    State::Continuation,
    State::Streams,
    State::NoWindow,
    State::Resets,
    State::Frames(SETTINGS),
    State::Frames(PING),
    State::Frames(WINDOW_UPDATE),
    State::Frames(DATA),
];

impl State {
    fn protocol(self) -> &'static str {
        match self {
            Self::Agreed(protocol) => protocol,
            Self::Silent | Self::Handshake => "",
            Self::Head | Self::Fields | Self::Body | Self::Chunks | Self::Unread => "http/1.1",
            _ => "h2",
        }
    }

    /// What is sent after the handshake; the last part over and over.
    fn words(self, path: &str) -> (Vec<u8>, Option<Vec<u8>>) {
        let post = |fields: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nintuit-signature: {SIGNATURE}\r\n\
                 Authorization: User a, Organization b\r\n{fields}"
            )
            .into_bytes()
        };
        let length = "Content-Length: 4000000\r\n";
        let streams = || (0..Limits::default().streams_max).map(|number| 2 * number + 1);
        match self {
            Self::Silent | Self::Handshake | Self::Agreed(_) => (Vec::new(), None),
            Self::Head => (post(&format!("X: {}", "x".repeat(16_000))), None),
            Self::Fields => {
                let fields: String = (0..55)
                    .map(|n| format!("X-{n}: {}\r\n", "y".repeat(250)))
                    .collect();
                (post(&format!("{length}{fields}\r\n")), None)
            }
            Self::Body => (post(&format!("{length}\r\n")), Some(vec![b'x'; 16 << 10])),
            Self::Chunks => {
                let chunk = format!("1;{}\r\nx\r\n", "e".repeat(4_000));
                (
                    post("Transfer-Encoding: chunked\r\n\r\n"),
                    Some(chunk.into_bytes()),
                )
            }
            Self::Unread => {
                let get = "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";
                (Vec::new(), Some(get.repeat(100).into_bytes()))
            }
            Self::TinyFields => {
                let mut head = signed(path);
                let fields = 16_384 / 35 - 12;
                head.extend(std::iter::repeat_n(TINY_FIELD, fields));
                let heads = streams().flat_map(|id| frame(HEADERS, END_HEADERS, id, &head));
                ([preface(65_535), heads.collect()].concat(), None)
            }
            Self::Table => (preface(65_535), Some(table())),
            Self::Continuation => {
                let head = signed(path);
                let begin = frame(HEADERS, 0, 1, &head);
                let more = frame(CONTINUATION, 0, 1, &[TINY_FIELD; 100]);
                ([preface(65_535), begin, more.repeat(4)].concat(), None)
            }
            Self::Streams => {
                let head = signed(path);
                let heads = streams().flat_map(|id| frame(HEADERS, END_HEADERS, id, &head));
                let bodies = streams()
                    .take(8)
                    .flat_map(|id| frame(DATA, 0, id, &[b'x'; 8_000]));
                let begin = [preface(65_535), heads.collect(), bodies.collect()].concat();
                (begin, None)
            }
            Self::NoWindow => {
                let head = block("GET", "/metrics", &[]);
                let flags = END_HEADERS | END_STREAM;
                let heads = streams().flat_map(|id| frame(HEADERS, flags, id, &head));
                ([preface(0), heads.collect()].concat(), None)
            }
            Self::Resets => {
                let head = signed(path);
                let resets = streams().flat_map(|id| {
                    let reset = frame(RST_STREAM, 0, id, &[0, 0, 0, 8]);
                    [frame(HEADERS, END_HEADERS, id, &head), reset].concat()
                });
                ([preface(65_535), resets.collect()].concat(), None)
            }
            Self::Frames(kind) => {
                let begin = frame(HEADERS, END_HEADERS, 1, &signed(path));
                let again = match kind {
                    PING => frame(PING, 0, 0, &[0; 8]),
                    SETTINGS => frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]),
                    WINDOW_UPDATE => frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
                    _ => frame(kind, 0, 1, b"x"),
                };
                ([preface(65_535), begin].concat(), Some(again.repeat(100)))
            }
        }
    }
}

/// Base64 of so many bytes as a signature has.
const SIGNATURE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The head of a delivery that will turn out to be forged.
fn signed(path: &str) -> Vec<u8> {
    let fields = [
        ("intuit-signature", SIGNATURE),
        ("authorization", "User a, Organization b"),
    ];
    block("POST", path, &fields)
}

/// A stream with a path that goes into the table, taken back, and a frame that fills the buffer.
fn table() -> Vec<u8> {
    let mut head = vec![0x82, 0x87, 0x44, 2, b'/', b'x'];
    head.extend_from_slice(b"\x01\x09localhost");
    let streams = (0..100).map(|number| 2 * number + 1);
    let round = streams.flat_map(|id| {
        let begin = frame(HEADERS, END_HEADERS | END_STREAM, id, &head);
        [begin, frame(UNKNOWN, 0, 0, &[0; 8_000])].concat()
    });
    round.collect()
}

/// A relay in a group, and how to come to it.
struct Besieged {
    gateway: Gateway,
    trusted: CertificateDer<'static>,
}

impl Besieged {
    fn client(&self, address: SocketAddr, from: SocketAddr) -> Client {
        let mut client = Client::new(address, &self.trusted);
        client.from = from;
        client
    }
}

/// Where the `number`th stranger comes from: a hundred share an address, nobody a network.
fn stranger(number: usize) -> SocketAddr {
    let second = 20 + u8::try_from(number / 100).unwrap();
    SocketAddr::from(([127, second, 1, 1], 0))
}

/// Leaves one connection in a state, and keeps it.
async fn leave(client: Client, state: State, path: &str) -> Option<Kept> {
    if matches!(state, State::Silent | State::Handshake) {
        let mut stream = client.connect_plain().await.ok()?;
        if state == State::Handshake {
            // A record of the largest size after the other, for a message of the largest size.
            let record = [&[22, 3, 1, 0x3f, 0xfc][..], &[0; 0x3ffc]].concat();
            let first = [&[22, 3, 1, 0x3f, 0xfc, 1, 0, 0xff, 0xf0][..], &[0; 0x3ff8]].concat();
            let hello = [first, record.repeat(3)].concat();
            let _ = timeout(AWHILE, write_some(&mut stream, &hello[..hello.len() - 200])).await;
        }
        return Some(Kept::Plain(stream));
    }
    let client = client.speaking(&[state.protocol()]);
    let mut stream = client.try_connect().await.ok()?;
    let (begin, again) = state.words(path);
    let talk = async {
        write_some(&mut stream, &begin).await;
        let Some(again) = again else { return };
        // Beyond what any bound lets through.
        for _ in 0..=(300 << 10) / again.len() {
            if stream.write_all(&again).await.is_err() {
                return;
            }
        }
    };
    let _ = timeout(AWHILE, talk).await;
    Some(Kept::Tls(Box::new(stream)))
}

/// A connection that stays as it is.
#[expect(dead_code, reason = "it is there to be open")]
enum Kept {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

async fn crowd(
    besieged: &Besieged,
    to: SocketAddr,
    state: State,
    path: &'static str,
    count: usize,
) -> Vec<Kept> {
    let at_a_time = Arc::new(Semaphore::new(4));
    let mut coming = JoinSet::new();
    for number in 0..count {
        let client = besieged.client(to, stranger(number));
        let at_a_time = Arc::clone(&at_a_time);
        coming.spawn(async move {
            let _turn = at_a_time.acquire().await.unwrap();
            leave(client, state, path).await
        });
    }
    coming.join_all().await.into_iter().flatten().collect()
}

/// Sends honest notifications, one after the other, until it is told to stop; every one has to be
/// acknowledged within [`SOON`].
async fn send_honest(client: Client, until: Arc<AtomicBool>, sent: Arc<AtomicUsize>) {
    while !until.load(Ordering::Relaxed) {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        let body = format!(
            r#"[{{"specversion":"1.0","id":"{number}","type":"qbo.customer.created.v1","source":"intuit.a","time":"2026-11-17T01:17:55Z","intuitentityid":"{number}","intuitaccountid":"1"}}]"#
        );
        let status = timeout(SOON, async {
            if number.is_multiple_of(2) {
                post(&client, &body).await
            } else {
                post_h2(&client, body).await
            }
        });
        assert_eq!(status.await.expect("an answer within 3 seconds"), 200);
    }
}

async fn post(client: &Client, body: &str) -> u16 {
    let signature = signed_by(TOKEN, body.as_bytes());
    let request = format!(
        "POST /qbowebhook HTTP/1.1\r\nHost: localhost\r\nintuit-signature: {signature}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = client.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await.status
}

async fn post_h2(client: &Client, body: String) -> u16 {
    let stream = client.clone().speaking(&["h2"]).connect().await;
    let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post("https://localhost/qbowebhook")
        .header("intuit-signature", signed_by(TOKEN, body.as_bytes()))
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let status = sender
        .send_request(request)
        .await
        .unwrap()
        .status()
        .as_u16();
    connection.abort();
    status
}

/// The bound on memory that the unit sets.
fn memory_max() -> u64 {
    let unit = include_str!("../../systemd/qbo-relay.service");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("MemoryMax="));
    let mebibytes: u64 = line.unwrap().strip_suffix('M').unwrap().parse().unwrap();
    mebibytes << 20
}

fn begin(group: &Cgroup) -> Besieged {
    let mut gateway = Gateway::new("");
    let trusted = Files::within(gateway.folder.path()).write_self_signed();
    gateway.serve_tls_everywhere();
    let words = group.enter();
    gateway.start_under(&words.each_ref().map(String::as_str));
    assert!(gateway.https.is_some(), "{}", gateway.lines.join("\n"));
    Besieged { gateway, trusted }
}

#[test]
fn the_bounds_add_up_to_less_than_the_unit_allows() {
    let most = Limits::default().memory_max();
    assert!(u64::try_from(most).unwrap() <= memory_max(), "{most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_cannot_use_up_the_memory_that_the_unit_allows() {
    let bytes_max = memory_max();
    let group = match Cgroup::of(bytes_max) {
        Ok(group) => group,
        Err(why) => return skip(&why),
    };
    let besieged = begin(&group);
    let (https, admin) = (
        besieged.gateway.https.unwrap(),
        besieged.gateway.admin.unwrap(),
    );
    let pid = besieged.gateway.pid();
    let honest = besieged.client(https, "127.0.0.2:0".parse().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let (public_max, admin_max) = {
        let limits = Limits::default();
        (
            limits.connections_max,
            limits.of_the_house().connections_max,
        )
    };
    for &state in STATES {
        let enough = Arc::new(AtomicBool::new(false));
        let sender = tokio::spawn(send_honest(
            honest.clone(),
            Arc::clone(&enough),
            Arc::clone(&sent),
        ));
        let outside = crowd(&besieged, https, state, "/qbowebhook", public_max + 8).await;
        let inside = crowd(
            &besieged,
            admin,
            state,
            "/elements/api-v2/instances",
            admin_max + 8,
        )
        .await;
        let so_far = sent.load(Ordering::Relaxed);
        while sent.load(Ordering::Relaxed) < so_far + 5 && !sender.is_finished() {
            tokio::task::yield_now().await;
        }
        enough.store(true, Ordering::Relaxed);
        sender
            .await
            .unwrap_or_else(|error| panic!("{state:?}: {error}"));
        assert!(
            outside.len() > public_max / 2 && !inside.is_empty(),
            "{state:?}"
        );
        let peak = memory_peak(pid) + group.sockets_apart();
        assert!(peak <= bytes_max, "{state:?}: {peak} bytes");
    }
    let Besieged { mut gateway, .. } = besieged;
    assert_eq!(
        gateway.end_by("TERM"),
        Some(0),
        "{}",
        gateway.lines.join("\n")
    );
}
