//! Subscriptions made and ended: the callback of an instance, by whoever may change it.

use super::world::{Caller, FOREIGN, OWN, World};
use serde_json::{Value, json};

const PATH: &str = "/notifications/subscriptions";

fn draft(url: &str) -> Value {
    json!({ "channel": "webhook", "config": { "url": url } })
}

fn about(id: u32, url: &str) -> Value {
    let topics = json!([format!("instance-{id}-quickbooks-events")]);
    json!({ "channel": "webhook", "topics": topics, "config": { "url": url }, "active": true })
}

async fn kept_key(world: &World, id: u32, key: &str) -> String {
    let at = format!("/instances/{id}");
    let read = world.ask(Caller::Organization, "GET", &at, "").await.json();
    read["configuration"][key]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_subscription_is_ended_and_made_by_the_token_or_the_organization() {
    let world = World::open().await;
    let (enabled, callback) = (
        "event.notification.enabled",
        "event.notification.callback.url",
    );
    for caller in [Caller::Own, Caller::Organization, Caller::Both] {
        let id = world.fresh(caller).await;
        let at = format!("{PATH}/{id}");
        let ended = world.ask(caller, "DELETE", &at, "").await;
        assert_eq!((ended.status, ended.json()), (200, json!({})), "{caller:?}");
        assert_eq!(kept_key(&world, id, enabled).await, "false");
        assert_eq!(kept_key(&world, id, callback).await, "");
        for method in ["GET", "DELETE"] {
            assert_eq!(world.ask(caller, method, &at, "").await.status, 404);
        }

        let hook = "http://127.0.0.1:9/another";
        let body = match caller {
            Caller::Own => draft(hook),
            _ => about(id, hook),
        };
        let made = world.ask(caller, "POST", PATH, &body.to_string()).await;
        assert_eq!(made.status, 200, "{caller:?}: {}", made.text);
        let mut expected = about(id, hook);
        expected["id"] = json!(id);
        assert_eq!(made.json(), expected);
        assert_eq!(world.ask(caller, "GET", &at, "").await.json(), expected);
        assert_eq!(kept_key(&world, id, enabled).await, "true");
        assert_eq!(kept_key(&world, id, callback).await, hook);

        let again = world.ask(caller, "POST", PATH, &body.to_string()).await;
        assert_eq!((again.status, again.json()), (200, expected));
        let before = world.kept();
        let other = about(id, "http://127.0.0.1:9/third").to_string();
        let other = world.ask(caller, "POST", PATH, &other).await;
        assert_eq!(other.status, 409, "{}", other.text);
        assert!(other.text.contains(hook), "{}", other.text);
        assert_eq!(world.kept(), before);
    }
}

#[tokio::test]
async fn the_subscriptions_of_others_stay_as_they_are() {
    let world = World::open().await;
    world.fresh(Caller::Own).await;
    let foreign = world.foreign.id;
    let before = world.kept();
    let body = about(foreign, &World::callback(OWN)).to_string();
    let made = world.ask(Caller::Own, "POST", PATH, &body).await;
    let ended = world
        .ask(Caller::Own, "DELETE", &format!("{PATH}/{foreign}"), "")
        .await;
    for came in [made, ended] {
        assert_eq!(came.status, 404, "{}", came.text);
        world.assert_silent(Caller::Own, "a foreign subscription", &came);
        assert!(!came.text.contains(FOREIGN), "{}", came.text);
    }
    let nobodys = draft(&World::callback(OWN)).to_string();
    let came = world
        .ask(Caller::Organization, "POST", PATH, &nobodys)
        .await;
    assert_eq!(came.status, 401, "no topics and no token: {}", came.text);
    assert_eq!(world.kept(), before);
}

#[tokio::test]
async fn what_cannot_be_a_subscription_is_refused_by_its_field() {
    let world = World::open().await;
    world.fresh(Caller::Own).await;
    let good = World::callback(OWN);
    let with = |field: &str, value: Value| {
        let mut body = draft(&good);
        body[field] = value;
        body
    };
    let inbound = "https://api.cloud-elements.com/elements/api-v2/events/quickbooks/";
    let ended = world.ask(Caller::Own, "GET", PATH, "").await.json();
    let at = format!("{PATH}/{}", ended[0]["id"]);
    assert_eq!(world.ask(Caller::Own, "DELETE", &at, "").await.status, 200);
    let before = world.kept();
    for (body, why) in [
        (json!({}), "config.url: missing"),
        (json!({ "config": { "url": " " } }), "config.url: missing"),
        (
            json!({ "config": "https://a.example/" }),
            "config: expected an object",
        ),
        (draft("erp.example/hook"), "config.url: "),
        (
            draft("https;//erp.example/hook"),
            "config.url: https;// has a semicolon",
        ),
        (draft(inbound), "config.url: it leads back"),
        (
            draft("http://169.254.169.254/"),
            "event.notification.callback.url: ",
        ),
        (
            with("channel", json!("email")),
            "channel: expected \"webhook\"",
        ),
        (with("active", json!(false)), "active: expected true"),
        (
            with("active", json!("true")),
            "active: expected true or false",
        ),
        (with("topics", json!([])), "topics: expected one"),
        (with("topics", json!(["a", "b"])), "topics: more than 1"),
        (
            with("topics", json!(["instance-7-sfdc-events"])),
            "topics: expected one",
        ),
        (
            with("topics", json!(["instance--7-quickbooks-events"])),
            "topics: expected one",
        ),
    ] {
        let came = world
            .ask(Caller::Own, "POST", PATH, &body.to_string())
            .await;
        assert_eq!(came.status, 400, "{body}: {}", came.text);
        let message = came.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(why), "{body}: {message}");
        assert_eq!(world.kept(), before, "{body}");
    }
}
