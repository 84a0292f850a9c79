//! What a simulated Intuit is like, and its defaults.

use crate::clock::{Clock, System};
use crate::model::{Environment, Secret};
use crate::simulate::company::PayloadForm;
use crate::wire::url::Url;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The whole of it. The default is one production company and one app, on plain HTTP.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether to serve HTTPS, with a certificate made on the spot.
    pub https: bool,
    /// QuickBooks's clock.
    pub clock: Arc<dyn Clock>,
    /// The same seed gives the same tokens and event ids for the same requests.
    pub seed: u64,
    /// The companies.
    pub companies: Vec<CompanyFacts>,
    /// The apps that may ask.
    pub apps: Vec<AppKeys>,
    /// When a refresh changes the refresh token.
    pub rotation: Rotation,
    /// Whether a dead refresh token that is used again ends all that came of the same consent, as
    /// strict providers do (OAuth 2.0 Security Best Current Practice, RFC 9700, section 4.14.2).
    pub revoke_on_reuse: bool,
    /// How long things last.
    pub lifetimes: Lifetimes,
    /// What the person does on the authorization page.
    pub consent: Consent,
    /// How many calls a company may get from an app; none: as many as it likes.
    pub pace: Option<Pace>,
    /// Whether `changedSince` finds what changed in that very second. Intuit does not say; the
    /// default is the harsher reading.
    pub since_is_inclusive: bool,
    /// Who is told of changes.
    pub notify: Option<Notify>,
}

/// A company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CompanyFacts {
    /// `realmId`.
    pub realm: String,
    /// The world it lives in.
    pub environment: Environment,
}

/// An app as Intuit's portal has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppKeys {
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: Secret,
    /// The world that the keys are for.
    pub environment: Environment,
    /// Registered addresses to come back to; empty: any.
    pub redirect_uris: Vec<String>,
}

/// When a refresh changes the value of the refresh token; the old one is dead from then on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Rotation {
    /// At each refresh.
    EachTime,
    /// When the value is older than a day, as Intuit does.
    Daily,
    /// Never.
    Never,
}

/// How long things last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// An authorization code.
    pub code: Duration,
    /// An access token.
    pub access: Duration,
    /// A refresh token that is not used.
    pub refresh: Duration,
    /// Everything that came of one consent.
    pub hard: Duration,
}

/// What the person does on the authorization page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Consent {
    /// Consents at once, to the first company that the app is not connected to.
    AtOnce,
    /// Sees a page and chooses.
    Page,
    /// Refuses at once.
    Refused,
}

/// How many calls each company may get from each app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// In any second.
    pub per_second: usize,
    /// In any minute.
    pub per_minute: usize,
}

/// Who is told of changes, and how badly.
#[derive(Clone, Debug)]
pub struct Notify {
    /// The address that takes notifications.
    pub url: Url,
    /// The verifier token that signs them.
    pub token: Arc<Secret>,
    /// Whom to trust.
    pub trust: rustls::ClientConfig,
    /// Form of the payloads.
    pub form: PayloadForm,
    /// Of 100 changes, so many are never told.
    pub lose: u8,
    /// Of 100 posts, so many are sent once more.
    pub repeat: u8,
    /// Of 100 changes, so many are held back until later ones have been told.
    pub disorder: u8,
    /// Each change is told up to so much later.
    pub delay: Duration,
    /// Changes in a post at most.
    pub batch_max: usize,
    /// Attempts after the first, on Intuit's schedule.
    pub retries: u16,
    /// What the schedule's pauses are divided by.
    pub hurry: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            https: false,
            clock: Arc::new(System),
            seed: 1,
            companies: vec![CompanyFacts {
                realm: "9341455841580195".into(),
                environment: Environment::Production,
            }],
            apps: vec![AppKeys {
                client_id: "client".into(),
                client_secret: Secret::new("secret"),
                environment: Environment::Production,
                redirect_uris: Vec::new(),
            }],
            rotation: Rotation::Daily,
            revoke_on_reuse: false,
            lifetimes: Lifetimes::default(),
            consent: Consent::AtOnce,
            pace: Some(Pace::default()),
            since_is_inclusive: false,
            notify: None,
        }
    }
}

/// Intuit's: an hour, 101 days, five years; its codes are only said to be short-lived.
impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code: Duration::from_secs(300),
            access: Duration::from_secs(3_600),
            refresh: Duration::from_secs(8_726_400),
            hard: Duration::from_secs(157_680_000),
        }
    }
}

/// Intuit's limits for a company and an app.
impl Default for Pace {
    fn default() -> Self {
        Self {
            per_second: 10,
            per_minute: 500,
        }
    }
}

impl Notify {
    /// Everything told at once, in order, once.
    pub fn new(url: Url, token: Secret, trust: rustls::ClientConfig) -> Self {
        Self {
            url,
            token: Arc::new(token),
            trust,
            form: PayloadForm::Cloudevents,
            lose: 0,
            repeat: 0,
            disorder: 0,
            delay: Duration::ZERO,
            batch_max: 20,
            retries: 0,
            hurry: 1,
        }
    }
}
