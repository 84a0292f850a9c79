//! The published bodies as they stand, and every key of a configuration.

use super::call::parse;
use super::*;
use crate::model::{InstanceId, Interest, Polling};
use crate::wire::elements::pollers::LISTED;
use crate::wire::entity;
use crate::wire::url::Url;
use std::collections::BTreeSet;
use std::time::Duration;

macro_rules! published {
    ($name:literal) => {
        include_str!(concat!("../../../tests/data/elements/", $name))
    };
}

pub(super) const SAP_POLLING: &str = published!("sap-polling.json");
const SAP_WEBHOOKS: &str = published!("sap-webhooks.json");
const SAP_POLLING_CURL: &str = published!("sap-polling-curl.json");
const SAP_WEBHOOK_CURL: &str = published!("sap-webhook-curl.json");
const CLOUD_POLLING: &str = published!("cloud-elements-polling.json");
pub(super) const CLOUD_WEBHOOKS: &str = published!("cloud-elements-webhooks.json");
const CLOUD_POLLING_CURL: &str = published!("cloud-elements-polling-curl.json");
const CLOUD_WEBHOOK_CURL: &str = published!("cloud-elements-webhook-curl.json");

pub(super) fn ask(method: &str, path: &str, body: &str) -> Result<Call, Wrong> {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    parse(&Request {
        method,
        path,
        query,
        content_type: Some("application/json"),
        body: body.as_bytes(),
    })
}

fn draft(body: &str) -> Draft {
    match ask("POST", "/instances", body) {
        Ok(Call::Create(draft)) => *draft,
        other => panic!("{other:?}"),
    }
}

/// The published body with its faults mended.
fn mended(body: &str) -> Draft {
    let body = body.replace(
        "\"\n      \"authentication.type\"",
        "\",\n      \"authentication.type\"",
    );
    let body = body.replace(
        "\"\n\"authentication.type\"",
        "\",\n\"authentication.type\"",
    );
    draft(&body.replace("https;//", "https://"))
}

fn every_kind() -> BTreeSet<String> {
    let kind = |name| entity::kind_of_resource(name).unwrap().to_owned();
    LISTED.map(kind).into()
}

fn polling(minutes: u64) -> Option<Interest> {
    Some(Interest {
        webhook: false,
        polling: Some(Polling {
            kinds: every_kind(),
            interval: Duration::from_secs(60 * minutes),
        }),
        calls_back: true,
    })
}

const WEBHOOK: Option<Interest> = Some(Interest {
    webhook: true,
    polling: None,
    calls_back: true,
});

#[test]
fn the_published_bodies_to_fill_in_are_read_as_they_stand() {
    let sap = draft(SAP_POLLING);
    assert_eq!((&*sap.name, sap.tags.len()), ("", 0));
    assert_eq!((sap.code, sap.realm), (None, None));
    let terms = sap.configuration.terms().unwrap();
    assert_eq!(terms.events, polling(15));
    assert_eq!(
        terms.callback.as_ref().map(Url::as_str),
        Some(
            "https://api.openconnectors.us2.ext.hana.ondemand.com/elements/api-v2/events/quickbooks/"
        )
    );
    assert_eq!((terms.signature_key, terms.oauth.key), (None, None));
    assert_eq!(
        terms.warnings,
        ["event.poller.urls: tax-customers was read as customers"]
    );
    let terms = draft(SAP_WEBHOOKS).configuration.terms().unwrap();
    assert_eq!((terms.events, terms.warnings), (WEBHOOK, vec![]));
}

#[test]
fn placeholders_are_read_and_an_address_that_is_one_is_named() {
    let cloud = draft(CLOUD_WEBHOOKS);
    assert_eq!(cloud.code.unwrap().expose(), b"<AUTHORIZATION_GRANT_CODE>");
    assert_eq!(
        cloud.realm.unwrap().as_str(),
        "<REALMID_FROM_PREVIOUS_STEP>"
    );
    assert_eq!(
        (&*cloud.name, cloud.tags.len()),
        ("", 0),
        "both look like markup"
    );
    let wrong = cloud.configuration.terms().unwrap_err();
    assert!(
        wrong
            .message
            .starts_with("oauth.callback.url: it must begin with https://")
    );
}

#[test]
fn where_a_published_body_lacks_a_comma_the_answer_points_at_it() {
    for (body, place) in [
        (SAP_POLLING_CURL, "line 12 column 49"),
        (SAP_WEBHOOK_CURL, "line 12 column 45"),
        (CLOUD_POLLING_CURL, "line 12 column 47"),
        (CLOUD_WEBHOOK_CURL, "line 12 column 47"),
    ] {
        let wrong = ask("POST", "/instances", body).unwrap_err();
        let why = "a comma is missing after the value of \"oauth.api.secret\"";
        assert_eq!(
            (wrong.status, wrong.message),
            (400, format!("{place}: {why}"))
        );
    }
    let wrong = ask("POST", "/instances", CLOUD_POLLING).unwrap_err();
    assert_eq!(
        wrong.message,
        "line 2 column 1: not JSON: one closing bracket too many"
    );
}

#[test]
fn the_published_examples_work_once_they_are_mended() {
    for (body, events) in [
        (SAP_POLLING_CURL, polling(15)),
        (SAP_WEBHOOK_CURL, WEBHOOK),
        (CLOUD_POLLING_CURL, polling(15)),
        (CLOUD_WEBHOOK_CURL, WEBHOOK),
    ] {
        let draft = mended(body);
        assert_eq!(
            (&*draft.name, &*draft.tags),
            ("API Instance", &["Docs".to_owned()][..])
        );
        let terms = draft.configuration.terms().unwrap();
        assert_eq!((terms.events, terms.warnings), (events, vec![]));
        assert!(terms.signature_key.is_some() && terms.oauth.secret.is_some());
        let wrong = company(draft.realm.as_ref(), &draft.configuration.terms().unwrap());
        assert_eq!(
            wrong.unwrap_err().message,
            "providerData.realmId: expected the number of a company"
        );
    }
    let semicolon =
        CLOUD_POLLING_CURL.replace("\"\n\"authentication.type", "\",\n\"authentication.type");
    let wrong = draft(&semicolon).configuration.terms().unwrap_err();
    assert_eq!(
        wrong.message,
        "oauth.callback.url: https;// has a semicolon where a colon has to be, \
         as in https://erp.example/hook"
    );
}

/// The terms of a configuration with these keys.
fn terms(pairs: &[(&str, &str)]) -> Result<Terms, String> {
    let mut configuration = Configuration::default();
    for (key, value) in pairs {
        configuration.set(*key, *value);
    }
    configuration.terms().map_err(|wrong| {
        assert_eq!(wrong.status, 400);
        wrong.message
    })
}

#[test]
fn what_an_instance_is_told_of_follows_from_its_keys() {
    let told = |pairs: &[(&str, &str)]| {
        let enabled = ("event.notification.enabled", "TRUE");
        let interest = terms(&[&[enabled], pairs].concat())
            .unwrap()
            .events
            .unwrap();
        assert!(!interest.calls_back);
        let kinds = interest
            .polling
            .map(|polling| Vec::from_iter(polling.kinds).join(" "));
        (interest.webhook, kinds.unwrap_or_default())
    };
    let vendor = "event.vendor.type";
    let urls = ("event.poller.urls", "bills|invoices");
    let configured = (
        "event.poller.configuration",
        r#"{"bills":{"url":"/hubs/finance/bills"}}"#,
    );
    let objects = ("event.objects", "customers, vendors");
    for (pairs, webhook, kinds) in [
        (&[][..], true, ""),
        (&[urls], false, "Bill Invoice"),
        (&[configured], false, "Bill"),
        (&[objects], true, ""),
        (&[(vendor, "webhook"), urls], true, ""),
        (&[(vendor, "Webhooks")], true, ""),
        (
            &[(vendor, "POLLING"), urls, configured, objects],
            false,
            "Bill Invoice",
        ),
        (&[(vendor, "polling"), configured, objects], false, "Bill"),
        (&[(vendor, "polling"), objects], false, "Customer Vendor"),
        (&[(vendor, "webhook,polling"), urls], true, "Bill Invoice"),
        (
            &[(vendor, "polling | webhooks"), urls],
            true,
            "Bill Invoice",
        ),
        (&[(vendor, " "), urls], false, "Bill Invoice"),
    ] {
        assert_eq!(told(pairs), (webhook, kinds.to_owned()), "{pairs:?}");
    }
    for off in ["false", "False", ""] {
        let off = terms(&[("event.notification.enabled", off), (vendor, "polling")]);
        assert_eq!(off.unwrap().events, None);
    }
    let none = terms(&[("event.notification.enabled", "true"), (vendor, "polling")]);
    assert!(
        none.unwrap_err()
            .starts_with("event.poller.urls: names no resource")
    );
}

#[test]
fn every_other_key_is_read() {
    let read = terms(&[
        ("authentication.type", "OAuth2"),
        ("oauth.api.key", "k"),
        ("oauth.api.secret", "s"),
        ("oauth.callback.url", "https://mycoolapp.com"),
        ("scope", "com.intuit.quickbooks.accounting openid"),
        ("use_sandbox", "true"),
        ("oauth.user.token", "t"),
        ("oauth.user.refresh_token", "r"),
        ("oauth.user.refresh_interval", "3600"),
        ("quickbooks.realm.id", "9341455841580195"),
        ("event.notification.callback.url", "http://127.0.0.1:9/x?y"),
        ("event.notification.signature.key", " key with space "),
        ("event.notification.basic.username", "u"),
        ("event.notification.basic.password", "p:w"),
        ("event.notification.callback.headers", "X-A: 1\nX-B:2:3\n"),
        ("event.poller.refresh_interval", "1"),
        ("filter.response.nulls", "true"),
        (
            "event.notification.instance.finder",
            "github.organization|organization.login",
        ),
    ])
    .unwrap();
    let secret = |text: &str| crate::model::Secret::new(text);
    assert_eq!(read.oauth.key.as_deref(), Some("k"));
    assert_eq!(read.oauth.secret, Some(secret("s")));
    assert_eq!(
        read.oauth.callback_url.as_deref(),
        Some("https://mycoolapp.com")
    );
    assert_eq!(
        read.oauth.scope.as_deref(),
        Some("com.intuit.quickbooks.accounting openid")
    );
    assert!(read.oauth.sandbox);
    assert_eq!(read.oauth.user_token, Some(secret("t")));
    assert_eq!(read.oauth.refresh_token, Some(secret("r")));
    let callback = read.callback.as_ref().map(Url::as_str);
    assert_eq!(callback, Some("http://127.0.0.1:9/x?y"));
    assert_eq!(read.signature_key, Some(secret(" key with space ")));
    assert_eq!(read.basic, Some(("u".into(), secret("p:w"))));
    let headers = [("X-A".into(), secret("1")), ("X-B".into(), secret("2:3"))];
    assert_eq!(read.headers, headers);
    assert_eq!(read.warnings, [] as [&str; 0]);
    assert_eq!(company(None, &read).unwrap().as_str(), "9341455841580195");
    let json = r#"{"X-A":"1","x-b":"2"}"#;
    let json = terms(&[("event.notification.callback.headers", json)]).unwrap();
    assert_eq!(json.headers.len(), 2);
}

/// Checks that a value is refused by its key, in few words.
#[track_caller]
fn refused(key: &str, value: &str, why: &str) {
    let message = terms(&[(key, value)]).unwrap_err();
    let named = message.starts_with(&format!("{key}: {why}"));
    assert!(named && message.len() < 800, "{value}: {message}");
}

#[test]
fn a_value_that_makes_no_sense_is_refused_by_its_key() {
    let interval = "event.poller.refresh_interval";
    for absurd in [
        "0",
        "-1",
        "1e9",
        "abc",
        "15.5",
        "+5",
        "23142240",
        "99999999999999999999",
    ] {
        refused(
            interval,
            absurd,
            "expected a whole number from 1 to 10080, found",
        );
    }
    assert!(terms(&[(interval, " 10080 ")]).is_ok());
    for (key, value, why) in [
        (
            "event.poller.urls",
            "invoices|mice",
            "\"mice\" is no resource",
        ),
        (
            "event.poller.configuration",
            "{\"bills\":",
            "line 1 column ",
        ),
        (
            "event.poller.configuration",
            "{\"mice\":{}}",
            "\"mice\" is no resource",
        ),
        ("event.objects", "mice", "\"mice\" is no resource"),
        (
            "event.vendor.type",
            "pull",
            "expected polling, webhook, or both",
        ),
        (
            "event.notification.enabled",
            "yes",
            "expected true or false, found \"yes\"",
        ),
        ("use_sandbox", "1", "expected true or false, found \"1\""),
        ("authentication.type", "oauth1", "expected oauth2"),
        (
            "oauth.user.refresh_interval",
            "0",
            "expected a whole number from 1 to 86400",
        ),
        (
            "quickbooks.realm.id",
            &"9".repeat(65),
            "expected the number of a company",
        ),
        (
            "event.notification.signature.key",
            &"k".repeat(129),
            "longer than 128 characters",
        ),
        (
            "event.notification.basic.username",
            "a:b",
            "a user name for Basic",
        ),
    ] {
        refused(key, value, why);
    }
    let password = terms(&[("event.notification.basic.password", "p")]);
    let missing = "event.notification.basic.username: missing beside the password";
    assert_eq!(password.unwrap_err(), missing);
}

#[test]
fn a_callback_that_cannot_be_one_is_refused() {
    let address = format!("https://a.example/{}", "x".repeat(983));
    for key in ["event.notification.callback.url", "oauth.callback.url"] {
        for (value, why) in [
            ("https;//mycoolapp.com", "https;// has a semicolon"),
            ("<CALLBACK_URL>", "it must begin with https://"),
            ("mycoolapp.com", "it must begin with https://"),
            ("ftp://mycoolapp.com", "it must begin with https://"),
            ("https://", "it names no host"),
            ("https://a b", "it has a space"),
            ("https://a.example:99999/", "its port \"99999\" is not"),
            (
                "https://bücher.example",
                "its host \"bücher.example\" has letters outside ASCII",
            ),
            (
                "https://u:p@mycoolapp.com",
                "it carries a user name or password",
            ),
            (&address, "longer than 1000 characters"),
        ] {
            refused(key, value, why);
        }
        assert!(terms(&[(key, &address[..1000])]).is_ok());
    }
    let key = "event.notification.callback.headers";
    for (value, why) in [
        ("X-A", "expected lines of `name: value`"),
        ("{\"X-A\":1}", "expected a JSON object of names and texts"),
        ("X A: 1", "field 1 has no name"),
        ("X-A: \u{7f}", "X-A has a value"),
        (&"X-A: 1\n".repeat(33), "more than 32"),
    ] {
        refused(key, value, why);
    }
}

#[test]
fn what_does_nothing_is_warned_of() {
    let warnings = |key, value| terms(&[(key, value)]).unwrap().warnings;
    for (key, value) in [
        ("quickbooks.minorversion", "4"),
        ("quickbooks.datasource", "QBD"),
        ("filter.response.nulls", "false"),
        ("event.notification.subscription.id", "7"),
        ("event.metadata", "{}"),
        ("oauth.user.refresh_time", "1"),
    ] {
        assert_eq!(
            warnings(key, value),
            [format!("{key}: it does nothing here")]
        );
    }
    let typo = "event.poller.refresh_intervall: there is no such key; it does nothing";
    assert_eq!(warnings("event.poller.refresh_intervall", "5"), [typo]);
    assert!(warnings("anything", " ").is_empty());
}

#[test]
fn a_company_is_named_once_and_is_a_number() {
    let realm = |text| crate::model::RealmId::new(text).unwrap();
    let named = terms(&[("quickbooks.realm.id", "12")]).unwrap();
    let unnamed = terms(&[]).unwrap();
    assert_eq!(company(Some(&realm("12")), &named), Ok(realm("12")));
    assert_eq!(company(Some(&realm("13")), &unnamed), Ok(realm("13")));
    for (given, terms, why) in [
        (
            Some("13"),
            &named,
            "quickbooks.realm.id names another company",
        ),
        (None, &unnamed, "missing: it names the company"),
        (Some("1/2"), &unnamed, "expected the number of a company"),
    ] {
        let wrong = company(given.map(realm).as_ref(), terms).unwrap_err();
        assert_eq!(wrong.message, format!("providerData.realmId: {why}"));
    }
}

#[test]
fn an_amendment_says_only_what_changes() {
    let amend = |body| match ask("PATCH", "/instances/7", body) {
        Ok(Call::Amend(Whose::Id(id), amendment)) if Some(id) == InstanceId::new(7) => *amendment,
        other => panic!("{other:?}"),
    };
    assert_eq!(amend("{}"), Amendment::default());
    let found = amend(
        r#"{"id":7,"tags":["a","","a"," <b>b</b> "],"name":"<a href='#'>new</a>","element":{"id":39},
            "configuration":{"event.poller.refresh_interval":5},"externalAuthentication":"initial"}"#,
    );
    assert_eq!(found.name.as_deref(), Some("new"));
    assert_eq!(found.tags.unwrap(), ["a", "b"]);
    assert_eq!(
        found.configuration.get("event.poller.refresh_interval"),
        Some("5")
    );
    assert_eq!(
        found.external_authentication,
        Some(ExternalAuthentication::Initial)
    );
    assert_eq!(amend(r#"{"tags":[]}"#).tags, Some(vec![]));
}
