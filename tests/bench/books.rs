//! What reading companies costs: calls for a thousand notifications, the time until a notification
//! is reconciled, and a daily sweep over thirty companies.
//!
//! The simulated Intuit runs in this process, without a limit on calls; times include it.

use crate::{Mishap, raw};
use qbo_relay::clock::{Clock, Manual};
use qbo_relay::journal::Journal;
use qbo_relay::model::{
    AppName, Authenticity, Company, Encoding, Environment, Origin, RealmId, Receipt, Secret,
    Standing, Tally, Timestamp, TokenSet,
};
use qbo_relay::qbo::{App, Endpoints, Settings};
use qbo_relay::rules::company::Plan;
use qbo_relay::simulate::books::Happening;
use qbo_relay::simulate::company::{Chance, PayloadForm};
use qbo_relay::simulate::intuit_company::notices::payload;
use qbo_relay::simulate::intuit_company::{Call, CompanyFacts, FakeIntuit, Options};
use qbo_relay::tls::client::{Trust, client_config};
use qbo_relay::vault::Vault;
use qbo_relay::worker::company::{Access, Companies};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// 2026-11-21T12:00:00Z.
const NOON: Timestamp = Timestamp::from_ms(1_795_262_400_000);
const COMPANIES: usize = 30;
const RECORDS: u64 = 100_000;
const NOTIFIED: usize = 1000;

/// Intuit, a journal, and the tasks that read.
struct Scene {
    clock: Arc<Manual>,
    intuit: FakeIntuit,
    journal: Journal,
    stop: watch::Sender<bool>,
}

/// Prints all three.
pub(crate) async fn measure(folder: &Path) -> Result<(), Mishap> {
    let scene = Scene::set(folder).await?;
    scene.notifications().await?;
    scene.sweep().await?;
    scene.stop.send_replace(true);
    Ok(())
}

fn realm(number: usize) -> String {
    (4_620_816_365_000_001 + number).to_string()
}

impl Scene {
    async fn set(folder: &Path) -> Result<Self, Mishap> {
        let clock = Arc::new(Manual::new(NOON.minus(Duration::from_secs(600))));
        let company = |number| CompanyFacts {
            realm: realm(number),
            environment: Environment::Production,
        };
        let intuit = FakeIntuit::start(Options {
            clock: clock.clone(),
            companies: (0..COMPANIES).map(company).collect(),
            pace: None,
            ..Options::default()
        })
        .await?;
        let journal = raw::open(&folder.join("books.db"))?;
        let vault = Arc::new(Vault::open_or_make(&folder.join("books.key"))?);
        clock.set(NOON);
        for number in 0..COMPANIES {
            connect(&intuit, &journal, &vault, &realm(number)).await?;
        }
        let name = AppName::new("bench").ok_or("no name")?;
        let tls = client_config(Trust::nobody(), None)?;
        let (production, redirect) = (Environment::Production, "https://gw.example/oauth/callback");
        let secret = Secret::new("secret");
        let mut settings = Settings::new(name.clone(), production, "client", secret, redirect, tls);
        settings.endpoints = Endpoints {
            token: intuit.token_url(),
            api_production: intuit.api_url(production),
            ..Endpoints::default()
        };
        let access = Access {
            quickbooks: App::new(settings)?,
            calls_max: None,
        };
        let time: Arc<dyn Clock> = clock.clone();
        let plan = Plan {
            settle: Duration::ZERO,
            ..Plan::default()
        };
        let mut companies = Companies::new(
            journal.clone(),
            vault,
            [(name, access)].into(),
            plan,
            time,
            Arc::new(Tally::default()),
        );
        companies.tick = Duration::from_millis(5);
        companies.interval = Duration::from_micros(100);
        let stop = watch::Sender::new(false);
        tokio::spawn(companies.run(stop.subscribe()));
        Ok(Self {
            clock,
            intuit,
            journal,
            stop,
        })
    }

    fn calls(&self) -> u64 {
        let calls = self.intuit.calls();
        calls.all(Call::Capture) + calls.all(Call::Query)
    }

    async fn notifications(&self) -> Result<(), Mishap> {
        let mut chance = Chance::new(7);
        let books = self.intuit.books(&realm(0)).ok_or("no company")?;
        for (title, burst) in [("one by one", 1), ("20 at a time", 20)] {
            let before = self.calls();
            let mut times = Vec::new();
            for _ in 0..NOTIFIED / burst {
                self.clock
                    .set(self.clock.now().plus(Duration::from_secs(30)));
                let happened: Result<Vec<Happening>, _> =
                    (0..burst).map(|_| books.random(&mut chance)).collect();
                let began = Instant::now();
                self.journal
                    .append(receipt(&happened?, self.clock.now()))
                    .await?;
                self.reconciled(&realm(0)).await?;
                times.push(began.elapsed());
            }
            times.sort_unstable();
            let at = |percent: usize| times.get((times.len() - 1) * percent / 100);
            let ms = |span: Option<&Duration>| span.map_or(0.0, |span| span.as_secs_f64() * 1e3);
            println!(
                "{NOTIFIED} notifications of one company, {title}: {} calls; from the commit to the \
                 reconciled change half within {:.1} ms, 99 % within {:.1} ms, beside `settle`",
                self.calls() - before,
                ms(at(50)),
                ms(at(99)),
            );
        }
        Ok(())
    }

    /// Waits until nothing that was notified waits to be reconciled.
    async fn reconciled(&self, realm: &str) -> Result<(), Mishap> {
        let realm = RealmId::new(realm).ok_or("no company")?;
        let mut wake = self.journal.subscribe(&realm);
        loop {
            wake.mark_unchanged();
            let view = self.journal.company_view(&realm).await?;
            if view.is_some_and(|view| view.notified.is_empty()) {
                return Ok(());
            }
            wake.changed().await?;
        }
    }

    async fn sweep(&self) -> Result<(), Mishap> {
        let old = NOON.minus(Duration::from_secs(40 * 86_400));
        for number in 0..COMPANIES {
            let books = self.intuit.books(&realm(number)).ok_or("no company")?;
            for kind in ["Customer", "Item", "Invoice", "Payment", "Bill"] {
                books.fill(kind, RECORDS / 5, old);
            }
            for _ in 0..20 {
                books.quietly().create("Invoice")?;
            }
        }
        let before = self.calls();
        let (began, cpu) = (Instant::now(), cpu());
        let next_noon = NOON.plus(Duration::from_secs(86_400));
        self.clock.set(next_noon);
        for number in 0..COMPANIES {
            self.swept(&realm(number), next_noon).await?;
        }
        println!(
            "a daily sweep over {COMPANIES} companies of {RECORDS} records, 20 of each new and not \
             notified: {} calls in {:.1} s, {:.1} s of processor time with the simulated Intuit's",
            self.calls() - before,
            began.elapsed().as_secs_f64(),
            (self::cpu() - cpu).as_secs_f64(),
        );
        Ok(())
    }

    /// Waits until the sweep of a company is done that was due then.
    async fn swept(&self, realm: &str, since: Timestamp) -> Result<(), Mishap> {
        let realm = RealmId::new(realm).ok_or("no company")?;
        let began = Instant::now();
        loop {
            let view = self.journal.company_view(&realm).await?;
            if view.is_some_and(|view| view.swept_at.is_some_and(|at| at >= since)) {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(120) {
                return Err(format!("company {realm} was not swept").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    // utime and stime, in hundredths of a second (proc(5)).
    Duration::from_millis(10 * (ticks(12).unwrap_or(0) + ticks(13).unwrap_or(0)))
}

fn receipt(happened: &[Happening], now: Timestamp) -> Receipt {
    let body = payload(PayloadForm::Cloudevents, happened);
    let decoded = qbo_relay::wire::decode(&body, 1000);
    Receipt {
        received_at: now,
        source: "bench".into(),
        authenticity: Authenticity::Signed,
        origin: Origin::Webhook,
        encoding: Encoding::Json,
        form: decoded.form,
        headers: Vec::new(),
        body: body.into(),
        items: decoded.items,
    }
}

async fn connect(
    intuit: &FakeIntuit,
    journal: &Journal,
    vault: &Vault,
    realm: &str,
) -> Result<(), Mishap> {
    let granted = intuit.authorize("client", realm).ok_or("no consent")?;
    let tokens = TokenSet {
        access: Secret::new(granted.access),
        // The clock of a benchmark jumps; renewing is not what is measured.
        access_expires_at: NOON.plus(Duration::from_secs(3600)),
        refresh: Secret::new(granted.refresh),
        refresh_expires_at: NOON.plus(granted.refresh_for),
        hard_expires_at: None,
    };
    let company = Company {
        realm: RealmId::new(realm).ok_or("no company")?,
        app: AppName::new("bench").ok_or("no name")?,
        environment: Environment::Production,
        connected_at: NOON,
        standing: Standing::Connected,
        standing_since: NOON,
        access_expires_at: Some(tokens.access_expires_at),
        refresh_expires_at: Some(tokens.refresh_expires_at),
        hard_expires_at: None,
    };
    let sealed = vault.seal(realm, &tokens)?;
    journal.connect_company(company, sealed, NOON).await?;
    Ok(())
}
