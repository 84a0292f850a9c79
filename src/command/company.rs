//! `company`: the QuickBooks companies that the relay may read.

use super::{ask, journal_path};
use crate::cli::{ConfigArgs, Exit};
use crate::run::control_socket;
use crate::terminal::{Tint, say, say_json, tinted};
use clap::Args;
use http::Method;
use serde_json::Value;

/// How they are shown.
#[derive(Args, Debug)]
pub struct ListOptions {
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Which company.
#[derive(Args, Debug)]
pub struct DisconnectOptions {
    /// Its number at Intuit (realm id).
    realm: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Which company.
#[derive(Args, Debug)]
pub struct ApproveOptions {
    /// Its number at Intuit (realm id).
    realm: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Lets a company be read that waits for approval.
pub fn approve(options: &ApproveOptions) -> Exit {
    let path = format!("/companies/{}/approve", options.realm);
    match order(&options.config, Method::POST, &path) {
        Ok(_) => say(tinted(Tint::Green, "approved; it is read from now on")),
        Err(exit) => return exit,
    }
    Exit::Success
}

/// Lists them.
pub fn list(options: &ListOptions) -> Exit {
    match order(&options.config, Method::GET, "/companies") {
        Ok(companies) if options.json => say_json(format_args!("{companies:#}")),
        Ok(companies) => show(&companies),
        Err(exit) => return exit,
    }
    Exit::Success
}

/// Ends a connection: the tokens are revoked at Intuit and forgotten.
pub fn disconnect(options: &DisconnectOptions) -> Exit {
    let path = format!("/companies/{}/disconnect", options.realm);
    let done = match order(&options.config, Method::POST, &path) {
        Ok(done) => done,
        Err(exit) => return exit,
    };
    match done.get("warning").and_then(Value::as_str) {
        Some(warning) => say(format_args!(
            "{} {warning}",
            tinted(Tint::Yellow, "disconnected,")
        )),
        None => say(tinted(Tint::Green, "disconnected, and revoked at Intuit")),
    }
    Exit::Success
}

fn order(config: &ConfigArgs, method: Method, path: &str) -> Result<Value, Exit> {
    let socket = control_socket(&journal_path(config)?);
    ask::order(&socket, method, path, &Value::Null)
}

fn show(companies: &Value) {
    let word = |company: &Value, key: &str| {
        let word = company.get(key).and_then(Value::as_str);
        word.unwrap_or("-").to_owned()
    };
    let companies = companies.get("companies").and_then(Value::as_array);
    let Some(companies) = companies.filter(|companies| !companies.is_empty()) else {
        return say("no company is connected; begin with: qbo-relay connect");
    };
    for company in companies {
        let standing = word(company, "standing");
        let tint = match standing.as_str() {
            "connected" => Tint::Green,
            "disconnected" => Tint::Dim,
            _ => Tint::Red,
        };
        say(format_args!(
            "{}  {}  app {} ({}), since {}",
            word(company, "realm"),
            tinted(tint, &standing),
            word(company, "app"),
            word(company, "environment"),
            word(company, "standing_since"),
        ));
        if let Some(why) = company.get("why").and_then(Value::as_str) {
            say(format_args!("    {why}"));
        }
        if standing == "awaits approval" {
            let realm = word(company, "realm");
            say(format_args!(
                "    approve it: qbo-relay company approve {realm}"
            ));
        }
    }
}
