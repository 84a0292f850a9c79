//! QuickBooks Online and Intuit's authorization server, as one app of Intuit's sees them.
//!
//! It makes one call and says what came back; whether and when there is another, and what a token's
//! end is on a calendar, is the caller's to decide. It keeps no token and knows no clock. Called by
//! `worker::company` and by the roof when a company is connected. It promises: an answer or a
//! [`Failure`] within the deadline, no redirect followed, no more of an answer read than agreed, and
//! no token in what it says.

mod endpoints;
mod failure;
mod oauth;

pub use crate::wire::quickbooks::Question;
pub use endpoints::{BadEndpoint, Endpoints};
pub use failure::Failure;
pub use oauth::Granted;

use crate::model::{AppName, Environment, RealmId, Record, Secret, Timestamp};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// What an app is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in the configuration.
    pub app: AppName,
    /// Where its companies live.
    pub environment: Environment,
    /// The app's id at Intuit.
    pub client_id: String,
    /// The app's secret at Intuit.
    pub client_secret: Secret,
    /// Where Intuit sends the browser back to, exactly as registered at Intuit.
    pub redirect_uri: String,
    /// Where Intuit is.
    pub endpoints: Endpoints,
    /// Minor version of the API; since August 2025 Intuit takes anything lower for 75.
    pub minor_version: u32,
    /// From the start of a call to the last byte of its answer. Intuit gives up after 120 s itself.
    pub timeout: Duration,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// Bytes of an answer that are read.
    pub body_bytes_max: usize,
}

/// Why there is no app.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetUpError {
    /// Correct the address.
    #[error(transparent)]
    Endpoint(#[from] BadEndpoint),
    /// Copy the client id and the client secret again from Intuit's page "Keys & credentials".
    #[error(
        "the client id or client secret is empty, or has a character that no client id has; copy both again from Intuit"
    )]
    Credentials,
}

/// An app at Intuit, ready to call; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    settings: Arc<Settings>,
}

/// What Change Data Capture told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Captured {
    /// What was changed, in order of `LastUpdatedTime`, tombstones too.
    pub records: Vec<Record>,
    /// When, by QuickBooks's clock.
    pub at: Option<Timestamp>,
    /// Whether the answer is as long as it may be, so that something may be missing.
    pub saturated: bool,
    /// Kinds of which nothing can be said, and why.
    pub failed_kinds: Vec<(String, Failure)>,
}

/// One page of a query's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The records, in the order of the answer.
    pub records: Vec<Record>,
    /// When, by QuickBooks's clock.
    pub at: Option<Timestamp>,
    /// Whether the page is full, so that there may be another.
    pub full: bool,
}

impl Settings {
    /// Settings with the usual values: Intuit's documented addresses, minor version 75, 60 s, 16 MiB.
    pub fn new(
        app: AppName,
        environment: Environment,
        client_id: impl Into<String>,
        client_secret: Secret,
        redirect_uri: impl Into<String>,
        tls: Arc<ClientConfig>,
    ) -> Self {
        Self {
            app,
            environment,
            client_id: client_id.into(),
            client_secret,
            redirect_uri: redirect_uri.into(),
            endpoints: Endpoints::default(),
            minor_version: 75,
            timeout: Duration::from_secs(60),
            tls,
            body_bytes_max: 16 << 20,
        }
    }
}

impl App {
    /// An app; nothing is looked up or dialled before the first call.
    ///
    /// # Errors
    /// [`SetUpError`] says which setting cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SetUpError> {
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    /// The app's name.
    pub fn name(&self) -> &AppName {
        &self.settings.app
    }

    /// Where its companies live.
    pub fn environment(&self) -> Environment {
        self.settings.environment
    }

    /// What changed since `since` of these kinds.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn capture(
        &self,
        _realm: &RealmId,
        _access: &Secret,
        _kinds: &[&str],
        _since: Timestamp,
    ) -> Result<Captured, Failure> {
        Err(Failure::not_yet().await)
    }

    /// One page of the records that the question asks for.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn query(
        &self,
        _realm: &RealmId,
        _access: &Secret,
        _question: &Question,
    ) -> Result<Page, Failure> {
        Err(Failure::not_yet().await)
    }

    /// The endpoints that Intuit publishes now; those of the API are not among them and stay.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn discover(&self) -> Result<Endpoints, Failure> {
        Err(Failure::not_yet().await)
    }
}
