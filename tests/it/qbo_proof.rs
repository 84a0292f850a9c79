//! Whether tokens are of a company: what QuickBooks is asked, and what its answers prove.

use crate::support::plain_api::{ACCESS, PlainApi, Reply};
use qbo_relay::model::{RealmId, Secret, Standing, Timestamp, TokenSet};
use qbo_relay::qbo::{Proven, Unproven};

const NOW: Timestamp = Timestamp::from_ms(1_795_252_440_000);

const INFO: &[u8] =
    br#"{"CompanyInfo":{"CompanyName":"Larry's Bakery","Id":"1","SyncToken":"4"},"time":"2026-11-21T04:05:06.789-08:00"}"#;

fn realm() -> RealmId {
    RealmId::new("9341452341234567").unwrap()
}

fn tokens() -> TokenSet {
    TokenSet {
        access: Secret::new(ACCESS),
        access_expires_at: NOW,
        refresh: Secret::new("RT1-fresh"),
        refresh_expires_at: NOW,
        hard_expires_at: None,
    }
}

async fn prove(reply: Reply) -> Result<Proven, Unproven> {
    let api = PlainApi::start(reply).await;
    api.app().prove(&realm(), tokens()).await
}

#[tokio::test]
async fn the_companys_own_information_is_asked_for_with_the_tokens_that_are_to_be_kept() {
    let api = PlainApi::start(Reply::ok(INFO)).await;
    let proven = api.app().prove(&realm(), tokens()).await.unwrap();
    let asked = api.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].line,
        "GET /sandbox/v3/company/9341452341234567/companyinfo/9341452341234567?minorversion=75 HTTP/1.1"
    );
    assert_eq!(asked[0].field("authorization"), format!("Bearer {ACCESS}"));
    assert_eq!((proven.realm(), proven.tokens()), (&realm(), &tokens()));
    assert_eq!(proven.name(), "Larry's Bakery");
    let company = proven.company(NOW);
    assert_eq!(
        (company.realm, company.standing),
        (realm(), Standing::Connected)
    );
}

#[tokio::test]
async fn a_no_of_intuits_says_that_the_tokens_are_foreign() {
    let gateway_401 = include_bytes!("../data/quickbooks/fault-gateway-401.json");
    let gateway_403 = include_bytes!("../data/quickbooks/fault-gateway-403.json");
    let not_found = include_bytes!("../data/quickbooks/fault-not-found.json");
    for (status, body) in [
        (401, &gateway_401[..]),
        (403, &gateway_403[..]),
        (200, &gateway_403[..]),
        (400, &not_found[..]),
    ] {
        let unproven = prove(Reply::status(status, body)).await.unwrap_err();
        let Unproven::Foreign { realm: named, .. } = &unproven else {
            panic!("{status}: {unproven:?}");
        };
        assert_eq!(named, &realm());
        let said = unproven.to_string();
        assert!(said.contains("not of company 9341452341234567"), "{said}");
        assert!(!said.contains("eyJ"), "{said}");
    }
}

#[tokio::test]
async fn whatever_else_comes_proves_nothing() {
    let throttled = include_bytes!("../data/quickbooks/fault-throttled.xml");
    for reply in [
        Reply::status(503, b""),
        // No fault of Intuit's: something between answers.
        Reply::status(403, b""),
        Reply::status(404, b"<html>not found</html>"),
        Reply::status(
            500,
            include_bytes!("../data/quickbooks/fault-gateway-403.json"),
        ),
        Reply::status(429, throttled),
        Reply::ok(throttled),
        Reply::ok(b""),
        Reply::ok(b"{}"),
        Reply::ok(b"<html>sign in to the wireless network</html>"),
        Reply::ok(br#"{"CompanyInfo":null}"#),
        Reply::ok(br#"{"CompanyInfo":[]}"#),
        Reply::ok(br#"{"QueryResponse":{}}"#),
        Reply::Half(INFO.to_vec()),
        Reply::Hangup,
    ] {
        let shown = format!("{reply:?}");
        let unproven = prove(reply).await.unwrap_err();
        let is_unasked = matches!(unproven, Unproven::Unasked { .. });
        assert!(is_unasked, "{shown}: {unproven:?}");
    }
}
