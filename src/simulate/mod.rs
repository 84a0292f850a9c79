//! `simulate`: acts as Intuit towards a relay, good manners and bad ones included: it posts
//! notifications, or (`--company`) it is a whole Intuit with companies that can be read.

pub mod books;
pub mod company;
mod insecure;
mod intuit;
pub mod intuit_company;
mod report;
pub mod sender;

use crate::cli::Exit;
use crate::clock::{Clock, System};
use crate::model::{Secret, access};
use crate::terminal::{complain, say, say_lines};
use crate::tls::client;
use crate::wire::text;
use crate::wire::url::Url;
use clap::Args;
pub use insecure::client_config as insecure_client;

use company::{Chance, Companies, PayloadForm};
use http::StatusCode;
use intuit::Intuit;
use intuit_company::command::{Common, CompanyOptions};
use report::Report;
use sender::Sender;
use std::collections::VecDeque;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// What to send, where, and how.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address that takes notifications, such as <https://gw.example/qbowebhook>.
    #[arg(required_unless_present = "company")]
    url: Option<Url>,
    /// File with the verifier token that signs the payloads.
    #[arg(long, value_name = "FILE", required_unless_present = "company")]
    token_file: Option<PathBuf>,
    /// PEM file with the roots to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long, conflicts_with = "ca_file")]
    insecure: bool,
    /// Posts to send.
    #[arg(long, default_value_t = 10)]
    count: u64,
    /// Posts a second, as fast as the answers come when not given; with `--company`, changes a
    /// second, one in five seconds when not given.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Connections that send at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Changes in each payload.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    events_per_post: u16,
    /// Companies that the changes are spread over.
    #[arg(long, default_value_t = 1)]
    realms: u64,
    /// Form of the payloads.
    #[arg(long, value_enum, default_value_t = PayloadForm::Cloudevents)]
    format: PayloadForm,
    /// Of 100 posts, so many repeat an earlier one (expected answer: 200).
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    repeat: u8,
    /// Of 100 posts, so many are signed with a wrong token (expected answer: 403).
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    forge: u8,
    /// Of 100 posts, so many are signed well but are not JSON (expected answer: 200).
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    malform: u8,
    /// Send every second payload before the one that happened earlier.
    #[arg(long)]
    disorder: bool,
    /// Try again what was not acknowledged, on Intuit's schedule (10 s, 20 s, 30 s, 5 min, ...), so many times; with `--company` 100 times when not given.
    #[arg(long, value_name = "TIMES")]
    retries: Option<u16>,
    /// Divide the pauses of that schedule by this.
    #[arg(long, value_name = "FACTOR", default_value_t = 1)]
    hurry: u32,
    /// Append the body of each acknowledged post to this file, one a line.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The same seed sends the same payloads (their times aside); a random one, which is printed, when
    /// not given.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    company: CompanyOptions,
}

/// Another one each time, short enough to be typed: two runs with one seed send the same event ids with
/// other times, which a relay takes for conflicts.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000_000
}

/// What is wrong about a post, if anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    Genuine,
    Repeat,
    Forged,
    Malformed,
}

#[derive(Clone, Debug)]
struct Post {
    body: Vec<u8>,
    events: usize,
    manner: Manner,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format_args!("no threads to work with: {error}"));
            return Exit::Failure;
        }
    };
    let seed = options.seed.unwrap_or_else(random_seed);
    let outcome = if options.company.company {
        be_companies(options, seed).map(|running| runtime.block_on(running))
    } else {
        prepare(options).map(|intuit| {
            say(format_args!(
                "seed {seed}; --seed {seed} sends the same again"
            ));
            let report = runtime.block_on(send_all(options, &intuit, seed));
            say_lines(&report);
            if report.is_as_expected() {
                Exit::Success
            } else {
                Exit::Failure
            }
        })
    };
    outcome.unwrap_or_else(|message| {
        complain(message);
        Exit::Configuration
    })
}

fn be_companies(options: &Options, seed: u64) -> Result<impl Future<Output = Exit>, String> {
    let trust = trust(options.insecure, options.ca_file.as_deref())?;
    let token = options.token_file.as_deref().map(token).transpose()?;
    let mut notify = intuit_company::command::notify(&options.company, token, trust);
    if let Some(notify) = &mut notify {
        notify.form = options.format;
        notify.repeat = options.repeat;
        notify.disorder = if options.disorder { 50 } else { 0 };
        notify.retries = options.retries.unwrap_or(100);
        notify.hurry = options.hurry;
    }
    let common = Common {
        realms: options.realms,
        seed,
        rate: options.rate,
    };
    Ok(intuit_company::command::run(
        &options.company,
        common,
        notify,
    ))
}

fn token(file: &Path) -> Result<Secret, String> {
    let token = std::fs::read(file)
        .map_err(|error| format!("--token-file: {}", access::not_opened(file, &error)))?;
    let refused = |why: &dyn std::fmt::Display| format!("--token-file {} {why}", file.display());
    let text = text::decode(&token).map_err(|error| refused(&error))?;
    text::token(&text).map_err(|error| refused(&error))
}

fn prepare(options: &Options) -> Result<Intuit, String> {
    let (Some(url), Some(file)) = (&options.url, &options.token_file) else {
        return Err("an address and --token-file are needed".into());
    };
    let token = token(file)?;
    let ledger = options.ledger.as_ref().map(|path| {
        let file = File::options().create(true).append(true).open(path);
        file.map_err(|error| format!("--ledger {}: {error}", path.display()))
    });
    Ok(Intuit {
        sender: Sender::new(
            url.clone(),
            trust(options.insecure, options.ca_file.as_deref())?,
        ),
        token: Arc::new(token),
        retries: options.retries.unwrap_or(0),
        hurry: options.hurry.max(1),
        ledger: ledger.transpose()?.map(Arc::new),
    })
}

fn trust(insecure: bool, ca_file: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    if insecure {
        return Ok(insecure_client());
    }
    let roots = match ca_file {
        Some(path) => client::file_roots(path),
        None => client::system_roots(),
    };
    let config = roots.and_then(|roots| client::client_config(roots, None));
    config
        .map(Arc::unwrap_or_clone)
        .map_err(|error| error.to_string())
}

async fn send_all(options: &Options, intuit: &Intuit, seed: u64) -> Report {
    let (posts, queue) = mpsc::channel(usize::from(options.connections));
    let queue = Arc::new(Mutex::new(queue));
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..options.connections {
        senders.spawn(intuit.clone().send_from(Arc::clone(&queue)));
    }
    produce(options, &posts, seed).await;
    drop(posts);
    let mut report = Report::default();
    while let Some(part) = senders.join_next().await {
        report.merge(part.unwrap_or_default());
    }
    report.finish(began.elapsed());
    report
}

/// Makes the posts one after the other and hands them to whichever sender is free.
async fn produce(options: &Options, posts: &mpsc::Sender<Post>, seed: u64) {
    let mut companies = Companies::new(options.realms, seed, System.now());
    let mut chance = Chance::new(seed ^ 0x5eed);
    let mut pace = options
        .rate
        .filter(|rate| *rate > 0.0)
        .map(|rate| tokio::time::interval(Duration::from_secs_f64(1.0 / rate.clamp(0.001, 1e6))));
    let mut earlier: VecDeque<Post> = VecDeque::new();
    let mut held: Option<Post> = None;
    for _ in 0..options.count {
        let post = next_post(options, &mut companies, &mut chance, &mut earlier);
        let turn = match (options.disorder, held.take()) {
            (false, _) => vec![post],
            (true, Some(first)) => vec![post, first],
            (true, None) => {
                held = Some(post);
                continue;
            }
        };
        for post in turn {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            if posts.send(post).await.is_err() {
                return;
            }
        }
    }
    if let Some(last) = held {
        _ = posts.send(last).await;
    }
}

/// How many earlier posts a repeat is chosen from.
const EARLIER_MAX: usize = 16;

fn next_post(
    options: &Options,
    companies: &mut Companies,
    chance: &mut Chance,
    earlier: &mut VecDeque<Post>,
) -> Post {
    let mut happens = |percent: u8| chance.below(100) < u64::from(percent);
    let repeat = happens(options.repeat);
    let forge = happens(options.forge);
    let malform = happens(options.malform);
    let chosen = usize::try_from(chance.below(EARLIER_MAX as u64)).unwrap_or(0);
    if repeat && let Some(post) = earlier.get(chosen.min(earlier.len().saturating_sub(1))) {
        return Post {
            manner: Manner::Repeat,
            ..post.clone()
        };
    }
    let payload = companies.next_payload(options.format, usize::from(options.events_per_post));
    let mut post = Post {
        body: payload.body,
        events: payload.events,
        manner: Manner::Genuine,
    };
    if forge {
        post.manner = Manner::Forged;
    } else if malform {
        // At its beginning, so that nothing of it can be understood.
        post.body.insert(0, b'!');
        post.manner = Manner::Malformed;
    } else {
        earlier.push_front(post.clone());
        earlier.truncate(EARLIER_MAX);
    }
    post
}

impl Manner {
    fn expects(self, status: Option<StatusCode>) -> bool {
        match self {
            Self::Genuine | Self::Repeat | Self::Malformed => status == Some(StatusCode::OK),
            Self::Forged => status == Some(StatusCode::FORBIDDEN),
        }
    }
}
