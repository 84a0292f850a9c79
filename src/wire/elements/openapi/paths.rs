//! What can be asked, and with which status it is answered.

use super::bodies::ADDRESS;
use super::{array_of, named};
use serde_json::{Map, Value, json};

/// A path, what its segments stand for, and the operations there by their methods.
type Path = (&'static str, Vec<Value>, Vec<(&'static str, Value)>);

pub(super) fn paths() -> Value {
    let groups = [
        instances(),
        of_instances(),
        events(),
        elements(),
        notifications(),
        settings(),
    ];
    let mut paths: Map<_, _> = groups.into_iter().flatten().map(described).collect();
    paths.insert("/openapi.json".into(), description());
    Value::Object(paths)
}

fn described((path, segments, operations): Path) -> (String, Value) {
    let mut item = Map::new();
    if !segments.is_empty() {
        item.insert("parameters".into(), segments.into());
    }
    let operations = operations.into_iter();
    item.extend(operations.map(|(method, operation)| (method.to_owned(), operation)));
    (path.to_owned(), Value::Object(item))
}

/// By number, and by the token of the authorization.
fn instances() -> Vec<Path> {
    vec![
        ("/instances", vec![], by_token("Draft")),
        ("/instances/{id}", vec![id()], by_number()),
    ]
}

fn by_token(draft: &str) -> Vec<(&'static str, Value)> {
    vec![
        (
            "get",
            get(
                "Instances that are looked for, by number; with an element token alone, the one of the token",
                vec![
                    query(
                        "searchText",
                        json!({ "type": "string" }),
                        "Text in the name or a tag",
                    ),
                    query(
                        "tags[]",
                        json!({ "type": "array", "maxItems": 64, "items": { "type": "string" } }),
                        "Tags that an instance has, all of them",
                    ),
                    page_size(),
                    next_page(),
                    query(
                        "hydrate",
                        json!({ "type": "boolean" }),
                        "With configuration and all of the element; the default",
                    ),
                ],
                &array_of("Instance"),
            ),
        ),
        (
            "post",
            send(
                "Makes an instance: exchanges the code and switches its events on",
                draft,
                &named("Instance"),
            ),
        ),
        (
            "put",
            send(
                "Replaces the instance of the token",
                "Amendment",
                &named("Instance"),
            ),
        ),
        (
            "patch",
            send(
                "Changes the instance of the token",
                "Amendment",
                &named("Instance"),
            ),
        ),
        (
            "delete",
            ask("Ends the instance of the token", vec![], &named("Nothing")),
        ),
    ]
}

fn by_number() -> Vec<(&'static str, Value)> {
    vec![
        ("get", ask("An instance", vec![], &named("Instance"))),
        (
            "put",
            send(
                "Replaces an instance; a code authorizes it anew",
                "Amendment",
                &named("Instance"),
            ),
        ),
        (
            "patch",
            send(
                "Changes an instance; a code authorizes it anew",
                "Amendment",
                &named("Instance"),
            ),
        ),
        (
            "delete",
            ask(
                "Ends an instance; its token is nobody's then",
                vec![],
                &named("Nothing"),
            ),
        ),
    ]
}

/// What is below an instance, by token and by number.
fn of_instances() -> Vec<Path> {
    let mut paths = Vec::new();
    for (prefix, segments) in [("/instances", vec![]), ("/instances/{id}", vec![id()])] {
        let below: [(&str, &str, Vec<Value>, Vec<(&'static str, Value)>); 6] = [
            (
                "/instances/enabled",
                "/instances/{id}/enabled",
                vec![],
                vec![
                    (
                        "put",
                        ask("Switches an instance on", vec![], &named("Instance")),
                    ),
                    (
                        "delete",
                        ask("Switches an instance off", vec![], &named("Instance")),
                    ),
                ],
            ),
            (
                "/instances/trace-logging",
                "/instances/{id}/trace-logging",
                vec![],
                vec![
                    (
                        "put",
                        ask("Traces an instance in the log", vec![], &named("Instance")),
                    ),
                    ("delete", ask("Ends the trace", vec![], &named("Instance"))),
                ],
            ),
            (
                "/instances/configuration",
                "/instances/{id}/configuration",
                vec![],
                vec![(
                    "get",
                    ask(
                        "All items of a configuration",
                        vec![],
                        &array_of("ConfigurationItem"),
                    ),
                )],
            ),
            (
                "/instances/configuration/{item}",
                "/instances/{id}/configuration/{item}",
                vec![item()],
                vec![
                    (
                        "get",
                        ask(
                            "An item of a configuration",
                            vec![],
                            &named("ConfigurationItem"),
                        ),
                    ),
                    (
                        "patch",
                        send("Sets an item", "Setting", &named("ConfigurationItem")),
                    ),
                ],
            ),
            (
                "/instances/events",
                "/instances/{id}/events",
                vec![],
                vec![(
                    "get",
                    get(
                        "Events of an instance, newest first",
                        page(),
                        &array_of("Event"),
                    ),
                )],
            ),
            (
                "/instances/events/{event}",
                "/instances/{id}/events/{event}",
                vec![event()],
                vec![("get", ask("An event", vec![], &named("Event")))],
            ),
        ];
        for (by_token, by_number, more, operations) in below {
            let path = if prefix == "/instances" {
                by_token
            } else {
                by_number
            };
            let segments = segments.iter().cloned().chain(more).collect();
            paths.push((path, segments, operations));
        }
    }
    paths
}

fn events() -> Vec<Path> {
    let dispositions = || get("What became of events", page(), &array_of("Disposition"));
    let counted = |summary: &str, schema: &str| {
        let words = [
            "year", "quarter", "month", "week", "day", "hour", "minute", "second",
        ];
        let interval = query(
            "interval",
            json!({ "type": "string", "enum": words }),
            "Length of a span; at most 1500 of them",
        );
        get(
            summary,
            [span_of_time(), vec![interval]].concat(),
            &array_of(schema),
        )
    };
    vec![
        (
            "/instances/events/dispositions",
            vec![],
            vec![("get", dispositions())],
        ),
        (
            "/instances/{id}/events/dispositions",
            vec![id()],
            vec![("get", dispositions())],
        ),
        (
            "/instances/events/analytics",
            vec![],
            vec![("get", counted("Events of each span", "Span"))],
        ),
        (
            "/instances/events/analytics/accounts",
            vec![],
            vec![("get", counted("Events of each account", "SpanOfAccounts"))],
        ),
        (
            "/instances/events/analytics/instances",
            vec![],
            vec![("get", counted("Events of each instance", "SpanOfInstances"))],
        ),
        (
            "/instances/polling-disabled",
            vec![],
            vec![(
                "get",
                ask("Instances whose polls rest", vec![], &array_of("Instance")),
            )],
        ),
        (
            "/jobs/polling-disabled",
            vec![],
            vec![(
                "get",
                ask("Instances whose polls rest", vec![], &array_of("Instance")),
            )],
        ),
    ]
}

fn elements() -> Vec<Path> {
    let text = || json!({ "type": "string" });
    let address = json!({ "type": "string", "minLength": 1, "pattern": ADDRESS });
    let url = vec![
        required(query(
            "apiKey",
            json!({ "type": "string", "minLength": 1 }),
            "Client id of the app",
        )),
        query("apiSecret", text(), "Client secret of the app; not needed"),
        required(query("callbackUrl", address, "Redirect address of the app")),
        query("scope", text(), "What consent is asked for"),
        query("state", text(), "Comes back with the code"),
        query(
            "authentication.type",
            json!({ "type": "string", "enum": ["oauth2"] }),
            "Nothing else is there",
        ),
    ];
    vec![
        (
            "/elements/{element}/instances",
            vec![element()],
            by_token("DraftOfElement"),
        ),
        (
            "/elements/{element}/instances/{id}",
            vec![element(), id()],
            by_number(),
        ),
        (
            "/elements/{element}/oauth/url",
            vec![element()],
            vec![
                (
                    "get",
                    get(
                        "Where to send a person for consent",
                        url,
                        &named("OauthUrl"),
                    ),
                ),
                (
                    "post",
                    send(
                        "Where to send a person for consent",
                        "OauthQuestion",
                        &named("OauthUrl"),
                    ),
                ),
            ],
        ),
    ]
}

fn notifications() -> Vec<Path> {
    let condition = "(channel='webhook'|status='(created|delivered|notified|retry|queued)'|subscriptionId='[1-9][0-9]{0,7}')";
    let pattern = format!("^({condition}( and {condition}){{0,3}})?$");
    let filter = || {
        let which = query(
            "where",
            json!({ "type": "string", "pattern": pattern }),
            "Conditions on channel, status, config.url and subscriptionId, with `and` between them",
        );
        [vec![which], page()].concat()
    };
    vec![
        (
            "/notifications/subscriptions",
            vec![],
            vec![(
                "get",
                get("Callbacks of instances", page(), &array_of("Subscription")),
            )],
        ),
        (
            "/notifications/subscriptions/{id}",
            vec![id()],
            vec![(
                "get",
                ask(
                    "The callback of an instance",
                    vec![],
                    &named("Subscription"),
                ),
            )],
        ),
        (
            "/notifications/subscriptions/deliveries",
            vec![],
            vec![
                (
                    "get",
                    get(
                        "Events and how they stand with their callbacks",
                        filter(),
                        &array_of("Delivery"),
                    ),
                ),
                (
                    "put",
                    get(
                        "Switches paused subscriptions on again, and sends what waits",
                        filter(),
                        &array_of("Delivery"),
                    ),
                ),
            ],
        ),
    ]
}

fn settings() -> Vec<Path> {
    let operations = || {
        vec![
            ("get", ask("The settings", vec![], &named("Settings"))),
            ("post", send("Sets them", "Settings", &named("Settings"))),
            ("patch", send("Sets them", "Settings", &named("Settings"))),
        ]
    };
    vec![
        ("/accounts/settings", vec![], operations()),
        (
            "/accounts/{account}/settings",
            vec![segment(
                "account",
                json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 }),
            )],
            operations(),
        ),
    ]
}

fn description() -> Value {
    json!({
        "get": {
            "summary": "This description",
            "security": [],
            "responses": { "200": answer("The description", &json!({ "type": "object" })) },
        },
    })
}

/// An operation without a body.
fn ask(summary: &str, parameters: Vec<Value>, schema: &Value) -> Value {
    let mut answers = Map::new();
    answers.insert("200".into(), success(schema));
    let errors = [
        ("400", "What is wrong with the request"),
        (
            "401",
            "The secrets are missing or wrong, or the token is nobody's",
        ),
        (
            "403",
            "The instance is switched off, or may not be asked this way",
        ),
        ("404", "There is no such thing"),
        ("429", "Too many wrong secrets, or too many requests"),
        ("503", "It cannot be kept or looked up at the moment"),
    ];
    for (status, why) in errors {
        answers.insert(status.into(), answer(why, &named("Error")));
    }
    for status in ["429", "503"] {
        let seconds = json!({ "description": "Seconds to wait", "schema": { "type": "integer" } });
        if let Some(Value::Object(answer)) = answers.get_mut(status) {
            answer.insert("headers".into(), json!({ "Retry-After": seconds }));
        }
    }
    let mut operation = json!({ "summary": summary, "responses": answers });
    if let (Some(operation), false) = (operation.as_object_mut(), parameters.is_empty()) {
        operation.insert("parameters".into(), parameters.into());
    }
    operation
}

/// An operation whose answer may have a page after it.
fn get(summary: &str, parameters: Vec<Value>, schema: &Value) -> Value {
    let mut operation = ask(summary, parameters, schema);
    let pointer = "/responses/200/headers";
    if let Some(Value::Object(headers)) = operation.pointer_mut(pointer) {
        let token = json!({ "description": "nextPage for what follows, where something does", "schema": { "type": "string" } });
        headers.insert("elements-next-page-token".into(), token);
    }
    operation
}

/// An operation with a body.
fn send(summary: &str, body: &str, schema: &Value) -> Value {
    let mut operation = ask(summary, vec![], schema);
    let content = json!({ "application/json": { "schema": named(body) } });
    if let Some(operation) = operation.as_object_mut() {
        operation.insert(
            "requestBody".into(),
            json!({ "required": true, "content": content }),
        );
        let errors = [
            ("409", "It stands against something that is there"),
            ("413", "The body is too large"),
            ("415", "The body is declared as other than JSON"),
        ];
        if let Some(Value::Object(answers)) = operation.get_mut("responses") {
            let errors = errors.into_iter();
            answers
                .extend(errors.map(|(status, why)| (status.into(), answer(why, &named("Error")))));
        }
    }
    operation
}

fn success(schema: &Value) -> Value {
    let instance = json!({ "description": "The instance that was meant, where it was one", "schema": { "type": "string" } });
    json!({
        "description": "Done",
        "headers": { "elements-element-instance-id": instance },
        "content": { "application/json": { "schema": schema } },
    })
}

fn answer(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn id() -> Value {
    segment(
        "id",
        json!({ "type": "integer", "minimum": 1, "maximum": 0x7fff_ffff }),
    )
}

fn item() -> Value {
    segment(
        "item",
        json!({ "type": "integer", "minimum": 0, "maximum": 0x7fff_ffff }),
    )
}

fn event() -> Value {
    segment(
        "event",
        json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{20}$" }),
    )
}

fn element() -> Value {
    segment(
        "element",
        json!({ "type": "string", "enum": ["quickbooks", "39"] }),
    )
}

fn segment(name: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn query(name: &str, schema: Value, description: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": schema, "description": description })
}

fn required(mut parameter: Value) -> Value {
    if let Some(parameter) = parameter.as_object_mut() {
        parameter.insert("required".into(), json!(true));
    }
    parameter
}

fn page_size() -> Value {
    query(
        "pageSize",
        json!({ "type": "integer", "minimum": 1, "maximum": 2000, "default": 200 }),
        "Entries of a page",
    )
}

fn next_page() -> Value {
    query(
        "nextPage",
        json!({ "type": "string", "pattern": "^[0-9]{1,9}$" }),
        "What the page before had in elements-next-page-token",
    )
}

fn span_of_time() -> Vec<Value> {
    let time = || json!({ "type": "string", "format": "date-time" });
    vec![
        query("from", time(), "First instant"),
        query("to", time(), "Instant after the last"),
    ]
}

fn page() -> Vec<Value> {
    [vec![page_size(), next_page()], span_of_time()].concat()
}
