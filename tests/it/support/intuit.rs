//! A client towards the simulated Intuit that shows what came, and what did not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use qbo_relay::simulate::intuit_company::{FakeIntuit, Granted};
use serde_json::Value;

/// What came back.
pub(crate) struct Came {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Came {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The parameters of the address that it sends the browser to.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.header("location").split_once('?')?;
        form_urlencoded::parse(query.as_bytes())
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
    }
}

type Http = Client<HttpConnector, Full<bytes::Bytes>>;

/// Sends a request on a connection of its own; an error when no whole answer came.
pub(crate) async fn send(request: Request<String>) -> Result<Came, String> {
    let client: Http = Client::builder(TokioExecutor::new())
        .retry_canceled_requests(false)
        .build(HttpConnector::new());
    let response = client
        .request(request.map(|body| Full::new(body.into())))
        .await
        .map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    Ok(Came {
        status: head.status.as_u16(),
        headers: head.headers,
        text: String::from_utf8(body.to_bytes().to_vec()).unwrap(),
    })
}

/// A GET with an access token, below the base address.
pub(crate) async fn try_get(intuit: &FakeIntuit, access: &str, path: &str) -> Result<Came, String> {
    let request = Request::get(format!("{}{path}", intuit.base_url()))
        .header("authorization", format!("Bearer {access}"))
        .header("accept", "application/json");
    send(request.body(String::new()).unwrap()).await
}

/// As [`try_get`]; an answer has to come.
pub(crate) async fn get(intuit: &FakeIntuit, access: &str, path: &str) -> Came {
    try_get(intuit, access, path).await.unwrap()
}

/// A form to the token or revocation endpoint, with these client credentials.
pub(crate) async fn try_post_form(
    url: &str,
    client: &str,
    form: &[(&str, &str)],
) -> Result<Came, String> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = Request::post(url)
        .header(
            "authorization",
            format!("Basic {}", STANDARD.encode(client)),
        )
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-include-refresh-token-hard-expires-in", "true");
    send(request.body(body).unwrap()).await
}

/// As [`try_post_form`]; an answer has to come.
pub(crate) async fn post_form(url: &str, client: &str, form: &[(&str, &str)]) -> Came {
    try_post_form(url, client, form).await.unwrap()
}

/// A refresh by the default app.
pub(crate) async fn refresh(intuit: &FakeIntuit, token: &str) -> Came {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    post_form(&intuit.token_url(), "client:secret", &form).await
}

/// A request to the simulator's own addresses.
pub(crate) async fn control(intuit: &FakeIntuit, method: Method, path: &str, body: &str) -> Came {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}/simulate/{path}", intuit.base_url()))
        .body(body.to_owned())
        .unwrap();
    send(request).await.unwrap()
}

/// Tokens of the default app for the default company.
pub(crate) fn granted(intuit: &FakeIntuit) -> Granted {
    intuit.authorize("client", REALM).unwrap()
}

/// The company of the default options.
pub(crate) const REALM: &str = "9341455841580195";
