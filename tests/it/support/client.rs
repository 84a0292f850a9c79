//! A TLS client that writes what it is told, well-formed or not, and reads what comes.

use qbo_relay::tls;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longer than anything in a test may take; reached only when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How to connect.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// The address to come from.
    pub(crate) from: SocketAddr,
    pub(crate) config: ClientConfig,
    /// The most that may be on its way here unread, in bytes; as much as the system likes without it.
    pub(crate) unread_bytes_max: Option<u32>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, trusted: &CertificateDer<'_>) -> Self {
        Self {
            address,
            from: "127.0.0.1:0".parse().unwrap(),
            config: config(trusted, &version::TLS13),
            unread_bytes_max: None,
        }
    }

    /// The same, offering these protocols.
    pub(crate) fn speaking(mut self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        self.config.alpn_protocols = protocols.collect();
        self
    }

    /// The same, from another address of this machine.
    pub(crate) fn from(mut self, last: u8) -> Self {
        self.from = SocketAddr::from(([127, 0, 0, last], 0));
        self
    }

    /// The same, with room for so little that a peer soon cannot write any more.
    pub(crate) fn with_little_room(mut self) -> Self {
        self.unread_bytes_max = Some(4 << 10);
        self
    }

    pub(crate) async fn connect_plain(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = self.unread_bytes_max {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(self.from)?;
        socket.connect(self.address).await
    }

    pub(crate) async fn try_connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.connect_plain().await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(self.config.clone()));
        timeout(PATIENCE, connector.connect(name, stream)).await?
    }

    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect().await.unwrap()
    }

    /// Sends `bytes` on a connection of their own and reads one answer.
    pub(crate) async fn ask(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_answer(&mut stream).await
    }
}

/// A configuration that trusts one certificate and speaks one version of TLS.
pub(crate) fn config(
    trusted: &CertificateDer<'_>,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone().into_owned()).unwrap();
    ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// An answer of HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Reads one answer and not a byte more.
pub(crate) async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let answer = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&head)),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let status = status.parse().unwrap();
        let headers: HashMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.get("content-length").map_or("0", String::as_str);
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let body = String::from_utf8(body).unwrap();
        Answer {
            status,
            headers,
            body,
        }
    };
    timeout(PATIENCE, answer).await.expect("an answer in time")
}

/// Reads until the peer closes, in whatever manner, and returns what it still sent. Panics when it
/// is not closed within `span`.
pub(crate) async fn read_to_close(
    stream: &mut (impl AsyncRead + Unpin),
    span: Duration,
) -> Vec<u8> {
    let mut rest = Vec::new();
    let closed = async { while matches!(stream.read_buf(&mut rest).await, Ok(1..)) {} };
    timeout(span, closed).await.expect("closed in time");
    rest
}

/// Writes as far as the peer lets: it may have closed already, which is not the writer's matter.
pub(crate) async fn write_some(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    if stream.write_all(bytes).await.is_ok() {
        let _ = stream.flush().await;
    }
}

/// Asks again and again until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, met)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}
