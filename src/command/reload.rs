//! `reload`: has the running relay read certificates, secrets and log level again, and says whether it
//! did. What `systemctl reload` runs, so that a refusal is its failure.

use super::{ask, journal_path};
use crate::cli::{ConfigArgs, Exit};
use crate::run::control_socket;
use crate::terminal::{complain, say};
use clap::Args;
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Which relay.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    config: ConfigArgs,
    /// The relay's process, which gets SIGHUP where the configuration cannot be read that says where its
    /// control socket is: so that it knows, and says, that its reload was refused.
    #[arg(long, value_name = "PID")]
    pid: Option<i32>,
}

/// Runs the command.
pub fn command(options: &Options) -> Exit {
    let journal = match journal_path(&options.config) {
        Ok(journal) => journal,
        Err(exit) => {
            let process = options.pid.and_then(Pid::from_raw);
            if let Some(Err(error)) = process.map(|pid| kill_process(pid, Signal::HUP)) {
                complain(format_args!("the relay cannot be told: {error}"));
            }
            return exit;
        }
    };
    let socket = control_socket(&journal);
    match ask::order(&socket, Method::POST, "/reload", &Value::Null) {
        Ok(_) => {
            say("reloaded certificates, secrets and log level; other changes need a restart");
            Exit::Success
        }
        Err(exit) => exit,
    }
}
