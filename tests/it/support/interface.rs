//! The Open Connectors interface on an admin listener of our own, with instances that a test makes up.

use super::client::{Answer, PATIENCE, read_answer};
use crate::admin::House;
use qbo_relay::clock;
use qbo_relay::model::{InstanceId, Limits, Secret, Tally, Timestamp};
use qbo_relay::server::admin::{self, OwnNames, Rooms};
use qbo_relay::server::elements::{CallOrigin, Caller, Elements, Hall, Reply};
use qbo_relay::tls::{self, Resolver};
use qbo_relay::vault::admin_secrets::{self, AdminSecrets, Fresh};
use qbo_relay::wire::elements::{Call, Whose, Wrong};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The element token of the one instance that there is, and its number.
pub(crate) const TOKEN: &str = "dG9rZW4tb2YtdGhlLWluc3RhbmNlLTctaXMtdGhpcy4=";
pub(crate) const INSTANCE: u32 = 7;

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_795_237_475_120);

/// Remembers what it was asked for, and does as the call says.
pub(crate) struct Instances {
    pub(crate) asked: Mutex<Vec<(Caller, Call)>>,
    /// Lists that have been carried out to their end.
    pub(crate) listed: Mutex<u32>,
    /// One permit is needed for each list.
    pub(crate) turnstile: Semaphore,
}

impl Elements for Instances {
    async fn holder(&self, token: &Secret) -> Result<Option<InstanceId>, String> {
        Ok(InstanceId::new(INSTANCE).filter(|_| token.expose() == TOKEN.as_bytes()))
    }

    async fn carry_out(
        &self,
        caller: Caller,
        call: Call,
        _from: CallOrigin,
    ) -> Result<Reply, Wrong> {
        let asked = (caller, call.clone());
        self.asked.lock().unwrap().push(asked);
        match call {
            Call::Read(Whose::Id(id)) if id.as_u32() == INSTANCE => Ok(reply(Some(id))),
            Call::Read(Whose::Token) => Ok(reply(caller.instance)),
            Call::List(_) => {
                self.turnstile.acquire().await.unwrap().forget();
                *self.listed.lock().unwrap() += 1;
                let next_page = Some("b2xkZXI=".to_owned());
                Ok(Reply {
                    next_page,
                    ..reply(None)
                })
            }
            Call::PollingDisabled => panic!("a fault of the house"),
            _ => Err(Wrong::not_found("No instance found")),
        }
    }
}

fn reply(instance: Option<InstanceId>) -> Reply {
    Reply {
        body: br#"{"id":7}"#.to_vec(),
        next_page: None,
        instance,
    }
}

/// A listener that runs.
pub(crate) struct Interface {
    pub(crate) address: SocketAddr,
    pub(crate) instances: Arc<Instances>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) fresh: Fresh,
    pub(crate) tally: Arc<Tally>,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

impl Interface {
    /// On loopback, without TLS.
    pub(crate) async fn open(limits: &Limits) -> Self {
        Self::open_at("127.0.0.1:0", false, limits).await
    }

    pub(crate) async fn open_at(address: &str, speaks_tls: bool, limits: &Limits) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let resolver = Resolver::from_self_signed(&["localhost".into()]).unwrap();
        let resolver = Arc::new(resolver);
        let tls = speaks_tls.then(|| tls::server_config(Arc::clone(&resolver)).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = admin_secrets::file_beside(&folder.path().join("journal.db"));
        let instances = Arc::new(Instances {
            asked: Mutex::default(),
            listed: Mutex::default(),
            turnstile: Semaphore::new(0),
        });
        let tally = Arc::new(Tally::default());
        let rooms = Rooms {
            names: OwnNames::new(Vec::new),
            observer: House::new(),
            hall: Hall {
                elements: Some(Arc::clone(&instances)),
                secrets: AdminSecrets::new(file.clone()),
                clock: Arc::new(clock::Manual::new(NOW)),
                seed: [0xe4, 0xb0, 0xbb, 0xce, 0x0a],
            },
            tally: Arc::clone(&tally),
        };
        let (stop, stopped) = oneshot::channel();
        let limits = limits.clone();
        let served = tokio::spawn(async move {
            let shutdown = async {
                // Also when this is dropped.
                let _ = stopped.await;
            };
            admin::serve_tcp(listener, tls, rooms, &limits, shutdown).await;
        });
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            instances,
            resolver,
            fresh: admin_secrets::make(&file, Duration::ZERO, NOW).unwrap(),
            tally,
            folder,
            stop: Some(stop),
            served,
        }
    }

    /// The file of the secrets.
    pub(crate) fn secrets(&self) -> PathBuf {
        admin_secrets::file_beside(&self.folder.path().join("journal.db"))
    }

    /// Asks the listener to end.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// A whole request, with right secrets; `rest` are further fields, an empty line and the body.
    pub(crate) fn request(&self, line: &str, rest: &str) -> String {
        let authorization = authorization(&self.fresh);
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n{rest}")
    }

    /// The answer to a call with right secrets, without a body.
    pub(crate) async fn call(&self, method: &str, path: &str) -> Answer {
        let line = format!("{method} /elements/api-v2{path}");
        let request = self.request(&line, "\r\n");
        // The answer to HEAD announces a body that does not come.
        self.send(&request, method == "HEAD").await
    }

    /// The answer to a call that shows this.
    pub(crate) async fn show(&self, authorization: &str) -> Answer {
        let line = "GET /elements/api-v2/instances/7 HTTP/1.1\r\nHost: localhost\r\n";
        let request = format!("{line}Authorization: {authorization}\r\n\r\n");
        self.send(&request, false).await
    }

    pub(crate) async fn send(&self, request: &str, is_head: bool) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        if is_head {
            let answer = timeout(PATIENCE, head_of(&mut stream)).await.unwrap();
            return read_answer(&mut answer.as_bytes()).await;
        }
        read_answer(&mut stream).await
    }
}

/// The head of an answer, as if it had no body.
async fn head_of(stream: &mut TcpStream) -> String {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let (mut stream, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    head.replace("content-length", "announced-length")
}

/// Both secrets, as a caller shows them.
pub(crate) fn authorization(fresh: &Fresh) -> String {
    let [user, organization] = secrets(fresh);
    format!("User {user}, Organization {organization}")
}

/// Both secrets.
pub(crate) fn secrets(fresh: &Fresh) -> [String; 2] {
    let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
    [text(&fresh.user), text(&fresh.organization)]
}
