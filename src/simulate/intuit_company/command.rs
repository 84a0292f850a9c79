//! `simulate --company`: companies to try a relay with, until somebody ends it.

use super::calls::{Asked, Calls};
use super::notices::Notices;
use super::options::{AppKeys, CompanyFacts, Consent, Notify, Options as Facts, Rotation};
use super::{FakeIntuit, StartError};
use crate::cli::Exit;
use crate::clock::{Clock, System};
use crate::model::{Environment, Secret};
use crate::signals::{Request, Signals};

use crate::simulate::books::{Books, Happening};
use crate::simulate::company::{Chance, FIRST_REALM};
use crate::terminal::{Tint, complain, say, say_lines, tinted};
use crate::wire::url::Url;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// What `--company` needs to know beside what `simulate` knows anyway.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "With --company")]
pub(in crate::simulate) struct CompanyOptions {
    /// Be Intuit with companies: authorization, tokens, Change Data Capture, Query; until Ctrl-C.
    #[arg(long, conflicts_with = "url")]
    pub(in crate::simulate) company: bool,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Serve HTTPS, with a certificate made now and written to this file, for clients to trust.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Tell this relay of each change; `--token-file` signs.
    #[arg(long, value_name = "URL", requires = "token_file")]
    notify: Option<Url>,
    /// Of 100 changes, so many are never told.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    lose: u8,
    /// Tell each change up to so many seconds late.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    delay: u32,
    /// Records of each common kind that are there from the start.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    records: u64,
    /// Client id of the app that may ask.
    #[arg(long, value_name = "ID", default_value = "simulated-client")]
    client_id: String,
    /// Its secret.
    #[arg(long, value_name = "SECRET", default_value = "simulated-secret")]
    client_secret: String,
    /// The address to come back to that is registered for the app; any when not given.
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// `production` or `sandbox`.
    #[arg(long, value_name = "WORD", default_value = "production", value_parser = environment)]
    environment: Environment,
    /// When a refresh changes the refresh token; the old one is dead then.
    #[arg(long, value_enum, default_value_t = Rotation::Daily)]
    rotation: Rotation,
    /// What the person does on the authorization page.
    #[arg(long, value_enum, default_value_t = Consent::Page)]
    consent: Consent,
}

/// What `simulate` knows anyway.
#[derive(Clone, Copy, Debug)]
pub(in crate::simulate) struct Common {
    pub(in crate::simulate) realms: u64,
    pub(in crate::simulate) seed: u64,
    /// Changes a second.
    pub(in crate::simulate) rate: Option<f64>,
}

fn environment(word: &str) -> Result<Environment, String> {
    Environment::parse(word).ok_or_else(|| "say production or sandbox".into())
}

/// Changes a second when nobody says: enough to see something, slow enough to read.
const RATE: f64 = 0.2;

/// Kinds that are there from the start.
const COMMON: [&str; 10] = [
    "Account",
    "Bill",
    "Customer",
    "Employee",
    "Invoice",
    "Item",
    "Payment",
    "TaxCode",
    "TimeActivity",
    "Vendor",
];

/// Since when they are there.
const LONG_AGO: Duration = Duration::from_secs(400 * 86_400);

/// Runs until somebody ends it.
pub(in crate::simulate) async fn run(
    options: &CompanyOptions,
    common: Common,
    notify: Option<Notify>,
) -> Exit {
    let facts = facts(options, common, notify.clone());
    let realms: Vec<String> = facts
        .companies
        .iter()
        .map(|company| company.realm.clone())
        .collect();
    let intuit = match FakeIntuit::start(facts).await {
        Ok(intuit) => intuit,
        Err(error @ StartError::Listen(..)) => {
            complain(error);
            return Exit::Listen;
        }
        Err(error) => {
            complain(error);
            return Exit::Failure;
        }
    };
    if let (Some(file), Some(pem)) = (&options.certificate, intuit.certificate_pem())
        && let Err(error) = std::fs::write(file, pem)
    {
        complain(format_args!("--certificate {}: {error}", file.display()));
        return Exit::Configuration;
    }
    let books: Vec<Books> = realms
        .iter()
        .filter_map(|realm| intuit.books(realm))
        .collect();
    for company in &books {
        for kind in COMMON {
            company.fill(kind, options.records, System.now().minus(LONG_AGO));
        }
    }
    introduce(options, &intuit, &realms, common.seed);
    let exit = live(common, &intuit, &books).await;
    if notify.is_some() {
        say(told(&intuit));
    }
    intuit.shutdown().await;
    exit
}

fn facts(options: &CompanyOptions, common: Common, notify: Option<Notify>) -> Facts {
    let environment = options.environment;
    let company = |index: u64| CompanyFacts {
        realm: (FIRST_REALM + index).to_string(),
        environment,
    };
    Facts {
        listen: options.listen,
        https: options.certificate.is_some(),
        seed: common.seed,
        companies: (0..common.realms.max(1)).map(company).collect(),
        apps: vec![AppKeys {
            client_id: options.client_id.clone(),
            client_secret: Secret::new(options.client_secret.as_str()),
            environment,
            redirect_uris: options.redirect_uri.clone().into_iter().collect(),
        }],
        rotation: options.rotation,
        consent: options.consent,
        notify,
        ..Facts::default()
    }
}

/// The part of a notification's fate that is chosen here.
pub(in crate::simulate) fn notify(
    options: &CompanyOptions,
    token: Option<Secret>,
    trust: rustls::ClientConfig,
) -> Option<Notify> {
    let mut notify = Notify::new(options.notify.clone()?, token?, trust);
    notify.lose = options.lose;
    notify.delay = Duration::from_secs(options.delay.into());
    Some(notify)
}

/// Changes something now and then, and shows what happens and what is asked.
async fn live(common: Common, intuit: &FakeIntuit, books: &[Books]) -> Exit {
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            complain(format_args!("signal handling: {error}"));
            return Exit::Failure;
        }
    };
    let rate = common.rate.unwrap_or(RATE);
    let mut changes = every(Duration::from_secs_f64(1.0 / rate.clamp(1e-6, 1e6)));
    let mut looks = every(Duration::from_millis(250));
    let mut chance = Chance::new(common.seed);
    let (mut shown, mut told) = (0, Notices::default());
    changes.tick().await;
    loop {
        tokio::select! {
            request = signals.next() => {
                if request == Request::Stop {
                    return Exit::Success;
                }
            }
            _ = changes.tick(), if rate > 0.0 => {
                let index = usize::try_from(chance.below(books.len() as u64)).unwrap_or(0);
                let happening = books.get(index).map(|company| company.random(&mut chance));
                if let Some(Ok(happening)) = happening {
                    say(change_line(&happening));
                }
            }
            _ = looks.tick() => {
                let calls = intuit.calls();
                for asked in calls.newer_than(shown) {
                    say(call_line(asked));
                }
                shown = calls.noted();
                drop(calls);
                let notices = *intuit.notices().borrow();
                if let Some(line) = refusal(&told, &notices) {
                    say(tinted(Tint::Red, line));
                    told = notices;
                }
            }
        }
    }
}

/// What is to be said of notifications that were refused since the last word: the first, one for each
/// further hundred, and when the answer is another.
fn refusal(told: &Notices, now: &Notices) -> Option<String> {
    let is_news = told.refused == 0 || told.refused_with != now.refused_with;
    let is_due = now.refused > told.refused && (is_news || now.refused >= told.refused + 100);
    is_due.then(|| {
        let why = match now.refused_with {
            Some(403) => "403: the relay does not know the token of --token-file".to_owned(),
            Some(404) => "404: the relay takes no notifications at the path of --notify".to_owned(),
            Some(503) => "503: the relay cannot keep them now".to_owned(),
            Some(status) => status.to_string(),
            None => "no answer: does the relay run there, and is its certificate trusted (--ca-file, --insecure)?".to_owned(),
        };
        format!(
            "  {}  → {} notifications were not acknowledged; the last answer was {why}",
            clock_time(),
            now.refused
        )
    })
}

fn every(span: Duration) -> Interval {
    let mut interval = interval(span);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn change_line(happening: &Happening) -> String {
    let (operation, _) = happening.deed.words();
    format!(
        "  {}  company {}  {}/{}  {operation}",
        clock_time(),
        happening.realm,
        happening.kind,
        happening.id
    )
}

fn call_line(asked: &Asked) -> String {
    const WIDTH: usize = 120;
    let status = asked
        .status
        .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let mut target = readable(&asked.target);
    if let Some((cut, _)) = target.char_indices().nth(WIDTH) {
        target.truncate(cut);
        target.push('…');
    }
    format!("  {}  ← {target}  {status}", clock_time())
}

/// The address with its parameters as a person reads them.
fn readable(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else {
        return target.to_owned();
    };
    let parameters: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{path}  {}", parameters.join("  "))
}

/// The time of day in UTC.
fn clock_time() -> String {
    let now = System.now().to_string();
    now.get(11..19).unwrap_or_default().to_owned()
}

fn told(intuit: &FakeIntuit) -> String {
    let notices = *intuit.notices().borrow();
    format!(
        "{} changes to tell: {} acknowledged, {} lost on purpose, {} given up, {} waiting; {} posts",
        notices.happened,
        notices.acknowledged,
        notices.lost,
        notices.given_up,
        notices.waiting(),
        notices.posts
    )
}

fn introduce(options: &CompanyOptions, intuit: &FakeIntuit, realms: &[String], seed: u64) {
    let base = intuit.base_url();
    let redirect_uri = options.redirect_uri.clone().unwrap_or_else(|| {
        // The relay that is notified is the one that browsers come back to.
        let port = options.notify.as_ref().map_or(8443, Url::port);
        format!("https://localhost:{port}/oauth/callback")
    });
    let trust = options
        .certificate
        .as_ref()
        .map_or_else(String::new, |file| {
            format!("ca_file = {:?}\n", file.display().to_string())
        });
    let curl = format!("curl {base}/simulate");
    say_lines(format_args!(
        r#"Simulated Intuit at {base}
companies: {companies}
seed: {seed} (--seed {seed} does the same again)

For the relay's configuration:

[[app]]
name = "simulated"
environment = "{environment}"
client_id = "{client_id}"
client_secret = "{client_secret}"
redirect_uri = "{redirect_uri}"
authorize_url = "{authorize}"
token_url = "{token}"
revoke_url = "{revoke}"
api_url = "{api}"
{trust}
To change something, to break something, to see what was asked:

  {curl}/changes -d '{{"changes": [{{"kind": "Invoice", "operation": "create"}}]}}'
  {curl}/faults -d '{{"rules": [{{"fault": "throttled", "shape": "xml-429", "times": 1}}]}}'
  {curl}/calls

It goes on until Ctrl-C.
"#,
        companies = realms.join(", "),
        environment = options.environment.as_str(),
        client_id = options.client_id,
        client_secret = options.client_secret,
        authorize = intuit.authorize_url(),
        token = intuit.token_url(),
        revoke = intuit.revoke_url(),
        api = intuit.api_url(options.environment),
    ));
}

impl Calls {
    /// The newest requests, those left out that were among the first so many.
    fn newer_than(&self, shown: u64) -> impl Iterator<Item = &Asked> {
        let new = usize::try_from(self.noted().saturating_sub(shown)).unwrap_or(usize::MAX);
        self.log.iter().skip(self.log.len().saturating_sub(new))
    }
}
