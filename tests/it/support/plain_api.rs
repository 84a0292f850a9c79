//! A server on 127.0.0.1 that answers each request with the bytes that the test gives it, whole or
//! not, and remembers what it was asked. It is no fake of Intuit: it knows nothing.

use super::receiver::PATIENCE;
use super::sinks::no_trust;
use qbo_relay::model::{AppName, Environment, Secret};
use qbo_relay::qbo::{App, Endpoints, Settings};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The access token that tests call with.
pub(crate) const ACCESS: &str = "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0..own";

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This status, these header lines, this body.
    With(u16, &'static str, Vec<u8>),
    /// Status 200 and this body, of which only half is sent.
    Half(Vec<u8>),
    /// Status 200 and a body without end.
    Endless,
    /// Nothing, connection left open.
    Silence,
    /// Nothing, connection closed.
    Hangup,
}

/// A request as it came: its first line, its header lines in lower-case names, its body.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The server; it stops when dropped.
pub(crate) struct PlainApi {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Reply {
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn status(status: u16, body: &[u8]) -> Self {
        Self::With(status, "", body.to_vec())
    }
}

impl Asked {
    /// The value of a header field; empty when it is missing.
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }
}

impl PlainApi {
    /// Answers every request so.
    pub(crate) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                connections.spawn(serve(tcp, reply.clone(), Arc::clone(&memory)));
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// An app of which all of Intuit is this server.
    pub(crate) fn app(&self) -> App {
        App::new(self.settings()).unwrap()
    }

    pub(crate) fn settings(&self) -> Settings {
        settings(&self.url(""))
    }
}

/// Settings of an app of which all of Intuit is at this address.
pub(crate) fn settings(base: &str) -> Settings {
    let mut settings = Settings::new(
        AppName::new("office").unwrap(),
        Environment::Sandbox,
        "ABclientid",
        Secret::new("clientsecret123456"),
        "https://relay.example/oauth/callback",
        no_trust(),
    );
    settings.timeout = PATIENCE;
    settings.endpoints = Endpoints {
        authorize: format!("{base}/connect"),
        token: format!("{base}/bearer"),
        revoke: format!("{base}/revoke"),
        api_production: format!("{base}/production/"),
        api_sandbox: format!("{base}/sandbox"),
        discovery_production: format!("{base}/production.json"),
        discovery_sandbox: format!("{base}/sandbox.json"),
    };
    settings
}

impl Drop for PlainApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request on one connection. That the client goes away early is part of the tests.
async fn serve(mut tcp: TcpStream, reply: Reply, asked: Arc<Mutex<Vec<Asked>>>) {
    let Some(request) = read(&mut tcp).await else {
        return;
    };
    asked.lock().unwrap().push(request);
    let (status, fields, body, sent) = match reply {
        Reply::With(status, fields, body) => (status, fields, body.clone(), body),
        Reply::Half(body) => (200, "", body.clone(), body[..body.len() / 2].to_vec()),
        Reply::Hangup => return,
        Reply::Silence => std::future::pending().await,
        Reply::Endless => {
            let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while tcp.write_all(&[b' '; 1 << 16]).await.is_ok() {}
            return;
        }
    };
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n{fields}\r\n",
        body.len()
    );
    let _ = tcp.write_all(&[head.as_bytes(), &sent].concat()).await;
    let _ = tcp.shutdown().await;
}

async fn read(tcp: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let request = Asked {
                line: lines.next().unwrap().to_owned(),
                fields: lines
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                    .collect(),
                body: body.to_owned(),
            };
            let length = request.field("content-length").parse().unwrap_or(0);
            if body.len() >= length {
                return Some(request);
            }
        }
        if tcp.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
