//! `company forget`: erases everything that is kept of a company, through the running relay, or in the
//! journal itself where none runs.

use super::{ask, block_on, configuration, direct};
use crate::cli::{ConfigArgs, Exit};
use crate::clock::{Clock, System};
use crate::config::Config;
use crate::journal::{ForgottenCompany, Journal};
use crate::model::{RealmId, Standing, Timestamp};
use crate::run::control_socket;
use crate::server::admin::Order;
use crate::terminal::{Tint, complain, say, say_json, tinted};
use clap::Args;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Which company, and how.
#[derive(Args, Debug)]
pub struct Options {
    /// Its number at Intuit (realm id).
    realm: String,
    /// Say what would be erased, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Disconnect it first, where it is connected.
    #[arg(long)]
    disconnect: bool,
    /// What was erased as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let Some(realm) = RealmId::new(options.realm.clone()) else {
        complain(format_args!(
            "\"{}\" is not the number of a company",
            options.realm
        ));
        return Exit::Failure;
    };
    let (config, _) = match configuration(&options.config.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let wish = json!({ "dry_run": options.dry_run, "disconnect": options.disconnect });
    match block_on(carry_out(&realm, &wish, &config)) {
        Ok(Ok(done)) => {
            if options.json {
                say_json(format_args!("{done:#}"));
            } else {
                show(&done);
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

async fn carry_out(
    realm: &RealmId,
    wish: &Value,
    config: &Config,
) -> Result<Value, (Exit, String)> {
    let failed = |error: &dyn std::fmt::Display| (Exit::Failure, error.to_string());
    let socket = control_socket(&config.journal);
    let path = format!("/companies/{realm}/forget");
    let asked = ask::ask(&socket, Method::POST, &path, wish.to_string().into_bytes()).await;
    let (status, answer) = match asked {
        Ok(answered) => answered,
        Err(ask::Error::NotRunning { .. }) => return by_myself(realm, wish, config).await,
        Err(error) => return Err(failed(&error)),
    };
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| failed(&error))?;
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let why = answer.get("error").and_then(Value::as_str);
    let why = why.unwrap_or("refused without a reason");
    Err((Exit::Failure, why.to_owned()))
}

/// No relay runs: its journal is opened in its place.
async fn by_myself(
    realm: &RealmId,
    wish: &Value,
    config: &Config,
) -> Result<Value, (Exit, String)> {
    let call = Order::Forget(realm.clone(), wish.clone()).change();
    let act = async |journal: &Journal| forget(journal, realm, wish, System.now()).await;
    direct::change(config, call, act).await
}

async fn forget(
    journal: &Journal,
    realm: &RealmId,
    wish: &Value,
    now: Timestamp,
) -> Result<Value, String> {
    let mut warning = None;
    if may_be_forgotten(journal, realm, wish).await? == Need::Disconnecting {
        let gone = journal.set_standing(realm, Standing::Disconnected, now);
        gone.await.map_err(|error| error.to_string())?;
        warning = Some(
            "not revoked at Intuit, because no relay runs; disconnect the app in QuickBooks too"
                .to_owned(),
        );
    }
    let done = journal.forget_company(realm, now, flag(wish, "dry_run"));
    let done = done.await.map_err(|error| error.to_string())?;
    told(realm, wish, &done, warning.as_deref())
}

/// What has to be done before a company can be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// It is connected, and it is wished that it is disconnected.
    Disconnecting,
}

/// Looks whether a company may be forgotten; says what to do when not.
pub(crate) async fn may_be_forgotten(
    journal: &Journal,
    realm: &RealmId,
    wish: &Value,
) -> Result<Need, String> {
    let companies = journal.companies().await;
    let companies = companies.map_err(|error| error.to_string())?;
    let is_connected = companies
        .iter()
        .any(|company| company.realm == *realm && company.standing != Standing::Disconnected);
    match (
        is_connected && !flag(wish, "dry_run"),
        flag(wish, "disconnect"),
    ) {
        (false, _) => Ok(Need::Nothing),
        (true, true) => Ok(Need::Disconnecting),
        (true, false) => Err(format!(
            "company {realm} is connected; disconnect it first (qbo-relay company disconnect {realm}), \
             or add --disconnect"
        )),
    }
}

/// What was done, as the command line shows it; an error where there was nothing to forget.
pub(crate) fn told(
    realm: &RealmId,
    wish: &Value,
    done: &ForgottenCompany,
    warning: Option<&str>,
) -> Result<Value, String> {
    let erased = &done.erased;
    if erased.is_nothing() && done.set_aside.is_empty() {
        // Not which: the audit has this sentence, and nothing of it is to be left.
        return Err("nothing is kept of this company".into());
    }
    let warnings: Vec<&str> = warning.into_iter().chain(done.warning.as_deref()).collect();
    let files = done.set_aside.iter();
    let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    Ok(json!({
        "realm": realm.as_str(),
        "dry_run": flag(wish, "dry_run"),
        "receipts": erased.receipts,
        "receipts_cut": erased.cut,
        "changes": erased.changes,
        "records": erased.records,
        "events": erased.events,
        "instances": erased.instances,
        "set_aside": files,
        "warnings": warnings,
    }))
}

fn flag(wish: &Value, key: &str) -> bool {
    wish.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn show(done: &Value) {
    let number = |key: &str| done.get(key).and_then(Value::as_u64).unwrap_or(0);
    let list = |key: &str| -> Vec<String> {
        let all = done.get(key).and_then(Value::as_array);
        let words = all.into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    let is_dry = done.get("dry_run") == Some(&Value::Bool(true));
    let realm = done.get("realm").and_then(Value::as_str).unwrap_or("-");
    let verb = if is_dry { "would be erased" } else { "erased" };
    say(format_args!("of company {realm} {verb}:"));
    for (key, what) in [
        ("receipts", "deliveries"),
        (
            "receipts_cut",
            "deliveries of other companies too, without its part",
        ),
        ("changes", "changes"),
        ("records", "last states of records"),
        ("instances", "element instances"),
        ("events", "entries of the event log"),
    ] {
        say(format_args!("  {:>7} {what}", number(key)));
    }
    for file in list("set_aside") {
        say(format_args!("  the damaged journal {file}"));
    }
    for warning in list("warnings") {
        say(format_args!("{} {warning}", tinted(Tint::Yellow, "but:")));
    }
    if !is_dry {
        say("what Intuit notifies of it from now on is taken in again");
    }
}
