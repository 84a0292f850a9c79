//! Requests as nobody should send them: what is wrong is named, and there is an end to everything.

use super::tests::{CLOUD_WEBHOOKS, SAP_POLLING, ask};
use super::*;
use crate::model::{Instance, InstanceDraft, InstanceId, RealmId, Timestamp};
use crate::wire::mutated::mutated;
use proptest::prelude::*;

/// Bodies as Cloud Elements and SAP publish them, to be damaged.
const PUBLISHED: &[&[u8]] = &[SAP_POLLING.as_bytes(), CLOUD_WEBHOOKS.as_bytes()];

/// Every path, and the methods that there are.
pub(super) const PATHS: &[(&str, &str)] = &[
    ("/instances", "DELETE, GET, HEAD, PATCH, POST, PUT"),
    ("/instances/", "DELETE, GET, HEAD, PATCH, POST, PUT"),
    ("/instances/7", "DELETE, GET, HEAD, PATCH, PUT"),
    ("/instances/enabled", "DELETE, PUT"),
    ("/instances/7/enabled", "DELETE, PUT"),
    ("/instances/token", "PUT"),
    ("/instances/7/token", "PUT"),
    ("/instances/configuration", "GET, HEAD"),
    ("/instances/7/configuration", "GET, HEAD"),
    ("/instances/7/configuration/15", "GET, HEAD, PATCH"),
    ("/instances/configuration/15", "GET, HEAD, PATCH"),
    ("/instances/trace-logging", "DELETE, PUT"),
    ("/instances/7/trace-logging", "DELETE, PUT"),
    ("/instances/events", "GET, HEAD"),
    ("/instances/7/events", "GET, HEAD"),
    ("/instances/7/events/AXBooiL_qrZEur0mJV08", "GET, HEAD"),
    ("/instances/events/AXBooiL_qrZEur0mJV08", "GET, HEAD"),
    ("/instances/events/dispositions", "GET, HEAD"),
    ("/instances/7/events/dispositions", "GET, HEAD"),
    ("/instances/events/analytics", "GET, HEAD"),
    ("/instances/events/analytics/accounts", "GET, HEAD"),
    ("/instances/events/analytics/instances", "GET, HEAD"),
    ("/instances/polling-disabled", "GET, HEAD"),
    ("/jobs/polling-disabled", "GET, HEAD"),
    (
        "/elements/quickbooks/instances",
        "DELETE, GET, HEAD, PATCH, POST, PUT",
    ),
    ("/elements/39/instances/7", "DELETE, GET, HEAD, PATCH, PUT"),
    (
        "/elements/quickbooks/oauth/url?apiKey=k&callbackUrl=https://a.example",
        "GET, HEAD, POST",
    ),
    ("/notifications/subscriptions", "GET, HEAD, POST"),
    ("/notifications/subscriptions/7", "DELETE, GET, HEAD"),
    ("/notifications/subscriptions/deliveries", "GET, HEAD, PUT"),
    ("/accounts/settings", "GET, HEAD, PATCH, POST"),
    ("/accounts/1/settings", "GET, HEAD, PATCH, POST"),
    ("/openapi.json", "GET, HEAD"),
];

#[test]
fn every_path_has_its_calls_and_no_others() {
    let body = r#"{"element":{"key":"quickbooks"},"propertyValue":"1","notification.webhook.failure.policy":"queue",
                   "apiKey":"k","callbackUrl":"https://a.example/","config":{"url":"https://a.example/"}}"#;
    let all = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE",
    ];
    for (path, expected) in PATHS {
        let mut methods: Vec<&str> = Vec::new();
        for method in all {
            match ask(method, path, body) {
                Ok(_) => methods.push(method),
                Err(wrong) => {
                    let found = (wrong.status, wrong.allow);
                    assert_eq!(
                        found,
                        (405, Some(*expected)),
                        "{method} {path}: {}",
                        wrong.message
                    );
                }
            }
        }
        methods.sort_unstable();
        assert_eq!(methods.join(", "), *expected, "{path}");
    }
}

#[test]
fn nothing_is_anywhere_else() {
    for path in [
        "",
        "/",
        "/instance",
        "//instances",
        "/instances//",
        "/instances/0",
        "/instances/2147483648",
        "/instances/-1",
        "/instances/7x",
        "/instances/7/nothing",
        "/instances/7/events/a/b",
        "/instances/7/configuration/x",
        "/instances/7/configuration/4294967296",
        "/instances/events/analytics/users",
        "/elements/sfdc/instances",
        "/elements/sfdc/oauth/url",
        "/elements/quickbooks",
        "/elements/quickbooks/oauth/token",
        "/notifications",
        "/notifications/subscriptions/x",
        "/accounts",
        "/accounts/x/settings",
        "/hubs",
        "/openapi.yaml",
        &"/a".repeat(100_000),
    ] {
        let wrong = ask("GET", path, "").unwrap_err();
        assert_eq!((wrong.status, wrong.allow), (404, None), "{path:.60}");
        assert!(wrong.message.len() < 200);
    }
}

#[test]
fn a_body_that_cannot_be_an_instance_is_refused_by_its_field() {
    let element = r#""element":{"key":"quickbooks"}"#;
    let long = "x".repeat(256);
    for (field, why) in [
        (r#""name":5"#, "name: expected a string, found a number"),
        (
            &format!(r#""name":"{long}""#),
            "name: longer than 255 characters",
        ),
        (
            r#""tags":"a""#,
            "tags: expected an array of strings, found a string",
        ),
        (
            r#""tags":[1]"#,
            "tags[0]: expected a string, found a number",
        ),
        (
            r#""tags":["a",{}]"#,
            "tags[1]: expected a string, found an object",
        ),
        (
            &format!(r#""tags":["{long}"]"#),
            "tags: longer than 255 characters",
        ),
        (
            &format!(r#""tags":[{}"a"]"#, r#""a","#.repeat(64)),
            "tags: more than 64 entries",
        ),
        (
            r#""providerData":[]"#,
            "providerData: expected an object, found an array",
        ),
        (
            r#""providerData":{"code":5}"#,
            "providerData.code: expected a string, found a number",
        ),
        (
            &format!(r#""providerData":{{"code":"{}"}}"#, "c".repeat(1025)),
            "providerData.code: longer than 1024 characters",
        ),
        (
            r#""providerData":{"realmId":true}"#,
            "providerData.realmId: expected a string, found a truth value",
        ),
        (
            r#""providerData":{"realmId":"a\u0000"}"#,
            "providerData.realmId: expected the number of a company",
        ),
        (
            r#""configuration":"x""#,
            "configuration: expected an object, found a string",
        ),
        (
            r#""configuration":{"a":"\ud800"}"#,
            "a: a string with half of a surrogate pair",
        ),
        (
            r#""externalAuthentication":"final""#,
            "externalAuthentication: expected \"none\" or \"initial\"",
        ),
    ] {
        let wrong = ask("POST", "/instances", &format!("{{{element},{field}}}")).unwrap_err();
        assert_eq!((wrong.status, &*wrong.message), (400, why));
    }
}

#[test]
fn a_body_names_the_one_element_there_is() {
    for (body, status) in [
        ("{}", 400),
        (r#"{"element":{}}"#, 400),
        (r#"{"element":{"key":"sfdc"}}"#, 404),
        (r#"{"element":{"id":40}}"#, 404),
        (r#"{"element":{"key":"quickbooks","id":40}}"#, 404),
    ] {
        let wrong = ask("POST", "/instances", body).unwrap_err();
        assert_eq!(wrong.status, status);
        assert!(wrong.message.contains("quickbooks"), "{}", wrong.message);
    }
    for (path, body) in [
        ("/instances", r#"{"element":{"key":"QuickBooks"}}"#),
        (
            "/instances",
            r#"{"element":{"id":39},"name":null,"tags":null,"providerData":null}"#,
        ),
        ("/elements/quickbooks/instances", "{}"),
    ] {
        ask("POST", path, body).unwrap();
    }
    let wrong = ask("PATCH", "/instances/7/configuration/15", "{}").unwrap_err();
    assert_eq!(wrong.message, "propertyValue: missing");
}

#[test]
fn depth_and_repetition_are_no_danger() {
    let deep = format!("{}{}", "[".repeat(1 << 18), "]".repeat(1 << 18));
    let body = format!(
        r#"{{"element":{{"key":"quickbooks"}},"x":{deep},"configuration":{{"a":{deep}}}}}"#
    );
    let Call::Create(draft) = ask("POST", "/instances", &body).unwrap() else {
        panic!("not a draft");
    };
    assert_eq!(draft.configuration.get("a").map(str::len), Some(2 << 18));
    assert!(draft.configuration.terms().is_ok());
    let mut poller = Configuration::default();
    for key in ["event.poller.urls", "event.poller.configuration"] {
        poller.set(key, &*deep);
        assert_eq!(poller.terms().unwrap_err().status, 400);
    }
    let twice = r#"{"name":"a","name":"b","element":{"key":"x"},"element":{"key":"quickbooks"}}"#;
    let Call::Create(draft) = ask("POST", "/instances", twice).unwrap() else {
        panic!("not a draft");
    };
    assert_eq!(draft.name, "b", "the last one counts");
    let tags = format!(r#"{{"name":"{}"}}"#, "<a".repeat(100_000));
    assert!(ask("PUT", "/instances", &tags).is_err());
}

/// Text made of the pieces that bodies are made of, in any order.
fn scrambled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"configuration\":{".to_owned()),
        Just("\"providerData\":{\"code\":\"c\"}".to_owned()),
        Just("\"element\":{\"key\":\"quickbooks\"}".to_owned()),
        Just("\"tags\":[\"a\"]".to_owned()),
        Just("\"event.poller.urls\":\"billsinvoices\"".to_owned()),
        "[ -~]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// What holds of every body whatever: it is refused with a reason, or what it says can be shown,
/// kept, and sent back as it was shown.
fn explain(body: &[u8]) -> Result<(), TestCaseError> {
    let read = call::parse(&Request {
        method: "POST",
        path: "/instances",
        query: None,
        content_type: None,
        body,
    });
    let draft = match read {
        Ok(Call::Create(draft)) => *draft,
        Ok(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        Err(wrong) => {
            prop_assert!([400, 404].contains(&wrong.status));
            prop_assert!(!wrong.message.is_empty() && wrong.message.len() < 800);
            return Ok(());
        }
    };
    if let Err(wrong) = draft.configuration.terms() {
        prop_assert!(wrong.message.contains(": ") && wrong.message.len() < 2000);
    }
    let kept = Kept {
        token: crate::model::Secret::new("token"),
        configuration: draft.configuration.clone(),
        external_authentication: draft.external_authentication,
        trace_logging: false,
        keys_tried: true,
    };
    let plain = kept::encode(&kept);
    prop_assert_eq!(kept::decode(plain.expose()), Some(kept));
    let instance = Instance {
        id: InstanceId::new(7).unwrap(),
        created_at: Timestamp::from_ms(0),
        updated_at: Timestamp::from_ms(0),
        disabled_at: None,
        polling_stopped: None,
        draft: InstanceDraft {
            realm: RealmId::new("1").unwrap(),
            name: draft.name.clone(),
            tags: draft.tags.clone(),
            token_digest: [0; 32],
            sealed: vec![],
            events: None,
        },
    };
    let shown = show::instance(&show::Shown {
        instance: &instance,
        token: "token",
        configuration: &draft.configuration,
        external_authentication: draft.external_authentication,
        trace_logging: false,
        valid: true,
        user_id: 1,
        user: "",
        warnings: Vec::new(),
    });
    let again = ask("PUT", "/instances/7", std::str::from_utf8(&shown).unwrap());
    let Ok(Call::Replace(_, again)) = again else {
        return Err(TestCaseError::fail(format!("{again:?}")));
    };
    prop_assert_eq!((&again.name, &again.tags), (&draft.name, &draft.tags));
    let back = again.configuration.in_place_of(&draft.configuration);
    prop_assert_eq!(back, Ok(draft.configuration));
    Ok(())
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        explain(&body)?;
    }

    #[test]
    fn scrambled_bodies_are_explained(body in scrambled()) {
        let element = "\"element\":{\"key\":\"quickbooks\"}";
        explain(body.as_bytes())?;
        explain(format!("{{{element},{body}}}").as_bytes())?;
        explain(format!("{{{element},\"configuration\":{{{body}}}}}").as_bytes())?;
    }

    #[test]
    fn mutated_bodies_are_explained(body in mutated(PUBLISHED)) {
        explain(&body)?;
    }

    #[test]
    fn every_configuration_is_explained(
        key in proptest::sample::select(keys::KEYS.map(|known| known.key).to_vec()),
        value in "[ -~é\n]{0,40}",
        enabled in any::<bool>(),
    ) {
        let mut configuration = Configuration::default();
        configuration.set("event.notification.enabled", enabled.to_string());
        configuration.set(key, value);
        if let Err(wrong) = configuration.terms() {
            // A password alone lacks its user name.
            let named = key.replace("basic.password", "basic.username");
            prop_assert!(wrong.message.starts_with(&named), "{}: {}", key, wrong.message);
        }
    }

    #[test]
    fn no_request_panics(
        method in proptest::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE"]),
        path in "(/(instances|elements|quickbooks|events|7|configuration|notifications|subscriptions|deliveries|[ -~]{0,4})){0,5}",
        query in "([a-zA-Z\\[\\]]{0,9}=[ -~]{0,9}&?){0,3}",
        body in scrambled(),
    ) {
        let read = call::parse(&Request {
            method, path: &path, query: Some(&query), content_type: None, body: body.as_bytes(),
        });
        if let Err(wrong) = read {
            prop_assert!([400, 404, 405].contains(&wrong.status));
            prop_assert_eq!(wrong.allow.is_some(), wrong.status == 405);
        }
    }
}
