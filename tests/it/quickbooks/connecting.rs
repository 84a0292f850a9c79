//! Connecting a company: the real binary, the simulated Intuit, and a browser in between.

use crate::support::relay::Gateway;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use qbo_relay::model::{Environment, Secret};
use qbo_relay::simulate;
use qbo_relay::simulate::intuit_company::faults::{Fault, Rule};
use qbo_relay::simulate::intuit_company::{AppKeys, Call, Consent, FakeIntuit, Options};
use serde_json::Value;

/// A company of the simulated Intuit.
pub(super) const REALM: &str = "9341455841580195";

/// The app's secret at Intuit.
const SECRET: &str = "k7Jq-of-these-tests-0f3b";

/// Intuit, and a relay that runs with an app there.
pub(super) struct Scene {
    pub(super) intuit: FakeIntuit,
    pub(super) gateway: Gateway,
}

impl Scene {
    pub(super) async fn with(consent: Consent) -> Self {
        Self::of(Options {
            consent,
            ..Options::default()
        })
        .await
    }

    pub(super) async fn of(options: Options) -> Self {
        let keys = AppKeys {
            client_id: "client".into(),
            client_secret: Secret::new(SECRET),
            environment: Environment::Production,
            redirect_uris: Vec::new(),
        };
        let options = Options {
            apps: vec![keys],
            ..options
        };
        let intuit = FakeIntuit::start(options).await.unwrap();
        let mut gateway = Gateway::new(&app(&intuit));
        gateway.start();
        Self { intuit, gateway }
    }

    /// Runs a command that must succeed; what it says.
    pub(super) fn says(&self, arguments: &[&str]) -> String {
        let output = self.gateway.command(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail; what it says on stderr.
    pub(super) fn complains(&self, arguments: &[&str]) -> String {
        let output = self.gateway.command(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Asks for a consent: the address to open.
    pub(super) fn begin(&self) -> String {
        let told = self.says(&["connect", "--no-wait"]);
        let address = told
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("http"));
        address
            .unwrap_or_else(|| panic!("no address in: {told}"))
            .to_owned()
    }

    /// Where Intuit sends the browser.
    pub(super) async fn consent(&self, address: &str) -> String {
        let (status, location, _) = get(address).await;
        assert!(status.is_redirection(), "{status}");
        location.unwrap()
    }

    /// The browser comes back to the gateway's public address.
    pub(super) async fn come_back(&self, redirect: &str) -> (StatusCode, String) {
        let redirect: Uri = redirect.parse().unwrap();
        let path = redirect.path_and_query().unwrap();
        let public = format!("https://{}{path}", self.gateway.https.unwrap());
        let (status, _, page) = get(&public).await;
        (status, page)
    }

    pub(super) fn companies(&self) -> Vec<Value> {
        let told: Value = serde_json::from_str(&self.says(&["company", "list", "--json"])).unwrap();
        told["companies"].as_array().unwrap().clone()
    }
}

fn app(intuit: &FakeIntuit) -> String {
    format!(
        "[[app]]\nname = \"books\"\nclient_id = \"client\"\nclient_secret = \"{SECRET}\"\n\
         redirect_uri = \"https://gw.example/oauth/callback\"\nauthorize_url = \"{}\"\n\
         token_url = \"{}\"\nrevoke_url = \"{}\"\napi_url = \"{}\"\n",
        intuit.authorize_url(),
        intuit.token_url(),
        intuit.revoke_url(),
        intuit.api_url(Environment::Production),
    )
}

/// A client that trusts the gateway's own certificate.
pub(super) fn client() -> Client<HttpsConnector<HttpConnector>, Empty<bytes::Bytes>> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(simulate::insecure_client())
        .https_or_http()
        .enable_http1()
        .build();
    Client::builder(TokioExecutor::new()).build(connector)
}

/// A browser that follows no redirect and trusts the gateway's own certificate.
async fn get(address: &str) -> (StatusCode, Option<String>, String) {
    let client = client();
    let request = Request::get(address).body(Empty::new()).unwrap();
    let answer = client.request(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let location = head.headers.get("location");
    let location = location.map(|value| value.to_str().unwrap().to_owned());
    let page = body.collect().await.unwrap().to_bytes();
    (
        head.status,
        location,
        String::from_utf8(page.to_vec()).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_is_connected_by_the_redirect_once() {
    let scene = Scene::with(Consent::AtOnce).await;
    assert_eq!(scene.companies(), Vec::<Value>::new());
    let redirect = scene.consent(&scene.begin()).await;
    let (status, page) = scene.come_back(&redirect).await;
    assert_eq!(status, 200, "{page}");
    assert!(
        page.contains(&format!("Company {REALM} is connected.")),
        "{page}"
    );
    let companies = scene.companies();
    assert_eq!(companies.len(), 1);
    assert_eq!(companies[0]["realm"], REALM);
    assert_eq!(companies[0]["standing"], "connected");
    assert_eq!(scene.intuit.calls().all(Call::Exchange), 1);

    // The same address again, as by a reload, and written otherwise: the same page, and nothing is
    // done anew.
    let first = page;
    let reordered = redirect.replace("&state=", "&unknown=1&state=");
    for again in [&redirect, &redirect, &reordered] {
        let (status, page) = scene.come_back(again).await;
        assert_eq!((status.as_u16(), &page), (200, &first));
    }
    assert_eq!(
        scene.says(&["connect", "--paste", &redirect]),
        format!("connected company {REALM}\n")
    );
    assert_eq!(scene.intuit.calls().all(Call::Exchange), 1);
    assert_eq!(scene.companies(), companies);

    // Another answer to the same question is none.
    let (status, page) = scene.come_back(&redirect.replace("code=", "code=x")).await;
    assert_eq!(status, 400);
    assert!(page.contains("belongs to no open question"), "{page}");
    assert_eq!(scene.intuit.calls().all(Call::Exchange), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_the_same_at_once_get_the_same_page_too() {
    let scene = Scene::with(Consent::AtOnce).await;
    let slow = Rule {
        call: Some(Call::Exchange),
        ..Rule::new(Fault::Latency { ms: 300 })
    };
    scene.intuit.faults().set(vec![slow]);
    let redirect = scene.consent(&scene.begin()).await;
    let pages = tokio::join!(scene.come_back(&redirect), scene.come_back(&redirect));
    assert_eq!(pages.0.0, 200, "{}", pages.0.1);
    assert_eq!(pages.0, pages.1);
    assert_eq!(scene.intuit.calls().all(Call::Exchange), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_comes_twice_is_the_same_refusal() {
    let scene = Scene::with(Consent::Refused).await;
    let redirect = scene.consent(&scene.begin()).await;
    let first = scene.come_back(&redirect).await;
    assert!(first.1.contains("access_denied"), "{}", first.1);
    assert_eq!(scene.come_back(&redirect).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_can_be_pasted_and_a_company_disconnected() {
    let mut scene = Scene::with(Consent::AtOnce).await;
    let redirect = scene.consent(&scene.begin()).await;
    let told = scene.says(&["connect", "--paste", &redirect]);
    assert!(told.contains(REALM), "{told}");

    // It outlives a restart.
    assert_eq!(scene.gateway.end_by("TERM"), Some(0));
    scene.gateway.start();
    assert_eq!(scene.companies()[0]["standing"], "connected");

    let told = scene.says(&["company", "disconnect", REALM]);
    assert!(told.contains("revoked at Intuit"), "{told}");
    assert_eq!(scene.intuit.calls().all(Call::Revoke), 1);
    assert_eq!(scene.companies()[0]["standing"], "disconnected");
    let told = scene.complains(&["company", "disconnect", REALM]);
    assert!(told.contains("not connected"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_and_a_foreign_answer_connect_nothing() {
    let scene = Scene::with(Consent::Refused).await;
    let redirect = scene.consent(&scene.begin()).await;
    let (status, page) = scene.come_back(&redirect).await;
    assert_eq!(status, 400);
    assert!(page.contains("access_denied"), "{page}");

    let forged = format!("/oauth/callback?code=x&state=y&realmId={REALM}");
    let (status, page) = scene.come_back(&forged).await;
    assert_eq!(status, 400);
    assert!(page.contains("belongs to no open question"), "{page}");
    assert_eq!(scene.intuit.calls().all(Call::Exchange), 0);
    assert_eq!(scene.companies(), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_ever_written_where_it_can_be_read() {
    let mut scene = Scene::with(Consent::AtOnce).await;
    let redirect = scene.consent(&scene.begin()).await;
    scene.come_back(&redirect).await;
    let exported = scene.says(&["journal", "export"]);
    scene.says(&["status", "--json"]);
    assert_eq!(scene.gateway.end_by("TERM"), Some(0));
    let code = redirect
        .split("code=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let log = scene.gateway.lines.join("\n");
    // What every refresh token and every access token of the simulated Intuit begins with.
    let secrets = [code, "RT1-", "eyJ"];
    let mut files = vec![log.into_bytes(), exported.into_bytes()];
    for name in ["journal.db", "journal.db-wal", "tokens.key"] {
        files.push(std::fs::read(scene.gateway.path("state").join(name)).unwrap_or_default());
    }
    for (place, bytes) in files.iter().enumerate() {
        for secret in &secrets {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "a token in place {place}");
        }
    }
}

#[test]
fn without_an_app_there_is_nobody_to_ask() {
    let mut gateway = Gateway::new("");
    gateway.start();
    let output = gateway.command(&["connect"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no [[app]] is configured"), "{told}");
}
