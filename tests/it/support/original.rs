//! Clients of the original listener: sources, requests as bytes, and what was kept of them.

use super::client::Answer;
use super::gate::Gate;
use arc_swap::ArcSwap;
use qbo_relay::model::{Item, Secret, SourceScope};
use qbo_relay::server::face::Face;
use qbo_relay::server::source::Source;
use qbo_relay::wire::credential::Credential;

const ENTITY: &str =
    r#"{"name":"Bill","id":"9","operation":"Delete","lastUpdated":"2015-10-05T14:42:19-07:00"}"#;

/// A source for this machine on the public path and the predefined routes, as a drop-in needs it.
pub(crate) fn here() -> Source {
    Source {
        name: "here".into(),
        path: Some("/qbowebhook".into()),
        predefined_routes: true,
        credential: None,
        addresses: vec!["127.0.0.0/8".parse().unwrap()],
        scope: SourceScope::default(),
    }
}

/// The same with a token, from wherever.
pub(crate) fn tokened() -> Source {
    Source {
        name: "tokened".into(),
        credential: Some(Credential::Bearer(Secret::new("tok"))),
        addresses: Vec::new(),
        ..here()
    }
}

pub(crate) fn face(sources: Vec<Source>) -> Face {
    Face {
        sources: ArcSwap::from_pointee(sources),
        ..Face::default()
    }
}

pub(crate) async fn drop_in() -> Gate {
    Gate::with_face(face(vec![here()])).await
}

/// A request with these lines of head behind its first one.
pub(crate) fn request(line: &str, head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: relay.example\r\n{head}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(crate) async fn ask(gate: &Gate, line: &str, head: &str, body: &str) -> Answer {
    gate.client().ask(&request(line, head, body)).await
}

pub(crate) fn dto() -> String {
    format!(
        r#"{{"eventNotifications":[{{"realmId":"7","dataChangeEvent":{{"entities":[{ENTITY}]}}}}]}}"#
    )
}

/// What was kept last, one line an entry.
pub(crate) fn kept(gate: &Gate) -> Vec<String> {
    let receipts = gate.shelf.receipts();
    let Some(receipt) = receipts.last() else {
        return Vec::new();
    };
    let line = |item: &Item| match item {
        Item::Notification(found) => format!("{} {}", found.entity, found.event_type),
        Item::Unreadable(found) => format!("{}: {}", found.at, found.why),
    };
    receipt.items.iter().map(line).collect()
}
