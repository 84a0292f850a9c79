//! How an HTTP sink is reached: name, address, connection, TLS session, in one deadline.
//!
//! It is the connector of the HTTP client (the client pools what comes out of it) and the place
//! where addresses are judged, because only here it is certain which one is used. It never sends a
//! request, and it knows one target only: the client's URI is not looked at.

use super::address;
use super::head::Reduced;
use super::networks::Networks;
use super::target::Target;
use crate::model::Stage;
use http::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// A connection as the client takes it.
pub(super) type Connection = Reduced<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// Makes connections to one target.
#[derive(Clone)]
pub(super) struct Dialer(pub(super) Arc<Route>);

/// What a [`Dialer`] goes by.
pub(super) struct Route {
    /// Where to.
    pub(super) target: Target,
    /// Trust and client certificate.
    pub(super) tls: Arc<ClientConfig>,
    /// From the name to the end of the TLS handshake.
    pub(super) deadline: Duration,
    /// Whether private addresses may be dialled.
    pub(super) private_addresses: bool,
    /// Whether anything may leave without TLS.
    pub(super) plain: bool,
    /// Where the relay itself listens.
    pub(super) own_addresses: Vec<SocketAddr>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(super) struct DialError {
    /// How far it came.
    pub(super) stage: Stage,
    /// Host and cause.
    pub(super) detail: String,
}

impl Service<Uri> for Dialer {
    type Response = Connection;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let route = Arc::clone(&self.0);
        Box::pin(async move { route.dial().await })
    }
}

impl Route {
    async fn dial(&self) -> Result<Connection, DialError> {
        if self.target.server_name.is_none() && !self.plain {
            let why = "http:// is not encrypted, which is not allowed; give an https:// address";
            return Err(self.error(Stage::Forbidden, why));
        }
        let mut deadline = pin!(sleep(self.deadline));
        let addresses = self.resolve(deadline.as_mut()).await?;
        let allowed = self.allowed(addresses)?;
        let tcp = self.connect(&allowed, deadline.as_mut()).await?;
        self.refuse_itself(&tcp)?;
        let tcp = TokioIo::new(tcp);
        let Some(name) = self.target.server_name.clone() else {
            return Ok(Reduced::new(tcp.into()));
        };
        let handshake = TlsConnector::from(Arc::clone(&self.tls)).connect(name, TokioIo::new(tcp));
        let session = self.in_time(Stage::Tls, deadline, handshake).await?;
        session
            .map(|session| Reduced::new(session.into()))
            .map_err(|error| self.error(Stage::Tls, &format!("no TLS session: {error}")))
    }

    async fn resolve(&self, deadline: Pin<&mut Sleep>) -> Result<Vec<SocketAddr>, DialError> {
        let lookup = lookup_host((self.target.url.host(), self.target.url.port()));
        match self.in_time(Stage::Resolve, deadline, lookup).await? {
            Ok(addresses) => Ok(addresses.collect()),
            Err(error) => Err(self.error(Stage::Resolve, &error.to_string())),
        }
    }

    /// Those of the addresses that may be dialled; the first objection when there is none.
    fn allowed(&self, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, DialError> {
        let networks = Networks::of_this_machine();
        let mut objection = None;
        let mut allowed = Vec::with_capacity(addresses.len());
        for address in addresses {
            match address::objection(address.ip(), self.private_addresses, &networks) {
                None => allowed.push(address),
                Some(why) => {
                    objection.get_or_insert((address.ip(), why));
                }
            }
        }
        match objection {
            _ if !allowed.is_empty() => Ok(allowed),
            None => Err(self.error(Stage::Resolve, "the name has no address")),
            Some((ip, why)) => Err(self.error(
                Stage::Forbidden,
                &format!("the address {ip} is {why}, which is not allowed"),
            )),
        }
    }

    /// The first connection that comes about; every address gets an equal share of the time, so
    /// that one that swallows packets does not use up the others' turn.
    async fn connect(
        &self,
        addresses: &[SocketAddr],
        mut deadline: Pin<&mut Sleep>,
    ) -> Result<TcpStream, DialError> {
        let share = self.deadline / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut failure = String::new();
        for address in addresses {
            let attempt = timeout(share, TcpStream::connect(address));
            match self
                .in_time(Stage::Connect, deadline.as_mut(), attempt)
                .await?
            {
                Ok(Ok(tcp)) => {
                    // Without it the last segment of a delivery may wait for an acknowledgement;
                    // a socket that does not take the option works all the same.
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Ok(Err(error)) => failure = format!("{} ({address})", cause(&error)),
                Err(_) => failure = format!("no connection within {share:?} ({address})"),
            }
        }
        Err(self.error(Stage::Connect, &failure))
    }

    fn refuse_itself(&self, tcp: &TcpStream) -> Result<(), DialError> {
        let ends = tcp
            .local_addr()
            .and_then(|local| Ok((local, tcp.peer_addr()?)));
        let (local, peer) =
            ends.map_err(|error| self.error(Stage::Connect, cause(&error).as_str()))?;
        if address::is_own(local.ip(), peer, &self.own_addresses) {
            return Err(self.error(Stage::Forbidden, "the target is the relay itself"));
        }
        Ok(())
    }

    async fn in_time<T>(
        &self,
        stage: Stage,
        deadline: Pin<&mut Sleep>,
        work: impl Future<Output = T>,
    ) -> Result<T, DialError> {
        tokio::select! {
            done = work => Ok(done),
            () = deadline => {
                let what = match stage {
                    Stage::Resolve => "the name was not resolved",
                    Stage::Tls => "no TLS session",
                    Stage::Connect | Stage::Forbidden | Stage::Answer | Stage::File => {
                        "no connection"
                    }
                };
                Err(self.error(stage, &format!("{what} within {:?}", self.deadline)))
            }
        }
    }

    fn error(&self, stage: Stage, cause: &str) -> DialError {
        let detail = format!("{}: {cause}", self.target.url);
        DialError { stage, detail }
    }
}

/// The operating system's reason in its own words, without the number.
pub(super) fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
