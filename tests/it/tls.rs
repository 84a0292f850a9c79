//! TLS of the public listener: versions, ciphers, certificates and their exchange.

use crate::support::certificate::{Authority, Files, authority};
use crate::support::client::{Client, config, read_answer};
use crate::support::gate::{BODY, Gate, Shelf, delivery};
use qbo_relay::model::{Limits, Timestamp};
use qbo_relay::tls::{self, Error, Finding, Resolver, load};
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, RootCertStore, version};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

const DAY: Duration = Duration::from_secs(86_400);

/// In the middle of the life of [`Authority::leaf`]: 2026-07-02.
const SUMMER: Timestamp = Timestamp::from_ms(1_782_950_400_000);

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let gate = Gate::open(&Limits::default()).await;
    let versions = [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ];
    for (offered, expected) in versions {
        let mut client = gate.client();
        client.config = config(&gate.resolver.current().key.cert[0], offered);
        let stream = client.connect().await;
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(client.ask(&delivery(BODY)).await.status, 200);
    }
}

#[tokio::test]
async fn the_order_of_cipher_suites_is_the_servers() {
    let gate = Gate::open(&Limits::default()).await;
    let strongest = [
        (
            &version::TLS12,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
        (&version::TLS13, CipherSuite::TLS13_AES_256_GCM_SHA384),
    ];
    for (offered, expected) in strongest {
        let mut client = gate.client();
        let mut reversed = tls::provider().as_ref().clone();
        reversed.cipher_suites.reverse();
        let mut roots = RootCertStore::empty();
        roots
            .add(gate.resolver.current().key.cert[0].clone())
            .unwrap();
        client.config = ClientConfig::builder_with_provider(Arc::new(reversed))
            .with_protocol_versions(&[offered])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = client.connect().await;
        let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap();
        assert_eq!(suite.suite(), expected);
    }
}

#[tokio::test]
async fn the_protocol_is_agreed_by_alpn_and_by_nothing_else() {
    let gate = Gate::open(&Limits::default()).await;
    let agreed: [(&[&str], Option<&[u8]>); 4] = [
        (&["h2", "http/1.1"], Some(b"h2")),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ];
    for (offered, expected) in agreed {
        let stream = gate.client().speaking(offered).connect().await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), expected, "{offered:?}");
    }
    let foreign = gate.client().speaking(&["spdy/3"]).try_connect().await;
    assert!(foreign.is_err());
}

#[tokio::test]
async fn a_new_certificate_serves_the_next_handshake() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::within(directory.path());
    let first = files.write_self_signed();
    let resolver = Arc::new(Resolver::from_files(&files.certificate, &files.key).unwrap());
    let (limits, shelf) = (Limits::default(), Shelf::default());
    let gate = Gate::open_as(
        Arc::clone(&resolver),
        &limits,
        shelf,
        qbo_relay::wire::decode,
    )
    .await;
    let trusting_first = Client::new(gate.address, &first);
    let mut open = trusting_first.connect().await;

    let second = files.write_self_signed();
    let trusting_second = Client::new(gate.address, &second);
    assert!(trusting_second.try_connect().await.is_err());
    resolver.reload().unwrap();
    assert_eq!(trusting_second.ask(&delivery(BODY)).await.status, 200);
    assert!(trusting_first.try_connect().await.is_err());
    // A connection that is open stays open.
    open.write_all(&delivery(BODY)).await.unwrap();
    assert_eq!(read_answer(&mut open).await.status, 200);
}

#[tokio::test]
async fn a_certificate_that_cannot_serve_never_replaces_one_that_does() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::within(directory.path());
    files.write_self_signed();
    let resolver = Resolver::from_files(&files.certificate, &files.key).unwrap();
    let before = resolver.current();
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    fs::write(&files.key, other_key).unwrap();
    assert!(matches!(resolver.reload(), Err(Error::KeyMismatch { .. })));
    fs::remove_file(&files.certificate).unwrap();
    assert!(matches!(resolver.reload(), Err(Error::Unreadable { .. })));
    assert!(Arc::ptr_eq(&before.key, &resolver.current().key));
}

#[test]
fn a_self_signed_certificate_stays_as_it_is_over_a_reload() {
    let resolver = Resolver::from_self_signed(&["localhost".into(), "127.0.0.1".into()]).unwrap();
    let before = resolver.current();
    assert!(Arc::ptr_eq(&before.key, &resolver.reload().unwrap().key));
    assert_eq!(before.facts.names, ["localhost", "127.0.0.1"]);
    assert_eq!(before.findings(SUMMER, DAY), [Finding::SelfIssued]);
}

fn stored(chain: &[&str], key: &str) -> (TempDir, Files) {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::within(directory.path());
    fs::write(&files.certificate, chain.concat()).unwrap();
    fs::write(&files.key, key).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&files.key, private).unwrap();
    (directory, files)
}

#[test]
fn the_facts_of_a_certificate_are_read() {
    let Authority {
        root,
        intermediate,
        leaf,
        key,
    } = authority();
    let (_directory, files) = stored(&[&leaf, &intermediate, &root], &key);
    let loaded = load(&files.certificate, &files.key).unwrap();
    let facts = &loaded.facts;
    assert_eq!(facts.names, ["relay.example", "192.0.2.7"]);
    assert_eq!(facts.subject, "CN=relay.example");
    assert_eq!(facts.issuer, "CN=Test intermediate");
    assert!(!facts.self_issued);
    assert_eq!(facts.not_before.to_string(), "2026-01-01T00:00:00.000Z");
    assert_eq!(facts.not_after.to_string(), "2027-01-01T00:00:00.000Z");
    assert_eq!(facts.left(facts.not_after.minus(DAY)), DAY);
    assert_eq!(facts.left(facts.not_after.plus(DAY)), Duration::ZERO);
    assert_eq!(loaded.findings(SUMMER, DAY), []);
}

#[test]
fn a_certificate_out_of_its_time_is_found() {
    let made = authority();
    let (_directory, files) = stored(&[&made.leaf, &made.intermediate, &made.root], &made.key);
    let loaded = load(&files.certificate, &files.key).unwrap();
    let (from, at) = (loaded.facts.not_before, loaded.facts.not_after);
    let second = Duration::from_secs(1);
    let early = loaded.findings(from.minus(second), DAY);
    assert_eq!(early, [Finding::NotYetValid { from }]);
    assert_eq!(loaded.findings(from, DAY), []);
    assert_eq!(loaded.findings(at.minus(DAY), DAY), []);
    let soon = loaded.findings(at.minus(DAY).plus(second), DAY);
    assert_eq!(soon, [Finding::EndsSoon { at }]);
    assert!(!soon[0].is_fatal_to_senders());
    let ended = loaded.findings(at, DAY);
    assert_eq!(ended, [Finding::Ended { at }]);
    assert!(ended[0].is_fatal_to_senders());
}

#[test]
fn an_incomplete_chain_serves_and_is_found() {
    let made = authority();
    let chains: [(&[&str], &str); 4] = [
        (&[&made.leaf], "CN=Test intermediate"),
        (&[&made.leaf, &made.root], "CN=Test intermediate"),
        (
            &[&made.leaf, &made.root, &made.intermediate],
            "CN=Test intermediate",
        ),
        (&[&made.leaf, &made.intermediate], "CN=Test root"),
    ];
    for (chain, missing) in chains {
        let (_directory, files) = stored(chain, &made.key);
        let loaded = load(&files.certificate, &files.key).unwrap();
        let findings = loaded.findings(SUMMER, DAY);
        let [Finding::IncompleteChain { file, issuer }] = &findings[..] else {
            panic!("{missing}: {findings:?}");
        };
        assert_eq!((file, issuer.as_str()), (&files.certificate, missing));
        assert!(findings[0].is_fatal_to_senders());
        assert!(findings[0].to_string().contains("fullchain.pem"));
    }
}

#[test]
fn a_key_that_everybody_can_read_is_found() {
    let made = authority();
    let chain = [&*made.leaf, &made.intermediate, &made.root];
    let (_directory, files) = stored(&chain, &made.key);
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&files.key, open).unwrap();
    let loaded = load(&files.certificate, &files.key).unwrap();
    let file = files.key.clone();
    assert_eq!(loaded.findings(SUMMER, DAY), [Finding::ExposedKey { file }]);
}

#[test]
fn what_cannot_serve_is_refused_with_the_file_and_what_to_do() {
    let made = authority();
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let cut = |text: &str| text[..text.len() / 2].to_owned();
    let garbled = made.leaf.replacen("MII", "MIA", 1);
    let cases: [(&str, &str, &str, &str); 8] = [
        ("", &made.key, "fullchain.pem", "no certificate in it"),
        (
            &made.key,
            &made.key,
            "fullchain.pem",
            "no certificate in it",
        ),
        (&made.leaf, "", "privkey.pem", "no private key in it"),
        (
            &made.leaf,
            &made.leaf,
            "privkey.pem",
            "no private key in it",
        ),
        (&made.leaf, &other, "privkey.pem", "does not belong to"),
        (&cut(&made.leaf), &made.key, "fullchain.pem", "damaged"),
        (&made.leaf, &cut(&made.key), "privkey.pem", "damaged"),
        (
            &garbled,
            &made.key,
            "fullchain.pem",
            "certificate 1 cannot be read",
        ),
    ];
    for (chain, key, file, why) in cases {
        let (_directory, files) = stored(&[chain], key);
        let error = load(&files.certificate, &files.key).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(file) && message.contains(why), "{message}");
        let secret = made.key.lines().nth(1).unwrap();
        assert!(!format!("{message}{error:?}").contains(secret));
    }
    let (_directory, mut files) = stored(&[&made.leaf], &made.key);
    files.key.set_file_name("elsewhere.pem");
    let error = load(&files.certificate, &files.key).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }));
    assert!(error.to_string().contains("elsewhere.pem"));
}
