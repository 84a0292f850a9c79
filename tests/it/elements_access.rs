//! The Open Connectors interface: who is let in, by which secrets, over what.

use crate::support::certificate::Files;
use crate::support::client::{Answer, Client, PATIENCE, read_answer};
use crate::support::interface::{INSTANCE, Interface, NOW, TOKEN, authorization, secrets};
use crate::support::relay::Gateway;
use qbo_relay::model::{InstanceId, Limits};
use qbo_relay::server::elements::Caller;
use qbo_relay::vault::admin_secrets;
use serde_json::Value;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What a refusal says; its body has the documented form.
#[track_caller]
pub(crate) fn refusal(answer: &Answer) -> (u16, String, String) {
    let body: Value = serde_json::from_str(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {}", answer.body));
    let id = body["requestId"].as_str().unwrap().to_owned();
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(id.len() == 24 && id.bytes().all(is_lower_hex), "{id}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    let content_type = answer.header("content-type").unwrap();
    assert!(
        content_type.starts_with("application/json"),
        "{content_type}"
    );
    (answer.status, body["message"].as_str().unwrap().into(), id)
}

#[tokio::test]
async fn who_shows_right_secrets_is_let_in_in_any_order_and_any_case_of_the_words() {
    let interface = Interface::open(&Limits::default()).await;
    let [user, organization] = secrets(&interface.fresh);
    let caller = |organization, instance: Option<u32>| Caller {
        organization,
        instance: instance.map(|id| InstanceId::new(id).unwrap()),
    };
    for (shown, expected) in [
        (
            format!("User {user}, Organization {organization}"),
            caller(true, None),
        ),
        (
            format!("Organization {organization}, User {user}"),
            caller(true, None),
        ),
        (
            format!("USER {user},organization  {organization}"),
            caller(true, None),
        ),
        (
            format!("User {user}, Element {TOKEN}"),
            caller(false, Some(INSTANCE)),
        ),
        (
            format!("element {TOKEN} , user {user}"),
            caller(false, Some(INSTANCE)),
        ),
        (
            format!("Element {TOKEN}, Organization {organization}, User {user}"),
            caller(true, Some(INSTANCE)),
        ),
    ] {
        let answer = interface.show(&shown).await;
        assert_eq!(answer.status, 200, "{shown}: {}", answer.body);
        let (asked, _) = interface.instances.asked.lock().unwrap().pop().unwrap();
        assert_eq!(asked, expected, "{shown}");
    }
}

#[tokio::test]
async fn missing_parts_and_wrong_secrets_are_unauthorized_each_with_an_id_of_its_own() {
    let interface = Interface::open(&Limits::default()).await;
    let [user, organization] = secrets(&interface.fresh);
    let mut ids = Vec::new();
    for shown in [
        String::new(),
        format!("User {user}"),
        format!("Organization {organization}"),
        format!("Element {TOKEN}, Organization {organization}"),
        format!("Bearer {user}"),
        format!("User {organization}, Organization {user}"),
        format!("User {}, Organization {organization}", user.to_lowercase()),
        format!("User {user}, Organization {}", &organization[1..]),
        format!("User {user}x, Organization {organization}"),
        // Of an instance that was deleted; and a right one with something wrong beside it.
        format!("User {user}, Element {}", TOKEN.to_lowercase()),
        format!("User {user}, Organization 0{organization}, Element {TOKEN}"),
    ] {
        let answer = interface.show(&shown).await;
        let (status, message, id) = refusal(&answer);
        assert_eq!(status, 401, "{shown}");
        assert!(answer.header("www-authenticate").is_some());
        for secret in [&*user, &*organization, TOKEN] {
            assert!(!message.contains(secret), "{message}");
        }
        ids.push(id);
    }
    assert!(interface.instances.asked.lock().unwrap().is_empty());
    assert_eq!(interface.tally.elements_unauthorized.value(), 11);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "no id comes twice");
}

#[tokio::test]
async fn a_second_authorization_header_is_none() {
    let interface = Interface::open(&Limits::default()).await;
    let authorization = authorization(&interface.fresh);
    let twice = format!("Authorization: {authorization}\r\n\r\n");
    let request = interface.request("GET /elements/api-v2/instances/7", &twice);
    assert_eq!(refusal(&interface.send(&request, false).await).0, 401);
}

#[tokio::test]
async fn nobody_is_let_in_before_secrets_were_made_or_when_they_cannot_be_read() {
    let interface = Interface::open(&Limits::default()).await;
    std::fs::remove_file(interface.secrets()).unwrap();
    let shown = authorization(&interface.fresh);
    assert_eq!(refusal(&interface.show(&shown).await).0, 401);
    std::fs::write(interface.secrets(), "edited").unwrap();
    let answer = interface.show(&shown).await;
    let (status, message, _) = refusal(&answer);
    assert_eq!(status, 503, "{message}");
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn a_running_listener_takes_new_secrets_and_lets_the_old_ones_end() {
    let interface = Interface::open(&Limits::default()).await;
    let old = authorization(&interface.fresh);
    let make = |overlap| {
        let fresh = admin_secrets::make(&interface.secrets(), overlap, NOW).unwrap();
        authorization(&fresh)
    };
    let middle = make(Duration::from_hours(1));
    for good in [&old, &middle] {
        assert_eq!(interface.show(good).await.status, 200);
    }
    let new = make(Duration::ZERO);
    assert_eq!(interface.show(&new).await.status, 200);
    for ended in [&old, &middle] {
        assert_eq!(interface.show(ended).await.status, 401);
    }
}

#[tokio::test]
async fn who_guesses_waits_longer_each_time_and_right_secrets_never_wait() {
    let interface = Interface::open(&Limits::default()).await;
    let (wrong, right) = (
        "User guess, Organization guess",
        authorization(&interface.fresh),
    );
    for _ in 0..10 {
        assert_eq!(interface.show(wrong).await.status, 401);
    }
    for wait in ["1", "2", "4", "8"] {
        let answer = interface.show(wrong).await;
        assert_eq!(refusal(&answer).0, 429);
        assert_eq!(answer.header("retry-after"), Some(wait));
    }
    assert_eq!(interface.show(&right).await.status, 200);
    assert_eq!(
        interface.show(wrong).await.status,
        401,
        "the row begins again"
    );
    for _ in 0..30 {
        interface.show(wrong).await;
    }
    assert_eq!(
        interface.show(wrong).await.header("retry-after"),
        Some("60")
    );
    assert_eq!(interface.show(&right).await.status, 200);
}

#[tokio::test]
async fn a_foreign_host_reads_no_page_but_may_call_with_secrets() {
    let interface = Interface::open(&Limits::default()).await;
    let right = authorization(&interface.fresh);
    let ask = |path: &str, authorization: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: {authorization}\r\n\r\n"
        )
    };
    let call = "/elements/api-v2/instances/7";
    assert_eq!(interface.send(&ask(call, &right), false).await.status, 200);
    assert_eq!(
        interface
            .send(&ask(call, "User a, Element b"), false)
            .await
            .status,
        401
    );
    assert_eq!(
        interface.send(&ask("/status", &right), false).await.status,
        421
    );
    let hostless = format!("GET {call} HTTP/1.1\r\nAuthorization: {right}\r\n\r\n");
    assert_eq!(refusal(&interface.send(&hostless, false).await).0, 400);
}

#[tokio::test]
async fn beyond_this_machine_it_is_served_with_tls_only() {
    let plain = Interface::open_at("0.0.0.0:0", false, &Limits::default()).await;
    let answer = plain.show(&authorization(&plain.fresh)).await;
    let (status, message, _) = refusal(&answer);
    assert_eq!(status, 403);
    assert!(message.contains("TLS"), "{message}");
    let page = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(plain.send(page, false).await.status, 200);

    let encrypted = Interface::open_at("0.0.0.0:0", true, &Limits::default()).await;
    let current = encrypted.resolver.current();
    let client = Client::new(encrypted.address, &current.key.cert[0]);
    let call = encrypted.request("GET /elements/api-v2/instances/7", "\r\n");
    assert_eq!(client.ask(call.as_bytes()).await.status, 200);
    assert_eq!(client.ask(page.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn the_relays_own_admin_listener_speaks_tls_beyond_this_machine_or_when_it_is_told_to() {
    let mut gateway = Gateway::new("");
    let trusted = Files::within(gateway.folder.path()).write_self_signed();
    let config = |admin: &str| {
        format!(
            "[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\ncertificate = \"fullchain.pem\"\n\
             key = \"privkey.pem\"\n[[verifier]]\nname = \"test\"\ntoken_file = \"verifier\"\n\
             [journal]\npath = \"state/journal.db\"\n[clock]\nwait = \"0 s\"\n[admin]\n{admin}\n"
        )
    };
    for (admin, speaks_tls) in [
        ("listen = \"0.0.0.0:0\"", true),
        ("listen = \"127.0.0.1:0\"\ntls = true", true),
        ("listen = \"127.0.0.1:0\"", false),
        ("listen = \"0.0.0.0:0\"\ntls = false", false),
    ] {
        gateway.write("qbo-relay.toml", &config(admin));
        gateway.start();
        let port = gateway.admin.unwrap().port();
        let client = Client::new(([127, 0, 0, 1], port).into(), &trusted);
        let page = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answer = if speaks_tls {
            client.ask(page).await
        } else {
            let mut stream = client.connect_plain().await.unwrap();
            stream.write_all(page).await.unwrap();
            read_answer(&mut stream).await
        };
        assert_eq!((answer.status, &*answer.body), (200, "ok\n"), "{admin}");
        assert_eq!(gateway.end_by("TERM"), Some(0));
    }
}

#[tokio::test]
async fn without_secrets_no_body_is_waited_for() {
    let interface = Interface::open(&Limits::default()).await;
    let mut stream = TcpStream::connect(interface.address).await.unwrap();
    let head = "POST /elements/api-v2/instances HTTP/1.1\r\nHost: localhost\r\n\
                Authorization: User a, Organization b\r\nContent-Length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, read_answer(&mut stream)).await;
    let answer = answer.unwrap();
    assert_eq!(refusal(&answer).0, 401);
    assert_eq!(answer.header("connection"), Some("close"));
}
