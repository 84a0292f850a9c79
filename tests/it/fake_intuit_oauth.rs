//! The simulated Intuit's OAuth, from outside: consent, codes, tokens, revocation, discovery.

use crate::support::intuit::{Came, REALM, get, granted, post_form, refresh, send};
use http::Request;
use qbo_relay::clock::Manual;
use qbo_relay::model::{Environment, Secret, Timestamp};
use qbo_relay::simulate::intuit_company::{
    AppKeys, CompanyFacts, Consent, FakeIntuit, Options, Rotation,
};
use std::sync::Arc;
use std::time::Duration;

const BACK: &str = "https://relay.example/oauth/callback?from=intuit";
const SCOPE: &str = "com.intuit.quickbooks.accounting";

async fn ask_consent(intuit: &FakeIntuit, parameters: &[(&str, &str)]) -> Came {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let url = format!("{}?{query}", intuit.authorize_url());
    send(Request::get(url).body(String::new()).unwrap())
        .await
        .unwrap()
}

const GOOD: [(&str, &str); 5] = [
    ("client_id", "client"),
    ("response_type", "code"),
    ("scope", SCOPE),
    ("redirect_uri", BACK),
    ("state", "s&t=1"),
];

/// The good request with one parameter otherwise.
fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let replaced = |(found, kept)| (found, if found == name { value } else { kept });
    GOOD.map(replaced).into()
}

#[tokio::test]
async fn consent_gives_a_code_that_is_exchanged_once_for_tokens_that_read_the_company() {
    let intuit = FakeIntuit::start(Options::default()).await.unwrap();
    let back = ask_consent(&intuit, &GOOD).await;
    assert_eq!(back.status, 302);
    assert!(back.header("location").starts_with(&format!("{BACK}&")));
    assert_eq!(back.parameter("state").as_deref(), Some("s&t=1"));
    assert_eq!(back.parameter("realmId").as_deref(), Some(REALM));
    let code = back.parameter("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACK),
    ];
    let tokens = post_form(&intuit.token_url(), "client:secret", &form).await;
    assert_eq!(tokens.status, 200);
    let body = tokens.json();
    assert_eq!(body["expires_in"], 3_600);
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["x_refresh_token_expires_in"], 8_726_400);
    assert_eq!(body["x_refresh_token_hard_expires_in"], 157_680_000);
    assert_eq!(body.get("realmId"), None);
    let path = format!("/v3/company/{REALM}/companyinfo/{REALM}");
    let access = body["access_token"].as_str().unwrap();
    let info = get(&intuit, access, &path).await.json();
    assert_eq!(info["CompanyInfo"]["CompanyName"], "A simulated company");
    let again = post_form(&intuit.token_url(), "client:secret", &form).await;
    assert_eq!(
        (again.status, again.text.as_str()),
        (400, r#"{"error":"invalid_grant"}"#)
    );
}

#[tokio::test]
async fn a_request_for_consent_that_is_wrong_is_refused_where_it_is_safe_to_say_so() {
    let registered = AppKeys {
        client_id: "client".into(),
        client_secret: Secret::new("secret"),
        environment: Environment::Production,
        redirect_uris: vec![BACK.into()],
    };
    let options = Options {
        apps: vec![registered],
        ..Options::default()
    };
    let intuit = FakeIntuit::start(options).await.unwrap();
    // Nobody is sent to an address that is not the app's.
    for parameters in [
        with("client_id", "another"),
        with("redirect_uri", "https://thief.example/"),
    ] {
        let page = ask_consent(&intuit, &parameters).await;
        assert_eq!((page.status, page.header("location")), (400, ""));
    }
    let table = [
        (with("state", ""), "invalid_request"),
        (with("response_type", "token"), "unsupported_response_type"),
        (with("scope", "openid"), "invalid_scope"),
    ];
    for (parameters, error) in table {
        let back = ask_consent(&intuit, &parameters).await;
        assert_eq!(back.parameter("error").as_deref(), Some(error));
        assert_eq!(back.parameter("code"), None);
    }
}

#[tokio::test]
async fn a_person_may_choose_a_company_or_refuse() {
    let company = |realm: &str, environment| CompanyFacts {
        realm: realm.into(),
        environment,
    };
    let options = Options {
        consent: Consent::Page,
        companies: vec![
            company("111", Environment::Production),
            company("222", Environment::Production),
            company("333", Environment::Sandbox),
        ],
        ..Options::default()
    };
    let intuit = FakeIntuit::start(options).await.unwrap();
    let page = ask_consent(&intuit, &GOOD).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains(r#"name="state" value="s&amp;t=1""#),
        "{}",
        page.text
    );
    assert!(page.text.contains("Company 222") && !page.text.contains("Company 333"));
    let choose = |choice: [(&'static str, &'static str); 2]| [&GOOD[..], &choice].concat();
    let chosen = ask_consent(
        &intuit,
        &choose([("decision", "connect"), ("realm", "222")]),
    )
    .await;
    assert_eq!(chosen.parameter("realmId").as_deref(), Some("222"));
    let foreign = ask_consent(
        &intuit,
        &choose([("decision", "connect"), ("realm", "333")]),
    )
    .await;
    assert_eq!(foreign.status, 400);
    let refused = ask_consent(&intuit, &choose([("decision", "refuse"), ("realm", "222")])).await;
    assert_eq!(refused.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(refused.parameter("state").as_deref(), Some("s&t=1"));
}

#[tokio::test]
async fn a_rotated_refresh_token_is_dead_and_the_rotation_comes_with_the_day() {
    let clock = Arc::new(Manual::new(Timestamp::from_ms(1_790_000_000_000)));
    let options = Options {
        clock: Arc::<Manual>::clone(&clock),
        rotation: Rotation::Daily,
        ..Options::default()
    };
    let intuit = FakeIntuit::start(options).await.unwrap();
    let first = granted(&intuit).refresh;
    let same = refresh(&intuit, &first).await.json();
    assert_eq!(same["refresh_token"], first.as_str());
    clock.set(Timestamp::from_ms(1_790_000_000_000).plus(Duration::from_secs(86_400)));
    let next = refresh(&intuit, &first).await.json();
    assert_ne!(next["refresh_token"], first.as_str());
    let dead = refresh(&intuit, &first).await;
    assert_eq!(dead.status, 400);
    assert_eq!(dead.json()["error"], "invalid_grant");
    let alive = next["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(&intuit, alive).await.status, 200);
}

#[tokio::test]
async fn clients_are_known_by_their_secret_and_grants_by_their_type() {
    let intuit = FakeIntuit::start(Options::default()).await.unwrap();
    let token = granted(&intuit).refresh;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &token)];
    let table = [
        ("client:wrong", &form[..], 401, "invalid_client"),
        ("nobody:secret", &form[..], 401, "invalid_client"),
        ("client:secret", &form[1..], 400, "invalid_request"),
        (
            "client:secret",
            &[("grant_type", "password")],
            400,
            "unsupported_grant_type",
        ),
    ];
    for (client, form, status, error) in table {
        let came = post_form(&intuit.token_url(), client, form).await;
        assert_eq!(
            (came.status, &came.json()["error"]),
            (status, &error.into())
        );
    }
    assert_eq!(refresh(&intuit, &token).await.status, 200);
}

#[tokio::test]
async fn revoking_by_json_or_by_form_ends_reading_and_refreshing() {
    let intuit = FakeIntuit::start(Options::default()).await.unwrap();
    let path = format!("/v3/company/{REALM}/companyinfo/{REALM}");
    let (by_json, by_form) = (granted(&intuit), granted(&intuit));
    let form = [("token", by_form.access.as_str())];
    let came = post_form(&intuit.revoke_url(), "client:secret", &form).await;
    assert_eq!(came.status, 200);
    assert_eq!(get(&intuit, &by_json.access, &path).await.status, 401);
    let reconnected = granted(&intuit);
    let request = Request::post(intuit.revoke_url())
        .header("authorization", "Basic Y2xpZW50OnNlY3JldA==")
        .header("content-type", "application/json")
        .body(format!(r#"{{"token":"{}"}}"#, reconnected.refresh));
    assert_eq!(send(request.unwrap()).await.unwrap().status, 200);
    assert_eq!(refresh(&intuit, &reconnected.refresh).await.status, 400);
}

#[tokio::test]
async fn each_world_has_a_discovery_document_that_leads_to_this_intuit() {
    let intuit = FakeIntuit::start(Options::default()).await.unwrap();
    for environment in [Environment::Production, Environment::Sandbox] {
        for slash in ["", "/"] {
            let url = format!("{}{slash}", intuit.discovery_url(environment));
            let request = Request::get(url).body(String::new()).unwrap();
            let document = send(request).await.unwrap().json();
            assert_eq!(document["authorization_endpoint"], intuit.authorize_url());
            assert_eq!(document["token_endpoint"], intuit.token_url());
            assert_eq!(document["revocation_endpoint"], intuit.revoke_url());
        }
    }
}
