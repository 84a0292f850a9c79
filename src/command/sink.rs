//! `sink enable`: lets a sink work again that answered 410 and was switched off.

use super::{ask, configuration};
use crate::cli::{ConfigArgs, Exit};
use crate::model::instance::INSTANCE_SINK;
use crate::run::control_socket;
use crate::terminal::{complain, say};
use clap::Args;
use http::Method;
use serde_json::Value;

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
    // The relay knows its instances, which are not in the configuration.
    let is_known = config.sinks.iter().any(|sink| sink.name.as_str() == name);
    if !is_known && !name.starts_with(INSTANCE_SINK) {
        complain(format_args!("no sink named {name} is configured"));
        return Exit::Configuration;
    }
    let socket = control_socket(&config.journal);
    let path = format!("/sinks/{name}/enable");
    match ask::order(&socket, Method::POST, &path, &Value::Null) {
        Ok(_) => {
            say(format_args!("{name} works again"));
            Exit::Success
        }
        Err(exit) => exit,
    }
}
