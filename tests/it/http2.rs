//! HTTP/2 frame by frame, on both listeners: where a body has no place, how an early answer ends, and
//! what a stranger may ask for.

use crate::support::certificate::Files;
use crate::support::client::{Client, PATIENCE};
use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, TINY_FIELD,
    WINDOW_UPDATE, block, frame, preface,
};
use crate::support::gate::{BODY, Gate, sign};
use crate::support::relay::Gateway;
use qbo_relay::model::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// A frame that came.
#[derive(Debug)]
struct Came {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection that has sent its preface.
struct Connection(TlsStream<TcpStream>);

impl Connection {
    async fn open(client: Client) -> Self {
        let mut stream = client.speaking(&["h2"]).connect().await;
        stream.write_all(&preface(65_535)).await.unwrap();
        Self(stream)
    }

    async fn send(&mut self, frames: &[Vec<u8>]) {
        self.0.write_all(&frames.concat()).await.unwrap();
    }

    /// The next frame about a stream, or about the connection's end.
    async fn next(&mut self) -> Came {
        loop {
            let came = timeout(PATIENCE, self.any())
                .await
                .expect("a frame in time");
            if ![SETTINGS, PING, WINDOW_UPDATE].contains(&came.kind) {
                return came;
            }
        }
    }

    async fn any(&mut self) -> Came {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.unwrap();
        Came {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        }
    }

    /// Every frame about one stream up to its end.
    async fn answer(&mut self, stream: u32) -> Vec<Came> {
        let mut all = Vec::new();
        loop {
            let came = self.next().await;
            assert_eq!(came.stream, stream, "{came:?}");
            let is_last = came.kind == RST_STREAM || came.flags & END_STREAM != 0;
            all.push(came);
            if is_last {
                return all;
            }
        }
    }
}

/// The bytes that stand for a status in a header block.
fn status(came: &Came) -> u16 {
    assert_eq!(came.kind, HEADERS, "{came:?}");
    // Of the static table; nothing else is expected.
    match came.payload[0] {
        0x88 => 200,
        0x8d => 404,
        _ => panic!("{came:?}"),
    }
}

/// Whether it is a refusal that h2 itself has made: a status alone.
fn is_bare(came: &Came) -> bool {
    came.kind == HEADERS && came.flags & END_STREAM != 0 && came.payload.len() == 5
}

fn kinds(answer: &[Came]) -> Vec<u8> {
    answer.iter().map(|came| came.kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_a_head_answers_a_head_request_on_either_listener() {
    let mut gateway = Gateway::new("");
    let trusted = Files::within(gateway.folder.path()).write_self_signed();
    gateway.serve_tls_everywhere();
    gateway.start();
    let (https, admin) = (gateway.https.unwrap(), gateway.admin.unwrap());
    let asked = [
        (https, "/"),
        (https, "/qbowebhook"),
        (https, "/oauth/callback"),
        (admin, "/"),
        (admin, "/healthz"),
        (admin, "/status"),
        (admin, "/metrics"),
        (admin, "/companies/connect"),
        (admin, "/nowhere"),
        (admin, "/elements/api-v2/openapi.json"),
        (admin, "/elements/api-v2/instances"),
    ];
    for (address, path) in asked {
        let mut connection = Connection::open(Client::new(address, &trusted)).await;
        let head = block("HEAD", path, &[]);
        connection
            .send(&[frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)])
            .await;
        let answer = connection.answer(1).await;
        assert_eq!(kinds(&answer), [HEADERS], "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn an_early_answer_ends_when_the_sender_has_ended() {
    let gate = Gate::open(&Limits::default()).await;
    for (path, fields, bytes) in [
        ("/nowhere", &[][..], 20_000_u16),
        ("/qbowebhook", &[], 1),
        ("/qbowebhook", &[("content-length", "9000000")], 40_000),
    ] {
        let mut connection = Connection::open(gate.client()).await;
        let head = block("POST", path, fields);
        connection
            .send(&[frame(HEADERS, END_HEADERS, 1, &head)])
            .await;
        // The answer is there before the body, and does not end.
        assert_eq!(connection.next().await.kind, HEADERS);
        let sentence = connection.next().await;
        assert!(sentence.kind == DATA && sentence.flags == 0, "{sentence:?}");
        let body = vec![b' '; usize::from(bytes / 4)];
        let (part, last) = (frame(DATA, 0, 1, &body), frame(DATA, END_STREAM, 1, &body));
        connection.send(&[part.clone(), part.clone(), part]).await;
        if fields.is_empty() {
            connection.send(&[last]).await;
            let end = connection.next().await;
            assert!(end.kind == DATA && end.flags == END_STREAM, "{end:?}");
        }
    }
}

#[tokio::test]
async fn a_sender_that_never_ends_is_reset_in_the_end() {
    let limits = Limits {
        body: Duration::from_millis(400),
        ..Limits::default()
    };
    let gate = Gate::open(&limits).await;
    let mut connection = Connection::open(gate.client()).await;
    let head = block("POST", "/nowhere", &[]);
    connection
        .send(&[frame(HEADERS, END_HEADERS, 1, &head)])
        .await;
    let answer = connection.answer(1).await;
    assert_eq!(status(&answer[0]), 404);
    // Ended, and then told that the rest is not wanted.
    let is_told = answer.iter().any(|came| came.kind == RST_STREAM);
    if !is_told {
        assert_eq!(connection.next().await.kind, RST_STREAM);
    }
}

#[tokio::test]
async fn a_stranger_may_ask_for_less_than_a_sender_who_is_known() {
    let gate = Gate::open(&Limits::default()).await;
    let large = |id| {
        let signature = sign(BODY);
        let mut head = block("POST", "/qbowebhook", &[("intuit-signature", &signature)]);
        head.extend(std::iter::repeat_n(TINY_FIELD, 150));
        [
            frame(HEADERS, END_HEADERS, id, &head),
            frame(DATA, END_STREAM, id, BODY),
        ]
        .concat()
    };
    let mut stranger = Connection::open(gate.client()).await;
    stranger.send(&[large(1)]).await;
    let refused = stranger.next().await;
    assert!(is_bare(&refused), "{refused:?}");
    assert!(gate.shelf.receipts().is_empty());
    let answer = gate
        .client()
        .ask(&crate::support::gate::delivery(BODY))
        .await;
    assert_eq!(answer.status, 200);
    let mut known = Connection::open(gate.client()).await;
    known.send(&[large(1)]).await;
    assert_eq!(status(&known.answer(1).await[0]), 200);
    let mut other = Connection::open(gate.client().from(2)).await;
    other.send(&[large(1)]).await;
    let refused = other.next().await;
    assert!(is_bare(&refused), "{refused:?}");
}

#[tokio::test]
async fn streams_beyond_a_strangers_are_refused_and_can_be_sent_again() {
    let gate = Gate::open(&Limits::default()).await;
    let mut connection = Connection::open(gate.client()).await;
    let most = Limits::default().stranger_streams_max;
    let signature = sign(BODY);
    let head = block("POST", "/qbowebhook", &[("intuit-signature", &signature)]);
    let last = 2 * most + 1;
    let heads = (0..=most).map(|number| frame(HEADERS, END_HEADERS, 2 * number + 1, &head));
    connection.send(&heads.collect::<Vec<_>>()).await;
    let refused = connection.next().await;
    // REFUSED_STREAM: nothing was done about it.
    let reason = [0, 0, 0, 7];
    assert!(
        refused.kind == RST_STREAM && refused.stream == last,
        "{refused:?}"
    );
    assert_eq!(refused.payload, reason);
    connection.send(&[frame(DATA, END_STREAM, 1, BODY)]).await;
    assert_eq!(status(&connection.answer(1).await[0]), 200);
    let again = last + 2;
    let request = [
        frame(HEADERS, END_HEADERS, again, &head),
        frame(DATA, END_STREAM, again, BODY),
    ];
    connection.send(&request).await;
    assert_eq!(status(&connection.answer(again).await[0]), 200);
}

#[tokio::test]
async fn a_connection_that_only_asks_ends_gently_and_one_that_delivers_does_not() {
    let gate = Gate::open(&Limits::default()).await;
    let mut idle = Connection::open(gate.client()).await;
    let pings: Vec<_> = (0..4_000).map(|_| frame(PING, 1, 0, &[0; 8])).collect();
    idle.send(&pings).await;
    assert_eq!(idle.next().await.kind, GOAWAY);
    let mut busy = Connection::open(gate.client()).await;
    let signature = sign(BODY);
    let head = block("POST", "/qbowebhook", &[("intuit-signature", &signature)]);
    for number in 0..200 {
        let id = 2 * number + 1;
        let request = [
            frame(HEADERS, END_HEADERS, id, &head),
            frame(DATA, END_STREAM, id, BODY),
        ];
        busy.send(&request).await;
        assert_eq!(status(&busy.answer(id).await[0]), 200);
    }
}
