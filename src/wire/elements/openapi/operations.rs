//! What can be asked, and with which status it is answered.

use super::{array_of, named, parameters};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One operation.
#[derive(Clone, Copy)]
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static [&'static str],
    body: Option<&'static str>,
    answer: Answer,
}

/// What an operation is answered with.
#[derive(Clone, Copy)]
enum Answer {
    One(&'static str),
    List(&'static str),
    /// An array of those, or one alone.
    ListOrOne(&'static str),
}

use Answer::{List, ListOrOne, One};

const PAGE: &[&str] = &["pageSize", "nextPage", "from", "to"];
const SEARCH: &[&str] = &["searchText", "tags", "pageSize", "nextPage", "hydrate"];
const FILTER: &[&str] = &["where", "pageSize", "nextPage", "from", "to"];
const ANALYSIS: &[&str] = &["from", "to", "interval"];
const CONSENT: &[&str] = &[
    "apiKey",
    "apiSecret",
    "callbackUrl",
    "scope",
    "state",
    "authentication.type",
];

/// Operations on an instance, at `/instances` for the one of the token and at `/instances/{id}`.
const CHANGES: [Operation; 3] = [
    delete("", "Ends an instance; its token is nobody's then").answers(One("Nothing")),
    patch("", "Changes an instance; a code authorizes it anew").takes("Amendment"),
    put("", "Replaces an instance; a code authorizes it anew").takes("Amendment"),
];

/// What is below an instance, at both.
const OF_INSTANCE: [Operation; 11] = [
    delete("/enabled", "Switches an instance off"),
    put("/enabled", "Switches an instance on"),
    put(
        "/token",
        "Gives an instance another token, told this once; the one before is nobody's then",
    ),
    delete("/trace-logging", "Ends the trace of an instance"),
    put("/trace-logging", "Traces an instance in the log"),
    get("/configuration", "All items of a configuration").answers(List("ConfigurationItem")),
    get("/configuration/{item}", "An item of a configuration").answers(One("ConfigurationItem")),
    patch("/configuration/{item}", "Sets an item of a configuration")
        .takes("Setting")
        .answers(One("ConfigurationItem")),
    get("/events", "Events, newest first")
        .by(PAGE)
        .answers(List("Event")),
    get("/events/{event}", "An event").answers(One("Event")),
    get("/events/dispositions", "What became of events")
        .by(PAGE)
        .answers(List("Disposition")),
];

/// Where instances are made and found.
const INSTANCES: [Operation; 2] = [
    get(
        "",
        "Instances by number; with an element token alone, the one of the token",
    )
    .by(SEARCH)
    .answers(ListOrOne("Instance")),
    post("", "Makes an instance: exchanges the code, and begins").takes("Draft"),
];

const ONE: Operation = get("/{id}", "An instance");

/// Everything else.
const OTHERS: [Operation; 19] = [
    get("/instances/events/analytics", "Events of each span")
        .by(ANALYSIS)
        .answers(List("Span")),
    get(
        "/instances/events/analytics/accounts",
        "Events of each account",
    )
    .by(ANALYSIS)
    .answers(List("SpanOfAccounts")),
    get(
        "/instances/events/analytics/instances",
        "Events of each instance",
    )
    .by(ANALYSIS)
    .answers(List("SpanOfInstances")),
    get("/instances/polling-disabled", "Instances whose polls rest").answers(List("Instance")),
    get("/jobs/polling-disabled", "Instances whose polls rest").answers(List("Instance")),
    get("/elements/{element}/oauth/url", "The address for consent")
        .by(CONSENT)
        .answers(One("OauthUrl")),
    post("/elements/{element}/oauth/url", "The address for consent")
        .takes("OauthQuestion")
        .answers(One("OauthUrl")),
    get("/notifications/subscriptions", "Callbacks of instances")
        .by(PAGE)
        .answers(List("Subscription")),
    post(
        "/notifications/subscriptions",
        "Makes a callback of an instance, and switches its events on",
    )
    .takes("SubscriptionDraft")
    .answers(One("Subscription")),
    get("/notifications/subscriptions/{id}", "A callback").answers(One("Subscription")),
    delete(
        "/notifications/subscriptions/{id}",
        "Ends a callback, and switches the events of its instance off",
    )
    .answers(One("Nothing")),
    get(DELIVERIES, "How events stand with their callbacks")
        .by(FILTER)
        .answers(List("Delivery")),
    put(
        DELIVERIES,
        "Switches paused callbacks on, and sends what waits",
    )
    .by(FILTER)
    .answers(List("Delivery")),
    get("/accounts/settings", "The settings").answers(One("Settings")),
    post("/accounts/settings", "Sets them")
        .takes("Settings")
        .answers(One("Settings")),
    patch("/accounts/settings", "Sets them")
        .takes("Settings")
        .answers(One("Settings")),
    get("/accounts/{account}/settings", "The settings").answers(One("Settings")),
    post("/accounts/{account}/settings", "Sets them")
        .takes("Settings")
        .answers(One("Settings")),
    patch("/accounts/{account}/settings", "Sets them")
        .takes("Settings")
        .answers(One("Settings")),
];

const DELIVERIES: &str = "/notifications/subscriptions/deliveries";

const fn get(path: &'static str, summary: &'static str) -> Operation {
    operation("get", path, summary)
}

const fn put(path: &'static str, summary: &'static str) -> Operation {
    operation("put", path, summary)
}

const fn post(path: &'static str, summary: &'static str) -> Operation {
    operation("post", path, summary)
}

const fn patch(path: &'static str, summary: &'static str) -> Operation {
    operation("patch", path, summary)
}

const fn delete(path: &'static str, summary: &'static str) -> Operation {
    operation("delete", path, summary)
}

const fn operation(method: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        path,
        summary,
        query: &[],
        body: None,
        answer: One("Instance"),
    }
}

impl Operation {
    const fn by(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    const fn takes(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    const fn answers(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    fn describe(&self) -> Value {
        let mut operation = Map::new();
        operation.insert("summary".into(), json!(self.summary));
        if !self.query.is_empty() {
            operation.insert("parameters".into(), parameters::references(self.query));
        }
        if let Some(body) = self.body {
            let content = json!({ "application/json": { "schema": named(body) } });
            let body = json!({ "required": true, "content": content });
            operation.insert("requestBody".into(), body);
        }
        operation.insert("responses".into(), self.responses());
        Value::Object(operation)
    }

    fn responses(&self) -> Value {
        let schema = match self.answer {
            One(schema) => named(schema),
            List(schema) => array_of(schema),
            ListOrOne(schema) => json!({ "oneOf": [array_of(schema), named(schema)] }),
        };
        let mut headers = vec!["elements-element-instance-id"];
        if self.query.contains(&"nextPage") {
            headers.push("elements-next-page-token");
        }
        let header = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
        let headers: BTreeMap<_, _> = headers.iter().map(|name| (name, header(name))).collect();
        let done = json!({
            "description": "Done",
            "headers": headers,
            "content": { "application/json": { "schema": schema } },
        });
        let mut responses = Map::from_iter([("200".to_owned(), done)]);
        let of_body = self.body.map_or(&[][..], |_| &OF_BODY);
        for (status, _) in OF_ALL.iter().chain(of_body) {
            let response = json!({ "$ref": format!("#/components/responses/{status}") });
            responses.insert((*status).into(), response);
        }
        Value::Object(responses)
    }
}

/// Refusals of every operation, and those of operations with a body.
const OF_ALL: [(&str, &str); 8] = [
    ("400", "What is wrong with the request"),
    (
        "401",
        "Secrets are missing or wrong, or a token is nobody's",
    ),
    (
        "403",
        "The instance is switched off, or may not be asked so",
    ),
    ("404", "There is no such thing"),
    ("429", "Too many wrong secrets, or too many requests"),
    (
        "431",
        "The head of the request is too large; there is no body",
    ),
    ("500", "A fault of the gateway"),
    ("503", "It cannot be kept or looked up at the moment"),
];
const OF_BODY: [(&str, &str); 4] = [
    ("408", "The body took too long"),
    ("409", "It stands against something that is there"),
    ("413", "The body is too large"),
    ("415", "The body is declared as other than JSON"),
];

/// Each refusal, by its status.
pub(super) fn refusals() -> Value {
    let wait = json!({ "Retry-After": { "$ref": "#/components/headers/Retry-After" } });
    let refusals = OF_ALL.iter().chain(&OF_BODY).map(|(status, why)| {
        let mut refusal = json!({
            "description": why,
            "content": { "application/json": { "schema": named("Error") } },
        });
        match (refusal.as_object_mut(), *status) {
            (Some(refusal), "429" | "503") => {
                refusal.insert("headers".into(), wait.clone());
            }
            // It is refused before anything of it is understood.
            (Some(refusal), "431") => {
                refusal.remove("content");
            }
            _ => {}
        }
        ((*status).to_owned(), refusal)
    });
    Value::Object(refusals.collect())
}

/// Each header of an answer.
pub(super) fn headers() -> Value {
    let header = |description: &str, kind: &str| json!({ "description": description, "schema": { "type": kind } });
    json!({
        "Retry-After": header("Seconds to wait", "integer"),
        "elements-element-instance-id": header("The instance that was meant", "string"),
        "elements-next-page-token": header("nextPage of what follows, where something does", "string"),
    })
}

/// Every path with its operations.
pub(super) fn paths() -> Value {
    let mut paths = Paths::default();
    let of_element = |operation: &Operation| match operation.body {
        Some("Draft") => operation.takes("DraftOfElement"),
        _ => *operation,
    };
    paths.add("/instances", &INSTANCES);
    paths.add("/instances", &[ONE]);
    paths.add(
        "/elements/{element}/instances",
        &INSTANCES.each_ref().map(of_element),
    );
    paths.add("/elements/{element}/instances", &[ONE]);
    for instance in ["/instances", "/instances/{id}"] {
        paths.add(instance, &CHANGES);
        paths.add(&format!("/elements/{{element}}{instance}"), &CHANGES);
        paths.add(instance, &OF_INSTANCE);
    }
    paths.add("", &OTHERS);
    paths.0.insert("/openapi.json".into(), itself());
    json!(paths.0)
}

#[derive(Default)]
struct Paths(BTreeMap<String, Value>);

impl Paths {
    fn add(&mut self, prefix: &str, operations: &[Operation]) {
        for operation in operations {
            let path = format!("{prefix}{}", operation.path);
            let segments: Vec<&str> = path
                .split('/')
                .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let segments = parameters::references(&segments);
            let item = self.0.entry(path);
            let item = item.or_insert_with(|| json!({ "parameters": segments }));
            if let Some(item) = item.as_object_mut() {
                item.insert(operation.method.into(), operation.describe());
            }
        }
    }
}

/// The one operation without authorization.
fn itself() -> Value {
    let content = json!({ "application/json": { "schema": { "type": "object" } } });
    json!({
        "get": {
            "summary": "This description",
            "security": [],
            "responses": { "200": { "description": "The description", "content": content } },
        },
    })
}
