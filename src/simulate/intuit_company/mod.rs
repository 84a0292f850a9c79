//! A simulated Intuit with companies: authorization, tokens, the accounting API, notifications.
//!
//! For tests, the demo, and integrators who have no account at Intuit. Recorded shapes are data; the
//! behaviour is written from Intuit's documentation and from public recordings, apart from the
//! relay's own reading of them. Not here: the records (`books`), posting (`sender`).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use qbo_relay::simulate::intuit_company::{Call, FakeIntuit, Options};
//!
//! let intuit = FakeIntuit::start(Options::default()).await?;
//! let books = intuit.books("9341455841580195").ok_or("no such company")?;
//! let invoice = books.create("Invoice")?;
//! books.void("Invoice", &invoice.id)?;
//! assert_eq!(intuit.calls().all(Call::Capture), 0);
//! intuit.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod api;
mod calls;
mod capture;
pub(super) mod command;
mod control;
mod desk;
pub mod faults;
mod grants;
pub mod notices;
mod oauth;
mod options;
mod pace;
mod query;
mod select;
mod server;

pub use calls::{Asked, Call, Calls};
pub use faults::Faults;
pub use grants::Granted;
pub use notices::Notices;
pub use options::{AppKeys, CompanyFacts, Consent, Lifetimes, Notify, Options, Pace, Rotation};

use super::books::{Books, BooksClock, Ledger, Teller};
use crate::model::Environment;
use crate::tls;
use desk::{Company, Desk};
use grants::Grants;
use pace::Pacing;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen there.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// No certificate could be made.
    #[error("no certificate could be made: {0}")]
    Certificate(String),
}

/// A simulated Intuit that runs; it ends when it is dropped.
#[derive(Debug)]
pub struct FakeIntuit {
    desk: Arc<Desk>,
    address: SocketAddr,
    certificate_pem: Option<String>,
    notices: watch::Receiver<Notices>,
    tasks: JoinSet<()>,
}

impl FakeIntuit {
    /// Listens and serves.
    ///
    /// # Errors
    /// When it cannot listen, or no certificate could be made.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let listen = |error| StartError::Listen(options.listen, error);
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (acceptor, certificate_pem) = match options.https {
            true => {
                let (acceptor, pem) = certificate(address)?;
                (Some(acceptor), Some(pem))
            }
            false => (None, None),
        };
        let scheme = if options.https { "https" } else { "http" };
        let mut tasks = JoinSet::new();
        let (teller, notices) = match options.notify.clone() {
            None => (None, watch::channel(Notices::default()).1),
            Some(notify) => {
                let (herald, notices, telling) = notices::herald(notify, options.seed);
                tasks.spawn(telling);
                (Some(Arc::new(herald) as Arc<dyn Teller>), notices)
            }
        };
        let base = format!("{scheme}://{address}");
        let desk = Arc::new(desk(base, options, teller.as_ref()));
        tasks.spawn(server::serve(listener, acceptor, Arc::clone(&desk)));
        Ok(Self {
            desk,
            address,
            certificate_pem,
            notices,
            tasks,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.desk.base
    }

    /// Where a person consents.
    pub fn authorize_url(&self) -> String {
        format!("{}{}", self.desk.base, oauth::AUTHORIZE)
    }

    /// Where codes and refresh tokens are exchanged.
    pub fn token_url(&self) -> String {
        format!("{}{}", self.desk.base, oauth::TOKEN)
    }

    /// Where tokens are revoked.
    pub fn revoke_url(&self) -> String {
        format!("{}{}", self.desk.base, oauth::REVOKE)
    }

    /// The accounting API, without `/v3`.
    pub fn api_url(&self, environment: Environment) -> String {
        match environment {
            Environment::Production => self.desk.base.clone(),
            Environment::Sandbox => format!("{}/sandbox", self.desk.base),
        }
    }

    /// The discovery document.
    pub fn discovery_url(&self, environment: Environment) -> String {
        let path = match environment {
            Environment::Production => oauth::DISCOVERY,
            Environment::Sandbox => oauth::DISCOVERY_SANDBOX,
        };
        format!("{}{path}", self.desk.base)
    }

    /// The certificate that a client has to trust, where it serves HTTPS.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate_pem.as_deref()
    }

    /// The books of a company.
    pub fn books(&self, realm: &str) -> Option<Books> {
        let company = self.desk.companies.get(realm)?;
        Some(company.books.clone())
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.desk.faults
    }

    /// What was asked so far.
    pub fn calls(&self) -> Calls {
        self.desk.calls().clone()
    }

    /// Other limits from now on, or none.
    pub fn set_pace(&self, pace: Option<Pace>) {
        self.desk.pacing().set(pace);
    }

    /// Tokens as if a person had consented and the code had been exchanged; none when there is no
    /// such app or company.
    pub fn authorize(&self, client_id: &str, realm: &str) -> Option<Granted> {
        self.desk.app(client_id)?;
        self.desk.companies.get(realm)?;
        let now = self.desk.clock.even();
        Some(self.desk.grants().found(client_id, realm, now))
    }

    /// A code as if a person had consented.
    pub fn code(&self, client_id: &str, realm: &str, redirect_uri: &str) -> Option<String> {
        self.desk.app(client_id)?;
        self.desk.companies.get(realm)?;
        let now = self.desk.clock.even();
        Some(self.desk.grants().code(client_id, realm, redirect_uri, now))
    }

    /// Every access token for the company ends now; refresh tokens live on.
    pub fn expire_access(&self, realm: &str) {
        self.desk.grants().expire_access(realm);
    }

    /// A person at the company disconnects all apps.
    pub fn disconnect(&self, realm: &str) {
        self.desk.grants().disconnect(realm);
    }

    /// What became of the notifications, now and from now on.
    pub fn notices(&self) -> watch::Receiver<Notices> {
        self.notices.clone()
    }

    /// Ends it; what is being answered breaks off.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

fn desk(base: String, options: Options, teller: Option<&Arc<dyn Teller>>) -> Desk {
    let clock = BooksClock::new(options.clock);
    let companies = options
        .companies
        .into_iter()
        .zip(1_u64..)
        .map(|(facts, n)| {
            // A company is older than whoever connects it, in however short a time.
            let founded = clock.now().minus(Duration::from_hours(24));
            let ledger = Ledger::new(&facts.realm, options.seed.wrapping_add(n), founded);
            let books = Books::new(ledger, clock.clone(), teller.cloned());
            let company = Company {
                environment: facts.environment,
                books,
            };
            (facts.realm, company)
        });
    let grants = Grants::new(
        options.rotation,
        options.lifetimes,
        options.revoke_on_reuse,
        options.seed,
    );
    Desk {
        base,
        companies: companies.collect(),
        faults: Faults::new(options.seed, clock.clone()),
        clock: clock.clone(),
        apps: options.apps,
        consent: options.consent,
        since_is_inclusive: options.since_is_inclusive,
        grants: grants.into(),
        pacing: Pacing::new(options.pace).into(),
        calls: Calls::default().into(),
        answered: AtomicU64::new(0),
    }
}

fn certificate(address: SocketAddr) -> Result<(TlsAcceptor, String), StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Certificate(error.to_string());
    let names = ["localhost".to_owned(), address.ip().to_string()];
    let resolver = tls::Resolver::from_self_signed(&names).map_err(|error| failed(&error))?;
    let pem = resolver.current().leaf_pem();
    let config = tls::server_config(Arc::new(resolver)).map_err(|error| failed(&error))?;
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), pem))
}
