//! The original listener's face: its routes, formats, encodings and errors, over TLS.

use crate::support::client::read_to_close;
use crate::support::gate::{BODY, Gate, sign};
use crate::support::original::{ask, drop_in, dto, face, here, kept, request, tokened};
use qbo_relay::model::{Authenticity, Encoding, Form, Item, Limits};
use qbo_relay::server::face::Face;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// What the real clients sent, byte for byte.
macro_rules! captured {
    ($name:literal) => {
        include_bytes!(concat!("../data/servicestack/", $name, ".http")).as_slice()
    };
}

#[tokio::test]
async fn every_captured_request_of_the_real_clients_is_taken() {
    let python: &[&str] = &[
        "Customer/1 qbo.customer.created.v1",
        "21/2 qbo.21.merged.v1",
        "Class/3 qbo.class.void.v1",
    ];
    let script: &[&str] = &[
        "Customer/1 qbo.customer.created.v1",
        "Vendor/2 qbo.vendor.merged.v1",
        "Class/3 qbo.class.void.v1",
    ];
    let nothing: &[&str] = &["body: empty: nothing was notified"];
    let table = [
        (captured!("python-post"), 200, "\"OK\"", python),
        (captured!("python-api"), 200, "\"OK\"", python),
        (captured!("python-reply"), 200, "\"OK\"", python),
        (captured!("python-batch"), 200, "[\"OK\"]", python),
        (captured!("python-batch-api"), 200, "[\"OK\"]", python),
        (captured!("python-batch-oneway"), 204, "", python),
        (captured!("python-empty"), 200, "\"OK\"", nothing),
        (captured!("js-post"), 200, "\"OK\"", script),
        (captured!("js-post-body"), 200, "\"OK\"", script),
        (captured!("js-post-to-url"), 200, "\"OK\"", script),
        (captured!("js-reply"), 200, "\"OK\"", script),
        (captured!("js-batch"), 200, "[\"OK\"]", script),
    ];
    for (bytes, status, body, items) in table {
        let gate = drop_in().await;
        let answer = gate.client().ask(bytes).await;
        let line = String::from_utf8_lossy(bytes)
            .lines()
            .next()
            .unwrap()
            .to_owned();
        assert_eq!((answer.status, &*answer.body), (status, body), "{line}");
        if status == 200 {
            let json = Some("application/json; charset=utf-8");
            assert_eq!(answer.header("content-type"), json, "{line}");
        }
        assert_eq!(kept(&gate), items, "{line}");
        let receipts = gate.shelf.receipts();
        let receipt = receipts.last().unwrap();
        assert!(bytes.ends_with(&receipt.body), "{line}");
        assert_eq!(receipt.source, "here");
        assert_eq!(receipt.authenticity, Authenticity::Address);
        assert_eq!(receipt.encoding, Encoding::Json);
        assert_eq!(receipt.form, Some(Form::Legacy));
        assert_eq!(gate.tally.deliveries_unsigned.value(), 1);
    }
}

#[tokio::test]
async fn a_query_that_says_nothing_is_told_so() {
    let gate = Gate::with_face(face(vec![tokened()])).await;
    let shown = "authorization: Bearer tok\r\n";
    let captured = String::from_utf8(captured!("js-get").to_vec()).unwrap();
    let captured = captured.replacen("host: ", &format!("{shown}host: "), 1);
    let answer = gate.client().ask(captured.as_bytes()).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("expected an object, found text"),
        "{}",
        answer.body
    );
    let query = "eventNotifications=[{realmId:7,dataChangeEvent:{entities:[{name:Bill,id:9}]}}]";
    let query = query.replace('{', "%7B").replace('}', "%7D");
    let answer = ask(
        &gate,
        &format!("GET /api/QboWebhooksRequest?{query}"),
        shown,
        "",
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(kept(&gate), ["Bill/9 qbo.bill.updated.v1"]);
    let receipts = gate.shelf.receipts();
    assert_eq!(&*receipts[0].body, query.as_bytes());
    assert_eq!(receipts[0].encoding, Encoding::Form);
}

#[tokio::test]
async fn the_answer_comes_in_the_format_that_was_asked_for() {
    let gate = drop_in().await;
    let json = "application/json; charset=utf-8";
    let xml = "application/xml; charset=utf-8";
    let jsv = "text/jsv; charset=utf-8";
    let csv = "text/csv; charset=utf-8";
    let jsonl = "text/jsonl; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    let (json_accepted, xml_accepted) = (
        "Accept: application/json\r\n",
        "Accept: application/xml\r\n",
    );
    let table = [
        ("POST /qbowebhook", "", json, "\"OK\""),
        ("POST /qbowebhook.json", xml_accepted, json, "\"OK\""),
        ("POST /qbowebhook.xml", json_accepted, xml, "OK"),
        ("POST /qbowebhook.jsv", "", jsv, "OK"),
        ("POST /qbowebhook.csv", "", csv, "OK"),
        ("POST /QboWebhook.XML", "", xml, "OK"),
        ("POST /qbowebhook?format=xml", json_accepted, xml, "OK"),
        ("POST /qbowebhook", xml_accepted, xml, "OK"),
        ("POST /qbowebhook", "Accept: text/csv\r\n", csv, "OK"),
        (
            "POST /qbowebhook",
            "Accept: text/jsv\r\nAccept: image/png\r\n",
            jsv,
            "OK",
        ),
        (
            "POST /qbowebhook",
            "Accept: text/html,*/*;q=0.8\r\n",
            "text/html; charset=utf-8",
            "OK",
        ),
        (
            "POST /qbowebhook",
            "Accept: */*\r\nContent-Type: text/xml\r\n",
            xml,
            "OK",
        ),
        (
            "POST /qbowebhook?callback=my.cb%28",
            "",
            script,
            "my.cb_(\"OK\")",
        ),
        (
            "POST /xml/reply/QboWebhooksRequest",
            json_accepted,
            xml,
            "OK",
        ),
        ("POST /jsv/reply/qbowebhooksrequest", "", jsv, "OK"),
        ("POST /csv/reply/QboWebhooksRequest", "", csv, "OK"),
        ("POST /csv/reply/QboWebhooksRequest[]", "", csv, "OK"),
        ("POST /jsv/reply/QboWebhooksRequest%5B%5D", "", jsv, "[OK]"),
        (
            "POST /qbowebhook.json?callback=cb",
            "",
            script,
            "cb(\"OK\")",
        ),
        ("POST /qbowebhook?Format=jsonl", "", jsonl, "\"OK\""),
        ("PUT /api/QboWebhooksRequest", xml_accepted, json, "\"OK\""),
        ("POST /api/QboWebhooksRequest.xml", "", xml, "OK"),
    ];
    for (line, head, content_type, body) in table {
        let answer = ask(&gate, line, head, &dto()).await;
        assert_eq!((answer.status, &*answer.body), (200, body), "{line} {head}");
        assert_eq!(
            answer.header("content-type"),
            Some(content_type),
            "{line} {head}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{line}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(gate.shelf.receipts().len(), 1);
}

#[tokio::test]
async fn the_frameworks_raw_string_is_a_setting() {
    let face = Face {
        raw_strings: true,
        ..face(vec![here()])
    };
    let gate = Gate::with_face(face).await;
    let answer = ask(&gate, "POST /qbowebhook", "", &dto()).await;
    assert_eq!((answer.status, &*answer.body), (200, "OK"));
    let answer = ask(&gate, "POST /qbowebhook?callback=cb", "", &dto()).await;
    assert_eq!(&*answer.body, "cb(\"OK\")");
    let answer = ask(&gate, "POST /api/QboWebhooksRequest[]", "", &dto()).await;
    assert_eq!(&*answer.body, "[\"OK\"]");
}

#[tokio::test]
async fn every_encoding_is_taken_and_kept_as_it_came() {
    let bill = "{name:Bill,id:9,operation:Delete,lastUpdated:2015-10-05T14:42:19-07:00}";
    let xml = "<QboWebhooksRequest xmlns=\"http://schemas.datacontract.org/2004/07/ESI.Service.QBOWebhooksListener\"><eventNotifications><QBOEventNotification><DataChangeEvent><Entities><QBOEntity><Id>9</Id><LastUpdated>2015-10-05T14:42:19-07:00</LastUpdated><Name>Bill</Name><Operation>Delete</Operation></QBOEntity></Entities></DataChangeEvent><RealmId>7</RealmId></QBOEventNotification></eventNotifications></QboWebhooksRequest>";
    let table = [
        (Encoding::Json, "text/csv", dto()),
        (Encoding::Xml, "application/xml", xml.to_owned()),
        (
            Encoding::Jsv,
            "text/jsv",
            format!("{{eventNotifications:[{{realmId:7,dataChangeEvent:{{entities:[{bill}]}}}}]}}"),
        ),
        (
            Encoding::Csv,
            "text/csv",
            format!("realmId,dataChangeEvent\r\n7,\"{{entities:[{bill}]}}\"\r\n"),
        ),
        (
            Encoding::Form,
            "application/x-www-form-urlencoded",
            format!("eventNotifications=[{{realmId:7,dataChangeEvent:{{entities:[{bill}]}}}}]"),
        ),
    ];
    let mut identities = Vec::new();
    for (encoding, content_type, body) in table {
        for signed in [false, true] {
            let gate = drop_in().await;
            let signature = sign(body.as_bytes());
            let signature = format!("intuit-signature: {signature}\r\n");
            let head = format!(
                "Content-Type: {content_type}\r\n{}",
                if signed { &signature } else { "" }
            );
            let answer = ask(&gate, "POST /qbowebhook", &head, &body).await;
            assert_eq!(answer.status, 200, "{encoding:?} {}", answer.body);
            assert_eq!(kept(&gate), ["Bill/9 qbo.bill.deleted.v1"], "{encoding:?}");
            let receipts = gate.shelf.receipts();
            assert_eq!(&*receipts[0].body, body.as_bytes());
            assert_eq!(receipts[0].encoding, encoding);
            let is_signed = receipts[0].authenticity == Authenticity::Signed;
            assert_eq!(is_signed, signed);
            identities.push(receipts[0].items[0].identity());
        }
    }
    identities.dedup();
    assert_eq!(identities.len(), 1, "the same change, however it comes");
}

#[tokio::test]
async fn an_error_has_the_shape_of_the_framework() {
    let gate = drop_in().await;
    let bad = r#"{"eventNotifications":[{"realmId":"7","dataChangeEvent":{"entities":[{"name":"Nope","id":"1"}]}}]}"#;
    let answer = ask(
        &gate,
        "POST /qbowebhook",
        "Content-Type: application/json\r\n",
        bad,
    )
    .await;
    assert_eq!(answer.status, 400);
    let error: Value = serde_json::from_str(&answer.body).unwrap();
    let status = &error["responseStatus"];
    assert_eq!(status["errorCode"], "SerializationException");
    let message = status["message"].as_str().unwrap();
    assert!(message.starts_with("Could not deserialize 'application/json' request using "));
    assert!(message.contains("Requested value 'Nope' was not found."));
    let field = "eventNotifications[0].dataChangeEvent.entities[0].name";
    assert_eq!(status["errors"][0]["fieldName"], json!(field));

    let unknown = "NotImplementedException";
    let table = [
        (
            "POST /qbowebhook.xml",
            "<",
            400,
            "<ErrorCode>SerializationException</ErrorCode>",
        ),
        (
            "POST /qbowebhook.jsv",
            "[",
            400,
            "{responseStatus:{errorCode:SerializationException,",
        ),
        (
            "POST /qbowebhook.csv",
            "{",
            400,
            "ErrorCode,Message\r\nSerializationException,",
        ),
        (
            "POST /qbowebhook.html",
            "{",
            400,
            "<h1>SerializationException</h1>",
        ),
        (
            "POST /qbowebhook",
            "not anything",
            400,
            "its content type is not known",
        ),
        (
            "POST /qbowebhook?callback=cb",
            "{",
            200,
            "cb({\"responseStatus\":{\"errorCode\":",
        ),
        ("POST /json/reply/Nope", "{}", 405, unknown),
        (
            "GET /xml/oneway/Nope",
            "",
            405,
            "<ErrorCode>NotImplementedException</ErrorCode>",
        ),
        ("POST /api/Nope[]", "{}", 405, unknown),
    ];
    for (line, body, status, part) in table {
        let answer = ask(&gate, line, "", body).await;
        assert_eq!(answer.status, status, "{line} {}", answer.body);
        assert!(answer.body.contains(part), "{line} {}", answer.body);
    }
    assert!(gate.shelf.receipts().is_empty());
    assert_eq!(gate.tally.deliveries_malformed.value(), 7);
}

#[tokio::test]
async fn the_reason_phrase_is_the_error_code() {
    let gate = drop_in().await;
    let mut stream = gate.client().connect().await;
    let raw = request("POST /qbowebhook", "Connection: close\r\n", "{");
    stream.write_all(&raw).await.unwrap();
    let raw = read_to_close(&mut stream, Duration::from_secs(10)).await;
    let raw = String::from_utf8(raw).unwrap();
    assert!(
        raw.starts_with("HTTP/1.1 400 SerializationException\r\n"),
        "{raw}"
    );
}

#[tokio::test]
async fn who_signs_is_never_refused_for_what_is_in_it_and_always_reads_the_true_status() {
    let gate = Gate::with_face(Face::default()).await;
    let signed = |body: &str| format!("intuit-signature: {}\r\n", sign(body.as_bytes()));
    let bodies = [
        (
            "POST /qbowebhook",
            "Content-Type: application/xml\r\n",
            "<DOCTYPE",
        ),
        ("POST /qbowebhook.xml", "Content-Type: text/jsv\r\n", "{a"),
        ("POST /json/reply/QboWebhooksRequest[]", "", "[7]"),
        ("POST /json/oneway/QboWebhooksRequest", "", "neither"),
        ("POST /qbowebhook?callback=cb", "", "{\"a\":"),
    ];
    for (number, (line, head, body)) in bodies.into_iter().enumerate() {
        let answer = ask(&gate, line, &format!("{head}{}", signed(body)), body).await;
        let status = if line.contains("oneway") { 204 } else { 200 };
        assert_eq!(answer.status, status, "{line} {}", answer.body);
        let receipts = gate.shelf.receipts();
        assert_eq!(receipts.len(), number + 1, "{line}");
        assert!(
            matches!(receipts[number].items[..], [Item::Unreadable(_)]),
            "{line}"
        );
    }
    let answer = ask(
        &gate,
        "POST /qbowebhook?callback=cb",
        &signed("other"),
        "{}",
    )
    .await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.body.starts_with("cb({\"responseStatus\""),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn who_signs_may_speak_like_the_original_too() {
    let entity = |fields: &str| {
        format!(
            r#"{{"eventNotifications":[{{"realmId":"7","dataChangeEvent":{{"entities":[{{"id":"9",{fields}}}]}}}}]}}"#
        )
    };
    let table = [
        (
            r#""name":20,"operation":"Create""#,
            "Customer/9 qbo.customer.created.v1 -",
        ),
        (r#""name":"25","operation":1"#, "25/9 qbo.25.created.v1 -"),
        (
            r#""NAME":"bill","operation":"VOID","lastUpdated":"10/05/2015 14:42:19""#,
            "Bill/9 qbo.bill.void.v1 2015-10-05T14:42:19.000Z",
        ),
        // Not told what happened: nothing is taken for granted of what Intuit may have written.
        (
            r#""name":20"#,
            "eventNotifications[0].dataChangeEvent.entities[0].name: expected a string, found a number",
        ),
        // Nobody's words: kept as they were written.
        (
            r#""name":"Nope","operation":"Exploded","lastUpdated":"soon""#,
            "Nope/9 qbo.nope.exploded.v1 -",
        ),
    ];
    for (fields, expected) in table {
        let gate = Gate::with_face(Face::default()).await;
        let body = entity(fields);
        let head = format!("intuit-signature: {}\r\n", sign(body.as_bytes()));
        let answer = ask(&gate, "POST /qbowebhook", &head, &body).await;
        assert_eq!(answer.status, 200, "{fields} {}", answer.body);
        let found = match &gate.shelf.receipts()[0].items[..] {
            [Item::Notification(found)] => {
                let at = found.happened.at.map_or("-".into(), |at| at.to_string());
                format!("{} {} {at}", found.entity, found.event_type)
            }
            [Item::Unreadable(found)] => format!("{}: {}", found.at, found.why),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{fields}");
    }
}

#[tokio::test]
async fn a_client_may_also_pass_on_what_intuit_posts_today() {
    let gate = drop_in().await;
    let body = std::str::from_utf8(BODY).unwrap();
    let answer = ask(&gate, "POST /qbowebhook", "", body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(kept(&gate), ["Account/1234 qbo.account.created.v1"]);
    assert_eq!(gate.shelf.receipts()[0].form, Some(Form::CloudEvents));
}

#[tokio::test]
async fn other_verbs_are_answered_as_the_framework_does() {
    let gate = drop_in().await;
    let table = [
        ("GET /qbowebhook", 405, "method not allowed\n"),
        ("GET /qbowebhook.json", 404, "404"),
        ("PUT /QboWebhook", 404, "404"),
        ("OPTIONS /api/QboWebhooksRequest", 404, "404"),
        ("POST /api", 404, "404"),
        ("GET /metadata", 404, "not found\n"),
        ("GET /types/python", 404, "not found\n"),
        ("POST /qbowebhook/x", 404, "not found\n"),
    ];
    for (line, status, body) in table {
        let answer = ask(&gate, line, "", "").await;
        assert_eq!((answer.status, &*answer.body), (status, body), "{line}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
    let answer = ask(&gate, "GET /api", "", "").await;
    let index: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(index["operations"][0]["name"], "QboWebhooksRequest");
}

#[tokio::test]
async fn what_cannot_be_kept_is_an_error_of_that_shape_too() {
    let limits = Limits {
        body_bytes_max: 1_000,
        ..Limits::default()
    };
    let gate = Gate::open(&limits).await;
    let large = "x".repeat(1_001);
    let answer = ask(&gate, "POST /qbowebhook.xml", "", &large).await;
    assert_eq!(answer.status, 413);
    assert!(
        answer
            .body
            .contains("<ErrorCode>RequestEntityTooLarge</ErrorCode>")
    );
    assert_eq!(answer.header("connection"), Some("close"));
}
