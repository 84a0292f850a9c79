//! Whom an HTTP sink talks to: names, addresses, certificates, deadlines.

use crate::support::authority::Authority;
use crate::support::changes::{NOW, change, delivery};
use crate::support::receiver::{Answer, Receiver};
use crate::support::sinks::{http, no_trust, trusting};
use qbo_relay::model::{Outcome, Stage};
use qbo_relay::sink::Format;
use qbo_relay::sink::http::{HttpSink, Settings};
use qbo_relay::tls::client::{ClientIdentity, client_config, file_roots};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const BOTH: [&[u8]; 2] = [b"h2", b"http/1.1"];

async fn deliver(url: String, turn: impl FnOnce(&mut Settings)) -> Outcome {
    let mut settings = http(url, Format::CloudEvents);
    turn(&mut settings);
    let sink = HttpSink::new(settings).unwrap();
    sink.deliver(&delivery(vec![change(1)]), NOW).await
}

async fn deliver_with(url: String, tls: Arc<ClientConfig>) -> Outcome {
    deliver(url, |settings| settings.credentials.tls = tls).await
}

/// The cause of a failure at this stage.
fn failure(outcome: Outcome, at: Stage) -> String {
    match outcome {
        Outcome::Failed { stage, detail } if stage == at => detail,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn private_addresses_are_forbidden_by_the_switch_when_dialling() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let port = receiver.address().port();
    for url in [
        receiver.url("/"),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://192.168.255.1/".to_owned(),
    ] {
        let outcome = deliver(url, |settings| settings.private_addresses = false).await;
        let cause = failure(outcome, Stage::Forbidden);
        assert!(
            cause.contains("is private, which is not allowed"),
            "{cause}"
        );
    }
    assert_eq!(receiver.requests().len(), 0);
    assert_eq!(deliver(receiver.url("/"), |_| ()).await, Outcome::Accepted);
}

#[tokio::test]
async fn the_address_of_a_cloud_metadata_service_is_never_dialled() {
    let outcome = deliver("http://169.254.169.254/latest".into(), |_| ()).await;
    let cause = failure(outcome, Stage::Forbidden);
    assert!(cause.contains("169.254.169.254 is link-local"), "{cause}");
}

#[tokio::test]
async fn a_target_that_is_the_relay_itself_is_refused() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let port = receiver.address().port();
    for host in ["127.0.0.1", "localhost"] {
        let outcome = deliver(format!("http://{host}:{port}/qbowebhook"), |settings| {
            settings.own_addresses = vec![([0, 0, 0, 0], port).into()];
        })
        .await;
        let cause = failure(outcome, Stage::Forbidden);
        assert!(cause.ends_with("the target is the relay itself"), "{cause}");
    }
    assert_eq!(receiver.requests().len(), 0);
    let neighbour = deliver(receiver.url("/"), |settings| {
        settings.own_addresses = vec![([0, 0, 0, 0], port ^ 1).into()];
    })
    .await;
    assert_eq!(neighbour, Outcome::Accepted);
}

#[tokio::test]
async fn a_name_without_an_address_and_a_closed_port_are_told_apart() {
    let outcome = deliver("http://nowhere.invalid/".into(), |_| ()).await;
    let cause = failure(outcome, Stage::Resolve);
    assert!(cause.starts_with("nowhere.invalid:80: "), "{cause}");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let outcome = deliver(format!("http://{address}/"), |_| ()).await;
    let cause = failure(outcome, Stage::Connect);
    assert_eq!(cause, format!("{address}: connection refused ({address})"));
}

#[tokio::test]
async fn a_server_that_says_nothing_during_the_handshake_is_left_at_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let outcome = deliver(url, |settings| {
        settings.connect = Duration::from_millis(200);
    })
    .await;
    let cause = failure(outcome, Stage::Tls);
    assert!(cause.ends_with("no TLS session within 200ms"), "{cause}");
}

#[tokio::test]
async fn a_ca_file_is_trusted_over_http_1_and_http_2() {
    let authority = Authority::new();
    for alpn in [&BOTH[..], &BOTH[1..], &[]] {
        let tls = authority.server(alpn, None);
        let receiver = Receiver::start_tls(tls, |_, _| Answer::Status(200)).await;
        let outcome = deliver_with(receiver.url("/"), trusting(&authority, None)).await;
        assert_eq!(outcome, Outcome::Accepted, "{alpn:?}");
        let name = format!("https://localhost:{}/", receiver.address().port());
        let outcome = deliver_with(name, trusting(&authority, None)).await;
        assert_eq!(outcome, Outcome::Accepted, "{alpn:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_authority_gets_nothing() {
    let tls = Authority::new().server(&BOTH, None);
    let receiver = Receiver::start_tls(tls, |_, _| Answer::Status(200)).await;
    for tls in [no_trust(), trusting(&Authority::new(), None)] {
        let cause = failure(deliver_with(receiver.url("/"), tls).await, Stage::Tls);
        assert!(cause.contains("invalid peer certificate"), "{cause}");
    }
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let pair = clients.client("relay");
    for alpn in [&BOTH[..], &BOTH[1..]] {
        let tls = servers.server(alpn, Some(&clients));
        let receiver = Receiver::start_tls(tls, |_, _| Answer::Status(200)).await;
        let known = deliver_with(receiver.url("/"), trusting(&servers, Some(&pair))).await;
        assert_eq!(known, Outcome::Accepted);
        let unknown = deliver_with(receiver.url("/"), trusting(&servers, None)).await;
        let cause = failure(unknown, Stage::Tls);
        assert!(cause.contains("CertificateRequired"), "{cause}");
        assert_eq!(receiver.requests().len(), 1);
    }
}

#[tokio::test]
async fn plain_text_on_a_tls_port_is_a_failure_of_tls() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let url = receiver.url("/").replace("http://", "https://");
    failure(deliver(url, |_| ()).await, Stage::Tls);
}

#[test]
fn files_that_do_not_fit_are_named_with_their_fault_and_never_quoted() {
    let authority = Authority::new();
    let (ours, theirs) = (authority.client("ours"), authority.client("theirs"));
    let roots = file_roots(&authority.file()).unwrap();

    let mixed = ClientIdentity::read(&ours.certificate, &theirs.key).unwrap();
    assert!(!format!("{mixed:?}").contains("PRIVATE"));
    let error = client_config(roots, Some(mixed)).unwrap_err().to_string();
    assert!(
        error.contains("ours.pem") && error.contains("KeyMismatch"),
        "{error}"
    );

    let error = ClientIdentity::read(&ours.certificate, &ours.certificate).unwrap_err();
    assert!(error.to_string().ends_with("no key in it"), "{error}");
    let error = file_roots(&ours.key).unwrap_err().to_string();
    assert!(error.ends_with("ours.key: no certificate in it"), "{error}");
    let missing = ours.key.with_file_name("none.pem");
    let error = file_roots(&missing).unwrap_err().to_string();
    assert!(error.contains("none.pem: No such file"), "{error}");
    let broken = ours.key.with_file_name("broken.pem");
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nhunter2\n").unwrap();
    let error = file_roots(&broken).unwrap_err().to_string();
    assert!(
        error.contains("broken.pem") && !error.contains("hunter"),
        "{error}"
    );
}
