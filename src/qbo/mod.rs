//! QuickBooks Online and Intuit's authorization server, as one app of Intuit's sees them.
//!
//! It makes one call and says what came back; whether and when there is another, and what a token's
//! end is on a calendar, is the caller's to decide. It keeps no token and knows no clock. Called by
//! `worker::company` and by the roof when a company is connected. It promises: an answer or a
//! [`Failure`] within the deadline, no redirect followed, no more of an answer read than agreed, and
//! no token in what it says.

mod client;
mod endpoints;
mod failure;
mod oauth;
mod proof;

pub use crate::wire::quickbooks::{Question, Since, Skipped};
pub use endpoints::{BadAddress, BadEndpoint, Endpoints, Pinned, endpoint};
pub use failure::Failure;
pub use oauth::Granted;
pub use proof::{Fate, Proven, Unproven};

use crate::model::{AppName, Environment, RealmId, Record, Secret, Timestamp};
use crate::wire::quickbooks::{capture_path, query_path, read_capture, read_query};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::{Answer, Client};
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request};
use http_body_util::Full;
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

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
    /// Where Intuit is, as far as nothing else is discovered.
    pub endpoints: Endpoints,
    /// Addresses of `endpoints` that stay whatever is discovered.
    pub pinned: Pinned,
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
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    settings: Settings,
    /// Where Intuit is: as configured, then as discovered.
    endpoints: ArcSwap<Endpoints>,
    client: Client,
    /// The app's own credentials, as the authorization server takes them.
    authorization: ArcSwap<HeaderValue>,
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
    /// Records that could not be read, and so are not among the others.
    pub skipped: Vec<Skipped>,
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
    /// Records on the page, the skipped ones included.
    pub count: u32,
    /// Records that could not be read, and so are not among the others.
    pub skipped: Vec<Skipped>,
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
            pinned: Pinned::default(),
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
    pub fn new(mut settings: Settings) -> Result<Self, SetUpError> {
        settings.endpoints = settings.endpoints.normal()?;
        let authorization = basic(&settings.client_id, &settings.client_secret);
        Ok(Self(Arc::new(Parts {
            authorization: ArcSwap::from_pointee(authorization.ok_or(SetUpError::Credentials)?),
            endpoints: ArcSwap::from_pointee(settings.endpoints.clone()),
            client: Client::new(&settings.tls, settings.timeout, settings.body_bytes_max),
            settings,
        })))
    }

    /// Takes a new client secret over for the calls from now on.
    ///
    /// # Errors
    /// [`SetUpError::Credentials`]; the old one stays then.
    pub fn renew(&self, client_secret: &Secret) -> Result<(), SetUpError> {
        let authorization = basic(&self.0.settings.client_id, client_secret);
        let authorization = authorization.ok_or(SetUpError::Credentials)?;
        self.0.authorization.store(Arc::new(authorization));
        Ok(())
    }

    /// The app's name.
    pub fn name(&self) -> &AppName {
        &self.0.settings.app
    }

    /// Where Intuit is now: as configured, as far as nothing else was discovered.
    pub fn endpoints(&self) -> Arc<Endpoints> {
        self.0.endpoints.load_full()
    }

    /// Where Intuit sends the browser back to.
    pub fn redirect_uri(&self) -> &str {
        &self.0.settings.redirect_uri
    }

    /// Where its companies live.
    pub fn environment(&self) -> Environment {
        self.0.settings.environment
    }

    /// What was changed since `since` of these kinds: one call.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn capture(
        &self,
        realm: &RealmId,
        access: &Secret,
        kinds: &[&str],
        since: impl Into<Since>,
    ) -> Result<Captured, Failure> {
        let path = capture_path(realm, kinds, &since.into(), self.0.settings.minor_version);
        let answer = self.ask("capture", access, path).await?;
        let read = read_capture(&answer.body, kinds);
        let read = read.map_err(|trouble| Failure::of_trouble(&answer, trouble))?;
        let explain = |(kind, trouble)| (kind, Failure::of_trouble(&answer, trouble));
        Ok(Captured {
            records: read.records,
            at: read.at,
            saturated: read.saturated,
            failed_kinds: read.failed.into_iter().map(explain).collect(),
            skipped: read.skipped,
        })
    }

    /// One page of the records that the question asks for: one call.
    ///
    /// # Errors
    /// [`Failure`] says what to do.
    pub async fn query(
        &self,
        realm: &RealmId,
        access: &Secret,
        question: &Question,
    ) -> Result<Page, Failure> {
        let path = query_path(realm, question, self.0.settings.minor_version);
        let answer = self.ask("query", access, path).await?;
        let read = read_query(&answer.body, &question.kind);
        let read = read.map_err(|trouble| Failure::of_trouble(&answer, trouble))?;
        let page_max = question.max.clamp(1, Question::PAGE_MAX);
        let count = read.records.len().saturating_add(read.skipped.len());
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Page {
            records: read.records,
            at: read.at,
            full: count >= page_max,
            count,
            skipped: read.skipped,
        })
    }

    /// A successful answer of the API.
    async fn ask(
        &self,
        what: &'static str,
        access: &Secret,
        path: Result<String, String>,
    ) -> Result<Answer, Failure> {
        let settings = &self.0.settings;
        let path = path.map_err(|why| Failure::Unsupported { why })?;
        let request = Request::get(settings.endpoints.api(settings.environment, &path))
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, bearer(access).ok_or(Failure::Unauthorized)?)
            .body(Full::default())?;
        let answer = self.0.client.send(what, request).await?;
        match answer.status {
            200..300 => Ok(answer),
            _ => Err(Failure::of_answer(&answer)),
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("App").field(self.name()).finish()
    }
}

/// Client authentication (RFC 6749, section 2.3.1). Intuit's ids and secrets are letters and digits,
/// which need no encoding of their own.
fn basic(id: &str, secret: &Secret) -> Option<HeaderValue> {
    let plain = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
    if !plain(id.as_bytes()) || id.contains(':') || !plain(secret.expose()) {
        return None;
    }
    let pair = Zeroizing::new([id.as_bytes(), b":", secret.expose()].concat());
    let encoded = Zeroizing::new(STANDARD.encode(&*pair));
    sensitive(b"Basic ", encoded.as_bytes())
}

/// `None` for what no token can be.
fn bearer(access: &Secret) -> Option<HeaderValue> {
    sensitive(b"Bearer ", access.expose())
}

/// A header value that `Debug` does not show and HTTP/2 does not index.
fn sensitive(scheme: &[u8], credentials: &[u8]) -> Option<HeaderValue> {
    let text = Zeroizing::new([scheme, credentials].concat());
    let mut value = HeaderValue::from_bytes(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
