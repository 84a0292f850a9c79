//! Who may deliver to the original listener's face without a signature, and how it is switched off.

use crate::support::client::{Answer, Client, read_answer};
use crate::support::gate::{BODY, Gate, delivery, sign};
use crate::support::original::{ask, dto, face, here, kept, request};
use crate::support::relay::{Gateway, eventually};
use qbo_relay::model::{Authenticity, Encoding, Secret, SourceScope};
use qbo_relay::server::face::Face;
use qbo_relay::server::source::Source;
use qbo_relay::wire::credential::Credential;
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn without_a_source_every_route_asks_for_a_signature() {
    let gate = Gate::with_face(Face::default()).await;
    for line in [
        "POST /qbowebhook",
        "POST /qbowebhook.json",
        "POST /webhooks.xml",
        "POST /api/QboWebhooksRequest",
        "GET /api/QboWebhooksRequest",
        "POST /json/reply/QboWebhooksRequest",
        "POST /json/oneway/QboWebhooksRequest[]",
    ] {
        for head in [
            "",
            "Authorization: Bearer \r\n",
            "X-Forwarded-For: 127.0.0.1\r\n",
        ] {
            let answer = ask(&gate, line, head, &dto()).await;
            assert_eq!(answer.status, 403, "{line}");
        }
        let signature = format!("intuit-signature: {}\r\n", sign(dto().as_bytes()));
        let answer = ask(&gate, line, &signature, &dto()).await;
        let status = if line.contains("oneway") { 204 } else { 200 };
        assert_eq!(answer.status, status, "{line} {}", answer.body);
    }
    assert_eq!(gate.tally.deliveries_forged.value(), 21);
    assert_eq!(gate.tally.deliveries_unsigned.value(), 0);
}

#[tokio::test]
async fn a_page_of_another_site_delivers_nothing_by_the_address_of_its_browser() {
    let gate = Gate::with_face(face(vec![here()])).await;
    let query = "eventNotifications=[]";
    let get = format!("GET /api/QboWebhooksRequest?{query}");
    for (line, head, status) in [
        ("POST /qbowebhook", "", 200),
        ("POST /qbowebhook", "Sec-Fetch-Site: none\r\n", 200),
        ("POST /qbowebhook", "Sec-Fetch-Site: same-origin\r\n", 200),
        ("POST /qbowebhook", "Origin: https://relay.example\r\n", 200),
        ("POST /qbowebhook", "Sec-Fetch-Site: cross-site\r\n", 403),
        ("POST /qbowebhook", "Sec-Fetch-Site: same-site\r\n", 403),
        ("POST /qbowebhook", "Origin: https://evil.example\r\n", 403),
        ("POST /qbowebhook.json", "Origin: null\r\n", 403),
        (
            "POST /api/QboWebhooksRequest",
            "Sec-Fetch-Site: cross-site\r\n",
            403,
        ),
        (
            "PUT /json/oneway/QboWebhooksRequest",
            "Origin: https://relay.example:8443\r\n",
            403,
        ),
        (get.as_str(), "", 403),
        (get.as_str(), "Sec-Fetch-Site: same-origin\r\n", 403),
        (
            "GET /json/oneway/QboWebhooksRequest",
            "Sec-Fetch-Dest: image\r\n",
            403,
        ),
    ] {
        let answer = ask(&gate, line, head, &dto()).await;
        assert_eq!(answer.status, status, "{line} {head}{}", answer.body);
        if status == 403 {
            assert!(
                answer.body.contains("give the source a credential"),
                "{}",
                answer.body
            );
        }
    }
    // The same each time.
    assert_eq!(gate.shelf.receipts().len(), 1);
    assert_eq!(gate.tally.deliveries_unsigned.value(), 4);
    assert_eq!(gate.tally.deliveries_unauthorized.value(), 9);
    // A signature speaks for itself.
    let head = format!(
        "Sec-Fetch-Site: cross-site\r\nintuit-signature: {}\r\n",
        sign(dto().as_bytes())
    );
    assert_eq!(
        ask(&gate, "POST /qbowebhook", &head, &dto()).await.status,
        200
    );
}

/// One source with a token; one with a password that has to come from 127.0.0.9, too.
fn two_sources() -> Vec<Source> {
    let tokened = Source {
        name: "tokened".into(),
        path: Some("/from-here".into()),
        predefined_routes: false,
        credential: Some(Credential::Bearer(Secret::new("tok"))),
        addresses: Vec::new(),
        scope: SourceScope::default(),
    };
    let both = Source {
        name: "both".into(),
        path: Some("/both".into()),
        credential: Some(Credential::Basic {
            user: "u".into(),
            password: Secret::new("p"),
        }),
        addresses: vec!["127.0.0.9/32".parse().unwrap()],
        ..tokened.clone()
    };
    vec![tokened, both]
}

#[tokio::test]
async fn a_source_shows_its_credential_and_comes_from_its_address() {
    let gate = Gate::with_face(face(two_sources())).await;
    let (bearer, basic) = (
        "Authorization: Bearer tok\r\n",
        "Authorization: Basic dTpw\r\n",
    );
    let twice = format!("{bearer}{bearer}");
    let table = [
        (1, "/from-here", bearer, 200, None),
        (1, "/from-here.xml", bearer, 200, None),
        (1, "/from-here", "", 401, Some("Bearer realm=\"qbo-relay\"")),
        (
            1,
            "/from-here",
            "Authorization: Bearer tik\r\n",
            401,
            Some("Bearer realm=\"qbo-relay\""),
        ),
        (
            1,
            "/from-here",
            &twice,
            401,
            Some("Bearer realm=\"qbo-relay\""),
        ),
        (1, "/both", basic, 403, None),
        (
            9,
            "/both",
            "",
            401,
            Some("Basic realm=\"qbo-relay\", charset=\"UTF-8\""),
        ),
        (
            9,
            "/both",
            bearer,
            401,
            Some("Basic realm=\"qbo-relay\", charset=\"UTF-8\""),
        ),
        (9, "/both", basic, 200, None),
        (1, "/qbowebhook", bearer, 403, None),
        (1, "/api/QboWebhooksRequest", bearer, 403, None),
    ];
    for (last, path, head, status, challenge) in table {
        let bytes = request(&format!("POST {path}"), head, &dto());
        let answer = gate.client().from(last).ask(&bytes).await;
        assert_eq!(answer.status, status, "{path} {head}");
        assert_eq!(
            answer.header("www-authenticate"),
            challenge,
            "{path} {head}"
        );
        if status != 200 {
            assert!(
                answer.body.contains("\"responseStatus\""),
                "{}",
                answer.body
            );
        }
    }
    assert_eq!(gate.tally.deliveries_unauthorized.value(), 6);
    // Who signs is verified, also where it is not asked for.
    let answer = ask(
        &gate,
        "POST /from-here",
        &format!("intuit-signature: x\r\n{bearer}"),
        "{}",
    )
    .await;
    assert_eq!(answer.status, 403);
    let receipts = gate.shelf.receipts();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].source, "tokened");
    assert_eq!(receipts[0].authenticity, Authenticity::Credential);
}

#[tokio::test]
async fn the_metadata_is_public_where_it_is_told_to_be() {
    let face = Face {
        publish_metadata: true,
        ..face(Vec::new())
    };
    let gate = Gate::with_face(face).await;
    let answer = ask(&gate, "GET /types/python", "", "").await;
    let types = include_str!("../data/servicestack/types.py");
    assert_eq!((answer.status, &*answer.body), (200, types));
    let answer = ask(&gate, "GET /json/metadata?op=QboWebhooksRequest", "", "").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(ask(&gate, "POST /metadata", "", "").await.status, 404);
    assert_eq!(ask(&gate, "GET /types/cobol", "", "").await.status, 404);
}

#[tokio::test]
async fn one_switch_turns_all_of_it_off() {
    let face = Face {
        enabled: false,
        publish_metadata: true,
        ..face(vec![here()])
    };
    let gate = Gate::with_face(face).await;
    for line in [
        "POST /qbowebhook.json",
        "POST /QboWebhook",
        "POST /api/QboWebhooksRequest",
        "POST /json/reply/QboWebhooksRequest",
        "POST /json/reply/Nope",
        "GET /api",
        "GET /metadata",
    ] {
        let answer = ask(&gate, line, "", &dto()).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (404, "not found\n"),
            "{line}"
        );
    }
    let answer = ask(&gate, "POST /qbowebhook", "", &dto()).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (403, "signature missing or wrong\n")
    );
    let answer = ask(&gate, "POST /qbowebhook?format=xml", "", "").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let answer = gate.client().ask(&delivery(BODY)).await;
    assert_eq!((answer.status, &*answer.body), (200, "\"OK\""));
    let xml = "<QboWebhooksRequest/>";
    let answer = gate.client().ask(&delivery(xml.as_bytes())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(gate.shelf.receipts()[1].encoding, Encoding::Json);
    assert_eq!(kept(&gate), ["body: neither an array nor an object"]);
}

const WAREHOUSE: &str = r#"
[[source]]
name = "warehouse"
path = "/from-warehouse"
predefined_routes = true
bearer_token_file = "warehouse"
addresses = ["127.0.0.0/8"]
companies = "any"
"#;

const FILE_SINK: &str = "[[sink]]\nname = \"lines\"\nkind = \"file\"\npath = \"out.jsonl\"\n";

/// A gateway whose certificate a client can trust, with these further tables.
pub(crate) fn gateway(tables: &str) -> (Gateway, CertificateDer<'static>) {
    let gateway = Gateway::new("");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    gateway.write("cert.pem", &made.cert.pem());
    gateway.write("key.pem", &made.signing_key.serialize_pem());
    gateway.write("warehouse", "tok\n");
    let config = std::fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
    let files = "certificate = \"cert.pem\"\nkey = \"key.pem\"";
    let config = config.replace("self_signed = true", files) + tables;
    gateway.write("qbo-relay.toml", &config);
    (gateway, made.cert.der().clone())
}

async fn post(gateway: &Gateway, trusted: &CertificateDer<'_>, line: &str, head: &str) -> Answer {
    let client = Client::new(gateway.https.unwrap(), trusted);
    let sample = include_str!("../data/servicestack/python-post.http");
    let (_, body) = sample.split_once("\r\n\r\n").unwrap();
    client.ask(&request(line, head, body)).await
}

/// A page of the admin listener.
async fn page(gateway: &Gateway, path: &str) -> Answer {
    let mut stream = TcpStream::connect(gateway.admin.unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}

#[tokio::test]
async fn the_path_of_a_source_is_told_in_the_house_only() {
    let publish = "[servicestack]\npublish_metadata = true\n";
    let (mut gateway, trusted) = gateway(&format!("{publish}{WAREHOUSE}"));
    gateway.start();
    for path in ["/operations/metadata", "/types/metadata"] {
        let told = page(&gateway, path).await.body;
        assert!(told.contains("\"/from-warehouse\""), "{told}");
        let client = Client::new(gateway.https.unwrap(), &trusted);
        let public = client.ask(&request(&format!("GET {path}"), "", "")).await;
        assert!(public.body.contains("\"/qbowebhook\""), "{}", public.body);
        assert!(!public.body.contains("warehouse"), "{}", public.body);
    }
    assert_eq!(gateway.end_by("TERM"), Some(0));
}

#[tokio::test]
async fn a_client_of_the_original_is_served_by_the_real_gateway() {
    let (mut gateway, trusted) = gateway(&format!("{WAREHOUSE}{FILE_SINK}"));
    let check = gateway.command(&["check"]);
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    for part in [
        "[servicestack]: on: suffixes and predefined routes",
        "[[source]] warehouse: whoever shows its bearer token from 127.0.0.0/8 may come unsigned to /from-warehouse and the predefined routes",
    ] {
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
    gateway.start();
    let bearer = "Authorization: Bearer tok\r\n";
    let refused = post(&gateway, &trusted, "POST /qbowebhook", bearer).await;
    assert_eq!(refused.status, 403);
    for line in ["POST /from-warehouse.json", "POST /api/QboWebhooksRequest"] {
        let answer = post(&gateway, &trusted, line, bearer).await;
        assert_eq!((answer.status, &*answer.body), (200, "\"OK\""), "{line}");
    }
    let events = eventually("three changes leave, once", || {
        let events = gateway.json_lines("out.jsonl");
        (events.len() >= 3).then_some(events)
    });
    assert_eq!(events.len(), 3);
    assert!(
        events
            .iter()
            .all(|event| event["authenticity"] == "credential")
    );
    assert_eq!(events[1]["type"], "qbo.21.merged.v1");
    assert_eq!(events[1]["subject"], "21/2");
    let notified = &events[1]["data"]["notified"];
    assert_eq!(notified["entityNumber"], 21);
    assert_eq!(notified["candidates"][1], "Vendor");
    assert_eq!(events[2]["type"], "qbo.class.void.v1");
    assert!(
        events[2].get("time").is_none(),
        "its date was left at its default"
    );

    let list = gateway.command(&["journal", "list"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(
        list.contains("webhook credential") && list.contains("came 1 times more"),
        "{list}"
    );
    let show = gateway.command(&["journal", "show", "1"]);
    let show = String::from_utf8_lossy(&show.stdout).into_owned();
    for part in [
        "not signed; showed the credential of source warehouse",
        "legacy, json",
        "not decided which kind it is: {\"candidates\":[\"Department\",\"Vendor\"],\"entityNumber\":21}",
    ] {
        assert!(show.contains(part), "no {part:?} in: {show}");
    }
    assert!(!show.contains("Bearer"), "{show}");

    gateway.write("warehouse", "tik\n");
    gateway.signal("HUP");
    gateway.wait_for_line("reloaded certificates");
    let old = post(&gateway, &trusted, "POST /from-warehouse", bearer).await;
    assert_eq!(old.status, 401);
    let new = "Authorization: Bearer tik\r\n";
    let new = post(&gateway, &trusted, "POST /from-warehouse", new).await;
    assert_eq!(new.status, 200);

    let page = page(&gateway, "/types/mjs").await;
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("QBOEntityName[\"Class\"] = 38"),
        "{}",
        page.body
    );
    assert_eq!(gateway.end_by("TERM"), Some(0));
}

#[test]
fn a_source_that_cannot_be_meant_is_refused() {
    let table = [
        (
            "path = \"/in\"",
            "would let everybody in without a signature",
        ),
        ("bearer_token = \"t\"", "has no way in"),
        ("path = \"/in\"\naddresses = []", "would let everybody in"),
        (
            "path = \"/in\"\naddresses = [\"10.0.0.0/33\"]",
            "10.0.0.0/33",
        ),
        ("path = \"in\"\nbearer_token = \"t\"", "must begin with /"),
        (
            "path = \"/in\"\nbasic_username = \"u\"",
            "basic_username needs basic_password",
        ),
        (
            "path = \"/in\"\nbasic_password = \"p\"",
            "basic_password needs basic_username",
        ),
        (
            "path = \"/in\"\nbasic_username = \"a:b\"\nbasic_password = \"p\"",
            "cannot have a colon",
        ),
        (
            "path = \"/in\"\nbearer_token = \"t\"\n[[source]]\nname = \"s\"\npath = \"/b\"\nbearer_token = \"t\"",
            "two sources are named \"s\"",
        ),
        (
            "path = \"/in\"\nbearer_token = \"t\"\n[servicestack]\nenabled = false",
            "switches the sources off",
        ),
        (
            "path = \"/in\"\nbearer_token = \"t\"\n[servicestack]\nentity_numbers = { \"a b\" = 1 }",
            "a b",
        ),
    ];
    for (keys, part) in table {
        let gateway = Gateway::new(&format!("[[source]]\nname = \"s\"\n{keys}\n"));
        let check = gateway.command(&["check"]);
        let told = String::from_utf8_lossy(&check.stdout).into_owned();
        assert_eq!(check.status.code(), Some(2), "{keys}: {told}");
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
}

#[test]
fn what_makes_a_source_wide_open_is_said() {
    let tables = "[servicestack]\nraw_strings = true\npublish_metadata = true\nentity_numbers = { Vendor = 21 }\n\
                  [[source]]\nname = \"s\"\npath = \"/qbowebhook\"\naddresses = [\"0.0.0.0/0\", \"10.0.0.7/24\", \"::ffff:10.1.0.0/112\"]\n";
    let gateway = Gateway::new(tables);
    let check = gateway.command(&["check"]);
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(0), "{told}");
    for part in [
        "whoever comes as source \"s\" need not sign there",
        "\"0.0.0.0/0\" is every IPv4 address there is",
        "it is taken as 10.0.0.0/24",
        "strings without quotes; metadata on the public listener",
        "whoever is at 0.0.0.0/0, 10.0.0.0/24, 10.1.0.0/16 may come unsigned to /qbowebhook",
    ] {
        assert!(told.contains(part), "no {part:?} in: {told}");
    }
}

#[tokio::test]
async fn a_source_that_delivers_too_much_is_told_when_to_come_again_and_others_are_not() {
    let mut sources = two_sources();
    sources[0].scope.entries_per_minute = 4;
    let gate = Gate::with_face(face(sources)).await;
    let sample = include_str!("../data/servicestack/python-post.http");
    let (_, body) = sample.split_once("\r\n\r\n").unwrap();
    let head = "Authorization: Bearer tok\r\n";
    let post = async || {
        gate.client()
            .ask(&request("POST /from-here", head, body))
            .await
    };
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(post().await);
    }
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..4).contains(&taken), "{taken}");
    let refused = answers.last().unwrap();
    assert_eq!(refused.status, 429);
    let seconds: u32 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=120).contains(&seconds), "{seconds}");
    assert!(
        refused.body.contains("entries_per_minute"),
        "{}",
        refused.body
    );
    assert!(gate.tally.deliveries_throttled.value() >= 1);
    // What is signed goes on.
    let signed = gate.client().ask(&delivery(b"[]")).await;
    assert_eq!(signed.status, 200);
}
