//! `replay`: sends changes again, through the running relay, or by a note in the journal that the
//! next start acts upon.

pub(crate) mod form;

use super::{ask, block_on, configuration};
use crate::cli::{ConfigArgs, Exit};
use crate::clock::{Clock, System};
use crate::config::Config;
use crate::journal::{Journal, Settings};
use crate::run::control_socket;
use crate::terminal::{complain, say};
use clap::Args;
use form::Form;
use http::{Method, StatusCode};
use serde_json::Value;

/// What to send again, and where.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    config: ConfigArgs,
    /// One change, by its id or its number in the journal.
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to", "realm", "entity", "since", "until", "dead_letters"])]
    change: Option<String>,
    /// The changes from this number on.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["realm", "entity", "since", "until", "dead_letters"])]
    from: Option<i64>,
    /// The changes up to this number.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["realm", "entity", "since", "until", "dead_letters"])]
    to: Option<i64>,
    /// The changes of this company.
    #[arg(long, value_name = "ID")]
    realm: Option<String>,
    /// The changes of records of this kind, or of one record: `Invoice`, `Invoice/130`.
    #[arg(long, value_name = "ENTITY")]
    entity: Option<String>,
    /// The changes received at this time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The changes received before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The dead letters that nobody has replayed.
    #[arg(long, conflicts_with_all = ["realm", "entity", "since", "until"])]
    dead_letters: bool,
    /// Only to this sink; may be given several times.
    #[arg(long = "sink", value_name = "NAME")]
    sinks: Vec<String>,
    /// Say what would go where, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// The plan as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let (config, _) = match configuration(&options.config.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let form = Form {
        dry_run: options.dry_run,
        dead_letters: options.dead_letters,
        change: options.change.clone(),
        from: options.from,
        to: options.to,
        realm: options.realm.clone(),
        entity: options.entity.clone(),
        since: options.since.clone(),
        until: options.until.clone(),
        sinks: options.sinks.clone(),
    };
    match block_on(carry_out(&form, &config)) {
        Ok(Ok(plan)) => {
            if options.json {
                say(plan);
            } else {
                show(&plan);
            }
            Exit::Success
        }
        Ok(Err((exit, message))) => {
            complain(message);
            exit
        }
        Err(error) => {
            complain(error);
            Exit::Failure
        }
    }
}

async fn carry_out(form: &Form, config: &Config) -> Result<Value, (Exit, String)> {
    let failed = |error: &dyn std::fmt::Display| (Exit::Failure, error.to_string());
    let body = serde_json::to_vec(form).map_err(|error| failed(&error))?;
    let socket = control_socket(&config.journal);
    let (status, answer) = match ask::ask(&socket, Method::POST, "/replay", body).await {
        Ok(answered) => answered,
        Err(ask::Error::NotRunning { .. }) => return by_myself(form, config).await,
        Err(error) => return Err(failed(&error)),
    };
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| failed(&error))?;
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let why = answer
        .get("error")
        .and_then(Value::as_str)
        .unwrap_or("refused without a reason");
    Err((Exit::Failure, why.to_owned()))
}

/// No relay runs: its journal is opened in its place, and the requests wait there for the next start.
async fn by_myself(form: &Form, config: &Config) -> Result<Value, (Exit, String)> {
    if !config.journal.exists() {
        return Err((
            Exit::Journal,
            format!("there is no journal at {}", config.journal.display()),
        ));
    }
    let settings = Settings {
        path: config.journal.clone(),
        bytes_max: config.journal_bytes_max,
        keep: config.journal_keep,
        sinks: config.sinks.iter().map(|sink| sink.name.clone()).collect(),
        limits: config.limits.clone(),
    };
    let journal = Journal::open(settings, System.now())
        .map_err(|error| (Exit::Journal, error.to_string()))?;
    let plan = form.carry_out(&journal, System.now()).await;
    let closed = journal
        .close()
        .await
        .map_err(|error| (Exit::Journal, error.to_string()));
    let plan = plan.map_err(|why| (Exit::Failure, why))?;
    closed.map(|()| plan)
}

fn show(plan: &Value) {
    let text = |value: &Value, key: &str| match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "-".into(),
    };
    let planned = plan
        .get("planned")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for row in &planned {
        say(format_args!(
            "{}  {:<22} company {} no. {:<6} received {}  to {}",
            text(row, "id"),
            text(row, "entity"),
            text(row, "company"),
            text(row, "sequence"),
            text(row, "received_at"),
            text(row, "sink")
        ));
    }
    let dry = plan.get("dry_run") == Some(&Value::Bool(true));
    let verb = if dry {
        "would be sent again"
    } else {
        "will be sent again"
    };
    say(format_args!("{} {verb}", planned.len()));
    for (key, why) in [
        (
            "waiting",
            "left out: the sink has yet to get them in the ordinary course",
        ),
        ("under_way", "left out: a replay of them is under way"),
    ] {
        if plan.get(key).and_then(Value::as_u64).unwrap_or(0) > 0 {
            say(format_args!("{} {why}", text(plan, key)));
        }
    }
    if plan.get("more_from").is_some_and(Value::is_number) {
        say(format_args!(
            "there is more; go on with --from {}",
            text(plan, "more_from")
        ));
    }
}
