//! Who may deliver to the original listener's face without a signature, and how it is switched off.

use crate::support::gate::{BODY, Gate, delivery, sign};
use crate::support::original::{ask, dto, face, here, kept, request};
use crate::support::relay::{Gateway, eventually};
use qbo_relay::model::{Authenticity, Encoding, Secret};
use qbo_relay::server::face::Face;
use qbo_relay::server::source::Source;
use qbo_relay::wire::credential::Credential;

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
        assert_eq!(answer.status, 200, "{line} {}", answer.body);
    }
    assert_eq!(gate.tally.deliveries_forged.value(), 21);
    assert_eq!(gate.tally.deliveries_unsigned.value(), 0);
}

#[tokio::test]
async fn a_source_shows_its_credential_and_comes_from_its_address() {
    let tokened = Source {
        name: "tokened".into(),
        path: Some("/from-here".into()),
        predefined_routes: false,
        credential: Some(Credential::Bearer(Secret::new("tok"))),
        addresses: Vec::new(),
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
    let gate = Gate::with_face(face(vec![tokened, both])).await;
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
