//! The Open Connectors interface: requests of every form, and what becomes of a call that was begun.

use crate::elements_access::refusal;
use crate::support::client::{Client, read_answer, until};
use crate::support::gate::quick;
use crate::support::interface::{Interface, TOKEN, authorization, secrets};
use crate::support::relay::Gateway;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use qbo_relay::model::{InstanceId, Limits};
use qbo_relay::wire::elements::{Call, Whose};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

const INSTANCES: &str = "POST /elements/api-v2/instances";

fn with_body(content_type: &str, body: &str) -> String {
    let length = body.len();
    format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_call_is_read_carried_out_and_answered_with_its_headers() {
    let interface = Interface::open(&Limits::default()).await;
    let answer = interface.call("GET", "/instances/7").await;
    assert_eq!((answer.status, &*answer.body), (200, r#"{"id":7}"#));
    assert_eq!(answer.header("elements-element-instance-id"), Some("7"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let asked = interface.instances.asked.lock().unwrap().pop().unwrap().1;
    assert_eq!(asked, Call::Read(Whose::Id(InstanceId::new(7).unwrap())));

    interface.instances.turnstile.add_permits(1);
    let list = interface.call("GET", "/instances?pageSize=1").await;
    let next = list.header("elements-next-page-token");
    assert_eq!(next, Some("b2xkZXI="));
    assert_eq!(interface.tally.elements_requests.value(), 2);

    let [user, _] = secrets(&interface.fresh);
    let shown = format!("User {user}, Element {TOKEN}");
    let line = "PUT /elements/api-v2/instances/enabled HTTP/1.1\r\nHost: localhost\r\n";
    let request = format!("{line}Authorization: {shown}\r\n\r\n");
    assert_eq!(interface.send(&request, false).await.status, 404);
    let asked = interface.instances.asked.lock().unwrap().pop().unwrap().1;
    assert_eq!(asked, Call::Enable(Whose::Token));
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_told_apart() {
    let interface = Interface::open(&Limits::default()).await;
    for path in [
        "",
        "/",
        "/nothing",
        "/instances/7/nothing",
        "/elements/other/instances",
    ] {
        let answer = interface.call("GET", path).await;
        assert_eq!(refusal(&answer).0, 404, "{path}");
    }
    for method in ["DELETE", "TRACE", "PURGE"] {
        let answer = interface.call(method, "/notifications/subscriptions").await;
        assert_eq!(refusal(&answer).0, 405, "{method}");
        assert!(answer.header("allow").unwrap().contains("GET"));
    }
    assert!(interface.instances.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn head_is_get_without_a_body_and_options_tells_the_methods_to_everybody() {
    let interface = Interface::open(&Limits::default()).await;
    let head = interface.call("HEAD", "/instances/7").await;
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("announced-length"), Some("8"));
    let bare = "OPTIONS /elements/api-v2/instances/7 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let options = interface.send(bare, false).await;
    assert_eq!((options.status, &*options.body), (204, ""));
    assert!(options.header("allow").unwrap().contains("PATCH"));
    let origin = "access-control-allow-origin";
    assert_eq!(options.header(origin), None, "no foreign page is let in");
    let nowhere = bare.replace("/instances/7", "/nothing");
    assert_eq!(refusal(&interface.send(&nowhere, false).await).0, 404);
}

#[tokio::test]
async fn the_description_is_told_without_secrets() {
    let interface = Interface::open(&Limits::default()).await;
    let bare = "GET /elements/api-v2/openapi.json HTTP/1.1\r\nHost: gw.example\r\n\r\n";
    let answer = interface.send(bare, false).await;
    assert_eq!(answer.status, 200);
    let description: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert!(description["paths"]["/instances/{id}"].is_object());
    let posted = interface.send(&bare.replace("GET", "PUT"), false).await;
    assert_eq!(refusal(&posted).0, 405);
}

#[tokio::test]
async fn a_body_that_is_not_json_or_not_declared_as_json_is_refused() {
    let interface = Interface::open(&Limits::default()).await;
    for (content_type, body, expected, part) in [
        ("application/xml", "<a/>", 415, "application/xml"),
        ("application/x-www-form-urlencoded", "{}", 415, "urlencoded"),
        ("application/json", "{\n\"a\": 1 \"b\": 2}", 400, "line 2"),
        ("application/json; charset=utf-8", "", 400, "empty"),
        ("application/json", "\u{1}", 400, ""),
    ] {
        let request = interface.request(INSTANCES, &with_body(content_type, body));
        let (status, message, _) = refusal(&interface.send(&request, false).await);
        assert_eq!(status, expected, "{body}: {message}");
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    assert!(interface.instances.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_or_too_slow_is_given_up() {
    let interface = Interface::open(&quick()).await;
    let announced = format!("Content-Length: {}\r\n\r\n", (256 << 10) + 1);
    let request = interface.request(INSTANCES, &announced);
    assert_eq!(refusal(&interface.send(&request, false).await).0, 413);

    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, " ".repeat(64 << 10));
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(5));
    let request = interface.request(INSTANCES, &chunked);
    assert_eq!(refusal(&interface.send(&request, false).await).0, 413);

    let request = interface.request(INSTANCES, "Content-Length: 9\r\n\r\n{");
    assert_eq!(refusal(&interface.send(&request, false).await).0, 408);
}

#[tokio::test]
async fn a_fault_of_the_house_is_a_500_and_the_next_call_is_carried_out() {
    let interface = Interface::open(&Limits::default()).await;
    let answer = interface.call("GET", "/instances/polling-disabled").await;
    let (status, message, _) = refusal(&answer);
    assert_eq!(status, 500);
    assert!(!message.contains("house"), "{message}");
    assert_eq!(interface.call("GET", "/instances/7").await.status, 200);
}

#[tokio::test]
async fn a_call_goes_on_when_its_caller_goes_away_and_the_listener_waits_for_its_end() {
    let mut interface = Interface::open(&Limits::default()).await;
    let request = interface.request("GET /elements/api-v2/instances", "\r\n");
    let mut stream = TcpStream::connect(interface.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let instances = std::sync::Arc::clone(&interface.instances);
    until("it is begun", || {
        !instances.asked.lock().unwrap().is_empty()
    })
    .await;
    drop(stream);
    interface.stop();
    let early = timeout(Duration::from_millis(600), &mut interface.served).await;
    assert!(early.is_err(), "it ended before the call");
    instances.turnstile.add_permits(1);
    interface.served.await.unwrap();
    assert_eq!(*instances.listed.lock().unwrap(), 1);
}

#[tokio::test]
async fn more_calls_at_once_than_can_be_carried_out_are_asked_to_come_again() {
    let interface = Interface::open(&Limits::default()).await;
    let request = interface.request("GET /elements/api-v2/instances", "\r\n");
    let mut streams = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(interface.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    let asked = &interface.instances.asked;
    until("all are begun", || asked.lock().unwrap().len() == 32).await;
    let answer = interface.call("GET", "/instances/7").await;
    assert_eq!(refusal(&answer).0, 503);
    assert_eq!(answer.header("retry-after"), Some("5"));
    interface.instances.turnstile.add_permits(32);
    for mut stream in streams {
        assert_eq!(read_answer(&mut stream).await.status, 200);
    }
    assert_eq!(interface.call("GET", "/instances/7").await.status, 200);
}

#[tokio::test]
async fn calls_come_over_http_2_too() {
    let interface = Interface::open_at("0.0.0.0:0", true, &Limits::default()).await;
    let current = interface.resolver.current();
    let client = Client::new(interface.address, &current.key.cert[0]);
    let io = TokioIo::new(client.speaking(&["h2"]).connect().await);
    let (mut sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    for (id, status) in [(7, 200), (8, 404)] {
        let url = format!("https://gw.example/elements/api-v2/instances/{id}");
        let request = Request::get(url)
            .header("authorization", authorization(&interface.fresh))
            .body(Full::<Bytes>::default());
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.starts_with(b"{\"requestId\""), status == 404);
    }
}

/// Where QuickBooks posts to the platform, on the public listener.
#[test]
fn the_vendors_path_takes_verified_notifications_unless_the_interface_is_off() {
    let sink = "[[sink]]\nname = \"lines\"\nkind = \"file\"\npath = \"out.jsonl\"\n";
    let mut gateway = Gateway::new(sink);
    gateway.start();
    let post = |gateway: &Gateway, path: &str, arguments: &[&str]| {
        let url = format!("https://{}{path}", gateway.https.unwrap());
        let folder = gateway.folder.path();
        let output = crate::support::relay::simulate(folder, &url, arguments);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let vendor = "/elements/api-v2/events/quickbooks";
    for path in [vendor.to_owned(), format!("{vendor}/")] {
        let (code, told) = post(&gateway, &path, &["--count", "3"]);
        assert_eq!(code, Some(0), "{path}: {told}");
        let forged = ["--count", "2", "--forge", "100"];
        let (code, told) = post(&gateway, &path, &forged);
        assert_eq!(code, Some(0), "{path}: {told}");
    }
    let (code, _) = post(&gateway, &format!("{vendor}s"), &["--count", "1"]);
    assert_eq!(code, Some(1), "another path is another");
    let listed = gateway.command(&["journal", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 6, "{listed}");
    assert_eq!(gateway.end_by("TERM"), Some(0));

    gateway.configure(&format!("{sink}[instances]\nenabled = false\n"));
    gateway.start();
    let (code, _) = post(&gateway, vendor, &["--count", "1"]);
    assert_eq!(code, Some(1), "it is switched off");
}
