//! What an HTTP sink sends, and what it makes of the answers.

use crate::support::changes::{NOW, change, delivery};
use crate::support::receiver::{Answer, Receiver, Recorded};
use crate::support::sinks::{ELEMENTS_KEY, SECRET, http, key};
use qbo_relay::model::{Change, Delivery, Manner, Operation, Outcome, Secret, Stage, Timestamp};
use qbo_relay::sink::http::{HttpSink, Settings};
use qbo_relay::sink::{Authorization, Format, Signing, Sink};
use qbo_relay::wire::outgoing::open_connectors::OpenConnectors;
use qbo_relay::wire::outgoing::{elements_signature, standard_webhooks};
use std::time::Duration;

fn sink(receiver: &Receiver, format: Format) -> HttpSink {
    HttpSink::new(http(receiver.url("/hook?token=t0p"), format)).unwrap()
}

fn with(receiver: &Receiver, turn: impl FnOnce(&mut Settings)) -> HttpSink {
    let mut settings = http(receiver.url("/hook"), Format::CloudEvents);
    turn(&mut settings);
    HttpSink::new(settings).unwrap()
}

/// What one answer makes of one delivery.
async fn outcome(answer: Answer) -> Outcome {
    let receiver = Receiver::start_with(vec![answer]).await;
    sink(&receiver, Format::CloudEvents)
        .deliver(&delivery(vec![change(1)]), NOW)
        .await
}

/// Whether a receiver with this secret, whose clock shows `now`, takes the request.
fn verifies(secret: &str, request: &Recorded, now: Timestamp) -> bool {
    let presented = standard_webhooks::Presented {
        id: Some(request.field("webhook-id")),
        timestamp: Some(request.field("webhook-timestamp")),
        signature: Some(request.field("webhook-signature")),
    };
    let keys = [key(secret)];
    standard_webhooks::verify(&keys, &presented, &request.body, now.as_seconds(), 0).is_ok()
}

#[tokio::test]
async fn a_single_event_is_posted_in_structured_mode_under_its_own_id() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let sink = sink(&receiver, Format::CloudEvents);
    let only = change(7);
    let outcome = sink.deliver(&delivery(vec![only.clone()]), NOW).await;
    assert_eq!(outcome, Outcome::Accepted);
    let requests = receiver.requests();
    let request = &requests[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/hook");
    let content_type = request.field("content-type");
    assert_eq!(content_type, "application/cloudevents+json; charset=utf-8");
    let product = format!("qbo-relay/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.field("user-agent"), product);
    assert_eq!(request.field("webhook-id"), only.id.0);
    assert_eq!(
        request.field("idempotency-key"),
        format!("\"{}\"", only.id.0)
    );
    assert_eq!(request.field("qbo-relay-attempt"), "1");
    assert!(request.headers.get("qbo-relay-replay").is_none());
    assert_eq!(request.json()["id"], only.id.0);
    assert!(verifies(SECRET, request, NOW));
}

#[tokio::test]
async fn a_batch_is_an_array_with_an_id_of_its_own() {
    let receiver = Receiver::start_with(vec![Answer::Status(204)]).await;
    let sink = sink(&receiver, Format::CloudEventsBatch);
    let changes = vec![change(1), change(2)];
    let outcome = sink.deliver(&delivery(changes), NOW).await;
    assert_eq!(outcome, Outcome::Accepted);
    let request = &receiver.requests()[0];
    let content_type = request.field("content-type");
    assert_eq!(
        content_type,
        "application/cloudevents-batch+json; charset=utf-8"
    );
    assert!(request.field("webhook-id").starts_with("batch_"));
    assert_eq!(request.json().as_array().unwrap().len(), 2);
    assert!(verifies(SECRET, request, NOW));
}

#[tokio::test]
async fn open_connectors_are_signed_over_the_body_alone_with_the_key_as_it_is() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let sink = sink(&receiver, Format::OpenConnectors(OpenConnectors::default()));
    let only = change(3);
    let outcome = sink.deliver(&delivery(vec![only.clone()]), NOW).await;
    assert_eq!(outcome, Outcome::Accepted);
    let request = &receiver.requests()[0];
    let signature = elements_signature(&Secret::new(ELEMENTS_KEY), &request.body);
    assert_eq!(request.field("elements-webhook-signature"), signature);
    // One id, in the body too; another instance's callback with the same change has another.
    let id = request.field("elements-webhook-id");
    assert_eq!(request.json()["id"], id);
    assert_eq!(request.field("idempotency-key"), format!("\"{id}\""));
    assert!(request.headers.get("webhook-signature").is_none());
    assert!(
        request
            .field("content-type")
            .starts_with("application/json")
    );
}

#[test]
fn a_callback_has_at_most_twenty_events_and_a_merge_makes_two() {
    let open_connectors = Format::OpenConnectors(OpenConnectors::default());
    let settings = http("https://erp.example/".into(), open_connectors);
    let sink = Sink::Http(Box::new(HttpSink::new(settings).unwrap()));
    let plain: Vec<Change> = (1..=30).map(change).collect();
    assert_eq!(sink.appetite().max, 20);
    assert_eq!(sink.fitting(&plain), 20);
    let mut mixed = plain.clone();
    for change in &mut mixed[..10] {
        change.notification.operation = Operation::Merge;
        change.notification.deleted_id = Some("9".into());
    }
    assert_eq!(sink.fitting(&mixed), 10);
    assert_eq!(sink.fitting(&mixed[1..]), 11);
}

#[tokio::test]
async fn every_attempt_is_signed_afresh_under_the_same_id() {
    let receiver = Receiver::start_with(vec![Answer::Status(500), Answer::Status(200)]).await;
    let sink = sink(&receiver, Format::CloudEvents);
    let first = delivery(vec![change(1)]);
    let second = Delivery {
        attempt: 2,
        ..first.clone()
    };
    sink.deliver(&first, NOW).await;
    let later = NOW.plus(Duration::from_secs(600));
    sink.deliver(&second, later).await;
    let requests = receiver.requests();
    let [one, two] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(one.field("webhook-id"), two.field("webhook-id"));
    assert_eq!(one.body, two.body);
    assert_eq!(two.field("qbo-relay-attempt"), "2");
    assert_ne!(
        one.field("webhook-timestamp"),
        two.field("webhook-timestamp")
    );
    assert_ne!(
        one.field("webhook-signature"),
        two.field("webhook-signature")
    );
    assert!(verifies(SECRET, one, NOW) && verifies(SECRET, two, later));
}

#[tokio::test]
async fn an_ed25519_key_signs_for_receivers_that_know_only_its_public_half() {
    const PAIR: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let sink = with(&receiver, |settings| {
        settings.credentials.signing = Signing::StandardWebhooks(vec![key(PAIR)]);
    });
    sink.deliver(&delivery(vec![change(1)]), NOW).await;
    let request = &receiver.requests()[0];
    assert!(request.field("webhook-signature").starts_with("v1a,"));
    assert!(verifies(PAIR, request, NOW));
}

#[tokio::test]
async fn a_replay_keeps_its_id_and_says_so() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let sink = sink(&receiver, Format::CloudEvents);
    let live = delivery(vec![change(1)]);
    let replay = Delivery {
        manner: Manner::Replay(4),
        ..live.clone()
    };
    sink.deliver(&live, NOW).await;
    sink.deliver(&replay, NOW).await;
    let requests = receiver.requests();
    let [one, two] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(one.field("webhook-id"), two.field("webhook-id"));
    assert_eq!(one.headers.get("qbo-relay-replay"), None);
    assert_eq!(two.field("qbo-relay-replay"), "true");
    assert_eq!(one.body, two.body, "same key, same bytes");
}

#[tokio::test]
async fn credentials_and_further_headers_go_along() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let bearer = with(&receiver, |settings| {
        let authorization = Authorization::Bearer(Secret::new("t0ken"));
        settings.credentials.authorization = Some(authorization);
        settings.credentials.headers = vec![("X-Tenant".into(), Secret::new("blue"))];
    });
    let basic = with(&receiver, |settings| {
        settings.credentials.authorization = Some(Authorization::Basic {
            user: "Aladdin".into(),
            password: Secret::new("open sesame"),
        });
    });
    bearer.deliver(&delivery(vec![change(1)]), NOW).await;
    basic.deliver(&delivery(vec![change(1)]), NOW).await;
    let requests = receiver.requests();
    assert_eq!(requests[0].field("authorization"), "Bearer t0ken");
    assert_eq!(requests[0].field("x-tenant"), "blue");
    assert_eq!(
        requests[1].field("authorization"),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
}

#[tokio::test]
async fn renewed_credentials_are_used_from_the_next_attempt_on() {
    const NEXT: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let by = |secret, request| verifies(secret, request, NOW);
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let settings = http(receiver.url("/hook"), Format::CloudEvents);
    let mut credentials = settings.credentials.clone();
    let sink = HttpSink::new(settings).unwrap();
    sink.deliver(&delivery(vec![change(1)]), NOW).await;
    credentials.signing = Signing::StandardWebhooks(vec![key(SECRET), key(NEXT)]);
    sink.renew(&credentials).unwrap();
    sink.deliver(&delivery(vec![change(2)]), NOW).await;
    credentials.signing = Signing::StandardWebhooks(vec![key(NEXT)]);
    sink.renew(&credentials).unwrap();
    sink.deliver(&delivery(vec![change(3)]), NOW).await;
    credentials.signing = Signing::Elements(Secret::new("x"));
    assert!(sink.renew(&credentials).is_err());
    sink.deliver(&delivery(vec![change(4)]), NOW).await;
    let requests = receiver.requests();
    assert!(by(SECRET, &requests[0]) && !by(NEXT, &requests[0]));
    assert!(by(SECRET, &requests[1]) && by(NEXT, &requests[1]));
    assert!(by(NEXT, &requests[2]) && !by(SECRET, &requests[2]));
    assert!(by(NEXT, &requests[3]));
}

#[tokio::test]
async fn an_answer_is_judged_by_its_status() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(outcome(Answer::Status(status)).await, Outcome::Accepted);
    }
    assert_eq!(outcome(Answer::Status(410)).await, Outcome::Gone);
    for status in [429, 502, 503, 504] {
        let busy = Outcome::Busy {
            status,
            retry_after: None,
        };
        assert_eq!(outcome(Answer::Status(status)).await, busy);
    }
    for status in [304, 400, 401, 403, 404, 415, 500, 501, 505] {
        let refused = Outcome::Refused {
            status,
            retry_after: None,
        };
        assert_eq!(outcome(Answer::Status(status)).await, refused);
    }
}

#[tokio::test]
async fn a_wish_for_patience_is_passed_on_as_a_span() {
    let ask = async |value: &str| outcome(Answer::With(503, "retry-after", value.into())).await;
    let busy = |seconds: Option<u64>| Outcome::Busy {
        status: 503,
        retry_after: seconds.map(Duration::from_secs),
    };
    assert_eq!(ask("120").await, busy(Some(120)));
    assert_eq!(ask("Sun, 06 Nov 1994 08:48:37 GMT").await, busy(Some(7)));
    for nothing in ["later", "0", "Sun, 06 Nov 1994 08:48:29 GMT"] {
        assert_eq!(ask(nothing).await, busy(None), "{nothing}");
    }
    let refused = Answer::With(500, "retry-after", "3".into());
    assert_eq!(
        outcome(refused).await,
        Outcome::Refused {
            status: 500,
            retry_after: Some(Duration::from_secs(3)),
        }
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start_with(vec![Answer::Status(200)]).await;
    let location = elsewhere.url("/");
    for status in [301, 302, 303, 307, 308] {
        let redirect = Answer::With(status, "location", location.clone());
        let refused = Outcome::Refused {
            status,
            retry_after: None,
        };
        assert_eq!(outcome(redirect).await, refused);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn one_connection_serves_several_deliveries() {
    let receiver = Receiver::start_with(vec![Answer::Status(500), Answer::Long(60_000)]).await;
    let sink = sink(&receiver, Format::CloudEvents);
    for number in 1..=4 {
        sink.deliver(&delivery(vec![change(number)]), NOW).await;
    }
    let over: Vec<usize> = receiver.requests().iter().map(|r| r.connection).collect();
    assert_eq!(over, [0, 0, 0, 0]);
}

#[tokio::test]
async fn a_connection_that_the_receiver_has_closed_costs_no_attempt() {
    let receiver = Receiver::start_with(vec![Answer::Last(200)]).await;
    let sink = sink(&receiver, Format::CloudEvents);
    for number in 1..=5 {
        let outcome = sink.deliver(&delivery(vec![change(number)]), NOW).await;
        assert_eq!(outcome, Outcome::Accepted);
    }
    assert_eq!(receiver.requests().len(), 5);
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let receiver = Receiver::start_with(vec![Answer::Long(64 << 20)]).await;
    let sink = with(&receiver, |settings| settings.answer_bytes_max = 1 << 10);
    for number in 1..=2 {
        let outcome = sink.deliver(&delivery(vec![change(number)]), NOW).await;
        assert_eq!(outcome, Outcome::Accepted);
    }
    // What was not read cannot be skipped: the connection was given up.
    assert_eq!(receiver.requests()[1].connection, 1);
}

#[tokio::test]
async fn silence_and_broken_connections_are_failures_within_the_deadline() {
    let receiver = Receiver::start_with(vec![Answer::Silence, Answer::Hangup]).await;
    let sink = with(&receiver, |settings| {
        settings.total = Duration::from_millis(300);
    });
    for expected in ["no answer within 300ms", "connection closed"] {
        let outcome = sink.deliver(&delivery(vec![change(1)]), NOW).await;
        let Outcome::Failed {
            stage: Stage::Answer,
            detail,
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert!(detail.contains(expected), "{detail}");
        assert!(detail.contains(&receiver.address().to_string()), "{detail}");
    }
}

#[tokio::test]
async fn neither_debug_nor_a_failure_shows_a_secret() {
    let receiver = Receiver::start_with(vec![Answer::Hangup]).await;
    let mut settings = http(receiver.url("/hunter1?token=hunter2"), Format::CloudEvents);
    settings.credentials.authorization = Some(Authorization::Bearer(Secret::new("hunter3")));
    settings.credentials.headers = vec![("x-key".into(), Secret::new("hunter4"))];
    let shown = format!("{settings:?} {:?}", settings.credentials);
    let sink = HttpSink::new(settings).unwrap();
    let outcome = sink
        .deliver(&delivery(vec![change(1)]), Timestamp::from_ms(0))
        .await;
    let shown = format!("{shown} {sink:?} {outcome:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(!shown.contains("MfKQ9r8GKYq"), "{shown}");
}

#[tokio::test]
async fn a_receiver_that_knows_plain_json_only_gets_it() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let only = || delivery(vec![change(7)]);
    sink(&receiver, Format::CloudEvents)
        .deliver(&only(), NOW)
        .await;
    sink(&receiver, Format::Json).deliver(&only(), NOW).await;
    let renamed = with(&receiver, |settings| {
        settings.content_type = Some("text/x-own; a=b".parse().unwrap());
    });
    renamed.deliver(&only(), NOW).await;
    let requests = receiver.requests();
    let types = requests.iter().map(|request| request.field("content-type"));
    let types: Vec<&str> = types.collect();
    assert_eq!(
        types[1..],
        ["application/json; charset=utf-8", "text/x-own; a=b"]
    );
    for request in &requests {
        assert_eq!(request.body, requests[0].body);
        assert!(verifies(SECRET, request, NOW));
    }
}

#[tokio::test]
async fn in_binary_mode_the_attributes_are_header_fields() {
    let receiver = Receiver::start_with(vec![Answer::Status(200)]).await;
    let sink = sink(&receiver, Format::CloudEventsBinary);
    let mut only = change(7);
    only.notification.entity.id = "a b\u{fc}".into();
    let outcome = sink.deliver(&delivery(vec![only.clone()]), NOW).await;
    assert_eq!(outcome, Outcome::Accepted);
    let requests = receiver.requests();
    let request = &requests[0];
    assert_eq!(request.field("content-type"), "application/json");
    assert_eq!(request.field("ce-specversion"), "1.0");
    assert_eq!(request.field("ce-id"), only.id.0);
    assert_eq!(request.field("ce-subject"), "Invoice/a%20b%C3%BC");
    assert_eq!(request.json()["entityId"], "a b\u{fc}");
    assert!(verifies(SECRET, request, NOW));
}
