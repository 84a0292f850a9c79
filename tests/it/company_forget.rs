//! `company forget`, as a person types it: with the relay running and without.

use crate::support::relay::Gateway;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Output;

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The companies of which something is kept.
fn companies(gateway: &Gateway) -> BTreeSet<String> {
    let exported = gateway.command(&["journal", "export"]);
    assert_eq!(exported.status.code(), Some(0));
    let lines = String::from_utf8(exported.stdout).unwrap();
    let receipts = lines.lines().map(serde_json::from_str::<Value>);
    receipts
        .flat_map(|receipt| receipt.unwrap()["changes"].as_array().unwrap().clone())
        .map(|change| change["realm"].as_str().unwrap().to_owned())
        .collect()
}

/// Files of the journal in which a company is named.
fn traces(gateway: &Gateway, company: &str) -> Vec<String> {
    let named = |path: &std::path::Path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mut parts = bytes.windows(company.len());
        parts.any(|part| part == company.as_bytes())
    };
    let entries = std::fs::read_dir(gateway.path("state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.is_file() && named(path));
    paths.map(|path| path.display().to_string()).collect()
}

#[test]
fn a_company_is_forgotten_by_the_running_relay_and_where_none_runs() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let sent = gateway.simulate(&["--count", "40", "--realms", "3"]);
    assert_eq!(sent.status.code(), Some(0));
    let before = companies(&gateway);
    let all: Vec<&String> = before.iter().collect();
    let [first, second, third] = all[..] else {
        panic!("{before:?}");
    };

    let planned = json(&gateway.command(&["company", "forget", first, "--dry-run", "--json"]));
    assert_eq!(planned["dry_run"], true);
    assert_eq!(companies(&gateway), before);
    let done = json(&gateway.command(&["company", "forget", first, "--json"]));
    for key in ["receipts", "receipts_cut", "changes"] {
        assert_eq!(done[key], planned[key], "{key}");
    }
    assert!(done["changes"].as_u64().unwrap() > 0);
    assert_eq!(traces(&gateway, first), [""; 0]);
    let again = gateway.command(&["company", "forget", first]);
    assert_eq!(again.status.code(), Some(1));
    let why = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(why.contains("nothing is kept of this company"), "{why}");
    assert_eq!(traces(&gateway, first), [""; 0]);
    assert_eq!(gateway.end_by("TERM"), Some(0));

    let done = gateway.command(&["company", "forget", second]);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{text}");
    assert!(
        text.contains(&format!("of company {second} erased")),
        "{text}"
    );
    assert_eq!(traces(&gateway, second), [""; 0]);
    assert_eq!(companies(&gateway), [third.clone()].into());
    let verified = gateway.command(&["journal", "verify"]);
    assert_eq!(verified.status.code(), Some(0));
}
