//! One normal form of paths on every listener, and what becomes of a signed post that goes elsewhere.

use crate::support::client::Answer;
use crate::support::gate::{BODY, Gate, sign};
use crate::support::original::{face, request, tokened};
use crate::support::relay::{Gateway, eventually};
use qbo_relay::model::Limits;
use serde_json::Value;
use std::path::Path;

/// A signed post.
async fn post(gate: &Gate, path: &str, signature: &str) -> Answer {
    let head = match signature {
        "" => String::new(),
        signature => format!("intuit-signature: {signature}\r\n"),
    };
    let body = String::from_utf8(BODY.to_vec()).unwrap();
    let request = request(&format!("POST {path}"), &head, &body);
    gate.client().ask(&request).await
}

#[tokio::test]
async fn double_and_final_slashes_and_needless_encodings_do_not_matter() {
    let gate = Gate::open(&Limits::default()).await;
    let right = sign(BODY);
    for path in [
        "/qbowebhook",
        "/qbowebhook/",
        "//qbowebhook",
        "//qbowebhook//",
        "/%71bowebhook",
        "/%71bowebhook/?a=b//c/",
        "/webhooks/",
        "/qbowebhook.json/",
        "//json//reply/QboWebhooksRequest/",
    ] {
        let answer = post(&gate, path, &right).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    for path in [
        "/qbowebhook%2F",
        "/qbowebhook/x",
        "/",
        "/qbo/webhook",
        "/qbowebhook%00",
    ] {
        assert_eq!(post(&gate, path, &right).await.status, 404, "{path}");
    }
    assert_eq!(gate.tally.deliveries_misdirected.value(), 5);
}

#[tokio::test]
async fn a_source_is_found_however_its_path_is_written() {
    let mut source = tokened();
    source.path = Some("/from-here".into());
    let gate = Gate::with_face(face(vec![source])).await;
    let body = crate::support::original::dto();
    for path in ["/from-here", "/from-here/", "//from-here", "/from%2Dhere"] {
        let request = request(
            &format!("POST {path}"),
            "Authorization: Bearer tok\r\n",
            &body,
        );
        let answer = gate.client().ask(&request).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn only_what_is_signed_is_said_to_have_gone_astray() {
    let gate = Gate::open(&Limits::default()).await;
    let wrong = sign(b"another body");
    for signature in ["", "x", "AAAA", &wrong] {
        let answer = post(&gate, "/elsewhere", signature).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "not found\n"));
    }
    assert_eq!(gate.tally.deliveries_misdirected.value(), 0);
    let answer = post(&gate, "/elsewhere", &sign(BODY)).await;
    assert_eq!((answer.status, answer.body.as_str()), (404, "not found\n"));
    assert_eq!(gate.tally.deliveries_misdirected.value(), 1);
    assert_eq!(gate.tally.deliveries_forged.value(), 0);
    assert_eq!(gate.shelf.receipts().len(), 0);
}

/// What `status --json` says, and its exit status.
fn status(gateway: &Gateway) -> (Option<i32>, Value) {
    let output = gateway.command(&["status", "--json"]);
    let told = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), told)
}

#[test]
fn a_signed_post_to_an_unknown_path_is_said_until_one_arrives() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let https = gateway.https.unwrap();
    let folder = gateway.folder.path().to_owned();
    let send = |path: &str| {
        let url = format!("https://{https}{path}");
        simulate_to(&folder, &url)
    };
    assert!(!send("/hooks/%3Cqbo%3E"), "it is answered 404");
    let (exit, told) = eventually("the posts are told of", || {
        let (exit, told) = status(&gateway);
        (told["misdirected"].as_array()?.len() == 1).then_some((exit, told))
    });
    assert_eq!(exit, Some(1), "{told}");
    let posts = &told["misdirected"][0];
    assert_eq!(posts["path"], "/hooks/%3Cqbo%3E");
    assert_eq!(posts["verifier"], "test");
    assert_eq!(told["condition"], "attention");
    assert_eq!(told["lamp"], "4 short flashes every 4 s");
    let sentence = told["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("Intuit posts to /hooks/%3Cqbo%3E, which is not configured"),
        "{sentence}"
    );
    gateway.line("Intuit posts to a path that is not configured");
    let events = gateway.command(&["journal", "events"]);
    let events = String::from_utf8(events.stdout).unwrap();
    assert!(events.contains("misdirected"), "{events}");

    assert!(send("//qbowebhook/"), "this one arrives");
    eventually("it is over", || {
        let (_, told) = status(&gateway);
        told["misdirected"].as_array()?.is_empty().then_some(())
    });
}

/// Posts one delivery there as Intuit would; whether it was taken.
fn simulate_to(folder: &Path, url: &str) -> bool {
    let output = crate::support::relay::simulate(
        folder,
        url,
        &["--count", "1", "--seed", &url.len().to_string()],
    );
    output.status.success()
}

#[test]
fn a_configured_path_is_kept_in_its_normal_form() {
    let mut gateway = Gateway::new("");
    let file = std::fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
    let file = file.replace("[tls]", "paths = [\"//in//hooks/\", \"/in/hooks\"]\n[tls]");
    gateway.write("qbo-relay.toml", &file);
    gateway.start();
    for path in ["/in/hooks", "/in/hooks/"] {
        let url = format!("https://{}{path}", gateway.https.unwrap());
        assert!(simulate_to(gateway.folder.path(), &url), "{path}");
    }
    let taken = file.replace("//in//hooks/", "/oauth//callback/");
    gateway.write("qbo-relay.toml", &taken);
    let output = gateway.command(&["check"]);
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("where browsers come back from Intuit"),
        "{told}"
    );
}
