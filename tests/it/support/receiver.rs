//! A receiver of deliveries on 127.0.0.1 that answers as the test scripts it and remembers what it
//! was sent.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Which connection it came over, from 0.
    pub(crate) connection: usize,
}

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// This status.
    Status(u16),
    /// This status with one header field.
    With(u16, &'static str, String),
    /// 200 with a body of so many bytes.
    Long(usize),
    /// This status, after which the connection is closed.
    Last(u16),
    /// This status, but not before the gate is open.
    Gated(watch::Receiver<bool>, u16),
    /// No answer, connection left open.
    Silence,
    /// No answer, connection closed.
    Hangup,
}

type Script = Box<dyn Fn(usize, &Recorded) -> Answer + Send + Sync>;

struct State {
    script: Script,
    requests: Mutex<Vec<Recorded>>,
    count: watch::Sender<usize>,
}

/// The receiver; it stops when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    secure: bool,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Recorded {
    /// The value of a header field that must be there.
    pub(crate) fn field(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("{name} is missing in {:?}", self.headers));
        value.to_str().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Company and place in its order of the single event in a request.
pub(crate) fn event(request: &Recorded) -> (String, u64) {
    let event = request.json();
    let sequence = event["sequence"].as_str().unwrap().parse().unwrap();
    (event["realmid"].as_str().unwrap().to_owned(), sequence)
}

/// The places of this company's events in the order in which they came.
pub(crate) fn sequences(requests: &[Recorded], company: &str) -> Vec<u64> {
    let events = requests.iter().map(event);
    let own = events.filter(|(realm, _)| realm == company);
    own.map(|(_, sequence)| sequence).collect()
}

impl Receiver {
    /// Answers as `script` says for the n-th request, from 0.
    pub(crate) async fn start(
        script: impl Fn(usize, &Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::open(None, Box::new(script)).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(
        tls: Arc<rustls::ServerConfig>,
        script: impl Fn(usize, &Recorded) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::open(Some(tls), Box::new(script)).await
    }

    /// Answers these one after the other, then the last one for ever.
    pub(crate) async fn start_with(answers: Vec<Answer>) -> Self {
        Self::start(move |number, _| answers[number.min(answers.len() - 1)].clone()).await
    }

    async fn open(tls: Option<Arc<rustls::ServerConfig>>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script,
            requests: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let secure = tls.is_some();
        let task = tokio::spawn(accept(listener, tls, Arc::clone(&state)));
        Self {
            address,
            secure,
            state,
            task,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// What came so far.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Waits until so many requests have come, and gives them.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Recorded> {
        let mut seen = self.state.count.subscribe();
        let enough = seen.wait_for(|seen| *seen >= count);
        if tokio::time::timeout(PATIENCE, enough).await.is_err() {
            panic!("{} requests instead of {count} came", self.requests().len());
        }
        self.requests()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>, state: Arc<State>) {
    // Connections end with the receiver, as those of a process that is stopped.
    let mut connections = tokio::task::JoinSet::new();
    for number in 0.. {
        let (tcp, _) = listener.accept().await.unwrap();
        connections.spawn(serve(tcp, tls.clone(), number, Arc::clone(&state)));
    }
}

async fn serve(
    tcp: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    connection: usize,
    state: Arc<State>,
) {
    let service = service_fn(|request| answer(request, connection, Arc::clone(&state)));
    let http1 = hyper::server::conn::http1::Builder::new();
    // How a connection ends is the client's to judge.
    let Some(tls) = tls else {
        let _ = http1.serve_connection(TokioIo::new(tcp), service).await;
        return;
    };
    let Ok(stream) = TlsAcceptor::from(tls).accept(tcp).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = http2.serve_connection(TokioIo::new(stream), service).await;
    } else {
        let _ = http1.serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn answer(
    request: Request<Incoming>,
    connection: usize,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?;
    let recorded = Recorded {
        method: head.method,
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: body.to_bytes(),
        connection,
    };
    let number = {
        let mut requests = state.requests.lock().unwrap();
        requests.push(recorded.clone());
        requests.len() - 1
    };
    let answer = (state.script)(number, &recorded);
    state.count.send_replace(number + 1);
    let response = Response::builder();
    let response = match answer {
        Answer::Status(status) => response.status(status).body(Full::default()),
        Answer::With(status, name, value) => response
            .status(status)
            .header(name, value)
            .body(Full::default()),
        Answer::Long(bytes) => response.body(Full::from(vec![b'x'; bytes])),
        Answer::Last(status) => response
            .status(status)
            .header("connection", "close")
            .body(Full::default()),
        Answer::Gated(mut gate, status) => {
            gate.wait_for(|open| *open).await.unwrap();
            response.status(status).body(Full::default())
        }
        Answer::Silence => std::future::pending().await,
        Answer::Hangup => return Err(std::io::Error::other("hung up")),
    };
    Ok(response.unwrap())
}
