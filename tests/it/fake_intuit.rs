//! The simulated Intuit's accounting API and notifications, from outside.

use crate::support::intuit::{REALM, control, get, granted, send};
use crate::support::relay::{Gateway, TOKEN, eventually};
use http::{Method, Request};
use qbo_relay::model::{Environment, Secret, Timestamp};
use qbo_relay::simulate::books::Deed;
use qbo_relay::simulate::company::Chance;
use qbo_relay::simulate::insecure_client;
use qbo_relay::simulate::intuit_company::{
    AppKeys, Call, CompanyFacts, FakeIntuit, Notices, Notify, Options, Pace,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

async fn start() -> FakeIntuit {
    FakeIntuit::start(Options::default()).await.unwrap()
}

fn ids(records: &Value) -> Vec<&str> {
    let records = records.as_array().map_or(&[][..], Vec::as_slice);
    records
        .iter()
        .map(|record| record["Id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_capture_shows_what_changed_and_what_is_gone_and_is_counted() {
    let intuit = start().await;
    let books = intuit.books(REALM).unwrap();
    let tokens = granted(&intuit);
    for _ in 0..3 {
        books.create("Invoice").unwrap();
    }
    books.delete("Invoice", "2").unwrap();
    books.void("Invoice", "3").unwrap();
    books.fill("Customer", 1, Timestamp::from_ms(0));
    let since = books.history()[0].at.minus(Duration::from_secs(60));
    let path = format!("/v3/company/{REALM}/cdc?entities=invoice,Customer&changedSince={since}");
    let came = get(&intuit, &tokens.access, &path).await;
    assert_eq!(
        came.header("content-type"),
        "application/json;charset=utf-8"
    );
    assert!(came.header("intuit_tid").starts_with("1-"));
    let answer = came.json();
    let blocks = &answer["CDCResponse"][0]["QueryResponse"];
    let mut found = ids(&blocks[0]["Invoice"]);
    found.sort_unstable();
    assert_eq!(found, ["1", "2", "3"]);
    assert_eq!(blocks[1], serde_json::json!({}));
    let states: BTreeSet<_> = blocks[0]["Invoice"]
        .as_array()
        .unwrap()
        .iter()
        .map(|invoice| (&invoice["status"], &invoice["PrivateNote"]))
        .map(|(status, note)| (status.to_string(), note.to_string()))
        .collect();
    assert_eq!(states.len(), 3, "{states:?}");
    // A zone, and milliseconds.
    let time = answer["time"].as_str().unwrap();
    assert!(time.len() == 29 && time.as_bytes()[19] == b'.', "{time}");
    assert_eq!(intuit.calls().of(REALM, Call::Capture), 1);
    assert_eq!(intuit.calls().all(Call::Query), 0);
    assert_eq!(intuit.calls().log[0].target, path);
}

#[tokio::test]
async fn queries_come_by_get_and_by_post_and_records_one_by_one() {
    let intuit = start().await;
    let books = intuit.books(REALM).unwrap();
    let access = granted(&intuit).access;
    for _ in 0..3 {
        books.create("TimeActivity").unwrap();
    }
    let base = format!("/v3/company/{REALM}");
    let query = format!(
        "{base}/query?query=select%20*%20from%20TimeActivity%20maxresults%202&minorversion=75"
    );
    let by_get = get(&intuit, &access, &query).await.json();
    assert_eq!(ids(&by_get["QueryResponse"]["TimeActivity"]), ["1", "2"]);
    let by_post = Request::post(format!("{}{base}/query?minorversion=75", intuit.base_url()))
        .header("authorization", format!("Bearer {access}"))
        .header("content-type", "application/text")
        .body("select count(*) from TimeActivity".to_owned());
    let count = send(by_post.unwrap()).await.unwrap().json();
    assert_eq!(count["QueryResponse"]["totalCount"], 3);
    books.delete("TimeActivity", "2").unwrap();
    let read = async |id: &str| get(&intuit, &access, &format!("{base}/timeactivity/{id}")).await;
    assert_eq!(read("1").await.json()["TimeActivity"]["Id"], "1");
    let gone = read("2").await;
    assert_eq!(
        (gone.status, &gone.json()["Fault"]["Error"][0]["code"]),
        (400, &"610".into())
    );
    let batch = Request::post(format!("{}{base}/batch", intuit.base_url()))
        .header("authorization", format!("Bearer {access}"))
        .body(r#"{"BatchItemRequest":[{"bId":"a","Query":"select Id from TimeActivity"},{"bId":"b","Query":"select"}]}"#.to_owned());
    let answers = send(batch.unwrap()).await.unwrap().json();
    let items = &answers["BatchItemResponse"];
    assert_eq!(ids(&items[0]["QueryResponse"]["TimeActivity"]), ["1", "3"]);
    assert_eq!(items[1]["Fault"]["Error"][0]["code"], "4000");
}

#[tokio::test]
async fn a_token_reads_its_own_company_in_its_own_world_and_nothing_else() {
    let world = |realm: &str, environment| CompanyFacts {
        realm: realm.into(),
        environment,
    };
    let app = |id: &str, environment| AppKeys {
        client_id: id.into(),
        client_secret: Secret::new("secret"),
        environment,
        redirect_uris: Vec::new(),
    };
    let (production, sandbox) = (Environment::Production, Environment::Sandbox);
    let options = Options {
        companies: vec![
            world("1", production),
            world("2", production),
            world("3", sandbox),
        ],
        apps: vec![app("live", production), app("test", sandbox)],
        ..Options::default()
    };
    let intuit = FakeIntuit::start(options).await.unwrap();
    let tokens = |client, realm| intuit.authorize(client, realm).unwrap().access;
    let (live, mixed, test) = (
        tokens("live", "1"),
        tokens("live", "3"),
        tokens("test", "3"),
    );
    let table = [
        (live.as_str(), "/v3/company/1/companyinfo/1", 200),
        (&live, "/v3/company/2/companyinfo/2", 403),
        (&live, "/sandbox/v3/company/1/companyinfo/1", 403),
        (&test, "/sandbox/v3/company/3/companyinfo/3", 200),
        (&test, "/v3/company/3/companyinfo/3", 403),
        (&mixed, "/sandbox/v3/company/3/companyinfo/3", 403),
        ("made-up", "/v3/company/1/companyinfo/1", 401),
    ];
    for (access, path, status) in table {
        let came = get(&intuit, access, path).await;
        assert_eq!(came.status, status, "{path}");
        if status == 403 {
            assert_eq!(came.json()["fault"]["error"][0]["code"], "3100");
        }
        if status == 401 {
            assert!(came.text.contains("Token expired: made-up"));
            assert!(came.header("www-authenticate").contains("invalid_token"));
        }
    }
    intuit.expire_access("1");
    assert_eq!(get(&intuit, &live, table[0].1).await.status, 401);
}

#[tokio::test]
async fn more_calls_than_a_minute_takes_are_throttled_until_the_limits_are_lifted() {
    let intuit = start().await;
    let access = granted(&intuit).access;
    let path = format!("/v3/company/{REALM}/companyinfo/{REALM}");
    intuit.set_pace(Some(Pace {
        per_second: 1_000,
        per_minute: 3,
    }));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(get(&intuit, &access, &path).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    intuit.set_pace(None);
    assert_eq!(get(&intuit, &access, &path).await.status, 200);
}

#[tokio::test]
async fn changes_are_made_over_http_and_companies_and_calls_shown() {
    let intuit = start().await;
    let wishes = r#"{"changes": [
        {"kind": "Customer", "operation": "create", "fields": {"DisplayName": "Amy's"}},
        {"kind": "Customer", "operation": "create"},
        {"kind": "Customer", "operation": "merge", "id": "1", "deleted_id": "2"}
    ], "random": 5, "seed": 3}"#;
    let came = control(&intuit, Method::POST, "changes", wishes)
        .await
        .json();
    let happened = came["happened"].as_array().unwrap();
    assert_eq!(happened.len(), 8);
    assert_eq!(happened[2]["operation"], "Merge");
    assert_eq!(happened[2]["deleted_id"], "2");
    let books = intuit.books(REALM).unwrap();
    assert!(
        books
            .record("Customer", "1")
            .unwrap()
            .contains(r#""DisplayName":"Amy's""#)
    );
    let census = control(&intuit, Method::GET, "companies", "").await.json();
    assert_eq!(census[REALM]["records"]["Customer"]["inactive"], 1);
    let calls = control(&intuit, Method::GET, "calls", "").await.json();
    assert_eq!(calls["metered"], 0);
    for (path, body, part) in [
        (
            "changes",
            r#"{"changes": [{"kind": "Invoice", "operation": "update", "id": "77"}]}"#,
            "no Invoice 77",
        ),
        (
            "changes",
            r#"{"realm": "5", "random": 1}"#,
            "no such company",
        ),
        (
            "faults",
            r#"{"rules": [{"fault": "earthquake"}]}"#,
            "earthquake",
        ),
    ] {
        let refused = control(&intuit, Method::POST, path, body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text.contains(part), "{}", refused.text);
    }
}

#[tokio::test]
async fn https_is_served_with_a_certificate_that_clients_can_trust() {
    let options = Options {
        https: true,
        ..Options::default()
    };
    let intuit = FakeIntuit::start(options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("intuit.pem");
    std::fs::write(&file, intuit.certificate_pem().unwrap()).unwrap();
    let roots = qbo_relay::tls::client::file_roots(&file).unwrap();
    let config = qbo_relay::tls::client::client_config(roots, None).unwrap();
    let url: qbo_relay::wire::url::Url = intuit.token_url().parse().unwrap();
    assert!(url.is_https());
    let sender =
        qbo_relay::simulate::sender::Sender::new(url, std::sync::Arc::unwrap_or_clone(config));
    let answer = sender.post_signed(b"", "").await;
    assert_eq!(answer.status.map(|status| status.as_u16()), Some(401));
}

const FILE_SINK: &str = r#"
[[sink]]
name = "lines"
kind = "file"
path = "out.jsonl"
"#;

/// What the relay's sink got of each change: kind, id, operation.
fn arrived(gateway: &Gateway) -> BTreeSet<(String, String)> {
    let subject = |event: &Value| {
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        (text("subject"), text("type"))
    };
    gateway
        .json_lines("out.jsonl")
        .iter()
        .map(subject)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_is_told_to_a_relay_signed_and_every_change_is_accounted_for() {
    let mut gateway = Gateway::new(FILE_SINK);
    gateway.start();
    let mut notify = Notify::new(
        gateway.url().parse().unwrap(),
        Secret::new(TOKEN),
        insecure_client(),
    );
    (notify.lose, notify.repeat, notify.disorder) = (20, 30, 30);
    notify.delay = Duration::from_millis(50);
    notify.batch_max = 7;
    let options = Options {
        notify: Some(notify),
        ..Options::default()
    };
    let intuit = FakeIntuit::start(options).await.unwrap();
    let books = intuit.books(REALM).unwrap();
    let mut chance = Chance::new(4);
    for _ in 0..300 {
        books.random(&mut chance).unwrap();
    }
    books.quietly().create("Invoice").unwrap();
    let mut notices = intuit.notices();
    let settled = notices.wait_for(|notices| notices.happened == 300 && notices.waiting() == 0);
    let told: Notices = *tokio::time::timeout(Duration::from_secs(60), settled)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(told.given_up, 0);
    assert!((30..=90).contains(&told.lost), "{told:?}");
    assert!(told.repeated > 0 && told.posts > told.repeated, "{told:?}");
    let distinct: usize = usize::try_from(told.acknowledged).unwrap();
    // A repeat leaves once: the sink gets each acknowledged change one time.
    let lines = eventually("all that was acknowledged is in the file", || {
        let lines = gateway.json_lines("out.jsonl").len();
        (lines >= distinct).then_some(lines)
    });
    assert_eq!(lines, distinct);
    let happened: BTreeSet<(String, String)> = books
        .history()
        .iter()
        .map(|happening| {
            let (segment, verb) = (
                happening.kind.to_ascii_lowercase(),
                happening.deed.words().1,
            );
            (
                format!("{}/{}", happening.kind, happening.id),
                format!("qbo.{segment}.{verb}.v1"),
            )
        })
        .collect();
    assert!(arrived(&gateway).is_subset(&happened));
    assert_eq!(books.history().len(), 301);
    assert!(
        books
            .history()
            .iter()
            .any(|happening| happening.deed == Deed::Merge)
    );
    assert_eq!(gateway.end_by("TERM"), Some(0));
}

#[test]
fn the_command_prints_a_configuration_serves_and_ends_when_asked() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_qbo-relay"))
        .args([
            "simulate",
            "--company",
            "--listen",
            "127.0.0.1:0",
            "--realms",
            "2",
        ])
        .args([
            "--rate",
            "20",
            "--client-id",
            "mine",
            "--consent",
            "at-once",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next_with = |part: &str| {
        let found = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no line with {part}"))
    };
    next_with("9341455841580195, 9341455841580196");
    next_with("[[app]]");
    next_with(r#"client_id = "mine""#);
    let token_url = next_with("token_url = ");
    assert!(
        token_url.contains("http://127.0.0.1:")
            && token_url.ends_with("/oauth2/v1/tokens/bearer\"")
    );
    next_with("api_url = ");
    next_with("company 93414558415801");
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = eventually("it ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}
