//! `connect`: asks a person for the consent by which the relay may read a company.

use super::{ask, journal_path};
use crate::cli::{ConfigArgs, Exit};
use crate::run::control_socket;
use crate::terminal::{Tint, complain, say, tinted};
use clap::Args;
use http::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How often the outcome is asked for.
const LOOK: Duration = Duration::from_secs(1);

/// By which app, and how.
#[derive(Args, Debug)]
pub struct Options {
    /// The app, where more than one is configured.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The address that Intuit sent the browser to, where the browser could not reach the gateway;
    /// `-` reads it from stdin.
    #[arg(long, value_name = "ADDRESS")]
    paste: Option<String>,
    /// Print the address to open and do not wait for what comes of it.
    #[arg(long, conflicts_with = "paste")]
    no_wait: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let socket = match journal_path(&options.config) {
        Ok(journal) => control_socket(&journal),
        Err(exit) => return exit,
    };
    let done = match &options.paste {
        Some(address) => paste(&socket, address),
        None => begin(&socket, options),
    };
    done.map_or_else(|exit| exit, |()| Exit::Success)
}

fn begin(socket: &Path, options: &Options) -> Result<(), Exit> {
    let body = json!({ "app": options.app });
    let begun = ask::order(socket, Method::POST, "/connect", &body)?;
    say("Open this address in a browser and sign in to the QuickBooks company:");
    say("");
    say(format_args!(
        "  {}",
        tinted(Tint::Bold, word(&begun, "url"))
    ));
    say("");
    say(
        "It is good for ten minutes, once. If the browser cannot come back to the gateway, copy the",
    );
    say("address that it was sent to, and run: qbo-relay connect --paste 'ADDRESS'");
    if options.no_wait {
        return Ok(());
    }
    let path = format!("/connect/{}", word(&begun, "ticket"));
    loop {
        let outcome = ask::order(socket, Method::GET, &path, &Value::Null)?;
        match word(&outcome, "outcome") {
            "connected" => {
                connected(&outcome);
                return Ok(());
            }
            "refused" => {
                complain(word(&outcome, "why"));
                return Err(Exit::Failure);
            }
            _ => std::thread::sleep(LOOK),
        }
    }
}

fn paste(socket: &Path, address: &str) -> Result<(), Exit> {
    let mut line = String::new();
    let address = if address == "-" {
        let read = std::io::stdin().read_line(&mut line);
        read.map_err(|error| {
            complain(format_args!("stdin cannot be read: {error}"));
            Exit::Failure
        })?;
        line.trim()
    } else {
        address
    };
    let body = json!({ "address": address });
    connected(&ask::order(socket, Method::POST, "/connect/paste", &body)?);
    Ok(())
}

fn connected(outcome: &Value) {
    say(format_args!(
        "{} company {}",
        tinted(Tint::Green, "connected"),
        word(outcome, "realm")
    ));
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
