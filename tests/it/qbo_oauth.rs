//! Consent and tokens: what the authorization server is asked, and what its answers mean.

use crate::support::plain_api::{PlainApi, Reply, settings};
use qbo_relay::model::{Environment, Secret};
use qbo_relay::qbo::{App, Endpoints, Failure, Pinned, SetUpError, Settings};
use std::time::Duration;

const TOKENS: &[u8] = include_bytes!("../data/quickbooks/tokens.json");

const DISCOVERY: &str = include_str!("../data/quickbooks/discovery.json");

/// `ABclientid:clientsecret123456` in Base64.
const BASIC: &str = "Basic QUJjbGllbnRpZDpjbGllbnRzZWNyZXQxMjM0NTY=";

#[test]
fn consent_is_asked_for_with_everything_that_intuit_wants() {
    let app = App::new(settings("https://appcenter.example")).unwrap();
    assert_eq!(
        app.authorize_url("s+1"),
        "https://appcenter.example/connect?client_id=ABclientid&response_type=code\
         &scope=com.intuit.quickbooks.accounting\
         &redirect_uri=https%3A%2F%2Frelay.example%2Foauth%2Fcallback&state=s%2B1"
    );
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_with_all_their_ends() {
    let api = PlainApi::start(Reply::ok(TOKENS)).await;
    let granted = api.app().exchange(&Secret::new("Q0+/=")).await.unwrap();
    assert!(granted.access.expose().starts_with(b"eyJ"));
    assert!(granted.refresh.expose().starts_with(b"RT1-39-"));
    assert_eq!(granted.access_for, Duration::from_secs(3_600));
    assert_eq!(granted.refresh_for, Duration::from_secs(8_726_400));
    assert_eq!(granted.hard_for, Some(Duration::from_secs(156_032_154)));
    assert!(!format!("{granted:?}").contains("eyJ"));
    let asked = &api.asked()[0];
    assert_eq!(asked.line, "POST /bearer HTTP/1.1");
    assert_eq!(asked.field("authorization"), BASIC);
    assert_eq!(asked.field("accept"), "application/json");
    let form = "application/x-www-form-urlencoded";
    assert_eq!(asked.field("content-type"), form);
    assert_eq!(
        asked.field("x-include-refresh-token-hard-expires-in"),
        "true"
    );
    assert_eq!(
        asked.body,
        "grant_type=authorization_code&code=Q0%2B%2F%3D\
         &redirect_uri=https%3A%2F%2Frelay.example%2Foauth%2Fcallback"
    );
}

#[tokio::test]
async fn a_refresh_brings_the_next_tokens_or_leaves_the_old_refresh_token() {
    let api = PlainApi::start(Reply::ok(TOKENS)).await;
    let old = Secret::new("RT1-old");
    let granted = api.app().refresh(&old).await.unwrap();
    assert!(granted.refresh.expose().starts_with(b"RT1-39-"));
    let asked = &api.asked()[0];
    assert_eq!(asked.body, "grant_type=refresh_token&refresh_token=RT1-old");
    assert_eq!(asked.field("authorization"), BASIC);
    assert_eq!(
        asked.field("x-include-refresh-token-hard-expires-in"),
        "true"
    );
    let api = PlainApi::start(Reply::ok(br#"{"access_token":"eyJ"}"#)).await;
    let granted = api.app().refresh(&old).await.unwrap();
    assert_eq!((granted.refresh, granted.hard_for), (old, None));
    let failure = api.app().exchange(&Secret::new("Q0")).await.unwrap_err();
    assert!(
        matches!(failure, Failure::NotUnderstood { .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_refusal_says_whether_the_company_or_the_app_is_meant() {
    let dead = br#"{"error_description":"Token invalid","error":"invalid_grant"}"#;
    let api = PlainApi::start(Reply::status(400, dead)).await;
    let why = "Token invalid".to_owned();
    let old = Secret::new("RT1-old");
    assert_eq!(
        api.app().refresh(&old).await,
        Err(Failure::InvalidGrant { why })
    );
    let wrong = br#"{"error":"invalid_client"}"#;
    let api = PlainApi::start(Reply::status(401, wrong)).await;
    let why = "invalid_client".to_owned();
    assert_eq!(
        api.app().refresh(&old).await,
        Err(Failure::InvalidClient { why })
    );
    let api = PlainApi::start(Reply::status(503, b"<html>")).await;
    let why = "status 503".to_owned();
    assert_eq!(
        api.app().refresh(&old).await,
        Err(Failure::Unavailable { why })
    );
}

#[tokio::test]
async fn what_did_not_come_from_intuit_neither_grants_nor_refuses_nor_revokes() {
    let old = Secret::new("RT1-old");
    let bodies: [&[u8]; 5] = [
        b"<html>log in</html>",
        b"blocked",
        br#"{"message":"Forbidden"}"#,
        br#"{"access_tok"#,
        br#"{"error":"invalid_gra"#,
    ];
    for status in [200, 302, 400, 401, 403, 404, 500, 503] {
        for body in bodies {
            let api = PlainApi::start(Reply::status(status, body)).await;
            let app = api.app();
            let failures = [
                app.refresh(&old).await.unwrap_err(),
                app.exchange(&old).await.unwrap_err(),
                app.discover().await.unwrap_err(),
            ];
            for failure in failures {
                let is_unavailable = matches!(failure, Failure::Unavailable { .. });
                assert!(is_unavailable, "{status} {body:?}: {failure:?}");
            }
            let is_object = status == 200 && body.ends_with(b"}");
            let revoked = app.revoke(&old).await;
            assert_eq!(revoked.is_ok(), is_object, "{status} {body:?}: {revoked:?}");
        }
    }
    let dead = br#"{"error":"invalid_grant"}"#;
    let api = PlainApi::start(Reply::status(503, dead)).await;
    let failure = api.app().refresh(&old).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Unavailable { .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_token_is_revoked_by_json() {
    let api = PlainApi::start(Reply::ok(b"")).await;
    api.app().revoke(&Secret::new("RT1-old")).await.unwrap();
    let asked = &api.asked()[0];
    assert_eq!(asked.line, "POST /revoke HTTP/1.1");
    assert_eq!(asked.field("content-type"), "application/json");
    assert_eq!(asked.field("authorization"), BASIC);
    assert_eq!(asked.body, r#"{"token":"RT1-old"}"#);
    let dead = br#"{"error":"invalid_request"}"#;
    let api = PlainApi::start(Reply::status(400, dead)).await;
    let failure = api.app().revoke(&Secret::new("RT1-old")).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Refused { status: 400, .. }),
        "{failure:?}"
    );
}

#[tokio::test]
async fn published_endpoints_are_taken_unless_tokens_would_travel_in_the_clear() {
    let api = PlainApi::start(Reply::ok(DISCOVERY.as_bytes())).await;
    let app = api.app();
    app.discover().await.unwrap();
    let found = app.endpoints();
    let intuit = Endpoints::default();
    assert_eq!(found.authorize, intuit.authorize);
    assert_eq!(found.token, intuit.token);
    assert_eq!(found.revoke, intuit.revoke);
    assert_eq!(found.api_sandbox, api.settings().endpoints.api_sandbox);
    let production = Settings {
        environment: Environment::Production,
        ..api.settings()
    };
    App::new(production).unwrap().discover().await.unwrap();
    let lines: Vec<String> = api.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        [
            "GET /sandbox.json HTTP/1.1",
            "GET /production.json HTTP/1.1"
        ]
    );
    let pinned = Settings {
        pinned: Pinned {
            token: true,
            ..Pinned::default()
        },
        ..api.settings()
    };
    let app = App::new(pinned).unwrap();
    app.discover().await.unwrap();
    assert_eq!(app.endpoints().token, api.settings().endpoints.token);
    assert_eq!(app.endpoints().revoke, intuit.revoke);
    let clear = DISCOVERY.replace("https://oauth", "http://oauth");
    let api = PlainApi::start(Reply::ok(clear.as_bytes())).await;
    let app = api.app();
    let Err(Failure::NotUnderstood { why }) = app.discover().await else {
        panic!()
    };
    assert_eq!(*app.endpoints(), api.settings().endpoints);
    assert!(why.starts_with("the token address cannot be used"), "{why}");
}

#[test]
fn an_app_that_could_not_call_is_not_made() {
    let mut open = settings("https://intuit.example");
    open.endpoints.token = "http://intuit.example/bearer".into();
    let error = App::new(open).unwrap_err();
    assert!(error.to_string().contains("token address"), "{error}");
    let credentials = [
        ("", "s3cret"),
        ("AB:1", "s3cret"),
        ("AB1", ""),
        ("AB1", "s3\ncret"),
    ];
    for (id, secret) in credentials {
        let error = App::new(Settings {
            client_id: id.into(),
            client_secret: Secret::new(secret),
            ..settings("https://intuit.example")
        });
        assert_eq!(error.unwrap_err(), SetUpError::Credentials, "{id}");
    }
}

#[test]
fn an_app_and_its_settings_show_no_secret() {
    let settings = settings("https://intuit.example");
    let app = App::new(settings.clone()).unwrap();
    let shown = format!("{settings:?} {app:?}");
    assert!(shown.contains("office"), "{shown}");
    assert!(!shown.contains("clientsecret") && !shown.contains("QUJ"));
}
