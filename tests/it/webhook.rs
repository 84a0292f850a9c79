//! A delivery on the public listener: what is answered, and what is kept.

use crate::support::client::{PATIENCE, read_answer, read_to_close, until, write_some};
use crate::support::gate::{BODY, Gate, NOW, Shelf, delivery, head, quick, sign};
use qbo_relay::model::{Form, Item, Limits};
use qbo_relay::server::webhook::Unkept;
use qbo_relay::wire::Decoded;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

fn exploding(_: &[u8], _: usize) -> Decoded {
    panic!("a decoder that fails")
}

#[tokio::test]
async fn an_authentic_delivery_is_kept_byte_for_byte_and_acknowledged() {
    let gate = Gate::open(&Limits::default()).await;
    let answer = gate.client().ask(&delivery(BODY)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "\"OK\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let json = Some("application/json; charset=utf-8");
    assert_eq!(answer.header("content-type"), json);
    assert_eq!(answer.header("server"), None);
    let receipts = gate.shelf.receipts();
    assert_eq!(receipts.len(), 1);
    assert_eq!(&*receipts[0].body, BODY);
    assert_eq!(receipts[0].source, "production");
    assert_eq!(receipts[0].received_at, NOW);
    assert_eq!(receipts[0].form, Some(Form::CloudEvents));
    assert!(matches!(receipts[0].items[..], [Item::Notification(_)]));
    assert_eq!(gate.tally.deliveries_kept.value(), 1);
}

#[tokio::test]
async fn the_answer_waits_until_the_receipt_is_kept() {
    let gate = Gate::open_with(&Limits::default(), Shelf::closed(), qbo_relay::wire::decode).await;
    let mut stream = gate.client().connect().await;
    stream.write_all(&delivery(BODY)).await.unwrap();
    let early = timeout(Duration::from_millis(200), read_answer(&mut stream)).await;
    assert!(early.is_err());
    gate.shelf.let_in(1);
    assert_eq!(read_answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn a_repeat_is_acknowledged_and_counted() {
    let gate = Gate::open(&Limits::default()).await;
    let mut stream = gate.client().connect().await;
    for _ in 0..3 {
        stream.write_all(&delivery(BODY)).await.unwrap();
        assert_eq!(read_answer(&mut stream).await.status, 200);
    }
    assert_eq!(gate.shelf.receipts().len(), 1);
    assert_eq!(gate.tally.deliveries_kept.value(), 1);
    assert_eq!(gate.tally.deliveries_repeated.value(), 2);
}

#[tokio::test]
async fn a_forged_delivery_is_refused_without_parsing() {
    let gate = Gate::open_with(&Limits::default(), Shelf::default(), exploding).await;
    let signature = sign(BODY);
    let foreign = sign(b"something else");
    let mut flipped = signature.clone().into_bytes();
    flipped[7] = if flipped[7] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let unpadded = signature.trim_end_matches('=');
    let forged = [
        String::new(),
        "intuit-signature: \r\n".into(),
        "intuit-signature: no base64\r\n".into(),
        format!("intuit-signature: {foreign}\r\n"),
        format!("intuit-signature: {flipped}\r\n"),
        format!("intuit-signature: {unpadded}\r\n"),
        format!("intuit-signature: {signature}\r\nIntuit-Signature: {signature}\r\n"),
    ];
    let count = u64::try_from(forged.len()).unwrap();
    for header in forged {
        let length = BODY.len();
        let head = format!(
            "POST /qbowebhook HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: {length}\r\n\r\n"
        );
        let answer = gate.client().ask(&[head.as_bytes(), BODY].concat()).await;
        assert_eq!(answer.status, 403, "{header:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(gate.tally.deliveries_forged.value(), count);
    assert_eq!(gate.tally.decoder_panics.value(), 0);
    assert!(gate.shelf.receipts().is_empty());
}

#[tokio::test]
async fn what_is_authentic_and_not_understood_is_kept_and_acknowledged() {
    let gate = Gate::open(&Limits::default()).await;
    let bodies: [&[u8]; 5] = [b"", b"not json", b"{}", b"[]", b"\xff\xfe"];
    for body in bodies {
        let answer = gate.client().ask(&delivery(body)).await;
        assert_eq!(answer.status, 200, "{body:?}");
    }
    assert_eq!(gate.shelf.receipts().len(), bodies.len());
    assert!(gate.tally.items_unreadable.value() >= 4);
}

#[tokio::test]
async fn a_panicking_decoder_loses_neither_the_delivery_nor_the_relay() {
    let gate = Gate::open_with(&Limits::default(), Shelf::default(), exploding).await;
    let mut stream = gate.client().connect().await;
    for body in [b"first".as_slice(), b"second"] {
        stream.write_all(&delivery(body)).await.unwrap();
        assert_eq!(read_answer(&mut stream).await.status, 200);
    }
    assert_eq!(gate.tally.decoder_panics.value(), 2);
    let receipts = gate.shelf.receipts();
    let [Item::Unreadable(item)] = &receipts[1].items[..] else {
        panic!("{:?}", receipts[1].items);
    };
    assert_eq!(
        (item.at.as_str(), item.why.as_str()),
        ("body", "the decoder failed")
    );
    assert_eq!(&*receipts[1].body, b"second");
    assert_ne!(item.identity, receipts[0].items[0].identity());
}

#[tokio::test]
async fn the_content_type_never_decides() {
    let gate = Gate::open(&Limits::default()).await;
    let signature = sign(BODY);
    for content_type in ["", "Content-Type: text/xml\r\n", "Content-Type: ,;\r\n"] {
        let length = BODY.len();
        let head = format!(
            "POST /webhooks?x=y HTTP/1.1\r\nHost: localhost\r\n{content_type}\
             intuit-signature: {signature}\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = gate.client().ask(&[head.as_bytes(), BODY].concat()).await;
        assert_eq!(answer.status, 200, "{content_type:?}");
    }
    let form = gate.shelf.receipts()[0].form;
    assert_eq!(form, Some(Form::CloudEvents));
}

#[tokio::test]
async fn the_senders_headers_are_kept_short_and_never_the_signature() {
    let gate = Gate::open(&Limits::default()).await;
    let (signature, length) = (sign(BODY), BODY.len());
    let long = "x".repeat(1_000);
    let head = format!(
        "POST /qbowebhook HTTP/1.1\r\nHost: localhost\r\nintuit-signature: {signature}\r\n\
         Intuit-T-Id: 1-abc\r\nintuit-created-time: {long}\r\nUser-Agent: intuit/1\r\n\
         Content-Type: application/json\r\nCookie: secret\r\nContent-Length: {length}\r\n\r\n"
    );
    let answer = gate.client().ask(&[head.as_bytes(), BODY].concat()).await;
    assert_eq!(answer.status, 200);
    let mut headers = gate.shelf.receipts()[0].headers.clone();
    headers.sort();
    let expected = [
        ("content-type", "application/json"),
        ("intuit-created-time", &long[..256]),
        ("intuit-t-id", "1-abc"),
        ("user-agent", "intuit/1"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn every_other_request_has_the_answer_of_the_interface() {
    let gate = Gate::open(&Limits::default()).await;
    let requests: [(&str, u16); 10] = [
        ("GET /qbowebhook HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (
            "PUT /webhooks HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
            405,
        ),
        ("TRACE /webhooks HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (
            "POST /qbowebhook/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            404,
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (
            "POST /qbowebhook HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            400,
        ),
        (
            "POST /qbowebhook HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            400,
        ),
        ("POST /qbowebhook HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ];
    for (request, status) in requests {
        let answer = gate.client().ask(request.as_bytes()).await;
        assert_eq!(answer.status, status, "{request:?}");
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{request:?}"
        );
        let allow = (status == 405).then_some("POST");
        assert_eq!(answer.header("allow"), allow, "{request:?}");
    }
    assert!(gate.shelf.receipts().is_empty());
}

#[tokio::test]
async fn http_1_0_and_an_absolute_target_are_taken() {
    let gate = Gate::open(&Limits::default()).await;
    let (signature, length) = (sign(BODY), BODY.len());
    for line in [
        "POST /qbowebhook HTTP/1.0\r\n",
        "POST https://localhost/qbowebhook HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        let head =
            format!("{line}intuit-signature: {signature}\r\nContent-Length: {length}\r\n\r\n");
        let answer = gate.client().ask(&[head.as_bytes(), BODY].concat()).await;
        assert_eq!(answer.status, 200, "{line:?}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let gate = Gate::open(&Limits::default()).await;
    let mut stream = gate.client().connect().await;
    let other = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let all = [
        delivery(b"one"),
        other,
        delivery(b"two"),
        delivery(b"three"),
    ];
    stream.write_all(&all.concat()).await.unwrap();
    for expected in [200, 404, 200, 200] {
        assert_eq!(read_answer(&mut stream).await.status, expected);
    }
    let receipts = gate.shelf.receipts();
    let bodies: Vec<_> = receipts.iter().map(|receipt| &receipt.body[..]).collect();
    assert_eq!(bodies, [b"one".as_slice(), b"two", b"three"]);
}

#[tokio::test]
async fn a_chunked_body_is_taken_and_never_leaves_room_for_a_second_reading() {
    let gate = Gate::open(&Limits::default()).await;
    let signature = sign(b"hello world");
    for length in ["", "Content-Length: 3\r\n"] {
        let head = format!(
            "POST /qbowebhook HTTP/1.1\r\nHost: localhost\r\n{length}\
             intuit-signature: {signature}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let body = "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
        let mut stream = gate.client().connect().await;
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, 200, "{length:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        read_to_close(&mut stream, PATIENCE).await;
    }
    assert_eq!(&*gate.shelf.receipts()[0].body, b"hello world");
}

#[tokio::test]
async fn who_expects_100_is_told_to_go_on_or_refused_at_once() {
    let gate = Gate::open(&Limits::default()).await;
    let signature = sign(b"hello");
    let head = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nintuit-signature: {signature}\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut stream = gate.client().connect().await;
    stream
        .write_all(head("/qbowebhook", 5).as_bytes())
        .await
        .unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 100);
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    for (path, length, status) in [("/qbowebhook", (4 << 20) + 1, 413), ("/", 5, 404)] {
        let answer = gate.client().ask(head(path, length).as_bytes()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_though_it_did_not_say_its_length() {
    let limits = Limits {
        body_bytes_max: 100_000,
        ..Limits::default()
    };
    let gate = Gate::open(&limits).await;
    let fits = vec![b' '; limits.body_bytes_max];
    assert_eq!(gate.client().ask(&delivery(&fits)).await.status, 200);
    let oversized = vec![b' '; limits.body_bytes_max + 1];
    let signature = sign(&oversized);
    let head = format!(
        "POST /qbowebhook HTTP/1.1\r\nHost: localhost\r\nintuit-signature: {signature}\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        oversized.len()
    );
    let chunked = [head.as_bytes(), &oversized, b"\r\n0\r\n\r\n"].concat();
    assert_eq!(gate.client().ask(&chunked).await.status, 413);
    assert_eq!(gate.tally.deliveries_oversized.value(), 1);
    assert_eq!(gate.shelf.receipts().len(), 1);
}

#[tokio::test]
async fn a_sender_that_writes_all_of_a_refused_body_still_reads_the_answer() {
    let gate = Gate::open(&Limits::default()).await;
    // More than the buffers on the way can hold.
    let oversized = vec![b' '; 8_000_000];
    let answer = gate.client().ask(&delivery(&oversized)).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_counted_and_not_kept() {
    let gate = Gate::open(&Limits::default()).await;
    let mut stream = gate.client().connect().await;
    let whole = delivery(BODY);
    stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
    stream.shutdown().await.unwrap();
    let broken_off = &gate.tally.deliveries_broken_off;
    until("the broken body counted", || broken_off.value() == 1).await;
    assert!(gate.shelf.receipts().is_empty());
}

#[tokio::test]
async fn a_dripping_body_is_cut_at_the_deadline_while_others_are_served() {
    let gate = Gate::open(&quick()).await;
    let mut dripping = gate.client().connect().await;
    dripping.write_all(&head(1_000)).await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(dripping);
    let drip = async {
        loop {
            write_some(&mut writing, b"x").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let begun = Instant::now();
    let answer = tokio::select! {
        () = drip => unreachable!(),
        answer = read_answer(&mut reading) => answer,
        () = async {
            for number in 0..1_000 {
                let body = format!("{number}");
                let answer = gate.client().ask(&delivery(body.as_bytes())).await;
                assert_eq!(answer.status, 200);
            }
        } => panic!("never cut"),
    };
    assert_eq!(answer.status, 408);
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(gate.tally.deliveries_broken_off.value(), 1);
    assert!(!gate.shelf.receipts().is_empty());
}

#[tokio::test]
async fn half_sent_bodies_use_up_their_budget_and_nobody_elses() {
    let limits = Limits {
        body: PATIENCE,
        body_bytes_free: 4 << 10,
        bodies_bytes_max: 100 << 10,
        ..Limits::default()
    };
    let gate = Gate::open(&limits).await;
    let mut half_sent = Vec::new();
    for _ in 0..20 {
        let mut stream = gate.client().connect().await;
        stream.write_all(&head(60_000)).await.unwrap();
        stream.write_all(&[b'x'; 30_000]).await.unwrap();
        half_sent.push(stream);
    }
    let unkept = &gate.tally.deliveries_unkept;
    until("some refused", || unkept.value() >= 10).await;
    assert_eq!(gate.client().ask(&delivery(BODY)).await.status, 200);
    let large = vec![b' '; 60_000];
    let answer = gate.client().ask(&delivery(&large)).await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    drop(half_sent);
    let begun = Instant::now();
    while gate.client().ask(&delivery(&large)).await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "the budget never came back");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_answered_503_with_a_time_to_come_again() {
    let refusals = [
        (Unkept::Full, "30"),
        (Unkept::Busy, "5"),
        (Unkept::Broken, "5"),
    ];
    for (why, seconds) in refusals {
        let shelf = Shelf::refusing(why);
        let gate = Gate::open_with(&quick(), shelf, qbo_relay::wire::decode).await;
        let answer = gate.client().ask(&delivery(BODY)).await;
        assert_eq!(answer.status, 503, "{why}");
        assert_eq!(answer.header("retry-after"), Some(seconds), "{why}");
        assert_eq!(gate.tally.deliveries_unkept.value(), 1);
    }
    let gate = Gate::open_with(&quick(), Shelf::closed(), qbo_relay::wire::decode).await;
    let begun = Instant::now();
    let answer = gate.client().ask(&delivery(BODY)).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("5"))
    );
    assert!(begun.elapsed() < Duration::from_secs(3));
}
