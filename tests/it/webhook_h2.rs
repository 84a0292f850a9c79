//! Deliveries over HTTP/2.

use crate::support::client::{Client, PATIENCE};
use crate::support::gate::{BODY, Gate, Shelf, quick, sign};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use qbo_relay::model::Limits;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

type Sender = SendRequest<Full<Bytes>>;

async fn connect(client: Client) -> (Sender, JoinHandle<hyper::Result<()>>) {
    let stream = client.speaking(&["h2"]).connect().await;
    let io = TokioIo::new(stream);
    let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn delivery(body: &'static [u8]) -> Request<Full<Bytes>> {
    Request::post("https://localhost/qbowebhook")
        .header("intuit-signature", sign(body))
        .body(Full::from(body))
        .unwrap()
}

async fn send(sender: &mut Sender, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let answer = timeout(PATIENCE, sender.send_request(request)).await;
    answer.expect("an answer in time").unwrap()
}

#[tokio::test]
async fn a_delivery_over_h2_is_kept_and_acknowledged() {
    let gate = Gate::open(&Limits::default()).await;
    let (mut sender, _connection) = connect(gate.client()).await;
    let answer = send(&mut sender, delivery(BODY)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&*body, b"\"OK\"");
    assert_eq!(&*gate.shelf.receipts()[0].body, BODY);
}

#[tokio::test]
async fn refusals_over_h2_leave_the_connection_usable() {
    let gate = Gate::open(&Limits::default()).await;
    let (mut sender, _connection) = connect(gate.client()).await;
    let mut forged = delivery(BODY);
    forged.headers_mut().remove("intuit-signature");
    assert_eq!(
        send(&mut sender, forged).await.status(),
        StatusCode::FORBIDDEN
    );
    let mut elsewhere = delivery(BODY);
    *elsewhere.uri_mut() = "https://localhost/".parse().unwrap();
    assert_eq!(
        send(&mut sender, elsewhere).await.status(),
        StatusCode::NOT_FOUND
    );
    let mut oversized = delivery(BODY);
    *oversized.body_mut() = Full::from(vec![b' '; (4 << 20) + 1]);
    let answer = send(&mut sender, oversized).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        send(&mut sender, delivery(BODY)).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn requests_of_one_connection_do_not_wait_for_each_other() {
    let gate = Gate::open_with(&Limits::default(), Shelf::closed(), qbo_relay::wire::decode).await;
    let (sender, _connection) = connect(gate.client()).await;
    let mut answers = JoinSet::new();
    for body in [b"1".as_slice(), b"2", b"3", b"4"] {
        let mut sender = sender.clone();
        answers.spawn(async move { send(&mut sender, delivery(body)).await.status() });
    }
    let requests = &gate.tally.requests;
    crate::support::client::until("all in hand", || requests.value() == 4).await;
    gate.shelf.let_in(4);
    while let Some(status) = answers.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
}

#[tokio::test]
async fn an_idle_h2_connection_is_closed() {
    let gate = Gate::open(&quick()).await;
    let (mut sender, connection) = connect(gate.client()).await;
    assert_eq!(
        send(&mut sender, delivery(BODY)).await.status(),
        StatusCode::OK
    );
    let closed = timeout(PATIENCE, connection).await;
    let _ = closed.expect("closed in time");
    assert!(sender.is_closed());
}

#[tokio::test]
async fn shutdown_finishes_h2_requests_in_hand() {
    let limits = Limits::default();
    let mut gate = Gate::open_with(&limits, Shelf::closed(), qbo_relay::wire::decode).await;
    let (mut sender, _connection) = connect(gate.client()).await;
    let answer = tokio::spawn(async move { send(&mut sender, delivery(BODY)).await.status() });
    let requests = &gate.tally.requests;
    crate::support::client::until("the request in hand", || requests.value() == 1).await;
    gate.stop();
    gate.shelf.let_in(1);
    assert_eq!(answer.await.unwrap(), StatusCode::OK);
    let served = timeout(PATIENCE, &mut gate.served).await;
    served.expect("ended in time").unwrap();
}
