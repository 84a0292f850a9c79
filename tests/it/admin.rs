//! The admin listener and the control socket.

use crate::support::client::{Answer, PATIENCE, read_answer, read_to_close};
use crate::support::gate::quick;
use crate::support::relay::Gateway;
use http::StatusCode;
use qbo_relay::clock;
use qbo_relay::model::{
    AppName, Company, Condition, Device, Health, InstanceCounts, JournalHealth, Limits, Refusals,
    Tally, Timestamp,
};
use qbo_relay::server::admin::{
    self, BrowserOrigin, Control, Observe, Order, OwnNames, Refused, Register, Report, Rooms,
};
use qbo_relay::server::elements::{Hall, Nobody};
use qbo_relay::vault::admin_secrets::AdminSecrets;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// A relay that says of itself what the test wants.
pub(crate) struct House(Mutex<Health>);

impl House {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Health {
            started: true,
            journal: JournalHealth::Working,
            companies: 2,
            waiting: 0,
            dead_letters: 0,
            dead_by_sink: Vec::new(),
            parked: Vec::new(),
            unreadable: 0,
            refused: Refusals::default(),
            journals_set_aside: 0,
            notices: Vec::new(),
            last_receipt_at: None,
            troubles: Vec::new(),
            certificate_left: Some(Duration::from_secs(86_400)),
            books: Vec::new(),
            instances: InstanceCounts::default(),
            misdirected: Vec::new(),
            device: Device::default(),
        })))
    }
}

impl Observe for House {
    async fn observe(&self) -> Report {
        Report {
            lamp: "1 short flash every 2 s".into(),
            at: Timestamp::from_ms(1_795_237_475_120),
            health: self.0.lock().unwrap().clone(),
            condition: Condition::Delivered,
            sentence: "serving - 2 companies".into(),
        }
    }
}

impl Register for House {
    async fn companies(&self) -> Result<Vec<Company>, String> {
        Ok(Vec::new())
    }

    fn apps(&self) -> Vec<AppName> {
        vec![AppName::new("books").unwrap()]
    }

    async fn begin(&self, app: &str, _from: &BrowserOrigin) -> Result<String, String> {
        match app {
            "books" => Ok("https://gw.example/oauth/callback?begin=x".into()),
            _ => Err(format!("no app {app}")),
        }
    }
}

impl Control for House {
    async fn obey(&self, order: Order) -> Result<Value, Refused> {
        match order {
            Order::Replay(request) => Ok(json!({ "asked": request })),
            Order::Enable(sink) if sink.as_str() == "erp" => Ok(json!({ "enabled": "erp" })),
            other => Err(Refused {
                status: StatusCode::NOT_FOUND,
                why: format!("no {other:?}"),
            }),
        }
    }
}

async fn open(house: &Arc<House>, limits: &Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = limits.clone();
    let rooms = Rooms {
        observer: Arc::clone(house),
        hall: Hall {
            elements: None::<Arc<Nobody>>,
            secrets: AdminSecrets::new("nowhere".into()),
            clock: Arc::new(clock::System),
            seed: [0; 5],
        },
        tally: Arc::new(Tally::default()),
        names: OwnNames::new(|| vec!["gateway.office.lan".into()]),
    };
    tokio::spawn(async move {
        admin::serve_tcp(listener, None, rooms, &limits, std::future::pending()).await;
    });
    address
}

async fn ask(address: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}

#[tokio::test]
async fn the_admin_listener_tells_how_the_relay_is() {
    let address = open(&House::new(), &Limits::default()).await;
    let pages = [
        ("/healthz", "text/plain; charset=utf-8", "ok\n"),
        ("/readyz", "text/plain; charset=utf-8", "ready\n"),
        (
            "/metrics",
            "text/plain; version=0.0.4; charset=utf-8",
            "\nqbo_relay_companies 2\n",
        ),
        (
            "/status",
            "application/json; charset=utf-8",
            "serving - 2 companies",
        ),
        ("/", "text/html; charset=utf-8", "serving - 2 companies"),
    ];
    for (path, content_type, content) in pages {
        let answer = ask(address, "GET", path, "localhost").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert!(answer.body.contains(content), "{path}: {}", answer.body);
    }
    let page = ask(address, "GET", "/", "localhost").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"));
    let status = ask(address, "GET", "/status", "localhost").await;
    let status: Value = serde_json::from_str(&status.body).unwrap();
    assert_eq!(status["condition"], "delivered");
}

#[tokio::test]
async fn a_relay_that_cannot_keep_is_alive_and_not_ready() {
    let house = House::new();
    let address = open(&house, &Limits::default()).await;
    let states = [
        (false, JournalHealth::Working, "starting"),
        (true, JournalHealth::Full, "full"),
        (true, JournalHealth::Broken, "broken"),
    ];
    for (started, journal, why) in states {
        {
            let mut health = house.0.lock().unwrap();
            (health.started, health.journal) = (started, journal);
        }
        let ready = ask(address, "GET", "/readyz", "localhost").await;
        assert_eq!(ready.status, 503);
        assert!(ready.body.contains(why), "{}", ready.body);
        assert_eq!(
            ask(address, "GET", "/healthz", "localhost").await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_foreign_host_a_foreign_method_and_a_foreign_path_get_nothing() {
    let address = open(&House::new(), &Limits::default()).await;
    for host in ["rebound.example", "rebound.example:8081"] {
        let answer = ask(address, "GET", "/status", host).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.body.contains("serving"));
    }
    let posted = ask(address, "POST", "/status", "127.0.0.1").await;
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, Some("GET, HEAD"))
    );
    for path in ["/replay", "/sinks/erp/enable", "/status/x", "/qbowebhook"] {
        assert_eq!(
            ask(address, "POST", path, "127.0.0.1").await.status,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_gateways_own_names_and_every_way_to_write_a_path_lead_to_its_pages() {
    let address = open(&House::new(), &Limits::default()).await;
    for host in ["gateway.office.lan:8081", "GATEWAY.Office.lan."] {
        assert_eq!(ask(address, "GET", "/status", host).await.status, 200);
    }
    for path in [
        "/status/",
        "//status",
        "/%73tatus",
        "//companies//",
        "/healthz/?a=b",
        "//",
    ] {
        let answer = ask(address, "GET", path, "localhost").await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let answer = ask(address, "GET", "/elements//api-v2/instances/", "localhost").await;
    assert!(answer.body.contains("enabled = false"), "{}", answer.body);
}

#[tokio::test]
async fn the_names_of_the_certificate_and_of_the_configuration_are_the_gateways_own() {
    let mut gateway = Gateway::new("");
    let made = rcgen::generate_simple_self_signed(["gw.office.example".to_owned()]).unwrap();
    gateway.write("fullchain.pem", &made.cert.pem());
    gateway.write("privkey.pem", &made.signing_key.serialize_pem());
    let file = std::fs::read_to_string(gateway.path("qbo-relay.toml")).unwrap();
    let names = "[admin]\nnames = [\"books.lan\"]\n";
    let file = file.replace("[admin]\n", names).replace(
        "self_signed = true",
        "certificate = \"fullchain.pem\"\nkey = \"privkey.pem\"",
    );
    gateway.write("qbo-relay.toml", &file);
    gateway.start();
    let admin = gateway.admin.unwrap();
    for (host, status) in [
        ("gw.office.example", 200),
        ("books.lan:8081", 200),
        ("localhost", 200),
        ("office.example", 421),
        ("x.books.lan", 421),
    ] {
        let answer = ask(admin, "GET", "/healthz", host).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
    }
    gateway.write(
        "qbo-relay.toml",
        &file.replace("books.lan", "https://books.lan"),
    );
    let output = gateway.command(&["check"]);
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("is not a host name"), "{told}");
}

#[tokio::test]
async fn the_pages_own_button_works_and_another_sites_does_not() {
    let address = open(&House::new(), &Limits::default()).await;
    let page = ask(address, "GET", "/companies", "localhost").await;
    // Otherwise Chromium says `Origin: null` with the form.
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    for (fields, status) in [
        ("", 200),
        ("Origin: http://localhost\r\n", 200),
        ("Origin: null\r\nSec-Fetch-Site: same-origin\r\n", 200),
        ("Origin: null\r\n", 403),
        ("Origin: http://evil.example\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        (
            "Sec-Fetch-Site: same-site\r\nOrigin: http://localhost\r\n",
            403,
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /companies/connect?app=books HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, status, "{fields:?} {}", answer.body);
    }
}

#[tokio::test]
async fn an_interface_that_is_switched_off_says_so() {
    let address = open(&House::new(), &Limits::default()).await;
    let answer = ask(address, "GET", "/elements/api-v2/instances", "localhost").await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("enabled = false"), "{}", answer.body);
    let beside = ask(address, "GET", "/elements/api-v22", "localhost").await;
    assert_eq!(beside.body, "not found\n");
}

#[tokio::test]
async fn a_silent_admin_connection_is_closed() {
    let address = open(&House::new(), &quick()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    read_to_close(&mut stream, PATIENCE).await;
}

async fn command(socket: &Path, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: qbo-relay\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}

#[tokio::test]
async fn commands_are_taken_on_the_control_socket() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let listener = admin::bind(&socket).unwrap();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    tokio::spawn(async move {
        let (house, tally) = (House::new(), Arc::default());
        let limits = Limits::default();
        admin::serve_control(listener, house, tally, &limits, std::future::pending()).await;
    });
    let replay = command(&socket, "POST", "/replay", r#"{"dead":true}"#).await;
    assert_eq!(replay.status, 200);
    let plan: Value = serde_json::from_str(&replay.body).unwrap();
    assert_eq!(plan, json!({ "asked": { "dead": true } }));
    assert_eq!(
        command(&socket, "POST", "/replay", "no json").await.status,
        400
    );
    assert_eq!(command(&socket, "GET", "/replay", "").await.status, 405);
    assert_eq!(
        command(&socket, "POST", "/sinks/erp/enable", "")
            .await
            .status,
        200
    );
    let unknown = command(&socket, "POST", "/sinks/crm/enable", "").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body.contains("crm"));
    assert_eq!(
        command(&socket, "POST", "/sinks/a%20b/enable", "")
            .await
            .status,
        404
    );
    assert_eq!(command(&socket, "GET", "/status", "").await.status, 200);
    assert_eq!(command(&socket, "GET", "/metrics", "").await.status, 404);
    let too_large = "x".repeat(100_000);
    assert_eq!(
        command(&socket, "POST", "/replay", &too_large).await.status,
        400
    );
}
