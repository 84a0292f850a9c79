//! How QuickBooks is reached: deadlines, bounds, redirects, certificates; and what a log may hold.

use crate::support::authority::Authority;
use crate::support::plain_api::{ACCESS, PlainApi, Reply, settings};
use crate::support::receiver::{Answer, Receiver};
use crate::support::sinks::trusting;
use qbo_relay::model::{RealmId, Secret, Timestamp};
use qbo_relay::qbo::{App, Failure, Settings};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

const BOTH: [&[u8]; 2] = [b"h2", b"http/1.1"];

async fn capture(settings: Settings) -> Failure {
    let app = App::new(settings).unwrap();
    let (realm, since) = (RealmId::new("310687").unwrap(), Timestamp::from_ms(0));
    let access = Secret::new(ACCESS);
    let captured = app.capture(&realm, &access, &["Bill"], since).await;
    captured.unwrap_err()
}

#[track_caller]
fn why(failure: Failure) -> String {
    match failure {
        Failure::Unavailable { why } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_at_the_deadline() {
    let api = PlainApi::start(Reply::Silence).await;
    let mut settings = api.settings();
    settings.timeout = Duration::from_millis(200);
    let why = why(capture(settings).await);
    assert_eq!(why, "127.0.0.1: no answer within 200ms");
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn a_body_without_end_is_left_at_the_bound_or_the_deadline() {
    let api = PlainApi::start(Reply::Endless).await;
    let mut settings = api.settings();
    settings.body_bytes_max = 1 << 20;
    let failure = capture(settings).await;
    assert_eq!(failure, Failure::TooLarge { bytes_max: 1 << 20 });
    let mut settings = api.settings();
    settings.body_bytes_max = usize::MAX;
    settings.timeout = Duration::from_millis(200);
    assert_eq!(
        why(capture(settings).await),
        "127.0.0.1: no answer within 200ms"
    );
}

#[tokio::test]
async fn an_answer_is_taken_up_to_the_bound() {
    let body = include_bytes!("../data/quickbooks/fault-too-old.json");
    let api = PlainApi::start(Reply::ok(body)).await;
    for (bytes_max, failure) in [
        (body.len(), Failure::TooOld),
        (
            body.len() - 1,
            Failure::TooLarge {
                bytes_max: body.len() - 1,
            },
        ),
    ] {
        let mut settings = api.settings();
        settings.body_bytes_max = bytes_max;
        assert_eq!(capture(settings).await, failure);
    }
}

#[tokio::test]
async fn half_an_answer_and_none_can_be_asked_for_again() {
    let whole = include_bytes!("../data/quickbooks/capture-nothing.json");
    let api = PlainApi::start(Reply::Half(whole.to_vec())).await;
    let cause = why(capture(api.settings()).await);
    assert!(
        cause.starts_with("127.0.0.1: the answer broke off: "),
        "{cause}"
    );
    let api = PlainApi::start(Reply::Hangup).await;
    let cause = why(capture(api.settings()).await);
    assert!(cause.starts_with("127.0.0.1: "), "{cause}");
}

#[tokio::test]
async fn a_closed_port_and_a_name_without_an_address_are_told() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let cause = why(capture(settings(&format!("http://{address}"))).await);
    assert_eq!(cause, "127.0.0.1: connection refused");
    let cause = why(capture(settings("https://nowhere.invalid")).await);
    assert!(cause.starts_with("nowhere.invalid: "), "{cause}");
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_refusal_however_long_it_is() {
    let page = format!("<html>{}</html>", "x".repeat(1 << 20));
    for status in [400, 401, 403, 404, 407, 451, 511, 200] {
        let api = PlainApi::start(Reply::status(status, page.as_bytes())).await;
        let mut settings = api.settings();
        why(capture(settings.clone()).await);
        settings.body_bytes_max = 1 << 10;
        let failure = capture(settings).await;
        let is_too_large = matches!(failure, Failure::TooLarge { .. });
        assert_eq!(is_too_large, status == 200, "{status}: {failure:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = PlainApi::start(Reply::ok(b"{}")).await;
    let location = format!("Location: {}\r\n", elsewhere.url("/")).leak();
    for status in [301, 302, 303, 307, 308] {
        let api = PlainApi::start(Reply::With(status, location, Vec::new())).await;
        let why = why(capture(api.settings()).await);
        assert!(
            why.starts_with(&format!("status {status}, a redirect")),
            "{why}"
        );
    }
    assert_eq!(elsewhere.asked().len(), 0);
}

#[tokio::test]
async fn tokens_are_sent_to_servers_of_a_trusted_authority_only() {
    let authority = Authority::new();
    for alpn in [&BOTH[..], &BOTH[1..], &[]] {
        let tls = authority.server(alpn, None);
        let receiver = Receiver::start_tls(tls, |_, _| Answer::Status(503)).await;
        let base = receiver.url("");
        let trusted = Settings {
            tls: trusting(&authority, None),
            ..settings(&base)
        };
        assert_eq!(why(capture(trusted).await), "status 503", "{alpn:?}");
        let cause = why(capture(settings(&base)).await);
        assert!(cause.contains("invalid peer certificate"), "{cause}");
        let requests = receiver.requests();
        assert_eq!(requests.len(), 1);
        let bearer = requests[0].field("authorization");
        assert_eq!(bearer, format!("Bearer {ACCESS}"));
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_intuits_trace_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let trace = "intuit_tid: 1-5f72f8bc-0ab3\r\n";
    let quoted = include_bytes!("../data/quickbooks/fault-gateway-401.json");
    let api = PlainApi::start(Reply::With(401, trace, quoted.to_vec())).await;
    assert_eq!(capture(api.settings()).await, Failure::Unauthorized);
    let granted = include_bytes!("../data/quickbooks/tokens.json");
    let trace = "Intuit-Tid: 1-5f72f8bc-0ab3\r\n";
    let api = PlainApi::start(Reply::With(200, trace, granted.to_vec())).await;
    let app = api.app();
    let tokens = app.refresh(&Secret::new("RT1-old")).await.unwrap();
    app.exchange(&Secret::new("Q0code")).await.unwrap();
    app.revoke(&tokens.refresh).await.unwrap();
    // HTTP/2 has a library, and a log, of its own.
    let authority = Authority::new();
    let tls = authority.server(&BOTH, None);
    let receiver = Receiver::start_tls(tls, |_, _| Answer::Status(503)).await;
    let over_tls = Settings {
        tls: trusting(&authority, None),
        ..settings(&receiver.url(""))
    };
    why(capture(over_tls).await);
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for call in ["capture", "refresh", "exchange", "revoke"] {
        let line = format!("call=\"{call}\"");
        let line = text.lines().find(|logged| logged.contains(&line)).unwrap();
        assert!(line.contains("DEBUG qbo_relay::qbo"), "{line}");
        assert!(line.contains("intuit_tid=\"1-5f72f8bc-0ab3\""), "{line}");
    }
    let pair = "QUJjbGllbnRpZDpjbGllbnRzZWNyZXQxMjM0NTY=";
    for secret in [
        ACCESS,
        "AB016",
        "RT1-",
        "eyJ",
        "Q0code",
        "clientsecret",
        pair,
    ] {
        let shown = text.lines().find(|line| line.contains(secret));
        assert_eq!(shown, None);
    }
}
