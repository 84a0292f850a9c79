//! What a command has the journal do: through the running relay, or, when none runs, by opening the
//! journal in its place.

use super::replay::form::{Form, realm, sinks, time};
use super::{ask, block_on, direct};
use crate::cli::Exit;
use crate::clock::{Clock, System};
use crate::config::Config;
use crate::journal::{DeadFilter, Journal, ReplayFilter, UnreadableFilter};
use crate::model::{ChangeId, Seq, Timestamp};
use crate::run::control_socket;
use crate::server::admin::Order;
use crate::terminal::complain;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// More than so many at once are asked about first.
pub(crate) const MANY: u64 = 100;

/// What is to be done, as it travels over the control socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Errand {
    /// Send again.
    Replay(Form),
    /// End replays that are not done.
    Cancel(Among),
    /// Put dead letters aside.
    Discard(Among),
    /// Acknowledge what was not understood.
    Acknowledge(Receipts),
}

/// Which dead letters or replays.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Among {
    pub(crate) sinks: Vec<String>,
    pub(crate) company: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
}

/// Which receipts; none named: all of that time.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Receipts {
    pub(crate) numbers: Vec<i64>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
}

impl Among {
    /// The same for the journal.
    pub(crate) fn filter(&self) -> Result<DeadFilter, String> {
        Ok(DeadFilter {
            sinks: sinks(&self.sinks)?,
            realm: realm(self.company.as_ref())?,
            id: self
                .event
                .as_ref()
                .map(|id| ChangeId(id.to_ascii_lowercase())),
            since: time(self.since.as_ref())?,
            until: time(self.until.as_ref())?,
        })
    }
}

impl Receipts {
    /// The same for the journal.
    pub(crate) fn filter(&self) -> Result<UnreadableFilter, String> {
        let numbers = self.numbers.iter().map(|number| Seq(*number));
        Ok(UnreadableFilter {
            receipts: (!self.numbers.is_empty()).then(|| numbers.collect()),
            since: time(self.since.as_ref())?,
            until: time(self.until.as_ref())?,
        })
    }
}

impl Errand {
    /// Has it done, and says on stderr what went wrong.
    pub(crate) fn run(&self, config: &Config) -> Result<Value, Exit> {
        let done = block_on(self.send(config)).map_err(|error| {
            complain(error);
            Exit::Failure
        })?;
        done.map_err(|(exit, why)| {
            complain(why);
            exit
        })
    }

    async fn send(&self, config: &Config) -> Result<Value, (Exit, String)> {
        let failed = |error: &dyn std::fmt::Display| (Exit::Failure, error.to_string());
        let body = serde_json::to_vec(self).map_err(|error| failed(&error))?;
        let socket = control_socket(&config.journal);
        let (status, answer) = match ask::ask(&socket, Method::POST, "/replay", body).await {
            Ok(answered) => answered,
            Err(ask::Error::NotRunning { .. }) => return self.by_myself(config).await,
            Err(error) => return Err(failed(&error)),
        };
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| failed(&error))?;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let why = answer.get("error").and_then(Value::as_str);
        Err(failed(&why.unwrap_or("refused without a reason")))
    }

    /// No relay runs: its journal is opened in its place, and replays wait there for the next start.
    async fn by_myself(&self, config: &Config) -> Result<Value, (Exit, String)> {
        let order = serde_json::to_value(self).map(Order::Replay);
        let order = order.map_err(|error| (Exit::Failure, error.to_string()))?;
        let act = async |journal: &Journal| self.carry_out(journal, System.now()).await;
        direct::change(config, order.change(), act).await
    }

    /// Does it.
    ///
    /// # Errors
    /// One sentence that says which part of it cannot be meant, or what the journal said.
    pub(crate) async fn carry_out(
        &self,
        journal: &Journal,
        now: Timestamp,
    ) -> Result<Value, String> {
        let text = |error: crate::journal::Error| error.to_string();
        match self {
            Self::Replay(form) => form.carry_out(journal, now).await,
            Self::Cancel(among) => {
                let filter = ReplayFilter {
                    sinks: sinks(&among.sinks)?,
                    realm: realm(among.company.as_ref())?,
                };
                let count = journal.cancel_replays(filter, now).await.map_err(text)?;
                Ok(json!({ "cancelled": count }))
            }
            Self::Discard(among) => {
                let done = journal.discard_dead(among.filter()?, false, now).await;
                Ok(json!({ "discarded": done.map_err(text)? }))
            }
            Self::Acknowledge(receipts) => {
                let filter = receipts.filter()?;
                let done = journal.acknowledge_unreadable(filter, false, now).await;
                Ok(json!({ "acknowledged": done.map_err(text)? }))
            }
        }
    }
}

/// Asks first where it is about many; says what to do where nobody can be asked.
pub(crate) fn meant(count: u64, what: &str, yes: bool) -> Result<(), Exit> {
    if yes || count <= MANY {
        return Ok(());
    }
    match crate::terminal::confirmed(format_args!("{count} {what}. Go on?")) {
        Some(true) => return Ok(()),
        Some(false) => complain("nothing was done"),
        None => complain(format_args!(
            "{count} {what}: say so with --yes if that is meant, or look first with --dry-run"
        )),
    }
    Err(Exit::Failure)
}
