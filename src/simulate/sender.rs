//! The sending half of Intuit: signs a body and posts it over TLS, as its notification server does.
//!
//! The header fields are those of a recorded CloudEvents delivery (n8n-io/n8n, issue 28750) and, for a
//! legacy one, of Intuit's page on webhooks and of what was seen in the field.

use super::books::pacific;
use super::company::Chance;
use crate::clock::{Clock as _, System};
use crate::model::Secret;
use crate::wire::signature;
use crate::wire::url::Url;
use bytes::Bytes;
use http::{Request, StatusCode, request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long Intuit waits for the answer.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Intuit's pauses between attempts; the last one is repeated.
pub const RETRY_PAUSES: [Duration; 8] = [
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(300),
    Duration::from_secs(1_200),
    Duration::from_secs(7_200),
    Duration::from_secs(14_400),
    Duration::from_secs(21_600),
];

/// Posts so far, so that no two have the same trace.
static POSTS: AtomicU64 = AtomicU64::new(0);

/// Posts signed bodies to one address.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Url,
}

/// What came back for one post.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The status; `None` when there was no answer within Intuit's patience.
    pub status: Option<StatusCode>,
    /// Why there was none.
    pub fault: Option<String>,
    /// From the first byte sent to the answer.
    pub took: Duration,
}

impl Sender {
    /// A sender to this address that trusts what `tls` trusts.
    pub fn new(url: Url, mut tls: ClientConfig) -> Self {
        // The connector names the protocols itself, and insists on it.
        tls.alpn_protocols.clear();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, url }
    }

    /// Signs `body` with `token` and posts it.
    pub async fn post(&self, body: &[u8], token: &Secret) -> Answer {
        self.post_signed(body, &signature::sign(token, body)).await
    }

    /// Posts `body` with this signature, right or wrong.
    pub async fn post_signed(&self, body: &[u8], signature: &str) -> Answer {
        let began = Instant::now();
        let request = headed(Request::post(self.url.uri().clone()), body)
            .header("intuit-signature", signature)
            .body(Full::new(Bytes::copy_from_slice(body)));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Answer::fault(error.to_string(), began),
        };
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| describe(&error))?;
            let status = response.status();
            Limited::new(response.into_body(), 64 << 10)
                .collect()
                .await
                .map_err(|error| error.to_string())?;
            Ok::<_, String>(status)
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(Ok(status)) => Answer {
                status: Some(status),
                fault: None,
                took: began.elapsed(),
            },
            Ok(Err(fault)) => Answer::fault(fault, began),
            Err(_) => Answer::fault("no answer within 3 s".into(), began),
        }
    }
}

/// The fields of Intuit's head beside the signature, by the form of the body.
fn headed(request: request::Builder, body: &[u8]) -> request::Builder {
    let now = System.now();
    let mut chance =
        Chance::new(POSTS.fetch_add(1, Ordering::Relaxed) ^ now.as_ms().unsigned_abs());
    let request = request
        .header("accept", "application/json")
        .header("user-agent", "intuit_notification_server/1.0")
        .header("intuit-t-id", chance.uuid());
    if body.trim_ascii_start().starts_with(b"{") {
        return request
            .header("content-type", "application/json; charset=utf-8")
            .header("intuit-notification-schema-version", "1.0")
            .header("intuit-created-time", pacific::without_colon(now));
    }
    request
        .header(
            "content-type",
            "application/cloudevents-batch+json; charset=utf-8",
        )
        .header("accept-encoding", "gzip,deflate")
        .header("intuit-notification-schema-version", "2.0")
        .header("intuit-created-time", now.to_string())
        .header("intuit-signature-algorithm", "HMAC-SHA256")
        .header("intuit-signature-id", chance.uuid())
}

impl Answer {
    fn fault(fault: String, began: Instant) -> Self {
        Self {
            status: None,
            fault: Some(fault),
            took: began.elapsed(),
        }
    }

    /// Whether Intuit would count the delivery as done: exactly 200.
    pub fn is_success(&self) -> bool {
        self.status == Some(StatusCode::OK)
    }
}

/// The innermost cause says what a person needs to know.
fn describe(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &[u8]) -> Vec<(String, String)> {
        let request = headed(Request::post("http://x/"), body);
        let fields = request.headers_ref().unwrap().iter();
        let mut fields: Vec<_> = fields
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        fields.sort();
        fields
    }

    #[test]
    fn each_form_has_the_head_that_was_recorded_for_it() {
        let all = |fields: &[(String, String)]| {
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            names.join(" ")
        };
        let value = |fields: &[(String, String)], name: &str| {
            let found = fields.iter().find(|(found, _)| found == name);
            found.unwrap().1.clone()
        };
        let events = names(b"[{}]");
        assert_eq!(
            all(&events),
            "accept accept-encoding content-type intuit-created-time \
             intuit-notification-schema-version intuit-signature-algorithm intuit-signature-id \
             intuit-t-id user-agent"
        );
        assert_eq!(value(&events, "intuit-notification-schema-version"), "2.0");
        assert!(value(&events, "intuit-created-time").ends_with('Z'));
        assert_eq!(value(&events, "intuit-t-id").len(), 36);
        let legacy = names(b"{\"eventNotifications\":[]}");
        assert_eq!(
            all(&legacy),
            "accept content-type intuit-created-time intuit-notification-schema-version \
             intuit-t-id user-agent"
        );
        assert_eq!(
            value(&legacy, "content-type"),
            "application/json; charset=utf-8"
        );
        let created = value(&legacy, "intuit-created-time");
        assert!(
            created.ends_with("-0800") || created.ends_with("-0700"),
            "{created}"
        );
        assert_ne!(value(&legacy, "intuit-t-id"), value(&events, "intuit-t-id"));
    }
}
