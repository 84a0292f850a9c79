//! Compressed requests: taken where the original took them, refused with the reason elsewhere.

use crate::support::gate::{Gate, sign};
use crate::support::original::{dto, face, here};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use qbo_relay::model::{Authenticity, Item, Limits, Receipt};
use std::io::Write as _;

const BROTLI: &[u8] = include_bytes!("../data/servicestack/request.json.br");
const BOMB: &[u8] = include_bytes!("../data/servicestack/zeros-8-MiB.br");

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn last(gate: &Gate) -> Receipt {
    gate.shelf.receipts().last().unwrap().clone()
}

/// A request with a body of any bytes.
fn request(line: &str, coding: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Encoding: {coding}\r\nContent-Length: {length}\r\n{head}\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn compressed_requests_are_read_on_every_route() {
    let gate = Gate::with_face(face(vec![here()])).await;
    let text = dto();
    let plain = text.as_bytes();
    let table = [
        ("POST /qbowebhook", "gzip", gzip(plain)),
        ("POST /qbowebhook.json", "x-gzip", gzip(plain)),
        ("POST /api/QboWebhooksRequest", "deflate", zlib(plain)),
        (
            "POST /json/reply/QboWebhooksRequest",
            "gzip, gzip",
            gzip(&gzip(plain)),
        ),
        ("POST /qbowebhook", "identity", plain.to_vec()),
        (
            "POST /qbowebhook",
            "deflate,identity, gzip",
            gzip(&zlib(plain)),
        ),
    ];
    for (line, coding, body) in table {
        let answer = gate.client().ask(&request(line, coding, "", &body)).await;
        assert_eq!(answer.status, 200, "{line} {coding}: {}", answer.body);
    }
    // All of them said the same, so it is one receipt, with the text as it is read.
    assert_eq!(gate.shelf.receipts().len(), 1);
    assert_eq!(last(&gate).body, plain);
    assert!(matches!(last(&gate).items[0], Item::Notification(_)));
    let answer = gate
        .client()
        .ask(&request("POST /qbowebhook", "br", "", BROTLI))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(&*last(&gate).body, br#"{"eventNotifications":[]}"#);
}

#[tokio::test]
async fn what_cannot_be_decoded_is_refused_with_its_reason() {
    let gate = Gate::with_face(face(vec![here()])).await;
    let whole = gzip(dto().as_bytes());
    let bytes_max = Limits::default().body_bytes_max;
    let table: [(&str, Vec<u8>, u16, &str); 9] = [
        (
            "gzip",
            whole[..whole.len() / 2].to_vec(),
            400,
            "it breaks off",
        ),
        ("gzip", [&whole[..], b"{}"].concat(), 400, "it breaks off"),
        ("gzip", dto().into_bytes(), 400, "damaged"),
        (
            "deflate",
            [&zlib(b"{}")[..], b"x"].concat(),
            400,
            "something follows its end",
        ),
        ("gzip", gzip(&vec![b' '; bytes_max + 1]), 413, "too large"),
        (
            "gzip, gzip",
            gzip(&gzip(&vec![0; 8 << 20])),
            413,
            "too large",
        ),
        ("br", BOMB.to_vec(), 413, "too large"),
        ("zstd", whole.clone(), 415, "gzip, deflate and br"),
        (
            "gzip, gzip, gzip, gzip",
            whole.clone(),
            415,
            "gzip, deflate and br",
        ),
    ];
    for (coding, body, status, why) in table {
        let answer = gate
            .client()
            .ask(&request("POST /qbowebhook", coding, "", &body))
            .await;
        assert_eq!(answer.status, status, "{coding}: {}", answer.body);
        assert!(answer.body.contains(why), "{coding}: {}", answer.body);
        let accepted = (status == 415).then_some("gzip, deflate, br");
        assert_eq!(answer.header("accept-encoding"), accepted, "{coding}");
    }
    assert_eq!(gate.shelf.receipts().len(), 0);
    let exactly = gzip(&vec![b' '; bytes_max]);
    let answer = gate
        .client()
        .ask(&request("POST /qbowebhook", "gzip", "", &exactly))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_signature_is_over_the_bytes_as_they_came_and_what_it_covers_is_kept() {
    let gate = Gate::with_face(face(Vec::new())).await;
    let signed = |body: &[u8]| format!("intuit-signature: {}\r\n", sign(body));
    let event = crate::support::gate::BODY;
    let whole = gzip(event);
    let table: [(&str, Vec<u8>, &str); 5] = [
        ("gzip", whole.clone(), ""),
        (
            "gzip",
            whole[..whole.len() / 2].to_vec(),
            "its content coding: it breaks off",
        ),
        (
            "br",
            BOMB.to_vec(),
            "its content coding: it is too large when decoded",
        ),
        (
            "zstd",
            b"\x28\xb5\x2f\xfd".to_vec(),
            "neither an array nor an object",
        ),
        // Not a coding, but some senders' way to say what the text is.
        ("utf-8", b"[{}]".to_vec(), "missing"),
    ];
    for (coding, body, why) in table {
        let bytes = request("POST /qbowebhook", coding, &signed(&body), &body);
        let answer = gate.client().ask(&bytes).await;
        assert_eq!(answer.status, 200, "{coding} {why}: {}", answer.body);
        let receipt = last(&gate);
        assert_eq!(receipt.authenticity, Authenticity::Signed);
        match &receipt.items[0] {
            Item::Notification(_) => assert_eq!((why, &*receipt.body), ("", event)),
            Item::Unreadable(found) => {
                assert!(found.why.contains(why) && !why.is_empty(), "{found:?}");
                assert_eq!(receipt.body, body);
            }
        }
    }
    let inflated = request("POST /qbowebhook", "gzip", &signed(event), &whole);
    assert_eq!(gate.client().ask(&inflated).await.status, 403);
}

#[tokio::test]
async fn several_costly_bodies_at_once_are_all_kept() {
    let gate = Gate::with_face(face(vec![here()])).await;
    let commas = format!("realmId,name,id\n{}", ",".repeat((1 << 20) - 32));
    let head = format!(
        "POST /qbowebhook HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n\
         Content-Length: {}\r\nintuit-signature: {}\r\n\r\n",
        commas.len(),
        sign(commas.as_bytes())
    );
    let bytes = [head.as_bytes(), commas.as_bytes()].concat();
    let ask = || async { gate.client().ask(&bytes).await.status };
    let statuses = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    assert_eq!(statuses, (200, 200, 200, 200, 200, 200));
    assert_eq!(gate.shelf.receipts().len(), 1);
}
