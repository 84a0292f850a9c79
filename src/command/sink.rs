//! `sink enable`: lets a sink work again that answered 410 and was switched off.

use super::{ask, block_on, configuration};
use crate::cli::{ConfigArgs, Exit};
use crate::run::control_socket;
use crate::terminal::{complain, say};
use clap::Args;
use http::{Method, StatusCode};

/// Which sink.
#[derive(Args, Debug)]
pub struct EnableOptions {
    /// Its configured name.
    name: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub fn enable(options: &EnableOptions) -> Exit {
    let (config, _) = match configuration(&options.config.config) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let name = &options.name;
    if !config.sinks.iter().any(|sink| sink.name.as_str() == name) {
        complain(format_args!("no sink named {name} is configured"));
        return Exit::Configuration;
    }
    let socket = control_socket(&config.journal);
    match block_on(ask::ask(
        &socket,
        Method::POST,
        &format!("/sinks/{name}/enable"),
        Vec::new(),
    )) {
        Ok(Ok((StatusCode::OK, _))) => {
            say(format_args!("{name} works again"));
            Exit::Success
        }
        Ok(Ok((status, answer))) => {
            complain(format_args!(
                "{status}: {}",
                String::from_utf8_lossy(&answer).trim()
            ));
            Exit::Failure
        }
        Ok(Err(error)) => {
            complain(error);
            Exit::Journal
        }
        Err(error) => {
            complain(error);
            Exit::Failure
        }
    }
}
