//! `[instances]`: the Open Connectors interface, and what leaves for the instances that are made by it.

use super::file as table;
use super::reader::Reader;
use super::unit::Span;
use crate::tls::client;
use crate::wire::outgoing::open_connectors::OpenConnectors;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// The Open Connectors interface, as it is configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstancesConfig {
    /// Whether it is served at all, and whether anything leaves for the instances there are.
    pub enabled: bool,
    /// Whether callbacks may lead to loopback and private addresses.
    pub private_callbacks: bool,
    /// Whether callbacks may go to `http` addresses, without TLS.
    pub plain_callbacks: bool,
    /// Pauses after the first failed attempts of a callback; after the last of them the subscription
    /// is paused.
    pub retry_delays: Vec<Duration>,
    /// PEM: whom callbacks trust instead of the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// For a whole attempt.
    pub timeout: Duration,
    /// `user` of every callback.
    pub user: String,
    /// `accountId` of every callback.
    pub account_id: u32,
    /// `companyId` of every callback: a customer of the platform, not a QuickBooks company.
    pub company_id: u32,
    /// `userId` of every callback, and the owner of every instance.
    pub user_id: u32,
}

/// Five attempts after the first, 8^x seconds after its failure (the events documentation of Cloud
/// Elements): each pause is the difference to the one before.
pub(super) const DEFAULT_RETRY_DELAYS_S: [u64; 5] = [8, 56, 448, 3_584, 28_672];
const RETRY_DELAYS_MAX: usize = 100;
/// Shorter pauses would only make a receiver that struggles struggle harder.
const LEAST_DELAY: Duration = Duration::from_millis(100);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);
const MOST_TIMEOUT: Duration = Duration::from_secs(120);
/// The longest address of a mailbox (RFC 5321 section 4.5.3.1).
const USER_BYTES_MAX: usize = 320;

pub(super) fn instances(table: &table::Instances, reader: &mut Reader<'_>) -> InstancesConfig {
    let default = OpenConnectors::default();
    let flag = |given: &Option<Spanned<bool>>, default| {
        given.as_ref().map_or(default, |flag| *flag.get_ref())
    };
    InstancesConfig {
        enabled: flag(&table.enabled, true),
        private_callbacks: flag(&table.private_callbacks, false),
        plain_callbacks: flag(&table.plain_callbacks, false),
        retry_delays: retry_delays(table.retry_delays.as_ref(), reader),
        ca_file: ca_file(table.ca_file.as_ref(), reader),
        timeout: timeout(table.timeout.as_ref(), reader),
        user: user(table.user.as_ref(), default.user, reader),
        account_id: number(table.account_id.as_ref(), default.account_id, reader),
        company_id: number(table.company_id.as_ref(), default.company_id, reader),
        user_id: number(table.user_id.as_ref(), default.user_id, reader),
    }
}

fn retry_delays(given: Option<&Spanned<Vec<Span>>>, reader: &mut Reader<'_>) -> Vec<Duration> {
    let Some(given) = given else {
        return DEFAULT_RETRY_DELAYS_S.map(Duration::from_secs).to_vec();
    };
    let delays: Vec<Duration> = given.get_ref().iter().map(|delay| delay.0).collect();
    let is_slow = delays.iter().all(|delay| *delay >= LEAST_DELAY);
    if !is_slow || delays.len() > RETRY_DELAYS_MAX {
        let why = "[instances] retry_delays has at most 100 spans of at least 100 ms";
        reader.error(&given.span(), why);
    }
    delays
}

fn ca_file(given: Option<&Spanned<PathBuf>>, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let given = given?;
    let path = reader.resolve(given.get_ref());
    if let Err(error) = client::file_roots(&path) {
        reader.error(&given.span(), error.to_string());
    }
    Some(path)
}

fn timeout(given: Option<&Spanned<Span>>, reader: &mut Reader<'_>) -> Duration {
    let Some(given) = given else {
        return DEFAULT_TIMEOUT;
    };
    let span = given.get_ref().0;
    if !(LEAST_TIMEOUT..=MOST_TIMEOUT).contains(&span) {
        let why = "[instances] timeout is between 1 s and 120 s";
        reader.error(&given.span(), why);
    }
    span
}

fn user(given: Option<&Spanned<String>>, default: String, reader: &mut Reader<'_>) -> String {
    let Some(given) = given else { return default };
    let user = given.get_ref();
    let is_long = user.len() > USER_BYTES_MAX;
    if user.is_empty() || is_long || user.chars().any(char::is_control) {
        let why = "[instances] user has 1 to 320 characters, usually an address for mail";
        reader.error(&given.span(), why);
    }
    user.clone()
}

/// Clients read these numbers into 32 bits with a sign.
fn number(given: Option<&Spanned<u32>>, default: u32, reader: &mut Reader<'_>) -> u32 {
    let Some(given) = given else { return default };
    let number = *given.get_ref();
    if !(1..=0x7fff_ffff).contains(&number) {
        let why = "account_id, company_id and user_id are between 1 and 2147483647";
        reader.error(&given.span(), why);
    }
    number
}
