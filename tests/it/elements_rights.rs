//! Every call of the Open Connectors interface by every kind of caller, for the caller's own instance
//! and company and for those of others. The calls are those of the interface's own description: one
//! that is not expected here fails the test.

mod subscriptions;
mod world;

use crate::support::office::SECRET;
use serde_json::{Value, json};
use world::{Caller, FOREIGN, OWN, World};

/// Who may make a call, and for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Right {
    /// Everybody, without secrets.
    Public,
    /// Whoever is let in; it tells of no instance.
    Anyone,
    /// Whoever is let in; it tells of what the caller may see.
    Seen,
    /// Who shows the organization's secret.
    Organization,
    /// For the instance of the path: its own token, or the organization.
    Path,
    /// The same, but of a token's instance alone wherever one is shown.
    Narrowed,
    /// For the instance of the token, whoever shows it.
    Token,
}

/// What is expected of an operation; there is no other way to a row.
fn right(method: &str, path: &str) -> Right {
    let path = path.strip_prefix("/elements/{element}").unwrap_or(path);
    match (method, path) {
        ("get", "/openapi.json") => Right::Public,
        ("get" | "post", "/oauth/url") => Right::Anyone,
        ("get", "/accounts/settings" | "/accounts/{account}/settings") => Right::Anyone,
        ("post" | "patch", "/accounts/settings" | "/accounts/{account}/settings") => {
            Right::Organization
        }
        ("post", "/instances") => Right::Organization,
        (
            "get",
            "/instances"
            | "/instances/polling-disabled"
            | "/jobs/polling-disabled"
            | "/instances/events/analytics"
            | "/instances/events/analytics/accounts"
            | "/instances/events/analytics/instances"
            | "/instances/events/dispositions"
            | "/notifications/subscriptions"
            | "/notifications/subscriptions/deliveries",
        )
        | ("put", "/notifications/subscriptions/deliveries") => Right::Seen,
        ("get" | "delete", "/notifications/subscriptions/{id}") => Right::Narrowed,
        ("post", "/notifications/subscriptions") => Right::Token,
        (_, path) if path.starts_with("/instances/{id}") => Right::Path,
        (_, "/instances") => Right::Token,
        (
            _,
            "/instances/enabled"
            | "/instances/token"
            | "/instances/trace-logging"
            | "/instances/configuration"
            | "/instances/configuration/{item}"
            | "/instances/events"
            | "/instances/events/{event}",
        ) => Right::Token,
        _ => panic!("{method} {path}: nobody said who may make this call"),
    }
}

/// The operations that the interface describes, by method and path.
async fn operations(world: &World) -> Vec<(String, String, Option<String>)> {
    let description = world.ask(Caller::Nobody, "GET", "/openapi.json", "").await;
    let description = description.json();
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = schema["$ref"]
                .as_str()
                .and_then(|name| name.rsplit('/').next());
            found.push((method.clone(), path.clone(), schema.map(str::to_owned)));
        }
    }
    assert!(found.len() > 50, "{}", found.len());
    found
}

/// A body that is taken, and changes nothing of importance.
fn body(schema: Option<&str>, caller: Caller) -> String {
    match schema {
        None => String::new(),
        Some("Draft" | "DraftOfElement") => {
            let element = json!({ "key": "quickbooks" });
            let provider = json!({ "realmId": OWN });
            json!({ "element": element, "providerData": provider, "name": "more" }).to_string()
        }
        Some("Amendment") => json!({ "name": "changed" }).to_string(),
        Some("Setting") => json!({ "propertyValue": "changed" }).to_string(),
        Some("Settings") => json!({ "notification.webhook.failure.policy": "retry" }).to_string(),
        Some("SubscriptionDraft") => {
            json!({ "config": { "url": World::own_callback(caller) } }).to_string()
        }
        Some("OauthQuestion") => {
            json!({ "apiKey": "client", "callbackUrl": "https://a.example/" }).to_string()
        }
        Some(other) => panic!("{other}: no body is known for it"),
    }
}

/// The path with something for each of its segments.
fn filled(path: &str, id: u32, event: &str) -> String {
    let query = match path.ends_with("/oauth/url") {
        true => "?apiKey=client&callbackUrl=https://a.example/",
        false => "",
    };
    let path = path
        .replace("{id}", &id.to_string())
        .replace("{event}", event);
    // The item is the scope, which has no effect on an instance that is connected.
    let path = path
        .replace("{element}", "quickbooks")
        .replace("{item}", "5");
    path.replace("{account}", "1") + query
}

/// The status that is right, where the call is well-formed.
fn expected(right: Right, method: &str, path: &str, caller: Caller, is_own: bool) -> u16 {
    let bare = path.strip_prefix("/elements/{element}").unwrap_or(path);
    let below = bare.strip_prefix("/instances").unwrap_or("elsewhere");
    let below = below.strip_prefix("/{id}").unwrap_or(below);
    let goes_while_off = matches!(
        (method, below),
        ("get" | "delete", "") | ("put", "/enabled" | "/token")
    );
    match (right, caller) {
        (Right::Public, _) => 200,
        (_, caller) if !caller.is_let_in() => 401,
        (_, Caller::Disabled) if !goes_while_off => 403,
        (Right::Anyone | Right::Seen, _) => 200,
        (Right::Organization, caller) if caller.is_organization() => 200,
        (Right::Organization, _) => 401,
        (Right::Path, caller) if caller.is_organization() || is_own => 200,
        (Right::Narrowed, Caller::Organization) => 200,
        (Right::Narrowed, _) if is_own => 200,
        (Right::Path | Right::Narrowed, _) => 404,
        (Right::Token, Caller::Organization) => 401,
        (Right::Token, _) => 200,
    }
}

#[tokio::test]
async fn every_call_is_made_by_whom_it_may_be_and_tells_and_changes_nothing_of_others() {
    let world = World::open().await;
    for (method, path, schema) in operations(&world).await {
        let right = right(&method, &path);
        for caller in Caller::ALL {
            // Each gets instances of its own that the call may change or delete.
            let own = world.fresh(caller).await;
            // The organization may really delete the other one.
            let goes_on = method == "get" || !caller.is_organization();
            let targets = match path.contains("{id}") && caller != Caller::Foreign && goes_on {
                // The other one first: its own may be gone afterwards, or have another token.
                true => vec![world.foreign.id, own],
                false => vec![own],
            };
            for id in targets {
                let is_own = id == own && caller.has_token();
                let expected = expected(right, &method, &path, caller, is_own);
                let at = filled(&path, id, &world.foreign.event);
                let what = format!("{caller:?} {method} {at}");
                let before = world.kept();
                let verb = method.to_ascii_uppercase();
                let came = world
                    .ask(caller, &verb, &at, &body(schema.as_deref(), caller))
                    .await;
                match (expected, came.status) {
                    // After ten wrong ones in a row whoever guesses is told to wait.
                    (401, 401 | 429) => {}
                    // This event is not its own; what is there is told to the organization.
                    (200, 404) if path.ends_with("/{event}") && id == own => {}
                    (expected, status) => assert_eq!(status, expected, "{what}: {}", came.text),
                }
                if came.status >= 400 {
                    assert_eq!(world.kept(), before, "{what}");
                }
                if !caller.is_organization() {
                    world.assert_silent(caller, &what, &came);
                    let company = if caller == Caller::Foreign {
                        OWN
                    } else {
                        FOREIGN
                    };
                    assert!(!came.text.contains(company), "{what}: {}", came.text);
                }
            }
            world.dismiss(caller, own).await;
        }
    }
}

/// Bodies that name a company, or bring something for it, without the proof that it is theirs.
fn unproven(world: &World) -> Vec<(&'static str, Value)> {
    let (own, foreign) = (world.tokens(OWN), world.tokens(FOREIGN));
    let brought = |realm: &str, (access, refresh): (&str, &str)| {
        json!({
            "externalAuthentication": "initial",
            "providerData": { "realmId": realm },
            "configuration": {
                "oauth.api.key": "client",
                "oauth.api.secret": SECRET,
                "oauth.user.token": access,
                "oauth.user.refresh_token": refresh,
            },
        })
    };
    let coded = |realm: &str, code: &str| {
        json!({
            "providerData": { "realmId": realm, "code": code },
            "configuration": {
                "oauth.api.key": "client",
                "oauth.api.secret": SECRET,
                "oauth.callback.url": "https://mycoolapp.com",
            },
        })
    };
    vec![
        ("foreign, made-up tokens", brought(FOREIGN, ("a", "b"))),
        (
            "foreign, own tokens",
            brought(FOREIGN, (&own.access, &own.refresh)),
        ),
        ("foreign, own code", coded(FOREIGN, &world.code(OWN))),
        ("foreign, made-up code", coded(FOREIGN, "made-up")),
        ("own, made-up tokens", brought(OWN, ("c", "d"))),
        (
            "own, foreign tokens",
            brought(OWN, (&foreign.access, &foreign.refresh)),
        ),
        (
            "own, old refresh token",
            brought(OWN, (&own.access, "used-up")),
        ),
        ("own, foreign code", coded(OWN, &world.code(FOREIGN))),
        ("own, made-up code", coded(OWN, "made-up")),
        (
            "unknown, own tokens",
            brought("9341455841580999", (&own.access, &own.refresh)),
        ),
    ]
}

/// Bodies that name another company and bring nothing.
fn claims() -> Vec<Value> {
    let by_key = json!({ "quickbooks.realm.id": FOREIGN });
    vec![
        json!({ "providerData": { "realmId": FOREIGN } }),
        json!({ "providerData": { "realmId": FOREIGN.parse::<u64>().unwrap() } }),
        json!({ "configuration": by_key }),
        json!({ "providerData": { "realmId": FOREIGN }, "configuration": by_key }),
        json!({ "providerData": { "realmId": "9341455841580999" } }),
    ]
}

/// Everything that takes a body with a company in it.
const TAKING: [(&str, &str); 6] = [
    ("POST", "/instances"),
    ("POST", "/elements/quickbooks/instances"),
    ("PATCH", "/instances/{id}"),
    ("PUT", "/instances/{id}"),
    ("PATCH", "/elements/quickbooks/instances/{id}"),
    ("PUT", "/elements/quickbooks/instances/{id}"),
];

#[tokio::test]
async fn a_company_is_named_only_with_proof_and_good_tokens_are_never_replaced_by_untried_ones() {
    let world = World::open().await;
    // One for all: nothing of it changes.
    let id = world.fresh(Caller::Own).await;
    for caller in [Caller::Own, Caller::Organization, Caller::Both] {
        for (method, path) in TAKING {
            let at = path.replace("{id}", &id.to_string());
            for (what, mut body) in unproven(&world) {
                body["element"] = json!({ "key": "quickbooks" });
                let before = world.kept();
                let came = world.ask(caller, method, &at, &body.to_string()).await;
                let what = format!("{caller:?} {method} {at}, {what}: {}", came.text);
                assert!((400..500).contains(&came.status), "{what}");
                assert_eq!(world.kept(), before, "{what}");
                world.assert_silent(Caller::Own, &what, &came);
            }
        }
    }
}

#[tokio::test]
async fn an_instance_changes_its_company_by_the_organization_only() {
    let world = World::open().await;
    let id = world.fresh(Caller::Own).await;
    for method in ["PATCH", "PUT"] {
        for at in ["/instances".to_owned(), format!("/instances/{id}")] {
            for claim in claims() {
                let before = world.kept();
                let came = world
                    .ask(Caller::Own, method, &at, &claim.to_string())
                    .await;
                let what = format!("{method} {at} {claim}: {}", came.text);
                assert!([400, 403].contains(&came.status), "{what}");
                assert_eq!(world.kept(), before, "{what}");
                world.assert_silent(Caller::Own, &what, &came);
            }
        }
    }
    let item = json!({ "propertyValue": FOREIGN }).to_string();
    for at in [
        "/instances/configuration/10".to_owned(),
        format!("/instances/{id}/configuration/10"),
    ] {
        let before = world.kept();
        let came = world.ask(Caller::Own, "PATCH", &at, &item).await;
        assert!([400, 403].contains(&came.status), "{}", came.text);
        assert_eq!(world.kept(), before);
    }
    // The organization gives it a company that is connected.
    let at = format!("/instances/{id}");
    let moved = json!({ "providerData": { "realmId": FOREIGN } }).to_string();
    let came = world.ask(Caller::Organization, "PATCH", &at, &moved).await;
    assert_eq!(came.status, 200, "{}", came.text);
    let own = json!({ "providerData": { "realmId": FOREIGN }, "name": "n" }).to_string();
    let came = world.ask(Caller::Own, "PATCH", &at, &own).await;
    assert_eq!(
        came.status, 200,
        "its own company may be named: {}",
        came.text
    );
}

#[tokio::test]
async fn of_a_post_about_several_companies_an_instance_is_shown_its_own_part() {
    let world = World::open().await;
    for path in ["/instances/events", "/instances/1/events"] {
        let came = world.by_token(world.spare_token(), "GET", path).await;
        assert_eq!(came.status, 200);
        assert!(
            came.text.contains(OWN) && !came.text.contains(FOREIGN),
            "{}",
            came.text
        );
    }
    let every = world
        .ask(Caller::Organization, "GET", "/instances/2/events", "")
        .await;
    assert!(
        every.text.contains(FOREIGN) && !every.text.contains(OWN),
        "{}",
        every.text
    );
}

#[tokio::test]
async fn tokens_and_codes_of_its_own_company_are_taken_from_who_has_its_element_token() {
    let world = World::open().await;
    let id = world.fresh(Caller::Own).await;
    let at = format!("/instances/{id}");
    let mut keys = json!({
        "oauth.api.key": "client",
        "oauth.api.secret": SECRET,
        "oauth.callback.url": "https://mycoolapp.com",
    });
    let coded = json!({
        "providerData": { "realmId": OWN, "code": world.code(OWN) },
        "configuration": keys,
    });
    let tokens = world.tokens(OWN);
    keys["oauth.user.token"] = json!("long-since-ended");
    keys["oauth.user.refresh_token"] = json!(tokens.refresh);
    let brought = json!({ "externalAuthentication": "initial", "configuration": keys });
    for body in [coded, brought] {
        let before = world.kept();
        let came = world
            .ask(Caller::Own, "PATCH", &at, &body.to_string())
            .await;
        assert_eq!(came.status, 200, "{}", came.text);
        assert_eq!(came.json()["valid"], true);
        assert_ne!(world.kept(), before, "they are kept");
    }
}

#[tokio::test]
async fn a_token_is_renewed_by_its_holder_or_the_organization_and_told_once() {
    let world = World::open().await;
    for (caller, path) in [
        (Caller::Own, "/instances/token"),
        (Caller::Own, "/instances/{id}/token"),
        (Caller::Organization, "/instances/{id}/token"),
        (Caller::Disabled, "/instances/token"),
    ] {
        let id = world.fresh(caller).await;
        let before = world.token_of(id).await;
        let at = path.replace("{id}", &id.to_string());
        let came = world.ask(caller, "PUT", &at, "").await;
        assert_eq!(came.status, 200, "{}", came.text);
        let token = came.json()["token"].as_str().unwrap().to_owned();
        assert!(token.len() == 44 && token != before, "{token}");
        let old = world.by_token(&before, "GET", "/instances").await;
        assert_eq!(old.status, 401);
        let new = world.by_token(&token, "GET", "/instances").await;
        assert_eq!((new.status, &new.json()["id"]), (200, &json!(id)));
        assert_eq!(new.json()["token"], "********");
        let read = world
            .ask(Caller::Organization, "GET", &format!("/instances/{id}"), "")
            .await;
        assert_eq!(read.json()["token"], token);
    }
}

#[tokio::test]
async fn whoever_waits_for_intuit_keeps_nobody_waiting() {
    let world = World::open().await;
    let id = world.fresh(Caller::Own).await;
    world.slow_down(3_600_000);
    let body = json!({
        "element": { "key": "quickbooks" },
        "providerData": { "realmId": OWN, "code": world.code(OWN) },
        "configuration": {
            "oauth.api.key": "client",
            "oauth.api.secret": SECRET,
            "oauth.callback.url": "https://mycoolapp.com",
        },
    });
    let (body, at) = (body.to_string(), format!("/instances/{id}"));
    let hanging = async {
        let made = world.ask(Caller::Organization, "POST", "/instances", &body);
        let changed = world.ask(Caller::Organization, "PATCH", &at, &body);
        tokio::join!(made, changed)
    };
    let others = async {
        world.until_waiting(2).await;
        for (method, at, body) in [
            ("PATCH", at.clone(), r#"{"name":"meanwhile"}"#),
            ("DELETE", format!("{at}/enabled"), ""),
            ("PUT", format!("{at}/enabled"), ""),
            ("PUT", format!("{at}/trace-logging"), ""),
            ("PUT", format!("{at}/token"), ""),
            (
                "PATCH",
                "/accounts/settings".to_owned(),
                r#"{"notification.webhook.failure.policy":"retry"}"#,
            ),
            (
                "POST",
                "/instances".to_owned(),
                &*World::draft("meanwhile", OWN),
            ),
            ("DELETE", at.clone(), ""),
        ] {
            let came = world.ask(Caller::Organization, method, &at, body).await;
            assert_eq!(came.status, 200, "{method} {at}: {}", came.text);
        }
    };
    tokio::select! {
        _ = hanging => panic!("Intuit hangs, and yet somebody was answered"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_change_that_waited_for_intuit_keeps_what_others_changed_meanwhile() {
    let world = World::open().await;
    let id = world.fresh(Caller::Own).await;
    let at = format!("/instances/{id}");
    world.slow_down(2_000);
    let body = json!({
        "providerData": { "code": world.code(OWN) },
        "tags": ["slow"],
        "configuration": {
            "oauth.api.key": "client",
            "oauth.api.secret": SECRET,
            "oauth.callback.url": "https://mycoolapp.com",
        },
    });
    let body = body.to_string();
    let slow = world.ask(Caller::Own, "PATCH", &at, &body);
    let quick = async {
        world.until_waiting(1).await;
        let came = world
            .ask(Caller::Own, "PATCH", &at, r#"{"name":"quick"}"#)
            .await;
        assert_eq!(came.status, 200, "{}", came.text);
    };
    let (slow, ()) = tokio::join!(slow, quick);
    assert_eq!(slow.status, 200, "{}", slow.text);
    let (name, tags) = (&slow.json()["name"], &slow.json()["tags"]);
    assert_eq!((name, tags), (&json!("quick"), &json!(["slow"])));
}
