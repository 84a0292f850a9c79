//! A gateway by the real binary with the Open Connectors interface, a simulated Intuit behind it, and a
//! receiver for callbacks.

use super::intuit::{Came, granted, send};
use super::receiver::{Answer, Receiver};
use super::relay::{Gateway, TOKEN};
use http::Request;
use qbo_relay::model::Secret;
use qbo_relay::simulate::books::Happening;
use qbo_relay::simulate::company::PayloadForm;
use qbo_relay::simulate::insecure_client;
use qbo_relay::simulate::intuit_company::notices::payload;
use qbo_relay::simulate::intuit_company::{FakeIntuit, Options};
use qbo_relay::simulate::sender::Sender;
use serde_json::{Value, json};

pub(crate) use super::intuit::REALM;

/// The key that callbacks are signed with.
pub(crate) const SIGNATURE_KEY: &str = "abcd1234efgh5678";

/// The client secret of the app.
pub(crate) const SECRET: &str = "Zq8sT1mKfEwV4nXb";

/// All of it.
pub(crate) struct Office {
    pub(crate) gateway: Gateway,
    pub(crate) intuit: FakeIntuit,
    pub(crate) receiver: Receiver,
    /// `User ..., Organization ...`
    pub(crate) authorization: String,
}

impl Office {
    /// A gateway that runs, with these keys of `[instances]` besides; its receivers are plain, so
    /// callbacks may be, too, where nothing else is said.
    pub(crate) async fn open(instances: &str, answers: Vec<Answer>) -> Self {
        Self::open_with(Options::default(), instances, answers).await
    }

    /// The same with another Intuit.
    pub(crate) async fn open_with(options: Options, instances: &str, answers: Vec<Answer>) -> Self {
        let mut options = options;
        for app in &mut options.apps {
            app.client_secret = Secret::new(SECRET);
        }
        let intuit = FakeIntuit::start(options).await.unwrap();
        let receiver = Receiver::start_with(answers).await;
        let gateway = Gateway::new(&tables(intuit.base_url(), instances));
        let mut office = Self {
            gateway,
            intuit,
            receiver,
            authorization: String::new(),
        };
        let made = office.gateway.command(&["admin-secret"]);
        let made = String::from_utf8(made.stdout).unwrap();
        let line = made
            .lines()
            .find_map(|line| line.strip_prefix("Authorization: "));
        office.authorization = line.unwrap_or_else(|| panic!("{made}")).to_owned();
        office.gateway.start();
        office
    }

    /// The same gateway and journal, with other keys of `[instances]`.
    pub(crate) fn restart_with(&mut self, instances: &str) {
        assert_eq!(self.gateway.end_by("TERM"), Some(0));
        let tables = tables(self.intuit.base_url(), instances);
        self.gateway.configure(&tables);
        self.gateway.start();
    }

    /// A call with the secrets of the organization.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Came {
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.call_as(&self.authorization, method, path, text).await
    }

    /// A call with the user's secret and the token of an instance.
    pub(crate) async fn call_by(&self, token: &Value, method: &str, path: &str) -> Came {
        let (user, _) = self.authorization.split_once(',').unwrap();
        let authorization = format!("{user}, Element {}", token.as_str().unwrap());
        self.call_as(&authorization, method, path, String::new())
            .await
    }

    /// A call as it is told.
    pub(crate) async fn call_as(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        body: String,
    ) -> Came {
        let admin = self.gateway.admin.unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{admin}/elements/api-v2{path}"))
            .header("authorization", authorization)
            .header("content-type", "application/json");
        send(request.body(body).unwrap()).await.unwrap()
    }

    /// An authorization code for the company, as the consent page gives one.
    pub(crate) async fn code(&self) -> String {
        let asked = "/elements/quickbooks/oauth/url?apiKey=client&apiSecret=secret\
                     &callbackUrl=https%3A%2F%2Fmycoolapp.com&state=of-mine";
        let url = self.call("GET", asked, &Value::Null).await.json();
        let url = url["oauthUrl"].as_str().unwrap();
        let page = Request::get(format!("{url}&realm={REALM}"));
        let came = send(page.body(String::new()).unwrap()).await.unwrap();
        assert_eq!(
            came.parameter("state").as_deref(),
            Some("of-mine"),
            "{}",
            came.text
        );
        came.parameter("code").unwrap()
    }

    /// The body that makes an instance of the company, with these keys of the configuration besides.
    pub(crate) async fn body(&self, configuration: Value) -> Value {
        let mut body = json!({
            "element": { "key": "quickbooks" },
            "providerData": { "code": self.code().await, "realmId": REALM },
            "configuration": {
                "oauth.callback.url": "https://mycoolapp.com",
                "oauth.api.key": "client",
                "oauth.api.secret": SECRET,
                "authentication.type": "oauth2",
                "scope": "com.intuit.quickbooks.accounting openid profile email phone address",
                "event.notification.enabled": true,
                "event.notification.callback.url": self.receiver.url("/hook"),
                "event.notification.signature.key": SIGNATURE_KEY,
            },
            "tags": ["Docs"],
            "name": "API Instance",
        });
        let keys = body["configuration"].as_object_mut().unwrap();
        keys.extend(configuration.as_object().unwrap().clone());
        body
    }

    /// Makes an instance.
    pub(crate) async fn create(&self, configuration: Value) -> Value {
        let came = self
            .call("POST", "/instances", &self.body(configuration).await)
            .await;
        assert_eq!(came.status, 200, "{}", came.text);
        came.json()
    }

    /// Posts what happened as Intuit does, to the platform's inbound address; its status.
    pub(crate) async fn notify(&self, happenings: &[Happening]) -> u16 {
        let url = format!(
            "https://{}/elements/api-v2/events/quickbooks/",
            self.gateway.https.unwrap()
        );
        let sender = Sender::new(url.parse().unwrap(), insecure_client());
        let body = payload(PayloadForm::Cloudevents, happenings);
        let answer = sender.post(&body, &Secret::new(TOKEN)).await;
        answer
            .status
            .unwrap_or_else(|| panic!("{:?}", answer.fault))
            .as_u16()
    }

    /// Tokens of the company that somebody else got.
    pub(crate) fn tokens(&self) -> (String, String) {
        let granted = granted(&self.intuit);
        (granted.access, granted.refresh)
    }
}

fn tables(base: &str, instances: &str) -> String {
    let plain = match instances.contains("plain_callbacks") {
        true => "",
        false => "plain_callbacks = true",
    };
    format!(
        r#"
[[app]]
name = "books"
client_id = "client"
client_secret = "{SECRET}"
redirect_uri = "https://gateway.example/oauth/callback"
authorize_url = "{base}/connect/oauth2"
token_url = "{base}/oauth2/v1/tokens/bearer"
revoke_url = "{base}/v2/oauth2/tokens/revoke"
api_url = "{base}"
[reconcile]
settle = "50 ms"
[instances]
{plain}
{instances}
"#
    )
}
