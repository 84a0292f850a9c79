//! Companies by the ten thousand, whose names a client made up: in the memory that the unit allows.

use crate::servicestack_sources::gateway;
use crate::support::client::Client;
use crate::support::original::request;
use crate::support::relay::{Gateway, eventually};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

/// `MemoryMax` of the unit.
const MEMORY_BYTES: u64 = 128 << 20;

/// Companies in one body.
const IN_ONE: usize = 1_000;

const TABLES: &str = r#"
[[source]]
name = "till"
path = "/till"
bearer_token = "tok"
companies = "any"
companies_max = 1000000
entries_per_minute = 10000000
[[sink]]
name = "lines"
kind = "file"
path = "out.jsonl"
[[sink]]
name = "down"
kind = "http"
url = "http://127.0.0.1:1/hook"
"#;

fn body(companies: std::ops::Range<usize>) -> String {
    let entity = json!({"name": "Invoice", "id": "1", "operation": "Update",
        "lastUpdated": "2026-11-21T05:04:35Z"});
    let told = companies.map(|number| {
        json!({"realmId": format!("93414{number:08}"), "dataChangeEvent": {"entities": [entity]}})
    });
    json!({"eventNotifications": told.collect::<Vec<_>>()}).to_string()
}

async fn post(gateway: &Gateway, trusted: &CertificateDer<'_>, body: &str) -> u16 {
    let client = Client::new(gateway.https.unwrap(), trusted);
    let head = "Authorization: Bearer tok\r\nContent-Type: application/json\r\n";
    client.ask(&request("POST /till", head, body)).await.status
}

/// The most memory that the relay ever had resident, in bytes.
fn memory_peak(gateway: &Gateway) -> u64 {
    let status = format!("/proc/{}/status", gateway.pid());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() << 10
}

fn status(gateway: &Gateway) -> (Option<i32>, Value) {
    let said = gateway.command(&["status", "--json"]);
    let value = serde_json::from_slice(&said.stdout).unwrap_or_default();
    (said.status.code(), value)
}

#[tokio::test]
async fn fifty_thousand_made_up_companies_fit_into_the_units_memory_and_after_a_restart() {
    let (mut gateway, trusted) = gateway(TABLES);
    gateway.start();
    for post_number in 0..50 {
        let first = post_number * IN_ONE;
        let body = body(first..first + IN_ONE);
        // A slow machine may ask to come again.
        let mut tries = 0;
        while post(&gateway, &trusted, &body).await != 200 {
            tries += 1;
            assert!(tries < 20, "not taken");
        }
    }
    let told = eventually("the bound is said", || {
        let (exit, told) = status(&gateway);
        (exit == Some(1) && told["refused_changes"] == 40_000).then_some(told)
    });
    assert_eq!(told["companies"], 10_000);
    assert_eq!(told["companies_over_limit"], 10_000);
    let sentence = told["sentence"].as_str().unwrap();
    assert!(sentence.contains("raise companies_max"), "{sentence}");
    gateway.line("is one more than the 10000 that there may be");
    let before = memory_peak(&gateway);
    assert!(before < MEMORY_BYTES, "{} MiB", before >> 20);
    assert_eq!(gateway.end_by("TERM"), Some(0), "{:#?}", gateway.lines);

    gateway.start();
    eventually(
        "all of them are there, and the sink that is down is tried",
        || {
            let told = status(&gateway).1;
            let failed = told["counters"]["attempts_failed"].as_u64().unwrap_or(0);
            let waiting = told["waiting"].as_u64().unwrap_or(0);
            (told["companies"] == 10_000 && waiting >= 10_000 && failed > 0).then_some(())
        },
    );
    let after = memory_peak(&gateway);
    assert!(after < MEMORY_BYTES, "{} MiB", after >> 20);
    assert_eq!(gateway.end_by("TERM"), Some(0), "{:#?}", gateway.lines);
}
